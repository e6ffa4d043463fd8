//! How the client verbs ask a running Sickbay: one small HTTP/1.1 client for its own API, with a token and over TLS where it wants them.
//!
//! A verb begins with [`Client::of`], asks with [`Client::get`], [`Client::list`], [`Client::post`] or [`Client::delete`], and waits with
//! [`Client::block_on`].
//!
//! Limits: [`CONNECT_TIME_MAX`] to connect, [`ANSWER_TIME_MAX`] for a whole answer, [`ANSWER_BYTES_MAX`] per answer, [`PAGES_MAX`] pages
//! per list. Redirects are not followed: the API sends none.
//!
//! Invariant: the token goes to the address that was named and into no message.

mod trust;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{ParseError, Url};

use crate::api::model::Page;
use crate::api::problem::Problem;
use crate::escape::escaped;
use crate::failure::Failure;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 20;
const PAGES_MAX: usize = 1000;
/// The most that a list gives at once.
const ITEMS_PER_PAGE: usize = 1000;

const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// What every verb that asks a running Sickbay has.
#[derive(Args)]
pub struct ClientArgs {
    /// Where Sickbay listens, http:// or https://; http:// may be left out
    #[arg(long, env = "SICKBAY_URL", default_value = "http://127.0.0.1:9470", value_name = "URL")]
    pub url: String,
    /// A file that holds the token, where Sickbay asks for one; SICKBAY_TOKEN is the token itself
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A PEM file with certificates to trust beside the system's
    #[arg(long, env = "SICKBAY_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Text for people, or JSON as the API gives it
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    pub output: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    // Without documentation of their own, so that help shows them on one line.
    Text,
    Json,
}

/// Asks one Sickbay.
pub struct Client {
    base: Url,
    /// Host and port, as `Host` wants it and as a name is resolved.
    authority: String,
    /// The value of `Authorization`.
    authorization: Option<HeaderValue>,
    /// None where the address is http.
    tls: Option<Tls>,
}

/// What an https address needs.
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    /// As the command line and the environment say.
    pub fn of(args: &ClientArgs) -> Result<Client, Failure> {
        let client = Client::new(&args.url)?;
        let authorization = authorization(args.token_file.as_deref())?;
        let tls = match client.base.scheme() {
            "https" => Some(Tls { connector: trust::connector(args.ca_file.as_deref())?, name: server_name(&client.base)? }),
            _ => None,
        };
        Ok(Client { authorization, tls, ..client })
    }

    /// `url` is the address of the root: host and port, perhaps a path; `http://` where no scheme is written.
    fn new(url: &str) -> Result<Client, Failure> {
        // Never repeated: what is in the wrong place may be a password.
        let wrong = |why: &str| {
            Failure::usage(format!("the address of Sickbay (`--url` or SICKBAY_URL) {why}"))
                .with_hint("write http://HOST:PORT, for example http://127.0.0.1:9470")
        };
        let base = read(url).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        match base.scheme() {
            "http" | "https" => {}
            _ => return Err(wrong("is neither http nor https")),
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("has a user name or a password in it"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("has a query or a fragment"));
        }
        let Some(host) = base.host_str() else { return Err(wrong("has no host")) };
        let authority = format!("{host}:{}", base.port_or_known_default().unwrap_or(80));
        Ok(Client { base, authority, authorization: None, tls: None })
    }

    /// Runs `ask` to its end. Client verbs have nothing else to do meanwhile.
    pub fn block_on<T>(ask: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("the program could not start its timers")?;
        let answer = runtime.block_on(ask);
        // A name server that does not answer would hold up the end.
        runtime.shutdown_background();
        answer
    }

    /// All items of a list, over all its pages. `path` may have parameters.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &ITEMS_PER_PAGE.to_string());
            if let Some(cursor) = &cursor {
                query.append_pair("cursor", cursor);
            }
            let separator = if path.contains('?') { '&' } else { '?' };
            let page: Page<T> = self.get(&format!("{path}{separator}{}", query.finish())).await?;
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(items);
            }
        }
        Err(Failure::new(format!("{} has more than {PAGES_MAX} pages", self.address(path))).into())
    }

    /// One answer of the API. `path` begins with a slash and is percent-encoded.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.told(&Asked { method: Method::GET, path, body: Bytes::new() }).await
    }

    /// The answer to a body of JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.told(&Asked { method: Method::POST, path, body: Bytes::from(body.to_string()) }).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.told(&Asked { method: Method::DELETE, path, body: Bytes::new() }).await
    }

    async fn told<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> anyhow::Result<T> {
        let address = self.address(asked.path);
        let answer = self.answer(asked).await?;
        if !answer.status.is_success() {
            return Err(refusal(&address, &answer).into());
        }
        serde_json::from_slice(&answer.body).with_context(|| {
            Failure::new(format!("{address} answered what no Sickbay of this version answers"))
                .with_hint("is another program, or another version, listening there?")
        })
    }

    /// Why Sickbay is not ready, where it is not.
    pub async fn unready(&self) -> anyhow::Result<Option<Problem>> {
        let answer = self.answer(&Asked { method: Method::GET, path: "/readyz", body: Bytes::new() }).await?;
        // What else comes is not Sickbay's: a proxy may keep the path to itself.
        let is_told = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        Ok(is_told.then(|| serde_json::from_slice(&answer.body).ok()).flatten())
    }

    /// The whole answer, whatever its status.
    async fn answer(&self, asked: &Asked<'_>) -> anyhow::Result<Answer> {
        let address = self.address(asked.path);
        match tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(asked)).await {
            Ok(answer) => answer.with_context(|| self.unreachable(&address)),
            Err(_elapsed) => {
                let failure = Failure::new(format!("no whole answer from {address} in {} s", ANSWER_TIME_MAX.as_secs()));
                Err(failure.with_hint("see the log of `sickbay serve`").into())
            }
        }
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    fn unreachable(&self, address: &str) -> Failure {
        Failure::new(format!("cannot ask {address}")).with_hint(
            "start Sickbay with `sickbay serve` (`sickbay quickstart` to try it out), or name its address with `--url` or SICKBAY_URL",
        )
    }

    async fn exchange(&self, asked: &Asked<'_>) -> anyhow::Result<Answer> {
        let stream = tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(&self.authority))
            .await
            .with_context(|| format!("no connection after {} s", CONNECT_TIME_MAX.as_secs()))??;
        match &self.tls {
            None => self.converse(stream, asked).await,
            Some(tls) => {
                let stream = tls.connector.connect(tls.name.clone(), stream).await.map_err(|error| trust::explained(&error))?;
                self.converse(stream, asked).await
            }
        }
    }

    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, asked: &Asked<'_>) -> anyhow::Result<Answer> {
        let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{}", self.base.path().trim_end_matches('/'), asked.path))
            .header("host", &self.authority)
            .header("accept", "application/json")
            .header("user-agent", concat!("sickbay/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(asked.body.clone()))?;
        if !asked.body.is_empty() {
            request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        }
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert("authorization", authorization.clone());
        }
        let answer = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(anyhow::Error::from_boxed)?;
            Ok::<Answer, anyhow::Error>(Answer { status, body: body.to_bytes() })
        };
        // The connection moves the bytes; it may end before the answer has been read out of it.
        let (mut connection, mut answer) = (pin!(connection), pin!(answer));
        let mut connected = true;
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                // What went wrong, the answer says as well.
                _ended = &mut connection, if connected => connected = false,
            }
        }
    }
}

/// `Authorization` with the token of the file, else of the environment.
fn authorization(file: Option<&Path>) -> Result<Option<HeaderValue>, Failure> {
    let (token, whence) = match file {
        Some(file) => (token_in(file)?, format!("the token in {}", file.display())),
        None => match std::env::var("SICKBAY_TOKEN") {
            Ok(token) if !token.is_empty() => (token, "the token in SICKBAY_TOKEN".to_owned()),
            _ => return Ok(None),
        },
    };
    let wrong =
        || Failure::usage(format!("{whence} is none")).with_hint("a token is one line of letters and digits; it is not its hash file");
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn token_in(file: &Path) -> Result<String, Failure> {
    let mut token = String::new();
    let read = File::open(file).and_then(|opened| opened.take(TOKEN_BYTES_MAX).read_to_string(&mut token));
    match read {
        Ok(_) => Ok(token),
        Err(error) => Err(Failure::usage(format!("the token in {} cannot be read: {error}", file.display()))
            .with_hint("name a file that holds the token with `--token-file`")),
    }
}

fn server_name(base: &Url) -> Result<ServerName<'static>, Failure> {
    let host = base.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::usage("no certificate can be for the host of the address").with_hint("write https://HOST:PORT"))
}

/// `localhost:9470` reads as a URL of the scheme `localhost`, and `127.0.0.1:9470` as none: both mean HTTP.
fn read(url: &str) -> Result<Url, ParseError> {
    match Url::parse(url) {
        Err(ParseError::RelativeUrlWithoutBase) => Url::parse(&format!("http://{url}")),
        Ok(read) if read.cannot_be_a_base() => Url::parse(&format!("http://{url}")),
        read => read,
    }
}

struct Asked<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

fn refusal(address: &str, answer: &Answer) -> Failure {
    if answer.status == StatusCode::UNAUTHORIZED {
        let detail = serde_json::from_slice::<Problem>(&answer.body).map(|problem| format!(": {}", escaped(&problem.detail)));
        return Failure::new(format!("{address} needs a token{}", detail.unwrap_or_default())).with_hint(
            "name a file that holds one with `--token-file`, or set SICKBAY_TOKEN; `[[token]]` in its configuration says whose are known",
        );
    }
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => {
            let failure = Failure::new(format!("{address} answered {}: {}", problem.status, escaped(&problem.detail)));
            match problem.hint {
                Some(hint) => failure.with_hint(escaped(&hint).to_string()),
                None => failure,
            }
        }
        Err(_) => {
            Failure::new(format!("{address} answered {}", answer.status)).with_hint("is another program, or a proxy, listening there?")
        }
    }
}

/// A name as one segment of a path, whatever is in it.
pub(super) fn path_segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            segment.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        let failure = Client::new(url).err().unwrap_or_else(|| panic!("{url} was taken"));
        assert!(failure.hint().is_some(), "{url}");
        failure.to_string()
    }

    #[test]
    fn only_http_addresses_are_taken() {
        for url in [
            "https://sickbay.internal",
            "http://127.0.0.1:9470",
            "http://localhost:9470/",
            "http://[::1]:9470",
            "http://localhost/behind/a/proxy/",
        ] {
            assert!(Client::new(url).is_ok(), "{url}");
        }
        for url in ["ftp://localhost", "http://localhost?x", "localhost?x", "unix:/run/sickbay", "localhost:port", "a b", "", "http://"] {
            refused(url);
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for url in [
            "http://user:hunter2@localhost",
            "https://user:hunter2@localhost",
            "http://user:hunter2@",
            "hunter2@localhost",
            "user:hunter2@localhost:9470",
        ] {
            assert!(!refused(url).contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn a_token_is_one_line_and_no_message_repeats_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        let value = authorization(Some(&file)).unwrap().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer hunter2");
        assert!(!format!("{value:?}").contains("hunter2"));
        for wrong in ["", "\n", "hunter2 hunter3", "hunter2\nhunter3", "hünter2"] {
            std::fs::write(&file, wrong).unwrap();
            let failure = authorization(Some(&file)).unwrap_err();
            assert!(!failure.to_string().contains("nter"), "{failure}");
        }
        let failure = authorization(Some(&dir.path().join("absent"))).unwrap_err();
        assert!(failure.hint().unwrap().contains("--token-file"));
    }

    #[test]
    fn who_needs_a_token_is_told_how_to_give_one() {
        let failure = refusal("https://h/p", &Answer { status: StatusCode::UNAUTHORIZED, body: Bytes::new() });
        assert_eq!(failure.to_string(), "https://h/p needs a token");
        assert!(failure.hint().unwrap().contains("SICKBAY_TOKEN"));
    }

    #[test]
    fn an_address_with_a_path_keeps_it() {
        let client = Client::new("http://localhost:1/behind/").unwrap();
        assert_eq!(client.address("/api/v1/checks"), "http://localhost:1/behind/api/v1/checks");
        assert_eq!(Client::new("http://[::1]").unwrap().authority, "[::1]:80");
    }

    #[test]
    fn an_address_without_a_scheme_means_http() {
        for (url, base) in [
            ("localhost:9470", "http://localhost:9470/"),
            ("127.0.0.1:9470", "http://127.0.0.1:9470/"),
            ("[::1]:9470", "http://[::1]:9470/"),
            ("localhost", "http://localhost/"),
            ("localhost:9470/behind", "http://localhost:9470/behind"),
            ("my_host:9470", "http://my_host:9470/"),
        ] {
            assert_eq!(Client::new(url).map(|client| client.base.to_string()).ok().as_deref(), Some(base), "{url}");
        }
    }

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(path_segment("my-check_1.0"), "my-check_1.0");
        assert_eq!(path_segment("../livez?x#é"), "..%2Flivez%3Fx%23%C3%A9");
    }

    #[test]
    fn a_problem_is_told_with_its_hint() {
        let body = r#"{"type":"urn:x","title":"t","status":404,"detail":"no plugin is named `x`","hint":"look"}"#;
        let failure = refusal("http://h/p", &Answer { status: StatusCode::NOT_FOUND, body: Bytes::from_static(body.as_bytes()) });
        assert_eq!(failure.to_string(), "http://h/p answered 404: no plugin is named `x`");
        assert_eq!(failure.hint(), Some("look"));
    }

    #[test]
    fn nobody_at_the_address_is_told_with_the_address_and_a_hint() {
        // Port 1 of this machine: nothing of ours, and nothing answers there.
        let client = Client::new("http://127.0.0.1:1").unwrap();
        let error = Client::block_on(client.get::<serde_json::Value>("/api/v1/checks")).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert_eq!(failure.to_string(), "cannot ask http://127.0.0.1:1/api/v1/checks");
        assert!(failure.hint().unwrap().contains("sickbay serve"));
    }
}
