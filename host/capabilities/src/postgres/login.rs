//! How a connection is entered: the parameters of the session, and the answers to what the server asks for.

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;

use super::failure::{Failure, ServerError};
use super::settings::{Endpoint, Manner};
use super::wire::{Broken, Message, Parts, Wire, tag};

const APPLICATION_NAME: &str = "sickbay";
/// Rounds of hashing that a server may ask for. It is done on the thread of the run: this many take about a tenth of a second.
const SCRAM_ITERATIONS_MAX: u32 = 200_000;

/// Greets the server and answers until it is ready for statements.
pub(super) async fn enter(wire: &mut Wire, source: &str, endpoint: &Endpoint, manner: Manner) -> Result<(), Failure> {
    let mut outgoing = BytesMut::new();
    frontend::startup_message(parameters(endpoint, manner), &mut outgoing).map_err(|_| unsendable())?;
    wire.send(&outgoing).await;
    let mut login = Login { endpoint, scram: None };
    loop {
        let message = wire.message(0).await.map_err(|broken| unentered(broken, source, endpoint))?;
        match message.tag {
            tag::AUTHENTICATION => {
                let mut answer = BytesMut::new();
                login.answer(&message, &mut answer)?;
                if !answer.is_empty() {
                    wire.send(&answer).await;
                }
            }
            tag::ERROR => return Err(ServerError::parse(&message.body).into_failure(source, endpoint)),
            tag::READY => return Ok(()),
            tag::KEY_DATA | tag::NEGOTIATE | tag::NOTICE | tag::PARAMETER_STATUS => {}
            _ => return Err(unentered(Broken::Malformed, source, endpoint)),
        }
    }
}

/// How values are printed is told in advance, whatever the role or the database has. PgBouncer takes only some of it.
fn parameters(endpoint: &Endpoint, manner: Manner) -> Vec<(&str, &str)> {
    let mut parameters = vec![
        ("user", endpoint.user.as_str()),
        ("database", endpoint.database.as_str()),
        ("application_name", endpoint.application_name.as_deref().unwrap_or(APPLICATION_NAME)),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("TimeZone", "UTC"),
    ];
    if manner == Manner::Direct {
        parameters.extend([("IntervalStyle", "postgres"), ("bytea_output", "hex"), ("extra_float_digits", "3")]);
    }
    parameters.extend(endpoint.options.as_deref().map(|options| ("options", options)));
    parameters
}

struct Login<'source> {
    endpoint: &'source Endpoint,
    scram: Option<ScramSha256>,
}

impl Login<'_> {
    /// Writes nothing where the server waits for nothing.
    fn answer(&mut self, message: &Message, answer: &mut BytesMut) -> Result<(), Failure> {
        let mut parts = Parts(&message.body);
        let kind = parts.u32();
        let written = match kind {
            Some(0) => return Ok(()),
            Some(3) => frontend::password_message(self.password()?, answer),
            Some(5) => {
                let salt = parts.bytes(4).and_then(|salt| salt.try_into().ok()).ok_or_else(unknown)?;
                let hash = md5_hash(self.endpoint.user.as_bytes(), self.password()?, salt);
                frontend::password_message(hash.as_bytes(), answer)
            }
            Some(10) => {
                let offered = parts.0.split(|byte| *byte == 0).any(|name| name == SCRAM_SHA_256.as_bytes());
                if !offered {
                    return Err(unknown());
                }
                let scram = ScramSha256::new(self.password()?, ChannelBinding::unsupported());
                let written = frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), answer);
                self.scram = Some(scram);
                written
            }
            Some(11) => {
                let scram = self.scram.as_mut().ok_or_else(unknown)?;
                if iterations(parts.0).is_none_or(|iterations| iterations > SCRAM_ITERATIONS_MAX) {
                    let message = format!("the server asks for more than {SCRAM_ITERATIONS_MAX} rounds of hashing (`scram_iterations`)");
                    return Err(Failure::Other(message));
                }
                scram.update(parts.0).map_err(|_| unknown())?;
                frontend::sasl_response(scram.message(), answer)
            }
            Some(12) => {
                let scram = self.scram.as_mut().ok_or_else(unknown)?;
                let message = "the server could not prove that it knows the source's password";
                return scram.finish(parts.0).map_err(|_| Failure::Authentication(message.to_owned()));
            }
            _ => return Err(unknown()),
        };
        written.map_err(|_| unsendable())
    }

    fn password(&self) -> Result<&[u8], Failure> {
        let message = "the server asks for a password and the source has none; hint: put it into the source's `url`";
        self.endpoint.password.as_deref().map(str::as_bytes).ok_or_else(|| Failure::Authentication(message.to_owned()))
    }
}

/// `r=...,s=...,i=4096`
fn iterations(challenge: &[u8]) -> Option<u32> {
    let count = challenge.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"i="))?;
    std::str::from_utf8(count).ok()?.parse().ok()
}

fn unknown() -> Failure {
    let message = "the server asks for a way to log in that Sickbay does not have; hint: it has `scram-sha-256`, `md5` and `password`";
    Failure::Other(message.to_owned())
}

fn unsendable() -> Failure {
    Failure::Invalid("the source's user, password or database cannot be sent".to_owned())
}

fn unentered(broken: Broken, source: &str, endpoint: &Endpoint) -> Failure {
    match broken {
        Broken::Gone => Failure::Connect("the server closed the connection before it was ready".to_owned()),
        Broken::Refused(error) => error.into_failure(source, endpoint),
        Broken::TooLarge(_) | Broken::Malformed | Broken::Copies => {
            Failure::Other("what answers there does not speak PostgreSQL's protocol".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_a_password_is_hashed_is_read_from_the_challenge() {
        assert_eq!(iterations(b"r=abc,s=c2FsdA==,i=4096"), Some(4096));
        assert_eq!(iterations(b"r=abc,s=c2FsdA==,i=99999999999"), None);
        assert_eq!(iterations(b"r=abc,s=c2FsdA=="), None);
    }

    #[test]
    fn a_pooler_is_told_only_what_it_takes() {
        let endpoint = Endpoint::parse("postgres://u@h/d").expect("a URL");
        let names = |manner| parameters(&endpoint, manner).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let few = ["user", "database", "application_name", "client_encoding", "DateStyle", "TimeZone"];
        assert_eq!(names(Manner::Pooled), few);
        assert_eq!(names(Manner::Console), few);
        assert!(names(Manner::Direct).contains(&"extra_float_digits"));
    }
}
