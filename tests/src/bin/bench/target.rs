//! The server that HTTP checks ask, in a process of its own so that its work is nobody else's: this binary with [`COMMAND`].

use std::convert::Infallible;
use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use anyhow::Context;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::process::Running;

/// Not for people: the bench starts itself with it.
pub(crate) const COMMAND: &str = "serve-target";

/// The server as the bench sees it.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    _process: Running,
}

impl Target {
    pub(crate) fn start() -> anyhow::Result<Target> {
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let mut process = Running::start(Command::new(program).arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output = process.take_stdout().context("the target has no output")?;
        let mut line = String::new();
        std::io::BufReader::new(output).read_line(&mut line).context("the target does not say where it listens")?;
        let address = line.trim().parse().with_context(|| format!("the target listens at `{}`", line.trim()))?;
        Ok(Target { address, _process: process })
    }
}

/// Answers every request with 200 until standard input ends, which it does when the bench does.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let mut nothing = [0_u8; 1];
    let mut input = tokio::io::stdin();
    tokio::select! {
        _ = input.read(&mut nothing) => Ok(()),
        error = take_connections(&listener) => Err(error.into()),
    }
}

async fn take_connections(listener: &TcpListener) -> std::io::Error {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return error,
        };
        tokio::spawn(async move {
            let answer = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"well\n")))) });
            // A client may close as it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
