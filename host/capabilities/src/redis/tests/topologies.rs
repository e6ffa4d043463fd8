//! Clusters and sentinels.

use super::super::Topology;
use super::*;
use crate::process::free_port;

/// Far more than nodes take to find each other on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "after {} s it is still not so: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Two nodes, each with half of the slots: `celery` (3213) lives on the first, `a` (15495) on the second.
fn cluster() -> [RedisServer; 2] {
    let nodes = [(); 2].map(|()| RedisServer::start("cluster-enabled yes\ncluster-port {bus}\ncluster-node-timeout 5000"));
    let [one, two] = &nodes;
    seed(&one.url(), &["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
    seed(&two.url(), &["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
    seed(&one.url(), &["CLUSTER", "MEET", "127.0.0.1", &two.port().to_string(), &two.bus_port().to_string()]);
    until("both nodes serve the whole cluster", || {
        nodes.iter().all(|node| {
            let info: String = ask(&node.url(), &["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && info.contains("cluster_known_nodes:2")
        })
    });
    nodes
}

fn in_cluster(url: &str) -> Sources {
    sources(RedisSettings { topology: Topology::Cluster, ..settings(url) })
}

#[tokio::test]
async fn a_cluster_is_followed_to_the_node_that_has_the_key() {
    let [one, two] = cluster();
    let sources = in_cluster(&one.url());
    let mut lent = lent(&sources, &["SET", "GET", "MGET", "DBSIZE", "INFO"], &["*"]);
    let here: &[&str] = &["SET", "celery", "1"];
    let replies = run_many(&mut lent, &[here, &["SET", "a", "2"], &["GET", "celery"], &["GET", "a"], &["DBSIZE"]]).await.expect("replies");
    assert_eq!(replies.iter().map(|reply| told(reply)).collect::<Vec<_>>(), ["+OK", "+OK", "$1", "$2", ":1"]);
    assert_eq!((ask::<u64>(&one.url(), &["DBSIZE"]), ask::<u64>(&two.url(), &["DBSIZE"])), (1, 1));
    // From now on it is known where the slot is.
    let redirects = || {
        let errors: String = ask(&one.url(), &["INFO", "errorstats"]);
        errors.lines().find(|line| line.starts_with("errorstat_MOVED")).map(str::to_owned)
    };
    let before = redirects();
    assert!(before.is_some());
    assert_eq!(reply(&mut lent, &["GET", "a"]).await, "$2");
    assert_eq!(redirects(), before);
    let across = reply(&mut lent, &["MGET", "a", "celery"]).await;
    assert!(across.starts_with("-CROSSSLOT "), "{across}");
}

#[tokio::test]
async fn a_slot_on_its_way_is_asked_for_where_it_goes() {
    let [one, two] = cluster();
    let ids = [&one, &two].map(|node| ask::<String>(&node.url(), &["CLUSTER", "MYID"]));
    seed(&two.url(), &["CLUSTER", "SETSLOT", "3213", "IMPORTING", &ids[0]]);
    seed(&one.url(), &["CLUSTER", "SETSLOT", "3213", "MIGRATING", &ids[1]]);
    let mut lent = lent(&in_cluster(&one.url()), &["SET", "GET"], &["*"]);
    assert_eq!(reply(&mut lent, &["SET", "{celery}new", "1"]).await, "+OK");
    assert_eq!(reply(&mut lent, &["GET", "{celery}new"]).await, "$1");
    assert_eq!((ask::<u64>(&one.url(), &["DBSIZE"]), ask::<u64>(&two.url(), &["DBSIZE"])), (0, 1));
}

#[tokio::test]
async fn a_source_that_is_no_cluster_follows_nobody() {
    let [one, two] = cluster();
    let mut lent = lent(&source(&one.url()), &["GET"], &["*"]);
    let told = reply(&mut lent, &["GET", "a"]).await;
    assert!(told.starts_with("-MOVED ") && told.contains("cluster = true") && told.contains("[sources.redis.cache]"), "{told}");
    assert!(!told.contains(&two.port().to_string()), "{told}");
}

#[tokio::test]
async fn sentinels_tell_where_the_master_is() {
    let master = RedisServer::start("");
    let sentinel = RedisServer::start_sentinel(&format!("sentinel monitor main 127.0.0.1 {} 1", master.port()));
    let gone = format!("redis://127.0.0.1:{}", free_port());
    let led_by = |name: &str, urls: &[&str]| {
        let sentinels = urls.iter().map(|url| Endpoint::parse(url).expect("a URL")).collect();
        sources(RedisSettings { topology: Topology::Sentinels(sentinels), ..settings(&format!("redis://{name}/2")) })
    };
    let mut lent = lent(&led_by("main", &[&gone, &sentinel.url()]), &["SET"], &["a"]);
    assert_eq!(reply(&mut lent, &["SET", "a", "1"]).await, "+OK");
    assert_eq!(ask::<String>(&format!("{}/2", master.url()), &["GET", "a"]), "1");
    for (sources, part) in [(led_by("unknown", &[&sentinel.url()]), "no sentinel knows the master"), (led_by("main", &[&gone]), "refused")]
    {
        let outcome = run(&mut super::lent(&sources, &["PING"], &[]), &["PING"]).await;
        assert!(matches!(&outcome, Err(RedisError::Connect(message)) if message.contains(part)), "{part}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_replica_is_not_taken_for_the_master() {
    let replica = RedisServer::start("replicaof 127.0.0.1 1");
    let sentinel = RedisServer::start_sentinel(&format!("sentinel monitor main 127.0.0.1 {} 1", replica.port()));
    let topology = Topology::Sentinels(vec![Endpoint::parse(&sentinel.url()).expect("a URL")]);
    let sources = sources(RedisSettings { topology, ..settings("redis://main") });
    let outcome = run(&mut lent(&sources, &["PING"], &[]), &["PING"]).await;
    assert!(matches!(&outcome, Err(RedisError::Connect(message)) if message.contains("no master")), "{outcome:?}");
}
