//! `replication`: a primary with its standbys and slots, or a standby with its link to the primary, and how far behind they are.
//!
//! On a primary only physical standbys count: of logical replication its slots are judged. A primary tells no lag in seconds of a standby
//! that has caught up while nothing is written: nothing is behind there. On a standby the time since the last transaction grows while the
//! primary is idle: nothing is behind where all that came is replayed and the receiver streams.
//!
//! Whether a primary should have standbys only the configuration knows: one where `role` is "primary", else none, unless `standbys_min`
//! says otherwise.

use serde::Serialize;
use sickbay_sdk::limit::{Limit, binary_size, counted, span};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, ask, explained, rights_hint};

/// Standbys and slots that metrics or details tell of; all of them are judged, up to the 100 of a statement.
const STANDBYS_TOLD_MAX: usize = 16;
const SLOTS_TOLD_MAX: usize = 16;

const SERVER: &str = "\
    SELECT quote_ident(current_user) AS role, pg_is_in_recovery() AS is_standby, \
           receiver.pid IS NOT NULL AS has_receiver, \
           receiver.status AS receiver_status, \
           pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS unreplayed_bytes, \
           extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 AS replayed_seconds_ago \
    FROM (VALUES (1)) AS server (one) LEFT JOIN pg_stat_wal_receiver AS receiver ON true";

const STANDBYS: &str = "\
    SELECT standby.application_name, standby.state, standby.sync_state, \
           extract(epoch FROM standby.replay_lag)::float8 AS lag_seconds, \
           pg_wal_lsn_diff(pg_current_wal_lsn(), standby.replay_lsn)::float8 AS lag_bytes \
    FROM pg_stat_replication AS standby \
    WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots AS slot WHERE slot.active_pid = standby.pid AND slot.slot_type = 'logical') \
    ORDER BY standby.application_name, standby.backend_start, standby.pid LIMIT 100";

const SLOTS: &str = "\
    SELECT slot_name, slot_type, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS held_bytes \
    FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY held_bytes DESC LIMIT 100";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Role {
    #[default]
    Auto,
    Primary,
    Standby,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Critical when the server has the other role; with "auto" either is well.
    #[serde(default)]
    role: Role,
    /// Critical when fewer standbys stream from a primary. Absent: 1 where role is "primary", else 0.
    #[serde(default)]
    standbys_min: Option<u32>,
    /// Warning when a standby is further behind.
    #[serde(default = "default_lag_warning_seconds")]
    #[schemars(range(min = 0))]
    lag_warning_seconds: f64,
    /// Critical when a standby is further behind.
    #[serde(default = "default_lag_critical_seconds")]
    #[schemars(range(min = 0))]
    lag_critical_seconds: f64,
    /// Warning when a standby is more bytes behind. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    lag_warning_bytes: Option<f64>,
    /// Critical when a standby is more bytes behind. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    lag_critical_bytes: Option<f64>,
    /// Warning when a slot that nobody uses holds more WAL.
    #[serde(default = "default_slot_warning_bytes")]
    #[schemars(range(min = 0))]
    slot_warning_bytes: f64,
    /// Critical when a slot that nobody uses holds more WAL. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    slot_critical_bytes: Option<f64>,
}

fn default_lag_warning_seconds() -> f64 {
    10.0
}

fn default_lag_critical_seconds() -> f64 {
    30.0
}

/// 1 GiB.
fn default_slot_warning_bytes() -> f64 {
    1_073_741_824.0
}

pub(crate) struct Replication;

struct Standby<'rows> {
    name: &'rows str,
    state: &'rows str,
    sync_state: Option<&'rows str>,
    lag_seconds: Option<f64>,
    lag_bytes: Option<f64>,
}

struct Slot<'rows> {
    name: &'rows str,
    kind: &'rows str,
    held_bytes: f64,
}

impl Check for Replication {
    const NAME: &'static str = "replication";
    const SUMMARY: &'static str = "Standbys or the link to the primary, how far behind they are, slots that hold WAL";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads the state of replication", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("is_primary", "", "1 for a primary, 0 for a standby"),
            MetricInfo::gauge("standbys", "", "standbys that stream; only of a primary"),
            MetricInfo::gauge("receiver_streaming", "", "1 while WAL streams in; only of a standby"),
            MetricInfo::gauge("lag_seconds", "seconds", "of the standby that is furthest behind, as far as it is known"),
            MetricInfo::gauge("lag_bytes", "bytes", "WAL that is not replayed, of the standby that is furthest behind"),
            MetricInfo::gauge("standby_lag_seconds", "seconds", "of each standby (standby; number where several have that name)"),
            MetricInfo::gauge("standby_lag_bytes", "bytes", "of each standby (standby; number where several have that name)"),
            MetricInfo::gauge("slots_inactive", "", "slots that hold WAL and that nobody uses; only of a primary"),
            MetricInfo::gauge("slot_held_bytes", "bytes", "WAL that the worst of them holds"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &[
            "connection",
            "authentication",
            "timeout",
            "unavailable",
            "memory",
            "disk",
            "too-many-connections",
            "capacity",
            "file-system",
            "content",
            "replication",
            "role",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let server = ask(&config.source, SERVER, &[])?;
        let server = server.only()?;
        let is_standby = server.boolean("is_standby")?;
        let report = judge_role(config.role, is_standby);
        if is_standby {
            return judge_standby(config, report, &server);
        }
        let answers = postgres::source(&config.source).query_many(&[(STANDBYS, &[]), (SLOTS, &[])]).map_err(explained)?;
        let [standbys, slots] = answers.as_slice() else { return Err(Error::internal("two statements have not two answers")) };
        judge_primary(config, report, &server, standbys, slots)
    }
}

fn judge_role(expected: Role, is_standby: bool) -> Report {
    let found = if is_standby { Role::Standby } else { Role::Primary };
    let report = Report::ok("").metric("is_primary", f64::from(u8::from(!is_standby)), "");
    if expected == Role::Auto || expected == found {
        return report;
    }
    report.evidence("is_primary", word(found), word(expected), "").critical("role", format!("the server is a {}", word(found)))
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Auto => "primary or standby",
        Role::Primary => "primary",
        Role::Standby => "standby",
    }
}

fn judge_standby(config: &Config, report: Report, server: &Row<'_>) -> Result<Report, Error> {
    let status = match (server.boolean("has_receiver")?, server.optional_text("receiver_status")?) {
        (true, status) => status,
        (false, _) => Some("absent"),
    };
    let is_streaming = status.map(|status| status == "streaming");
    let mut report = told(report, "standby, WAL streams in".to_owned());
    report = match (is_streaming, status) {
        (Some(true), _) => report.metric("receiver_streaming", 1.0, ""),
        (_, Some(status)) => report
            .metric("receiver_streaming", 0.0, "")
            .evidence("receiver_streaming", status, "streaming", "")
            .critical("replication", format!("no WAL streams in from the primary: the receiver is {status}")),
        (_, None) => hidden(report, server, "whether WAL streams in"),
    };
    let unreplayed = server.optional_number("unreplayed_bytes")?.map(|bytes| bytes.max(0.0));
    let is_caught_up = is_streaming != Some(false) && unreplayed == Some(0.0);
    let ago = server.optional_number("replayed_seconds_ago")?.map(|seconds| seconds.max(0.0));
    let lag_seconds = if is_caught_up { Some(0.0) } else { ago };
    let report = judge_lag_seconds(config, report, lag_seconds.map(|lag| ("the standby", lag)));
    Ok(judge_lag_bytes(config, report, unreplayed.map(|lag| ("the standby", lag))))
}

fn judge_primary(config: &Config, report: Report, server: &Row<'_>, standbys: &Rows, slots: &Rows) -> Result<Report, Error> {
    let standbys = standbys.iter().map(|row| Standby::read(&row)).collect::<Result<Vec<Option<Standby<'_>>>, Error>>()?;
    let is_hidden = standbys.iter().any(Option::is_none);
    let standbys: Vec<Standby<'_>> = standbys.into_iter().flatten().collect();
    let slots = slots.iter().map(|row| Slot::read(&row)).collect::<Result<Vec<Slot<'_>>, Error>>()?;
    let details = details(&standbys, &slots);
    let report = if is_hidden { hidden(report, server, "the state of the standbys") } else { judge_standbys(config, report, &standbys) };
    Ok(judge_slots(config, report, &slots).details(&details))
}

fn judge_standbys(config: &Config, report: Report, standbys: &[Standby<'_>]) -> Report {
    let streaming = standbys.iter().filter(|standby| standby.state == "streaming").count();
    let summary = match (streaming, config.standbys_min) {
        (0, None) => "primary, no standby streams; hint: standbys_min = 1 where one should".to_owned(),
        _ => format!("primary, {} {}", counted(streaming as f64, "standby"), if streaming == 1 { "streams" } else { "stream" }),
    };
    let mut report = told(report, summary).metric("standbys", streaming as f64, "");
    let least = config.standbys_min.unwrap_or(u32::from(config.role == Role::Primary));
    if (streaming as u64) < u64::from(least) {
        report = report.evidence("standbys", streaming, format!("at least {least}"), "").critical(
            "replication",
            if streaming == 0 { "no standby streams".to_owned() } else { format!("only {streaming} of {least} standbys stream") },
        );
    }
    let worst = |lag: fn(&Standby<'_>) -> Option<f64>| {
        let lags = standbys.iter().filter_map(|standby| Some((standby.name, lag(standby)?)));
        lags.max_by(|left, right| left.1.total_cmp(&right.1))
    };
    report = judge_lag_seconds(config, report, worst(|standby| standby.lag_seconds));
    report = judge_lag_bytes(config, report, worst(|standby| standby.lag_bytes));
    for (index, standby) in standbys.iter().take(STANDBYS_TOLD_MAX).enumerate() {
        let number = 1 + standbys[..index].iter().filter(|other| other.name == standby.name).count();
        let number = number.to_string();
        let labels = [("standby", standby.name), ("number", number.as_str())];
        let labels = if number == "1" { &labels[..1] } else { &labels[..] };
        if let Some(lag) = standby.lag_seconds {
            report = report.labelled("standby_lag_seconds", lag, "seconds", labels);
        }
        if let Some(lag) = standby.lag_bytes {
            report = report.labelled("standby_lag_bytes", lag, "bytes", labels);
        }
    }
    report
}

fn judge_slots(config: &Config, report: Report, slots: &[Slot<'_>]) -> Report {
    let report = report.metric("slots_inactive", slots.len() as f64, "");
    let Some(worst) = slots.iter().max_by(|left, right| left.held_bytes.total_cmp(&right.held_bytes)) else { return report };
    let held = worst.held_bytes;
    let (warning, critical) = (Some(config.slot_warning_bytes), config.slot_critical_bytes);
    let limit = Limit { metric: "slot_held_bytes", unit: "bytes", failure: "replication", warning, critical };
    limit.at_most(report.metric("slot_held_bytes", held, "bytes"), held, || {
        format!("nobody uses the slot {}, which holds {} of WAL", worst.name, binary_size(held))
    })
}

fn judge_lag_seconds(config: &Config, report: Report, worst: Option<(&str, f64)>) -> Report {
    let Some((name, lag)) = worst else { return report };
    let (warning, critical) = (Some(config.lag_warning_seconds), Some(config.lag_critical_seconds));
    let limit = Limit { metric: "lag_seconds", unit: "seconds", failure: "replication", warning, critical };
    limit.at_most(report.metric("lag_seconds", lag, "seconds"), lag, || format!("{name} is {} behind", span(lag)))
}

fn judge_lag_bytes(config: &Config, report: Report, worst: Option<(&str, f64)>) -> Report {
    let Some((name, lag)) = worst else { return report };
    let (warning, critical) = (config.lag_warning_bytes, config.lag_critical_bytes);
    let limit = Limit { metric: "lag_bytes", unit: "bytes", failure: "replication", warning, critical };
    limit.at_most(report.metric("lag_bytes", lag, "bytes"), lag, || format!("{name} is {} behind", binary_size(lag)))
}

/// The summary of a report in which nothing was found yet.
fn told(mut report: Report, summary: String) -> Report {
    if report.status == Status::Ok {
        report.summary = summary;
    }
    report
}

/// What the role of the source may not see cannot be judged.
fn hidden(mut report: Report, server: &Row<'_>, what: &str) -> Report {
    if report.status == Status::Ok {
        report.status = Status::Unknown;
        report.summary = format!("{what} is not shown; {}", rights_hint(server));
    }
    report
}

fn details(standbys: &[Standby<'_>], slots: &[Slot<'_>]) -> Value {
    let standby = |standby: &Standby<'_>| {
        json!({
            "name": standby.name, "state": standby.state, "sync_state": standby.sync_state,
            "lag_seconds": standby.lag_seconds, "lag_bytes": standby.lag_bytes,
        })
    };
    let slot = |slot: &Slot<'_>| json!({ "name": slot.name, "type": slot.kind, "held_bytes": slot.held_bytes });
    json!({
        "standbys": standbys.iter().take(STANDBYS_TOLD_MAX).map(standby).collect::<Vec<_>>(),
        "inactive_slots": slots.iter().take(SLOTS_TOLD_MAX).map(slot).collect::<Vec<_>>(),
    })
}

impl<'rows> Standby<'rows> {
    /// None where the role may not see it.
    fn read(row: &Row<'rows>) -> Result<Option<Standby<'rows>>, Error> {
        let Some(state) = row.optional_text("state")? else { return Ok(None) };
        let lag_bytes = row.optional_number("lag_bytes")?.map(|bytes| bytes.max(0.0));
        let is_caught_up = lag_bytes == Some(0.0);
        Ok(Some(Standby {
            name: row.optional_text("application_name")?.unwrap_or_default(),
            state,
            sync_state: row.optional_text("sync_state")?,
            lag_seconds: row.optional_number("lag_seconds")?.or(is_caught_up.then_some(0.0)),
            lag_bytes,
        }))
    }
}

impl<'rows> Slot<'rows> {
    fn read(row: &Row<'rows>) -> Result<Slot<'rows>, Error> {
        Ok(Slot { name: row.text("slot_name")?, kind: row.text("slot_type")?, held_bytes: row.number("held_bytes")? })
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::postgres::Value as Cell;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, row, rows};

    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    fn primary() -> Rows {
        row(&[
            ("role", "mon".into()),
            ("is_standby", false.into()),
            ("has_receiver", false.into()),
            ("receiver_status", Cell::Null),
            ("unreplayed_bytes", Cell::Null),
            ("replayed_seconds_ago", Cell::Null),
        ])
    }

    /// A standby that last replayed a transaction 500 seconds ago.
    fn standby(status: Option<&str>, unreplayed_bytes: f64) -> Rows {
        row(&[
            ("is_standby", true.into()),
            ("has_receiver", status.is_some().into()),
            ("receiver_status", status.map_or(Cell::Null, Cell::from)),
            ("unreplayed_bytes", unreplayed_bytes.into()),
            ("replayed_seconds_ago", 500.0.into()),
        ])
    }

    /// Name, state, seconds, bytes.
    fn standbys(told: &[(&str, &str, Option<f64>, f64)]) -> Rows {
        let row = |(name, state, seconds, bytes): &(&str, &str, Option<f64>, f64)| {
            vec![(*name).into(), (*state).into(), "async".into(), seconds.map_or(Cell::Null, Cell::from), (*bytes).into()]
        };
        rows(&["application_name", "state", "sync_state", "lag_seconds", "lag_bytes"], told.iter().map(row).collect())
    }

    fn slots(held: &[f64]) -> Rows {
        let slot = |held: &f64| vec!["left-over".into(), "physical".into(), (*held).into()];
        rows(&["slot_name", "slot_type", "held_bytes"], held.iter().map(slot).collect())
    }

    fn run(mut host: FakeHost, extra: Value) -> Report {
        let mut config = json!({ "source": "main" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = host.run::<Replication>(config).expect("a report");
        assert_as_described::<Replication>(&report);
        report
    }

    fn run_primary(standbys: Rows, slots: Rows, extra: Value) -> Report {
        run(FakeHost::default().postgres(Ok(primary())).postgres(Ok(standbys)).postgres(Ok(slots)), extra)
    }

    fn run_standby(server: Rows, extra: Value) -> Report {
        run(FakeHost::default().postgres(Ok(server)), extra)
    }

    #[test]
    fn a_primary_is_well_while_enough_standbys_stream() {
        let one = || standbys(&[("a", "streaming", Some(0.1), 10.0), ("b", "catchup", None, 10.0)]);
        let report = run_primary(one(), slots(&[]), json!({}));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "primary, 1 standby streams"));
        let report = run_primary(one(), slots(&[]), json!({ "standbys_min": 2 }));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("replication")));
        assert_eq!(report.summary, "only 1 of 2 standbys stream");
    }

    #[test]
    fn a_server_without_standbys_is_well_unless_it_should_have_one() {
        let alone = |extra| run_primary(standbys(&[]), slots(&[]), extra);
        let report = alone(json!({}));
        assert_eq!(report.status, Status::Ok);
        assert_eq!(report.summary, "primary, no standby streams; hint: standbys_min = 1 where one should");
        let report = alone(json!({ "role": "primary" }));
        assert_eq!((report.status, report.summary.as_str()), (Status::Critical, "no standby streams"));
        assert_eq!(alone(json!({ "standbys_min": 1 })).status, Status::Critical);
        let report = alone(json!({ "role": "primary", "standbys_min": 0 }));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "primary, 0 standbys stream"));
    }

    #[test]
    fn the_standby_that_is_furthest_behind_is_told() {
        let report =
            |lag| run_primary(standbys(&[("a", "streaming", Some(1.0), 5.0), ("b", "streaming", lag, 0.0)]), slots(&[]), json!({}));
        assert_eq!([report(None).status, report(Some(10.0)).status], [Status::Ok, Status::Ok]);
        assert_eq!((report(Some(20.0)).status, report(Some(20.0)).summary.as_str()), (Status::Warning, "b is 20 s behind"));
        assert_eq!(report(Some(31.0)).status, Status::Critical);
        let far = standbys(&[("a", "streaming", None, 5_000.0)]);
        assert_eq!(run_primary(far, slots(&[]), json!({ "lag_warning_bytes": 4000 })).summary, "a is 4.9 KiB behind");
    }

    #[test]
    fn standbys_of_one_name_have_series_of_their_own() {
        let same = standbys(&[("walreceiver", "streaming", None, 0.0), ("walreceiver", "streaming", None, 7.0)]);
        let report = run_primary(same, slots(&[]), json!({}));
        let series: Vec<_> = report.metrics.iter().filter(|metric| metric.name == "standby_lag_bytes").collect();
        assert_eq!([series[0].labels.len(), series[1].labels.len()], [1, 2]);
    }

    #[test]
    fn a_slot_that_nobody_uses_is_told_by_the_wal_it_holds() {
        let one = || standbys(&[("a", "streaming", None, 0.0)]);
        assert_eq!(run_primary(one(), slots(&[0.5 * GIB]), json!({})).status, Status::Ok);
        let report = run_primary(one(), slots(&[2.0 * GIB, 1.0]), json!({}));
        assert_eq!(
            (report.status, report.summary.as_str()),
            (Status::Warning, "nobody uses the slot left-over, which holds 2.0 GiB of WAL")
        );
        assert_eq!(run_primary(one(), slots(&[2.0 * GIB]), json!({ "slot_critical_bytes": GIB })).status, Status::Critical);
    }

    #[test]
    fn an_idle_primary_leaves_its_standby_well() {
        let report = run_standby(standby(Some("streaming"), 0.0), json!({}));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "standby, WAL streams in"));
        assert_eq!(run_standby(standby(Some("streaming"), -50.0), json!({})).status, Status::Ok);
    }

    #[test]
    fn a_standby_that_replays_late_or_gets_nothing_is_critical() {
        assert_eq!(run_standby(standby(Some("streaming"), 100.0), json!({})).summary, "the standby is 8 min 20 s behind");
        let report = run_standby(standby(None, 0.0), json!({}));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("replication")));
        assert_eq!(run_standby(standby(Some("stopping"), 0.0), json!({})).status, Status::Critical);
    }

    #[test]
    fn the_other_role_is_critical() {
        let report = run_standby(standby(Some("streaming"), 0.0), json!({ "role": "primary" }));
        assert_eq!((report.failure.as_deref(), report.summary.as_str()), (Some("role"), "the server is a standby"));
        let one = standbys(&[("a", "streaming", None, 0.0)]);
        assert_eq!(run_primary(one, slots(&[]), json!({ "role": "standby" })).failure.as_deref(), Some("role"));
        assert_eq!(run_standby(standby(Some("streaming"), 0.0), json!({ "role": "standby" })).status, Status::Ok);
    }

    #[test]
    fn what_the_role_may_not_see_is_unknown_and_tells_the_fix() {
        let columns = ["application_name", "state", "sync_state", "lag_seconds", "lag_bytes"];
        let unseen = rows(&columns, vec![vec!["a".into(), Cell::Null, Cell::Null, Cell::Null, Cell::Null]]);
        let report = run_primary(unseen, slots(&[]), json!({}));
        assert_eq!(report.status, Status::Unknown);
        assert_eq!(report.summary, "the state of the standbys is not shown; hint: GRANT pg_monitor TO mon");
        let unseen = row(&[
            ("is_standby", true.into()),
            ("has_receiver", true.into()),
            ("receiver_status", Cell::Null),
            ("unreplayed_bytes", 0.0.into()),
            ("replayed_seconds_ago", 500.0.into()),
        ]);
        assert_eq!(run_standby(unseen, json!({})).status, Status::Unknown);
    }
}
