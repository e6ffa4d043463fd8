//! Wrong tokens: how often an address may try, and what the log says of it.
//!
//! A right token is let in whatever came before it: 256 random bits are not found by trying, and behind a proxy one caller with an old
//! token would lock out all others. What is bounded is what the wrong ones cost: their answers and log lines.
//!
//! Limits: [`ATTEMPTS_PER_MINUTE_MAX`] for an address (of IPv6 for its /64), for [`SOURCES_MAX`] addresses at once; while there are more,
//! every further wrong token is one too many. [`LOG_LINES_PER_MINUTE_MAX`] lines for all together.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::problem::{Problem, ProblemKind};
use super::tokens::Denial;
use crate::metrics::DeniedReason;

const ATTEMPTS_PER_MINUTE_MAX: NonZeroU32 = NonZeroU32::new(30).unwrap();
const SOURCES_MAX: usize = 10_000;
const LOG_LINES_PER_MINUTE_MAX: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Counts wrong tokens by the address that they come from.
pub(crate) struct Attempts {
    sources: DefaultKeyedRateLimiter<IpAddr>,
    lines: DefaultDirectRateLimiter,
}

impl Default for Attempts {
    fn default() -> Attempts {
        Attempts {
            sources: RateLimiter::keyed(Quota::per_minute(ATTEMPTS_PER_MINUTE_MAX)),
            lines: RateLimiter::direct(Quota::per_minute(LOG_LINES_PER_MINUTE_MAX)),
        }
    }
}

impl Attempts {
    /// What to answer to a denied request of `source`. Only one with a wrong token counts.
    pub(crate) fn note(&self, denial: Denial, source: IpAddr) -> Denial {
        if denial.reason != DeniedReason::Unknown {
            return denial;
        }
        let source = network(source);
        if !self.is_one_more_allowed(source) {
            let problem = Problem::new(ProblemKind::TooManyAttempts, "too many wrong tokens came from this address")
                .hint("see which program here has an old token; a right one is let in at any time");
            return Denial { reason: DeniedReason::TooMany, holder: None, problem: Box::new(problem) };
        }
        if self.lines.check().is_ok() {
            tracing::warn!(%source, "a request with a token that is nobody's was refused");
        }
        denial
    }

    fn is_one_more_allowed(&self, source: IpAddr) -> bool {
        if self.sources.len() >= SOURCES_MAX {
            self.sources.retain_recent();
        }
        self.sources.len() < SOURCES_MAX && self.sources.check_key(&source).is_ok()
    }
}

/// What one caller can have of addresses.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(first, second, third, fourth, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Denial {
        Denial { reason: DeniedReason::Unknown, holder: None, problem: Box::new(Problem::new(ProblemKind::TokenUnknown, "x")) }
    }

    fn status(attempts: &Attempts, source: &str) -> u16 {
        attempts.note(wrong(), source.parse().unwrap()).problem.status
    }

    #[test]
    fn an_address_that_tries_too_often_is_told_and_another_one_is_not() {
        let attempts = Attempts::default();
        let answers: Vec<u16> = (0..200).map(|_| status(&attempts, "192.0.2.1")).collect();
        assert!(answers.starts_with(&[401; 30]), "{answers:?}");
        assert!(answers.contains(&429), "{answers:?}");
        assert_eq!(status(&attempts, "192.0.2.2"), 401);
    }

    #[test]
    fn a_missing_token_is_not_an_attempt() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            let missing =
                Denial { reason: DeniedReason::Missing, holder: None, problem: Box::new(Problem::new(ProblemKind::TokenMissing, "x")) };
            assert_eq!(attempts.note(missing, "192.0.2.1".parse().unwrap()).problem.status, 401);
        }
        assert!(attempts.sources.is_empty());
    }

    #[test]
    fn a_caller_has_one_network_however_it_writes_its_address() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(network("2001:db8::1".parse().unwrap()), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn more_addresses_than_there_is_room_for_are_one_too_many_each() {
        let attempts = Attempts::default();
        for number in 0..SOURCES_MAX as u32 {
            attempts.note(wrong(), IpAddr::V4(number.into()));
        }
        assert_eq!(status(&attempts, "192.0.2.1"), 429);
        assert_eq!(attempts.sources.len(), SOURCES_MAX);
    }
}
