//! How the client verbs ask a running Sickbay: one small HTTP/1.1 client for its own API.
//!
//! Limits: [`CONNECT_TIME_MAX`] to connect, [`ANSWER_TIME_MAX`] for a whole answer, [`ANSWER_BYTES_MAX`] per answer, [`PAGES_MAX`] pages per
//! list. Redirects are not followed: the API sends none.

use std::fmt;
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
use url::Url;

use crate::api::model::Page;
use crate::api::problem::Problem;
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
    /// Where Sickbay listens.
    #[arg(long, env = "SICKBAY_URL", default_value = "http://127.0.0.1:9470", value_name = "URL")]
    pub url: String,
    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    pub output: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// As the API gives it.
    Json,
}

/// Asks one Sickbay.
pub struct Client {
    base: Url,
    /// Host and port, as `Host` wants it and as a name is resolved.
    authority: String,
}

impl Client {
    /// `url` is the address of the root: scheme, host and port, perhaps a path.
    pub fn new(url: &str) -> Result<Client, Failure> {
        // Never repeated: what is in the wrong place may be a password.
        let wrong = |why: &str| {
            Failure::usage(format!("the address of Sickbay (`--url` or SICKBAY_URL) {why}")).with_hint("write http://HOST:PORT")
        };
        let base = Url::parse(url).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
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
        runtime.block_on(ask)
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
        Failure::new(format!("cannot ask {address}"))
            .with_hint("is `sickbay serve` running there? `--url` or SICKBAY_URL name another address")
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

/// Text of a guest, a server or a stranger, made fit for a terminal: control characters and what turns the direction of writing are
/// shown as their code points, so that no text can move the cursor, hide another or forge a line.
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

pub struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for character in self.0.chars() {
            if is_unfit(character) {
                write!(formatter, "{}", character.escape_unicode())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

fn is_unfit(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
        for url in ["127.0.0.1:9470", "ftp://localhost", "http://localhost?x", "unix:/run/sickbay", "", "http://"] {
            refused(url);
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for url in ["http://user:hunter2@localhost", "https://user:hunter2@localhost", "http://user:hunter2@", "hunter2@localhost"] {
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
    fn hostile_text_cannot_reach_the_terminal() {
        assert_eq!(escaped("a\u{1b}[31mb\r\nc\u{7f}\u{9b}2J").to_string(), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{7f}\\u{9b}2J");
        assert_eq!(escaped("\u{202e}txt\u{2066}").to_string(), "\\u{202e}txt\\u{2066}");
        assert_eq!(escaped("grün 漢字 🦀").to_string(), "grün 漢字 🦀");
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
