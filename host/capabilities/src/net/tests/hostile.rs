//! Peers that hang, drip, flood and break off.

use super::*;

/// A peer that writes the same bytes again for as long as someone reads.
async fn repeating(bytes: Vec<u8>, pause: Duration) -> (SocketAddr, JoinHandle<()>) {
    serve(move |mut stream| async move {
        while stream.write_all(&bytes).await.is_ok() {
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_peer_that_never_answers_is_a_timeout() {
    let (_listener, address) = listen().await;
    let mut lent = lent(address);
    // The kernel accepts for a server that does not.
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "\r\n", 100, Some(300)).await;
    let Err(NetError::Timeout(message)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, format!("no whole answer from {address} within 300 ms (receive): 0 bytes so far"));
}

#[tokio::test]
async fn the_runs_own_deadline_ends_every_call() {
    let (_listener, address) = listen().await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    lent.scope.deadline = Instant::now() + Duration::from_millis(300);
    let outcome = receive(&mut lent, &connection, "", 1, Some(60_000)).await;
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if message.contains("(receive)")), "{outcome:?}");

    // Nobody reads: what fits into the kernel's buffers goes, the rest waits.
    lent.scope.deadline = Instant::now() + Duration::from_millis(300);
    lent.meter = crate::meter::Meter::new(Limits { bytes_out: 1 << 40, host_calls: 1 << 20, ..Limits::default() });
    let stuck = loop {
        if let Err(error) = send(&mut lent, &connection, &vec![0; 1 << 20]).await {
            break error;
        }
    };
    assert!(matches!(&stuck, NetError::Timeout(message) if message.contains("(send)")), "{stuck:?}");
    let outcome = send(&mut lent, &connection, b"x").await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("closed already")), "{outcome:?}");
}

#[tokio::test]
async fn a_peer_that_drips_is_a_timeout() {
    let (address, _task) = repeating(b"x".to_vec(), Duration::from_millis(5)).await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "\r\n", 100_000, Some(300)).await;
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if message.contains("within 300 ms (receive)")), "{outcome:?}");
}

#[tokio::test]
async fn a_flood_is_read_no_further_than_was_asked_for() {
    let (address, task) = repeating(vec![b'x'; 64 << 10], Duration::ZERO).await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    for (until, bytes_max) in [("\r\n", 1000), ("", 1000), ("\r\n", 100_000)] {
        let answer = receive(&mut lent, &connection, until, bytes_max, None).await.expect("as much as was asked for");
        assert_eq!(answer.len(), usize::try_from(bytes_max).expect("a size"));
    }
    close(&mut lent, connection).await;
    task.await.expect("the peer can write no more");
    assert_eq!(lent.finish().bytes_in, 102_000);
}

#[tokio::test]
async fn a_peer_that_closes_at_once_is_told_as_closed() {
    let (address, task) = serve(|stream| async move { drop(stream) }).await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    task.await.expect("closed");
    let outcome = receive(&mut lent, &connection, "\r\n", 100, None).await;
    assert!(matches!(outcome, Err(NetError::Closed(_))), "{outcome:?}");
    // The first ones may still go out before the kernel learns that nobody is there.
    let sending = async {
        loop {
            if let Err(error) = send(&mut lent, &connection, b"x").await {
                break error;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let error = timeout(WAIT_MAX, sending).await.expect("the connection is known to be closed");
    assert!(matches!(error, NetError::Closed(_)), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_resets_is_told_as_closed_for_good() {
    let (address, task) = serve(|mut stream| async move {
        hear(&mut stream, "x").await;
        stream.set_zero_linger().expect("an option");
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    send(&mut lent, &connection, b"x").await.expect("sent");
    task.await.expect("reset");
    for until in ["\r\n", "", "\r\n"] {
        let outcome = receive(&mut lent, &connection, until, 100, None).await;
        assert!(matches!(&outcome, Err(NetError::Closed(message)) if message.contains("broke")), "{outcome:?}");
    }
}
