//! Which alerts or silences a client asks for.
//!
//! A flag that is left out, or empty, is true. `unprocessed` is read and means nothing: an alert is judged before anybody sees it.

use sickbay_core::alerting::{Incident, Matcher, Operation};

use super::model::{AlertState, AlertStatus};
use crate::api::parameters::{Parameters, invalid};
use crate::api::problem::{Problem, quoted};

/// What the lists of alerts and of their groups know.
const ALERT_PARAMETERS: [&str; 7] = ["active", "silenced", "inhibited", "unprocessed", "muted", "filter", "receiver"];

#[derive(Debug)]
pub(super) struct AlertFilter {
    matchers: Vec<Matcher>,
    receiver: Option<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    muted: bool,
}

impl AlertFilter {
    pub(super) fn read(query: Option<&str>) -> Result<AlertFilter, Problem> {
        let parameters = Parameters::read(query, &ALERT_PARAMETERS)?;
        flag(&parameters, "unprocessed")?;
        Ok(AlertFilter {
            matchers: matchers(&parameters)?,
            receiver: receiver(&parameters)?,
            active: flag(&parameters, "active")?,
            silenced: flag(&parameters, "silenced")?,
            inhibited: flag(&parameters, "inhibited")?,
            muted: flag(&parameters, "muted")?,
        })
    }

    pub(super) fn wants(&self, incident: &Incident) -> bool {
        let subject = incident.subject();
        self.matchers.iter().all(|matcher| matcher.matches(&subject))
    }

    pub(super) fn wants_status(&self, status: &AlertStatus) -> bool {
        (self.active || status.state != AlertState::Active)
            && (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && (self.muted || status.muted_by.is_empty())
    }

    /// Whether one of `receivers` is asked for. Where no receiver is named, also an alert that nobody is told of.
    pub(super) fn wants_one_of<'a>(&self, mut receivers: impl Iterator<Item = &'a str>) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| receivers.any(|receiver| pattern.accepts(receiver)))
    }
}

/// All of `filter`.
pub(super) fn matchers(parameters: &Parameters) -> Result<Vec<Matcher>, Problem> {
    let read = |text: &str| {
        Matcher::parse(text).map_err(|error| {
            invalid(format!("`filter` is {}: {error}", quoted(text)))
                .hint("write filter=alertname=\"api\", percent-encoded; it may be repeated")
        })
    };
    parameters.all("filter").map(read).collect()
}

/// A flag that is true unless it is said to be false.
pub(super) fn flag(parameters: &Parameters, name: &str) -> Result<bool, Problem> {
    match parameters.text(name)? {
        None | Some("" | "true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(invalid(format!("`{name}` is {}", quoted(other))).hint(format!("`{name}` is true or false"))),
    }
}

/// Names of sinks are matched as values of labels are: whole, and in linear time.
fn receiver(parameters: &Parameters) -> Result<Option<Matcher>, Problem> {
    let Some(pattern) = parameters.text("receiver")?.filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    Matcher::new("receiver", Operation::Matches, pattern).map(Some).map_err(|error| invalid(format!("`receiver`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> AlertFilter {
        AlertFilter::read(Some(query)).unwrap_or_else(|problem| panic!("{query}: {}", problem.detail))
    }

    fn status(silenced_by: &[&str], inhibited_by: &[&str], muted_by: &[&str]) -> AlertStatus {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let is_active = silenced_by.is_empty() && inhibited_by.is_empty() && muted_by.is_empty();
        AlertStatus {
            state: if is_active { AlertState::Active } else { AlertState::Suppressed },
            silenced_by: owned(silenced_by),
            inhibited_by: owned(inhibited_by),
            muted_by: owned(muted_by),
        }
    }

    #[test]
    fn each_flag_leaves_out_its_own_alerts() {
        let statuses = [status(&[], &[], &[]), status(&["s"], &[], &[]), status(&[], &["i"], &[]), status(&[], &[], &["night"])];
        for (query, wanted) in [
            ("", [true, true, true, true]),
            ("active=true&silenced=&unprocessed=false", [true, true, true, true]),
            ("active=false", [false, true, true, true]),
            ("silenced=false&inhibited=false", [true, false, false, true]),
            ("silenced=0&active=0", [false, false, true, true]),
            ("muted=false", [true, true, true, false]),
        ] {
            let filter = read(query);
            assert_eq!(statuses.each_ref().map(|status| filter.wants_status(status)), wanted, "{query}");
        }
    }

    #[test]
    fn a_receiver_is_matched_as_a_whole() {
        let filter = read("receiver=on.*");
        assert!(filter.wants_one_of(["slack", "oncall"].into_iter()));
        assert!(!filter.wants_one_of(["monday"].into_iter()) && !filter.wants_one_of([].into_iter()));
        assert!(read("receiver=").wants_one_of([].into_iter()));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_name() {
        for (query, named) in [
            ("active=maybe", "`active` is `maybe`"),
            ("active=true&active=true", "`active` stands more than once"),
            ("filter=a%3D~%22(%22", "`filter` is"),
            ("filter=", "`filter` is"),
            ("receiver=(", "`receiver`: "),
            ("colour=red", "`colour` is no parameter"),
        ] {
            let problem = AlertFilter::read(Some(query)).expect_err(query);
            assert_eq!(problem.status, 400, "{query}");
            assert!(problem.detail.starts_with(named), "{query}: {}", problem.detail);
        }
    }
}
