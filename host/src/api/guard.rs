//! Who may speak to the listener.
//!
//! On a loopback address: programs of this machine, and pages that this server sent. Such a listener asks for no token, and any web page
//! that a browser of this machine opens can send requests to it. Three rules keep such pages out:
//! - `Host` must name the loopback interface. A page of `evil.example` that points its own name at 127.0.0.1 (DNS rebinding) sends its
//!   own name. The port does not matter: a tunnel may have another one at its near end, and no page gains by it.
//! - `Origin`, where there is one, must be that very host and port, over what the connection speaks, TLS or none. Also other local servers'
//!   pages are foreign.
//! - `Sec-Fetch-Site`, which browsers send also where they send no `Origin`, must be `same-origin` or `none`. Following a link is the
//!   one exception: it shows an answer to the person and not to the page.
//!
//! On any other address: who has a token (`tokens`). `Host` may be anything there: a page that points its own name at this server gets no
//! token with it, for a browser keeps what a person typed for the name that asked. The other two rules hold there too, since a browser
//! sends what it keeps also for foreign pages; `Origin` must be the host that `Host` names.
//!
//! Invariant: no path is exempt from the rules about pages, neither `/livez` nor `/metrics`; none but `/livez` and `/readyz` from tokens.
//! Invariant: which rules hold depends on where the listener is bound, never on the configuration that was read later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::attempts::Attempts;
use super::audit::Trace;
use super::problem::{Problem, ProblemKind, quoted};
use super::server::{Peer, Scheme};
use super::tokens::{self, Denial};
use crate::live::Live;
use crate::metrics::DeniedReason;

const HOST: &str = "host";
const ORIGIN: &str = "origin";
const SEC_FETCH_SITE: &str = "sec-fetch-site";
const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_DEST: &str = "sec-fetch-dest";

/// The port that `http://` means where none is written.
const HTTP_PORT: u16 = 80;
/// And `https://`.
const HTTPS_PORT: u16 = 443;

/// What supervisors and load balancers ask.
pub(super) const WITHOUT_TOKEN: [&str; 2] = ["/livez", "/readyz"];

/// Lets requests in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    /// Where the server listens.
    address: SocketAddr,
    live: Arc<Live>,
    attempts: Arc<Attempts>,
}

impl Gate {
    pub(crate) fn new(address: SocketAddr, live: Arc<Live>) -> Gate {
        Gate { address, live, attempts: Arc::default() }
    }

    fn judge(&self, request: &mut Request) -> Result<(), Denial> {
        if self.address.ip().is_loopback() {
            let scheme = request.extensions().get::<Scheme>().copied().unwrap_or_default();
            return judge(scheme, request.method(), request.uri(), request.headers()).map_err(|problem| {
                let address = format!("{}://{}", scheme.as_str(), self.address);
                foreign(problem.hint(format!("use {address} from this machine, without another page in between")))
            });
        }
        of_this_page(request.method(), request.uri(), request.headers())
            .map_err(|problem| foreign(problem.hint("ask without another page in between")))?;
        if WITHOUT_TOKEN.contains(&request.uri().path()) {
            return Ok(());
        }
        let source = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let admitted = tokens::judge(&self.live.config.load().tokens, request.method(), request.headers())
            .map_err(|denial| self.attempts.note(denial, source))?;
        if let Some(trace) = request.extensions().get::<Trace>() {
            trace.admitted(&admitted.name);
        }
        request.extensions_mut().insert(admitted);
        Ok(())
    }
}

fn foreign(problem: Problem) -> Denial {
    Denial { reason: DeniedReason::Foreign, holder: None, problem: Box::new(problem) }
}

/// The middleware.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.judge(&mut request) {
        Ok(()) => next.run(request).await,
        Err(denial) => {
            gate.live.metrics.api_denied(denial.reason);
            if let Some(trace) = request.extensions().get::<Trace>() {
                trace.denied(denial.holder);
            }
            (*denial.problem).into_response()
        }
    }
}

/// Pure: may this request be answered on a loopback address?
fn judge(scheme: Scheme, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = host(scheme, uri, headers)?;
    if let Some(origin) = single(headers, ORIGIN)?
        && origin_of(scheme, origin).as_ref() != Some(&host)
    {
        return Err(foreign_page(origin));
    }
    fetched_by_this_page(method, headers)
}

/// Pure: does this request come from no page, or from one that this server sent? `Host` is whatever the caller calls this server.
fn of_this_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if let Some(origin) = single(headers, ORIGIN)? {
        let host = match uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => single(headers, HOST)?,
        };
        // A proxy in front may speak TLS where this server does not, so either scheme may be the page's.
        let same = ["http://", "https://"].into_iter().zip([HTTP_PORT, HTTPS_PORT]).any(|(scheme, port)| {
            let origin = origin.strip_prefix(scheme).and_then(|origin| named_host(origin, port));
            origin.is_some() && origin == host.and_then(|host| named_host(host, port))
        });
        if !same {
            return Err(foreign_page(origin));
        }
    }
    fetched_by_this_page(method, headers)
}

fn foreign_page(origin: &str) -> Problem {
    Problem::new(ProblemKind::OriginRefused, format!("the request comes from a page of {}", quoted(origin)))
}

fn fetched_by_this_page(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    match single(headers, SEC_FETCH_SITE)? {
        Some(site) if !matches!(site, "same-origin" | "none") => {
            if follows_a_link(method, headers)? {
                return Ok(());
            }
            Err(Problem::new(ProblemKind::OriginRefused, format!("the browser calls the request {}", quoted(site))))
        }
        _ => Ok(()),
    }
}

/// A host in lower case and its port, `port` where none is written.
fn named_host(text: &str, port: u16) -> Option<(String, u16)> {
    let authority: Authority = text.parse().ok()?;
    // Whoever puts a user name there is no browser.
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    plain.then(|| (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(port)))
}

/// A person opened the address in a window of its own; the page that held the link sees nothing of the answer.
fn follows_a_link(method: &Method, headers: &HeaderMap) -> Result<bool, Problem> {
    Ok(*method == Method::GET
        && single(headers, SEC_FETCH_MODE)? == Some("navigate")
        && single(headers, SEC_FETCH_DEST)? == Some("document"))
}

/// A loopback name, in lower case, and its port.
#[derive(Debug, PartialEq, Eq)]
struct LoopbackHost {
    name: String,
    port: u16,
}

fn host(scheme: Scheme, uri: &Uri, headers: &HeaderMap) -> Result<LoopbackHost, Problem> {
    let Some(text) = single(headers, HOST)? else {
        return Err(Problem::new(ProblemKind::HeaderInvalid, "the request has no `Host`"));
    };
    let refused = |text: &str| Problem::new(ProblemKind::HostRefused, format!("the request is for {}", quoted(text)));
    let host = loopback_host(scheme, text).ok_or_else(|| refused(text))?;
    // A request line with a whole address counts more than `Host`, so it must say the same.
    if let Some(authority) = uri.authority()
        && loopback_host(scheme, authority.as_str()).as_ref() != Some(&host)
    {
        return Err(refused(authority.as_str()));
    }
    Ok(host)
}

/// `localhost`, an address in 127.0.0.0/8 or `[::1]`, with or without a port. Other spellings of these addresses are not needed by
/// anyone and are refused.
fn loopback_host(scheme: Scheme, text: &str) -> Option<LoopbackHost> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.is_loopback().then(|| "[::1]".to_owned())?, port)
        }
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_loopback = name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            (is_loopback.then(|| name.to_ascii_lowercase())?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => match scheme {
            Scheme::Http => HTTP_PORT,
            Scheme::Https => HTTPS_PORT,
        },
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    Some(LoopbackHost { name, port })
}

/// The host of an `Origin`. A page of the other scheme is of another server, and so is `null`.
fn origin_of(scheme: Scheme, origin: &str) -> Option<LoopbackHost> {
    loopback_host(scheme, origin.strip_prefix(scheme.as_str())?.strip_prefix("://")?)
}

/// The text of a header that may stand at most once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(ProblemKind::HeaderInvalid, format!("`{name}` stands more than once")));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Problem::new(ProblemKind::HeaderInvalid, format!("`{name}` is not in ASCII"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{Host, get, two_checks};

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        status_over(Scheme::Http, method, uri, headers)
    }

    fn status_over(scheme: Scheme, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = axum::http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        judge(scheme, &parts.method, &parts.uri, &parts.headers).map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn only_loopback_hosts_are_served() {
        for host in ["localhost", "LocalHost:9470", "127.0.0.1", "127.0.0.1:9470", "127.9.9.9:1", "[::1]", "[::1]:9470"] {
            assert_eq!(status("GET", "/livez", &[("host", host)]), 200, "{host}");
        }
        let refused = [
            "evil.example",
            "evil.example:9470",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:9470.evil.example",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:+80",
            "localhost ",
            "",
            ":9470",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "[::1",
            "[::1]x",
            "::1",
            "[::ffff:127.0.0.1]",
            "user@localhost",
            "localhost/",
            "localhost:80:80",
        ];
        for host in refused {
            assert_eq!(status("GET", "/livez", &[("host", host)]), 421, "{host:?}");
        }
    }

    #[test]
    fn a_missing_or_repeated_host_is_a_bad_request() {
        assert_eq!(status("GET", "/", &[]), 400);
        assert_eq!(status("GET", "/", &[("host", "localhost"), ("host", "localhost")]), 400);
    }

    #[test]
    fn a_whole_address_in_the_request_line_must_agree_with_host() {
        assert_eq!(status("GET", "http://localhost:9470/", &[("host", "localhost:9470")]), 200);
        assert_eq!(status("GET", "http://evil.example/", &[("host", "localhost:9470")]), 421);
    }

    #[test]
    fn an_origin_must_be_the_very_same_host_and_port() {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            for (host, origin, wanted) in [
                ("localhost:9470", "http://localhost:9470", 200),
                ("localhost:9470", "http://LOCALHOST:9470", 200),
                ("localhost", "http://localhost:80", 200),
                ("[::1]:9470", "http://[::1]:9470", 200),
                ("localhost:9470", "http://localhost:3000", 403),
                ("localhost:9470", "http://localhost", 403),
                ("localhost:9470", "http://127.0.0.1:9470", 403),
                ("localhost:9470", "https://localhost:9470", 403),
                ("localhost:9470", "http://evil.example", 403),
                ("localhost:9470", "http://localhost:9470.evil.example", 403),
                ("localhost:9470", "http://localhost:9470/", 403),
                ("localhost:9470", "null", 403),
                ("localhost:9470", "", 403),
            ] {
                assert_eq!(status(method, "/", &[("host", host), ("origin", origin)]), wanted, "{method} {host} {origin}");
            }
        }
    }

    #[test]
    fn over_tls_the_page_is_one_over_tls() {
        for (host, origin, wanted) in [
            ("localhost:9470", "https://localhost:9470", 200),
            ("localhost", "https://localhost:443", 200),
            ("[::1]:9470", "https://[::1]:9470", 200),
            ("localhost:9470", "http://localhost:9470", 403),
            ("localhost:9470", "https://localhost:9471", 403),
            ("localhost", "https://localhost:80", 403),
            ("localhost:9470", "https://evil.example", 403),
        ] {
            assert_eq!(status_over(Scheme::Https, "POST", "/", &[("host", host), ("origin", origin)]), wanted, "{host} {origin}");
        }
    }

    #[tokio::test]
    async fn what_a_connection_speaks_decides_which_page_is_ours() {
        let host = Host::start(&two_checks()).await;
        for (scheme, origin, wanted) in [
            (Scheme::Https, "https://127.0.0.1:9470", 200),
            (Scheme::Https, "http://127.0.0.1:9470", 403),
            (Scheme::Http, "https://127.0.0.1:9470", 403),
        ] {
            let mut request = get("/livez");
            request.headers_mut().insert(ORIGIN, origin.parse().unwrap());
            request.extensions_mut().insert(scheme);
            assert_eq!(host.ask(request).await.status, wanted, "{scheme:?} {origin}");
        }
    }

    #[test]
    fn a_foreign_page_is_refused_also_where_the_browser_sends_no_origin() {
        for (site, wanted) in [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("new-word", 403)] {
            assert_eq!(status("GET", "/metrics", &[("host", "localhost"), ("sec-fetch-site", site)]), wanted, "{site}");
        }
    }

    #[test]
    fn a_link_may_be_followed_but_not_framed_and_not_posted() {
        let navigate = |method, destination| {
            let headers =
                [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", destination)];
            status(method, "/", &headers)
        };
        assert_eq!(navigate("GET", "document"), 200);
        assert_eq!(navigate("GET", "iframe"), 403);
        assert_eq!(navigate("POST", "document"), 403);
    }

    #[test]
    fn with_tokens_any_host_is_served_and_a_page_of_another_one_is_not() {
        let status = |host: &str, origin: &str| {
            let request = axum::http::Request::builder().method("GET").uri("/").header("host", host).header("origin", origin);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            of_this_page(&parts.method, &parts.uri, &parts.headers).map_or_else(|problem| problem.status, |()| 200)
        };
        for (host, origin, wanted) in [
            ("sickbay.internal:9470", "http://sickbay.internal:9470", 200),
            ("sickbay.internal:9470", "https://SICKBAY.internal:9470", 200),
            ("sickbay.internal", "https://sickbay.internal", 200),
            ("sickbay.internal:443", "https://sickbay.internal", 200),
            ("sickbay.internal", "http://sickbay.internal:80", 200),
            ("[fd00::1]:9470", "http://[fd00::1]:9470", 200),
            ("sickbay.internal:9470", "http://sickbay.internal", 403),
            ("sickbay.internal:9470", "http://sickbay.internal:9471", 403),
            ("sickbay.internal:9470", "http://evil.example", 403),
            ("sickbay.internal", "http://user@sickbay.internal", 403),
            ("sickbay.internal", "null", 403),
            ("sickbay.internal", "", 403),
            ("", "http://sickbay.internal", 403),
        ] {
            assert_eq!(status(host, origin), wanted, "{host} {origin}");
        }
    }
}
