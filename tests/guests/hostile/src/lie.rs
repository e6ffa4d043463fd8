//! Kinds whose answer breaks the contract, or says what a careless reader would believe.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::Request;
use sickbay_sdk::{Evidence, Failure, Label, Metric, MetricKind, Report, Status, log};

type Answer = Result<Report, Failure>;

/// NUL, an escape sequence that clears a terminal, quotes, line breaks that look like an own line of a log or of metrics,
/// an end of a script, text that runs from right to left, template and TOML syntax, and a lone combining mark.
pub(crate) const HOSTILE: &str = "\u{0}\u{1b}[2J\u{1b}]0;title\u{7} \" ' ` \\ \r\nsickbay_check_status{check=\"forged\"} 1\n\
    </script><img src=x onerror=alert(1)> \u{202e}drawkcab\u{202c} {{secret:slack-token}} ${HOME} %s \u{301} \u{2028} ]]";

pub(crate) fn ok(_request: &Request) -> Answer {
    Ok(Report::ok("well"))
}

pub(crate) fn big_report(_request: &Request) -> Answer {
    let mut report = Report::ok("s".repeat(10 << 20));
    for number in 0..100_000_u32 {
        report = report.metric(format!("value_{number}"), number.into(), "");
    }
    Ok(report)
}

pub(crate) fn long_text(_request: &Request) -> Answer {
    let long = "long ".repeat(1_000_000);
    Ok(Report { failure: Some("x".repeat(1 << 20)), status: Status::Warning, ..Report::ok(long) })
}

/// Within what a guest may hand over, and far beyond what is kept.
pub(crate) fn megabyte(_request: &Request) -> Answer {
    Ok(Report::ok("long ".repeat((1 << 20) / 5)))
}

/// Within what a report may have, and beyond what a check has series for.
pub(crate) fn many_metrics(_request: &Request) -> Answer {
    let mut report = Report::ok("many metrics").metric("value_none", f64::NAN, "");
    for number in 0..100_u32 {
        report = report.metric(format!("value_{number}"), number.into(), "");
    }
    Ok(report)
}

pub(crate) fn bad_metrics(_request: &Request) -> Answer {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -0.0];
    let names = ["", "1value", "Value", "value-dash", "value\nforged 1", "value\"quote", "välue", "__name__", "value value"];
    let reserved = ["check", "metric", "le", "quantile", "__x", "", "1", "a\nb", "a\"b"];
    let mut report = Report::ok("bad metrics");
    for (position, number) in numbers.into_iter().enumerate() {
        report = report.metric(format!("value_number_{position}"), number, "");
    }
    for name in names {
        report = report.metric(name, 1.0, "");
    }
    for label in reserved {
        report = report.labelled("value_label", 1.0, "", &[(label, "forged")]);
    }
    for _ in 0..3 {
        report = report.metric("value_twice", 2.0, "").labelled("value_twice", 2.0, "", &[("a", "1"), ("a", "2")]);
    }
    Ok(report)
}

/// All else is right.
pub(crate) fn bad_labels(_request: &Request) -> Answer {
    Ok(Report::ok("bad labels").labelled("value", 1.0, "", &[("a b\u{1b}[2J\u{202e}", "x")]))
}

/// As the contract and as WASI have it.
pub(crate) fn hostile_log(_request: &Request) -> Answer {
    log::warn(HOSTILE, &[(HOSTILE, HOSTILE), ("plain", HOSTILE)]);
    println!("{HOSTILE}");
    Ok(Report::ok("logged"))
}

/// A configuration that could be pasted.
pub(crate) fn example() -> String {
    serde_json::json!({ "text": HOSTILE }).to_string()
}

/// Stays within every bound and names only what may be named: it must arrive, and be escaped wherever it is shown.
pub(crate) fn hostile_text(_request: &Request) -> Answer {
    let details = serde_json::json!({ "text": HOSTILE }).to_string();
    let report = Report { status: Status::Critical, failure: Some("content".to_owned()), details: Some(details), ..Report::ok(HOSTILE) };
    Ok(report.labelled("value", 1.0, "", &[("text", HOSTILE)]).evidence("value", HOSTILE, HOSTILE, "").extra("hostile.text", HOSTILE))
}

pub(crate) fn hostile_names(_request: &Request) -> Answer {
    let text = || HOSTILE.to_owned();
    Ok(Report {
        status: Status::Critical,
        summary: text(),
        failure: Some(text()),
        metrics: vec![Metric {
            name: text(),
            value: 1.0,
            kind: MetricKind::Counter,
            unit: text(),
            labels: vec![Label::new(HOSTILE, HOSTILE)],
        }],
        evidence: vec![Evidence { metric: text(), actual: text(), expected: text(), unit: text() }],
        details: Some(text()),
        extras: vec![Label::new(HOSTILE, HOSTILE)],
    })
}

pub(crate) fn hostile_failure(_request: &Request) -> Answer {
    Err(Failure { kind: HOSTILE.to_owned(), message: HOSTILE.repeat(100), extras: vec![Label::new(HOSTILE, HOSTILE)] })
}

pub(crate) fn details(_request: &Request) -> Answer {
    Ok(Report { details: Some("{\"open\": ".to_owned()), ..Report::ok("with details") })
}
