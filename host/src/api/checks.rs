//! `/api/v1/checks`: the checks, one check, and its history.

use std::ops::Bound;

use axum::Json;
use axum::extract::{RawQuery, State};
use sickbay_core::alerting::AlertKind;

use super::Api;
use super::model::{CheckAlertsItem, CheckDetail, CheckItem, Page, ResultItem, StatusWord};
use super::parameters::{Named, Parameters, SEQUENCE_NUMBER_MAX, invalid};
use super::problem::{Problem, ProblemKind, quoted};
use crate::alerting::facts::identity;
use crate::config::nearest;
use crate::live::{CheckTable, LiveCheck};

/// Names in a hint.
const TARGETS_SHOWN_MAX: usize = 3;
/// Items that a list gives where no `limit` is asked for.
const ITEMS_DEFAULT: u64 = 100;
/// Items that a list gives at most.
pub(crate) const ITEMS_MAX: u64 = 1000;
/// No name is longer; a cursor is one.
const CURSOR_BYTES_MAX: usize = 512;

/// Which checks are asked for; all conditions hold together.
struct Filter {
    status: Option<StatusWord>,
    plugin: Option<String>,
    labels: Vec<(String, String)>,
}

impl Filter {
    fn read(parameters: &Parameters) -> Result<Filter, Problem> {
        let labels = parameters.all("label").map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(invalid(format!("`label` is {}", quoted(text))).hint("write label=NAME=VALUE, for example label=service=api")),
        });
        Ok(Filter {
            status: parameters.text("status")?.map(status).transpose()?,
            plugin: parameters.text("plugin")?.map(str::to_owned),
            labels: labels.collect::<Result<_, Problem>>()?,
        })
    }

    fn wants(&self, check: &LiveCheck) -> bool {
        self.plugin.as_ref().is_none_or(|plugin| *plugin == check.spec.plugin)
            && self.labels.iter().all(|(name, value)| check.spec.labels.get(name) == Some(value))
            && self.status.is_none_or(|status| status == StatusWord::from(check.with(|observed| observed.state.status)))
    }
}

fn status(text: &str) -> Result<StatusWord, Problem> {
    StatusWord::WORST_FIRST.into_iter().find(|word| word.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = StatusWord::WORST_FIRST.iter().map(|word| word.as_str()).collect();
        invalid(format!("`status` is {}", quoted(text))).hint(format!("known are {}", known.join(", ")))
    })
}

/// All checks, by name.
#[utoipa::path(
    get,
    path = "/api/v1/checks",
    tag = "checks",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
        ("status" = Option<String>, Query, description = "Only those whose last result is ok, warning, critical or unknown"),
        ("plugin" = Option<String>, Query, description = "Only those of one plugin"),
        ("label" = Option<Vec<String>>, Query, description = "NAME=VALUE: only those with this label; may be repeated"),
    ),
    responses(
        (status = 200, description = "A part of the list", body = Page<CheckItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_checks(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<CheckItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "status", "plugin", "label"])?;
    let limit = limit(&parameters)?;
    let filter = Filter::read(&parameters)?;
    let table = api.live.checks();
    let mut wanted = table.by_name.range::<str, _>(behind(&parameters)?).map(|(_, check)| check).filter(|check| filter.wants(check));
    let items: Vec<CheckItem> = wanted.by_ref().take(limit).map(|check| CheckItem::of(check, &check.observed())).collect();
    let next = wanted.next().and(items.last()).map(|last| last.name.clone());
    Ok(Json(Page { items, next }))
}

/// One check with everything that is known of it now.
///
/// Its `config` is left out, since it may hold a secret.
#[utoipa::path(
    get,
    path = "/api/v1/checks/{name}",
    tag = "checks",
    params(("name" = String, Path, description = "The check's name, percent-encoded")),
    responses(
        (status = 200, description = "The check", body = CheckDetail),
        (status = 404, description = "No check has this name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_check(State(api): State<Api>, Named(name): Named, RawQuery(query): RawQuery) -> Result<Json<CheckDetail>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let table = api.live.checks();
    let check = table.get(&name).ok_or_else(|| unknown(&name, &table))?;
    let labels = identity(check, &api.live.config.load()).alert_labels(AlertKind::Failure);
    let alerts = api.live.alerts.read(|alerting| CheckAlertsItem::of(&check.name, &labels, alerting));
    Ok(Json(CheckDetail::of(check, &check.observed(), alerts)))
}

/// The recorded results of one check, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/checks/{name}/results",
    tag = "checks",
    params(
        ("name" = String, Path, description = "The check's name, percent-encoded"),
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<u64>, Query, description = "`next` of the part before"),
        ("before" = Option<u64>, Query, description = "The same by another name: only results with a smaller number"),
    ),
    responses(
        (status = 200, description = "A part of the history", body = Page<ResultItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No check has this name", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn check_results(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<ResultItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "before"])?;
    let limit = limit(&parameters)?;
    let before = match (parameters.number("cursor", 1..=SEQUENCE_NUMBER_MAX)?, parameters.number("before", 1..=SEQUENCE_NUMBER_MAX)?) {
        (Some(_), Some(_)) => return Err(invalid("`cursor` and `before` say the same").hint("pass one of them")),
        (cursor, before) => cursor.or(before),
    };
    if api.live.checks().get(&name).is_none() {
        return Err(unknown(&name, &api.live.checks()));
    }
    // One more than asked for tells whether there is a next part. The limit is far below what fits.
    let mut results = api.live.store.results(&name, before, limit as u32 + 1).await.map_err(Problem::store)?;
    let more = results.len() > limit;
    results.truncate(limit);
    let next = results.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok(Json(Page { items: results.iter().map(ResultItem::from).collect(), next }))
}

/// The names behind the cursor. A cursor is the name before: what is added or removed meanwhile neither repeats nor hides an item.
pub(super) fn behind(parameters: &Parameters) -> Result<(Bound<&str>, Bound<&str>), Problem> {
    let begin = match parameters.text("cursor")? {
        Some(cursor) if cursor.len() > CURSOR_BYTES_MAX => return Err(invalid("`cursor` is none of ours").hint("pass `next` as it came")),
        Some(cursor) => Bound::Excluded(cursor),
        None => Bound::Unbounded,
    };
    Ok((begin, Bound::Unbounded))
}

pub(super) fn limit(parameters: &Parameters) -> Result<usize, Problem> {
    // At most ITEMS_MAX, so it fits.
    Ok(parameters.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS_DEFAULT) as usize)
}

/// Names the checks that may have been meant: those of its targets, or the nearest.
pub(crate) fn unknown(name: &str, known: &CheckTable) -> Problem {
    let begin = format!("{name}@");
    let mut targets = known.by_name.keys().filter(|known| known.starts_with(&begin));
    let shown: Vec<String> = targets.by_ref().take(TARGETS_SHOWN_MAX).map(|target| quoted(target)).collect();
    let names: Vec<&str> = known.by_name.keys().map(String::as_str).collect();
    let hint = match (shown.is_empty(), targets.count(), nearest(name, &names)) {
        (false, 0, _) => format!("it has a check for each of its targets: {}", shown.join(", ")),
        (false, more, _) => format!("it has a check for each of its targets: {} and {more} more", shown.join(", ")),
        (true, _, Some(meant)) => format!("did you mean {}?", quoted(meant)),
        (true, _, None) => "all of them are at /api/v1/checks".to_owned(),
    };
    Problem::new(ProblemKind::CheckUnknown, format!("no check is named {}", quoted(name))).hint(hint)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use sickbay_core::{Evidence, Reason, Status, Timestamp};

    use super::unknown;
    use crate::api::testing::{Host, check, get, record, two_checks};

    fn names(page: &Value) -> Vec<&str> {
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn an_unknown_name_is_answered_with_what_may_be_meant() {
        let more = "targets = [\"a\", \"b\", \"c\", \"d\"]\nconfig = { url = \"http://{{target}}/\" }\n";
        let host = Host::start(&format!("{}\n{}{more}", two_checks(), check("site"))).await;
        let table = host.live.checks();
        let hint = |name: &str| unknown(name, &table).hint;
        assert_eq!(hint("dsik").as_deref(), Some("did you mean `disk`?"));
        assert_eq!(hint("site").as_deref(), Some("it has a check for each of its targets: `site@a`, `site@b`, `site@c` and 1 more"));
        assert_eq!(hint("something-else").as_deref(), Some("all of them are at /api/v1/checks"));
    }

    #[tokio::test]
    async fn a_check_that_has_not_run_is_unknown_and_says_why() {
        let host = Host::start(&two_checks()).await;
        let page = host.ask(get("/api/v1/checks")).await.json();
        assert_eq!(page["next"], Value::Null);
        assert_eq!(
            page["items"][0],
            json!({
                "name": "api", "status": "unknown", "hard_status": "unknown", "state": "hard", "since": null, "plugin": "http", "kind": "http",
                "summary": "", "reason": "NotYetRun", "reason_detail": "has not run yet", "decision": null, "last_run_at": null,
                "labels": { "service": "api" }, "flapping": false, "unreachable_by": null, "dependents": 0,
            })
        );
    }

    #[tokio::test]
    async fn a_check_says_who_is_told_of_it_and_who_would_be() {
        let route = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[route]\nsinks = [\"oncall\"]\n";
        let host = Host::start(&format!("{route}{}", two_checks())).await;
        let alerts = host.ask(get("/api/v1/checks/api")).await.json()["alerts"].clone();
        assert_eq!((&alerts["incidents"], &alerts["explanation"]["routes"][0]["sinks"]), (&json!([]), &json!(["oncall"])), "{alerts}");
        assert!(alerts["explanation"]["says"][0].as_str().unwrap().starts_with("no incident is open"), "{alerts}");

        let mut failed = record("api", 1);
        (failed.status, failed.reason) = (Status::Critical, Reason::Reported { status: Status::Critical, failure: None });
        (failed.state.status, failed.state.hard_status) = (Status::Critical, Status::Critical);
        failed.transition = Some(sickbay_core::Transition { from: Status::Ok, to: Status::Critical, at: failed.started_at });
        host.commit(vec![failed]).await;
        let alerts = host.ask(get("/api/v1/checks/api")).await.json()["alerts"].clone();
        let incident = &alerts["incidents"][0];
        assert_eq!((&incident["check"], &incident["phase"], &alerts["explanation"]), (&json!("api"), &json!("firing"), &Value::Null));
        assert_eq!(incident["explanation"]["routes"][0]["sinks"], json!(["oncall"]), "{alerts}");
    }

    #[tokio::test]
    async fn a_list_comes_in_parts_without_repeating_or_leaving_out() {
        let checks: String = ["c", "a", "e", "b", "d"].iter().map(|name| check(name)).collect();
        let host = Host::start(&checks).await;
        let mut seen = Vec::new();
        let mut path = "/api/v1/checks?limit=2".to_owned();
        loop {
            let page = host.ask(get(&path)).await.json();
            seen.push(names(&page).join(""));
            match page["next"].as_str() {
                Some(next) => path = format!("/api/v1/checks?limit=2&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["ab", "cd", "e"]);
    }

    #[tokio::test]
    async fn the_last_part_has_no_next_when_it_is_full() {
        let host = Host::start(&two_checks()).await;
        let page = host.ask(get("/api/v1/checks?limit=2")).await.json();
        assert_eq!((names(&page).len(), &page["next"]), (2, &Value::Null));
    }

    #[tokio::test]
    async fn filters_hold_together() {
        let host = Host::start(&two_checks()).await;
        host.observe("disk", |observed| observed.state.status = Status::Critical);
        for (query, wanted) in [
            ("status=critical", vec!["disk"]),
            ("status=ok", vec![]),
            ("plugin=http", vec!["api"]),
            ("label=service%3Dapi", vec!["api"]),
            ("label=service=api&status=critical", vec![]),
            ("label=service=other", vec![]),
        ] {
            let page = host.ask(get(&format!("/api/v1/checks?{query}"))).await.json();
            assert_eq!(names(&page), wanted, "{query}");
        }
        for query in ["status=down", "label=service", "label==x"] {
            assert_eq!(host.ask(get(&format!("/api/v1/checks?{query}"))).await.status, 400, "{query}");
        }
    }

    #[tokio::test]
    async fn a_check_shows_its_evidence_and_never_its_config() {
        let host = Host::start(&two_checks()).await;
        host.observe("api", |observed| {
            let mut record = record("api", 1);
            record.reason = Reason::ConditionFailed {
                status: Status::Warning,
                condition: "a > 1".into(),
                actual: "2".into(),
                expected: "at most 1".into(),
            };
            record.evidence = vec![Evidence { metric: "a".into(), actual: "2".into(), expected: "at most 1".into(), unit: String::new() }];
            observed.state.failures = 1;
            observed.last = Some(Arc::new(record));
        });
        let answer = host.ask(get("/api/v1/checks/api")).await;
        let detail = answer.json();
        assert_eq!(detail["reason"], "ConditionFailed");
        assert_eq!(detail["evidence"][0]["actual"], "2");
        assert_eq!(detail["every_seconds"], 10.0);
        assert_eq!((&detail["failures"], &detail["failures_needed"]), (&json!(1), &json!(3)));
        assert!(!String::from_utf8(answer.body).unwrap().contains("hunter2"), "the config of the check is in the answer");
    }

    #[tokio::test]
    async fn history_comes_newest_first_in_parts() {
        let host = Host::start(&two_checks()).await;
        host.commit((1..=5).map(|number| record("api", number)).collect()).await;
        host.commit(vec![record("disk", 6)]).await;
        let page = host.ask(get("/api/v1/checks/api/results?limit=2")).await.json();
        let numbers = |page: &Value| page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_u64().unwrap()).collect::<Vec<_>>();
        assert_eq!(numbers(&page), [5, 4]);
        assert_eq!(page["next"], "4");
        for key in ["cursor", "before"] {
            let page = host.ask(get(&format!("/api/v1/checks/api/results?limit=3&{key}=4"))).await.json();
            assert_eq!(numbers(&page), [3, 2, 1], "{key}");
            assert_eq!(page["next"], Value::Null);
            assert_eq!(page["items"][0]["scheduled_at"], crate::clock::rfc3339(Timestamp(3_000)));
        }
        for query in ["cursor=x", "cursor=0", "cursor=4&before=4"] {
            assert_eq!(host.ask(get(&format!("/api/v1/checks/api/results?{query}"))).await.status, 400, "{query}");
        }
    }
}
