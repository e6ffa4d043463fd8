//! What the bytes of a connection go over, and TLS on top of it.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use super::target::Place;
use crate::failure::Failure;
use crate::services::Services;
use crate::tls::{self, Session, Trust};

/// Bytes both ways: TCP, a UNIX socket, TLS over either.
pub(crate) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for S {}

/// Dropping it closes it.
pub(crate) type Wire = Box<dyn Bytestream>;

/// The caller bounds it in time. No protocol is offered: what is spoken is the guest's affair, and a server may refuse all but its own.
pub(super) async fn encrypt(
    services: &Services,
    wire: Wire,
    name: &ServerName<'static>,
    trust: Trust,
    place: &Place,
) -> Result<(Wire, Session), Failure> {
    let handshake = services.tls.connector(trust).with_alpn(Vec::new()).connect(name.clone(), wire);
    let stream = handshake.await.map_err(|error| Failure::Tls(format!("{} ({place})", tls::explain(&error))))?;
    let session = services.tls.describe(stream.get_ref().1, name, trust);
    let wire: Wire = Box::new(stream);
    Ok((wire, session))
}
