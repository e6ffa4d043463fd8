//! `/metrics`, for Prometheus and what reads its format.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::{Problem, ProblemKind};
use crate::metrics;

/// What Sickbay counts of its checks and of itself, in the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain; version=0.0.4"))
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let internal = || Problem::new(ProblemKind::Internal, "the metrics could not be written").hint("see the log of `sickbay serve`");
    let Ok(_permit) = api.scrapes.acquire().await else { return Err(internal()) };
    let live = api.live.clone();
    // Tens of milliseconds of CPU with many checks: not on the threads that the schedule needs.
    let text = tokio::task::spawn_blocking(move || live.metrics.render(&live)).await.map_err(|_| internal())?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use crate::api::testing::{Host, get, record, two_checks};

    #[tokio::test]
    async fn a_scrape_has_every_family_once_and_no_series_twice() {
        let host = Host::start(&format!("[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n{}", two_checks())).await;
        host.observe("api", |observed| observed.last = Some(Arc::new(record("api", 1))));
        host.live.metrics.lateness(std::time::Duration::from_millis(2));
        host.live.plugins.slot("http", 1);
        host.live.metrics.run_finished("http", "http", std::time::Duration::from_millis(2));
        let answer = host.ask(get("/metrics")).await;
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = String::from_utf8(answer.body).unwrap();
        let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len(), "{types:?}");
        for family in [
            "sickbay_build_info",
            "sickbay_config_last_reload_successful",
            "sickbay_check_status",
            "sickbay_check_hard_status",
            "sickbay_check_flapping",
            "sickbay_check_runs_total",
            "sickbay_check_duration_seconds",
            "sickbay_check_last_duration_seconds",
            "sickbay_check_metric",
            "sickbay_schedule_lateness_seconds",
            "sickbay_plugin_quarantined",
            "sickbay_plugin_traps_total",
            "sickbay_quota_exceeded_total",
            "sickbay_egress_denied_total",
            "sickbay_capability_calls_total",
            "sickbay_metrics_dropped_total",
            "sickbay_overloaded_total",
            "sickbay_runs_in_flight",
            "sickbay_store_pending_results",
            "sickbay_notifications_total",
            "sickbay_outbox_pending",
            "sickbay_outbox_oldest_age_seconds",
            "sickbay_incidents",
            "process_start_time_seconds",
        ] {
            assert!(types.contains(&family), "{family} is missing in {types:?}");
        }
        let series: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
        assert_eq!(series.len(), series.iter().collect::<BTreeSet<_>>().len());
        assert!(text.ends_with('\n'));
    }
}
