//! What a real server says of its commands, and what is made of it.

use super::*;

/// Granted to check the keys alone.
const COMMANDS: [&str; 26] = [
    "GET",
    "MGET",
    "SET",
    "RENAME",
    "BITOP",
    "COPY",
    "SINTERCARD",
    "LMPOP",
    "SORT",
    "SORT_RO",
    "GEORADIUS",
    "MIGRATE",
    "ZUNIONSTORE",
    "XREAD",
    "XREADGROUP",
    "XGROUP CREATE",
    "OBJECT ENCODING",
    "MEMORY USAGE",
    "EVAL",
    "FCALL",
    "KEYS",
    "SCAN",
    "RANDOMKEY",
    "FLUSHALL",
    "SWAPDB",
    "MOVE",
];

#[tokio::test]
async fn keys_are_found_as_the_server_finds_them() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    let mut lent = lent(&sources, &COMMANDS, &["a*"]);
    for words in [
        &["GET", "a1"][..],
        &["MGET", "a1", "a2"],
        &["BITOP", "NOT", "a1", "a2"],
        &["COPY", "a1", "a2"],
        &["SINTERCARD", "2", "a1", "a2"],
        &["LMPOP", "2", "a1", "a2", "LEFT"],
        &["SORT", "a1", "LIMIT", "0", "1", "STORE", "a2"],
        &["GEORADIUS", "a1", "0", "0", "1", "km", "STORE", "a2"],
        &["MIGRATE", "127.0.0.1", "1", "", "0", "10", "KEYS", "a1", "a2"],
        &["ZUNIONSTORE", "a1", "2", "a2", "a3"],
        &["XREAD", "COUNT", "1", "STREAMS", "a1", "a2", "0", "0"],
        &["XREADGROUP", "GROUP", "g", "c", "STREAMS", "a1", ">"],
        &["XGROUP", "CREATE", "a1", "g", "0", "MKSTREAM"],
        &["OBJECT", "ENCODING", "a1"],
        &["MEMORY", "USAGE", "a1"],
    ] {
        let outcome = run(&mut lent, words).await;
        assert!(outcome.is_ok(), "{words:?}: {outcome:?}");
    }
    let served = calls_of(&server.url(), "get");
    for words in [
        &["GET", "b"][..],
        &["MGET", "a1", "b"],
        &["RENAME", "a1", "b"],
        &["BITOP", "NOT", "b", "a2"],
        &["COPY", "b", "a2"],
        &["SINTERCARD", "2", "a1", "b"],
        &["LMPOP", "1", "b", "LEFT"],
        &["SORT", "b"],
        &["SORT", "a1", "STORE", "b"],
        &["SORT", "a1", "BY", "a*"],
        &["SORT_RO", "a1", "get", "b*"],
        &["GEORADIUS", "a1", "0", "0", "1", "km", "STORE", "b"],
        &["GEORADIUS", "a1", "0", "0", "1", "km", "STOREDIST", "b"],
        &["MIGRATE", "127.0.0.1", "1", "b", "0", "10"],
        &["MIGRATE", "127.0.0.1", "1", "", "0", "10", "KEYS", "a1", "b"],
        &["ZUNIONSTORE", "b", "1", "a1"],
        &["ZUNIONSTORE", "a1", "1", "b"],
        &["XREAD", "STREAMS", "a1", "b", "0", "0"],
        &["XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "b", ">"],
        &["XGROUP", "CREATE", "b", "g", "0"],
        &["OBJECT", "ENCODING", "b"],
        &["MEMORY", "USAGE", "b"],
        &["EVAL", "return 1", "1", "a1"],
        &["EVAL", "return redis.call('GET', 'b')", "0"],
        &["FCALL", "f", "1", "a1"],
        &["KEYS", "a*"],
        &["SCAN", "0", "MATCH", "a*"],
        &["RANDOMKEY"],
        &["FLUSHALL"],
        &["SWAPDB", "0", "1"],
        &["MOVE", "a1", "1"],
        &["COPY", "a1", "a2", "DB", "1"],
        &["copy", "a1", "a2", "replace", "db", "1"],
        // The keys of a command that is not whole cannot be learnt.
        &["ZUNIONSTORE", "a1", "9", "a2"],
        &["XREAD", "a1"],
    ] {
        let outcome = run(&mut lent, words).await;
        assert!(matches!(outcome, Err(RedisError::Denied(_))), "{words:?}: {outcome:?}");
    }
    assert_eq!(calls_of(&server.url(), "get"), served, "nothing that was denied has been sent");
}

#[tokio::test]
async fn with_every_key_scripts_and_scans_are_sent_too() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SET", "a", "1"]);
    let mut lent = lent(&source(&server.url()), &COMMANDS, &["*"]);
    for (words, expected) in [
        (&["EVAL", "return redis.call('GET', 'a')", "0"][..], "$1"),
        (&["KEYS", "*"], "*1 $a"),
        (&["SCAN", "0"], "*2 $0 *1 $a"),
        (&["RANDOMKEY"], "$a"),
        (&["SORT", "none", "BY", "w_*", "GET", "#"], "*0"),
        (&["FLUSHALL"], "+OK"),
    ] {
        assert_eq!(reply(&mut lent, words).await, expected, "{words:?}");
    }
}

#[tokio::test]
async fn the_line_in_a_denial_grants_the_command() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    for words in [
        &["GET", "a"][..],
        &["CLIENT", "LIST"],
        &["INFO", "memory"],
        &["KEYS", "*"],
        &["OBJECT", "ENCODING", "a"],
        &["SORT", "a", "GET", "#"],
    ] {
        let denied = run(&mut lent(&sources, &["TIME"], &[]), words).await;
        let Err(RedisError::Denied(denial)) = denied else { panic!("{words:?}: {denied:?}") };
        let list = |key: &str| -> Vec<&str> {
            let Some((_, rest)) = denial.hint.split_once(&format!("{key} = [\"")) else { return Vec::new() };
            rest.split_once("\"]").expect("a list").0.split("\", \"").collect()
        };
        let mut lent = lent(&sources, &list("commands"), &list("keys"));
        let mut outcome = run(&mut lent, words).await;
        if let Err(RedisError::Denied(again)) = &outcome {
            // What only the server knows is in the second line.
            assert!(again.hint.contains("keys = [\"*\"]"), "{words:?}: {}", again.hint);
            outcome = run(&mut super::lent(&sources, &list("commands"), &["*"]), words).await;
        }
        assert!(outcome.is_ok(), "{words:?}: {} {outcome:?}", denial.hint);
    }
}

#[tokio::test]
async fn what_changes_the_connection_streams_or_waits_is_never_lent() {
    let server = RedisServer::start("");
    let url = server.url();
    let sources = source(&url);
    // As many calls as it takes.
    let limits = Limits { host_calls: 10_000, ..Limits::default() };
    let mut lent = lent_with(&sources, grant(&["*", "CLIENT"], &["*"]), &limits);
    for category in ["connection", "blocking", "transaction", "pubsub"] {
        let names: Vec<String> = ask(&url, &["COMMAND", "LIST", "FILTERBY", "ACLCAT", category]);
        assert!(names.len() > 3, "{category}: {names:?}");
        for name in names {
            let words: Vec<&str> = name.split('|').chain(["a", "BLOCK", "0"]).collect();
            let outcome = run(&mut lent, &words).await;
            let harmless = match name.as_str() {
                "ping" | "echo" | "publish" | "spublish" => true,
                "client|id" | "client|info" | "client|list" | "client|getname" | "client|getredir" | "client|trackinginfo" => true,
                "client|kill" | "client|pause" | "client|unpause" | "client|unblock" | "client|help" => true,
                name => name.starts_with("command") || name.starts_with("pubsub"),
            };
            assert_eq!(matches!(outcome, Err(RedisError::Invalid(_))), !harmless, "{name}: {outcome:?}");
        }
    }
    for words in [
        &["MONITOR"][..],
        &["PSYNC", "?", "-1"],
        &["SYNC"],
        &["REPLCONF", "ack", "0"],
        &["ACL", "GETUSER", "default"],
        &["HELLO", "3"],
        &["SCRIPT", "DEBUG", "YES"],
    ] {
        let outcome = run(&mut lent, words).await;
        assert!(matches!(outcome, Err(RedisError::Invalid(_))), "{words:?}: {outcome:?}");
    }
    // The connection is as it was.
    assert_eq!(reply(&mut lent, &["PING"]).await, "+PONG");
    let connections: String = ask(&url, &["CLIENT", "LIST"]);
    let own = connections.lines().filter(|line| line.contains(" cmd=ping ")).count();
    assert_eq!(own, 1, "{connections}");
    assert!(
        connections.lines().all(|line| line.contains(" db=0 ") && line.contains(" sub=0 ") && line.contains(" multi=-1 ")),
        "{connections}"
    );
}

#[tokio::test]
async fn a_subcommand_is_granted_alone_and_dangerous_ones_by_name() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    for (granted, words, allowed) in [
        ("client list", &["CLIENT", "LIST"][..], true),
        ("CLIENT LIST", &["client", "list", "TYPE", "normal"], true),
        ("CLIENT LIST", &["CLIENT", "KILL", "ID", "1"], false),
        ("CLIENT", &["CLIENT", "ID"], true),
        ("CLIENT", &["CLIENT", "LIST"], false),
        ("CONFIG GET", &["CONFIG", "GET", "maxmemory"], true),
        ("CONFIG GET", &["CONFIG", "SET", "maxmemory", "0"], false),
        ("CONFIG", &["CONFIG", "GET", "maxmemory"], false),
        ("*", &["CONFIG", "GET", "maxmemory"], false),
        ("*", &["DEBUG", "JMAP"], false),
        ("*", &["SHUTDOWN", "NOSAVE"], false),
        ("*", &["FLUSHALL"], false),
        ("*", &["INFO"], false),
        ("INFO", &["INFO"], true),
        ("*", &["DBSIZE"], true),
        ("*", &["SET", "a", "1"], true),
        ("LATENCY DOCTOR", &["LATENCY", "DOCTOR"], true),
        ("SLOWLOG LEN", &["SLOWLOG", "LEN"], true),
        ("SLOWLOG LEN", &["SLOWLOG", "RESET"], false),
    ] {
        let outcome = run(&mut lent(&sources, &[granted], &["*"]), words).await;
        assert_eq!(outcome.is_ok(), allowed, "{granted} on {words:?}: {outcome:?}");
        assert!(allowed || matches!(outcome, Err(RedisError::Denied(_))), "{granted} on {words:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_renamed_command_cannot_be_called() {
    let server = RedisServer::start("rename-command FLUSHALL hidden\nrename-command CONFIG \"\"");
    let mut lent = lent(&source(&server.url()), &["hidden", "FLUSHALL", "CONFIG GET"], &["*"]);
    for words in [&["hidden"][..], &["FLUSHALL"], &["CONFIG", "GET", "maxmemory"]] {
        let told = reply(&mut lent, words).await;
        assert!(told.starts_with("-ERR unknown"), "{words:?}: {told}");
    }
}

#[tokio::test]
async fn passwords_do_not_get_into_a_guest() {
    let server = RedisServer::start("requirepass secret-of-server\nmasterauth secret-of-master");
    for protocol in ["2", "3"] {
        let url = format!("redis://:secret-of-server@127.0.0.1:{}?protocol={protocol}", server.port());
        let mut lent = lent(&source(&url), &["CONFIG GET"], &[]);
        let told = reply(&mut lent, &["CONFIG", "GET", "*"]).await;
        assert!(!told.contains("secret-of") && told.contains("$requirepass $(redacted)"), "{told}");
        assert!(told.contains("$maxmemory $0"), "{told}");
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_denied_as_one_that_is_not_granted() {
    let mut granted = lent(&Sources::default(), &["INFO"], &[]);
    let denied = run(&mut granted, &["INFO"]).await;
    let Err(RedisError::Denied(denial)) = denied else { panic!("{denied:?}") };
    assert!(denial.hint.contains("[sources.redis.cache]"), "{denial:?}");

    let server = RedisServer::start("");
    let mut other = lent(&source(&server.url()), &["INFO"], &[]);
    let denied = Host::run(&mut other, "a\"]\nb".to_owned(), command(&["INFO"]), None).await.expect("no trap");
    let Err(RedisError::Denied(denial)) = denied else { panic!("{denied:?}") };
    assert!(denial.reason.contains("is not granted") && !denial.hint.contains('\n'), "{denial:?}");
    assert_eq!(calls_of(&server.url(), "command"), 0, "a source that is not granted is not connected to");
    assert_eq!(other.finish().denials.len(), 1);
}
