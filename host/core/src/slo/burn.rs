//! Over which times burn rates are looked at, and which of them together call for somebody.
//!
//! The pairs are those of "The Site Reliability Workbook" (Google, 2018), chapter 5. The long window of a pair says that a good part of the
//! budget is gone (of 30 days: 2 % in an hour, 5 % in six hours, 10 % in a day, 10 % in three days); the short one that it still burns.

use std::time::Duration;

use crate::Status;

/// The times over which burn rates are looked at: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurnWindow {
    Minutes5,
    Minutes30,
    Hour1,
    Hours2,
    Hours6,
    Day1,
    Days3,
}

impl BurnWindow {
    /// In the order of their length.
    pub const ALL: [BurnWindow; 7] = [
        BurnWindow::Minutes5,
        BurnWindow::Minutes30,
        BurnWindow::Hour1,
        BurnWindow::Hours2,
        BurnWindow::Hours6,
        BurnWindow::Day1,
        BurnWindow::Days3,
    ];
    pub const LONGEST: BurnWindow = BurnWindow::Days3;

    pub fn as_str(self) -> &'static str {
        match self {
            BurnWindow::Minutes5 => "5m",
            BurnWindow::Minutes30 => "30m",
            BurnWindow::Hour1 => "1h",
            BurnWindow::Hours2 => "2h",
            BurnWindow::Hours6 => "6h",
            BurnWindow::Day1 => "1d",
            BurnWindow::Days3 => "3d",
        }
    }

    pub const fn duration(self) -> Duration {
        const HOUR_SECONDS: u64 = 3_600;
        Duration::from_secs(match self {
            BurnWindow::Minutes5 => 300,
            BurnWindow::Minutes30 => 1_800,
            BurnWindow::Hour1 => HOUR_SECONDS,
            BurnWindow::Hours2 => 2 * HOUR_SECONDS,
            BurnWindow::Hours6 => 6 * HOUR_SECONDS,
            BurnWindow::Day1 => 24 * HOUR_SECONDS,
            BurnWindow::Days3 => 72 * HOUR_SECONDS,
        })
    }
}

/// Two windows that fire together, when the burn rate over both is above the factor.
#[derive(Debug, PartialEq)]
pub struct Pair {
    pub factor: f64,
    pub long: BurnWindow,
    pub short: BurnWindow,
    /// `P1` and `P2` call somebody soon, `P3` waits for the morning.
    pub severity: &'static str,
    /// What the check of the objective says meanwhile: critical for what cannot wait, else warning.
    pub status: Status,
}

/// The most urgent first.
pub static PAIRS: [Pair; 4] = [
    Pair { factor: 14.4, long: BurnWindow::Hour1, short: BurnWindow::Minutes5, severity: "P1", status: Status::Critical },
    Pair { factor: 6.0, long: BurnWindow::Hours6, short: BurnWindow::Minutes30, severity: "P1", status: Status::Critical },
    Pair { factor: 3.0, long: BurnWindow::Day1, short: BurnWindow::Hours2, severity: "P2", status: Status::Warning },
    Pair { factor: 1.0, long: BurnWindow::Days3, short: BurnWindow::Hours6, severity: "P3", status: Status::Warning },
];
