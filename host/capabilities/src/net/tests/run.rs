//! What ends with a run, and what a run may use.

use sickbay_core::Quota;
use sickbay_runtime::Lend;

use super::*;

/// Accepts without end and says nothing; what it accepted comes out.
async fn accepting() -> (SocketAddr, tokio::sync::mpsc::Receiver<TcpStream>) {
    let (listener, address) = listen().await;
    let (accepted, streams) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            if accepted.send(stream).await.is_err() {
                return;
            }
        }
    });
    (address, streams)
}

#[tokio::test]
async fn a_connection_is_closed_when_it_is_dropped() {
    let (address, mut streams) = accepting().await;
    let mut lent = lent(address);
    let first = connected(&mut lent, to(address)).await;
    let mut accepted = streams.recv().await.expect("a connection");
    close(&mut lent, first).await;
    see_it_closed(&mut accepted).await;
}

#[tokio::test]
async fn the_end_of_the_run_closes_what_is_open() {
    let (address, mut streams) = accepting().await;
    let mut lent = lent(address);
    for _ in 0..3 {
        connected(&mut lent, to(address)).await;
    }
    lent.finish();
    for _ in 0..3 {
        see_it_closed(&mut streams.recv().await.expect("a connection")).await;
    }
}

#[tokio::test]
async fn a_call_that_is_abandoned_closes_its_connection() {
    let (address, mut streams) = accepting().await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let mut accepted = streams.recv().await.expect("a connection");
    let mut call = Box::pin(receive(&mut lent, &connection, "", 1, None));
    tokio::select! {
        outcome = &mut call => panic!("nobody answered: {outcome:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(call);
    see_it_closed(&mut accepted).await;
    let outcome = send(&mut lent, &connection, b"x").await;
    assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
}

#[tokio::test]
async fn at_most_eight_are_open_at_once() {
    let (address, _streams) = accepting().await;
    let mut lent = lent(address);
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(connected(&mut lent, to(address)).await);
    }
    let outcome = connect(&mut lent, to(address)).await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("8 connections are open")), "{outcome:?}");
    close(&mut lent, connections.remove(0)).await;
    let again = connected(&mut lent, to(address)).await;
    assert!(connections.iter().all(|connection| connection.rep() != again.rep()), "a number stands for one connection");
}

#[tokio::test]
async fn a_connection_that_is_gone_crashes_nothing() {
    let (address, _streams) = accepting().await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    close(&mut lent, lend(&connection)).await;
    let outcomes = [send(&mut lent, &connection, b"x").await.err(), receive(&mut lent, &connection, "", 1, None).await.err()];
    for outcome in outcomes {
        assert!(matches!(outcome, Some(NetError::Invalid(_))), "{outcome:?}");
    }
    let outcome = HostConnection::start_tls(&mut lent, lend(&connection)).await.expect("no trap");
    assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
    assert!(HostConnection::opened(&mut lent, lend(&connection)).await.is_err(), "the guest's run ends");
    close(&mut lent, connection).await;
}

#[tokio::test]
async fn a_run_without_calls_or_bytes_left_is_told_its_quota() {
    for (limits, quota) in [
        (Limits { host_calls: 2, ..Limits::default() }, Quota::HostCalls),
        (Limits { bytes_out: 3, ..Limits::default() }, Quota::BytesOut),
        (Limits { bytes_in: 3, ..Limits::default() }, Quota::BytesIn),
    ] {
        let (address, _task) = serve(|mut stream| async move {
            hear(&mut stream, "abc").await;
            stream.write_all(b"12345").await.expect("written");
            see_it_closed(&mut stream).await;
        })
        .await;
        let mut lent = lent_with(&services(), &[format!("tcp://{address}")], &limits);
        let connection = connected(&mut lent, to(address)).await;
        send(&mut lent, &connection, b"abc").await.expect("sent");
        let outcome = match quota {
            Quota::BytesOut => send(&mut lent, &connection, b"d").await.err(),
            _ => receive(&mut lent, &connection, "", 5, None).await.err(),
        };
        let Some(NetError::Quota(message)) = outcome else { panic!("{quota:?}: {outcome:?}") };
        assert!(message.contains(quota.as_str()), "{message}");
        assert_eq!(lent.exceeded().map(|(exceeded, _)| exceeded), Some(quota));
    }
}

#[tokio::test]
async fn a_large_answer_ends_at_the_runs_limit_and_not_after() {
    const LIMIT: u64 = 100_000;
    let (address, _task) = serve(|mut stream| async move {
        // The run is over in the middle of it.
        let _ = stream.write_all(&vec![b'x'; 1 << 20]).await;
    })
    .await;
    let mut lent = lent_with(&services(), &[format!("tcp://{address}")], &Limits { bytes_in: LIMIT, ..Limits::default() });
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "\r\n", 1 << 20, None).await;
    assert!(matches!(outcome, Err(NetError::Quota(_))), "{outcome:?}");
    assert_eq!((lent.meter.bytes_in(), lent.exceeded()), (LIMIT + 1, Some((Quota::BytesIn, LIMIT))));
    let again = receive(&mut lent, &connection, "", 1 << 20, None).await;
    assert!(matches!(again, Err(NetError::Quota(_))), "{again:?}");
}

#[tokio::test]
async fn what_was_not_sent_for_a_quota_leaves_the_connection_open() {
    let (address, task) = serve(|mut stream| async move {
        hear(&mut stream, "abc").await;
    })
    .await;
    let mut lent = lent_with(&services(), &[format!("tcp://{address}")], &Limits { bytes_out: 3, ..Limits::default() });
    let connection = connected(&mut lent, to(address)).await;
    let outcome = send(&mut lent, &connection, b"abcd").await;
    assert!(matches!(outcome, Err(NetError::Quota(_))), "{outcome:?}");
    send(&mut lent, &connection, b"abc").await.expect("sent");
    task.await.expect("the server heard what was allowed");
}
