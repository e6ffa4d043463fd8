//! `io`: how fast the disks are read and written, and how busy they are.
//!
//! The host counts since boot; a rate is the difference to the reading that the last run kept in `state`. The first run, and
//! the first one after a reboot, therefore has no rates.

use std::collections::BTreeMap;

use serde::Serialize;
use sickbay_sdk::limit::{Limit, binary_size, percent};
use sickbay_sdk::prelude::*;

use crate::selection::any_matches;

const STATE_KEY: &str = "io";

/// With three metrics each they stay below the host's 64 series for one check, and one reading of them in 16 KiB.
const DEVICES_MAX: usize = 20;

/// A shorter time between two readings gives no rate worth judging.
const INTERVAL_MS_MIN: u64 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when a device is busy for a larger part of the time (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    warning_busy_ratio: f64,
    /// Critical when a device is busy for a larger part of the time (0 to 1). Absent: never.
    #[schemars(range(min = 0, max = 1))]
    critical_busy_ratio: Option<f64>,
    /// Devices to look at; * at the end stands for any rest. Empty: all that are not left out.
    include: Vec<String>,
    /// Devices to leave out; * at the end stands for any rest.
    exclude: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        let exclude = ["loop*", "ram*", "zram*", "sr*", "fd*"];
        Config { warning_busy_ratio: 0.95, critical_busy_ratio: None, include: Vec::new(), exclude: exclude.map(str::to_owned).to_vec() }
    }
}

pub(crate) struct Io;

impl Check for Io {
    const NAME: &'static str = "io";
    const SUMMARY: &'static str = "How fast the disks are read and written, and how busy they are";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "reads disk counters", "system = [\"io\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("worst_busy_ratio", "ratio", "the highest busy_ratio of all devices"),
            MetricInfo::gauge("busy_ratio", "ratio", "part of the time that a device worked, by device"),
            MetricInfo::gauge("read_bytes_per_second", "bytes", "read since the last run, by device"),
            MetricInfo::gauge("written_bytes_per_second", "bytes", "written since the last run, by device"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let reading = Reading::of(&request.config, system::disk_io()?, clock::now_ms());
        let earlier = state::get_json::<Reading>(STATE_KEY);
        let rates = earlier.as_ref().and_then(|earlier| reading.since(earlier));
        if earlier.is_none() || rates.is_some() {
            state::put_json(STATE_KEY, &reading)?;
        }
        Ok(match rates {
            Some(rates) => judge(&request.config, &rates),
            None => Report::ok("no rates yet; they come with the next run"),
        })
    }
}

/// The counters at one time, as they are kept between runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    at_ms: u64,
    devices: BTreeMap<String, Counters>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Counters {
    read_bytes: f64,
    written_bytes: f64,
    busy_seconds: f64,
}

/// What one device did per second between two readings.
#[derive(Debug, PartialEq)]
struct Rate {
    device: String,
    read_bytes_per_second: f64,
    written_bytes_per_second: f64,
    busy_ratio: f64,
}

impl Reading {
    fn of(config: &Config, devices: Vec<system::DiskIo>, at_ms: u64) -> Reading {
        let wanted =
            |device: &str| (config.include.is_empty() || any_matches(&config.include, device)) && !any_matches(&config.exclude, device);
        let mut devices: Vec<system::DiskIo> = devices.into_iter().filter(|disk| wanted(&disk.device)).collect();
        devices.sort_by(|left, right| right.busy_seconds.total_cmp(&left.busy_seconds));
        devices.truncate(DEVICES_MAX);
        let counters = |disk: system::DiskIo| {
            let system::DiskIo { device, read_bytes, written_bytes, busy_seconds } = disk;
            (device, Counters { read_bytes, written_bytes, busy_seconds })
        };
        Reading { at_ms, devices: devices.into_iter().map(counters).collect() }
    }

    /// The rates since an earlier reading, busiest first. `None` when too little time has passed; a device whose counters went
    /// back (a reboot) or that is new has no rate.
    fn since(&self, earlier: &Reading) -> Option<Vec<Rate>> {
        let elapsed_ms = if self.at_ms >= earlier.at_ms { self.at_ms - earlier.at_ms } else { return Some(Vec::new()) };
        if elapsed_ms < INTERVAL_MS_MIN {
            return None;
        }
        let seconds = elapsed_ms as f64 / 1000.0;
        let mut rates: Vec<Rate> =
            self.devices.iter().filter_map(|(device, now)| now.since(earlier.devices.get(device)?, device, seconds)).collect();
        rates.sort_by(|left, right| right.busy_ratio.total_cmp(&left.busy_ratio));
        Some(rates)
    }
}

impl Counters {
    fn since(&self, earlier: &Counters, device: &str, seconds: f64) -> Option<Rate> {
        let grown = |now: f64, then: f64| (now >= then).then(|| (now - then) / seconds);
        Some(Rate {
            device: device.to_owned(),
            read_bytes_per_second: grown(self.read_bytes, earlier.read_bytes)?,
            written_bytes_per_second: grown(self.written_bytes, earlier.written_bytes)?,
            busy_ratio: grown(self.busy_seconds, earlier.busy_seconds)?.min(1.0),
        })
    }
}

fn judge(config: &Config, rates: &[Rate]) -> Report {
    let Some(busiest) = rates.first() else {
        return Report::ok("no device to compare with the last reading");
    };
    let limit = Limit {
        metric: "busy_ratio",
        unit: "ratio",
        failure: "capacity",
        warning: Some(config.warning_busy_ratio),
        critical: config.critical_busy_ratio,
    };
    let read: f64 = rates.iter().map(|rate| rate.read_bytes_per_second).sum();
    let written: f64 = rates.iter().map(|rate| rate.written_bytes_per_second).sum();
    let summary = format!(
        "{} busy on {}; {}/s read, {}/s written",
        percent(busiest.busy_ratio),
        busiest.device,
        binary_size(read),
        binary_size(written)
    );
    let mut report = Report::ok(summary).metric("worst_busy_ratio", busiest.busy_ratio, "ratio");
    for rate in rates {
        let labels = [("device", rate.device.as_str())];
        report = report
            .labelled("busy_ratio", rate.busy_ratio, "ratio", &labels)
            .labelled("read_bytes_per_second", rate.read_bytes_per_second, "bytes", &labels)
            .labelled("written_bytes_per_second", rate.written_bytes_per_second, "bytes", &labels);
        report = limit.at_most(report, rate.busy_ratio, || format!("{} is {} busy", rate.device, percent(rate.busy_ratio)));
    }
    report
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn counted(device: &str, bytes: f64, busy_seconds: f64) -> system::DiskIo {
        system::DiskIo { device: device.into(), read_bytes: bytes, written_bytes: 2.0 * bytes, busy_seconds }
    }

    fn run(host: &mut FakeHost, now_ms: u64, disk_io: Vec<system::DiskIo>) -> Report {
        host.now_ms = now_ms;
        host.machine.disk_io = Ok(disk_io);
        let report = host.run::<Io>(json!({})).expect("a report");
        assert_as_described::<Io>(&report);
        report
    }

    fn metric(report: &Report, name: &str) -> Option<f64> {
        report.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn rates_are_the_difference_to_the_last_run() {
        let mut host = FakeHost::default();
        let first = run(&mut host, 10_000, vec![counted("sda", 1_000.0, 5.0)]);
        assert_eq!(first.status, Status::Ok);
        assert!(first.metrics.is_empty());
        let second = run(&mut host, 20_000, vec![counted("sda", 21_000.0, 7.5)]);
        assert_eq!(metric(&second, "read_bytes_per_second"), Some(2_000.0));
        assert_eq!(metric(&second, "written_bytes_per_second"), Some(4_000.0));
        assert_eq!(metric(&second, "busy_ratio"), Some(0.25));
        assert_eq!(second.status, Status::Ok);
    }

    #[test]
    fn a_device_that_never_rests_is_a_warning() {
        let mut host = FakeHost::default();
        run(&mut host, 10_000, vec![counted("sda", 0.0, 0.0), counted("sdb", 0.0, 0.0)]);
        let report = run(&mut host, 20_000, vec![counted("sda", 0.0, 1.0), counted("sdb", 0.0, 9.9)]);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "sdb is 99 % busy"));
    }

    #[test]
    fn counters_that_went_back_give_no_rate() {
        let mut host = FakeHost::default();
        run(&mut host, 10_000, vec![counted("sda", 1_000.0, 5.0)]);
        let report = run(&mut host, 20_000, vec![counted("sda", 10.0, 0.1)]);
        assert_eq!(report.status, Status::Ok);
        assert!(report.metrics.is_empty());
        let next = run(&mut host, 30_000, vec![counted("sda", 20.0, 0.2)]);
        assert_eq!(metric(&next, "read_bytes_per_second"), Some(1.0));
    }

    #[test]
    fn a_run_right_after_another_keeps_the_older_reading() {
        let mut host = FakeHost::default();
        run(&mut host, 10_000, vec![counted("sda", 0.0, 0.0)]);
        run(&mut host, 10_100, vec![counted("sda", 500.0, 0.1)]);
        let report = run(&mut host, 20_000, vec![counted("sda", 1_000.0, 1.0)]);
        assert_eq!(metric(&report, "read_bytes_per_second"), Some(100.0));
    }

    #[test]
    fn a_clock_that_was_set_back_starts_again() {
        let mut host = FakeHost::default();
        run(&mut host, 10_000, vec![counted("sda", 0.0, 0.0)]);
        assert!(run(&mut host, 5_000, vec![counted("sda", 0.0, 0.0)]).metrics.is_empty());
        assert!(!run(&mut host, 15_000, vec![counted("sda", 0.0, 0.0)]).metrics.is_empty());
    }

    #[test]
    fn devices_that_are_no_disks_are_left_out() {
        let reading = Reading::of(&Config::default(), vec![counted("loop0", 0.0, 9.0), counted("sda", 0.0, 1.0)], 0);
        assert_eq!(reading.devices.keys().collect::<Vec<_>>(), ["sda"]);
    }

    #[test]
    fn a_state_that_another_version_wrote_is_a_first_reading() {
        let mut host = FakeHost::default();
        host.state.insert(STATE_KEY.into(), b"{\"version\":9}".to_vec());
        assert!(run(&mut host, 10_000, vec![counted("sda", 0.0, 0.0)]).metrics.is_empty());
        assert!(!run(&mut host, 20_000, vec![counted("sda", 0.0, 0.0)]).metrics.is_empty());
    }
}
