//! How the client verbs ask a running Sickbay: one small HTTP/1.1 client for its own API.
//!
//! A verb begins with [`Client::new`], asks with [`Client::get`] or [`Client::list`], and waits with [`Client::block_on`].
//!
//! Limits: [`CONNECT_TIME_MAX`] to connect, [`ANSWER_TIME_MAX`] for a whole answer, [`ANSWER_BYTES_MAX`] per answer, [`PAGES_MAX`] pages
//! per list. Redirects are not followed: the API sends none.

use std::fmt::Write as _;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
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

/// What every verb that asks a running Sickbay has.
#[derive(Args)]
pub struct ClientArgs {
    /// Where Sickbay listens; http:// may be left out
    #[arg(long, env = "SICKBAY_URL", default_value = "http://127.0.0.1:9470", value_name = "URL")]
    pub url: String,
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
}

impl Client {
    /// `url` is the address of the root: host and port, perhaps a path; `http://` where no scheme is written.
    pub fn new(url: &str) -> Result<Client, Failure> {
        // Never repeated: what is in the wrong place may be a password.
        let wrong = |why: &str| {
            Failure::usage(format!("the address of Sickbay (`--url` or SICKBAY_URL) {why}"))
                .with_hint("write http://HOST:PORT, for example http://127.0.0.1:9470")
        };
        let base = read(url).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        match base.scheme() {
            "http" => {}
            "https" => return Err(wrong("is https, which is not built yet in this version")),
            _ => return Err(wrong("is not http")),
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("has a user name or a password in it"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("has a query or a fragment"));
        }
        let Some(host) = base.host_str() else { return Err(wrong("has no host")) };
        let authority = format!("{host}:{}", base.port_or_known_default().unwrap_or(80));
        Ok(Client { base, authority })
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

    /// All items of a list, over all its pages.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &ITEMS_PER_PAGE.to_string());
            if let Some(cursor) = &cursor {
                query.append_pair("cursor", cursor);
            }
            let page: Page<T> = self.get(&format!("{path}?{}", query.finish())).await?;
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
        let address = self.address(path);
        let answer = match tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(path)).await {
            Ok(answer) => answer.with_context(|| self.unreachable(&address))?,
            Err(_elapsed) => {
                let failure = Failure::new(format!("no whole answer from {address} in {} s", ANSWER_TIME_MAX.as_secs()));
                return Err(failure.with_hint("see the log of `sickbay serve`").into());
            }
        };
        if !answer.status.is_success() {
            return Err(refusal(&address, &answer).into());
        }
        serde_json::from_slice(&answer.body).with_context(|| {
            Failure::new(format!("{address} answered what no Sickbay of this version answers"))
                .with_hint("is another program, or another version, listening there?")
        })
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    fn unreachable(&self, address: &str) -> Failure {
        Failure::new(format!("cannot ask {address}")).with_hint(
            "start Sickbay with `sickbay serve` (`sickbay quickstart` to try it out), or name its address with `--url` or SICKBAY_URL",
        )
    }

    async fn exchange(&self, path: &str) -> anyhow::Result<Answer> {
        let stream = tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(&self.authority))
            .await
            .with_context(|| format!("no connection after {} s", CONNECT_TIME_MAX.as_secs()))??;
        let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await?;
        let request = Request::get(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header("host", &self.authority)
            .header("accept", "application/json")
            .header("user-agent", concat!("sickbay/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
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

/// `localhost:9470` reads as a URL of the scheme `localhost`, and `127.0.0.1:9470` as none: both mean HTTP.
fn read(url: &str) -> Result<Url, ParseError> {
    match Url::parse(url) {
        Err(ParseError::RelativeUrlWithoutBase) => Url::parse(&format!("http://{url}")),
        Ok(read) if read.cannot_be_a_base() => Url::parse(&format!("http://{url}")),
        read => read,
    }
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

fn refusal(address: &str, answer: &Answer) -> Failure {
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
    fn only_plain_http_addresses_are_taken() {
        for url in ["http://127.0.0.1:9470", "http://localhost:9470/", "http://[::1]:9470", "http://localhost/behind/a/proxy/"] {
            assert!(Client::new(url).is_ok(), "{url}");
        }
        assert!(refused("https://localhost").contains("not built yet"));
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
