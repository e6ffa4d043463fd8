//! What authors and their libraries ask with: `fetch` in JavaScript and `net/http` in Go, as components on a real server. Both go the way of
//! `http`: the same grants, the same words for what went wrong, a denial with the line to add.

use crate::support_http::nginx::Nginx;
use crate::support_http::rows::{Row, critical, denied, judge, row};
use crate::support_http::{Check, Ended, Place, Served, guest, program, raw};

/// The languages, as `SICKBAY_TEST_WITHOUT` names them, and the plugins.
const CLIENTS: [(&str, &str); 2] = [("js", "client-js"), ("go", "client-go")];
const PAGES: &str = r#"
    location = /ok { return 200 "all is well\n"; }
    location = /missing { return 404 "nothing here\n"; }
    location = /see { return 302 /ok; }
    location = /metadata { return 302 http://169.254.169.254/latest/meta-data/; }
"#;

/// Those that can be built here.
fn clients() -> Vec<&'static str> {
    let left_out = std::env::var("SICKBAY_TEST_WITHOUT").unwrap_or_default();
    let is_built = |language: &str| !left_out.split_whitespace().any(|name| name == language);
    CLIENTS.into_iter().filter(|(language, _)| is_built(language)).map(|(_, plugin)| plugin).collect()
}

fn rows_of(plugin: &'static str, nginx: &Nginx) -> Vec<Row> {
    let ungranted = |what: &str, url: &str| Check::new(&format!("{plugin}-{what}"), plugin, "page", &format!("url = \"{url}\""));
    let check = |what: &str, url: &str| ungranted(what, url).grant(&format!("GET {url}"));
    let (ok, all) = (nginx.url("/ok"), format!("GET {}", nginx.url("/*")));
    let (told, line) = (format!("HTTP 200, 12 bytes of {ok}"), format!("http = [\"GET {ok}\"]"));
    vec![
        row(check("granted", &ok), "ok", None, "Passed", &[&told]),
        row(ungranted("redirected", &nginx.url("/see")).grant(&all), "ok", None, "Passed", &[&told]),
        critical(check("missing", &nginx.url("/missing")), "content", &["HTTP 404"]),
        critical(check("refused", &format!("http://{}/", raw::closed())), "refused", &[]),
        critical(check("hanging", &format!("http://{}/", raw::hanging())), "timeout", &[]),
        denied(ungranted("denied", &ok), "not_granted", &["is not granted", &line]),
        // Wherever it is led: net/http follows by itself, `fetch` has the host follow.
        row(ungranted("led-away", &nginx.url("/metadata")).grant(&all), "unknown", None, "PluginFailure", &["169.254.169.254"]),
    ]
}

#[test]
fn fetch_and_net_http_go_the_way_of_http() {
    let plugins = clients();
    // Compiled one by one before the daemon waits for all of them.
    for plugin in &plugins {
        let mut command = program();
        command.args(["probe", "--plugin"]).arg(guest(plugin));
        Ended::of(command);
    }
    let nginx = Nginx::start(&[], 1, |ports| format!("server {{ listen 127.0.0.1:{}; {PAGES} }}\n", ports[0]));
    let rows: Vec<Row> = plugins.iter().copied().flat_map(|plugin| rows_of(plugin, &nginx)).collect();
    let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    let place = Place::new(&plugins);
    place.configure("", &checks);
    let served = Served::start(&place);
    judge(&served, &rows);
    for plugin in plugins {
        let denials = [("plugin", plugin), ("capability", "http"), ("reason", "not_granted")];
        assert!(served.series("sickbay_egress_denied_total", &denials) >= 1.0, "the denial of {plugin} is not counted");
    }
}
