//! `age`: how long ago a secret was changed. What it is nobody sees.

use sickbay_sdk::limit::{Limit, span};
use sickbay_sdk::prelude::*;
use sickbay_sdk::secrets::SecretInfo;

const DAY_SECONDS: f64 = 86_400.0;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the secret.
    #[schemars(length(min = 1))]
    secret: String,
    /// Warning when it was changed longer ago.
    #[serde(default = "default_warning_days")]
    warning_days: u32,
    /// Critical when it was changed longer ago. Absent: never.
    #[serde(default)]
    critical_days: Option<u32>,
}

fn default_warning_days() -> u32 {
    90
}

pub(crate) struct Age;

impl Check for Age {
    const NAME: &'static str = "age";
    const SUMMARY: &'static str = "How long ago a secret was changed";
    type Config = Config;

    fn example() -> Value {
        json!({ "secret": "slack-token" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("secrets", "reads when it was changed", "secrets = [{ name = \"{secret}\", to = [] }]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("age_seconds", "seconds", "since the secret was changed"),
            MetricInfo::gauge("versions", "", "2 while it is being rotated"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["secret", "expired"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let info = secrets::inspect(&request.config.secret)?;
        Ok(judge(&request.config, &info, clock::now_ms()))
    }
}

fn judge(config: &Config, info: &SecretInfo, now_ms: u64) -> Report {
    let Some(changed_at) = info.changed_at else {
        let told = "when the secret was changed is not known; hint: a secret of the environment (`env`) has no date, use `file`";
        return Report::unknown(told).metric("versions", info.versions.into(), "");
    };
    let age = now_ms.saturating_sub(changed_at) as f64 / 1000.0;
    let seconds = |days: u32| f64::from(days) * DAY_SECONDS;
    let (warning, critical) = (Some(seconds(config.warning_days)), config.critical_days.map(seconds));
    let limit = Limit { metric: "age_seconds", unit: "seconds", failure: "expired", warning, critical };
    let report =
        Report::ok(format!("changed {} ago", span(age))).metric("age_seconds", age, "seconds").metric("versions", info.versions.into(), "");
    limit.at_most(report, age, || format!("{} was changed {} ago", config.secret, span(age)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn run(changed_at: Option<u64>) -> Report {
        let mut host = FakeHost { now_ms: 200 * DAY_MS, ..FakeHost::default() };
        host.secrets.insert("token".to_owned(), SecretInfo { changed_at, versions: 1 });
        let report = host.run::<Age>(json!({ "secret": "token", "critical_days": 180 })).expect("a report");
        assert_as_described::<Age>(&report);
        report
    }

    #[test]
    fn a_secret_is_judged_by_its_age() {
        let status = |day: u64| run(Some(day * DAY_MS)).status;
        assert_eq!([status(199), status(100), status(10)], [Status::Ok, Status::Warning, Status::Critical]);
    }

    #[test]
    fn a_secret_without_a_date_says_where_one_comes_from() {
        let report = run(None);
        assert_eq!(report.status, Status::Unknown);
        assert!(report.summary.ends_with("hint: a secret of the environment (`env`) has no date, use `file`"), "{}", report.summary);
    }

    #[test]
    fn a_secret_that_is_not_granted_says_nothing() {
        let failure = FakeHost::default().run::<Age>(json!({ "secret": "other" })).expect_err("a failure");
        assert_eq!(failure.kind, "denied");
    }
}
