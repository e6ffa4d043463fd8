//! A report as conditions see it: the variable `report`.

use std::collections::HashMap;

use cel::common::types::{CelBool, CelDouble, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;

use crate::window::{WindowCall, Windows};
use crate::{Condition, Metric, Report, Timestamp};

/// A report made ready for conditions, once for all the conditions of a check. Texts are borrowed from the report.
#[derive(Debug)]
pub struct ReportView<'report> {
    variable: CelMap<'report>,
    past: Option<(&'report Windows, Timestamp)>,
}

type Fields<'report> = HashMap<CelMapKey<'report>, Box<dyn Val + 'report>>;

impl<'report> ReportView<'report> {
    /// Makes ready what `conditions` read: the series and the details only where one of them mentions them.
    pub fn new<'condition>(report: &'report Report, conditions: impl IntoIterator<Item = &'condition Condition>) -> ReportView<'report> {
        let mut series_wanted = false;
        let mut details_wanted = false;
        for condition in conditions {
            series_wanted |= condition.mentions("series");
            details_wanted |= condition.mentions("details");
        }

        let mut fields: Fields<'report> = HashMap::new();
        fields.insert(CelMapKey::from("status"), text(report.status.as_str()));
        fields.insert(CelMapKey::from("summary"), text(&report.summary));
        if let Some(failure) = &report.failure {
            fields.insert(CelMapKey::from("failure"), text(failure));
        }
        fields.insert(CelMapKey::from("metrics"), Box::new(CelMap::from(metrics(&report.metrics))));
        if series_wanted {
            fields.insert(CelMapKey::from("series"), Box::new(CelMap::from(series(&report.metrics))));
        }
        if details_wanted && let Some(details) = details(report) {
            fields.insert(CelMapKey::from("details"), details);
        }
        ReportView { variable: CelMap::from(fields), past: None }
    }

    /// With the last results, this report among them, as they are at `now`.
    pub fn with_past(self, windows: Option<&'report Windows>, now: Timestamp) -> ReportView<'report> {
        ReportView { past: windows.map(|windows| (windows, now)), ..self }
    }

    /// What a function over the past gives; none where there are too few samples.
    pub(super) fn past(&self, call: &WindowCall) -> Option<f64> {
        let (windows, now) = self.past?;
        windows.value(call, now)
    }

    /// The value of the variable `report`.
    pub(super) fn variable(&self) -> &CelMap<'report> {
        &self.variable
    }
}

fn text(value: &str) -> Box<dyn Val + '_> {
    Box::new(CelString::from(value))
}

fn number<'report>(value: f64) -> Box<dyn Val + 'report> {
    Box::new(CelDouble::from(value))
}

fn metrics(metrics: &[Metric]) -> Fields<'_> {
    let without_labels = metrics.iter().filter(|metric| metric.labels.is_empty());
    without_labels.map(|metric| (CelMapKey::from(metric.name.as_str()), number(metric.value))).collect()
}

fn series<'report>(metrics: &'report [Metric]) -> Fields<'report> {
    let mut lists: HashMap<&'report str, Vec<Box<dyn Val + 'report>>> = HashMap::new();
    for metric in metrics {
        let labels: Fields<'report> =
            metric.labels.iter().map(|label| (CelMapKey::from(label.name.as_str()), text(&label.value))).collect();
        let mut entry: Fields<'report> = HashMap::new();
        entry.insert(CelMapKey::from("value"), number(metric.value));
        entry.insert(CelMapKey::from("labels"), Box::new(CelMap::from(labels)));
        lists.entry(&metric.name).or_default().push(Box::new(CelMap::from(entry)));
    }
    let mut series: Fields<'report> = HashMap::new();
    for (name, list) in lists {
        series.insert(CelMapKey::from(name), Box::new(CelList::from(list)));
    }
    series
}

/// The details of the report; none where it has none or where they are no JSON object.
fn details(report: &Report) -> Option<Box<dyn Val>> {
    let details: serde_json::Value = serde_json::from_str(report.details.as_deref()?).ok()?;
    details.is_object().then(|| json(details))
}

/// Recursion is bounded: `serde_json` refuses more than 128 levels.
fn json(value: serde_json::Value) -> Box<dyn Val> {
    match value {
        serde_json::Value::Null => Box::new(CelNull),
        serde_json::Value::Bool(value) => Box::new(CelBool::from(value)),
        serde_json::Value::Number(value) => Box::new(CelDouble::from(value.as_f64().unwrap_or(f64::NAN))),
        serde_json::Value::String(value) => Box::new(CelString::from(value)),
        serde_json::Value::Array(values) => {
            let values: Vec<Box<dyn Val>> = values.into_iter().map(json).collect();
            Box::new(CelList::from(values))
        }
        serde_json::Value::Object(values) => {
            let mut fields: Fields<'static> = HashMap::new();
            for (name, value) in values {
                fields.insert(CelMapKey::from(name), json(value));
            }
            Box::new(CelMap::from(fields))
        }
    }
}
