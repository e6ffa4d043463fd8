//! PostgreSQL, Redis and web servers.

use serde_json::{Value, json};
use sickbay_tests::postgres::Postgres;
use sickbay_tests::redis::RedisServer;

use super::{check, lines, metric, serving, text, told};
use crate::support_http::nginx::Nginx;
use crate::support_http::raw;

const POSTGRES: &str = "grants = { postgres = [{ source = \"main\" }] }";
const REDIS: &str = "grants = { redis = [{ source = \"cache\", commands = [\"*\"], keys = [\"*\"] }] }";

/// As the README of the suite has it.
fn digest(lines: &[String]) -> String {
    let bytes = lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("fnv1a:{hash:08x}")
}

fn source_of(server: &Postgres, more: &str) -> String {
    format!("[sources.postgres.main]\nurl = \"{}\"\n{more}\n\n", server.url())
}

/// `postgres` on the source `main`.
fn query(name: &str, sql: &[&str], more: &Value, grants: &str) -> String {
    let mut config = json!({ "source": "main", "sql": sql });
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    check(name, "postgres", &config, grants)
}

const EVERY_TYPE: &str = "SELECT true AS boolean, (-7)::int4 AS int, 9007199254740993::int8 AS large, 0.5::float8 AS float, \
    'NaN'::float8 AS nan, 12.50::numeric AS numeric, 'é ☃ 😀 \"'::text AS text, '\\x00ff'::bytea AS bytes, \
    '{\"b\": [1, null], \"a\": \"é\"}'::jsonb AS json, '0f8fad5b-d9cb-469f-a165-70867728950e'::uuid AS uuid, \
    '2026-01-02 03:04:05.678901+00'::timestamptz AS at, '2026-01-31'::date AS date, '12:34:56.000007'::time AS time, \
    '-1.5 seconds'::interval AS span, ARRAY[1, 2, NULL] AS list, ARRAY['é', '\"']::text[] AS texts, '10.0.0.1'::inet AS other, \
    'infinity'::timestamptz AS never, NULL::int4 AS nothing";
const EVERY_VALUE: &str = "row [true, -7, 9007199254740993, float:3fe0000000000000, float:nan, \"12.50\", \"é ☃ 😀 \\\"\", bytes:00ff, \
    {\"a\": \"é\", \"b\": [1, null]}, \"0f8fad5b-d9cb-469f-a165-70867728950e\", us:1767323045678901, \"2026-01-31\", \"12:34:56.000007\", \
    us:-1500000, [1, 2, null], [\"é\", \"\\\"\"], other:\"inet\" \"10.0.0.1\", other:\"timestamptz\" \"infinity\", null]";

#[tokio::test]
async fn values_of_every_type_of_postgresql_come_as_what_they_are() {
    const PARAMS: &str = "SELECT $1::text, $2::bool, $3::int8, $4::float8, $5::text, $6::bytea, $7::timestamptz, $8::jsonb, $9::int4[]";
    let checks = [
        source_of(Postgres::shared(), ""),
        query("types", &[EVERY_TYPE], &json!({}), POSTGRES),
        query("params", &[PARAMS], &json!({ "how": "params" }), POSTGRES),
        query("many", &["SELECT 1 AS a", "SELECT 'é' AS b WHERE false"], &json!({ "how": "many" }), POSTGRES),
    ];
    let sickbay = serving(&checks.concat()).await;
    let types = sickbay.run_now("types").await;
    let told_types = lines(&types);
    assert!(told_types.iter().any(|line| line == EVERY_VALUE), "{told_types:?}\n{EVERY_VALUE}");
    for column in ["column \"large\" \"int8\"", "column \"list\" \"_int4\"", "column \"at\" \"timestamptz\"", "truncated false"] {
        assert!(told_types.iter().any(|line| line == column), "{column} is not in {told_types:?}");
    }
    assert!(metric(&types, "elapsed_seconds").is_some_and(|seconds| seconds > 0.0), "{types}");
    let params = "row [null, true, 9007199254740993, float:3fe0000000000000, \"é☃\", bytes:00ff, us:1767323045678901, {}, [1]]";
    assert!(told(&sickbay, "params").await.iter().any(|line| line == params), "{params}");
    let many =
        ["column \"a\" \"int4\"", "row [1]", "truncated false", "affected 0", "column \"b\" \"text\"", "truncated false", "affected 0"];
    assert_eq!(told(&sickbay, "many").await, many);
}

#[tokio::test]
async fn a_large_result_is_there_to_its_last_row() {
    const ROWS: &str =
        "SELECT n, 'row é ' || n AS name, CASE WHEN n % 2 = 1 THEN n END AS odd FROM generate_series(1, 1000) AS n ORDER BY n";
    let few = POSTGRES.replace("\"main\"", "\"main\", rows_max = 10");
    let checks =
        [source_of(Postgres::shared(), ""), query("large", &[ROWS], &json!({}), POSTGRES), query("few", &[ROWS], &json!({}), &few)];
    let sickbay = serving(&checks.concat()).await;
    let row = |n: u32| if n % 2 == 1 { format!("[{n}, \"row é {n}\", {n}]") } else { format!("[{n}, \"row é {n}\", null]") };
    let rows: Vec<String> = (1..=1000).map(row).collect();
    let large = told(&sickbay, "large").await;
    let wanted = ["rows 1000".to_owned(), format!("first {}", rows[0]), format!("last {}", rows[999]), digest(&rows)];
    assert_eq!(large[3..7], wanted);
    assert_eq!(large[7..], ["truncated false", "affected 0"]);
    let few = told(&sickbay, "few").await;
    assert_eq!((few.len(), few[12].as_str(), few[13].as_str()), (15, "row [10, \"row é 10\", null]", "truncated true"), "{few:?}");
}

#[tokio::test]
async fn errors_of_postgresql_say_whose_mistake_it_was() {
    let checks = [
        source_of(Postgres::shared(), "statement_timeout = \"1s\""),
        query("told", &["SELECT * FROM nothing_like_it", "SELECT 1 / 0", "SELECT 1 AS a"], &json!({ "tell_errors": true }), POSTGRES),
        query("statement", &["SELECT * FROM nothing_like_it"], &json!({}), POSTGRES),
        query("slow", &["SELECT pg_sleep(30)"], &json!({}), POSTGRES),
        query("denied", &["SELECT 1"], &json!({}), ""),
    ];
    let sickbay = serving(&checks.concat()).await;
    let told = told(&sickbay, "told").await;
    let wanted = [
        "error plugin configuration sqlstate \"42P01\"",
        "error plugin configuration sqlstate \"22012\"",
        "column \"a\" \"int4\"",
        "row [1]",
    ];
    assert_eq!(told[..4], wanted);
    let statement = sickbay.run_now("statement").await;
    assert_eq!((text(&statement, "status"), text(&statement, "reason")), ("unknown", "PluginFailure"), "{statement}");
    assert!(text(&statement, "reason_detail").contains("42P01"), "{statement}");
    let slow = sickbay.run_now("slow").await;
    assert_eq!((text(&slow, "status"), text(&slow, "failure")), ("critical", "timeout"), "{slow}");
    let denied = sickbay.run_now("denied").await;
    assert_eq!((text(&denied, "status"), text(&denied, "reason")), ("unknown", "PluginFailure"), "{denied}");
    let detail = text(&denied, "reason_detail");
    assert!(detail.contains("(denied)") && detail.contains("hint: postgres = [{ source = \"main\""), "{denied}");
}

#[tokio::test]
async fn replies_of_redis_come_as_what_they_are() {
    const NESTED: &str = "return {1, {2, 'a', {false}}, {ok = 'fine'}, redis.call('GET', 'bytes')}";
    let server = RedisServer::start("");
    server.ask(&["EVAL", "return redis.call('SET', 'bytes', '\\255\\000\\254')", "0"]);
    let commands = json!([
        ["SET", "text", "é ☃ \"\\"],
        ["GET", "text"],
        ["GET", "bytes"],
        ["GET", "absent"],
        ["RPUSH", "list", "a", "é"],
        ["LRANGE", "list", "0", "-1"],
        ["LRANGE", "absent", "0", "-1"],
        ["HSET", "map", "key", "value"],
        ["HGETALL", "map"],
        ["ZADD", "scores", "0.5", "m"],
        ["ZSCORE", "scores", "m"],
        ["INCRBY", "count", "9007199254740993"],
        ["LLEN", "text"],
        ["EVAL", NESTED, "0"],
    ]);
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let replies = [
        "reply \"OK\"".to_owned(),
        "reply \"é ☃ \\\"\\\\\"".to_owned(),
        "reply bytes:ff00fe".to_owned(),
        "reply null".to_owned(),
        "reply 2".to_owned(),
        "reply [\"a\", \"é\"]".to_owned(),
        "reply []".to_owned(),
        "reply 1".to_owned(),
        "reply [\"key\", \"value\"]".to_owned(),
        "reply 1".to_owned(),
        "reply \"0.5\"".to_owned(),
        "reply 9007199254740993".to_owned(),
        format!("error plugin configuration \"{wrong}\""),
        "reply [1, [2, \"a\", [null]], \"fine\", bytes:ff00fe]".to_owned(),
    ];
    let config = |more: Value| {
        let mut config = json!({ "source": "cache", "commands": commands });
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    };
    let checks = [
        format!("[sources.redis.cache]\nurl = \"{}\"\n\n", server.url()),
        check("each", "redis", &config(json!({ "tell_errors": true })), REDIS),
        check("together", "redis", &config(json!({ "together": true })), REDIS),
        check("passes", "redis", &json!({ "source": "cache", "commands": [["LLEN", "text"]] }), REDIS),
        check("denied", "redis", &json!({ "source": "cache", "commands": [["GET", "text"]] }), ""),
    ];
    let sickbay = serving(&checks.concat()).await;
    assert_eq!(told(&sickbay, "each").await, replies);
    server.ask(&["DEL", "list", "map", "scores", "count"]);
    let mut together = replies;
    together[12] = format!("reply failed:\"{wrong}\"");
    assert_eq!(told(&sickbay, "together").await, together);
    for (name, tells) in [("passes", wrong), ("denied", "hint: redis = [{ source = \"cache\"")] {
        let run = sickbay.run_now(name).await;
        assert_eq!((text(&run, "status"), text(&run, "reason")), ("unknown", "PluginFailure"), "{run}");
        assert!(text(&run, "reason_detail").contains(tells), "{run}");
    }
}

#[tokio::test]
async fn answers_of_web_servers_come_with_redirects_and_phases() {
    let long = "x".repeat(3000);
    let pages = |port: u16| {
        format!(
            "server {{ listen 127.0.0.1:{port}; location = /one {{ return 301 /two; }} location = /two {{ return 302 /three; }} \
             location = /three {{ add_header x-conformance yes; return 200 \"é ☃\\n\"; }} location = /long {{ return 200 \"{long}\"; }} \
             location = /down {{ return 503 \"no\"; }} }}\n"
        )
    };
    let nginx = Nginx::start(&[], 1, |ports| pages(ports[0]));
    let (hanging, closed) = (format!("http://{}/", raw::hanging()), format!("http://{}/", raw::closed()));
    let grants = format!("grants = {{ http = [\"GET {}\", \"GET {hanging}\", \"GET {closed}\"] }}", nginx.url("/*"));
    let asked = |name: &str, config: &Value| check(name, "http", config, &grants);
    let urls = |paths: &[&str]| json!(paths.iter().map(|path| nginx.url(path)).collect::<Vec<_>>());
    let checks = [
        asked("redirects", &json!({ "urls": urls(&["/one"]) })),
        asked("itself", &json!({ "urls": urls(&["/one"]), "redirects_max": 0 })),
        asked("long", &json!({ "urls": urls(&["/long"]), "body_bytes_max": 2000 })),
        asked("together", &json!({ "urls": [nginx.url("/down"), closed, nginx.url("/three")], "together": true, "tell_errors": true })),
        asked("refused", &json!({ "urls": [closed] })),
        asked("hanging", &json!({ "urls": [hanging] })).replace("timeout = \"10s\"", "timeout = \"1500ms\""),
        check("denied", "http", &json!({ "urls": urls(&["/three"]) }), ""),
    ];
    let sickbay = serving(&checks.concat()).await;
    let redirects = sickbay.run_now("redirects").await;
    let told_redirects = lines(&redirects);
    for line in [
        "status 200".to_owned(),
        "version \"HTTP/1.1\"".to_owned(),
        format!("url \"{}\"", nginx.url("/three")),
        "header \"x-conformance\" \"yes\"".to_owned(),
        "body \"é ☃\\u000a\"".to_owned(),
        format!("redirect 301 \"{}\"", nginx.url("/one")),
        format!("redirect-header \"location\" \"{}\"", nginx.url("/two")),
        format!("redirect 302 \"{}\"", nginx.url("/two")),
        format!("peer \"127.0.0.1:{}\"", nginx.ports[0]),
        "tls null".to_owned(),
    ] {
        assert!(told_redirects.contains(&line), "{line} is not in {told_redirects:?}");
    }
    let seconds = |name: &str| metric(&redirects, name).unwrap_or_else(|| panic!("no {name}: {redirects}"));
    let (connect, first_byte, total) = (seconds("connect_seconds"), seconds("first_byte_seconds"), seconds("total_seconds"));
    assert!(connect > 0.0 && first_byte > 0.0 && total >= connect + first_byte, "{redirects}");
    assert!(metric(&redirects, "tls_seconds").is_none(), "{redirects}");

    let itself = told(&sickbay, "itself").await;
    assert!(itself[0] == "status 301" && !itself.iter().any(|line| line.starts_with("redirect ")), "{itself:?}");
    let long = told(&sickbay, "long").await;
    assert!(
        long.contains(&format!("body 2000 {}", digest(&["x".repeat(2000)]))) && long.contains(&"truncated true".to_owned()),
        "{long:?}"
    );
    let together = told(&sickbay, "together").await;
    let statuses: Vec<&String> = together.iter().filter(|line| line.starts_with("status ") || line.starts_with("error ")).collect();
    assert!(
        statuses[0] == "status 503" && statuses[1].starts_with("error service refused ") && statuses[2] == "status 200",
        "{statuses:?}"
    );
    for (name, failure) in [("refused", "refused"), ("hanging", "timeout")] {
        let run = sickbay.run_now(name).await;
        assert_eq!((text(&run, "status"), text(&run, "failure")), ("critical", failure), "{run}");
    }
    let denied = sickbay.run_now("denied").await;
    assert_eq!((text(&denied, "status"), text(&denied, "reason")), ("unknown", "PluginFailure"), "{denied}");
    let line = format!("hint: http = [\"GET {}\"]", nginx.url("/three"));
    assert!(text(&denied, "reason_detail").contains(&line), "{denied}");
}
