//! Errors as RFC 9457 problem details.
//!
//! Invariant: every answer of the server with a status of 400 or above has a [`Problem`] as its body, with the media type
//! `application/problem+json`; below `/api/v2` it is told in Alertmanager's way. (What is no HTTP at all, hyper answers with a bare status
//! before the router sees it.)

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What of a caller's text a problem repeats.
const QUOTED_CHARACTERS_MAX: usize = 80;

/// Everything that can be wrong with a request. A closed list; the word after the last colon of `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    PathUnknown,
    CheckUnknown,
    PluginUnknown,
    SloUnknown,
    IncidentUnknown,
    SilenceUnknown,
    DeliveryUnknown,
    MaintenanceUnknown,
    MethodNotAllowed,
    ParameterInvalid,
    HeaderInvalid,
    HostRefused,
    OriginRefused,
    TokenMissing,
    TokenUnknown,
    RoleInsufficient,
    TooManyAttempts,
    TlsRequired,
    BodyTooLarge,
    BodyInvalid,
    BodyTimeout,
    RequestTimeout,
    CheckBusy,
    CheckOtherKind,
    IncidentResolved,
    SilenceOver,
    SilenceUnmatched,
    MaintenanceConfigured,
    MaintenanceFull,
    DeliveryUnderWay,
    DeliveryOver,
    NotReady,
    StreamsExhausted,
    RequestsExhausted,
    AlertsExhausted,
    StoreFailed,
    Internal,
}

impl ProblemKind {
    /// The word in `type`.
    pub fn as_str(self) -> &'static str {
        self.describe().0
    }

    pub fn status(self) -> StatusCode {
        self.describe().1
    }

    fn describe(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            ProblemKind::PathUnknown => ("path-unknown", StatusCode::NOT_FOUND, "Nothing is at this path"),
            ProblemKind::CheckUnknown => ("check-unknown", StatusCode::NOT_FOUND, "No check has this name"),
            ProblemKind::PluginUnknown => ("plugin-unknown", StatusCode::NOT_FOUND, "No plugin has this name"),
            ProblemKind::SloUnknown => ("slo-unknown", StatusCode::NOT_FOUND, "No objective has this name"),
            ProblemKind::IncidentUnknown => ("incident-unknown", StatusCode::NOT_FOUND, "No incident has this id"),
            ProblemKind::SilenceUnknown => ("silence-unknown", StatusCode::NOT_FOUND, "No silence has this id"),
            ProblemKind::DeliveryUnknown => ("delivery-unknown", StatusCode::NOT_FOUND, "No delivery has this id"),
            ProblemKind::MaintenanceUnknown => ("maintenance-unknown", StatusCode::NOT_FOUND, "No maintenance window has this id"),
            ProblemKind::MethodNotAllowed => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This path has no such method"),
            ProblemKind::ParameterInvalid => ("parameter-invalid", StatusCode::BAD_REQUEST, "A query parameter is not valid"),
            ProblemKind::HeaderInvalid => ("header-invalid", StatusCode::BAD_REQUEST, "A header is not valid"),
            ProblemKind::HostRefused => ("host-refused", StatusCode::MISDIRECTED_REQUEST, "This host name is not served here"),
            ProblemKind::OriginRefused => ("origin-refused", StatusCode::FORBIDDEN, "Requests of foreign web pages are refused"),
            ProblemKind::TokenMissing => ("token-missing", StatusCode::UNAUTHORIZED, "A token is needed"),
            ProblemKind::TokenUnknown => ("token-unknown", StatusCode::UNAUTHORIZED, "Nobody has this token"),
            ProblemKind::RoleInsufficient => ("role-insufficient", StatusCode::FORBIDDEN, "The token does not allow this"),
            ProblemKind::TooManyAttempts => ("too-many-attempts", StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens"),
            ProblemKind::TlsRequired => ("tls-required", StatusCode::BAD_REQUEST, "This port speaks HTTPS"),
            ProblemKind::BodyTooLarge => ("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large"),
            ProblemKind::BodyInvalid => ("body-invalid", StatusCode::BAD_REQUEST, "The request's body could not be read"),
            ProblemKind::BodyTimeout => ("body-timeout", StatusCode::REQUEST_TIMEOUT, "The request's body took too long"),
            ProblemKind::RequestTimeout => ("request-timeout", StatusCode::SERVICE_UNAVAILABLE, "The answer took too long"),
            ProblemKind::CheckBusy => ("check-busy", StatusCode::CONFLICT, "The check is running"),
            ProblemKind::CheckOtherKind => ("check-other-kind", StatusCode::CONFLICT, "The check is of another kind"),
            ProblemKind::IncidentResolved => ("incident-resolved", StatusCode::CONFLICT, "The incident is over"),
            ProblemKind::SilenceOver => ("silence-over", StatusCode::CONFLICT, "The silence is over"),
            ProblemKind::SilenceUnmatched => ("silence-unmatched", StatusCode::CONFLICT, "The silence would mute nothing"),
            ProblemKind::MaintenanceConfigured => {
                ("maintenance-configured", StatusCode::CONFLICT, "The maintenance window is of the configuration")
            }
            ProblemKind::MaintenanceFull => ("maintenance-full", StatusCode::CONFLICT, "There are too many maintenance windows"),
            ProblemKind::DeliveryUnderWay => ("delivery-under-way", StatusCode::CONFLICT, "The delivery is under way"),
            ProblemKind::DeliveryOver => ("delivery-over", StatusCode::CONFLICT, "There is nothing to send again"),
            ProblemKind::NotReady => ("not-ready", StatusCode::SERVICE_UNAVAILABLE, "Sickbay is not ready"),
            ProblemKind::StreamsExhausted => ("streams-exhausted", StatusCode::SERVICE_UNAVAILABLE, "Too many event streams are open"),
            ProblemKind::RequestsExhausted => {
                ("requests-exhausted", StatusCode::SERVICE_UNAVAILABLE, "Too many requests are being answered")
            }
            ProblemKind::AlertsExhausted => ("alerts-exhausted", StatusCode::SERVICE_UNAVAILABLE, "Too many alerts are open"),
            ProblemKind::StoreFailed => ("store-failed", StatusCode::SERVICE_UNAVAILABLE, "The store did not answer"),
            ProblemKind::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Sickbay made a mistake"),
        }
    }
}

/// One error, as RFC 9457 wants it, with `hint` as an extension member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:sickbay:problem:NAME`; the names are a closed list.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The same for every problem of a type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Problem {
        let (name, status, title) = kind.describe();
        Problem {
            problem_type: format!("urn:sickbay:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// The store failed; the cause goes to the log and not to the caller.
    pub fn store(error: impl std::error::Error) -> Problem {
        tracing::error!(error = %chain(&error), "the store did not answer a request");
        Problem::new(ProblemKind::StoreFailed, "the results could not be read").hint("see the log of `sickbay serve`")
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    sickbay_store::causes(error).join(": ")
}

/// A caller's text, short enough and without control characters, in backticks.
pub fn quoted(text: &str) -> String {
    let cut = text.chars().nth(QUOTED_CHARACTERS_MAX).is_some();
    let shown: String = text.chars().take(QUOTED_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    format!("`{shown}{}`", if cut { "..." } else { "" })
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of strings and a number always serialises.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if status == StatusCode::UNAUTHORIZED {
            // The second is for browsers, which ask a person for it.
            for challenge in ["Bearer realm=\"sickbay\"", "Basic realm=\"sickbay\", charset=\"UTF-8\""] {
                response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        // For who tells it in other words.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_standard() {
        let problem = Problem::new(ProblemKind::CheckUnknown, "no check is named `x`").hint("look at /api/v1/checks");
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            serde_json::json!({
                "type": "urn:sickbay:problem:check-unknown",
                "title": "No check has this name",
                "status": 404,
                "detail": "no check is named `x`",
                "hint": "look at /api/v1/checks",
            })
        );
    }

    #[test]
    fn an_unavailable_service_says_when_to_come_again() {
        let response = Problem::new(ProblemKind::NotReady, "starting").into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn quoted_text_is_short_and_shows_control_characters() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "`a\\u{1b}[2Jb\\n`");
        assert_eq!(quoted(&"x".repeat(500)), format!("`{}...`", "x".repeat(QUOTED_CHARACTERS_MAX)));
        assert_eq!(quoted(&"x".repeat(QUOTED_CHARACTERS_MAX)), format!("`{}`", "x".repeat(QUOTED_CHARACTERS_MAX)));
    }
}
