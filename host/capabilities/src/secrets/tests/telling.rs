//! What is kept of a run.

use sickbay_core::{EndCause, Evidence, Failure, Finding, Label, Metric, MetricKind, Report, Status};

use super::{drawn, placeholder};
use crate::secrets::Placeholders;

fn two() -> Placeholders {
    drawn(&[("token", b"swordfish"), ("pin", b"12345678")])
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.to_owned(), value: value.to_owned() }
}

fn metric(name: &str, labels: Vec<Label>) -> Metric {
    Metric { name: name.to_owned(), value: 1.0, kind: MetricKind::Gauge, unit: String::new(), labels }
}

fn kept(placeholders: &Placeholders, report: Report) -> Report {
    match placeholders.mask_finding(Finding::Report(report)) {
        Finding::Report(report) => report,
        other => panic!("expected a report: {other:?}"),
    }
}

#[test]
fn secrets_and_placeholders_become_what_the_operator_wrote() {
    let placeholders = two();
    let url = format!("https://a.example/bot{}/send", placeholder(&placeholders, 0));
    let report = Report {
        status: Status::Critical,
        summary: format!("{url} said swordfish"),
        failure: Some("content".to_owned()),
        evidence: vec![Evidence { actual: "c3dvcmRmaXNo".to_owned(), expected: url.clone(), ..Evidence::default() }],
        extras: vec![label("url", &url), label("plain", "plain")],
        ..Report::default()
    };
    let kept = kept(&placeholders, report);
    let told = "https://a.example/bot{{secret:token}}/send";
    assert_eq!(kept.summary, format!("{told} said {{{{secret:token}}}}"));
    assert_eq!(kept.failure.as_deref(), Some("content"));
    assert_eq!((kept.evidence[0].actual.as_str(), kept.evidence[0].expected.as_str()), ("{{secret:token}}", told));
    assert_eq!(kept.extras, [label("url", told), label("plain", "plain")]);
}

#[test]
fn a_report_without_any_is_left_as_it_is() {
    let report = Report {
        summary: "all is well".to_owned(),
        metrics: [metric("up", vec![label("host", "a")])].into(),
        details: Some("{\"b\":1, \"a\":2}".to_owned()),
        ..Report::default()
    };
    assert_eq!(kept(&two(), report.clone()), report, "spelling of the details included");
    let hostile = Report { summary: "{{secret:token}} sbsecret-00000000000000000000000000000000".to_owned(), ..Report::default() };
    assert_eq!(kept(&two(), hostile.clone()), hostile);
    assert_eq!(kept(&Placeholders::default(), hostile.clone()), hostile);
}

#[test]
fn details_stay_json() {
    let placeholders = two();
    let drawn = placeholder(&placeholders, 0);
    for (details, expected) in [
        (
            format!(r#"{{"a":["x {drawn}",{{"swordfish":true}}],"n":1.5}}"#),
            Some(r#"{"a":["x {{secret:token}}",{"{{secret:token}}":true}],"n":1.5}"#),
        ),
        (r#"{"a":"\u0073wordfish\n"}"#.to_owned(), Some(r#"{"a":"{{secret:token}}\n"}"#)),
        (r#"{"pin":"12345678"}"#.to_owned(), Some(r#"{"pin":"{{secret:pin}}"}"#)),
        (r#"{"pin":12345678}"#.to_owned(), None),
        (r#"{"pin":12345679}"#.to_owned(), Some(r#"{"pin":12345679}"#)),
    ] {
        let report = Report { details: Some(details.clone()), ..Report::default() };
        assert_eq!(kept(&placeholders, report).details.as_deref(), expected, "{details}");
    }
    let long = format!("{{\"a\":\"{}\"}}", "swordfish".repeat(7000));
    assert_eq!(kept(&placeholders, Report { details: Some(long), ..Report::default() }).details, None, "too long once it is masked");
}

#[test]
fn series_that_differ_in_a_secret_alone_are_one() {
    let placeholders = two();
    let drawn = placeholder(&placeholders, 0);
    let report = Report {
        metrics: [
            metric("up", vec![label("url", &drawn)]),
            metric("up", vec![label("url", "swordfish")]),
            metric("up", vec![label("url", "other")]),
            metric("swordfish", Vec::new()),
            metric("down", vec![label("swordfish", "x"), label("z", "y")]),
        ]
        .into(),
        ..Report::default()
    };
    let expected = [
        metric("up", vec![label("url", "{{secret:token}}")]),
        metric("up", vec![label("url", "other")]),
        metric("down", vec![label("z", "y")]),
    ];
    assert_eq!(*kept(&placeholders, report).metrics, expected);
}

#[test]
fn words_for_machines_that_hold_a_secret_are_left_out() {
    let placeholders = two();
    let drawn = placeholder(&placeholders, 0);
    let report = Report {
        failure: Some(drawn.clone()),
        evidence: vec![Evidence { metric: "swordfish".to_owned(), unit: "12345678".to_owned(), ..Evidence::default() }],
        extras: vec![label("swordfish", "x")],
        ..Report::default()
    };
    assert_eq!(kept(&placeholders, report), Report { evidence: vec![Evidence::default()], ..Report::default() });
    let failure = placeholders.mask_finding(Finding::Failure(Failure { kind: drawn, message: "no swordfish".to_owned() }));
    assert_eq!(failure, Finding::Failure(Failure { kind: "internal".to_owned(), message: "no {{secret:token}}".to_owned() }));
}

#[test]
fn what_ended_a_run_is_masked_too() {
    let placeholders = two();
    let trap = Finding::Ended(EndCause::Trap { message: "panicked at swordfish".to_owned() });
    assert_eq!(placeholders.mask_finding(trap), Finding::Ended(EndCause::Trap { message: "panicked at {{secret:token}}".to_owned() }));
    let deadline = Finding::Ended(EndCause::Deadline { timeout_ms: 12_345_678 });
    assert_eq!(placeholders.mask_finding(deadline.clone()), deadline);
}

#[test]
fn a_masked_text_keeps_its_bound() {
    let placeholders = drawn(&[("a-rather-long-name", b"swordfish")]);
    let summary = "swordfish".repeat(56);
    assert!(kept(&placeholders, Report { summary, ..Report::default() }).summary.len() <= 512);
    let actual = "swordfish".repeat(113);
    let evidence = vec![Evidence { actual, ..Evidence::default() }];
    assert!(kept(&placeholders, Report { evidence, ..Report::default() }).evidence[0].actual.len() <= 1024);
}

#[test]
fn a_text_that_was_cut_amid_a_secret_is_masked_to_its_end() {
    let placeholders = two();
    assert_eq!(placeholders.mask_text("it said swordf…"), "it said {{secret:token}}…");
    assert_eq!(placeholders.mask_text("it said swordf"), "it said swordf");
    assert_eq!(placeholders.mask_text("it said swo…"), "it said swo…");
}

#[test]
fn a_call_is_kept_with_names_in_the_place_of_secrets_and_placeholders() {
    let placeholders = two();
    let drawn = placeholder(&placeholders, 1);
    let kept = |bytes: &[u8]| placeholders.mask_kept(bytes);
    assert_eq!(kept(format!("Bearer {drawn}").as_bytes()).as_deref(), Some(&b"Bearer {{secret:pin}}"[..]));
    assert_eq!(kept(b"\xff\x00swordfish\xfe").as_deref(), Some(&b"\xff\x00{{secret:token}}\xfe"[..]));
    assert_eq!(kept(b"Basic c3dvcmRmaXNo").as_deref(), Some(&b"Basic {{secret:token}}"[..]));
    assert_eq!(kept(b"all is well"), None);
    assert_eq!(Placeholders::default().mask_kept(b"swordfish"), None, "it is nobody's secret");
}
