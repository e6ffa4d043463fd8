//! `hit-ratio`: how many lookups found their key, since the last judgement.
//!
//! Too few lookups say nothing: the window then grows over the next runs until it holds enough of them.

use serde::Serialize;
use sickbay_sdk::limit::{Limit, counted, percent, ratio};
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::INFO_GRANT;

const STATE_KEY: &str = "hit-ratio";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a smaller part of the lookups is a hit (0 to 1).
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a smaller part of the lookups is a hit (0 to 1). Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: Option<f64>,
    /// Lookups that a judgement needs.
    #[serde(default = "default_lookups_min")]
    #[schemars(range(min = 1))]
    lookups_min: u32,
}

fn default_warning_ratio() -> f64 {
    0.9
}

fn default_lookups_min() -> u32 {
    100
}

pub(crate) struct HitRatio;

/// The counters where the window began.
#[derive(Serialize, Deserialize)]
struct Counters {
    hits: f64,
    misses: f64,
}

impl Check for HitRatio {
    const NAME: &'static str = "hit-ratio";
    const SUMMARY: &'static str = "Part of the lookups that found their key";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "reads INFO", INFO_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::counter("hits", "", "lookups that found their key, since the server started"),
            MetricInfo::counter("misses", "", "lookups that found nothing, since the server started"),
            MetricInfo::gauge("lookups", "", "lookups in the window that was judged"),
            MetricInfo::gauge("hit_ratio", "ratio", "part of them that was a hit; absent while there are too few"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "capacity", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let info = redis::source(&config.source).info(&["stats"])?;
        let (hits, misses) = (info.expect_number("keyspace_hits")?, info.expect_number("keyspace_misses")?);
        let now = Counters { hits, misses };
        // Counters that went back are those of a server that restarted.
        let earlier = trend::earlier::<Counters>(STATE_KEY, &config.source).map(|mark| mark.noted);
        let earlier = earlier.filter(|earlier| earlier.hits <= hits && earlier.misses <= misses);
        let report = judge(config, earlier.as_ref(), &now);
        let is_judged = report.metrics.iter().any(|metric| metric.name == "hit_ratio");
        if is_judged || earlier.is_none() {
            trend::keep(STATE_KEY, &config.source, clock::now_ms(), now)?;
        }
        Ok(report)
    }
}

fn judge(config: &Config, earlier: Option<&Counters>, now: &Counters) -> Report {
    let report = Report::ok("no window yet; it comes with the next run").counter("hits", now.hits, "").counter("misses", now.misses, "");
    let Some(earlier) = earlier else { return report };
    let hits = now.hits - earlier.hits;
    let lookups = hits + now.misses - earlier.misses;
    let mut report = report.metric("lookups", lookups, "");
    if lookups < f64::from(config.lookups_min) {
        report.summary = format!("{}, too few to judge", counted(lookups, "lookup"));
        return report;
    }
    let hit_ratio = ratio(hits, lookups);
    report.summary = format!("{} of {} were hits", percent(hit_ratio), counted(lookups, "lookup"));
    let limit = Limit {
        metric: "hit_ratio",
        unit: "ratio",
        failure: "capacity",
        warning: Some(config.warning_ratio),
        critical: config.critical_ratio,
    };
    limit.at_least(report.metric("hit_ratio", hit_ratio, "ratio"), hit_ratio, || {
        format!("only {} of {} were hits", percent(hit_ratio), counted(lookups, "lookup"))
    })
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    fn run(host: &mut FakeHost, hits: u32, misses: u32) -> Report {
        host.replies.push_back(Ok(bulk(&format!("keyspace_hits:{hits}\r\nkeyspace_misses:{misses}\r\n"))));
        let report = host.run::<HitRatio>(json!({ "source": "cache", "critical_ratio": 0.5 })).expect("a report");
        assert_as_described::<HitRatio>(&report);
        report
    }

    #[test]
    fn only_the_lookups_since_the_last_run_are_judged() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, 0, 100_000).status, Status::Ok);
        assert_eq!(run(&mut host, 95, 100_005).status, Status::Ok);
        assert_eq!(run(&mut host, 175, 100_025).status, Status::Warning);
        let report = run(&mut host, 175, 100_125);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("capacity")));
    }

    #[test]
    fn a_window_with_too_few_lookups_grows() {
        let mut host = FakeHost::default();
        run(&mut host, 0, 0);
        assert_eq!(run(&mut host, 0, 1).summary, "1 lookup, too few to judge");
        assert_eq!(run(&mut host, 0, 60).summary, "60 lookups, too few to judge");
        assert_eq!(run(&mut host, 0, 120).status, Status::Critical);
    }

    #[test]
    fn a_server_that_restarted_begins_anew() {
        let mut host = FakeHost::default();
        run(&mut host, 1_000, 1_000);
        assert_eq!(run(&mut host, 0, 500).status, Status::Ok);
        assert_eq!(run(&mut host, 0, 1_000).status, Status::Critical);
    }
}
