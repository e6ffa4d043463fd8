//! What a call may take: bytes, nodes, time, calls.

use sickbay_core::Quota;
use sickbay_runtime::Lend;

use super::*;

#[tokio::test]
async fn a_reply_beyond_the_runs_bytes_is_not_taken() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SETRANGE", "large", "64000000", "x"]);
    seed(&server.url(), &["SET", "small", "x"]);
    let sources = source(&server.url());
    let limits = Limits { bytes_in: 1 << 20, ..Limits::default() };
    let mut greedy = lent_with(&sources, grant(&["GET"], &["*"]), &limits);
    let outcome = run(&mut greedy, &["GET", "large"]).await;
    let Err(RedisError::Quota(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("bytes_in"), "{message}");
    assert_eq!(greedy.exceeded(), Some((Quota::BytesIn, 1 << 20)));
    assert!(greedy.finish().bytes_in <= (1 << 20) + 1, "its length was enough to refuse it");
    // The connection that still owes 64 MB is not used again.
    assert_eq!(reply(&mut lent(&sources, &["GET"], &["*"]), &["GET", "small"]).await, "$x");
}

#[tokio::test]
async fn what_a_reply_grows_by_when_it_is_masked_is_paid_for() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SET", "many", &"swordfish".repeat(100)]);
    let (sources, limits) = (source(&server.url()), Limits { bytes_in: 2000, ..Limits::default() });
    let get: &[&str] = &["GET", "many"];
    run(&mut lent_with(&sources, grant(&["GET"], &["*"]), &limits), get).await.expect("900 bytes");
    let mut masked = lent_with(&sources, grant(&["GET"], &["*"]), &limits).with_secrets(drawn(&[("key", b"swordfish")]));
    let outcome = run(&mut masked, get).await;
    assert!(matches!(outcome, Err(RedisError::Quota(_))), "{outcome:?}");
    assert_eq!(masked.exceeded(), Some((Quota::BytesIn, 2000)));
}

#[tokio::test]
async fn a_reply_that_came_and_waits_for_a_thread_of_ours_is_no_timeout_of_the_server() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SETRANGE", "long", "99999", "x"]);
    let mut lent = lent(&source(&server.url()), &["GET"], &["*"]).with_secrets(drawn(&[("key", b"swordfish")]));
    let _taken = lent.services.masking.all_taken().await;
    lent.scope.deadline = Instant::now() + Duration::from_secs(2);
    let outcome = run(&mut lent, &["GET", "long"]).await;
    assert!(matches!(&outcome, Err(RedisError::Quota(why)) if why.contains("one of the 2 threads")), "{outcome:?}");
}

#[tokio::test]
async fn many_small_replies_count_together() {
    let server = RedisServer::start("");
    seed(&server.url(), &["SETRANGE", "text", "999", "x"]);
    let limits = Limits { bytes_in: 10_000, ..Limits::default() };
    let sources = source(&server.url());
    let mut greedy = lent_with(&sources, grant(&["GET"], &["*"]), &limits);
    let get: &[&str] = &["GET", "text"];
    assert_eq!(run_many(&mut greedy, &[get; 5]).await.expect("5,045 bytes").len(), 5);
    let outcome = run_many(&mut greedy, &[get; 5]).await;
    assert!(matches!(outcome, Err(RedisError::Quota(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_reply_of_too_many_nodes_is_refused() {
    let server = RedisServer::start("");
    seed(&server.url(), &["EVAL", "for i = 1, 100001 do redis.call('RPUSH', 'many', i) end", "0"]);
    let mut lent = lent(&source(&server.url()), &["LRANGE", "LLEN"], &["many"]);
    let fits = run(&mut lent, &["LRANGE", "many", "0", "99998"]).await.expect("100,000 nodes");
    assert_eq!(fits.len(), 100_000);
    let range: &[&str] = &["LRANGE", "many", "0", "99998"];
    for outcome in
        [run(&mut lent, &["LRANGE", "many", "0", "99999"]).await.map(|reply| vec![reply]), run_many(&mut lent, &[range; 5]).await]
    {
        let Err(RedisError::Invalid(message)) = outcome else { panic!("{:?}", outcome.map(|replies| replies.len())) };
        assert!(message.contains("nodes"), "{message}");
    }
    assert_eq!(reply(&mut lent, &["LLEN", "many"]).await, ":100001");
}

#[tokio::test]
async fn the_bounds_of_a_command_hold() {
    let mut lent = lent(&Sources::default(), &["*"], &["*"]);
    let large = vec![b"SET".to_vec(), b"a".to_vec(), vec![0; 1 << 20]];
    let many = vec![b"MGET".to_vec(); 1002];
    for command in [Vec::new(), vec![b"GET a".to_vec()], large, many] {
        let outcome = Host::run(&mut lent, "cache".to_owned(), command, None).await.expect("no trap");
        assert!(matches!(outcome, Err(RedisError::Invalid(_))), "{outcome:?}");
    }
    let ping: &[&str] = &["PING"];
    let outcome = run_many(&mut lent, &[ping; 257]).await;
    assert!(matches!(outcome, Err(RedisError::Invalid(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_run_without_calls_or_bytes_left_is_told_its_quota() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    let ping: &[&str] = &["PING"];
    for (limits, quota) in [
        (Limits { host_calls: 2, ..Limits::default() }, Quota::HostCalls),
        (Limits { bytes_out: 20, ..Limits::default() }, Quota::BytesOut),
        (Limits { bytes_in: 20, ..Limits::default() }, Quota::BytesIn),
    ] {
        let mut lent = lent_with(&sources, grant(&["PING"], &[]), &limits);
        let outcome = run_many(&mut lent, &[ping; 3]).await;
        let Err(RedisError::Quota(message)) = outcome else { panic!("{quota:?}: {outcome:?}") };
        assert!(message.contains(quota.as_str()), "{message}");
        assert_eq!(lent.exceeded().map(|(exceeded, _)| exceeded), Some(quota));
    }
}

#[tokio::test]
async fn a_reply_that_does_not_come_in_time_is_a_timeout_and_its_connection_is_closed() {
    let server = RedisServer::start("");
    let url = server.url();
    let sources = source(&url);
    run(&mut lent(&sources, &["PING"], &[]), &["PING"]).await.expect("a reply");
    let connected_before: u64 = connections_received(&url);
    seed(&url, &["CLIENT", "PAUSE", "500", "ALL"]);
    let outcome = run_within(&mut lent(&sources, &["PING"], &[]), &["PING"], 50).await;
    assert!(matches!(&outcome, Err(RedisError::Timeout(message)) if message.contains("no reply after 50 ms")), "{outcome:?}");
    // The run's own deadline is the other bound.
    let mut lent = lent(&sources, &["PING"], &[]);
    lent.scope.deadline = Instant::now() + Duration::from_millis(50);
    let outcome = run_within(&mut lent, &["PING"], 60_000).await;
    assert!(matches!(outcome, Err(RedisError::Timeout(_))), "{outcome:?}");
    lent.scope.deadline = Instant::now() + Duration::from_secs(30);
    assert_eq!(reply(&mut lent, &["PING"]).await, "+PONG", "a new connection has no reply of the old one");
    // The two that were cut off are gone; each call after them made a new one; the test's own are two more.
    assert_eq!(connections_received(&url) - connected_before, 2 + 2);
}

fn connections_received(url: &str) -> u64 {
    let stats: String = ask(url, &["INFO", "stats"]);
    let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    count.expect("a line").trim().parse().expect("a number")
}

#[tokio::test]
async fn waiting_for_a_connection_of_the_sources_own_is_a_quota() {
    let server = RedisServer::start("");
    let mut settings = settings(&server.url());
    settings.connections_max = 1;
    let sources = sources(settings);
    run(&mut lent(&sources, &["PING"], &[]), &["PING"]).await.expect("a reply");
    seed(&server.url(), &["CLIENT", "PAUSE", "500", "ALL"]);
    let (mut first, mut second) = (lent(&sources, &["PING"], &[]), lent(&sources, &["PING"], &[]));
    let (held, waited) = tokio::join!(run_within(&mut first, &["PING"], 200), run_within(&mut second, &["PING"], 100));
    assert!(matches!(held, Err(RedisError::Timeout(_))), "{held:?}");
    let Err(RedisError::Quota(message)) = waited else { panic!("{waited:?}") };
    assert!(message.contains("connections_max"), "{message}");
    assert!(message.contains("source `cache`") && message.contains("for one check"), "{message}");
    assert_eq!(reply(&mut second, &["PING"]).await, "+PONG", "the place is free again");
}

#[tokio::test]
async fn who_got_a_connection_when_its_time_was_nearly_over_is_told_that_it_was_ours() {
    let server = RedisServer::start("");
    let mut settings = settings(&server.url());
    settings.connections_max = 1;
    let sources = sources(settings);
    run(&mut lent(&sources, &["PING"], &[]), &["PING"]).await.expect("a reply");
    seed(&server.url(), &["CLIENT", "PAUSE", "60000", "ALL"]);
    let (mut first, mut second) = (lent(&sources, &["PING"], &[]), lent(&sources, &["PING"], &[]));
    let (held, late) = tokio::join!(run_within(&mut first, &["PING"], 1_000), run_within(&mut second, &["PING"], 2_000));
    assert!(matches!(held, Err(RedisError::Timeout(_))), "{held:?}");
    let Err(RedisError::Quota(message)) = late else { panic!("{late:?}") };
    assert!(message.contains("of 2000 ms went by") && message.contains("(`connections_max`)"), "{message}");
    // Where nobody was in the way, it is the server that is late.
    let outcome = run_within(&mut second, &["PING"], 200).await;
    assert!(matches!(outcome, Err(RedisError::Timeout(_))), "{outcome:?}");
}
