//! What the machine is told.

use std::sync::Arc;

use super::config::{AlertingConfig, SinkName};
use super::delivery::{Delivery, Outcome};
use super::id::{DeliveryId, IncidentId, SilenceId};
use super::incident::{AlertKind, Findings, Incident};
use super::labels::LabelSet;
use super::silence::SilenceDraft;
use crate::{Label, Status, Timestamp};

/// `alertname` of an incident of a check that nobody can judge.
pub const UNKNOWN_ALERTNAME: &str = "SickbayCheckUnknown";
/// The label `plugin` of a check that no plugin runs: push, composite, slo.
const NO_PLUGIN: &str = "sickbay";

#[derive(Clone, Debug)]
pub enum Fact {
    /// Time has passed.
    Tick,
    /// The confirmed status of a check changed to the one in the findings.
    Transition {
        check: Arc<CheckIdentity>,
        findings: Arc<Findings>,
    },
    Flapping {
        check: Arc<CheckIdentity>,
        change: Flap,
    },
    /// A check became unreachable because of another one, or reachable again.
    Reachability {
        check: Arc<str>,
        cause: Option<Arc<str>>,
    },
    /// The check is no longer configured.
    CheckRemoved {
        check: Arc<str>,
    },
    Posted {
        alerts: Vec<PostedAlert>,
    },
    SilencePut {
        draft: SilenceDraft,
    },
    SilenceExpired {
        silence: SilenceId,
    },
    Acknowledge {
        incident: IncidentId,
        by: String,
        until: Option<Timestamp>,
        note: Option<String>,
    },
    Note {
        incident: IncidentId,
        by: String,
        text: String,
        /// The incident as it is stored, where nobody is owed a word about it any more.
        settled: Option<Box<Incident>>,
    },
    /// A worker is about to call the sink. Only if the answer has the delivery as attempting, and is stored, may it do so.
    Attempting {
        delivery: DeliveryId,
    },
    /// How the attempt with this number ended.
    DeliveryEnded {
        delivery: DeliveryId,
        attempt: u32,
        outcome: Outcome,
    },
    /// A delivery that ended is to be sent again.
    Resend {
        /// As it is stored.
        delivery: Box<Delivery>,
        /// Those whose end it told and that the machine does not know any more, as they are stored.
        settled: Vec<Incident>,
        by: String,
    },
    /// The labels of a check are written otherwise.
    Relabelled {
        check: Arc<CheckIdentity>,
    },
    /// The plugin of a sink came back, or is another one: what held the sink may be over.
    SinkMended {
        sink: SinkName,
    },
    Configured {
        config: Arc<AlertingConfig>,
    },
}

/// A check begins or ends to flap. While it flaps its incident stays open, so that it is told once and not with every change.
#[derive(Clone, Debug)]
pub enum Flap {
    /// With the failure that made it flap, and the confirmed status, which may be another.
    Began {
        findings: Arc<Findings>,
        confirmed: Status,
    },
    Ended,
}

/// What alerts need to know of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIdentity {
    pub name: Arc<str>,
    /// Empty where no plugin runs it.
    pub plugin: Arc<str>,
    pub kind: Arc<str>,
    pub target: Option<Arc<str>>,
    /// Of the plugin.
    pub owner: Option<Arc<str>>,
    /// The operator's.
    pub labels: LabelSet,
}

impl CheckIdentity {
    /// The labels of the check's alert: the operator's and what Sickbay says itself, which wins. The alert of a check that nobody can judge
    /// has the plugin's owner and no severity: that is about the target.
    pub fn alert_labels(&self, kind: AlertKind) -> LabelSet {
        let (alertname, owner) = match kind {
            AlertKind::Failure => (&*self.name, None),
            AlertKind::Unknown => (UNKNOWN_ALERTNAME, self.owner.as_deref()),
        };
        let own = [
            ("alertname", Some(alertname)),
            ("check", Some(&*self.name)),
            ("plugin", Some(if self.plugin.is_empty() { NO_PLUGIN } else { &*self.plugin })),
            ("kind", Some(&*self.kind)),
            ("target", self.target.as_deref()),
            ("owner", owner),
        ];
        let own: Vec<(&str, &str)> = own.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let is_taken = |name: &str| own.iter().any(|(own, _)| *own == name) || (kind == AlertKind::Unknown && name == "severity");
        let operators = self.labels.iter().filter(|label| !is_taken(&label.name)).map(|label| (label.name.as_str(), label.value.as_str()));
        // The configuration leaves room for Sickbay's own.
        LabelSet::new(operators.chain(own.iter().copied())).or_else(|_| LabelSet::new(own.iter().copied())).unwrap_or_default()
    }
}

/// An alert that somebody posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedAlert {
    pub labels: LabelSet,
    pub annotations: Arc<[Label]>,
    /// When it began; now where it is not said, or lies in the future.
    pub starts_at: Option<Timestamp>,
    /// When it is over unless it is posted again. In the past: it is over.
    pub ends_at: Option<Timestamp>,
    pub generator_url: Option<Arc<str>>,
}

impl PostedAlert {
    /// What it takes to keep it, about.
    pub(super) fn bytes(&self) -> usize {
        posted_bytes(&self.labels, &self.annotations, self.generator_url.as_deref())
    }

    /// One line for a person, out of the annotations.
    pub(super) fn summary(&self) -> &str {
        let annotation = |name: &str| self.annotations.iter().find(|annotation| annotation.name == name);
        let told = annotation("summary").or_else(|| annotation("description")).map(|annotation| annotation.value.as_str());
        told.or_else(|| self.labels.get("alertname")).unwrap_or_default()
    }
}

pub(super) fn posted_bytes(labels: &LabelSet, annotations: &[Label], generator_url: Option<&str>) -> usize {
    let of = |label: &Label| label.name.len() + label.value.len();
    labels.iter().chain(annotations).map(of).sum::<usize>() + generator_url.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(labels: &[(&str, &str)]) -> CheckIdentity {
        CheckIdentity {
            name: "api".into(),
            plugin: "http".into(),
            kind: "http".into(),
            target: None,
            owner: Some("platform".into()),
            labels: LabelSet::new(labels.iter().copied()).expect("valid labels"),
        }
    }

    #[test]
    fn an_alert_has_the_operators_labels_and_sickbays_own() {
        let labels = identity(&[("service", "shop"), ("severity", "P1"), ("check", "other")]).alert_labels(AlertKind::Failure);
        let expected =
            [("alertname", "api"), ("check", "api"), ("kind", "http"), ("plugin", "http"), ("service", "shop"), ("severity", "P1")];
        assert_eq!(labels, LabelSet::new(expected).expect("valid labels"));
    }

    #[test]
    fn a_check_that_no_plugin_runs_has_sickbay_as_its_plugin() {
        for kind in ["push", "composite", "slo"] {
            let labels = CheckIdentity { plugin: "".into(), kind: kind.into(), ..identity(&[]) }.alert_labels(AlertKind::Failure);
            assert_eq!((labels.get("plugin"), labels.get("kind")), (Some("sickbay"), Some(kind)));
        }
    }

    #[test]
    fn the_alert_of_a_check_that_nobody_can_judge_goes_to_the_owner_without_a_severity() {
        let labels = identity(&[("service", "shop"), ("severity", "P0")]).alert_labels(AlertKind::Unknown);
        assert_eq!((labels.get("alertname"), labels.get("owner")), (Some(UNKNOWN_ALERTNAME), Some("platform")));
        assert_eq!((labels.get("severity"), labels.get("service"), labels.get("check")), (None, Some("shop"), Some("api")));
    }

    #[test]
    fn a_posted_alert_is_summed_up_by_what_it_says() {
        let annotations = |entries: &[(&str, &str)]| {
            entries.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect::<Arc<[Label]>>()
        };
        let posted = |entries: &[(&str, &str)]| PostedAlert {
            labels: LabelSet::new([("alertname", "Disk")]).expect("a label"),
            annotations: annotations(entries),
            starts_at: None,
            ends_at: None,
            generator_url: None,
        };
        assert_eq!(posted(&[("description", "long"), ("summary", "full")]).summary(), "full");
        assert_eq!(posted(&[("description", "long")]).summary(), "long");
        assert_eq!(posted(&[]).summary(), "Disk");
    }
}
