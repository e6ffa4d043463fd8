//! Alerts and notifications as receivers ask for them.

use std::collections::BTreeMap;

use crate::{Alert, Label, Notification, Phase, Status};

/// Before the name of a label of the group, in the extras of a notification.
const GROUP: &str = "group.";
/// Before the name of an annotation, in the extras of an alert.
const ANNOTATION: &str = "annotation.";
/// The extra that counts the alerts for which a notification had no room.
const MORE: &str = "more";
/// The extra that says where people find the page of the Sickbay that tells.
const EXTERNAL_URL: &str = "external_url";

impl Phase {
    /// `firing`, `acknowledged`, `resolved`, or `other` for a word of a later version.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Firing => "firing",
            Phase::Acknowledged => "acknowledged",
            Phase::Resolved => "resolved",
            Phase::Other => "other",
        }
    }
}

impl Status {
    /// `ok`, `warning`, `critical`, `unknown`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Critical => "critical",
            Status::Unknown => "unknown",
        }
    }
}

impl Alert {
    /// The check, with its target where it has one: `backup@a.example.com`. An alert that no check made goes by its label `alertname`.
    pub fn name(&self) -> String {
        let check = match self.check.as_str() {
            "" => self.label("alertname").unwrap_or(&self.incident_id),
            check => check,
        };
        match &self.target {
            Some(target) => format!("{check}@{target}"),
            None => check.to_owned(),
        }
    }

    /// The label `service`, or else the name.
    pub fn service(&self) -> String {
        self.label("service").map_or_else(|| self.name(), str::to_owned)
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        value(&self.labels, name)
    }

    /// The label `severity` as it was written, such as `critical`; where there is none what the host goes by, `P0` to `P3`.
    pub fn severity_word(&self) -> &str {
        self.label("severity").filter(|word| !word.is_empty()).unwrap_or(&self.severity)
    }

    /// What `of` has for the label `severity`, or else for what the host goes by: to the host a word that it does not know is `P3`.
    pub fn by_severity<T>(&self, of: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.label("severity").and_then(&of).or_else(|| of(&self.severity))
    }

    /// All labels by their names.
    pub fn labels_by_name(&self) -> BTreeMap<String, String> {
        self.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect()
    }

    /// `summary` and `reason`, and what others annotated.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = named(&self.extras, ANNOTATION);
        let own = [("summary", &self.summary), ("reason", &self.reason)];
        annotations.extend(own.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text.clone())));
        annotations
    }

    /// Where to read more, where that is a page that can be opened.
    pub fn link(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://"))
    }
}

impl Notification {
    /// Alerts of the group for which there was no room here.
    pub fn more(&self) -> usize {
        value(&self.extras, MORE).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Where people find the page of this Sickbay, where its configuration says so.
    pub fn external_url(&self) -> Option<&str> {
        value(&self.extras, EXTERNAL_URL)
    }

    /// The labels that the group was made by, as far as the host tells them.
    pub fn group_labels(&self) -> BTreeMap<String, String> {
        named(&self.extras, GROUP)
    }

    /// The labels that all alerts share.
    pub fn common_labels(&self) -> BTreeMap<String, String> {
        common(self.alerts.iter().map(Alert::labels_by_name))
    }

    /// The same about one of its alerts alone: for receivers that take one at a time.
    pub fn only(&self, alert: &Alert) -> Notification {
        Notification {
            idempotency_key: self.idempotency_key.clone(),
            group: self.group.clone(),
            phase: alert.phase,
            severity: alert.severity.clone(),
            alerts: vec![alert.clone()],
            reference: self.reference.clone(),
            attempt: self.attempt,
            extras: self.extras.iter().filter(|extra| extra.name != MORE).cloned().collect(),
        }
    }
}

/// What all of them have with the same value.
pub fn common(all: impl IntoIterator<Item = BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut all = all.into_iter();
    let mut common = all.next().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name).is_some_and(|found| *found == *value));
    }
    common
}

fn value<'labels>(labels: &'labels [Label], name: &str) -> Option<&'labels str> {
    labels.iter().find(|label| label.name == name).map(|label| label.value.as_str())
}

/// Those whose names begin with `prefix`, without it.
fn named(extras: &[Label], prefix: &str) -> BTreeMap<String, String> {
    let named = extras.iter().filter_map(|extra| Some((extra.name.strip_prefix(prefix)?.to_owned(), extra.value.clone())));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, notification, severe};

    fn labelled(labels: &[(&str, &str)]) -> Alert {
        Alert { labels: labels.iter().map(|(name, value)| Label::new(*name, *value)).collect(), ..alert() }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_alert_goes_by_its_check_or_by_what_others_call_it() {
        assert_eq!(alert().name(), "test");
        assert_eq!(Alert { target: Some("a.example".to_owned()), ..alert() }.name(), "test@a.example");
        assert_eq!(Alert { check: String::new(), ..labelled(&[("alertname", "DiskFull")]) }.name(), "DiskFull");
        assert_eq!(Alert { check: String::new(), ..labelled(&[]) }.name(), "01INCIDENT");
        assert_eq!((alert().service(), labelled(&[("service", "orders")]).service()), ("test".to_owned(), "orders".to_owned()));
    }

    #[test]
    fn annotations_of_others_never_hide_our_own() {
        let extras = vec![Label::new("annotation.runbook_url", "https://x/"), Label::new("annotation.summary", "theirs")];
        let annotations = Alert { extras, reason: String::new(), ..alert() }.annotations();
        assert_eq!(annotations, map(&[("runbook_url", "https://x/"), ("summary", "the service does not answer")]));
    }

    #[test]
    fn the_severity_that_was_written_comes_before_what_the_host_goes_by() {
        let of = |word: &str| [("critical", 5), ("P1", 4), ("P3", 2)].into_iter().find(|(name, _)| *name == word).map(|(_, number)| number);
        for (alert, word, number) in [
            (severe("critical"), "critical", Some(5)),
            (severe("P1"), "P1", Some(4)),
            (severe("whatever"), "whatever", Some(2)),
            (alert(), "P3", Some(2)),
            (Alert { severity: "P9".to_owned(), ..alert() }, "P9", None),
        ] {
            assert_eq!((alert.severity_word(), alert.by_severity(of)), (word, number));
        }
    }

    #[test]
    fn only_a_page_is_a_link() {
        let link = |url: &str| Alert { url: Some(url.to_owned()), ..alert() }.link().map(str::to_owned);
        assert_eq!(link("https://sickbay.example/incidents/1").as_deref(), Some("https://sickbay.example/incidents/1"));
        assert_eq!((link("javascript:alert(1)"), link(""), alert().link().map(str::to_owned)), (None, None, None));
    }

    #[test]
    fn what_all_alerts_share_is_common_to_them() {
        let told = notification(vec![labelled(&[("service", "a"), ("zone", "1")]), labelled(&[("service", "a"), ("zone", "2")])]);
        assert_eq!(told.common_labels(), map(&[("service", "a")]));
        assert_eq!(notification(Vec::new()).common_labels(), map(&[]));
    }

    #[test]
    fn extras_tell_the_labels_of_the_group_and_how_many_had_no_room() {
        let extras = vec![Label::new("group.service", "orders"), Label::new("more", "5"), Label::new("external_url", "https://s/")];
        let told = Notification { extras, ..notification(vec![alert(), labelled(&[])]) };
        assert_eq!((told.more(), told.group_labels()), (5, map(&[("service", "orders")])));
        assert_eq!((told.external_url(), notification(Vec::new()).external_url()), (Some("https://s/"), None));
        let only = told.only(&told.alerts[1]);
        assert_eq!((only.alerts.len(), only.more(), only.group_labels()), (1, 0, map(&[("service", "orders")])));
    }
}
