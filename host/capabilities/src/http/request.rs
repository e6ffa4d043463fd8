//! A guest's request, held against the contract's bounds and ready to be sent.
//!
//! Invariant: nothing that a guest wrote reaches the wire unparsed: the URL, every header name and every value are re-serialised here.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use url::Url;

use super::redirect::Origin;
use crate::contract;
use crate::failure::Failure;
use crate::net::Place;
use crate::tls::Trust;

pub(super) const URL_BYTES_MAX: usize = 8 << 10;
pub(super) const HEADERS_MAX: usize = 64;
pub(super) const HEADER_BYTES_MAX: usize = 32 << 10;
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
pub(super) const METHOD_BYTES_MAX: usize = 32;
pub(super) const REDIRECTS_MAX: u8 = 10;
pub(super) const ANSWER_BODY_BYTES_MAX: u32 = 1 << 20;
pub(super) const ANSWER_BODY_BYTES_DEFAULT: u32 = 64 << 10;

/// Sent where the guest names none.
const USER_AGENT: &str = concat!("sickbay/", env!("CARGO_PKG_VERSION"));

/// One request, before it is known where it may go.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    /// As the guest gave them, and `user-agent` and `accept` where it gave none.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) connection: ConnectionHeader,
    /// `Crossed` once a redirect led to another origin: no secret is filled in any more.
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionHeader {
    Close,
    /// A WebSocket handshake.
    Upgrade,
}

/// How the exchange is to go.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) timeout: Option<Duration>,
    pub(super) redirects_max: u8,
    pub(super) body_bytes_max: usize,
    pub(super) trust: Trust,
    /// What is dialled in place of the URL's host, as long as no redirect led to another origin.
    pub(super) connect_to: Option<Place>,
}

impl Outgoing {
    pub(super) fn new(request: contract::http::Request) -> Result<Outgoing, Failure> {
        let contract::http::Request { method, url, headers, body } = request;
        let method = parse_method(&method)?;
        if url.len() > URL_BYTES_MAX {
            return Err(invalid(format!("the URL has {} bytes, at most {URL_BYTES_MAX} are sent", url.len())));
        }
        let mut url = Url::parse(&url).map_err(|reason| invalid(format!("the URL cannot be read: {reason}")))?;
        url.set_fragment(None);
        let body = body.unwrap_or_default();
        if body.len() > BODY_BYTES_MAX {
            return Err(invalid(format!("the body has {} bytes, at most {BODY_BYTES_MAX} are sent", body.len())));
        }
        let (headers, connection) = parse_headers(headers, &method)?;
        Ok(Outgoing { method, url, headers, body: body.into(), connection, origin: Origin::Same })
    }

    /// What it takes on the wire, as good as exactly.
    pub(super) fn bytes(&self) -> u64 {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
        // The request line and the headers that are added: `host`, `connection`, `content-length`.
        let frame = self.method.as_str().len() + 2 * self.url.as_str().len() + 64;
        u64::try_from(frame + headers + self.body.len()).unwrap_or(u64::MAX)
    }
}

impl Terms {
    pub(super) fn new(options: &contract::http::Options) -> Result<Terms, Failure> {
        if options.redirects_max > REDIRECTS_MAX {
            return Err(invalid(format!("`redirects-max` is {}, at most {REDIRECTS_MAX} are followed", options.redirects_max)));
        }
        let body_bytes_max = options.body_bytes_max.unwrap_or(ANSWER_BODY_BYTES_DEFAULT);
        if body_bytes_max > ANSWER_BODY_BYTES_MAX {
            return Err(invalid(format!("`body-bytes-max` is {body_bytes_max}, at most {ANSWER_BODY_BYTES_MAX} are read")));
        }
        let connect_to = options.connect_to.as_deref().map(Place::parse).transpose().map_err(|failure| match failure {
            Failure::Invalid(message) => invalid(format!("`connect-to`: {message}")),
            other => other,
        })?;
        Ok(Terms {
            timeout: options.timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.into())),
            redirects_max: options.redirects_max,
            body_bytes_max: usize::try_from(body_bytes_max).unwrap_or(usize::MAX),
            trust: if options.accept_untrusted { Trust::Reported } else { Trust::Required },
            connect_to,
        })
    }
}

fn invalid(message: String) -> Failure {
    Failure::Invalid(message)
}

fn parse_method(text: &str) -> Result<Method, Failure> {
    let method = Method::from_bytes(text.as_bytes())
        .ok()
        .filter(|_| text.len() <= METHOD_BYTES_MAX && !text.bytes().any(|byte| byte.is_ascii_lowercase()))
        .ok_or_else(|| invalid("the method is no word in capitals; hint: `GET`".to_owned()))?;
    if method == Method::CONNECT {
        return Err(invalid("the method `CONNECT` would open a tunnel".to_owned()));
    }
    Ok(method)
}

type Headers = Vec<(HeaderName, HeaderValue)>;

fn parse_headers(given: Vec<contract::http::Header>, method: &Method) -> Result<(Headers, ConnectionHeader), Failure> {
    if given.len() > HEADERS_MAX {
        return Err(invalid(format!("the request has {} headers, at most {HEADERS_MAX} are sent", given.len())));
    }
    let bytes: usize = given.iter().map(|header| header.name.len() + header.value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(invalid(format!("the headers have {bytes} bytes, at most {HEADER_BYTES_MAX} are sent")));
    }
    let mut headers: Headers = Vec::with_capacity(given.len() + 2);
    let mut connection = ConnectionHeader::Close;
    for line in given {
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| invalid(format!("`{}` is no header name", line.name.escape_debug())))?;
        if is_ours(&name) {
            return Err(invalid(format!("the header `{name}` is set by Sickbay; hint: leave it out")));
        }
        if name == header::UPGRADE {
            if *method != Method::GET || !line.value.eq_ignore_ascii_case("websocket") {
                return Err(invalid("the header `upgrade` is for `GET` and `websocket` only".to_owned()));
            }
            connection = ConnectionHeader::Upgrade;
        }
        let value = to_value(&line.value)
            .ok_or_else(|| invalid(format!("the value of the header `{name}` has a control character or one above U+00FF")))?;
        headers.push((name, value));
    }
    for (name, value) in [(header::USER_AGENT, USER_AGENT), (header::ACCEPT, "*/*")] {
        if !headers.iter().any(|(given, _)| *given == name) {
            headers.push((name, HeaderValue::from_static(value)));
        }
    }
    Ok((headers, connection))
}

/// Headers that belong to the connection or to the message's framing.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host" | "connection" | "content-length" | "transfer-encoding" | "te" | "trailer" | "expect" | "keep-alive" | "proxy-connection"
    )
}

/// ISO-8859-1, as the contract says; no line break passes.
fn to_value(text: &str) -> Option<HeaderValue> {
    if text.is_ascii() {
        return HeaderValue::from_str(text).ok();
    }
    let bytes = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect::<Option<Vec<u8>>>()?;
    HeaderValue::from_bytes(&bytes).ok()
}

/// The same the other way.
pub(super) fn to_text(value: &HeaderValue) -> String {
    match value.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> contract::http::Request {
        let headers = headers.iter().map(|(name, value)| contract::http::Header { name: (*name).into(), value: (*value).into() });
        contract::http::Request { method: method.into(), url: url.into(), headers: headers.collect(), body: None }
    }

    fn options() -> contract::http::Options {
        contract::http::Options {
            timeout_ms: None,
            redirects_max: 0,
            body_bytes_max: None,
            reuse: false,
            accept_untrusted: false,
            connect_to: None,
            extras: Vec::new(),
        }
    }

    fn why_invalid(outcome: Result<Outgoing, Failure>) -> String {
        match outcome {
            Err(Failure::Invalid(message)) => message,
            other => panic!("expected invalid: {other:?}"),
        }
    }

    #[test]
    fn headers_of_the_connection_and_the_framing_are_refused() {
        for name in
            ["Host", "connection", "Content-Length", "TRANSFER-ENCODING", "te", "Trailer", "Expect", "keep-alive", "Proxy-Connection"]
        {
            let message = why_invalid(Outgoing::new(request("GET", "http://a.example/", &[(name, "x")])));
            assert!(message.contains(&name.to_lowercase()), "{message}");
        }
    }

    #[test]
    fn only_a_websocket_upgrade_by_get_is_let_through() {
        let upgrade = Outgoing::new(request("GET", "ws://a.example/", &[("Upgrade", "WebSocket")])).expect("valid");
        assert_eq!(upgrade.connection, ConnectionHeader::Upgrade);
        for (method, protocol) in [("POST", "websocket"), ("GET", "h2c"), ("GET", "websocket, h2c")] {
            why_invalid(Outgoing::new(request(method, "ws://a.example/", &[("upgrade", protocol)])));
        }
    }

    #[test]
    fn no_line_break_gets_into_a_header() {
        for (name, value) in
            [("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "a\0"), ("x", "日"), ("x y", "a"), ("x\r\ny", "a"), ("", "a"), ("x:", "a")]
        {
            why_invalid(Outgoing::new(request("GET", "http://a.example/", &[(name, value)])));
        }
    }

    #[test]
    fn header_values_are_latin_1_both_ways() {
        let outgoing = Outgoing::new(request("GET", "http://a.example/", &[("x", "caf\u{e9}\u{ff}")])).expect("valid");
        assert_eq!(outgoing.headers[0].1.as_bytes(), b"caf\xe9\xff");
        assert_eq!(to_text(&outgoing.headers[0].1), "caf\u{e9}\u{ff}");
    }

    #[test]
    fn the_guests_own_user_agent_stands() {
        let agents = |headers: &[(&str, &str)]| {
            let outgoing = Outgoing::new(request("GET", "http://a.example/", headers)).expect("valid");
            let agents = outgoing.headers.iter().filter(|(name, _)| *name == header::USER_AGENT);
            agents.map(|(_, value)| to_text(value)).collect::<Vec<_>>()
        };
        assert_eq!(agents(&[("User-Agent", "own")]), ["own"]);
        assert_eq!(agents(&[]), [USER_AGENT]);
    }

    #[test]
    fn the_bounds_of_the_contract_hold() {
        let long = format!("http://a.example/{}", "a".repeat(URL_BYTES_MAX));
        why_invalid(Outgoing::new(request("GET", &long, &[])));
        why_invalid(Outgoing::new(request("GET", "http://a.example/", &[("x", "y"); HEADERS_MAX + 1])));
        why_invalid(Outgoing::new(request("GET", "http://a.example/", &[("x", "y".repeat(HEADER_BYTES_MAX).as_str())])));
        let mut large = request("POST", "http://a.example/", &[]);
        large.body = Some(vec![0; BODY_BYTES_MAX + 1]);
        why_invalid(Outgoing::new(large));
        let long = "A".repeat(METHOD_BYTES_MAX + 1);
        for method in ["", "get", "GET /", "CONNECT", "G\r\nT", long.as_str()] {
            why_invalid(Outgoing::new(request(method, "http://a.example/", &[])));
        }
        for url in ["", "/health", "a.example", "http://", "http://[::1"] {
            why_invalid(Outgoing::new(request("GET", url, &[])));
        }
        let redirects = contract::http::Options { redirects_max: REDIRECTS_MAX + 1, ..options() };
        assert!(matches!(Terms::new(&redirects), Err(Failure::Invalid(_))));
        let body = contract::http::Options { body_bytes_max: Some(ANSWER_BODY_BYTES_MAX + 1), ..options() };
        assert!(matches!(Terms::new(&body), Err(Failure::Invalid(_))));
    }

    #[test]
    fn what_is_dialled_in_place_of_the_host_is_an_address_with_a_port_or_a_socket() {
        let terms = |connect_to: &str| Terms::new(&contract::http::Options { connect_to: Some(connect_to.into()), ..options() });
        let place = |connect_to: &str| terms(connect_to).ok().and_then(|terms| terms.connect_to).map(|place| place.to_string());
        assert_eq!(place("127.1:443").as_deref(), Some("127.0.0.1:443"));
        assert_eq!(place("unix:/run/s.sock").as_deref(), Some("/run/s.sock"));
        for connect_to in ["", "10.0.0.7", "tcp://10.0.0.7:443", "unix:run/s.sock", "unix:/run/*"] {
            let outcome = terms(connect_to);
            assert!(matches!(&outcome, Err(Failure::Invalid(why)) if why.starts_with("`connect-to`: ")), "{connect_to}: {outcome:?}");
        }
        assert!(matches!(terms("unix:@abstract"), Err(Failure::Denied(_))));
    }
}
