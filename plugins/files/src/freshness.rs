//! `freshness`: whether the newest file of a pattern is young and large enough, and whether enough of them are kept.

use sickbay_sdk::files::FileInfo;
use sickbay_sdk::limit::{Limit, binary_size, counted, ratio, span};
use sickbay_sdk::prelude::*;

use crate::glob;

const ENTRIES_MAX: usize = 10_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Guest path of the directory.
    #[schemars(regex(pattern = "^/"), example = "/backups")]
    directory: String,
    /// Names of the files; * stands for any characters, ? for one.
    #[serde(default = "default_pattern")]
    #[schemars(length(min = 1, max = 255))]
    pattern: String,
    /// Warning when the newest file is older.
    #[serde(default = "default_age_warning_seconds")]
    #[schemars(range(min = 0))]
    age_warning_seconds: f64,
    /// Critical when the newest file is older.
    #[serde(default = "default_age_critical_seconds")]
    #[schemars(range(min = 0))]
    age_critical_seconds: f64,
    /// Critical when the newest file is smaller.
    #[serde(default = "default_size_min_bytes")]
    #[schemars(range(min = 0))]
    size_min_bytes: f64,
    /// Warning when the newest file has a smaller part of the size of the one before it.
    #[serde(default = "default_size_warning_ratio")]
    #[schemars(range(min = 0))]
    size_warning_ratio: f64,
    /// Warning when fewer files are kept.
    #[serde(default = "default_count_min")]
    count_min: u32,
    /// Warning when more files are kept. Absent: any number.
    #[serde(default)]
    count_max: Option<u32>,
}

fn default_pattern() -> String {
    "*".to_owned()
}

/// A day, and two hours for the making.
fn default_age_warning_seconds() -> f64 {
    93_600.0
}

fn default_age_critical_seconds() -> f64 {
    172_800.0
}

fn default_size_min_bytes() -> f64 {
    1.0
}

fn default_size_warning_ratio() -> f64 {
    0.8
}

fn default_count_min() -> u32 {
    1
}

pub(crate) struct Freshness;

impl Check for Freshness {
    const NAME: &'static str = "freshness";
    const SUMMARY: &'static str = "Whether the newest file is young and large enough, and enough are kept";
    type Config = Config;

    fn example() -> Value {
        json!({ "directory": "/backups", "pattern": "*.dump" })
    }

    fn needs() -> Vec<Need> {
        let grant = "files = [{ host = \"/HOST/DIRECTORY\", guest = \"{directory}\", mode = \"ro\" }]";
        vec![Need::new("files", "reads names, sizes and times", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("count", "", "files of the pattern"),
            MetricInfo::gauge("age_seconds", "seconds", "since the newest was changed"),
            MetricInfo::gauge("size_bytes", "bytes", "of the newest"),
            MetricInfo::gauge("size_ratio", "ratio", "of the newest to the one before it; may be above 1"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["missing", "file-system", "expired", "content", "retention"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let mut found = files::whole_directory(&config.directory, ENTRIES_MAX)?;
        found.retain(|file| file.kind == "file" && glob::matches(&config.pattern, &file.name));
        found.sort_by_key(|file| std::cmp::Reverse(file.modified_at));
        Ok(judge(config, &found, clock::now_ms()))
    }
}

/// `found`: newest first.
fn judge(config: &Config, found: &[FileInfo], now_ms: u64) -> Report {
    let count = found.len() as f64;
    let report = Report::ok("").metric("count", count, "");
    let Some(newest) = found.first() else {
        return report.critical("missing", format!("no file {} in {}", config.pattern, config.directory));
    };
    let age = now_ms.saturating_sub(newest.modified_at) as f64 / 1000.0;
    let size = newest.size_bytes as f64;
    let mut report = report.metric("age_seconds", age, "seconds").metric("size_bytes", size, "bytes");
    report.summary = format!("{}: {} old, {}", newest.name, span(age), binary_size(size));
    let (warning, critical) = (Some(config.age_warning_seconds), Some(config.age_critical_seconds));
    let limit = Limit { metric: "age_seconds", unit: "seconds", failure: "expired", warning, critical };
    report = limit.at_most(report, age, || format!("the newest file, {}, is {} old", newest.name, span(age)));
    let critical = Some(config.size_min_bytes);
    let limit = Limit { metric: "size_bytes", unit: "bytes", failure: "content", warning: None, critical };
    report = limit.at_least(report, size, || format!("{} has only {}", newest.name, binary_size(size)));
    if let Some(before) = found.get(1).filter(|before| before.size_bytes > 0) {
        let part = ratio(size, before.size_bytes as f64);
        let warning = Some(config.size_warning_ratio);
        let limit = Limit { metric: "size_ratio", unit: "ratio", failure: "content", warning, critical: None };
        report = limit.at_least(report.metric("size_ratio", part, "ratio"), part, || {
            format!("{} has {}, the one before it {}", newest.name, binary_size(size), binary_size(before.size_bytes as f64))
        });
    }
    let limit = Limit { metric: "count", unit: "", failure: "retention", warning: Some(config.count_min.into()), critical: None };
    report = limit.at_least(report, count, || format!("only {} kept", counted(count, "file")));
    let limit = Limit { warning: config.count_max.map(f64::from), ..limit };
    limit.at_most(report, count, || format!("{} kept", counted(count, "file")))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn host() -> FakeHost {
        FakeHost { now_ms: 100 * HOUR_MS, ..FakeHost::default() }
    }

    fn run(mut host: FakeHost, extra: Value) -> Report {
        let mut config = json!({ "directory": "/backups", "pattern": "*.dump" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = host.run::<Freshness>(config).expect("a report");
        assert_as_described::<Freshness>(&report);
        report
    }

    #[test]
    fn the_newest_file_is_judged_by_its_age() {
        let status = |hour: u64| run(host().file("/backups/a.dump", b"data", hour * HOUR_MS), json!({})).status;
        assert_eq!([status(99), status(70), status(50)], [Status::Ok, Status::Warning, Status::Critical]);
    }

    #[test]
    fn a_file_that_is_empty_or_shrank_is_told() {
        let empty = run(host().file("/backups/a.dump", b"", 99 * HOUR_MS), json!({}));
        assert_eq!((empty.status, empty.failure.as_deref()), (Status::Critical, Some("content")));
        let shrank = host().file("/backups/a.dump", b"0123456789", 90 * HOUR_MS).file("/backups/b.dump", b"0123", 99 * HOUR_MS);
        assert_eq!(run(shrank, json!({})).status, Status::Warning);
    }

    #[test]
    fn too_few_files_are_a_warning_and_none_at_all_is_critical() {
        let one = || host().file("/backups/a.dump", b"data", 99 * HOUR_MS).file("/backups/note.txt", b"x", 99 * HOUR_MS);
        let few = run(one(), json!({ "count_min": 2 }));
        assert_eq!((few.status, few.failure.as_deref(), few.summary.as_str()), (Status::Warning, Some("retention"), "only 1 file kept"));
        assert_eq!(run(one(), json!({ "pattern": "*.tar" })).failure.as_deref(), Some("missing"));
        assert_eq!(run(host(), json!({})).failure.as_deref(), Some("missing"));
    }
    #[test]
    fn more_files_than_should_be_kept_are_a_warning() {
        let keep = |count_max: u32| {
            let host = (0..3_u64).fold(host(), |host, day| host.file(&format!("/backups/{day}.dump"), b"data", (97 + day) * HOUR_MS));
            run(host, json!({ "count_max": count_max }))
        };
        assert_eq!(keep(3).status, Status::Ok);
        let many = keep(2);
        assert_eq!((many.status, many.failure.as_deref(), many.summary.as_str()), (Status::Warning, Some("retention"), "3 files kept"));
    }
}
