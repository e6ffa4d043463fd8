//! A guest that knows only `wasi:http`: what holds for the checks of `http` holds for its requests too, as far as that interface can tell.
//! A denial has no words there, so the line to add is told by the host.

use std::net::SocketAddr;
use std::slice;

use crate::support_http::nginx::Nginx;
use crate::support_http::resolver::Resolver;
use crate::support_http::rows::{Row, assert_counted_of, critical, denied, judge, ok, row};
use crate::support_http::{Check, Place, Served, raw};

const PLUGIN: &str = "wasi-http";

const PAGES: &str = r#"
    location = /ok { return 200 "all is well\n"; }
    location = /missing { return 404 "nothing here\n"; }
    location = /see { return 302 /ok; }
    location = /metadata { return 302 http://169.254.169.254/latest/meta-data/; }
    location = /large { root .; }
"#;

/// `large` is one byte longer than what may come over `wasi:http`, and less than a run may receive.
fn pages() -> Nginx {
    let large = vec![b'x'; (1 << 20) + 1];
    Nginx::start(&[("large", large.as_slice())], 1, |ports| format!("server {{ listen 127.0.0.1:{}; {PAGES} }}\n", ports[0]))
}

/// A check of `url` with nothing granted.
fn ungranted(name: &str, url: &str) -> Check {
    Check::new(name, PLUGIN, "fetch", &format!("url = \"{url}\""))
}

/// With a grant of exactly that.
fn check(name: &str, url: &str) -> Check {
    ungranted(name, url).grant(&format!("GET {url}"))
}

fn serve(tables: &str, rows: &[Row]) -> (Place, Served) {
    let place = Place::new(&[PLUGIN]);
    let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    place.configure(tables, &checks);
    let served = Served::start(&place);
    (place, served)
}

#[test]
fn what_was_granted_is_sent_and_nothing_else() {
    let nginx = pages();
    let (url, port) = (nginx.url("/ok"), nginx.ports[0]);
    let line = |method: &str, url: &str| format!("http = [\"{method} {url}\"]");
    let other_spelling = format!("http://0x7f.1:{port}/ok");
    let disguise = format!("http://[::ffff:127.0.0.1]:{port}/ok");
    let rows = [
        row(check("granted", &url), "ok", None, "Passed", &["HTTP 200, 12 bytes"]),
        ok(check("every-method", &url).config("method = \"POST\", body_bytes = 1000").grant(&format!("* {url}"))),
        ok(ungranted("another-spelling", &other_spelling).grant(&format!("GET {url}"))),
        critical(check("missing", &nginx.url("/missing")), "content", &["HTTP 404"]),
        denied(ungranted("nothing", &url), "not_granted", &["HttpRequestDenied", "is not granted", &line("GET", &url)]),
        denied(
            ungranted("naive", &url).config("naive = true"),
            "not_granted",
            &["reported as critical: ErrorCode::HttpRequestDenied", &line("GET", &url)],
        ),
        denied(check("method", &url).config("method = \"POST\""), "not_granted", &[&line("POST", &url)]),
        denied(ungranted("path", &url).grant(&format!("GET {}", nginx.url("/other"))), "not_granted", &[&line("GET", &url)]),
        denied(ungranted("query", &format!("{url}?a=1")).grant(&format!("GET {url}")), "not_granted", &["is not granted"]),
        denied(ungranted("private", "http://10.0.0.1/"), "not_granted", &[&line("GET", "http://10.0.0.1/")]),
        denied(
            check("metadata", "http://169.254.169.254/latest"),
            "forbidden_address",
            &["DestinationIpProhibited", "never lent", "hint: "],
        ),
        denied(check("disguise", &disguise), "forbidden_address", &["never lent"]),
    ];
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
    assert_counted_of(PLUGIN, &served, &rows);
    assert!(served.log().contains("denied over wasi:http: "), "{}", served.log());
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let nginx = pages();
    let rows = ["/see", "/metadata"].map(|path| {
        let check = check(&path[1..], &nginx.url(path)).grant(&format!("GET {}", nginx.url("/*"))).grant("GET http://169.254.169.254/*");
        row(check, "ok", None, "Passed", &["HTTP 302"])
    });
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
    assert_counted_of(PLUGIN, &served, &rows);
}

#[test]
fn what_a_server_does_is_critical_and_ends_in_time() {
    let nginx = pages();
    let at = |name: &str, address: SocketAddr| check(name, &format!("http://{address}/"));
    let rows = [
        critical(at("refuses", raw::closed()), "refused", &["ConnectionRefused"]),
        critical(at("refuses-naive", raw::closed()).config("naive = true"), "connection", &["ConnectionRefused"]),
        critical(at("hangs", raw::hanging()), "timeout", &["HttpResponseTimeout"]),
        critical(at("hangs-own", raw::hanging()).config("timeout_ms = 200"), "timeout", &["HttpResponseTimeout"]),
        critical(at("drips", raw::dripping("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")), "timeout", &["HttpResponseTimeout"]),
        critical(at("closes", raw::answering("")), "protocol", &["HttpProtocolError"]),
        critical(at("ssh", raw::answering("SSH-2.0-OpenSSH_9.6\r\n")), "protocol", &["HttpProtocolError"]),
        critical(check("no-tls", &nginx.url("/ok").replace("http:", "https:")), "tls", &["TlsProtocolError"]),
    ];
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
}

#[test]
fn bodies_and_the_limits_of_the_run_are_bounds() {
    let nginx = pages();
    let posts = |name: &str, bytes: u32| {
        let url = nginx.url("/ok");
        ungranted(name, &url).config(&format!("method = \"POST\", body_bytes = {bytes}")).grant(&format!("POST {url}"))
    };
    let endless = raw::answering_endlessly("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1 << 16));
    let limited = |name: &str, url: &str, limit: &str| check(name, url).line(&format!("limits = {{ {limit} }}"));
    let exceeded = |check: Check, told: &str| row(check, "unknown", None, "QuotaExceeded", &[told, "hint: raise `limits"]);
    let rows = [
        critical(check("large", &nginx.url("/large")), "protocol", &["HttpResponseBodySize(Some(1048576))"]),
        critical(check("endless", &format!("http://{endless}/")), "protocol", &["HttpResponseBodySize(Some(1048576))"]),
        row(posts("posts-too-much", 2_000_000), "unknown", None, "PluginFailure", &["larger than 1 MiB"]),
        exceeded(limited("receives", &nginx.url("/large"), "bytes_in = \"100KiB\""), "`bytes_in` = 102400"),
        exceeded(limited("sends", &nginx.url("/ok"), "bytes_out = 10"), "`bytes_out` = 10"),
        exceeded(posts("sends-a-body", 100_000).line("limits = { bytes_out = \"64KiB\" }"), "`bytes_out` = 65536"),
    ];
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
    assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", PLUGIN), ("quota", "bytes_in")]) >= 1.0);
    assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", PLUGIN), ("quota", "bytes_out")]) >= 2.0);
}

#[test]
fn a_name_leads_to_a_private_address_only_where_that_is_listed() {
    let nginx = pages();
    let resolver = Resolver::new(&[("127.0.0.1", "inside.test"), ("169.254.169.254", "metadata.test")]);
    let check = |host: &str| check(host, &format!("http://{host}:{}/ok", nginx.ports[0]));
    let prohibited = "DestinationIpProhibited";
    let closed = [
        ok(check("localhost")),
        denied(check("inside.test"), "private_address", &[prohibited, "hint: [egress] private = [\"127.0.0.0/8\"]"]),
        denied(check("metadata.test"), "forbidden_address", &[prohibited, "never lent"]),
        critical(check("nowhere.test"), "dns", &["DnsError"]),
    ];
    let open = [ok(check("inside.test")), denied(check("metadata.test"), "forbidden_address", &[prohibited, "never lent"])];
    for (tables, rows) in [("", &closed[..]), ("[egress]\nprivate = [\"127.0.0.0/8\"]\n", &open[..])] {
        let place = Place::new(&[PLUGIN]);
        let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
        place.configure(tables, &checks);
        let served = Served::start_by(resolver.program(), &place);
        judge(&served, rows);
        assert_counted_of(PLUGIN, &served, rows);
    }
}

#[test]
fn the_line_that_is_told_makes_the_check_pass() {
    let nginx = pages();
    let url = nginx.url("/ok");
    let place = Place::new(&[PLUGIN]);
    let naive = ungranted("naive", &url).config("naive = true");
    for check in [ungranted("nothing", &url), naive, ungranted("method", &url).grant(&format!("POST {url}"))] {
        place.configure("", slice::from_ref(&check));
        let ended = place.probe(&check.name);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let (_, line) = ended.stdout.rsplit_once("hint: ").unwrap_or_else(|| panic!("no hint in {ended:?}"));
        let grant = line.trim().strip_prefix("http = [\"").and_then(|rest| rest.strip_suffix("\"]")).unwrap_or_else(|| panic!("{line}"));
        place.configure("", &[check.clone().grant(grant)]);
        let ended = place.probe(&check.name);
        assert_eq!(ended.code, Some(0), "{line} must let it pass: {ended:?}");
    }
}
