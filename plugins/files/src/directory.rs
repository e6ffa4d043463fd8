//! `directory`: whether a directory exists, can be written, has the mode it should have, and room.

use sickbay_sdk::files::{FileInfo, Space};
use sickbay_sdk::limit::{Limit, binary_size, percent, ratio};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Guest path of the directory.
    #[schemars(regex(pattern = "^/"), example = "/uploads")]
    path: String,
    /// Critical unless the host's user may write there.
    #[serde(default)]
    writable: bool,
    /// Critical with other permission bits: "0750".
    #[serde(default)]
    #[schemars(regex(pattern = "^0?[0-7]{3}$"))]
    mode: Option<String>,
    /// Warning with less room on the file system.
    #[serde(default = "default_free_warning_bytes")]
    #[schemars(range(min = 0))]
    free_warning_bytes: f64,
    /// Critical with less room on the file system.
    #[serde(default = "default_free_critical_bytes")]
    #[schemars(range(min = 0))]
    free_critical_bytes: f64,
}

/// 1 GiB
fn default_free_warning_bytes() -> f64 {
    1_073_741_824.0
}

/// 100 MiB
fn default_free_critical_bytes() -> f64 {
    104_857_600.0
}

pub(crate) struct Directory;

impl Check for Directory {
    const NAME: &'static str = "directory";
    const SUMMARY: &'static str = "Whether a directory exists, can be written, has its mode, and room";
    type Config = Config;

    fn example() -> Value {
        json!({ "path": "/uploads" })
    }

    fn needs() -> Vec<Need> {
        let grant = "files = [{ host = \"/HOST/DIRECTORY\", guest = \"{path}\", mode = \"ro\" }]";
        vec![Need::new("files", "reads the directory's mode and room", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("available_bytes", "bytes", "room on the file system"),
            MetricInfo::gauge("used_ratio", "ratio", "part of the file system that is used"),
            MetricInfo::gauge("writable", "", "1 where the host's user may write"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["missing", "file-system", "permission", "disk"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        judge(config, &files::info(&config.path)?, &files::space(&config.path)?)
    }
}

fn judge(config: &Config, info: &FileInfo, space: &Space) -> Result<Report, Error> {
    let used = ratio(space.total_bytes - space.available_bytes, space.total_bytes);
    let mut report = Report::ok(format!("{} available, {} used", binary_size(space.available_bytes), percent(used)))
        .metric("available_bytes", space.available_bytes, "bytes")
        .metric("used_ratio", used, "ratio")
        .metric("writable", f64::from(u8::from(info.writable)), "");
    if info.kind != "directory" {
        report = report.evidence("", &info.kind, "directory", "").critical("missing", format!("{} is no directory", config.path));
    }
    if config.writable && !info.writable {
        report = report.evidence("writable", 0, 1, "").critical("permission", format!("{} cannot be written", config.path));
    }
    if let Some(mode) = &config.mode {
        let expected = u32::from_str_radix(mode, 8).map_err(|_| Error::configuration(format!("the mode {mode:?} is not octal")))?;
        let actual = info.mode & 0o777;
        if actual != expected {
            report = report
                .evidence("", format!("{actual:04o}"), format!("{expected:04o}"), "")
                .critical("permission", format!("{} has the mode {actual:04o}, expected {expected:04o}", config.path));
        }
    }
    let (warning, critical) = (Some(config.free_warning_bytes), Some(config.free_critical_bytes));
    let limit = Limit { metric: "available_bytes", unit: "bytes", failure: "disk", warning, critical };
    Ok(limit.at_least(report, space.available_bytes, || format!("only {} available", binary_size(space.available_bytes))))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn run(available_bytes: f64, extra: Value) -> Report {
        let mut host = FakeHost::default().file("/uploads", b"", 0);
        host.files.get_mut("/uploads").expect("just added").info.kind = "directory".to_owned();
        host.space = Some(Space { total_bytes: 1e12, available_bytes, inodes_total: 0.0, inodes_free: 0.0 });
        let mut config = json!({ "path": "/uploads" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = host.run::<Directory>(config).expect("a report");
        assert_as_described::<Directory>(&report);
        report
    }

    #[test]
    fn room_is_judged_in_bytes() {
        let status = |bytes| run(bytes, json!({})).status;
        assert_eq!([status(5e11), status(5e8), status(5e7)], [Status::Ok, Status::Warning, Status::Critical]);
    }

    #[test]
    fn what_may_be_done_there_is_judged() {
        assert_eq!(run(5e11, json!({ "writable": true })).failure.as_deref(), Some("permission"));
        assert_eq!(run(5e11, json!({ "mode": "0644" })).status, Status::Ok);
        assert_eq!(run(5e11, json!({ "mode": "750" })).failure.as_deref(), Some("permission"));
    }

    #[test]
    fn a_directory_that_is_not_there_is_critical() {
        let report = FakeHost::default().run::<Directory>(json!({ "path": "/none" })).expect("a report");
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("missing")));
    }
}
