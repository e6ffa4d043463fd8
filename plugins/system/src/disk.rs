//! `disk`: how full the mounted file systems are, in bytes and in inodes.
//!
//! Without `include` the file systems that live in memory or are only a view of others are left out, and so are read-only ones
//! (an image is always full) and further mounts of a device that is looked at already. Where nothing else is left (a container),
//! `/` is looked at. A mount that `include` names exactly and that is not there is critical: something was not mounted.

use std::collections::BTreeSet;

use sickbay_sdk::limit::{Limit, binary_size, percent, ratio};
use sickbay_sdk::prelude::*;

use crate::selection::any_matches;

/// With four metrics each they stay below the host's 64 series for one check.
const MOUNTS_MAX: usize = 12;

/// File systems that hold nothing of their own.
const PSEUDO_FILE_SYSTEMS: [&str; 22] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when a larger part of the space is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of the space is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Warning when a larger part of the inodes is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    inodes_warning_ratio: f64,
    /// Critical when a larger part of the inodes is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    inodes_critical_ratio: f64,
    /// Mount points to look at, whatever their file system; * at the end stands for any rest. Empty: all real ones.
    include: Vec<String>,
    /// Mount points to leave out; * at the end stands for any rest.
    exclude: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            warning_ratio: 0.85,
            critical_ratio: 0.95,
            inodes_warning_ratio: 0.85,
            inodes_critical_ratio: 0.95,
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }
}

pub(crate) struct Disk;

impl Check for Disk {
    const NAME: &'static str = "disk";
    const SUMMARY: &'static str = "How full the mounted file systems are, in bytes and inodes";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "reads mounts and their space", "system = [\"disk\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("worst_used_ratio", "ratio", "the highest used_ratio of all mounts"),
            MetricInfo::gauge("used_ratio", "ratio", "part of the space that is used, by mount"),
            MetricInfo::gauge("available_bytes", "bytes", "space that is left, by mount"),
            MetricInfo::gauge("total_bytes", "bytes", "space in all, by mount"),
            MetricInfo::gauge("inodes_used_ratio", "ratio", "part of the inodes that is used, by mount"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["disk", "file-system"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        Ok(judge(&request.config, system::disks()?))
    }
}

fn judge(config: &Config, disks: Vec<system::Disk>) -> Report {
    let missing: Vec<&String> = config.include.iter().filter(|mount| !mount.ends_with('*') && !is_mounted(&disks, mount)).collect();
    let mut selected = select(config, disks);
    selected.sort_by(|left, right| used_ratio(right).total_cmp(&used_ratio(left)));

    let Some(worst) = selected.first() else {
        return judge_missing(Report::unknown("no mount to look at"), &missing);
    };
    let worst_ratio = used_ratio(worst);
    let summary = format!("{} used on {}, {} available", percent(worst_ratio), worst.mount, binary_size(worst.available_bytes));
    let mut report = judge_missing(Report::ok(summary).metric("worst_used_ratio", worst_ratio, "ratio"), &missing);
    if selected.len() > MOUNTS_MAX {
        report = report.extra("sickbay.mounts-without-metrics", (selected.len() - MOUNTS_MAX).to_string());
    }
    for disk in selected.iter().take(MOUNTS_MAX) {
        report = measured(report, disk);
    }
    for disk in &selected {
        report = judge_disk(config, report, disk);
    }
    report
}

fn is_mounted(disks: &[system::Disk], mount: &str) -> bool {
    disks.iter().any(|disk| disk.mount == mount)
}

fn judge_missing(mut report: Report, missing: &[&String]) -> Report {
    for mount in missing {
        report = report
            .evidence("", format!("{mount}: not mounted"), format!("{mount}: mounted"), "")
            .critical("file-system", format!("{mount} is not mounted"));
    }
    report
}

/// What the configuration asks for: each mount point once and, unless they are named, each device once.
fn select(config: &Config, mut disks: Vec<system::Disk>) -> Vec<system::Disk> {
    // Of two mounts on one point the later covers the earlier.
    disks.reverse();
    keep_first_by(&mut disks, |disk| &disk.mount);
    disks.reverse();
    disks.retain(|disk| disk.total_bytes > 0.0 && !any_matches(&config.exclude, &disk.mount));
    if !config.include.is_empty() {
        disks.retain(|disk| any_matches(&config.include, &disk.mount));
        return disks;
    }
    let root = disks.iter().find(|disk| disk.mount == "/").cloned();
    disks.retain(|disk| !disk.read_only && !PSEUDO_FILE_SYSTEMS.contains(&disk.file_system.as_str()));
    disks.sort_by_key(|disk| disk.mount.len());
    keep_first_by(&mut disks, |disk| &disk.device);
    if disks.is_empty() { root.into_iter().collect() } else { disks }
}

fn keep_first_by(disks: &mut Vec<system::Disk>, key: fn(&system::Disk) -> &String) {
    let mut seen = BTreeSet::new();
    disks.retain(|disk| seen.insert(key(disk).clone()));
}

fn used_ratio(disk: &system::Disk) -> f64 {
    ratio(disk.total_bytes - disk.available_bytes, disk.total_bytes)
}

fn inodes_used_ratio(disk: &system::Disk) -> f64 {
    ratio(disk.inodes_total - disk.inodes_free, disk.inodes_total)
}

fn measured(report: Report, disk: &system::Disk) -> Report {
    let labels = [("mount", disk.mount.as_str())];
    report
        .labelled("used_ratio", used_ratio(disk), "ratio", &labels)
        .labelled("available_bytes", disk.available_bytes, "bytes", &labels)
        .labelled("total_bytes", disk.total_bytes, "bytes", &labels)
        .labelled("inodes_used_ratio", inodes_used_ratio(disk), "ratio", &labels)
}

fn judge_disk(config: &Config, report: Report, disk: &system::Disk) -> Report {
    let space = Limit {
        metric: "used_ratio",
        unit: "ratio",
        failure: "disk",
        warning: Some(config.warning_ratio),
        critical: Some(config.critical_ratio),
    };
    let inodes = Limit {
        metric: "inodes_used_ratio",
        unit: "ratio",
        failure: "disk",
        warning: Some(config.inodes_warning_ratio),
        critical: Some(config.inodes_critical_ratio),
    };
    let used = used_ratio(disk);
    let inodes_used = inodes_used_ratio(disk);
    let report = space
        .at_most(report, used, || format!("{} is {} full, {} available", disk.mount, percent(used), binary_size(disk.available_bytes)));
    inodes.at_most(report, inodes_used, || format!("{} has {} of its inodes used", disk.mount, percent(inodes_used)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn disk(mount: &str, device: &str, file_system: &str, used: f64) -> system::Disk {
        system::Disk {
            mount: mount.into(),
            device: device.into(),
            file_system: file_system.into(),
            total_bytes: 1000.0,
            available_bytes: 1000.0 * (1.0 - used),
            inodes_total: 100.0,
            inodes_free: 90.0,
            read_only: false,
        }
    }

    fn run(config: Value, disks: Vec<system::Disk>) -> Report {
        let mut host = FakeHost::default();
        host.machine.disks = Ok(disks);
        let report = host.run::<Disk>(config).expect("a report");
        assert_as_described::<Disk>(&report);
        report
    }

    fn mounts(report: &Report) -> Vec<&str> {
        let used = report.metrics.iter().filter(|metric| metric.name == "used_ratio");
        used.map(|metric| metric.labels[0].value.as_str()).collect()
    }

    #[test]
    fn the_fullest_mount_decides() {
        let report = run(json!({}), vec![disk("/", "a", "ext4", 0.5), disk("/data", "b", "xfs", 0.9)]);
        assert_eq!(report.status, Status::Warning);
        assert_eq!(report.summary, "/data is 90 % full, 100 B available");
        assert_eq!(mounts(&report), ["/data", "/"]);
    }

    #[test]
    fn a_file_system_without_inodes_left_is_critical() {
        let full = system::Disk { inodes_free: 1.0, ..disk("/", "a", "ext4", 0.1) };
        assert_eq!(run(json!({}), vec![full]).status, Status::Critical);
    }

    #[test]
    fn views_images_and_second_mounts_are_left_out() {
        let image = system::Disk { read_only: true, ..disk("/snap/core", "loop0", "squashfs", 1.0) };
        let disks = vec![disk("/etc/hosts", "a", "ext4", 0.5), disk("/", "a", "ext4", 0.5), disk("/run", "tmpfs", "tmpfs", 0.99), image];
        assert_eq!(mounts(&run(json!({}), disks)), ["/"]);
    }

    #[test]
    fn a_mount_on_top_of_another_is_the_one_that_counts() {
        let report = run(json!({ "include": ["/data"] }), vec![disk("/data", "a", "ext4", 0.99), disk("/data", "b", "ext4", 0.1)]);
        assert_eq!((report.status, mounts(&report)), (Status::Ok, vec!["/data"]));
    }

    #[test]
    fn in_a_container_the_root_is_looked_at() {
        let report = run(json!({}), vec![disk("/", "overlay", "overlay", 0.2), disk("/dev", "tmpfs", "tmpfs", 0.0)]);
        assert_eq!((report.status, mounts(&report)), (Status::Ok, vec!["/"]));
    }

    #[test]
    fn include_and_exclude_choose_by_mount() {
        let disks = || vec![disk("/", "a", "ext4", 0.1), disk("/data/1", "b", "xfs", 0.1), disk("/data/2", "c", "xfs", 0.1)];
        assert_eq!(mounts(&run(json!({ "include": ["/data/*"] }), disks())), ["/data/1", "/data/2"]);
        assert_eq!(mounts(&run(json!({ "exclude": ["/data*"] }), disks())), ["/"]);
    }

    #[test]
    fn a_mount_that_was_asked_for_and_is_not_there_is_critical() {
        let report = run(json!({ "include": ["/", "/backup"] }), vec![disk("/", "a", "ext4", 0.1)]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("file-system")));
        assert_eq!(report.summary, "/backup is not mounted");
    }

    #[test]
    fn a_machine_without_any_mount_cannot_be_judged() {
        assert_eq!(run(json!({}), Vec::new()).status, Status::Unknown);
    }

    #[test]
    fn many_mounts_are_all_judged_and_the_fullest_measured() {
        let mut disks: Vec<system::Disk> =
            (0..20).map(|number| disk(&format!("/data/{number}"), &number.to_string(), "xfs", 0.1)).collect();
        disks.push(disk("/full", "full", "xfs", 0.99));
        let report = run(json!({}), disks);
        assert_eq!(report.status, Status::Critical);
        assert_eq!(mounts(&report).len(), MOUNTS_MAX);
        assert_eq!(mounts(&report)[0], "/full");
    }
}
