//! Sinks on the host: plugins that tell and do not check in the plugin folder, and a notification to one, under its grants and limits.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sickbay_tests::program::Ran;
use sickbay_tests::{Sickbay, found, program, until};

use crate::support_http::raw;

const TOKEN: &str = "t0ken-of-the-tracker-0123456789";

/// Where tickets are made: what it was sent, and what it answers, in order; the last answer again and again.
struct Tracker {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    fn answering(answers: &'static [(u16, &'static str)]) -> Tracker {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let talk = {
            let heard = Arc::clone(&heard);
            move |stream: &mut TcpStream| {
                let request = read_whole(stream)?;
                let number = {
                    let mut heard = heard.lock().expect("no panic");
                    heard.push(request);
                    heard.len()
                };
                let (status, body) = answers[number.min(answers.len()) - 1];
                let head = format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all((head + body).as_bytes())
            }
        };
        Tracker { address: raw::listen(talk), heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no panic").clone()
    }

    fn url(&self) -> String {
        format!("http://{}/tickets", self.address)
    }
}

/// Head and body.
fn read_whole(stream: &mut TcpStream) -> io::Result<String> {
    let mut request = raw::read_head(stream)?;
    let (head, begun) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    let mut rest = vec![0; length.unwrap_or(0).saturating_sub(begun.len())];
    stream.read_exact(&mut rest)?;
    request.push_str(&String::from_utf8_lossy(&rest));
    Ok(request)
}

fn body_of(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a request has a body");
    serde_json::from_str(body).expect("JSON")
}

/// The sink `tickets` of the plugin `ticket`, granted what it needs; `more` are further lines of its table.
fn tickets(url: &str, more: &str) -> String {
    let grants =
        format!("http = [\"POST {url}\", \"PUT {url}/*\"], secrets = [{{ name = \"tracker-token\", to = [\"{url}\", \"{url}/*\"] }}]");
    ungranted(url, &format!("grants = {{ {grants} }}\n{more}"))
}

fn ungranted(url: &str, more: &str) -> String {
    format!(
        "[secrets.tracker-token]\nfile = \"tracker.token\"\n\n[[sink]]\nname = \"tickets\"\nplugin = \"ticket\"\n\
         config = {{ url = \"{url}\", token = \"{{{{secret:tracker-token}}}}\" }}\n{more}\n"
    )
}

fn prepared(config: &str) -> Sickbay {
    let sickbay = Sickbay::prepared(config, &["ticket"]);
    sickbay.write("tracker.token", TOKEN);
    sickbay
}

async fn probed(sickbay: &Sickbay, more: &[&str]) -> Ran {
    program::run(sickbay.folder(), &[&["probe", "--sink", "tickets"][..], more].concat()).await
}

#[tokio::test]
async fn a_sink_is_told_of_a_test_and_that_it_is_over() {
    let tracker = Tracker::answering(&[(201, r#"{"number": "OPS-7"}"#), (200, "")]);
    let sickbay = prepared(&tickets(&tracker.url(), ""));
    let ran = probed(&sickbay, &["--resolve", "--debug"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "DELIVERED - tickets took it: firing, as OPS-7\nDELIVERED - tickets took it: resolved, as OPS-7\n");
    let heard = tracker.heard();
    let first_lines: Vec<&str> = heard.iter().filter_map(|request| request.lines().next()).collect();
    assert_eq!(first_lines, ["POST /tickets HTTP/1.1", "PUT /tickets/OPS-7 HTTP/1.1"]);
    assert!(heard.iter().all(|request| request.contains(&format!("Bearer {TOKEN}"))), "{heard:?}");
    let (opened, closed) = (body_of(&heard[0]), body_of(&heard[1]));
    assert_eq!((&opened["state"], &opened["severity"], &closed["state"]), (&json!("open"), &json!("P3"), &json!("closed")));
    assert!(opened["title"].as_str().is_some_and(|title| title.contains("a test of the sink tickets")), "{opened}");
    let key = |request: &str| request.lines().find(|line| line.to_ascii_lowercase().starts_with("idempotency-key: ")).map(str::to_owned);
    assert!(key(&heard[0]).is_some() && key(&heard[0]) != key(&heard[1]), "{heard:?}");
    assert!(ran.err.contains("host calls   1 (") && !ran.err.contains(TOKEN), "{ran:?}");
}

#[tokio::test]
async fn what_a_delivery_came_to_is_told_with_what_to_do() {
    let refusing = Tracker::answering(&[(422, "")]);
    let busy = Tracker::answering(&[(503, "")]);
    let good = Tracker::answering(&[(201, r#"{"number": "OPS-7"}"#)]);
    let (hangs, closed) = (format!("http://{}/tickets", raw::hanging()), format!("http://{}/tickets", raw::closed()));
    let rows = [
        (tickets(&refusing.url(), ""), vec!["REFUSED - tickets refused it: firing", "HTTP 422"]),
        (tickets(&busy.url(), ""), vec!["RETRYABLE - ", "HTTP 503"]),
        (tickets(&hangs, "timeout = \"1s\""), vec!["RETRYABLE - "]),
        (tickets(&closed, ""), vec!["RETRYABLE - "]),
        (ungranted(&good.url(), ""), vec!["RETRYABLE - ", "POST ", &good.url()]),
        (tickets(&good.url(), "limits = { host_calls = 0 }"), vec!["NOT ATTEMPTED - nothing was sent to tickets", "`host_calls` = 0"]),
        (tickets(&good.url(), "").replace("tracker.token", "absent"), vec!["NOT ATTEMPTED - ", "tracker-token"]),
    ]
    .map(|(config, told): (String, Vec<&str>)| (config, told.into_iter().map(str::to_owned).collect::<Vec<_>>()));
    for (config, told) in rows {
        let sickbay = prepared(&config);
        let ran = probed(&sickbay, &[]).await;
        assert_eq!(ran.code, 2, "{told:?}: {ran:?}");
        assert!(ran.out.starts_with(&told[0]) && told.iter().all(|part| ran.out.contains(part)), "{told:?} is not in {ran:?}");
        assert!(!format!("{ran:?}").contains(TOKEN), "{ran:?}");
    }
    assert!(good.heard().is_empty(), "{:?}", good.heard());
}

#[tokio::test]
async fn nobody_knows_whether_a_receiver_has_what_a_run_sent_that_was_ended() {
    let tracker = Tracker::answering(&[(201, r#"{"number": "OPS-7"}"#)]);
    let sickbay = prepared(&tickets(&tracker.url(), "limits = { bytes_in = 10 }"));
    let ran = probed(&sickbay, &["--resolve"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.out.starts_with("LOST - nobody knows") && ran.out.contains("`bytes_in` = 10"), "{ran:?}");
    assert_eq!((tracker.heard().len(), ran.out.lines().count()), (1, 1), "what was not taken is not resolved: {ran:?}");
}

#[tokio::test]
async fn a_sink_that_is_not_there_and_a_plugin_that_does_not_check_are_told_as_such() {
    let sickbay = prepared(&tickets("http://127.0.0.1:1/tickets", ""));
    let slip = program::run(sickbay.folder(), &["probe", "--sink", "ticket"]).await;
    assert!(slip.code == 3 && slip.err.contains("there is no sink `ticket`") && slip.err.contains("did you mean `tickets`?"), "{slip:?}");
    let alone = program::run(sickbay.folder(), &["probe", "--plugin", "plugins/ticket.wasm"]).await;
    assert!(alone.code == 3 && alone.err.contains("no kind of check") && alone.err.contains("probe --sink NAME"), "{alone:?}");
    let both = program::run(sickbay.folder(), &["probe", "api", "--sink", "tickets"]).await;
    assert_eq!(both.code, 3, "{both:?}");
    std::fs::remove_file(sickbay.path("plugins/ticket.wasm")).expect("it is there");
    let absent = probed(&sickbay, &[]).await;
    assert!(absent.code == 3 && absent.err.contains("no plugin `ticket` in `plugins/`: the sink `tickets` at "), "{absent:?}");
}

#[tokio::test]
async fn a_sink_is_validated_against_its_plugin() {
    let sickbay = prepared(&tickets("http://127.0.0.1:1/tickets", ""));
    let validated = async || program::run(sickbay.folder(), &["validate"]).await;
    let good = validated().await;
    assert_eq!((good.code, good.out.as_str()), (0, "sickbay.toml: ok (0 checks, 1 sink, 1 plugin, 1 warning)\n"), "{good:?}");
    for (from, to, told) in [
        ("token = ", "tokn = ", "unknown key `tokn` in `config`"),
        ("config = { url = ", "config = { url = 7, was = ", "`config.url` must be a text, not a whole number"),
        ("plugin = \"ticket\"", "plugin = \"ticket\"\nkind = \"tickt\"", "plugin `ticket` has no kind `tickt`"),
        ("[[sink]]\n", "[[check]]\nevery = \"1m\"\n", "plugin `ticket` has no kinds of check"),
    ] {
        sickbay.configure(&tickets("http://127.0.0.1:1/tickets", "").replace(from, to));
        let wrong = validated().await;
        assert!(wrong.code == 2 && wrong.err.contains(told) && wrong.err.contains("--> sickbay.toml:"), "{told}: {wrong:?}");
    }
    sickbay.configure(&ungranted("http://127.0.0.1:1/tickets", ""));
    let odd = validated().await;
    let line = "add `grants = { http = [\"POST http://127.0.0.1:1/tickets\", \"PUT http://127.0.0.1:1/tickets/*\"] }`";
    assert!(odd.code == 0 && odd.err.contains("sink `tickets`: the kind `ticket`") && odd.err.contains(line), "{odd:?}");
}

/// The sink `oncall` of the plugin `tell`.
fn oncall(more: &str) -> String {
    format!("[[sink]]\nname = \"oncall\"\nplugin = \"tell\"\nconfig = {{ url = \"http://127.0.0.1:1/x\" }}\n{more}\n")
}

#[tokio::test]
async fn plugins_that_do_not_check_are_loaded_and_told_with_what_they_do() {
    let sickbay = Sickbay::started(&oncall(""), &["tell", "treat"]).await;
    let (tell, treat) = (sickbay.plugin("tell").await, sickbay.plugin("treat").await);
    assert_eq!((&tell["state"], &tell["kinds"], &tell["sinks_configured"]), (&json!("loaded"), &json!(["post"]), &json!(1)));
    assert_eq!((&tell["sinks"][0]["name"], &tell["checks"], &tell["recoveries"]), (&json!("post"), &json!([]), &json!([])));
    assert_eq!((&treat["state"], &treat["recoveries"][0]["name"]), (&json!("loaded"), &json!("kill-clients")));
    let url = sickbay.url();
    let told = program::run(sickbay.folder(), &["inspect", "tell", "--url", &url]).await;
    for part in
        ["used by   1 sink\n", "\nKind of sink post: ", "\n[[sink]]\nname = \"tell-post\"\nplugin = \"tell\"\nkind = \"post\"\nconfig = "]
    {
        assert!(told.code == 0 && told.out.contains(part), "{part} is not in {told:?}");
    }
    let told = program::run(sickbay.folder(), &["inspect", "plugins/treat.wasm"]).await;
    assert!(told.out.contains("\nKind of recovery kill-clients: ") && !told.out.contains("To paste"), "{told:?}");
}

#[tokio::test]
async fn a_sinks_plugin_is_swapped_only_for_what_its_sink_grants() {
    let sickbay = Sickbay::started(&oncall(""), &["tell"]).await;
    assert_eq!(sickbay.plugin("tell").await["version"], "1.0.0");
    sickbay.install("tell", "ticket");
    let plugin = found("the other version waits", async || {
        let plugin = sickbay.plugin("tell").await;
        (plugin["state"] == "quarantined").then_some(plugin)
    })
    .await;
    let waits = &plugin["quarantine"];
    assert!(waits["hint"].as_str().is_some_and(|hint| hint.contains("in sink `oncall` add `grants = { http = [")), "{waits}");
    sickbay.write("tracker.token", TOKEN);
    let grants = "grants = { http = [\"POST,PUT http://127.0.0.1:1/*\"], secrets = [{ name = \"tracker-token\" }] }";
    sickbay.configure(&format!("[secrets.tracker-token]\nfile = \"tracker.token\"\n\n{}", oncall(grants)));
    until("it serves", async || sickbay.plugin("tell").await["kinds"] == json!(["ticket"])).await;
    sickbay.configure("# nothing\n");
    until("the sink is gone", async || sickbay.log().contains("1 sink is in the configuration no more: oncall")).await;
    assert_eq!(sickbay.plugin("tell").await["sinks_configured"], 0);
}

#[tokio::test]
async fn a_version_that_its_sink_does_not_fit_is_refused() {
    let sickbay = Sickbay::started(&oncall("").replace("url = ", "adress = "), &["tell"]).await;
    sickbay.install("tell", "ticket");
    let plugin = found("it is refused", async || {
        let plugin = sickbay.plugin("tell").await;
        (plugin["state"] == "stale").then_some(plugin)
    })
    .await;
    let message = plugin["last_error"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the sink `oncall` does not fit this version: "), "{plugin}");
    assert_eq!(plugin["kinds"], json!(["post"]));
}
