//! A secret that every server gives back, in every way that it has: the guest is given a placeholder, and report, log, API and what `probe`
//! shows have its name in its place. And no credential of a source is told by anybody.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, assert_begins, everything_told, outcomes};
use sickbay_tests::postgres::{PASSWORD, Postgres};
use sickbay_tests::redis::RedisServer;
use sickbay_tests::{Sickbay, program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "s3cr3t-of-every-server-0123456789";
/// As JSON and base64 have it too.
const IN_BASE64: &str = "czNjcjN0LW9mLWV2ZXJ5LXNlcnZlci0wMTIzNDU2Nzg5";
const REDIS_PASSWORD: &str = "cache-word-0123456789";
const NAME: &str = "{{secret:api}}";

/// What was heard is said again: by HTTP in a header and in the body, else as it is.
async fn echo(mut stream: TcpStream, heard: Arc<Mutex<String>>) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        let end: &[u8] = if request.starts_with(b"GET ") { b"\r\n\r\n" } else { b"\n" };
        if request.ends_with(end) {
            break;
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    heard.lock().expect("no panic").push_str(&text);
    if !text.starts_with("GET ") {
        stream.write_all(text.as_bytes()).await?;
        return stream.shutdown().await;
    }
    let headers = text.lines().filter_map(|line| line.split_once(": "));
    let authorization = headers.filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value).collect::<String>();
    let body = format!("{authorization} {IN_BASE64}");
    let head = format!("HTTP/1.1 200 OK\r\nx-echo: {authorization}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

/// Gives host and port.
async fn echoing(heard: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that has gone is not this server's matter.
            let _ = echo(stream, Arc::clone(&heard)).await;
        }
    });
    address
}

fn postgres(sql: &str, params: Value) -> Value {
    json!({ "postgres": { "source": "main", "sql": sql, "params": params } })
}

/// With a blank behind each letter.
fn apart(text: &str) -> String {
    text.chars().flat_map(|letter| [letter, ' ']).collect()
}

fn redis(command: Value) -> Value {
    json!({ "redis": { "source": "cache", "command": command } })
}

#[tokio::test]
async fn a_secret_that_servers_give_back_is_told_by_its_name_and_a_credential_not_at_all() {
    let heard = Arc::<Mutex<String>>::default();
    let (address, elsewhere) = (echoing(Arc::clone(&heard)).await, echoing(Arc::default()).await);
    let server = Postgres::start();
    server.sql(&format!(
        "create table kept as select '{SECRET}'::text as token, '{IN_BASE64}'::text as encoded; grant select on kept to monitor; \
         create function shout() returns int language plpgsql as \
         $$ begin raise exception using message = 'no {SECRET}', detail = 'because of {SECRET}', errcode = 'P0042'; end $$"
    ));
    let cache = RedisServer::start(&format!("requirepass {REDIS_PASSWORD}"));
    cache.ask(&["--pass", REDIS_PASSWORD, "MSET", "token", SECRET, "encoded", IN_BASE64]);
    cache.ask(&["--pass", REDIS_PASSWORD, "HSET", "map", SECRET, SECRET]);
    let (start, rest) = IN_BASE64.split_at(20);
    let html: String = SECRET.bytes().map(|byte| format!("&#x{byte:02x};")).collect();
    let json: String = SECRET.bytes().map(|byte| format!("\\\\u{byte:04x}")).collect();
    cache.ask(&["--pass", REDIS_PASSWORD, "MSET", "lines", &format!("{start}\r\n{rest}"), "html", &html, "json", &json]);
    // Longer than what is masked at once.
    let fill = "return redis.call('SET', 'long', ARGV[1] .. string.rep('x\\\\u0061', 30000))";
    cache.ask(&["--pass", REDIS_PASSWORD, "EVAL", fill, "0", SECRET]);

    let url = format!("http://{address}/");
    let rows = [
        (json!({ "http": { "url": url, "header": format!("Bearer {NAME}") } }), format!("ok 200: Bearer {NAME} | Bearer {NAME} ")),
        (json!({ "net": { "address": address, "send": format!("AUTH {NAME}\n") } }), format!("ok: AUTH {NAME}")),
        (json!({ "net": { "address": elsewhere, "send": format!("AUTH {NAME}\n") } }), "denied: ".to_owned()),
        // Neither a database nor a key is where a secret is filled in: they get a text that means nothing.
        (postgres(&format!("select $1::text = '{NAME}'"), json!([NAME])), "ok 1: true".to_owned()),
        (postgres("select $1::text = (select token from kept)", json!([NAME])), "ok 1: false".to_owned()),
        (postgres("select token from kept", json!([])), format!("ok 1: {NAME}")),
        (postgres("select encoded from kept", json!([])), "ok 1: {{".to_owned()),
        (postgres("select token || repeat('x', 200000) || token from kept", json!([])), format!("ok 1: {NAME}x")),
        (postgres("select shout()", json!([])), format!("server P0042: no {NAME} because of {NAME}")),
        (postgres("select token::int from kept", json!([])), "server 22P02".to_owned()),
        (redis(json!(["GET", "token"])), format!("ok: ${NAME}")),
        (redis(json!(["GET", "encoded"])), "ok: ${{".to_owned()),
        (redis(json!(["GET", "lines"])), "ok: ${{".to_owned()),
        (redis(json!(["GET", "html"])), format!("ok: ${NAME}")),
        (redis(json!(["GET", "json"])), format!("ok: ${NAME}")),
        (redis(json!(["GET", "long"])), format!("ok: ${NAME}x")),
        (redis(json!(["HGETALL", "map"])), format!("ok: *2 ${NAME} ${NAME}")),
        (redis(json!(["EVAL", "return redis.error_reply('ERR ' .. redis.call('GET', 'token'))", "0"])), format!("ok: -ERR {NAME}")),
        (json!({ "read": { "path": "/kept/api.token" } }), format!("ok: {}", "*".repeat(SECRET.len()))),
        (json!({ "read": { "path": "/kept/api.token", "offset": 3, "bytes_max": 2 } }), "ok: **".to_owned()),
        // Not by what the host makes of the report: the guest itself has a placeholder.
        (json!({ "apart": postgres("select token from kept", json!([])) }), apart("ok 1: sbsecret-")),
        (json!({ "apart": postgres("select shout()", json!([])) }), apart("server P0042: no sbsecret-")),
        (json!({ "apart": redis(json!(["GET", "token"])) }), apart("ok: $sbsecret-")),
        (json!({ "apart": redis(json!(["HGETALL", "map"])) }), apart("ok: *2 $sbsecret-")),
        (json!({ "inspect": { "name": "api" } }), "ok: 1 versions".to_owned()),
        (json!({ "inspect": { "name": "other" } }), "denied: ".to_owned()),
    ];
    let mut sickbay = Sickbay::prepared("", &["ask"]);
    let calls: Vec<Value> = rows.iter().map(|(call, _)| call.clone()).collect();
    let grants = format!(
        "http = [\"GET {url}\"], net = [\"tcp://{address}\", \"tcp://{elsewhere}\"], postgres = [{{ source = \"main\" }}], \
         redis = [{{ source = \"cache\", commands = [\"*\"], keys = [\"*\"] }}], files = [{{ host = \"kept\", guest = \"/kept\" }}], \
         secrets = [{{ name = \"api\", to = [\"{url}*\", \"tcp://{address}\"] }}]"
    );
    let sources = format!(
        "[sources.postgres.main]\nurl = \"{}\"\n\n[sources.redis.cache]\nurl = \"redis://:{REDIS_PASSWORD}@127.0.0.1:{}\"\n\n\
         [secrets.api]\nfile = \"kept/api.token\"\n\n[secrets.other]\nfile = \"kept/api.token\"\n\n",
        server.url(),
        cache.port()
    );
    std::fs::create_dir(sickbay.path("kept")).expect("a folder");
    sickbay.write("kept/api.token", SECRET);
    sickbay.configure(&(sources + &asking("echo", &grants, &calls)));
    sickbay.log_by("debug");
    sickbay.start().await;
    let found = outcomes(&sickbay, "echo").await;
    assert_eq!(found.len(), rows.len(), "{found:?}");
    for ((call, begins), outcome) in rows.iter().zip(&found) {
        assert_begins(&call.to_string(), outcome, begins);
    }
    let said = heard.lock().expect("no panic").clone();
    assert!(said.contains(&format!("Bearer {SECRET}")) && said.contains(&format!("AUTH {SECRET}")), "the servers got it: {said}");

    let probed = program::run(sickbay.folder(), &["probe", "echo", "--debug"]).await;
    assert!(probed.code == 0 && probed.err.contains(NAME), "{probed:?}");
    let told = everything_told(&sickbay).await + &probed.out + &probed.err;
    assert!(told.contains(NAME));
    for credential in [SECRET, IN_BASE64, REDIS_PASSWORD, PASSWORD] {
        assert!(!told.contains(credential) && !told.contains(&apart(credential)), "{credential} is told");
    }
}
