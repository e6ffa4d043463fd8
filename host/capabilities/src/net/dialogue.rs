//! One connection as a guest uses it: send, receive, go over to TLS.
//!
//! `receive` answers as soon as it has what was asked for, and reads no further than it must: at most [`READ_BYTES`] beyond. Those are held
//! for the next `receive`. Where `until` does not come within `bytes-max` bytes, it answers so many bytes without it.
//! An answer has placeholders for secrets, and never ends within one: where it would end within what may be one, it waits for what comes
//! behind ([`Placeholders::piece_end`]).
//! A `receive` that ran out of time has lost nothing. A `send` or a handshake that did has ended the connection: nobody knows how much went out.
//!
//! Invariant: between two calls nothing is sent or read.

use std::io;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::target::{Place, Target};
use super::wire::{Wire, encrypt};
use super::{Security, deadline};
use crate::dial::{Phase, late};
use crate::failure::Failure;
use crate::purse::Purse;
use crate::secrets::{self, Placeholders, Towards};
use crate::services::Services;
use crate::tls::{Session, Trust};

pub(super) const SEND_BYTES_MAX: usize = 1 << 20;
const RECEIVE_BYTES_MAX: u32 = 1 << 20;
const UNTIL_BYTES_MAX: usize = 256;
/// Read at once.
const READ_BYTES: usize = 16 << 10;
/// Read at once behind an answer, to tell whether it ends within a secret.
const BEHIND_BYTES: usize = 256;

pub(super) struct Dialogue {
    /// None when it was closed from this side.
    wire: Option<Wire>,
    security: Security,
    /// What came and was not received yet.
    held: BytesMut,
    /// The end of what was received.
    given: Vec<u8>,
    ended: Option<End>,
    place: Place,
    server_name: Option<ServerName<'static>>,
    trust: Trust,
    handshake_time: Option<Duration>,
}

/// Why nothing more comes.
enum End {
    /// The peer closed.
    Closed,
    Broken(io::ErrorKind),
}

/// How much a `receive` waits for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Empty where only the number of bytes counts.
    until: Vec<u8>,
    bytes_max: usize,
    time: Option<Duration>,
}

impl Wanted {
    pub(super) fn new(until: Vec<u8>, bytes_max: u32, timeout_ms: Option<u32>) -> Result<Wanted, Failure> {
        if !(1..=RECEIVE_BYTES_MAX).contains(&bytes_max) {
            return Err(invalid(format!("`bytes-max` is {bytes_max}; hint: from 1 to {RECEIVE_BYTES_MAX}")));
        }
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        if until.len() > UNTIL_BYTES_MAX.min(bytes_max) {
            let (length, most) = (until.len(), UNTIL_BYTES_MAX.min(bytes_max));
            return Err(invalid(format!("`until` has {length} bytes, at most {most} fit")));
        }
        Ok(Wanted { until, bytes_max, time: timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.into())) })
    }

    /// How much of `held` is the answer, where it is known. The first `searched` bytes were looked through before.
    fn found(&self, held: &[u8], searched: usize) -> Option<usize> {
        let within = &held[..held.len().min(self.bytes_max)];
        let length = self.until.len();
        // The windows that began before and reach beyond are new ones.
        let from = searched.saturating_sub(length.saturating_sub(1)).min(within.len());
        let place = if length == 0 { None } else { within[from..].windows(length).position(|window| window == self.until) };
        match place {
            Some(at) => Some(from + at + length),
            None => (within.len() == self.bytes_max).then_some(self.bytes_max),
        }
    }
}

impl Dialogue {
    /// Where what is sent now goes to. A session that is not trusted counts as plain: anyone may read it.
    pub(super) fn towards(&self) -> Towards<'_> {
        let security = if self.trust == Trust::Reported { Security::Plain } else { self.security };
        match &self.place {
            Place::Host { host, port } => Towards::Host { security, host, port: *port },
            Place::Socket(path) => Towards::Socket(path),
        }
    }

    pub(super) fn new(wire: Wire, target: Target) -> Dialogue {
        let Target { place, security, server_name, trust, time } = target;
        Dialogue {
            wire: Some(wire),
            security,
            held: BytesMut::new(),
            given: Vec::new(),
            ended: None,
            place,
            server_name,
            trust,
            handshake_time: time,
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8], run_deadline: Instant) -> Result<(), Failure> {
        let began = Instant::now();
        let wire = self.wire.as_mut().ok_or_else(closed_already)?;
        let sending = async {
            wire.write_all(bytes).await?;
            wire.flush().await
        };
        match timeout_at(run_deadline, sending).await {
            Ok(Ok(())) => Ok(()),
            // What the peer said before it closed can still be received.
            Ok(Err(error)) => Err(Failure::Protocol(format!("the peer takes no more: {} ({})", error.kind(), self.place))),
            Err(_) => {
                self.wire = None;
                let ms = run_deadline.saturating_duration_since(began).as_millis();
                Err(Failure::Timeout(format!("{} did not take all within {ms} ms (send)", self.place)))
            }
        }
    }

    /// What is read is paid for out of `purse` as it comes.
    pub(super) async fn receive(
        &mut self,
        wanted: &Wanted,
        services: &Services,
        placeholders: &Placeholders,
        purse: &Purse,
        run_deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let began = Instant::now();
        let deadline = deadline(wanted.time, run_deadline);
        let length = match timeout_at(deadline, self.fill(wanted, placeholders, purse)).await {
            Ok(length) => length?,
            Err(_) => {
                let (place, ms) = (&self.place, deadline.saturating_duration_since(began).as_millis());
                let held = self.held.len();
                return Err(Failure::Timeout(format!("no whole answer from {place} within {ms} ms (receive): {held} bytes so far")));
            }
        };
        let answer = self.held.split_to(length).to_vec();
        let mut end = secrets::End::Whole;
        if self.held.is_empty() {
            // The room of a long answer is not kept.
            self.held = BytesMut::new();
            if self.is_over() {
                end = secrets::End::Cut;
            }
        }
        let mut given = std::mem::take(&mut self.given);
        let masking = services.masking.run(placeholders, answer.len(), move |placeholders| {
            let masked = placeholders.mask_piece(&mut given, answer, end);
            (masked, given)
        });
        let Ok(Some((masked, given))) = timeout_at(run_deadline, masking).await else {
            // What comes next cannot be judged without what went before it.
            (self.wire, self.held) = (None, BytesMut::new());
            return Err(late(&self.place.to_string(), run_deadline.saturating_duration_since(began)));
        };
        self.given = given;
        Ok(masked)
    }

    /// Reads until it is known how much of what is held is the answer.
    async fn fill(&mut self, wanted: &Wanted, placeholders: &Placeholders, purse: &Purse) -> Result<usize, Failure> {
        let mut searched = 0;
        loop {
            let length = match (wanted.found(&self.held, searched), &self.ended) {
                (Some(length), _) => Some(length),
                (None, None) => None,
                (None, Some(End::Closed)) if wanted.until.is_empty() => Some(self.held.len()),
                (None, Some(end)) => return Err(ended_early(end, self.held.len(), &self.place)),
            };
            let room = match length {
                None => {
                    searched = self.held.len();
                    wanted.bytes_max - searched
                }
                Some(length) => {
                    let end = if self.is_over() { secrets::End::Whole } else { secrets::End::Cut };
                    match placeholders.piece_end(&self.given, &self.held, length, end) {
                        Some(length) => return Ok(length),
                        None => BEHIND_BYTES,
                    }
                }
            };
            self.read(room, purse).await?;
        }
    }

    /// Nothing more comes.
    fn is_over(&self) -> bool {
        self.ended.is_some() || self.wire.is_none()
    }

    /// Reads once, at most `room` bytes, and no more than the first that the run cannot pay for.
    async fn read(&mut self, room: usize, purse: &Purse) -> Result<(), Failure> {
        let wire = self.wire.as_mut().ok_or_else(closed_already)?;
        let payable = usize::try_from(purse.bytes_in_left().saturating_add(1)).unwrap_or(usize::MAX);
        let room = room.min(READ_BYTES).min(payable);
        let before = self.held.len();
        self.held.reserve(room);
        match wire.read_buf(&mut (&mut self.held).limit(room)).await {
            Ok(0) => self.ended = Some(End::Closed),
            Ok(count) => {
                if let Err(exceeded) = purse.receive(u64::try_from(count).unwrap_or(u64::MAX)) {
                    self.held.truncate(before);
                    return Err(exceeded.into());
                }
            }
            // TLS without its farewell: so many servers close like that.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended = Some(End::Closed),
            Err(error) => self.ended = Some(End::Broken(error.kind())),
        }
        Ok(())
    }

    pub(super) async fn start_tls(&mut self, services: &Services, run_deadline: Instant) -> Result<Session, Failure> {
        if self.security == Security::Tls {
            return Err(invalid("the connection is encrypted already".to_owned()));
        }
        // Whoever sits between could have put them there, to be taken for what came encrypted.
        if !self.held.is_empty() {
            let held = self.held.len();
            return Err(invalid(format!("{held} unread bytes are held; hint: receive all that the peer said before `start-tls`")));
        }
        let Some(name) = self.server_name.clone() else {
            return Err(invalid(format!("TLS to {} needs a `server-name`; hint: name it in the target", self.place)));
        };
        let wire = self.wire.take().ok_or_else(closed_already)?;
        let began = Instant::now();
        let deadline = deadline(self.handshake_time, run_deadline);
        match timeout_at(deadline, encrypt(services, wire, &name, self.trust, &self.place)).await {
            Ok(encrypted) => {
                let (wire, session) = encrypted?;
                self.wire = Some(wire);
                self.security = Security::Tls;
                Ok(session)
            }
            Err(_) => Err(self.place.timed_out(Phase::Tls, deadline.saturating_duration_since(began))),
        }
    }
}

fn ended_early(end: &End, held: usize, place: &Place) -> Failure {
    Failure::Protocol(match end {
        End::Closed => format!("the peer closed before `until` came, after {held} bytes that can still be received ({place})"),
        End::Broken(kind) => format!("the connection broke before the answer was whole: {kind} ({place})"),
    })
}

fn closed_already() -> Failure {
    invalid("the connection is closed already".to_owned())
}

fn invalid(message: String) -> Failure {
    Failure::Invalid(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(until: &[u8], bytes_max: u32) -> Wanted {
        Wanted::new(until.to_vec(), bytes_max, None).expect("within the bounds")
    }

    #[test]
    fn the_answer_ends_with_until_or_at_the_bound() {
        for (until, bytes_max, held, expected) in [
            (&b"\r\n"[..], 100, &b""[..], None),
            (b"\r\n", 100, b"220 ready\r", None),
            (b"\r\n", 100, b"220 ready\r\n", Some(11)),
            (b"\r\n", 100, b"220 ready\r\n250 ok\r\n", Some(11)),
            (b"\r\n", 11, b"220 ready\r\n", Some(11)),
            (b"\r\n", 10, b"220 ready\r\n", Some(10)),
            (b"\r\n", 4, b"220 ready\r\n", Some(4)),
            (b"aab", 100, b"aaab", Some(4)),
            (b"", 4, b"220", None),
            (b"", 4, b"220 ready", Some(4)),
        ] {
            for searched in 0..=held.len() {
                let before = wanted(until, bytes_max).found(&held[..searched], 0);
                if before.is_none() {
                    assert_eq!(wanted(until, bytes_max).found(held, searched), expected, "{until:?} in {held:?} from {searched}");
                }
            }
        }
    }

    #[test]
    fn what_passes_a_bound_is_invalid() {
        let long = vec![b'x'; UNTIL_BYTES_MAX + 1];
        for (until, bytes_max) in [(&b""[..], 0), (b"", RECEIVE_BYTES_MAX + 1), (b"\r\n", 1), (&long, RECEIVE_BYTES_MAX)] {
            let outcome = Wanted::new(until.to_vec(), bytes_max, None);
            assert!(matches!(outcome, Err(Failure::Invalid(_))), "{bytes_max}: {outcome:?}");
        }
        assert!(Wanted::new(vec![b'x'; UNTIL_BYTES_MAX], RECEIVE_BYTES_MAX, None).is_ok());
    }
}
