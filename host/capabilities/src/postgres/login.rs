//! How a connection is entered: the parameters of the session, and the answers to what the server asks for.
//!
//! The rounds of hashing that SCRAM takes are `postgres-protocol`'s, which does them in one go. Many of them are done beside the threads of
//! the runs.

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::ending::Key;
use super::failure::{Failure, ServerError};
use super::settings::{Endpoint, Manner};
use super::wire::{Broken, Message, Parts, Wire, tag};
use crate::dial::UNEXPECTED;

const APPLICATION_NAME: &str = "sickbay";
/// Rounds of hashing that a server may ask for, and that the crate does: they take up to a tenth of a second. Servers ask for 4,096.
const SCRAM_ITERATIONS_MAX: u32 = 100_000;
/// That are done on the thread of the run, where all other runs wait for them.
const SCRAM_ITERATIONS_HERE_MAX: u32 = 10_000;
/// For more of them at once; also those that nobody waits for any more count.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Greets the server and answers until it is ready for statements. Gives with which key it can be told to cancel.
pub(super) async fn enter(wire: &mut Wire, source: &str, endpoint: &Endpoint, manner: Manner) -> Result<Option<Key>, Failure> {
    let mut outgoing = BytesMut::new();
    frontend::startup_message(parameters(endpoint, manner), &mut outgoing).map_err(|_| unsendable())?;
    wire.send(&outgoing).await;
    let mut login = Login { endpoint, scram: None };
    let mut key = None;
    loop {
        let message = wire.message(0).await.map_err(|broken| unentered(broken, source, endpoint))?;
        match message.tag {
            tag::AUTHENTICATION => {
                let mut answer = BytesMut::new();
                login.answer(&message, &mut answer).await?;
                if !answer.is_empty() {
                    wire.send(&answer).await;
                }
            }
            tag::ERROR => return Err(ServerError::parse(&message.body).into_failure(source, endpoint)),
            tag::READY => return Ok(key),
            tag::KEY_DATA => key = Key::read(&message.body),
            tag::NEGOTIATE | tag::NOTICE | tag::PARAMETER_STATUS => {}
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
    async fn answer(&mut self, message: &Message, answer: &mut BytesMut) -> Result<(), Failure> {
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
                let scram = self.scram.take().ok_or_else(unknown)?;
                let answered = challenged(scram, parts.0).await?;
                let scram = self.scram.insert(answered);
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

/// Hashes the password as often as the server's challenge says.
async fn challenged(mut scram: ScramSha256, challenge: &[u8]) -> Result<ScramSha256, Failure> {
    let count = iterations(challenge).filter(|count| *count <= SCRAM_ITERATIONS_MAX).ok_or_else(|| {
        Failure::Other(format!("the server asks for more than {SCRAM_ITERATIONS_MAX} rounds of hashing (`scram_iterations`)"))
    })?;
    if count <= SCRAM_ITERATIONS_HERE_MAX {
        scram.update(challenge).map_err(|_| unknown())?;
        return Ok(scram);
    }
    let ended = || Failure::Invalid(UNEXPECTED.to_owned());
    let turn = HASHING.acquire().await.map_err(|_| ended())?;
    let challenge = challenge.to_vec();
    let hashing = spawn_blocking(move || {
        let _turn = turn;
        scram.update(&challenge).map(|()| scram)
    });
    hashing.await.map_err(|_| ended())?.map_err(|_| unknown())
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
        Broken::Exceeded(exceeded) => exceeded.into(),
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

    #[tokio::test]
    async fn a_password_is_hashed_as_often_as_the_server_says_and_no_more_often() {
        let hashed = async |count: u32| {
            let scram = ScramSha256::new(b"secret", ChannelBinding::unsupported());
            let first = String::from_utf8(scram.message().to_vec()).expect("text");
            let (_, nonce) = first.split_once("r=").expect("a nonce");
            let challenge = format!("r={nonce}server,s=c2FsdA==,i={count}");
            challenged(scram, challenge.as_bytes()).await.map(|scram| String::from_utf8_lossy(scram.message()).into_owned())
        };
        for count in [4096, SCRAM_ITERATIONS_HERE_MAX + 1] {
            let answer = hashed(count).await.unwrap_or_else(|failure| panic!("{count}: {failure:?}"));
            assert!(answer.contains(",p="), "{answer}");
        }
        let refused = hashed(SCRAM_ITERATIONS_MAX + 1).await;
        assert!(matches!(&refused, Err(Failure::Other(message)) if message.contains("scram_iterations")), "{refused:?}");
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
