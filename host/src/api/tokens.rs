//! Tokens: who presents one, whose it is, and whether its role allows what is asked.
//!
//! A token comes as `Authorization: Bearer TOKEN`. Browsers ask a person for a user name and a password instead and send them as `Basic`:
//! the password is the token and the name does not matter. A browser sends it by itself, also for a form of a foreign page, so it is for
//! reading, and beyond that for what no form can send: JSON, and methods that a form does not have. A token in the address is not looked at:
//! addresses stand in logs and histories.
//!
//! Invariant: no token is in a message, a log line or a `Debug`.
//! Invariant: a request takes the same time whichever token it comes near to.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::guard::single;
use super::problem::{Problem, ProblemKind};
use crate::config::{Role, Token};
use crate::live::Live;
use crate::metrics::DeniedReason;

const AUTHORIZATION: &str = "authorization";
const CONTENT_TYPE: &str = "content-type";
const HINT: &str =
    "send `Authorization: Bearer TOKEN`; verbs of sickbay take --token-file FILE or SICKBAY_TOKEN, a browser the token as password";

/// An answer that goes on for long ends this soon after its token was taken away.
const REVOCATION_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Why a request is not let in, for the counter and for the caller.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) reason: DeniedReason,
    /// Whose token it is, where it is somebody's.
    pub(crate) holder: Option<Arc<str>>,
    pub(crate) problem: Box<Problem>,
}

impl Denial {
    fn new(reason: DeniedReason, kind: ProblemKind, detail: impl Into<String>) -> Denial {
        Denial { reason, holder: None, problem: Box::new(Problem::new(kind, detail).hint(HINT)) }
    }
}

/// In the extensions of a request that was let in by a token.
#[derive(Clone)]
pub(crate) struct Admitted {
    hash: [u8; 32],
    /// Whose token it is.
    pub(crate) name: Arc<str>,
}

impl Admitted {
    /// Ends when the token is no longer configured.
    pub(crate) async fn revoked(self, live: Arc<Live>) {
        loop {
            tokio::time::sleep(REVOCATION_LOOK_INTERVAL).await;
            let configured = live.config.load().tokens.iter().any(|token| token.hash == self.hash);
            if !configured {
                return;
            }
        }
    }
}

/// Ends when the token that let a request in is no longer configured; never where none was needed.
pub(crate) async fn revoked(admitted: Option<Admitted>, live: Arc<Live>) {
    match admitted {
        Some(admitted) => admitted.revoked(live).await,
        None => future::pending().await,
    }
}

/// Pure: whose request is it, and may they?
pub(crate) fn judge(tokens: &[Token], method: &Method, headers: &HeaderMap) -> Result<Admitted, Denial> {
    let header = single(headers, AUTHORIZATION).map_err(|problem| Denial {
        reason: DeniedReason::Foreign,
        holder: None,
        problem: Box::new(problem),
    })?;
    let missing = |detail: &str| Denial::new(DeniedReason::Missing, ProblemKind::TokenMissing, detail);
    let header = header.ok_or_else(|| missing("the request has no token"))?;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let holder = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => holder(tokens, token.trim()),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") && !reads && may_be_a_form(method, headers) => {
            return Err(missing("a user name and a password are for reading, and for JSON"));
        }
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
            password(pair.trim()).and_then(|password| holder(tokens, &password))
        }
        _ => return Err(missing("`Authorization` has neither the scheme `Bearer` nor `Basic`")),
    };
    let Some(holder) = holder else {
        return Err(Denial::new(DeniedReason::Unknown, ProblemKind::TokenUnknown, "the token of the request is nobody's"));
    };
    let needed = if reads { Role::Viewer } else { Role::Operator };
    if holder.role < needed {
        let detail = format!("the token `{}` is a {}'s, and this needs an {}'s", holder.name, holder.role.as_str(), needed.as_str());
        let problem = Problem::new(ProblemKind::RoleInsufficient, detail);
        let problem = problem.hint("use a token with this role, or give it to this one");
        return Err(Denial { reason: DeniedReason::Role, holder: Some(holder.name.as_str().into()), problem: Box::new(problem) });
    }
    Ok(Admitted { hash: holder.hash, name: holder.name.as_str().into() })
}

/// Whether a page that a browser shows can make it send this without asking the server before.
fn may_be_a_form(method: &Method, headers: &HeaderMap) -> bool {
    let media_type = single(headers, CONTENT_TYPE).ok().flatten().and_then(|value| value.split(';').next());
    let is_json = media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"));
    *method == Method::POST && !is_json
}

/// The password of a pair as `Basic` has it.
fn password(pair: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// All tokens are compared to their last byte, so that the time tells nothing.
fn holder<'t>(tokens: &'t [Token], presented: &str) -> Option<&'t Token> {
    let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
    tokens.iter().fold(None, |found, token| if bool::from(token.hash.as_slice().ct_eq(hash.as_slice())) { Some(token) } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<Token> {
        Role::ALL
            .into_iter()
            .map(|role| Token { name: role.as_str().to_owned(), role, hash: Sha256::digest(format!("{}-secret", role.as_str())).into() })
            .collect()
    }

    fn status(method: &str, authorization: &[&str]) -> u16 {
        let mut request = axum::http::Request::builder().method(method).uri("/");
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        judge(&tokens(), &parts.method, &parts.headers).map_or_else(
            |denial| {
                assert!(!format!("{denial:?}").contains("secret"), "{denial:?}");
                denial.problem.status
            },
            |_| 200,
        )
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_viewer_reads_and_an_operator_also_runs() {
        for (token, read, run) in
            [("viewer-secret", 200, 403), ("operator-secret", 200, 200), ("admin-secret", 200, 200), ("other-secret", 401, 401)]
        {
            let bearer = format!("Bearer {token}");
            assert_eq!((status("GET", &[&bearer]), status("HEAD", &[&bearer])), (read, read), "{token}");
            assert_eq!((status("POST", &[&bearer]), status("DELETE", &[&bearer])), (run, run), "{token}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        for wrong in ["", "Bearer", "Bearer ", "viewer-secret", "Token viewer-secret", "Bearer viewer", "Bearer viewer-secret x", "Basic !"]
        {
            assert_eq!(status("GET", &[wrong]), 401, "{wrong}");
        }
        assert_eq!(status("GET", &[]), 401);
        assert_eq!(status("GET", &["Bearer viewer-secret", "Bearer admin-secret"]), 400);
        assert_eq!(status("GET", &["bearer  viewer-secret"]), 200);
    }

    #[test]
    fn a_browser_reads_with_the_token_as_password_and_runs_nothing() {
        assert_eq!(status("GET", &[&basic("anybody:admin-secret")]), 200);
        assert_eq!(status("POST", &[&basic("anybody:admin-secret")]), 401);
        for wrong in ["admin-secret", "admin-secret:", "anybody:", ":wrong"] {
            assert_eq!(status("GET", &[&basic(wrong)]), 401, "{wrong}");
        }
    }

    #[test]
    fn a_user_name_and_a_password_also_do_what_no_form_of_a_page_can() {
        let status = |method: &str, pair: &str, media_type: &str| {
            let request = axum::http::Request::builder().method(method).uri("/").header(AUTHORIZATION, basic(pair));
            let (parts, ()) = request.header(CONTENT_TYPE, media_type).body(()).unwrap().into_parts();
            judge(&tokens(), &parts.method, &parts.headers).map_or_else(|denial| denial.problem.status, |_| 200)
        };
        let operator = "amtool:operator-secret";
        assert_eq!(status("POST", operator, "application/json"), 200);
        assert_eq!(status("POST", operator, "Application/JSON; charset=utf-8"), 200);
        assert_eq!(status("DELETE", operator, ""), 200);
        assert_eq!(status("POST", "amtool:viewer-secret", "application/json"), 403);
        assert_eq!(status("DELETE", "amtool:viewer-secret", ""), 403);
        for form in
            ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/plain; application/json", ""]
        {
            assert_eq!(status("POST", operator, form), 401, "{form}");
        }
    }

    #[test]
    fn without_tokens_nobody_is_let_in() {
        let headers = HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, "Bearer viewer-secret".parse().unwrap())]);
        assert!(judge(&[], &Method::GET, &headers).is_err());
    }
}
