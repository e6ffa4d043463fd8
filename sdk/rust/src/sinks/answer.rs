//! What an answer of a receiver over HTTP means.

use super::text::{cut_characters, one_line};
use crate::http::Response;
use crate::{DeliveryError, Retry};

/// Of what a receiver said to a refusal.
const SAID_CHARACTERS_MAX: usize = 200;

/// The answer where its status is 2xx. Another is tried again or given up as
/// [`Response::error_for_status`] has it, and told with the first words of its body.
pub fn accepted(response: Response) -> Result<Response, DeliveryError> {
    let said = cut_characters(&one_line(&response.text()), SAID_CHARACTERS_MAX);
    response.error_for_status().map_err(|error| saying(error.into(), &said))
}

fn saying(error: DeliveryError, said: &str) -> DeliveryError {
    let told = |message: String| if said.is_empty() { message } else { format!("{message}: {said}") };
    match error {
        DeliveryError::Retryable(Retry { message, after_ms }) => DeliveryError::Retryable(Retry { message: told(message), after_ms }),
        DeliveryError::Permanent(message) => DeliveryError::Permanent(told(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Header;
    use crate::testing::response;

    #[test]
    fn only_2xx_is_accepted_and_anything_else_told_with_what_was_said() {
        assert!(accepted(response(202, "ok")).is_ok());
        assert_eq!(accepted(response(400, "no\n text ")), Err(DeliveryError::permanent("HTTP 400: no text")));
        assert_eq!(accepted(response(503, "")), Err(DeliveryError::retryable("HTTP 503")));
        let mut busy = response(429, "slow down");
        busy.headers.push(Header { name: "retry-after".to_owned(), value: "7".to_owned() });
        assert_eq!(accepted(busy), Err(DeliveryError::retryable_after_ms("HTTP 429: slow down", 7_000)));
        assert!(matches!(accepted(response(400, &"x".repeat(500))), Err(DeliveryError::Permanent(message)) if message.len() < 250));
    }
}
