//! Query parameters and names in paths, read strictly: what is not known is refused with the names that are.
//!
//! A parameter that is silently ignored gives an answer to another question than the one that was asked.

use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::{Problem, ProblemKind, quoted};

/// More than any path here knows, and a bound on the work of reading them.
const PARAMETERS_MAX: usize = 32;

/// The highest number that a result can have: stores count in signed 64-bit integers.
pub(crate) const SEQUENCE_NUMBER_MAX: u64 = i64::MAX as u64;

/// The parameters of one request, in its order; all known.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the text behind the `?`. `known` are the names that this path has.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Parameters, Problem> {
        let mut pairs = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(unknown(&name, known));
            }
            if pairs.len() == PARAMETERS_MAX {
                return Err(invalid(format!("there are more than {PARAMETERS_MAX} parameters")));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Parameters { pairs })
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that stands at most once.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(invalid(format!("`{name}` stands more than once"))),
        }
    }

    /// A whole number within `range`.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match whole_number(text) {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(invalid(format!("`{name}` is {}", quoted(text))).hint(format!(
                "`{name}` is a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }
}

/// Digits only: `parse` alone would also take a sign.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

pub(crate) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::ParameterInvalid, detail)
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let problem = invalid(format!("{} is no parameter of this path", quoted(name)));
    if known.is_empty() {
        return problem.hint("this path has no parameters");
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    problem.hint(format!("known are {}", known.join(", ")))
}

/// The `{name}` of a path, decoded.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(_) => Err(Problem::new(ProblemKind::PathUnknown, "the name in the path is no text")
                .hint("percent-encode the bytes of its UTF-8 form")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "status", "label"];

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let problem = Parameters::read(Some("limit=1&colour=red"), KNOWN).unwrap_err();
        assert_eq!(problem.status, 400);
        assert_eq!(problem.detail, "`colour` is no parameter of this path");
        assert_eq!(problem.hint.as_deref(), Some("known are `limit`, `status`, `label`"));
    }

    #[test]
    fn a_path_without_parameters_says_so() {
        let problem = Parameters::read(Some("x"), &[]).unwrap_err();
        assert_eq!(problem.hint.as_deref(), Some("this path has no parameters"));
        assert!(Parameters::read(None, &[]).is_ok());
        assert!(Parameters::read(Some(""), &[]).is_ok());
    }

    #[test]
    fn numbers_outside_their_range_or_with_a_sign_are_refused() {
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=%2B5", "limit=", "limit=ten", "limit=1e2", "limit=99999999999999999999"] {
            let parameters = Parameters::read(Some(query), KNOWN).unwrap();
            let problem = parameters.number("limit", 1..=1000).unwrap_err();
            assert_eq!(problem.hint.as_deref(), Some("`limit` is a whole number from 1 to 1000"), "{query}");
        }
        let parameters = Parameters::read(Some("limit=1000"), KNOWN).unwrap();
        assert_eq!(parameters.number("limit", 1..=1000).unwrap(), Some(1000));
        assert_eq!(parameters.number("status", 1..=1000).unwrap(), None);
    }

    #[test]
    fn a_repeated_parameter_is_refused_where_one_is_meant() {
        let parameters = Parameters::read(Some("status=ok&status=critical&label=a%3Db&label=c%3Dd"), KNOWN).unwrap();
        assert!(parameters.text("status").is_err());
        assert_eq!(parameters.all("label").collect::<Vec<_>>(), ["a=b", "c=d"]);
    }

    #[test]
    fn the_number_of_parameters_is_bounded() {
        let query = "label=x&".repeat(PARAMETERS_MAX + 1);
        assert!(Parameters::read(Some(&query), KNOWN).is_err());
    }
}
