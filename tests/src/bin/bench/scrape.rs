//! What `/metrics` says, as far as the bench asks.

/// One scrape.
pub(crate) struct Scrape {
    text: String,
}

/// Runs since the daemon began, over all checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) ok: u64,
    /// Warning, critical or unknown.
    pub(crate) not_ok: u64,
    pub(crate) skipped: u64,
}

impl Runs {
    /// What came after `earlier`.
    pub(crate) fn since(self, earlier: Runs) -> Runs {
        let Runs { ok, not_ok, skipped } = self;
        Runs {
            ok: ok.saturating_sub(earlier.ok),
            not_ok: not_ok.saturating_sub(earlier.not_ok),
            skipped: skipped.saturating_sub(earlier.skipped),
        }
    }
}

/// A histogram: the upper bound of each bucket, rising, and how many values are at most that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Buckets(Vec<(f64, u64)>);

impl Scrape {
    pub(crate) fn new(text: String) -> Scrape {
        Scrape { text }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn runs(&self) -> Runs {
        let mut runs = Runs::default();
        for (labels, value) in self.series("sickbay_check_runs_total{") {
            let count = value.parse().unwrap_or(0);
            match labels.rsplit_once("outcome=") {
                Some((_, "\"ok\"")) => runs.ok += count,
                Some((_, "\"skipped\"")) => runs.skipped += count,
                _ => runs.not_ok += count,
            }
        }
        runs
    }

    /// Series of what plugins report.
    pub(crate) fn reported_series(&self) -> usize {
        self.series("sickbay_check_metric{").count()
    }

    /// Notifications that were made: on their way, or at their end.
    pub(crate) fn notifications(&self) -> u64 {
        let ended = self.series("sickbay_notifications_total{").filter(|(labels, _)| !labels.ends_with("outcome=\"failed\""));
        let ended: u64 = ended.filter_map(|(_, count)| count.parse::<u64>().ok()).sum();
        let pending = self.text.lines().find_map(|line| line.strip_prefix("sickbay_outbox_pending ")?.parse::<u64>().ok());
        ended + pending.unwrap_or_default()
    }

    pub(crate) fn lateness(&self) -> Buckets {
        let bucket = |(labels, count): (&str, &str)| {
            let bound = labels.strip_prefix("le=\"")?.strip_suffix('"')?;
            Some((bound.parse().ok()?, count.parse().ok()?))
        };
        Buckets(self.series("sickbay_schedule_lateness_seconds_bucket{").filter_map(bucket).collect())
    }

    /// Labels and value of each line that begins so.
    fn series<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.text.lines().filter_map(move |line| line.strip_prefix(beginning)?.rsplit_once("} "))
    }
}

impl Buckets {
    pub(crate) fn since(&self, earlier: &Buckets) -> Buckets {
        let before = |bound: f64| earlier.0.iter().find(|(other, _)| *other == bound).map_or(0, |(_, count)| *count);
        Buckets(self.0.iter().map(|(bound, count)| (*bound, count.saturating_sub(before(*bound)))).collect())
    }

    /// The value that `share` of all values do not pass, with the values of a bucket spread evenly over it; beyond the last bound, that bound.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0)?;
        let rank = share * total as f64;
        let (mut lower, mut below) = (0.0, 0);
        for (upper, count) in &self.0 {
            if *count as f64 >= rank && *count > below {
                let part = (rank - below as f64) / (count - below) as f64;
                return Some(if upper.is_finite() { lower + (upper - lower) * part } else { lower });
            }
            (lower, below) = (*upper, *count);
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_summed_over_all_checks() {
        let text = "# TYPE sickbay_check_runs_total counter\n\
            sickbay_check_runs_total{check=\"a\",outcome=\"ok\"} 3\n\
            sickbay_check_runs_total{check=\"a\",outcome=\"unknown\"} 1\n\
            sickbay_check_runs_total{check=\"b\",outcome=\"ok\"} 4\n\
            sickbay_check_runs_total{check=\"b\",outcome=\"skipped\"} 2\n\
            sickbay_check_metric{check=\"b\",metric=\"x\"} 2.5\n";
        let scrape = Scrape::new(text.to_owned());
        let runs = Runs { ok: 7, not_ok: 1, skipped: 2 };
        assert_eq!((scrape.runs(), scrape.reported_series()), (runs, 1));
        assert_eq!(runs.since(Runs { ok: 5, not_ok: 1, skipped: 0 }), Runs { ok: 2, not_ok: 0, skipped: 2 });
    }

    #[test]
    fn a_notification_counts_once_whatever_became_of_it() {
        let text = "sickbay_notifications_total{sink=\"oncall\",outcome=\"delivered\"} 3\n\
            sickbay_notifications_total{sink=\"oncall\",outcome=\"failed\"} 7\n\
            sickbay_notifications_total{sink=\"oncall\",outcome=\"expired\"} 1\n\
            # TYPE sickbay_outbox_pending gauge\n\
            sickbay_outbox_pending 2\n";
        assert_eq!(Scrape::new(text.to_owned()).notifications(), 6);
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let text = |counts: [u32; 4]| {
            let [a, b, c, d] = counts;
            Scrape::new(format!(
                "sickbay_schedule_lateness_seconds_bucket{{le=\"0.01\"}} {a}\nsickbay_schedule_lateness_seconds_bucket{{le=\"0.1\"}} {b}\n\
                 sickbay_schedule_lateness_seconds_bucket{{le=\"1\"}} {c}\nsickbay_schedule_lateness_seconds_bucket{{le=\"+Inf\"}} {d}\n"
            ))
        };
        let window = text([190, 200, 200, 200]).lateness().since(&text([100, 100, 100, 100]).lateness());
        assert_eq!(window.quantile(0.9), Some(0.01));
        assert!((window.quantile(0.95).unwrap() - 0.055).abs() < 1e-9);
        assert_eq!(text([0, 0, 0, 5]).lateness().quantile(0.99), Some(1.0));
        assert_eq!(text([0; 4]).lateness().quantile(0.99), None);
    }
}
