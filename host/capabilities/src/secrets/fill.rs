//! Secrets in the place of placeholders: what goes out.
//!
//! Invariant: nothing is filled in before every secret of the whole text is authorised.
//! Invariant: in a URL a secret stays within its component: nothing is filled in before the URL is parsed, all that could end a component
//! is percent-encoded, the host never takes one, and none makes a path climb.

use ::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use url::{Position, Url};
use zeroize::Zeroizing;

use super::encode;
use super::escape::hex;
use super::grant::Grant;
use super::placeholder::{Found, PLACEHOLDER_BYTES, Placeholders, names_of};
use super::policy::{self, Purpose, Towards};
use crate::denial::{Capability, Denial, DenialReason};
use crate::failure::Failure;

/// The contract's bounds hold for what is filled in as well.
const TARGET_BYTES_MAX: usize = 8 << 10;
const HEADER_BYTES_MAX: usize = 32 << 10;
const BODY_BYTES_MAX: usize = 1 << 20;

/// What of a request is another once its secrets are filled in.
pub(crate) struct FilledRequest {
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// How much longer it is than what the guest gave.
    pub(crate) bytes_added: u64,
}

/// How a secret is written into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    AsItIs,
    Percent,
}

impl Placeholders {
    /// None where the request has no placeholder in it.
    pub(crate) fn fill_request(
        &self,
        grants: &[Grant],
        method: &str,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<Option<FilledRequest>, Failure> {
        if self.is_empty() {
            return Ok(None);
        }
        if self.stand_in(url[..Position::BeforePath].as_bytes()) {
            return Err(Failure::Invalid("a secret cannot be the scheme, the host or the port of a URL".to_owned()));
        }
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let in_target = self.find(target.as_bytes());
        let in_headers: Vec<Vec<Found<'_>>> = headers.iter().map(|(_, value)| self.find(value.as_bytes())).collect();
        let in_body = self.find(body);
        let all: Vec<Found<'_>> = in_target.iter().chain(in_headers.iter().flatten()).chain(&in_body).copied().collect();
        if all.is_empty() {
            return Ok(None);
        }
        authorise(grants, &all, &Purpose::Sending(Towards::Http { method, url }))?;
        let filled_target = fill_target(target, &in_target)?;
        let filled_headers = fill_headers(headers, &in_headers)?;
        let filled_body = match in_body.as_slice() {
            [] => body.clone(),
            found => {
                fill(body, found, Manner::AsItIs, BODY_BYTES_MAX).map(Bytes::from_owner).ok_or_else(|| too_long("body", BODY_BYTES_MAX))?
            }
        };
        let given = target.len() + headers_len(headers) + body.len();
        let sent = filled_target.len() + headers_len(&filled_headers) + filled_body.len();
        Ok(Some(FilledRequest {
            target: filled_target,
            headers: filled_headers,
            body: filled_body,
            bytes_added: u64::try_from(sent.saturating_sub(given)).unwrap_or(u64::MAX),
        }))
    }

    /// What of a request follows a redirect to another origin, where nothing is filled in any more: headers with a placeholder stay behind,
    /// and a body with one lets nothing follow.
    pub(crate) fn leave_origin(&self, headers: &mut Vec<(HeaderName, HeaderValue)>, body: &[u8]) -> Result<(), Denial> {
        headers.retain(|(_, value)| !self.stand_in(value.as_bytes()));
        let found = self.find(body);
        if found.is_empty() {
            return Ok(());
        }
        Err(Denial {
            capability: Capability::Secrets,
            reason: DenialReason::Redirect,
            message: format!("a redirect leads a body with {} to another origin", told(&found)),
            hint: "no grant allows it; send the request to where the redirect leads".to_owned(),
        })
    }

    /// Of a dialogue: one send, which is at most `bytes_max` long when it is filled in.
    pub(crate) fn fill_bytes(&self, grants: &[Grant], towards: Towards<'_>, bytes: Vec<u8>, bytes_max: usize) -> Result<Bytes, Failure> {
        let found = self.find(&bytes);
        if found.is_empty() {
            return Ok(Bytes::from(bytes));
        }
        authorise(grants, &found, &Purpose::Sending(towards))?;
        fill(&bytes, &found, Manner::AsItIs, bytes_max).map(Bytes::from_owner).ok_or_else(|| too_long("data", bytes_max))
    }
}

/// The one place that asks the policy for what was found.
pub(super) fn authorise(grants: &[Grant], found: &[Found<'_>], purpose: &Purpose<'_>) -> Result<(), Failure> {
    for name in names_of(found) {
        policy::authorise(grants, &name, purpose)?;
    }
    Ok(())
}

/// `text` with what stands behind each of `found`; None where it would be longer than `bytes_max`.
pub(super) fn fill(text: &[u8], found: &[Found<'_>], manner: Manner, bytes_max: usize) -> Option<Zeroizing<Vec<u8>>> {
    let values: usize = found.iter().map(|found| manner.length(found.entry.value().bytes())).sum();
    let length = text.len() - found.len() * PLACEHOLDER_BYTES + values;
    if length > bytes_max {
        return None;
    }
    // As large as it gets: one that grew would leave a secret behind.
    let mut filled = Zeroizing::new(Vec::<u8>::with_capacity(length));
    let mut rest = 0;
    for found in found {
        filled.extend_from_slice(&text[rest..found.at]);
        manner.write(found.entry.value().bytes(), &mut filled);
        rest = found.at + PLACEHOLDER_BYTES;
    }
    filled.extend_from_slice(&text[rest..]);
    Some(filled)
}

impl Manner {
    fn length(self, value: &[u8]) -> usize {
        match self {
            Manner::AsItIs => value.len(),
            Manner::Percent => encode::percent_len(value),
        }
    }

    fn write(self, value: &[u8], filled: &mut Vec<u8>) {
        match self {
            Manner::AsItIs => filled.extend_from_slice(value),
            Manner::Percent => encode::percent(value, filled),
        }
    }
}

fn fill_target(target: &str, found: &[Found<'_>]) -> Result<String, Failure> {
    if found.is_empty() {
        return Ok(target.to_owned());
    }
    let filled = fill(target.as_bytes(), found, Manner::Percent, TARGET_BYTES_MAX).ok_or_else(|| too_long("URL", TARGET_BYTES_MAX))?;
    // A serialised URL is ASCII, and so is what is percent-encoded.
    let filled = String::from_utf8_lossy(&filled).into_owned();
    let path = filled.split_once('?').map_or(filled.as_str(), |(path, _)| path);
    if climbs(path.as_bytes()) {
        return Err(Failure::Host(format!("{} would make the URL's path climb by a `..`", told(found))));
    }
    Ok(filled)
}

fn fill_headers(headers: &[(HeaderName, HeaderValue)], found: &[Vec<Found<'_>>]) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let too_long = || too_long("headers", HEADER_BYTES_MAX);
    let mut filled_headers = Vec::with_capacity(headers.len());
    for ((name, value), found) in headers.iter().zip(found) {
        let value = if found.is_empty() {
            value.clone()
        } else {
            let filled = fill(value.as_bytes(), found, Manner::AsItIs, HEADER_BYTES_MAX).ok_or_else(too_long)?;
            // The placeholder's value was fit for a header, so it is the secret that is not.
            let mut value = HeaderValue::from_bytes(&filled).map_err(|_| {
                Failure::Host(format!("{} has a line break or another control character, so no header takes it", told(found)))
            })?;
            value.set_sensitive(true);
            value
        };
        filled_headers.push((name.clone(), value));
    }
    if found.iter().any(|found| !found.is_empty()) && headers_len(&filled_headers) > HEADER_BYTES_MAX {
        return Err(too_long());
    }
    Ok(filled_headers)
}

fn headers_len(headers: &[(HeaderName, HeaderValue)]) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Whose value it is: the operator's, never the target's fault.
fn too_long(what: &str, bytes_max: usize) -> Failure {
    Failure::Host(format!("with its secrets filled in the {what} has more than {bytes_max} bytes"))
}

fn told(found: &[Found<'_>]) -> String {
    let names: Vec<String> = names_of(found).iter().map(|name| format!("`{name}`")).collect();
    format!("the secret {}", names.join(" or "))
}

/// Whether it leaves its place for whoever decodes it. What the guest wrote was judged before, so where it does, a secret did it.
fn climbs(path: &[u8]) -> bool {
    let mut decoded = Zeroizing::new(Vec::<u8>::with_capacity(path.len()));
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let (byte, length) = match (first, after) {
            (b'%', [high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            _ => (*first, 1),
        };
        decoded.push(byte);
        rest = &rest[length..];
    }
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b".." || segment.starts_with(b"..;"))
}
