//! One question to one DNS server: over UDP, and again over TCP where the answer did not fit.
//!
//! It has no time of its own: the caller bounds it, and dropping it closes its socket.
//!
//! Invariant: an answer counts only where it comes from the server that was asked and repeats the number and the question.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Message, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};

/// Nothing larger is asked for; there is room for servers that send more than they should.
const DATAGRAM_BYTES_MAX: usize = 4 << 10;

pub(super) async fn ask(server: SocketAddr, query: Query) -> io::Result<Message> {
    // With a number of its own, made at random.
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(query);
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let answer = over_udp(server, &question, &bytes).await?;
    if answer.metadata.truncation { over_tcp(server, &question, &bytes).await } else { Ok(answer) }
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any_port = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    // One socket for each question, so that each has a port that nobody can guess.
    let socket = UdpSocket::bind(any_port).await?;
    // What others send is dropped from here on, and a closed port is an error.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = receive(&socket, &mut datagram).await?;
        if let Some(answer) = answer_to(question, &datagram[..length]) {
            return answer;
        }
    }
}

/// A closed port is told by an error alone, which does not wake whoever waits for a datagram.
async fn receive(socket: &UdpSocket, datagram: &mut [u8]) -> io::Result<usize> {
    let error = socket.async_io(Interest::ERROR, || match socket.take_error()? {
        Some(error) => Err(error),
        None => Err(io::ErrorKind::WouldBlock.into()),
    });
    tokio::select! {
        biased;
        received = socket.recv(datagram) => received,
        error = error => error,
    }
}

/// In TCP a message has its length in front.
async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes()[..], bytes].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    answer_to(question, &answer).unwrap_or_else(|| Err(io::ErrorKind::InvalidData.into()))
}

/// None for what is no answer to `question`.
fn answer_to(question: &Message, bytes: &[u8]) -> Option<io::Result<Message>> {
    // Looked at before anything is parsed: the number, whether it is an answer, and that it repeats one question.
    let [number_high, number_low, flags, _, questions_high, questions_low, ..] = bytes else { return None };
    let is_answer = u16::from_be_bytes([*number_high, *number_low]) == question.metadata.id && flags & 0x80 != 0;
    if !is_answer || (*questions_high, *questions_low) != (0, 1) {
        return None;
    }
    match Message::from_vec(bytes) {
        Ok(answer) => (answer.queries == question.queries).then_some(Ok(answer)),
        Err(error) => Some(Err(io::Error::new(io::ErrorKind::InvalidData, error))),
    }
}
