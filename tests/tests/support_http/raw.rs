//! Servers that do over TCP what no real one would: each conversation is a function.
//!
//! They end with the test program; a conversation ends as soon as the client goes away.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Listens on a free port and holds `talk` with everyone who connects.
pub(crate) fn listen(talk: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    let talk = Arc::new(talk);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let talk = Arc::clone(&talk);
            // The client ends most conversations in the middle: that is what is tested.
            thread::spawn(move || {
                let _ = talk(&mut stream);
            });
        }
    });
    address
}

/// Reads a request and answers with `answer`, whatever was asked.
pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    listen(move |stream| {
        read_head(stream)?;
        stream.write_all(&answer)
    })
}

/// As [`answering`], and then `more` for ever.
pub(crate) fn answering_endlessly(answer: &'static str, more: impl Into<Vec<u8>>) -> SocketAddr {
    let more = more.into();
    listen(move |stream| {
        read_head(stream)?;
        stream.write_all(answer.as_bytes())?;
        loop {
            stream.write_all(&more)?;
        }
    })
}

/// As [`answering`], and then one byte every 100 ms for ever.
pub(crate) fn dripping(answer: &'static str) -> SocketAddr {
    listen(move |stream| {
        read_head(stream)?;
        stream.write_all(answer.as_bytes())?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// Takes the connection and the request, and never answers.
pub(crate) fn hanging() -> SocketAddr {
    listen(until_closed)
}

/// A port that nobody listens on: it is reserved for a service that nobody runs.
pub(crate) fn closed() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

/// The request up to the end of its headers.
pub(crate) fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = stream.read(&mut part)?;
        if length == 0 {
            break;
        }
        head.extend_from_slice(&part[..length]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Reads until the client goes away.
pub(crate) fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    let mut part = [0; 1024];
    while stream.read(&mut part)? > 0 {}
    Ok(())
}
