//! What an HTTP check may reach: a redirect, another spelling of an address and a name that leads elsewhere are judged like the URL that was
//! written; what was not granted is unknown, with the line to add.
//!
//! Each test serves its rows as checks of one daemon and runs them all at once, or probes one check after the other.

use std::io::Write;
use std::net::TcpStream;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support_http::pages::pages;
use crate::support_http::resolver::Resolver;
use crate::support_http::rows::{assert_counted, critical, denied, judge, metric, ok, serve};
use crate::support_http::{Check, Place, Served, raw};

#[test]
fn a_redirect_is_authorised_like_the_first_request() {
    let nginx = pages();
    let check = |name: &str, path: &str| Check::http(name, &nginx.url(path));
    let every = format!("GET {}", nginx.url("/*"));
    let localhost = format!("localhost:{}", nginx.ports[0]);
    let leads_on = "a redirect leads on: ";
    let rows = [
        ok(check("granted", "/see").grant(&every)),
        ok(check("not-followed", "/metadata").config("redirects_max = 0")),
        critical(check("for-ever", "/loop"), "content", &["still redirected after 5 redirects", "at most 5"]),
        critical(check("another-scheme", "/files"), "protocol", &[leads_on, "scheme"]),
        critical(check("with-a-user", "/user"), "protocol", &[leads_on, "user"]),
        denied(check("another-path", "/see"), "redirect", &[leads_on, &format!("http = [\"GET {}\"]", nginx.url("/ok"))]),
        denied(
            check("another-name", "/elsewhere").grant(&every),
            "redirect",
            &[leads_on, &format!("http = [\"GET http://{localhost}/ok\"]")],
        ),
        denied(check("private", "/private").grant(&every), "redirect", &[leads_on, "10.0.0.1:80", "http = [\"GET http://10.0.0.1/\"]"]),
        denied(check("metadata", "/metadata").grant(&every), "redirect", &[leads_on, "169.254.169.254"]),
        denied(
            check("metadata-granted", "/metadata").grant("GET http://169.254.169.254/*"),
            "redirect",
            &[leads_on, "never lent", "hint: "],
        ),
    ];
    let (_place, served) = serve("", &rows);
    let results = judge(&served, &rows);
    assert_eq!(metric(&results[0], "redirects"), Some(1.0));
    assert_eq!(metric(&results[2], "redirects"), Some(5.0));
    assert_counted(&served, &rows);
}

#[test]
fn another_spelling_of_an_address_is_that_address_or_denied() {
    let nginx = pages();
    let port = nginx.ports[0];
    let granted = format!("GET http://127.0.0.1:{port}/ok");
    let url = |host: &str| format!("http://{host}:{port}/ok");
    let mut rows = Vec::new();
    for (index, host) in ["0x7f000001", "127.1", "2130706433", "0177.0.0.1", "127.0.0.1."].iter().enumerate() {
        rows.push(ok(Check::http(&format!("same-{index}"), &url(host)).without_grants().grant(&granted)));
        rows.push(denied(Check::http(&format!("same-{index}-denied"), &url(host)).without_grants(), "not_granted", &[granted.as_str()]));
    }
    // What a grant of 127.0.0.1 does not open, a grant of the very spelling does not open either.
    let disguises = ["[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"];
    for (index, host) in disguises.iter().enumerate() {
        let check = |name: &str| Check::http(&format!("{name}-{index}"), &url(host));
        rows.push(denied(check("disguise"), "forbidden_address", &["never lent", "hint: "]));
        rows.push(denied(check("disguise-unnamed").without_grants().grant(&granted), "forbidden_address", &["never lent"]));
    }
    for (index, host) in ["169.254.169.254", "0.0.0.0", "0", "[::]", "[fe80::1]", "[fd00:ec2::254]", "224.0.0.1"].iter().enumerate() {
        rows.push(denied(Check::http(&format!("never-{index}"), &url(host)), "forbidden_address", &["never lent"]));
    }
    rows.push(ok(Check::http("by-name", &url("localhost"))));
    rows.push(ok(Check::http("by-name-in-capitals", &url("LOCALHOST")).without_grants().grant(&format!("GET {}", url("localhost")))));
    rows.push(denied(Check::http("name-by-address", &url("localhost")).without_grants().grant(&granted), "not_granted", &["localhost"]));
    let by_name = format!("GET {}", url("localhost"));
    rows.push(denied(
        Check::http("address-by-name", &url("127.0.0.1")).without_grants().grant(&by_name),
        "not_granted",
        &[granted.as_str()],
    ));
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
    assert_counted(&served, &rows);
}

#[test]
fn a_name_leads_to_a_private_address_only_where_that_is_listed() {
    let nginx = pages();
    let resolver = Resolver::new(&[
        // It is not believed.
        ("10.0.0.1", "localhost"),
        ("127.0.0.1", "inside.test"),
        ("10.0.0.1", "private.test"),
        ("169.254.169.254", "metadata.test"),
        ("169.254.169.254", "mixed.test"),
        ("127.0.0.1", "mixed.test"),
    ]);
    resolver.write_hosts(&[("10.0.0.1", "localhost"), ("127.0.0.1", "written.test")]);
    let port = nginx.ports[0];
    let url = |host: &str| format!("http://{host}:{port}/ok");
    let check = |host: &str| Check::http(host, &url(host));
    let not_public = "resolves only to addresses that are not public";
    let loopback = "[egress] private = [\"127.0.0.0/8\"]";
    let closed = [
        ok(check("localhost")),
        denied(check("inside.test"), "private_address", &["`inside.test`", not_public, loopback]),
        denied(check("mixed.test"), "private_address", &[not_public, loopback]),
        denied(check("private.test"), "private_address", &[not_public, "[egress] private = [\"10.0.0.0/8\"]"]),
        denied(check("metadata.test"), "forbidden_address", &["`metadata.test`", "never lent"]),
        denied(check("written.test"), "private_address", &["`written.test`", not_public, loopback]),
        critical(check("nowhere.test"), "dns", &["`nowhere.test` does not exist"]),
    ];
    let open = [
        ok(check("localhost")),
        ok(check("inside.test")),
        ok(check("written.test")),
        // Of its addresses only those that may be dialled are dialled.
        ok(check("mixed.test")),
        denied(check("private.test"), "private_address", &[not_public, "10.0.0.0/8"]),
        denied(check("metadata.test"), "forbidden_address", &["never lent"]),
    ];
    let everything = [denied(check("metadata.test"), "forbidden_address", &["never lent"])];
    let tables = ["", "[egress]\nprivate = [\"127.0.0.0/8\"]\n", "[egress]\nprivate = [\"0.0.0.0/0\"]\n"];
    for (tables, rows) in tables.into_iter().zip([&closed[..], &open[..], &everything[..]]) {
        let place = Place::new(&["http"]);
        let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
        place.configure(tables, &checks);
        let served = Served::start_by(resolver.program(), &place);
        judge(&served, rows);
        assert_counted(&served, rows);
    }
}

#[test]
fn a_name_that_resolves_differently_the_second_time_is_judged_again() {
    let first = [("127.0.0.1", "rebind.test")];
    let second = [("127.0.0.2", "rebind.test")];
    let resolver = Arc::new(Resolver::new(&first));
    let requests = Arc::new(AtomicUsize::new(0));
    let server = raw::listen({
        let (resolver, requests) = (Arc::clone(&resolver), Arc::clone(&requests));
        move |stream: &mut TcpStream| {
            requests.fetch_add(1, Ordering::SeqCst);
            let head = raw::read_head(stream)?;
            if head.starts_with("GET /rebind ") {
                resolver.set(&second);
                return stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /after\r\ncontent-length: 0\r\n\r\n");
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        }
    });
    let base = format!("http://rebind.test:{}", server.port());
    let check = |name: &str| Check::http(name, &format!("{base}/{name}")).without_grants().grant(&format!("GET {base}/*"));
    let place = Place::new(&["http"]);
    place.configure("[egress]\nprivate = [\"127.0.0.1/32\"]\n", &[check("again"), check("rebind")]);

    // Between two runs.
    let ended = place.probe_by(resolver.program(), "again");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    resolver.set(&second);
    let ended = place.probe_by(resolver.program(), "again");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("`rebind.test` resolves only to addresses that are not public"), "{ended:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 1, "nobody was dialled the second time");

    // Between the request and its redirect.
    resolver.set(&first);
    let ended = place.probe_by(resolver.program(), "rebind");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("a redirect leads on: `rebind.test` resolves only to addresses that are not public"), "{ended:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 2, "the redirect was not followed");
}

#[test]
fn the_line_that_a_denial_names_makes_the_check_pass() {
    let nginx = pages();
    let port = nginx.ports[0];
    let place = Place::new(&["http"]);
    let checks = [
        Check::http("nothing", &nginx.url("/ok")).without_grants(),
        Check::http("method", &nginx.url("/ok")).without_grants().grant(&format!("POST {}", nginx.url("/ok"))),
        Check::http("path", &nginx.url("/ok")).without_grants().grant(&format!("GET {}", nginx.url("/other"))),
        Check::http("query", &nginx.url("/ok?token=hunter2")).without_grants(),
        Check::http("redirect", &nginx.url("/elsewhere")),
        Check::http("name", &format!("http://localhost:{port}/ok")).without_grants().grant(&format!("GET {}", nginx.url("/ok"))),
        Check::http("spelling", &format!("http://0x7f.1:{port}/ok")).without_grants(),
    ];
    for check in checks {
        place.configure("", slice::from_ref(&check));
        let ended = place.probe(&check.name);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let line = hint(&ended.stdout);
        assert!(!ended.stdout.contains("hunter2"), "a query can hold a credential: {ended:?}");
        let grant = line.strip_prefix("http = [\"").and_then(|rest| rest.strip_suffix("\"]")).unwrap_or_else(|| panic!("{line}"));
        place.configure("", &[check.clone().grant(grant)]);
        let ended = place.probe(&check.name);
        assert_eq!(ended.code, Some(0), "{line} must let it pass: {ended:?}");
    }
}

#[test]
fn the_line_about_addresses_makes_the_check_pass() {
    let nginx = pages();
    let resolver = Resolver::new(&[("127.0.0.1", "inside.test")]);
    let place = Place::new(&["http"]);
    let check = Check::http("inside", &format!("http://inside.test:{}/ok", nginx.ports[0]));
    place.configure("", slice::from_ref(&check));
    let ended = place.probe_by(resolver.program(), "inside");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let line = hint(&ended.stdout);
    let key = line.strip_prefix("[egress] ").unwrap_or_else(|| panic!("{line}"));
    place.configure(&format!("[egress]\n{key}\n"), slice::from_ref(&check));
    let ended = place.probe_by(resolver.program(), "inside");
    assert_eq!(ended.code, Some(0), "{line} must let it pass: {ended:?}");
}

/// The fix that a message names.
fn hint(message: &str) -> &str {
    let Some((_, hint)) = message.rsplit_once("hint: ") else { panic!("no hint in {message}") };
    hint.trim()
}
