//! Every kind of the plugin `redis`, on real servers that go bad and come back.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use sickbay_tests::redis::RedisServer;
use sickbay_tests::{OK, Sickbay, Turn, Verdict, on_demand, program};

const KINDS: [&str; 8] = ["memory", "clients", "hit-ratio", "persistence", "replication", "queue-depth", "slowlog", "command"];
const INFO: &str = "commands = [\"INFO\"]";
const LENGTH: &str = "commands = [\"TYPE\", \"LLEN\"], keys = [\"celery\"]";

/// `[sources.redis.NAME]`
fn source(name: &str, url: &str, connections_max: u32) -> String {
    format!("[sources.redis.{name}]\nurl = \"{url}\"\nconnections_max = {connections_max}\n\n")
}

/// A check of the source `cache`; `config` follows the source in its table, `grant` in its grant.
fn check(name: &str, kind: &str, config: &str, grant: &str) -> String {
    check_of("cache", name, kind, config, grant)
}

fn check_of(source: &str, name: &str, kind: &str, config: &str, grant: &str) -> String {
    let more = format!("config = {{ source = \"{source}\"{config} }}\ngrants = {{ redis = [{{ source = \"{source}\", {grant} }}] }}");
    on_demand(name, "redis", kind, &more)
}

/// One check of each kind, by the name of its kind.
fn one_of_each() -> String {
    let of_info = ["memory", "clients", "hit-ratio", "persistence", "replication"].map(|kind| check(kind, kind, "", INFO)).concat();
    of_info
        + &check("queue-depth", "queue-depth", ", key = \"celery\"", LENGTH)
        + &check("slowlog", "slowlog", "", "commands = [\"SLOWLOG GET\"]")
        + &check("command", "command", ", command = [\"PING\"], equals = \"PONG\"", "commands = [\"PING\"]")
}

#[tokio::test]
async fn every_kind_is_critical_while_its_server_is_gone_or_hangs_or_refuses_the_password() {
    const PASSWORD: &str = "pass-of-the-test-0123456789";
    let mut server = RedisServer::start(&format!("requirepass {PASSWORD}"));
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", server.port());
    let sickbay = Sickbay::started(&(source("cache", &url, 16) + &one_of_each()), &["redis"]).await;
    sickbay.all_come_to(&KINDS, OK).await;

    server.stop();
    sickbay.all_come_to(&KINDS, Verdict::critical("connection", &["the server refused the connection"])).await;
    server.restart();
    sickbay.all_come_to(&KINDS, OK).await;

    let paused = server.pause();
    sickbay.all_come_to(&KINDS, Verdict::critical("timeout", &["no ", " after ", " ms"])).await;
    drop(paused);
    sickbay.all_come_to(&KINDS, OK).await;

    server.say(&format!("AUTH {PASSWORD}\nCONFIG SET requirepass another\nCLIENT KILL TYPE normal"));
    sickbay.all_come_to(&KINDS, Verdict::critical("authentication", &["the server refused the source's user or password"])).await;
    server.say(&format!("AUTH another\nCONFIG SET requirepass {PASSWORD}"));
    sickbay.all_come_to(&KINDS, OK).await;
    for text in [sickbay.log(), sickbay.get("/api/v1/checks/memory/results").await.text()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn each_kind_tells_its_own_trouble_and_that_it_is_over() {
    let server = RedisServer::start("save 3600 1\nappendonly yes");
    server.say("SET version 7");
    let checks = [
        source("cache", &server.url(), 4),
        check("memory", "memory", "", INFO),
        check("write", "command", ", command = [\"SET\", \"probe\", \"1\"]", "commands = [\"SET\"], keys = [\"probe\"]"),
        check("hit-ratio", "hit-ratio", ", critical_ratio = 0.5, lookups_min = 10", INFO),
        check("clients", "clients", ", blocked_warning = 0", INFO),
        check("queue-depth", "queue-depth", ", key = \"celery\", warning_depth = 1, critical_depth = 2", LENGTH),
        check("slowlog", "slowlog", ", critical_seconds = 0.01", "commands = [\"SLOWLOG GET\"]"),
        check("answer", "command", ", command = [\"GET\", \"version\"], equals = \"7\"", "commands = [\"GET\"], keys = [\"version\"]"),
        check("append-only", "persistence", ", require_aof = true", INFO),
        check("saves", "persistence", "", INFO),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["redis"]).await;
    let full = ("CONFIG SET maxmemory 102400", "CONFIG SET maxmemory 0");
    let look_up = |key: &str| format!("EVAL \"for i=1,20 do redis.call('GET','{key}') end\" 0");
    let (misses, hits) = (look_up("nothing"), format!("SET here 1\n{}", look_up("here")));
    // Longer than the 10 ms from which on the server logs a command.
    let slow = "EVAL \"local n=0 for i=1,10000000 do n=n+i end\" 0";
    let rounds = [
        ("hit-ratio", misses.as_str(), Verdict::critical("capacity", &["only 0 % of 20 lookups were hits"]), hits.as_str()),
        ("memory", full.0, Verdict::critical("memory", &["of 100.0 KiB used (noeviction)"]), full.1),
        ("write", full.0, Verdict::critical("memory", &["OOM command not allowed"]), full.1),
        ("queue-depth", "RPUSH celery a b c", Verdict::critical("capacity", &["3 wait in celery"]), "DEL celery"),
        ("queue-depth", "SET celery x", Verdict::unknown(&["celery is a string, which is no queue"]), "DEL celery"),
        ("slowlog", slow, Verdict::critical("latency", &["EVAL took"]), ""),
        ("answer", "SET version 6", Verdict::critical("content", &["the answer is 6, expected 7"]), "SET version 7"),
        (
            "append-only",
            "CONFIG SET appendonly no",
            Verdict::critical("persistence", &["there is no append-only file"]),
            "CONFIG SET appendonly yes",
        ),
    ];

    // Where the file should be stands a folder.
    let dump = server.folder().join("dump.rdb");
    sickbay.all_come_to(&["saves", "write"], OK).await;
    fs::create_dir(&dump).expect("a folder");
    server.say("BGSAVE");
    sickbay.comes_to("saves", Verdict::critical("persistence", &["the last RDB save failed"])).await;
    sickbay.comes_to("write", Verdict::critical("unavailable", &["MISCONF"])).await;
    fs::remove_dir(&dump).expect("a folder");
    server.say("BGSAVE");
    sickbay.all_come_to(&["saves", "write"], OK).await;

    for (name, breaks, broken, mends) in rounds {
        let turn = |turn: Turn| {
            server.say(if turn == Turn::Break { breaks } else { mends });
        };
        sickbay.breaks_and_mends(name, broken, turn).await;
    }

    let mut blocked = None;
    let turn = |turn| match turn {
        Turn::Break => {
            let mut client = server.connect();
            client.write_all(b"BLPOP nothing 0\r\n").expect("it is sent");
            blocked = Some(client);
        }
        Turn::Mend => drop(blocked.take()),
    };
    sickbay.breaks_and_mends("clients", Verdict::warning("capacity", &["1 client is blocked"]), turn).await;
}

#[tokio::test]
async fn saves_that_are_late_and_queues_that_grow_are_told() {
    // It saves only where it is told to.
    let server = RedisServer::start("");
    let checks = [
        source("cache", &server.url(), 4),
        check("late", "persistence", ", save_age_warning_seconds = 1, save_age_critical_seconds = 600", INFO),
        check("too-late", "persistence", ", save_age_critical_seconds = 1", INFO),
        check("grows", "queue-depth", ", key = \"celery\", growth_warning_per_second = 1", LENGTH),
        check("grows-fast", "queue-depth", ", key = \"celery\", growth_critical_per_second = 1", LENGTH),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["redis"]).await;
    let waits = &["1 change not saved, the last save was ", " ago"];
    let grows = &["celery grows by ", " per second"];
    let push = "EVAL \"for i=1,100 do redis.call('RPUSH','celery',i) end\" 0";
    let rounds = [
        ("late", "SET key 1", Verdict::warning("persistence", waits), "SAVE"),
        ("too-late", "SET key 2", Verdict::critical("persistence", waits), "SAVE"),
        // What is there already does not grow.
        ("grows", push, Verdict::warning("capacity", grows), "PING"),
        ("grows-fast", push, Verdict::critical("capacity", grows), "DEL celery"),
    ];
    for (name, breaks, broken, mends) in rounds {
        let turn = |turn: Turn| {
            server.say(if turn == Turn::Break { breaks } else { mends });
        };
        sickbay.breaks_and_mends(name, broken, turn).await;
    }
}

#[tokio::test]
async fn keys_that_are_evicted_and_memory_that_is_held_beyond_what_is_used_are_told() {
    let server = RedisServer::start("maxmemory-policy allkeys-lru");
    let checks = [
        source("cache", &server.url(), 4),
        check("evicted", "memory", ", evicted_warning_per_second = 0", INFO),
        // A process holds more than its data: the program itself. It is judged from 256 MiB on, which the server allocates here to the byte.
        check("fragmented", "memory", ", fragmentation_warning_ratio = 1", INFO),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["redis"]).await;
    server.say("EVAL \"for i=1,1000 do redis.call('SET','k'..i,i) end\" 0");
    let rounds = [
        // The second command finds that there is no room, and makes some before it is run.
        ("evicted", "CONFIG SET maxmemory 1\nCONFIG SET maxmemory 0", Verdict::warning("memory", &["keys are evicted per second"]), "PING"),
        (
            "fragmented",
            "SETRANGE big 268435000 x",
            Verdict::warning("memory", &["memory is fragmented: ", " times what is used"]),
            "DEL big",
        ),
    ];
    for (name, breaks, broken, mends) in rounds {
        let turn = |turn: Turn| {
            server.say(if turn == Turn::Break { breaks } else { mends });
        };
        sickbay.breaks_and_mends(name, broken, turn).await;
    }
}

/// Connections until the server takes no more.
fn until_full(server: &RedisServer) -> Vec<TcpStream> {
    let mut held = Vec::new();
    loop {
        let mut stream = BufReader::new(server.connect());
        // A server that is full does not wait for it.
        let _ = stream.get_mut().write_all(b"PING\r\n");
        let mut answer = String::new();
        if stream.read_line(&mut answer).is_err() || !answer.starts_with('+') {
            return held;
        }
        held.push(stream.into_inner());
    }
}

#[tokio::test]
async fn a_server_without_connections_left_is_told_as_such() {
    let server = RedisServer::start("maxclients 10");
    // One of them has its connection already, the other comes too late.
    let checks = [
        source("cache", &server.url(), 1),
        source("late", &server.url(), 1),
        check("clients", "clients", "", INFO),
        check_of("late", "newcomer", "command", ", command = [\"PING\"]", "commands = [\"PING\"]"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["redis"]).await;
    sickbay.comes_to("clients", OK).await;
    let held = until_full(&server);
    sickbay.comes_to("clients", Verdict::critical("too-many-connections", &["maxclients"])).await;
    sickbay.comes_to("newcomer", Verdict::critical("too-many-connections", &["no connection left (`maxclients`)"])).await;
    drop(held);
    sickbay.all_come_to(&["clients", "newcomer"], OK).await;
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_unavailable_until_it_has_done_so() {
    // It takes 20 ms for each key, and answers between two of them.
    let slowly = "key-load-delay 20000\nloading-process-events-interval-bytes 1024";
    let mut server = RedisServer::start(&format!("rdbcompression no\n{slowly}"));
    server.say("EVAL \"for i=1,1000 do redis.call('SET','k'..i,string.rep('x',1024)) end\" 0\nSAVE");
    let sickbay = Sickbay::started(&(source("cache", &server.url(), 16) + &one_of_each()), &["redis"]).await;
    sickbay.all_come_to(&KINDS, OK).await;
    server.restart();
    sickbay.all_come_to(&["command", "queue-depth"], Verdict::critical("unavailable", &["LOADING"])).await;
    sickbay.comes_to("persistence", Verdict::critical("unavailable", &["the server still loads its data"])).await;
    server.say("CONFIG SET key-load-delay 0");
    sickbay.all_come_to(&KINDS, OK).await;
}

#[tokio::test]
async fn a_primary_and_its_replica_each_tell_when_the_other_is_missing() {
    let mut primary = RedisServer::start("repl-diskless-sync-delay 0");
    let mut replica = RedisServer::start(&format!("replicaof 127.0.0.1 {}", primary.port()));
    let checks = [
        source("cache", &primary.url(), 4),
        source("copy", &replica.url(), 4),
        check("primary", "replication", ", role = \"master\", replicas_min = 1, lag_critical_bytes = 100000", INFO),
        check_of("copy", "replica", "replication", ", role = \"replica\"", INFO),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["redis"]).await;
    sickbay.all_come_to(&["primary", "replica"], OK).await;

    let behind = Verdict::critical("replication", &["replication is ", "KiB behind"]);
    let mut paused = None;
    let hangs = |turn| match turn {
        Turn::Break => {
            paused = Some(replica.pause());
            primary.say("EVAL \"redis.call('SET','big',string.rep('x',1000000))\" 0");
        }
        Turn::Mend => drop(paused.take()),
    };
    sickbay.breaks_and_mends("primary", behind, hangs).await;

    let alone = Verdict::critical("replication", &["only 0 replicas are online"]);
    let goes = |turn: Turn| if turn == Turn::Break { replica.stop() } else { replica.restart() };
    sickbay.breaks_and_mends("primary", alone, goes).await;

    let cut_off = Verdict::critical("replication", &["the replica does not reach its master"]);
    let goes = |turn: Turn| if turn == Turn::Break { primary.stop() } else { primary.restart() };
    sickbay.breaks_and_mends("replica", cut_off, goes).await;

    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port());
    let leaves = |turn: Turn| {
        replica.say(if turn == Turn::Break { "REPLICAOF NO ONE" } else { follow.as_str() });
    };
    sickbay.breaks_and_mends("replica", Verdict::critical("replication", &["the server is a master"]), leaves).await;
}

#[tokio::test]
async fn a_source_that_is_not_there_is_unknown_and_each_message_names_the_next_line() {
    const LINE: &str = "redis = [{ source = \"elsewhere\", commands = [\"INFO\"] }]";
    let server = RedisServer::start("");
    let with = |sources: &str, grants: &str| {
        let more = format!("config = {{ source = \"elsewhere\" }}\ngrants = {{ {grants} }}");
        sources.to_owned() + &on_demand("memory", "redis", "memory", &more)
    };
    let cache = source("cache", &server.url(), 4);
    let sickbay = Sickbay::started(&with(&cache, "redis = [{ source = \"cache\", commands = [\"INFO\"] }]"), &["redis"]).await;
    sickbay.comes_to("memory", Verdict::unknown(&["the source `elsewhere` is not granted", LINE])).await;

    sickbay.configure(&with(&cache, LINE));
    let refused = program::run(sickbay.folder(), &["validate"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    for part in ["there is no `[sources.redis.elsewhere]`", "hint: add `[sources.redis.elsewhere]` to the main file"] {
        assert!(refused.err.contains(part), "{refused:?}");
    }

    sickbay.configure(&with(&(cache + &source("elsewhere", &server.url(), 4)), LINE));
    sickbay.comes_to("memory", OK).await;
}
