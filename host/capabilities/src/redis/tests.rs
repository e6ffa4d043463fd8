//! The capability against real servers, through the same door as a guest.

mod bounds;
mod connections;
mod entry;
mod policies;
mod standing;
mod topologies;

#[path = "../../../../tests/src/redis.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the end-to-end tests, which use all of it")]
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sickbay_runtime::Limits;
use tokio::time::Instant;

use self::server::RedisServer;
use super::reply::tests::told;
use super::{Endpoint, Grant, RedisSettings, Sources};
use crate::contract::redis::{Command, Host, Node, RedisError, Reply};
use crate::dns::Resolver;
use crate::secrets::tests::{drawn, placeholder};
use crate::{Grants, Lent, RunScope, Services};

fn settings(url: &str) -> RedisSettings {
    RedisSettings::new(Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")))
}

/// One source of the name `cache`.
fn sources(settings: RedisSettings) -> Sources {
    Sources::new(&BTreeMap::from([("cache".to_owned(), settings)])).expect("sources")
}

fn source(url: &str) -> Sources {
    sources(settings(url))
}

fn services(sources: &Sources, resolver: Resolver) -> Arc<Services> {
    let services = Services::with(&[], RootCertStore::empty(), resolver).expect("services");
    Arc::new(Services { redis: sources.clone(), ..Arc::into_inner(services).expect("nobody else has it yet") })
}

fn grant(commands: &[&str], keys: &[&str]) -> Grant {
    let mut grant = Grant::new("cache");
    commands.iter().for_each(|command| grant.allow_command(command).expect("a command"));
    keys.iter().for_each(|key| grant.allow_key(key).expect("a pattern"));
    grant
}

fn lent_by(services: &Arc<Services>, grant: Grant, limits: &Limits) -> Lent {
    let scope = RunScope {
        check: "cache".into(),
        plugin: "redis".into(),
        run_id: 1,
        deadline: Instant::now() + Duration::from_secs(30),
        state: Arc::new(BTreeMap::new()),
    };
    Lent::new(services, &Arc::new(Grants { redis: vec![grant], ..Grants::default() }), limits, scope)
}

fn lent_with(sources: &Sources, grant: Grant, limits: &Limits) -> Lent {
    lent_by(&services(sources, Resolver::of_this_machine()), grant, limits)
}

fn lent(sources: &Sources, commands: &[&str], keys: &[&str]) -> Lent {
    lent_with(sources, grant(commands, keys), &Limits::default())
}

fn command(words: &[&str]) -> Command {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

async fn run(lent: &mut Lent, words: &[&str]) -> Result<Reply, RedisError> {
    Host::run(lent, "cache".to_owned(), command(words), None).await.expect("no trap")
}

async fn run_within(lent: &mut Lent, words: &[&str], timeout_ms: u32) -> Result<Reply, RedisError> {
    Host::run(lent, "cache".to_owned(), command(words), Some(timeout_ms)).await.expect("no trap")
}

async fn run_many(lent: &mut Lent, commands: &[&[&str]]) -> Result<Vec<Reply>, RedisError> {
    let commands = commands.iter().map(|words| command(words)).collect();
    Host::run_many(lent, "cache".to_owned(), commands, None).await.expect("no trap")
}

/// The reply to a command that is answered.
async fn reply(lent: &mut Lent, words: &[&str]) -> String {
    told(&run(lent, words).await.unwrap_or_else(|error| panic!("{words:?}: {error:?}")))
}

/// A connection of the test's own, by the bare crate.
fn bare(url: &str) -> ::redis::Connection {
    ::redis::Client::open(url).expect("a URL").get_connection().expect("a connection")
}

/// What the server says to a command of the test's own.
fn ask<T: ::redis::FromRedisValue>(url: &str, words: &[&str]) -> T {
    let (name, arguments) = words.split_first().expect("a name");
    let mut question = ::redis::cmd(name);
    for argument in arguments {
        question.arg(*argument);
    }
    question.query(&mut bare(url)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn seed(url: &str, words: &[&str]) {
    let _: ::redis::Value = ask(url, words);
}

/// How often the server ran a command, as it counts.
fn calls_of(url: &str, name: &str) -> u64 {
    let stats: String = ask(url, &["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
}

fn message_of(error: &RedisError) -> &str {
    match error {
        RedisError::Denied(denial) => &denial.reason,
        RedisError::Invalid(message)
        | RedisError::Quota(message)
        | RedisError::Connect(message)
        | RedisError::Authentication(message)
        | RedisError::Timeout(message)
        | RedisError::Other(message) => message,
    }
}

#[tokio::test]
async fn a_command_goes_out_and_its_reply_is_told_whole() {
    let server = RedisServer::start("");
    let url = server.url();
    seed(&url, &["RPUSH", "celery", "a", "b"]);
    seed(&url, &["HSET", "celery:hash", "field", "value"]);
    seed(&url, &["SET", "other", "x"]);
    let mut lent = lent(&source(&url), &["INFO", "LLEN", "LRANGE", "GET", "HGETALL", "PING", "SET"], &["celery*"]);
    for (words, expected) in [
        (&["PING"][..], "+PONG"),
        (&["LLEN", "celery"], ":2"),
        (&["lrange", "celery", "0", "-1"], "*2 $a $b"),
        (&["GET", "celery:none"], "_"),
        (&["HGETALL", "celery:hash"], "*2 $field $value"),
        (&["SET", "celery:new", "1", "EX", "100"], "+OK"),
        (&["GET", "celery:new"], "$1"),
    ] {
        assert_eq!(reply(&mut lent, words).await, expected, "{words:?}");
    }
    let memory = reply(&mut lent, &["INFO", "memory"]).await;
    assert!(memory.starts_with("$# Memory") && memory.contains("used_memory:"), "{memory}");

    let denied = run(&mut lent, &["GET", "other"]).await;
    let Err(RedisError::Denied(denial)) = denied else { panic!("{denied:?}") };
    assert_eq!(denial.hint, r#"redis = [{ source = "cache", commands = ["GET"], keys = ["other"] }]"#);
}

#[tokio::test]
async fn an_error_reply_is_a_node() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SET", "text", "x"]);
    let mut lent = lent(&source(&server.url()), &["LLEN", "GET", "NOSUCH", "XINFO"], &["*"]);
    let wrong = reply(&mut lent, &["LLEN", "text"]).await;
    assert!(wrong.starts_with("-WRONGTYPE "), "{wrong}");
    let replies = run_many(&mut lent, &[&["GET", "text"], &["LLEN", "text"], &["NOSUCH"], &["GET"], &["GET", "text"]]).await;
    let replies: Vec<String> = replies.expect("replies").iter().map(|reply| told(reply)).collect();
    let [first, wrong, unknown, arity, last] = &replies[..] else { panic!("{replies:?}") };
    assert_eq!((first.as_str(), last.as_str()), ("$x", "$x"));
    assert!(wrong.starts_with("-WRONGTYPE ") && unknown.starts_with("-ERR unknown command"), "{replies:?}");
    assert!(arity.starts_with("-ERR wrong number of arguments"), "{arity}");
    let unknown = reply(&mut lent, &["XINFO", "NOSUCH", "text"]).await;
    assert!(unknown.starts_with("-ERR unknown subcommand"), "{unknown}");
}

#[tokio::test]
async fn in_resp3_replies_keep_their_types() {
    let server = RedisServer::start("enable-debug-command yes");
    let mut lent = lent(&source(&format!("{}?protocol=resp3", server.url())), &["DEBUG PROTOCOL", "HGETALL", "SMEMBERS", "INFO"], &["*"]);
    seed(&server.url(), &["HSET", "hash", "field", "value"]);
    seed(&server.url(), &["SADD", "set", "member"]);
    for (words, expected) in [
        (&["DEBUG", "PROTOCOL", "string"][..], "$Hello World"),
        (&["DEBUG", "PROTOCOL", "integer"], ":12345"),
        (&["DEBUG", "PROTOCOL", "double"], ",3.141"),
        (&["DEBUG", "PROTOCOL", "null"], "_"),
        (&["DEBUG", "PROTOCOL", "array"], "*3 :0 :1 :2"),
        (&["DEBUG", "PROTOCOL", "set"], "~3 :0 :1 :2"),
        (&["DEBUG", "PROTOCOL", "map"], "%3 :0 #false :1 #true :2 #false"),
        (&["DEBUG", "PROTOCOL", "true"], "#true"),
        (&["DEBUG", "PROTOCOL", "bignum"], "(1234567999999999999999999999999999999"),
        (&["DEBUG", "PROTOCOL", "verbatim"], "$This is a verbatim\\nstring"),
        (&["DEBUG", "PROTOCOL", "attrib"], "$Some real reply following the attribute"),
        (&["DEBUG", "PROTOCOL", "push"], "$Some real reply following the push reply"),
        (&["HGETALL", "hash"], "%1 $field $value"),
        (&["SMEMBERS", "set"], "~1 $member"),
    ] {
        assert_eq!(reply(&mut lent, words).await, expected, "{words:?}");
    }
    let server_part = reply(&mut lent, &["INFO", "server"]).await;
    assert!(server_part.starts_with("$# Server"), "{server_part}");
}

#[tokio::test]
async fn keys_and_values_are_bytes() {
    let server = RedisServer::start("");
    let key = b"celery\xff\x00\r\n*".to_vec();
    let sources = source(&server.url());
    let mut lent = lent(&sources, &["SET", "GET"], &["celery*"]);
    let call = |name: &str, more: &[&[u8]]| -> Command {
        [name.as_bytes(), &key].into_iter().chain(more.iter().copied()).map(<[u8]>::to_vec).collect()
    };
    let set = Host::run(&mut lent, "cache".to_owned(), call("SET", &[b"\x00\xfe\r\n"]), None).await.expect("no trap");
    assert_eq!(told(&set.expect("set")), "+OK");
    let got = Host::run(&mut lent, "cache".to_owned(), call("GET", &[]), None).await.expect("no trap");
    assert!(matches!(&got.expect("a reply")[..], [Node::Bulk(value)] if value == b"\x00\xfe\r\n"));
    let kept: Vec<Vec<u8>> = ask(&server.url(), &["KEYS", "*"]);
    assert_eq!(kept, [key]);
}

#[tokio::test]
async fn a_secret_of_the_run_is_masked_in_every_kind_of_reply() {
    let server = RedisServer::start("");
    let (url, secrets) = (server.url(), drawn(&[("key", b"swordfish")]));
    let masked = placeholder(&secrets, 0);
    seed(&url, &["SET", "text", "a swordfish"]);
    seed(&url, &["HSET", "swordfish", "swordfish", "c3dvcmRmaXNo"]);
    for (url, pair) in [(url.clone(), "*2"), (format!("{url}?protocol=resp3"), "%1")] {
        let mut lent = lent(&source(&url), &["GET", "HGETALL", "KEYS", "EVAL"], &["*"]).with_secrets(secrets.clone());
        for (words, expected) in [
            (&["GET", "text"][..], format!("$a {masked}")),
            (&["HGETALL", "swordfish"], format!("{pair} ${masked} ${masked}")),
            (&["KEYS", "sword*"], format!("*1 ${masked}")),
            (&["EVAL", "return redis.status_reply('swordfish')", "0"], format!("+{masked}")),
            (&["EVAL", "return redis.error_reply('ERR swordfish')", "0"], format!("-ERR {masked}")),
        ] {
            assert_eq!(reply(&mut lent, words).await, expected, "{words:?}");
        }
    }
    let mut without = lent(&source(&url), &["GET"], &["*"]);
    assert_eq!(reply(&mut without, &["GET", "text"]).await, "$a swordfish");
}

#[tokio::test]
async fn every_command_is_a_call_and_every_byte_is_counted() {
    let server = RedisServer::start("");
    let mut lent = lent(&source(&server.url()), &["PING", "ECHO"], &[]);
    run_many(&mut lent, &[&["PING"], &["PING"], &["ECHO", "hello"]]).await.expect("replies");
    run(&mut lent, &["PING"]).await.expect("a reply");
    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.denials.len()), (4, 0));
    assert_eq!(usage.bytes_out, 3 * 14 + 25, "three pings and an echo as they go over the wire");
    assert_eq!(usage.bytes_in, 3 * 7 + 11, "and their replies, but nothing of what the host asks for itself");
}

#[tokio::test]
async fn a_call_of_no_commands_asks_for_nothing() {
    let mut lent = lent(&Sources::default(), &[], &[]);
    assert!(run_many(&mut lent, &[]).await.expect("no replies").is_empty());
    assert_eq!(lent.finish().host_calls, 1);
}

#[tokio::test]
async fn the_table_of_commands_is_asked_for_once() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    for _ in 0..5 {
        run(&mut lent(&sources, &["INFO"], &[]), &["INFO", "memory"]).await.expect("a reply");
    }
    let url = server.url();
    assert_eq!((calls_of(&url, "command"), calls_of(&url, "info")), (1, 5 + 1), "and one is the test's own");
    assert_eq!(calls_of(&url, "command|getkeys"), 0);
    // Without a table that tells the keys there is one more round trip, and nothing else.
    run(&mut lent(&sources, &["XREAD"], &["a"]), &["XREAD", "STREAMS", "a", "0"]).await.expect("a reply");
    assert_eq!((calls_of(&url, "command"), calls_of(&url, "command|getkeys"), calls_of(&url, "xread")), (1, 1, 1));
}
