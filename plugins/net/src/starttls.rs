//! What is said in the clear before a connection is encrypted, protocol by protocol.

use sickbay_sdk::net::Connection;
use sickbay_sdk::net::reply::{Reply, ask, shown};
use sickbay_sdk::prelude::*;

/// `SSLRequest`: its length, and 1234 5679 in place of a version.
const POSTGRES_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const IMAP_LINES_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    Smtp,
    Imap,
    Pop3,
    Ftp,
    Postgres,
}

impl Protocol {
    /// Up to the point where the handshake may begin.
    pub(crate) fn prepare(self, connection: &Connection) -> Result<(), Error> {
        match self {
            Protocol::Smtp => {
                Reply::receive(connection)?.expect(220, "connecting")?;
                ask(connection, "EHLO sickbay")?.expect(250, "EHLO")?;
                ask(connection, "STARTTLS")?.expect(220, "STARTTLS").map(drop)
            }
            Protocol::Ftp => {
                Reply::receive(connection)?.expect(220, "connecting")?;
                ask(connection, "AUTH TLS")?.expect(234, "AUTH TLS").map(drop)
            }
            Protocol::Imap => imap(connection),
            Protocol::Pop3 => {
                starts_with("+OK", &connection.receive_line()?)?;
                connection.send(b"STLS\r\n")?;
                starts_with("+OK", &connection.receive_line()?)
            }
            Protocol::Postgres => {
                connection.send(&POSTGRES_REQUEST)?;
                match connection.receive(1)?.as_slice() {
                    b"S" => Ok(()),
                    _ => Err(Error::service("protocol", "the server does not offer TLS")),
                }
            }
        }
    }
}

fn imap(connection: &Connection) -> Result<(), Error> {
    starts_with("* OK", &connection.receive_line()?)?;
    connection.send(b"s1 STARTTLS\r\n")?;
    for _ in 0..IMAP_LINES_MAX {
        let line = connection.receive_line()?;
        if line.starts_with("s1 ") {
            return starts_with("s1 OK", &line);
        }
    }
    Err(Error::service("protocol", "STARTTLS was not answered"))
}

fn starts_with(expected: &str, line: &str) -> Result<(), Error> {
    if line.starts_with(expected) {
        return Ok(());
    }
    Err(Error::service("protocol", format!("the server said {:?}, expected {expected}", shown(line))))
}
