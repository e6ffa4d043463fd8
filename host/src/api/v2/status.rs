//! `/api/v2/status` and `/api/v2/receivers`: what this is, and which sinks there are.
//!
//! `config.original` is the tree of routes as Alertmanager would write it, in JSON, which is YAML: `amtool config routes` and Grafana read
//! it. A route that tells several sinks names them as one receiver; ladders, times and inhibition are left out.
//!
//! Invariant: nothing of a sink but its name is in here.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Map, Value, json};
use sickbay_core::alerting::{AlertingConfig, GroupBy, RouteConfig, SinkName, UNKNOWN_ALERTNAME};

use crate::api::Api;
use crate::api::parameters::Parameters;
use crate::api::problem::Problem;
use crate::clock::rfc3339;

/// The Alertmanager whose API this is: clients choose by it how they speak.
const ALERTMANAGER_VERSION: &str = "0.28.1";

/// A route has to have a receiver.
const NOBODY: &str = "nobody";

pub(super) async fn status(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let config = api.live.alerts.read(|machine| machine.config().clone());
    Ok(Json(json!({
        "cluster": { "name": "", "status": "disabled", "peers": [] },
        "config": { "original": original(&config) },
        "uptime": rfc3339(api.live.started_at),
        "versionInfo": {
            "version": ALERTMANAGER_VERSION,
            "revision": env!("CARGO_PKG_VERSION"),
            "branch": "sickbay",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
    })))
}

pub(super) async fn receivers(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let config = api.live.alerts.read(|machine| machine.config().clone());
    Ok(Json(config.sinks.iter().map(|sink| json!({ "name": &*sink.name })).collect()))
}

fn original(config: &AlertingConfig) -> String {
    let mut receivers = BTreeSet::new();
    let root_sinks = config.route.sinks.as_deref().unwrap_or_default();
    // Only incidents of its own get there, by this name.
    let mut unknown = route(&RouteConfig { routes: Vec::new(), ..config.unknown.clone() }, root_sinks, &mut receivers);
    unknown.insert("matchers".to_owned(), json!([format!("alertname=\"{UNKNOWN_ALERTNAME}\"")]));
    let mut root = route(&config.route, &[], &mut receivers);
    let mut routes = vec![Value::Object(unknown)];
    if let Some(Value::Array(written)) = root.remove("routes") {
        routes.extend(written);
    }
    root.insert("routes".to_owned(), Value::Array(routes));
    let receivers: Vec<Value> = receivers.into_iter().map(|name| json!({ "name": name })).collect();
    format!("{:#}", json!({ "route": root, "receivers": receivers }))
}

/// A route and those below it; `parent` are the sinks of the one above. Names of receivers are added to `receivers`.
fn route(written: &RouteConfig, parent: &[SinkName], receivers: &mut BTreeSet<String>) -> Map<String, Value> {
    let sinks = written.sinks.as_deref().unwrap_or(parent);
    let receiver = if sinks.is_empty() { NOBODY.to_owned() } else { sinks.join(", ") };
    let mut route = Map::new();
    route.insert("receiver".to_owned(), Value::from(receiver.as_str()));
    receivers.insert(receiver);
    if !written.matchers.is_empty() {
        let matchers: Vec<String> = written.matchers.iter().map(ToString::to_string).collect();
        route.insert("matchers".to_owned(), Value::from(matchers));
    }
    if written.continues {
        route.insert("continue".to_owned(), Value::Bool(true));
    }
    match &written.group_by {
        Some(GroupBy::Labels(names)) => route.insert("group_by".to_owned(), Value::from(names.clone())),
        Some(GroupBy::All) => route.insert("group_by".to_owned(), json!(["..."])),
        None => None,
    };
    let times =
        [("group_wait", written.group_wait), ("group_interval", written.group_interval), ("repeat_interval", written.repeat_interval)];
    for (key, time) in times {
        if let Some(time) = time {
            route.insert(key.to_owned(), Value::from(duration(time)));
        }
    }
    if !written.routes.is_empty() {
        let below: Vec<Value> = written.routes.iter().map(|child| Value::Object(self::route(child, sinks, receivers))).collect();
        route.insert("routes".to_owned(), Value::Array(below));
    }
    route
}

/// As Prometheus writes durations.
fn duration(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

#[cfg(test)]
mod tests {
    use sickbay_core::alerting::{Matcher, SinkConfig};

    use super::*;

    #[test]
    fn routes_are_written_as_alertmanager_has_them() {
        let child = RouteConfig {
            matchers: vec![Matcher::parse("severity=~\"P0|P1\"").expect("a matcher")],
            continues: true,
            sinks: Some(vec!["desk".into(), "lead".into()]),
            group_by: Some(GroupBy::All),
            group_wait: Some(Duration::from_millis(1500)),
            routes: vec![RouteConfig { matchers: vec![Matcher::parse("a=1").expect("a matcher")], ..RouteConfig::default() }],
            ..RouteConfig::default()
        };
        let config = AlertingConfig {
            sinks: vec![SinkConfig::named("desk"), SinkConfig::named("lead")],
            route: RouteConfig {
                sinks: Some(vec!["desk".into()]),
                group_by: Some(GroupBy::Labels(vec!["service".to_owned()])),
                repeat_interval: Some(Duration::from_secs(14_400)),
                routes: vec![child],
                ..RouteConfig::default()
            },
            ..AlertingConfig::default()
        };
        let written: Value = serde_json::from_str(&original(&config)).expect("it is JSON");
        assert_eq!(
            written,
            json!({
                "receivers": [{ "name": "desk" }, { "name": "desk, lead" }],
                "route": {
                    "receiver": "desk",
                    "group_by": ["service"],
                    "repeat_interval": "14400s",
                    "routes": [
                        { "receiver": "desk", "matchers": ["alertname=\"SickbayCheckUnknown\""] },
                        {
                            "receiver": "desk, lead",
                            "matchers": ["severity=~\"P0|P1\""],
                            "continue": true,
                            "group_by": ["..."],
                            "group_wait": "1500ms",
                            "routes": [{ "receiver": "desk, lead", "matchers": ["a=\"1\""] }],
                        },
                    ],
                },
            })
        );
    }

    #[test]
    fn without_sinks_there_is_still_a_route() {
        let written: Value = serde_json::from_str(&original(&AlertingConfig::default())).expect("it is JSON");
        assert_eq!((&written["route"]["receiver"], &written["receivers"]), (&json!("nobody"), &json!([{ "name": "nobody" }])));
    }
}
