//! What the machine answers as documents of the store, and the other way round.
//!
//! | kind | id | parent | time | open |
//! |---|---|---|---|---|
//! | incident | its own | its check | its end, else its begin | until nobody is owed a word about it |
//! | event | incident and number | incident | its own | no |
//! | group | digest of its key | | its last change | always |
//! | ledger | digest of sink and group | sink | when the sink was last told | always |
//! | delivery | its own | sink | when it was made | until it ended |
//! | silence | its own | | its begin; its end when it is over | until it is over |
//! | check, sink | name | | | always |
//! | maintenance (`maintenance`) | its own | | when it was made | always |
//!
//! Lines of timelines, and deliveries that ended, are announced: the events tell them.
//!
//! Keys of groups have labels in them, which may be longer than what a database takes as a key: hence digests.
//!
//! Invariant: what is open is all that a machine is made of; what is closed is history, and goes by its age.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sickbay_core::Timestamp;
use sickbay_core::alerting::{
    Changes, CheckRow, Delivery, GroupKey, GroupRow, Incident, IncidentEvent, IncidentId, LedgerEntry, Rows, Severity, Silence, SinkRow,
};
use sickbay_store::{Change, Document, Kind, READ_ROWS_MAX, Store, StoreError};

/// Where rows of this kind are history alone.
const CLOSED: bool = false;
const OPEN: bool = true;

/// A line of a timeline as it is stored: with what tells a reader of events which incident it is about. Those of before have the line alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) event: IncidentEvent,
    /// The label `alertname`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<Severity>,
}

/// What is to be written: what is removed first, as the machine wants it.
pub(super) fn of(changes: &Changes) -> Vec<Change> {
    let removed = &changes.removed;
    let mut rows = Vec::new();
    rows.extend(removed.groups.iter().map(|key| Change::Remove(Kind::Group, group_id(key))));
    rows.extend(removed.ledger.iter().map(|(key, sink)| Change::Remove(Kind::Ledger, ledger_id(key, sink))));
    rows.extend(removed.checks.iter().map(|check| Change::Remove(Kind::Check, check.to_string())));
    rows.extend(removed.sinks.iter().map(|sink| Change::Remove(Kind::Sink, sink.to_string())));
    let of_event: HashMap<IncidentId, &Incident> = changes.incidents.iter().map(|incident| (incident.id, incident)).collect();
    rows.extend(changes.events.iter().map(|row| Change::Announce(event(row, of_event.get(&row.incident).copied()))));
    let ended = |row: &Delivery| if row.is_finished() { Change::Announce(delivery(row)) } else { Change::Put(delivery(row)) };
    rows.extend(changes.deliveries.iter().map(ended));
    let put = [
        changes.incidents.iter().map(incident).collect::<Vec<_>>(),
        changes.groups.iter().map(group).collect(),
        changes.ledger.iter().map(ledger).collect(),
        changes.silences.iter().map(silence).collect(),
        changes.checks.iter().map(check).collect(),
        changes.sinks.iter().map(sink).collect(),
    ];
    rows.extend(put.into_iter().flatten().map(Change::Put));
    rows
}

/// All that is open. What cannot be read stays where it is, and the log says so.
pub(super) async fn read(store: &dyn Store) -> Result<Rows, StoreError> {
    Ok(Rows {
        incidents: open(store, Kind::Incident).await?,
        groups: open(store, Kind::Group).await?,
        ledger: open(store, Kind::Ledger).await?,
        deliveries: open(store, Kind::Delivery).await?,
        silences: open(store, Kind::Silence).await?,
        checks: open(store, Kind::Check).await?,
        sinks: open(store, Kind::Sink).await?,
    })
}

pub(super) async fn open<T: DeserializeOwned>(store: &dyn Store, kind: Kind) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.open_documents(kind, &after, READ_ROWS_MAX).await?;
        let is_last = page.len() < READ_ROWS_MAX as usize;
        if let Some(last) = page.last() {
            after.clone_from(&last.id);
        }
        rows.extend(page.iter().filter_map(parse));
        if is_last {
            return Ok(rows);
        }
    }
}

/// What a document holds; none where it cannot be read, which the log tells.
pub(crate) fn parse<T: DeserializeOwned>(document: &Document) -> Option<T> {
    let Document { kind, id, .. } = document;
    serde_json::from_str(&document.body)
        .map_err(|error| tracing::error!(?kind, id, %error, "a row about alerts cannot be read and is left out"))
        .ok()
}

/// The id of an event sorts by its number.
fn event_id(event: &IncidentEvent) -> String {
    format!("{}/{:010}", event.incident, event.number)
}

fn incident(row: &Incident) -> Document {
    let parent = row.check().map(ToString::to_string).unwrap_or_default();
    document(Kind::Incident, row.id.to_string(), parent, row.ended_at.unwrap_or(row.started_at), !row.is_settled, row)
}

fn event(row: &IncidentEvent, incident: Option<&Incident>) -> Document {
    let line = Line {
        event: row.clone(),
        alert: incident.and_then(|incident| incident.labels.get("alertname")).map(str::to_owned),
        check: incident.and_then(|incident| incident.check()).map(ToString::to_string),
        severity: incident.map(|incident| incident.severity),
    };
    document(Kind::Event, event_id(row), row.incident.to_string(), row.at, CLOSED, &line)
}

fn group(row: &GroupRow) -> Document {
    let at = row.changed_at.max(row.flushed_at).unwrap_or_default();
    document(Kind::Group, group_id(&row.key), String::new(), at, OPEN, row)
}

fn ledger(row: &LedgerEntry) -> Document {
    let at = row.last_told_at.unwrap_or_default();
    document(Kind::Ledger, ledger_id(&row.group, &row.sink), row.sink.to_string(), at, OPEN, row)
}

fn delivery(row: &Delivery) -> Document {
    document(Kind::Delivery, row.id.to_string(), row.sink.to_string(), row.created_at, !row.is_finished(), row)
}

fn silence(row: &Silence) -> Document {
    let at = if row.is_over { row.ends_at } else { row.starts_at };
    document(Kind::Silence, row.id.to_string(), String::new(), at, !row.is_over, row)
}

fn check(row: &CheckRow) -> Document {
    document(Kind::Check, row.check.to_string(), String::new(), Timestamp::default(), OPEN, row)
}

fn sink(row: &SinkRow) -> Document {
    document(Kind::Sink, row.sink.to_string(), String::new(), Timestamp::default(), OPEN, row)
}

fn group_id(key: &GroupKey) -> String {
    digest(key.as_str())
}

fn ledger_id(key: &GroupKey, sink: &str) -> String {
    // No name of a sink has a blank in it.
    digest(&format!("{sink} {key}"))
}

fn digest(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn document(kind: Kind, id: String, parent: String, at: Timestamp, open: bool, row: &impl Serialize) -> Document {
    // Texts, numbers and maps by text, so it always serialises.
    Document { kind, id, parent, at, open, body: serde_json::to_string(row).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sickbay_core::Status;
    use sickbay_core::alerting::{
        Alerting, AlertingConfig, CheckIdentity, Fact, Findings, Flap, GIVE_UP_AFTER, LabelSet, Matcher, Outcome, RouteConfig,
        SilenceDraft, SinkConfig,
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn config() -> Arc<AlertingConfig> {
        let route = RouteConfig {
            sinks: Some(vec!["oncall".into()]),
            group_wait: Some(Duration::ZERO),
            group_interval: Some(SECOND),
            ..RouteConfig::default()
        };
        Arc::new(AlertingConfig { sinks: vec![SinkConfig::named("oncall")], route, ..AlertingConfig::default() })
    }

    fn identity(name: &str) -> Arc<CheckIdentity> {
        Arc::new(CheckIdentity {
            name: name.into(),
            plugin: "http".into(),
            kind: "http".into(),
            target: None,
            owner: None,
            labels: LabelSet::new([("service", "\u{0}\"shop\"")]).expect("a label"),
        })
    }

    fn findings(status: Status) -> Arc<Findings> {
        Arc::new(Findings { status, ..Findings::posted("it does not answer") })
    }

    /// A machine with something in every table, and what it answered on the way.
    fn busy() -> (Alerting, Vec<Changes>) {
        let mut alerting = Alerting::new(config(), 7, Timestamp(1_000));
        let mut answers = Vec::new();
        let mut tell = |alerting: &mut Alerting, fact: Fact, second: u64| {
            let changes = alerting.apply(fact, Timestamp(second * 1_000));
            answers.push(changes.clone());
            changes
        };
        let matcher = Matcher::parse("service=\"other\"").expect("a matcher");
        let draft = SilenceDraft {
            id: None,
            matchers: vec![matcher],
            starts_at: Timestamp(1_000),
            ends_at: Timestamp(900_000),
            created_by: "anna".to_owned(),
            comment: "größe".to_owned(),
        };
        tell(&mut alerting, Fact::SilencePut { draft }, 2);
        tell(&mut alerting, Fact::Transition { check: identity("api"), findings: findings(Status::Critical) }, 3);
        let change = Flap::Began { findings: findings(Status::Warning), confirmed: Status::Ok };
        tell(&mut alerting, Fact::Flapping { check: identity("db"), change }, 4);
        let due = alerting.due_deliveries(Timestamp(4_000)).next().expect("it is to be told");
        let changes = tell(&mut alerting, Fact::Attempting { delivery: due }, 5);
        let attempt = changes.attempt(due).expect("it may be attempted").attempts;
        let outcome = Outcome::Retryable { error: "HTTP 500".to_owned(), after: Some(SECOND * 60) };
        tell(&mut alerting, Fact::DeliveryEnded { delivery: due, attempt, outcome }, 6);
        let incident = alerting.incidents().next().expect("an incident").id;
        let acknowledge = Fact::Acknowledge { incident, by: "anna".to_owned(), until: Some(Timestamp(99_000)), note: None };
        tell(&mut alerting, acknowledge, 7);
        (alerting, answers)
    }

    async fn store() -> Arc<dyn Store> {
        sickbay_store::open("sqlite::memory:", std::path::Path::new("/")).await.expect("a store")
    }

    #[tokio::test]
    async fn a_machine_is_made_again_of_the_documents_that_it_wrote() {
        let (alerting, answers) = busy();
        let store = store().await;
        for changes in &answers {
            store.commit(&[], &of(changes)).await.expect("they can be written");
        }
        let rows = read(&*store).await.expect("they can be read");
        assert_eq!(rows, alerting.rows());
        let Rows { incidents, groups, ledger, deliveries, silences, checks, sinks } = rows;
        let lens = [incidents.len(), groups.len(), ledger.len(), deliveries.len(), silences.len(), checks.len(), sinks.len()];
        assert!(lens.iter().all(|len| *len > 0), "each table has a row: {lens:?}");
    }

    #[tokio::test]
    async fn what_is_removed_and_what_ended_is_not_read_again() {
        let (mut alerting, mut answers) = busy();
        for name in ["api", "db"] {
            answers.push(alerting.apply(Fact::CheckRemoved { check: name.into() }, Timestamp(20_000)));
        }
        answers.push(alerting.apply(Fact::Configured { config: Arc::new(AlertingConfig::default()) }, Timestamp(21_000)));
        let silence = alerting.silences().next().expect("the silence").id;
        // The sink is owed an end and does not come back.
        let given_up_at = Timestamp(21_000).plus(GIVE_UP_AFTER);
        answers.push(alerting.apply(Fact::SilenceExpired { silence }, Timestamp(22_000)));
        assert!(!alerting.rows().ledger.is_empty());
        answers.push(alerting.apply(Fact::Tick, given_up_at));
        let store = store().await;
        for changes in &answers {
            store.commit(&[], &of(changes)).await.expect("they can be written");
        }
        assert_eq!(read(&*store).await.expect("they can be read"), Rows::default());
        assert_eq!(alerting.rows(), Rows::default());
    }

    /// Whether a row is what it was after its way through a document.
    fn survives<T: DeserializeOwned + PartialEq + std::fmt::Debug>(rows: &[T], document: impl Fn(&T) -> Document) {
        assert!(!rows.is_empty());
        for row in rows {
            let document = document(row);
            assert!(document.id.len() <= 64 && !document.id.contains('\0'), "{document:?}");
            assert_eq!(parse::<T>(&document).as_ref(), Some(row));
        }
    }

    #[test]
    fn each_row_survives_its_document() {
        let (alerting, answers) = busy();
        let Rows { incidents, groups, ledger: entries, deliveries, silences, checks, sinks } = alerting.rows();
        survives(&incidents, incident);
        survives(&groups, group);
        survives(&entries, ledger);
        survives(&deliveries, delivery);
        survives(&silences, silence);
        survives(&checks, check);
        survives(&sinks, sink);
        let events: Vec<IncidentEvent> = answers.into_iter().flat_map(|changes| changes.events).collect();
        survives(&events, |row| event(row, None));
    }

    #[test]
    fn lines_and_ends_of_deliveries_are_announced_with_what_they_are_about() {
        let (mut alerting, mut answers) = busy();
        answers.push(alerting.apply(Fact::Configured { config: Arc::new(AlertingConfig::default()) }, Timestamp(20_000)));
        // The sink is gone, and what it is owed is kept for a day.
        answers.push(alerting.apply(Fact::Tick, Timestamp(20_000 + 25 * 3_600_000)));
        let changes: Vec<Change> = answers.iter().flat_map(of).collect();
        let announced = changes.iter().filter_map(|change| match change {
            Change::Announce(document) => Some(document),
            Change::Put(_) | Change::Remove(..) => None,
        });
        let (lines, ends): (Vec<&Document>, Vec<&Document>) = announced.partition(|document| document.kind == Kind::Event);
        assert_eq!(lines.len(), answers.iter().map(|changes| changes.events.len()).sum::<usize>());
        let first: Line = parse(lines[0]).expect("a line");
        assert_eq!((first.alert.as_deref(), first.check.as_deref(), first.severity), (Some("api"), Some("api"), Some(Severity::P3)));
        assert!(!ends.is_empty() && ends.iter().all(|document| document.kind == Kind::Delivery && !document.open), "{ends:?}");
    }

    #[test]
    fn a_group_of_long_labels_has_a_short_id_and_lines_of_a_timeline_sort_by_their_numbers() {
        let (alerting, answers) = busy();
        let row = alerting.rows().groups.remove(0);
        assert_eq!(group(&row).id.len(), 64);
        assert_ne!(ledger_id(&row.key, "oncall"), ledger_id(&row.key, "other"));
        let event = answers.iter().flat_map(|changes| &changes.events).next().expect("an event");
        let ids = [2, 10, 9].map(|number| event_id(&IncidentEvent { number, ..event.clone() }));
        assert!(ids[0] < ids[2] && ids[2] < ids[1], "{ids:?}");
    }

    #[test]
    fn history_ages_from_its_end() {
        let (mut alerting, _) = busy();
        let changes = alerting.apply(Fact::CheckRemoved { check: "api".into() }, Timestamp(50_000));
        let row = changes.incidents.iter().find(|incident| incident.check().is_some_and(|check| **check == *"api")).expect("its incident");
        let document = incident(row);
        assert_eq!((document.at, document.parent.as_str(), document.open), (Timestamp(50_000), "api", true), "its end is owed");
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let (alerting, _) = busy();
        let row = alerting.rows().silences.remove(0);
        assert_eq!(parse::<Silence>(&Document { body: "{}".to_owned(), ..silence(&row) }), None);
    }
}
