//! What a guest may try on a Redis source, in the whole program against a real server: what it is told, that no key and no database beyond
//! the grant is touched, and that whoever has the connection next finds it as it was. And a server that stands still, ends, or will not.

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, assert_begins, everything_told, outcomes};
use sickbay_tests::redis::RedisServer;
use sickbay_tests::{Sickbay, until};

const PASSWORD: &str = "cache-word-0123456789";
const NARROW_PASSWORD: &str = "narrow-word-0123456789";
const WRONG_PASSWORD: &str = "wrong-word-0123456789";
/// Between two calls, so that each row has the connection of the one before.
const PROOF: [&str; 2] = ["GET", "a1"];
const ROWS_OF_A_RUN: usize = 45;

/// By every road to the key `b`, to keys that are not named, to other databases and to the server itself.
const BEYOND: &str = "\
    GET b; get b; MGET a1 b; SET b 1; DEL b; UNLINK a1 b; EXISTS a1 b; TOUCH b; TYPE b; DUMP b; TTL b; EXPIRE b 1; RENAME a1 b; \
    RENAME b a1; RENAMENX a1 b; COPY b a2; COPY a1 b; COPY a1 a2 DB 1; copy a1 a2 replace db 1; MOVE a1 1; SWAPDB 0 1; SORT b; \
    SORT a1 STORE b; SORT a1 STORE a2 STORE b; SORT a1 BY b*; SORT a1 BY nosort GET #; SORT_RO a1 get b*; EVAL return 0; \
    EVAL return 1 a1; EVAL_RO return 0; EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0; FCALL f 1 a1; SCRIPT LOAD return; \
    SCRIPT FLUSH; FUNCTION LIST; FUNCTION FLUSH; XREAD STREAMS b 0; XREAD COUNT 1 STREAMS a1 b 0 0; \
    XREADGROUP GROUP g c STREAMS b >; XADD b * x 1; XINFO STREAM b; XGROUP CREATE b g 0 MKSTREAM; OBJECT ENCODING b; \
    object freq b; MEMORY USAGE b; memory usage b SAMPLES 0; SCAN 0; SCAN 0 MATCH a*; KEYS a*; RANDOMKEY; BITOP NOT a1 b; \
    SINTERCARD 2 a1 b; SINTERSTORE b a1; LMPOP 2 a1 b LEFT; LMOVE a1 b LEFT LEFT; RPOPLPUSH a1 b; SMOVE a1 b x; LCS a1 b; \
    ZUNIONSTORE a1 1 b; ZRANGESTORE b a1 0 1; ZUNIONSTORE a1 9 a2; GEORADIUS a1 0 0 1 km STORE b; \
    GEOSEARCHSTORE b a1 FROMMEMBER x; PFMERGE a1 b; MIGRATE 127.0.0.1 1 b 0 10; MIGRATE 127.0.0.1 1  0 10 KEYS a1 b; \
    RESTORE a1 0 x; FLUSHALL; FLUSHDB ASYNC; INFO; CONFIG SET maxmemory 1; CONFIG GET requirepass; CONFIG REWRITE; \
    DEBUG SLEEP 0; DEBUG JMAP; SHUTDOWN NOSAVE; REPLICAOF NO ONE; SAVE; BGREWRITEAOF; CLIENT LIST; CLIENT KILL ID 1; \
    CLIENT PAUSE 1; SLOWLOG GET; LATENCY RESET; MODULE LIST; ACL SETUSER x";

/// Refused whatever is granted: what changes the connection, streams, waits, or tells hashes, and what is no command.
const NEVER: &str = "\
    SELECT 1; select 0; AUTH x; AUTH default x; HELLO; HELLO 3; RESET; QUIT; READONLY; READWRITE; ASKING; MULTI; Multi; EXEC; \
    DISCARD; WATCH a1; UNWATCH; SUBSCRIBE x; PSUBSCRIBE *; SSUBSCRIBE x; UNSUBSCRIBE; PUNSUBSCRIBE; MONITOR; SYNC; PSYNC ? -1; \
    REPLCONF ack 0; BLPOP a1 0; brpop a1 0; BRPOPLPUSH a1 a2 0; BLMOVE a1 a2 LEFT LEFT 0; BLMPOP 0 1 a1 LEFT; BZPOPMIN a1 0; \
    BZPOPMAX a1 0; BZMPOP 0 1 a1 MIN; WAIT 1 0; WAITAOF 0 1 0; XREAD BLOCK 0 STREAMS a1 $; XREAD COUNT 1 block 0 STREAMS a1 $; \
    XREADGROUP GROUP g c BLOCK 0 STREAMS a1 >; CLIENT; CLIENT REPLY OFF; client reply skip; CLIENT SETNAME x; \
    CLIENT TRACKING ON; CLIENT CACHING YES; CLIENT NO-EVICT ON; CLIENT NO-TOUCH ON; CLIENT SETINFO lib-name x; CLIENT NOSUCH; \
    ACL LIST; ACL GETUSER default; acl getuser default; SCRIPT DEBUG YES; script debug sync; CLIENT|LIST; CLIENT|REPLY OFF; \
    GET\0 a1; GET\r\nFLUSHALL; \"GET\" a1; 'GET' a1; GÉT a1; *1 a1; $3 a1";

/// What is run within the grant, as it was written.
const WITHIN: [(&str, &str); 18] = [
    ("GET a1", "ok: $one"),
    ("gEt a1", "ok: $one"),
    ("MGET a1 a2", "ok: *2 $one _"),
    ("GET a*", "ok: _"),
    ("GET a[1]", "ok: _"),
    ("GET a?\r\n", "ok: _"),
    ("STRLEN a1", "ok: :3"),
    ("COPY a1 a2", "ok: :1"),
    ("DEL a2", "ok: :1"),
    ("OBJECT ENCODING a1", "ok: $embstr"),
    ("LLEN a1", "ok: -WRONGTYPE"),
    ("GET", "ok: -ERR wrong number"),
    ("NOSUCH a1", "ok: -ERR unknown command"),
    ("OBJECT NOSUCH a1", "ok: -ERR unknown subcommand"),
    ("PING", "ok: +PONG"),
    ("DBSIZE", "ok: :2"),
    ("PUBLISH x y", "ok: :0"),
    ("CLIENT NOSUCH|LIST", "invalid: "),
];

/// Every command that is not dangerous, those that need every key, and some keys.
const NARROW: &str = "redis = [{ source = \"cache\", keys = [\"a*\"], commands = [\"*\", \"CLIENT\", \"SORT\", \"KEYS\", \"MIGRATE\", \
    \"FLUSHALL\", \"SWAPDB\", \"DEBUG SLEEP\"] }]";
const WIDE: &str = "redis = [{ source = \"cache\", commands = [\"*\", \"CLIENT\", \"SCRIPT\", \"ACL\"], keys = [\"*\"] }]";

fn run(source: &str, command: Value) -> Value {
    json!({ "redis": { "source": source, "command": command } })
}

/// Of commands that stand between semicolons.
fn rows(list: &'static str, begins: &'static str) -> Vec<(&'static str, &'static str)> {
    list.split("; ").map(|row| (row, begins)).collect()
}

/// Checks of as many rows as a run may have, each row followed by a call that must find the connection as it was.
fn checks(prefix: &str, grants: &str, rows: &[(&str, &str)]) -> String {
    // Blanks stand between the parts of a command; two of them have an empty part between them.
    let calls = |(row, _): &(&str, &str)| [run("cache", row.split(' ').collect()), run("cache", json!(PROOF))];
    let of_a_run = |rows: &[(&str, &str)]| rows.iter().flat_map(calls).collect::<Vec<_>>();
    let check = |(index, rows): (usize, &[(&str, &str)])| asking(&format!("{prefix}-{index}"), grants, &of_a_run(rows));
    rows.chunks(ROWS_OF_A_RUN).enumerate().map(check).collect()
}

/// What is kept, and in which databases.
fn kept(server: &RedisServer) -> String {
    let ask = |arguments: &[&str]| server.ask(&[&["--pass", PASSWORD][..], arguments].concat());
    format!("{} {} {}", ask(&["INFO", "keyspace"]), ask(&["MGET", "a1", "a2", "b"]), ask(&["CONFIG", "GET", "maxmemory"]))
}

async fn try_all(sickbay: &Sickbay, server: &RedisServer, prefix: &str, rows: &[(&str, &str)]) {
    for (index, rows) in rows.chunks(ROWS_OF_A_RUN).enumerate() {
        let before = kept(server);
        let found = outcomes(sickbay, &format!("{prefix}-{index}")).await;
        assert_eq!(found.len(), 2 * rows.len(), "{found:?}");
        for ((row, begins), told) in rows.iter().zip(found.chunks(2)) {
            assert_begins(row, &told[0], begins);
            assert_begins(&format!("what comes after {row}"), &told[1], "ok: $one");
        }
        // Another check has the connection next, and a script runs there as it should.
        let witness = outcomes(sickbay, "witness").await;
        for part in [" flags=N ", " db=0 ", " sub=0 ", " psub=0 ", " multi=-1 ", " resp=2"] {
            assert!(witness[0].contains(part), "{part} is not in {}", witness[0]);
        }
        assert_eq!(witness[1..], ["ok: :1", "ok: $one"]);
        assert_eq!(kept(server), before, "{prefix}-{index}");
    }
}

#[tokio::test]
async fn whatever_a_guest_says_it_reaches_what_was_granted_and_the_next_one_finds_the_connection_as_it_was() {
    let lines = format!("requirepass {PASSWORD}\nuser narrow on >{NARROW_PASSWORD} ~* +@all -get");
    let server = RedisServer::start(&lines);
    server.ask(&["--pass", PASSWORD, "MSET", "a1", "one", "b", "untouched"]);
    let (beyond, never) = (rows(BEYOND, "denied: "), rows(NEVER, "invalid: "));
    let at = |entry: &str| format!("redis://{entry}@127.0.0.1:{}", server.port());
    let sources = [
        ("cache", at(&format!(":{PASSWORD}"))),
        ("wrong", at(&format!(":{WRONG_PASSWORD}"))),
        ("narrow", at(&format!("narrow:{NARROW_PASSWORD}"))),
        ("other", at(&format!(":{PASSWORD}"))),
    ];
    let source = |(name, url): &(&str, String)| format!("[sources.redis.{name}]\nurl = \"{url}\"\nconnections_max = 1\n\n");
    let mut configuration: String = sources.iter().map(source).collect();
    let client = json!(["CLIENT", "INFO"]);
    let script = json!(["EVAL", "return 1", "0"]);
    configuration += &asking("witness", WIDE, &[run("cache", client), run("cache", script), run("cache", json!(PROOF))]);
    configuration += &checks("beyond", NARROW, &beyond);
    configuration += &checks("never", WIDE, &never);
    configuration += &checks("within", NARROW, &WITHIN);
    let many = |commands: Value| json!({ "redis_many": { "source": "cache", "commands": commands } });
    let odd = [
        (many(json!([["SET", "a9", "1"], ["GET", "b"]])), "denied: "),
        (many(json!([["SET", "a9", "1"], ["SELECT", "1"], ["SET", "a9", "1"]])), "invalid: "),
        (many(json!([["GET", "a1"], ["NOSUCH"], ["LLEN", "a1"], ["GET", "a1"]])), "ok: $one & ok: -ERR unknown command"),
        (run("cache", json!(["SET", { "hex": "61ff000d0a2a" }, { "hex": "00fe0d0a" }])), "ok: +OK"),
        (run("cache", json!(["GET", { "hex": "61ff000d0a2a" }])), "ok: $\\x00\\xfe\\r\\n"),
        (run("cache", json!(["DEL", { "hex": "61ff000d0a2a" }])), "ok: :1"),
        (run("cache", json!([{ "hex": "ff474554" }, "a1"])), "invalid: "),
        (run("cache", json!([" GET", "a1"])), "invalid: "),
        (run("cache", json!([""])), "invalid: "),
        (run("cache", json!([])), "invalid: "),
        (run("cache", json!(["SET", "a9", { "repeat": "x", "times": 1_048_576 }])), "invalid: "),
        (run("cache", json!(["MGET"])), "ok: -ERR wrong number"),
        (run("other", json!(["GET", "a1"])), "denied: "),
        (run("none", json!(["GET", "a1"])), "denied: "),
        (run("wrong", json!(["GET", "a1"])), "authentication: "),
        (run("narrow", json!(["GET", "a1"])), "ok: -NOPERM this user"),
        (run("narrow", json!(["STRLEN", "a1"])), "ok: :3"),
    ];
    let granted = ["wrong", "narrow"].map(|name| format!("{{ source = \"{name}\", commands = [\"*\"], keys = [\"a*\"] }}, ")).concat();
    let calls: Vec<Value> = odd.iter().map(|(call, _)| call.clone()).collect();
    configuration += &asking("odd", &NARROW.replace("redis = [", &format!("redis = [{granted}")), &calls);
    let nested = "local t = {} for i = 1, 1000 do t = {t} end return t";
    let scripts = [
        ("return {1, {2, {3, {}}}, 'x', false}", "ok: *4 :1 *2 :2 *2 :3 *0 $x _"),
        (nested, "ok: *1 *1 *1 *1"),
        ("local t = {} for i = 1, 100000 do t[i] = i end return t", "invalid: "),
        ("return redis.call('GET', 'b')", "ok: $untouched"),
        ("redis.call('SELECT', 1) return 1", "ok: :1"),
    ];
    configuration += &asking("scripts", WIDE, &scripts.map(|(script, _)| run("cache", json!(["EVAL", script, "0"]))));
    configuration += &asking("large", NARROW, &[run("cache", json!(["GET", "a-large"]))]);

    let mut sickbay = Sickbay::prepared(&configuration, &["ask"]);
    sickbay.log_by("debug");
    sickbay.start().await;
    try_all(&sickbay, &server, "beyond", &beyond).await;
    try_all(&sickbay, &server, "never", &never).await;
    try_all(&sickbay, &server, "within", &WITHIN).await;
    let before = kept(&server);
    for ((call, begins), outcome) in odd.iter().zip(outcomes(&sickbay, "odd").await) {
        assert_begins(&call.to_string(), &outcome, begins);
    }
    for ((script, begins), outcome) in scripts.iter().zip(outcomes(&sickbay, "scripts").await) {
        assert_begins(script, &outcome, begins);
    }
    try_all(&sickbay, &server, "within", &WITHIN).await;
    assert_eq!(kept(&server), before);
    // A value that is larger than a run may take ends the run, whatever the guest makes of it.
    server.ask(&["--pass", PASSWORD, "SETRANGE", "a-large", "67108863", "x"]);
    assert_begins("a large value", &outcomes(&sickbay, "large").await[0], "QuotaExceeded: ");
    assert_eq!(outcomes(&sickbay, "witness").await[1..], ["ok: :1", "ok: $one"]);

    assert_eq!(sickbay.get("/readyz").await.status, 200);
    let told = everything_told(&sickbay).await;
    assert!(told.contains("is never lent") && told.contains("authentication: "), "it was told at all");
    for password in [PASSWORD, NARROW_PASSWORD, WRONG_PASSWORD] {
        assert!(!told.contains(password), "{password} is told");
    }
}

#[tokio::test]
async fn what_becomes_of_the_server_is_told_as_the_servers_and_the_host_goes_on() {
    let mut server = RedisServer::start("");
    let mut loading = RedisServer::start("key-load-delay 2000\nloading-process-events-interval-bytes 1024");
    let full = RedisServer::start("maxmemory 1");
    loading.ask(&["EVAL", "for i = 1, 5000 do redis.call('SET', 'k' .. i, string.rep('x', 100)) end", "0"]);
    loading.ask(&["SAVE"]);
    let source = |name: &str, server: &RedisServer| format!("[sources.redis.{name}]\nurl = \"{}\"\n\n", server.url());
    let granted = |name: &str| format!("redis = [{{ source = \"{name}\", commands = [\"GET\", \"SET\"], keys = [\"a\"] }}]");
    let within_ms = |name: &str, timeout_ms: u32| json!({ "redis": { "source": name, "command": ["GET", "a"], "timeout_ms": timeout_ms } });
    let configuration = [
        source("cache", &server),
        source("loading", &loading),
        source("full", &full),
        asking("soon", &granted("cache"), &[within_ms("cache", 300)]),
        asking("late", &granted("cache"), &[within_ms("cache", 30_000)]),
        asking("loading", &granted("loading"), &[within_ms("loading", 30_000)]),
        asking("full", &granted("full"), &[run("full", json!(["SET", "a", "1"])), run("full", json!(["GET", "a"]))]),
    ];
    let sickbay = Sickbay::started(&configuration.concat(), &["ask"]).await;
    assert_eq!(outcomes(&sickbay, "late").await, ["ok: _"]);
    assert_begins("full", &outcomes(&sickbay, "full").await[0], "ok: -OOM ");

    // It stands still: a kept connection is waited for as long as it may, and so is a new one.
    let paused = server.pause();
    assert_begins("no reply", &outcomes(&sickbay, "soon").await[0], "timeout: no reply");
    assert_begins("no connection", &outcomes(&sickbay, "soon").await[0], "timeout: ");
    drop(paused);
    assert_eq!(outcomes(&sickbay, "late").await, ["ok: _"]);

    // It ends while it is asked.
    let paused = server.pause();
    let (told, ()) = tokio::join!(outcomes(&sickbay, "late"), async {
        until("it is asked", async || sickbay.metrics().await.sum("sickbay_runs_in_flight", &[]) >= 1.0).await;
        server.stop();
    });
    drop(paused);
    assert_begins("killed", &told[0], "connect: ");
    assert_begins("nobody there", &outcomes(&sickbay, "late").await[0], "connect: ");
    server.restart();
    assert_eq!(outcomes(&sickbay, "late").await, ["ok: _"]);

    loading.restart();
    assert_begins("loading", &outcomes(&sickbay, "loading").await[0], "ok: -LOADING ");
    assert_eq!(sickbay.get("/readyz").await.status, 200);
}
