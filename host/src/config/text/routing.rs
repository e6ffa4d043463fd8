//! What becomes of alerts, as it is written: `[route]`, `[[inhibit]]`, `[[time_interval]]`, `[[maintenance]]` and `[alerting]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Placed};

/// Sinks, as a route or a step of its escalation names them.
pub(in crate::config) type SinkNames = Placed<Vec<Placed<String>>>;
/// The steps of an escalation.
pub(in crate::config) type RungsText = Placed<Vec<Placed<RungText>>>;

/// Who is told of alerts: those that no child route takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RouteText {
    /// Sinks that are told. Default: the only sink, where there is one alone.
    #[schemars(example = ["oncall"])]
    pub sinks: Option<SinkNames>,
    /// Alerts with the same values of these labels are told together; `["..."]` tells each alone. Default: all together.
    #[schemars(example = ["service"])]
    pub group_by: Option<Placed<Vec<Placed<String>>>>,
    /// How long a change waits for others of its group: 0s to 1h. Default: 30s.
    #[schemars(example = &"30s")]
    pub group_wait: Option<Placed<DurationText>>,
    /// From one notification of a group to the next: 1s to 24h. Default: 5m.
    #[schemars(example = &"5m")]
    pub group_interval: Option<Placed<DurationText>>,
    /// When an alert that goes on is told again: 1s to 30d. Default: 4h.
    #[schemars(example = &"4h")]
    pub repeat_interval: Option<Placed<DurationText>>,
    /// Further sinks that are told while nobody has acknowledged the alert. Default: none.
    pub escalate: Option<RungsText>,
    /// For checks that cannot judge. What it leaves out is the root's.
    pub unknown: Option<Placed<UnknownRouteText>>,
    /// Child routes: the first that matches takes an alert.
    #[serde(default)]
    pub routes: Vec<Placed<ChildRouteText>>,
}

/// A route that takes alerts out of its parent. What it leaves out is the parent's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(in crate::config) struct ChildRouteText {
    /// Which alerts it takes: all of these must hold. `=`, `!=`, `=~` and `!~`; patterns match the whole value. Default: every alert.
    #[serde(default, rename = "match")]
    #[schemars(example = ["severity=~\"P0|P1\""])]
    pub matchers: Vec<Placed<String>>,
    /// Whether the routes behind it are asked too where it matches. Default: false.
    #[serde(default, rename = "continue")]
    pub continues: bool,
    /// Sinks that are told. Default: the parent's.
    #[schemars(example = ["oncall"])]
    pub sinks: Option<SinkNames>,
    /// Alerts with the same values of these labels are told together; `["..."]` tells each alone. Default: the parent's.
    #[schemars(example = ["service"])]
    pub group_by: Option<Placed<Vec<Placed<String>>>>,
    /// How long a change waits for others of its group: 0s to 1h. Default: the parent's.
    #[schemars(example = &"30s")]
    pub group_wait: Option<Placed<DurationText>>,
    /// From one notification of a group to the next: 1s to 24h. Default: the parent's.
    #[schemars(example = &"5m")]
    pub group_interval: Option<Placed<DurationText>>,
    /// When an alert that goes on is told again: 1s to 30d. Default: the parent's.
    #[schemars(example = &"4h")]
    pub repeat_interval: Option<Placed<DurationText>>,
    /// Further sinks that are told while nobody has acknowledged the alert. Default: the parent's.
    pub escalate: Option<RungsText>,
    /// Names of `[[time_interval]]` in which nobody is told. Default: none.
    #[serde(default)]
    #[schemars(example = ["weekend"])]
    pub mute_times: Vec<Placed<String>>,
    /// Names of `[[time_interval]]` outside of which nobody is told. Default: always.
    #[serde(default)]
    #[schemars(example = ["office-hours"])]
    pub active_times: Vec<Placed<String>>,
    /// Child routes: the first that matches takes an alert.
    #[serde(default)]
    pub routes: Vec<Placed<ChildRouteText>>,
}

/// The route of checks that cannot judge. What it leaves out is the root's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct UnknownRouteText {
    /// Sinks that are told. Default: the root's.
    #[schemars(example = ["oncall"])]
    pub sinks: Option<SinkNames>,
    /// Alerts with the same values of these labels are told together; `["..."]` tells each alone. Default: the root's.
    #[schemars(example = ["plugin"])]
    pub group_by: Option<Placed<Vec<Placed<String>>>>,
    /// How long a change waits for others of its group: 0s to 1h. Default: the root's.
    #[schemars(example = &"30s")]
    pub group_wait: Option<Placed<DurationText>>,
    /// From one notification of a group to the next: 1s to 24h. Default: the root's.
    #[schemars(example = &"5m")]
    pub group_interval: Option<Placed<DurationText>>,
    /// When an alert that goes on is told again: 1s to 30d. Default: the root's.
    #[schemars(example = &"4h")]
    pub repeat_interval: Option<Placed<DurationText>>,
    /// Further sinks that are told while nobody has acknowledged the alert. Default: the root's.
    pub escalate: Option<RungsText>,
    /// Names of `[[time_interval]]` in which nobody is told. Default: none.
    #[serde(default)]
    #[schemars(example = ["weekend"])]
    pub mute_times: Vec<Placed<String>>,
    /// Names of `[[time_interval]]` outside of which nobody is told. Default: always.
    #[serde(default)]
    #[schemars(example = ["office-hours"])]
    pub active_times: Vec<Placed<String>>,
}

/// What every route may say, whichever it is.
#[derive(Clone, Copy)]
pub(in crate::config) struct RouteKeys<'a> {
    pub sinks: Option<&'a SinkNames>,
    pub group_by: Option<&'a Placed<Vec<Placed<String>>>>,
    pub group_wait: Option<&'a Placed<DurationText>>,
    pub group_interval: Option<&'a Placed<DurationText>>,
    pub repeat_interval: Option<&'a Placed<DurationText>>,
    pub escalate: Option<&'a RungsText>,
    pub mute_times: &'a [Placed<String>],
    pub active_times: &'a [Placed<String>],
}

impl RouteText {
    pub(in crate::config) fn keys(&self) -> RouteKeys<'_> {
        RouteKeys {
            sinks: self.sinks.as_ref(),
            group_by: self.group_by.as_ref(),
            group_wait: self.group_wait.as_ref(),
            group_interval: self.group_interval.as_ref(),
            repeat_interval: self.repeat_interval.as_ref(),
            escalate: self.escalate.as_ref(),
            mute_times: &[],
            active_times: &[],
        }
    }
}

impl ChildRouteText {
    pub(in crate::config) fn keys(&self) -> RouteKeys<'_> {
        RouteKeys {
            sinks: self.sinks.as_ref(),
            group_by: self.group_by.as_ref(),
            group_wait: self.group_wait.as_ref(),
            group_interval: self.group_interval.as_ref(),
            repeat_interval: self.repeat_interval.as_ref(),
            escalate: self.escalate.as_ref(),
            mute_times: &self.mute_times,
            active_times: &self.active_times,
        }
    }
}

impl UnknownRouteText {
    pub(in crate::config) fn keys(&self) -> RouteKeys<'_> {
        RouteKeys {
            sinks: self.sinks.as_ref(),
            group_by: self.group_by.as_ref(),
            group_wait: self.group_wait.as_ref(),
            group_interval: self.group_interval.as_ref(),
            repeat_interval: self.repeat_interval.as_ref(),
            escalate: self.escalate.as_ref(),
            mute_times: &self.mute_times,
            active_times: &self.active_times,
        }
    }
}

/// A step of an escalation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RungText {
    /// How long after the first notification: 1s to 30d, later than the step before.
    #[schemars(example = &"15m")]
    pub after: Placed<DurationText>,
    /// Sinks that are told from then on, too.
    #[schemars(example = ["lead"])]
    pub sinks: SinkNames,
}

/// While one alert lasts, others that follow from it are not told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct InhibitText {
    /// The alert that explains the others.
    #[schemars(example = ["alertname=\"orders-db\""])]
    pub source: Placed<Vec<Placed<String>>>,
    /// The alerts that follow from it.
    #[schemars(example = ["service=\"api\""])]
    pub target: Placed<Vec<Placed<String>>>,
    /// Labels whose values must be the same in both. Default: none.
    #[serde(default)]
    #[schemars(example = ["region"])]
    pub equal: Vec<Placed<String>>,
}

/// Times that come again, for `mute_times` and `active_times` of routes. All keys that are written must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TimeIntervalText {
    /// Unique; how routes call it.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"office-hours")]
    pub name: Placed<String>,
    /// Times of the day; `end` does not belong to it. A night is two of them. Default: the whole day.
    #[serde(default)]
    pub times: Vec<Placed<TimesText>>,
    /// Days of the week, or ranges of them. Default: all.
    #[serde(default)]
    #[schemars(example = ["monday:friday"])]
    pub weekdays: Vec<Placed<String>>,
    /// Days of the month, or ranges of them; -1 is the last. Default: all.
    #[serde(default)]
    #[schemars(example = ["1:5", "-1"])]
    pub days_of_month: Vec<Placed<String>>,
    /// Months, or ranges of them. Default: all.
    #[serde(default)]
    #[schemars(example = ["november:february"])]
    pub months: Vec<Placed<String>>,
    /// Years, or ranges of them. Default: all.
    #[serde(default)]
    #[schemars(example = ["2026:2028"])]
    pub years: Vec<Placed<String>>,
    /// Whose clock is meant, by its name in the IANA database. Default: UTC.
    #[schemars(example = &"Europe/Berlin")]
    pub timezone: Option<Placed<String>>,
}

/// Times of a day.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TimesText {
    /// From 00:00 on.
    #[schemars(example = &"09:00")]
    pub start: Placed<String>,
    /// Later than `start`, up to 24:00.
    #[schemars(example = &"17:00")]
    pub end: Placed<String>,
}

/// Work that was planned: while it lasts nobody is told of alerts that match.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["start", "end"] }, { "required": ["cron", "duration"] }]))]
pub(in crate::config) struct MaintenanceText {
    /// Unique.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"database-upgrade")]
    pub name: Placed<String>,
    /// Which alerts: all of these must hold; `[]` means every alert.
    #[serde(rename = "match")]
    #[schemars(example = ["service=\"orders\""])]
    pub matchers: Vec<Placed<String>>,
    /// When it begins, in RFC 3339. `start` and `end`, or `cron` and `duration`.
    #[schemars(extend("format" = "date-time"), example = &"2027-03-01T22:00:00Z")]
    pub start: Option<Placed<String>>,
    /// When it is over, in RFC 3339.
    #[schemars(extend("format" = "date-time"), example = &"2027-03-02T02:00:00Z")]
    pub end: Option<Placed<String>>,
    /// When it begins, again and again: minute, hour, day of the month, month and day of the week.
    #[schemars(example = &"0 2 * * SUN")]
    pub cron: Option<Placed<String>>,
    /// How long it lasts each time: 1m to 7d.
    #[schemars(example = &"2h")]
    pub duration: Option<Placed<DurationText>>,
    /// The time zone of `cron`, by its name in the IANA database. Default: UTC.
    #[schemars(example = &"Europe/Berlin")]
    pub timezone: Option<Placed<String>>,
}

/// How long alerts and notifications live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AlertingText {
    /// An alert that was posted without an end is resolved so long after the last post: 1s to 24h. Default: 5m.
    #[schemars(example = &"5m")]
    pub resolve_timeout: Option<Placed<DurationText>>,
    /// A notification that no sink has taken is given up after so long: 1s to 30d. Default: 24h.
    #[schemars(example = &"24h")]
    pub give_up_after: Option<Placed<DurationText>>,
}
