//! Connections that are kept, break, or are cut off.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::super::table::tests::new;
use super::*;

#[tokio::test]
async fn a_connection_is_kept_for_the_next_run() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(reply(&mut lent(&sources, &["CLIENT ID"], &[]), &["CLIENT", "ID"]).await);
        // What is denied leaves the connection as it was.
        run(&mut lent(&sources, &["GET"], &["a"]), &["GET", "b"]).await.expect_err("denied");
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn calls_at_once_have_a_connection_each() {
    let server = RedisServer::start("");
    let sources = source(&server.url());
    let id = async || reply(&mut lent(&sources, &["CLIENT ID"], &[]), &["CLIENT", "ID"]).await;
    let (one, two, three) = tokio::join!(id(), id(), id());
    assert!(one != two && two != three && one != three, "{one} {two} {three}");
    let again = id().await;
    assert!([one, two, three].contains(&again), "all three are kept");
}

#[tokio::test]
async fn a_server_that_was_restarted_is_spoken_to_again() {
    let mut server = RedisServer::start("");
    let sources = source(&server.url());
    let mut lent = lent(&sources, &["DBSIZE"], &[]);
    assert_eq!(reply(&mut lent, &["DBSIZE"]).await, ":0");
    server.restart();
    assert_eq!(reply(&mut lent, &["DBSIZE"]).await, ":0", "the kept connection is made anew");
    server.stop();
    let outcome = run(&mut lent, &["DBSIZE"]).await;
    assert!(matches!(outcome, Err(RedisError::Connect(_))), "{outcome:?}");
}

#[tokio::test]
async fn connections_of_a_source_that_was_replaced_are_closed() {
    let server = RedisServer::start("");
    let before = source(&server.url());
    let mut lent = lent(&before, &["CLIENT ID"], &[]);
    let is_there = |id: &str| {
        let clients: String = ask(&server.url(), &["CLIENT", "LIST"]);
        clients.contains(&format!("id={} ", id.trim_start_matches(':')))
    };
    let kept = reply(&mut lent, &["CLIENT", "ID"]).await;
    before.retire_for(&before.clone());
    assert_eq!(reply(&mut lent, &["CLIENT", "ID"]).await, kept, "nothing was replaced");
    before.retire_for(&Sources::default());
    // A run that began before goes on, and leaves nothing behind.
    let last = reply(&mut lent, &["CLIENT", "ID"]).await;
    assert_ne!(last, kept);
    let began = Instant::now();
    while is_there(&kept) || is_there(&last) {
        assert!(began.elapsed() < Duration::from_secs(30), "{kept} or {last} is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn sources_that_did_not_change_keep_their_connections_when_the_configuration_is_read_again() {
    let (one, other) = (RedisServer::start(""), RedisServer::start(""));
    let named = |other: &str| BTreeMap::from([("cache".to_owned(), settings(&one.url())), ("other".to_owned(), settings(other))]);
    let before = Sources::new(&named("redis://127.0.0.1:1")).expect("sources");
    let id = async |sources: &Sources| reply(&mut lent(sources, &["CLIENT ID"], &[]), &["CLIENT", "ID"]).await;
    let first = id(&before).await;
    let after = before.renewed(&named(&other.url())).expect("sources");
    assert_eq!(id(&after).await, first);
    let (unchanged, changed) = (before.get("cache").zip(after.get("cache")), before.get("other").zip(after.get("other")));
    assert!(unchanged.is_some_and(|(before, after)| Arc::ptr_eq(&before, &after)));
    assert!(changed.is_some_and(|(before, after)| !Arc::ptr_eq(&before, &after)));
    let gone = after.renewed(&BTreeMap::new()).expect("sources");
    assert!(gone.get("cache").is_none());
}

/// A server that answers `COMMAND`, then what it is told, and closes instead of answering where it is told nothing; after an answer
/// that ends with `CLOSE` (which it does not send) it closes too.
struct Scripted {
    url: String,
    /// What it was sent, one text for each read.
    heard: mpsc::Receiver<String>,
}

impl Scripted {
    /// `answers` of each connection in turn.
    async fn answering(connections: Vec<Vec<&'static str>>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        let (tell, heard) = mpsc::channel(64);
        tokio::spawn(async move {
            for answers in connections {
                let (stream, _) = listener.accept().await.expect("a connection");
                serve(stream, answers, &tell).await;
            }
        });
        Scripted { url, heard }
    }

    fn all_heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

async fn serve(mut stream: TcpStream, answers: Vec<&'static str>, tell: &mpsc::Sender<String>) {
    let get = new("get", "readonly", [1, 1, 1], "@read @string", &[]);
    let set = new("set", "write", [1, 1, 1], "@write @string", &[]);
    let table = format!("*2\r\n{get}{set}");
    let mut answers = answers.into_iter();
    loop {
        let mut bytes = vec![0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        let request = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if request.contains("COMMAND") {
            stream.write_all(table.as_bytes()).await.expect("written");
            continue;
        }
        tell.send(request).await.expect("the test listens");
        match answers.next() {
            Some(answer) => {
                let said = answer.strip_suffix("CLOSE").unwrap_or(answer);
                stream.write_all(said.as_bytes()).await.expect("written");
                if said != answer {
                    return;
                }
            }
            None => return,
        }
    }
}

#[tokio::test]
async fn what_only_reads_is_asked_again_on_a_new_connection() {
    let mut server = Scripted::answering(vec![vec!["$1\r\n1\r\n"], vec!["$1\r\n2\r\n"]]).await;
    let mut lent = lent(&source(&server.url), &["GET"], &["a"]);
    assert_eq!(reply(&mut lent, &["GET", "a"]).await, "$1");
    assert_eq!(reply(&mut lent, &["GET", "a"]).await, "$2");
    assert_eq!(server.all_heard().len(), 3, "the second was sent twice");
}

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let mut server = Scripted::answering(vec![vec!["+OK\r\n"], vec!["+OK\r\n"]]).await;
    let mut lent = lent(&source(&server.url), &["SET", "GET"], &["a"]);
    assert_eq!(reply(&mut lent, &["SET", "a", "1"]).await, "+OK");
    let outcome = run_many(&mut lent, &[&["GET", "a"], &["SET", "a", "2"]]).await;
    assert!(matches!(outcome, Err(RedisError::Connect(_))), "{outcome:?}");
    assert_eq!(server.all_heard().len(), 2);
}

#[tokio::test]
async fn what_was_answered_in_part_is_not_asked_again() {
    let mut server = Scripted::answering(vec![vec!["$1\r\n1\r\n", "$1\r\n1\r\n$1000\r\nabcCLOSE"], vec!["$1\r\n1\r\n"]]).await;
    let mut lent = lent(&source(&server.url), &["GET"], &["a"]);
    assert_eq!(reply(&mut lent, &["GET", "a"]).await, "$1");
    let outcome = run_many(&mut lent, &[&["GET", "a"], &["GET", "a"]]).await;
    assert!(matches!(outcome, Err(RedisError::Connect(_))), "{outcome:?}");
    assert_eq!(server.all_heard().len(), 2);
}

#[tokio::test]
async fn what_is_not_redis_is_told() {
    let server = Scripted::answering(vec![vec!["HTTP/1.1 400 Bad Request\r\n\r\n"]]).await;
    let outcome = run(&mut lent(&source(&server.url), &["GET"], &["a"]), &["GET", "a"]).await;
    assert!(matches!(&outcome, Err(RedisError::Other(message)) if message.contains("no reply of Redis")), "{outcome:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let sources = source(&format!("redis://{}", listener.local_addr().expect("an address")));
    let mut lent = lent(&sources, &["PING"], &[]);
    let mut call = Box::pin(run(&mut lent, &["PING"]));
    let mut stream = tokio::select! {
        outcome = &mut call => panic!("nobody answered: {outcome:?}"),
        accepted = listener.accept() => accepted.expect("a connection").0,
    };
    drop(call);
    // Ends only when the other side is closed.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}
