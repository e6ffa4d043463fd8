//! Open incidents, above the table of checks: the worst first, then the newest.
//!
//! Limits: [`SHOWN_MAX`] are shown, the others are counted.
//!
//! Each has its id as anchor: what sinks are told leads there.

use maud::{Markup, html};
use sickbay_core::Timestamp;
use sickbay_core::alerting::Incident;

use super::{age, cut};
use crate::api::model::IncidentItem;
use crate::clock;
use crate::live::Live;

const SHOWN_MAX: usize = 20;

pub(super) struct OpenIncidents {
    shown: Vec<(IncidentItem, Timestamp)>,
    more: usize,
}

impl OpenIncidents {
    pub(super) fn of(live: &Live) -> OpenIncidents {
        live.alerts.read(|alerting| {
            let mut open: Vec<&Incident> = alerting.incidents().filter(|incident| incident.is_open()).collect();
            open.sort_unstable_by_key(|incident| (incident.severity, std::cmp::Reverse(incident.id)));
            let shown = open.iter().take(SHOWN_MAX).map(|incident| (IncidentItem::from(*incident), incident.started_at));
            OpenIncidents { shown: shown.collect(), more: open.len().saturating_sub(SHOWN_MAX) }
        })
    }

    pub(super) fn markup(&self, now: Timestamp) -> Markup {
        html! {
            @if !self.shown.is_empty() {
                section aria-label="Open incidents" {
                    h2 { "Open incidents" }
                    ul.incidents {
                        @for (incident, started_at) in &self.shown { (row(incident, *started_at, now)) }
                    }
                    @if self.more > 0 { p { (self.more) " more: " a href="/api/v1/incidents" { "all of them" } } }
                }
            }
        }
    }
}

fn row(incident: &IncidentItem, started_at: Timestamp, now: Timestamp) -> Markup {
    let name = incident.check.as_deref().or(incident.labels.get("alertname").map(String::as_str)).unwrap_or("an alert");
    html! {
        li id=(incident.id) {
            span.status.(incident.status.as_str()) { (incident.severity) " " (incident.status.as_str()) } " "
            a href={ "/api/v1/incidents/" (incident.id) } { (cut(name)) } ": " (cut(&incident.told()))
            span.quiet {
                " for " time datetime=(clock::rfc3339(started_at)) title=(clock::rfc3339(started_at)) { (age(now.since(started_at))) }
                @if let Some(ack) = &incident.ack { ", taken by " (cut(&ack.by)) }
                @if let Some(mute) = &incident.mute { ", not told: " (cut(&mute.detail)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::alerting::{Fact, LabelSet, PostedAlert};

    use super::*;
    use crate::api::testing::{Host, get};

    async fn opened(host: &Host, name: &str, severity: &str) {
        let posted = PostedAlert {
            labels: LabelSet::new([("alertname", name), ("severity", severity)]).unwrap(),
            annotations: [].into(),
            starts_at: None,
            ends_at: None,
            generator_url: None,
        };
        host.live.alerts.tell(Fact::Posted { alerts: vec![posted] }).await.unwrap();
    }

    #[tokio::test]
    async fn open_incidents_stand_above_the_table_the_worst_first_and_as_text() {
        let host = Host::start("").await;
        let page = async || String::from_utf8(host.ask(get("/")).await.body).unwrap();
        assert!(!page().await.contains("Open incidents"));
        opened(&host, "minor", "P3").await;
        opened(&host, "<script>alert(1)</script>", "P0").await;
        let html = page().await;
        let places = [html.find("&lt;script&gt;alert(1)"), html.find("minor"), html.find("No checks yet")];
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {html}");
        assert!(!html.contains("<script"), "{html}");
    }

    #[tokio::test]
    async fn beyond_a_screen_of_them_they_are_counted() {
        let host = Host::start("").await;
        for number in 0..SHOWN_MAX + 2 {
            opened(&host, &format!("disk-{number}"), "P2").await;
        }
        let html = String::from_utf8(host.ask(get("/")).await.body).unwrap();
        assert_eq!(html.matches("<li id=\"").count(), SHOWN_MAX);
        assert!(html.contains("2 more: "), "{html}");
    }
}
