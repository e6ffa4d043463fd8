//! A cluster: each command to the node that has its slot, and on to where that node sends it.
//!
//! Where slots are is learnt from redirects (`MOVED`), never asked for. A redirect leads to a server of the operator's own, which is spoken
//! to with the source's credentials; only a source with `cluster = true` follows any.
//!
//! Limits: [`REDIRECTS_MAX`]. Commands of one call go to one node after the other, over one connection at a time.

use ::redis::cmd;

use super::client::Progress;
use super::connection::error_of;
use super::failure::Failure;
use super::policy::Effect;
use super::pool::{Lease, Target};
use super::request::Asked;
use super::settings::Address;
use crate::contract::redis::{Node, Reply};

/// Redirects of one command that are followed.
const REDIRECTS_MAX: usize = 4;
/// Slots of every cluster, as a mask.
const SLOT_MASK: u16 = 16_383;

/// A command on its way.
struct Errand {
    /// Its place in the call.
    index: usize,
    target: Target,
    entry: Entry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Plain,
    /// To a node that is taking the slot over: it must be told that it was named.
    Asking,
}

/// Sends `batch`, whose first keys are `keys`; replies in order.
pub(super) async fn scatter(
    lease: &mut Lease,
    batch: &[&Asked],
    keys: &[Option<&[u8]>],
    effect: Effect,
    progress: &mut Progress,
) -> Result<Vec<Reply>, Failure> {
    let mut replies: Vec<Option<Reply>> = batch.iter().map(|_| None).collect();
    let errand =
        |(index, key): (usize, &Option<&[u8]>)| Errand { index, target: lease.source().node_of(key.map(slot_of)), entry: Entry::Plain };
    let mut open: Vec<Errand> = keys.iter().enumerate().map(errand).collect();
    for redirects_left in (0..=REDIRECTS_MAX).rev() {
        let mut redirected = Vec::new();
        while let Some(target) = open.first().map(|errand| errand.target.clone()) {
            let (group, rest): (Vec<Errand>, Vec<Errand>) = open.into_iter().partition(|errand| errand.target == target);
            open = rest;
            lease.switch(target.clone(), &mut progress.phase).await?;
            let came = ask(lease, batch, &group, effect, progress).await?;
            for (errand, reply) in group.into_iter().zip(came) {
                match redirect_of(&reply, host_of(lease, &target)) {
                    Some((next, slot)) if redirects_left > 0 => {
                        if let Some(slot) = slot {
                            lease.source().slot_is_at(slot, next.clone());
                        }
                        let entry = if slot.is_some() { Entry::Plain } else { Entry::Asking };
                        redirected.push(Errand { index: errand.index, target: Target::Node(next), entry });
                    }
                    _ => replies[errand.index] = Some(reply),
                }
            }
        }
        open = redirected;
    }
    Ok(replies.into_iter().flatten().collect())
}

/// One round trip to the node that the lease speaks to; one reply for each of `group`.
async fn ask(
    lease: &mut Lease,
    batch: &[&Asked],
    group: &[Errand],
    effect: Effect,
    progress: &mut Progress,
) -> Result<Vec<Reply>, Failure> {
    let mut packed = Vec::new();
    for errand in group {
        if errand.entry == Entry::Asking {
            cmd("ASKING").write_packed_command(&mut packed);
        }
        packed.extend_from_slice(&batch[errand.index].packed);
    }
    let asking = group.iter().filter(|errand| errand.entry == Entry::Asking).count();
    let mut came = lease.exchange(&packed, group.len() + asking, effect, progress).await?.into_iter();
    let mut replies = Vec::with_capacity(group.len());
    for errand in group {
        if errand.entry == Entry::Asking {
            came.next();
        }
        replies.push(came.next().ok_or_else(|| Failure::Other("a node sent too few replies".to_owned()))?);
    }
    Ok(replies)
}

/// The host behind a target, which a redirect may leave out.
fn host_of<'a>(lease: &'a Lease, target: &'a Target) -> &'a str {
    match target {
        Target::Node(Address::Tcp { host, .. }) => host,
        Target::Home | Target::Node(Address::Unix(_)) => lease.source().settings.endpoint.host(),
    }
}

/// Where a reply sends the command, with the slot where it is there for good: `MOVED 3999 10.0.0.7:6379`, `ASK 3999 10.0.0.7:6379`.
fn redirect_of(reply: &[Node], answered: &str) -> Option<(Address, Option<u16>)> {
    let mut words = error_of(reply)?.split(' ');
    let (kind, slot, place) = (words.next()?, words.next()?.parse::<u16>().ok()?, words.next()?);
    let (host, port) = place.rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" { answered } else { host };
    let address = Address::Tcp { host: host.to_owned(), port: port.parse().ok()? };
    match kind {
        "MOVED" => Some((address, Some(slot))),
        "ASK" => Some((address, None)),
        _ => None,
    }
}

/// CRC-16 (XMODEM) of the key, or of what is between its first braces, so that keys can be kept together.
fn slot_of(key: &[u8]) -> u16 {
    let braced = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let inside = &key[open + 1..];
        let close = inside.iter().position(|&byte| byte == b'}')?;
        Some(&inside[..close])
    });
    let hashed = braced.filter(|inside| !inside.is_empty()).unwrap_or(key);
    let crc = hashed.iter().fold(0_u16, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    });
    crc & SLOT_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_slots_that_a_cluster_gives_them() {
        for (key, slot) in [
            ("123456789", 0x31c3 & SLOT_MASK),
            ("foo", 12_182),
            ("bar", 5061),
            ("", 0),
            ("{foo}bar", 12_182),
            ("x{foo}{bar}", 12_182),
            ("{}foo", 9500),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn redirects_are_read_in_every_spelling() {
        let tcp = |host: &str, port: u16| Address::Tcp { host: host.to_owned(), port };
        for (text, expected) in [
            ("MOVED 3999 10.0.0.7:6381", Some((tcp("10.0.0.7", 6381), Some(3999)))),
            ("MOVED 3999 :6381", Some((tcp("here", 6381), Some(3999)))),
            ("MOVED 3999 ?:6381", Some((tcp("here", 6381), Some(3999)))),
            ("MOVED 1 fd00::7:6381", Some((tcp("fd00::7", 6381), Some(1)))),
            ("ASK 3999 node.internal:6381", Some((tcp("node.internal", 6381), None))),
            ("MOVED 3999", None),
            ("MOVED x 10.0.0.7:6381", None),
            ("MOVED 1 10.0.0.7:x", None),
            ("WRONGTYPE 1 10.0.0.7:6381", None),
        ] {
            let reply = [Node::Failed(text.to_owned())];
            assert!(redirect_of(&reply, "here") == expected, "{text}");
        }
        assert!(redirect_of(&[Node::Simple("MOVED 1 10.0.0.7:6381".to_owned())], "here").is_none());
    }
}
