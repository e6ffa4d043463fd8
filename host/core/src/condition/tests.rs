use proptest::prelude::*;

use super::*;
use crate::{Label, Metric, MetricKind, Report, Status};

fn metric(name: &str, value: f64) -> Metric {
    Metric { name: name.into(), value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() }
}

fn labelled(name: &str, value: f64, label: &str, label_value: &str) -> Metric {
    Metric { labels: vec![Label { name: label.into(), value: label_value.into() }], ..metric(name, value) }
}

fn report() -> Report {
    Report {
        status: Status::Warning,
        summary: "slow".into(),
        failure: Some("latency".into()),
        metrics: [
            metric("latency_seconds", 0.31),
            metric("status", 200.0),
            labelled("used_ratio", 0.95, "mount", "/"),
            labelled("used_ratio", 0.2, "mount", "/home"),
        ]
        .into(),
        details: Some(r#"{"queue": {"length": 12, "names": ["a", "b"]}, "up": true, "none": null}"#.into()),
        ..Report::default()
    }
}

fn condition(source: &str) -> Condition {
    Condition::parse(source).unwrap_or_else(|error| panic!("`{source}`: {error}"))
}

fn evaluated(source: &str, report: &Report) -> Result<bool, String> {
    let condition = condition(source);
    condition.evaluate(&ReportView::new(report, [&condition]))
}

fn explained(source: &str) -> Explanation {
    let condition = condition(source);
    let report = report();
    let view = ReportView::new(&report, [&condition]);
    assert_eq!(condition.evaluate(&view), Ok(true), "{source}");
    condition.explain(&view)
}

fn explanation(metric: &str, actual: &str, expected: &str) -> Explanation {
    Explanation { metric: metric.into(), actual: actual.into(), expected: expected.into() }
}

fn refused(source: &str) -> ConditionError {
    match Condition::parse(source) {
        Ok(_) => panic!("`{source}` was taken"),
        Err(error) => error,
    }
}

#[test]
fn a_condition_reads_every_part_of_a_report() {
    for source in [
        "report.status == 'warning'",
        "report.summary.startsWith('sl')",
        "has(report.failure) && report.failure == 'latency'",
        "report.metrics.latency_seconds > 0.2",
        "report.metrics['latency_seconds'] > 0.2",
        "report.metrics.status == 200",
        "has(report.metrics.status) && report.metrics.status < 300.0",
        "!has(report.metrics.used_ratio)",
        "report.series.used_ratio.exists(s, s.value > 0.9 && s.labels.mount == '/')",
        "report.series.used_ratio.all(s, s.value < 0.96)",
        "report.series.used_ratio.filter(s, s.value > 0.9).size() == 1",
        "report.series.used_ratio.map(s, s.labels.mount) == ['/', '/home']",
        "report.series.used_ratio.exists_one(s, s.value > 0.9)",
        "size(report.series.latency_seconds) == 1",
        "report.details.queue.length >= 12.0",
        "report.details.queue.names.exists(name, name == 'b')",
        "report.details.up && report.details.none == null",
        "type(report.metrics.status) == double",
        "report.summary.matches('^s[lm]ow$')",
    ] {
        assert_eq!(evaluated(source, &report()), Ok(true), "{source}");
    }
}

#[test]
fn what_a_report_does_not_carry_is_absent() {
    let bare = Report::default();
    for source in ["!has(report.failure)", "!has(report.details)", "!has(report.metrics.status)", "!has(report.series.status)"] {
        assert_eq!(evaluated(source, &bare), Ok(true), "{source}");
    }
}

#[test]
fn details_that_are_no_object_are_absent() {
    for details in ["[1]", "{", "7"] {
        let report = Report { details: Some(details.into()), ..Report::default() };
        assert_eq!(evaluated("has(report.details)", &report), Ok(false), "{details}");
    }
}

#[test]
fn one_view_serves_all_conditions_of_a_check() {
    let conditions = [condition("report.metrics.status == 200.0"), condition("size(report.series.used_ratio) == 2")];
    let report = report();
    let view = ReportView::new(&report, &conditions);
    for condition in &conditions {
        assert_eq!(condition.evaluate(&view), Ok(true), "{condition:?}");
    }
}

#[test]
fn a_missing_metric_is_an_error_that_says_how_to_guard() {
    let error = evaluated("report.metrics.missing > 1.0", &report()).expect_err("it is missing");
    assert!(error.contains("`missing`") && error.contains("has("), "{error}");
}

#[test]
fn a_result_that_turns_out_to_be_no_bool_is_an_error_that_says_which_type_came() {
    let error = evaluated("report.details.queue.length", &report()).expect_err("a double");
    assert!(error.contains("type double"), "{error}");
    let error = evaluated("dyn(report.summary)", &report()).expect_err("a string");
    assert!(error.contains("type string"), "{error}");
}

#[test]
fn arithmetic_that_turns_out_to_be_of_a_double_and_an_int_says_how_to_write_it() {
    let error = evaluated("report.details.queue.length * 2 > 100", &report()).expect_err("a double and an int");
    assert!(error.contains("`2.0`"), "{error}");
}

#[test]
fn a_division_by_zero_is_an_error_of_whole_numbers_and_infinite_of_metrics() {
    for source in ["1 / 0 > 1", "1 % 0 > 1", "int(report.metrics.latency_seconds) / 0 > 1"] {
        let error = evaluated(source, &report()).expect_err(source);
        assert!(error.to_lowercase().contains("zero"), "{source}: {error}");
    }
    assert_eq!(evaluated("report.metrics.latency_seconds / 0.0 > 1000000.0", &report()), Ok(true));
}

/// The message without its hint, and the hint.
fn refusal(source: &str) -> (String, String) {
    let message = refused(source).message;
    let (reason, hint) = message.split_once("; hint: ").unwrap_or_else(|| panic!("no hint: {message}"));
    (reason.to_owned(), hint.to_owned())
}

#[test]
fn what_can_give_no_bool_is_refused() {
    for (source, reason, hint) in [
        ("1", "it gives a whole number, not true or false", "compare it"),
        ("'yes'", "it gives a text", "compare it"),
        ("report.status", "it gives a text", "compare it"),
        ("report.metrics.up", "it gives a number", "`report.metrics.up > 0.0`"),
        ("report.series.up", "it gives a list", ".exists("),
        ("report.series.up.size()", "it gives a whole number", "compare it"),
        ("report.series.up.map(s, s.value)", "it gives a list", ".exists("),
        ("true ? report.metrics.a : report.metrics.b", "it gives a number", "compare it"),
        ("report", "it gives the whole report", "comparison"),
    ] {
        let (said, hinted) = refusal(source);
        assert!(said.contains(reason) && hinted.contains(hint), "`{source}`: {said}; hint: {hinted}");
        assert_eq!(refused(source).place, None, "{source}");
    }
}

#[test]
fn parts_that_never_go_together_are_refused() {
    for (source, reason, hint) in [
        ("report.metrics.status == '200'", "a number never equals a text", "`200.0`"),
        ("'200' != report.metrics.status", "a text never equals a number", "`200.0`"),
        ("report.metrics.up == true", "a number never equals true or false", "`== 1.0`"),
        ("report.failure == null", "a text never equals null", "has("),
        ("report.metrics.status > '200'", "`>` does not compare a number with a text", "`200.0`"),
        ("report.summary < 5", "`<` does not compare a text with a whole number", "in quotes"),
        ("report.series.used > 0.9", "`>` does not compare a list with a number", ".exists("),
        ("report.status == 'down'", "no report has the status `down`", "`critical`"),
        ("report.metrics.a * 2 > 1.0", "`*` does not take a double and an int", "`2.0`"),
        ("report.metrics.a % 2.0 == 0.0", "`%` does not take", "`int(...)`"),
        ("report.summary + 1 == 'x'", "`+` does not take a text and an int", "`string(...)`"),
        ("-report.summary == 'x'", "`-` does not take a text", "numbers"),
        ("!report.metrics.up", "true or false is wanted here, and this is a number", "`report.metrics.up > 0.0`"),
        ("report.metrics.up && true", "true or false is wanted here", "compare it"),
        ("true || report.summary", "this is a text", "compare it"),
        ("report.summary ? true : false", "this is a text", "compare it"),
        ("report.series.x.exists(s, s.value)", "this is a number", "compare it"),
        ("report.series.x.exists(s, s.vale > 1.0)", "no field `vale`", "`s.labels.vale`"),
        ("report.series.x.exists(s, s > 1.0)", "a member of a series", "a number"),
        ("report.series.x.exists(s, s.labels.mount > 1.0)", "`>` does not compare a text with a number", "in quotes"),
        ("report.series.x.value > 1.0", "a list has no field `value`", ".exists("),
        ("report.metrics.x.value > 1.0", "a number has no field `value`", "report.series"),
        ("report.metrics.x.exists(s, s.value > 1.0)", "asks the members of a list, and this is a number", "report.series"),
        ("report.metrics.exists(m, m > 1.0)", "`>` does not compare a text with a number", "in quotes"),
        ("report['metric']['x'] > 1.0", "no field `metric`", "report.metrics"),
        ("report.metrics.x[0] > 1.0", "a number has no parts", "[...]"),
        ("report.series.x['value'] > 1.0", "have numbers", ".exists("),
        ("'x' in report.summary", "does not look into a text", ".contains("),
        ("report.metrics.status in ['200']", "a number never equals a text", "in quotes"),
        ("report.metrics.status in 200.0", "this is a number", "[200.0, 204.0]"),
        ("size(report.metrics.x) > 1", "`size` does not take a number", "list"),
        ("report.metrics.x.contains('1')", "`contains` does not take a number and a text", "text"),
        ("contains(report.summary, 'x')", "`contains` does not take", "report.summary.contains"),
        ("double(report.series.x) > 1.0", "`double` does not take a list", "number"),
        ("report.summary.matches('[')", "the pattern of `matches` is not valid", "`[.]`"),
    ] {
        let (said, hinted) = refusal(source);
        assert!(said.contains(reason) && hinted.contains(hint), "`{source}`: {said}; hint: {hinted}");
    }
    assert_eq!(refused("report.metrics.a > 1.0 && report.metrics.b == 'x'").place, Some((1, 44)));
}

#[test]
fn what_only_a_report_can_show_is_taken() {
    for source in [
        "report.details.status == '200' || report.details.status == 200",
        "dyn(report.metrics.status) == '200'",
        "report.metrics.a / report.metrics.b > 0.9",
        "report.metrics.a > 1 && report.metrics.b in [200, 204.0]",
        "report.metrics['a'] > 1.0 && report['summary'] != ''",
        "has(report.metrics.a) ? report.metrics.a > 1.0 : false",
        "(has(report.metrics.a) ? report.metrics.a : 0.0) > 1.0",
        "int(report.metrics.a) % 2 == 0",
        "string(report.metrics.a).startsWith('2')",
        "report.series.x.filter(s, s.labels.mount.startsWith('/var')).all(s, s.value < 0.9)",
        "report.series.x.exists(s, has(s.labels.mount) && s.labels['mount'] == '/')",
        "report.series.x.map(s, s.value)[0] > 1.0",
        "report.series['x'][0].value > 1.0",
        "'latency' in report.metrics && report.status in ['warning', 'critical']",
        "report.metrics.exists(name, name.startsWith('disk'))",
        "report.details.list.exists(x, x == 1.0) && report.details.flag",
        "{'a': 1}['a'] == 1 && [1, 2.0].size() == 2",
        "report.summary.matches(report.details.pattern)",
        "1 / 0 > 1 || true",
    ] {
        assert!(Condition::parse(source).is_ok(), "{source}: {}", refused(source));
    }
}

#[test]
fn the_message_of_an_error_is_bounded() {
    let report = Report { details: Some(format!("{{\"text\": \"{}\"}}", "x".repeat(60_000))), ..Report::default() };
    let error = evaluated("report.details.text - 1 > 0", &report).expect_err("a string and an int");
    assert!(error.len() <= MESSAGE_BYTES_MAX, "{} bytes", error.len());
}

#[test]
fn an_unknown_name_is_refused_with_its_place_and_a_hint() {
    let error = refused("report.metrics.status == 200.0 &&\n  reprot.metrics.x > 1.0");
    assert_eq!(error.place, Some((2, 3)));
    assert!(error.message.contains("`reprot`") && error.message.contains("hint:"), "{error}");
}

#[test]
fn what_does_not_exist_is_refused() {
    for (source, named) in [
        ("status == 'ok'", "`status`"),
        ("report.metric.x > 1.0", "`metric`"),
        ("report.series.x.exists(s, t.value > 1.0)", "`t`"),
        ("report.series.x.exists(s, true) && s.value > 1.0", "`s`"),
        ("avg(report.metrics.x) > 1.0", "`avg`"),
        ("report.summary.lowerAscii() == 'x'", "`lowerAscii`"),
        (".report.metrics.x > 1.0", "`.report`"),
        ("optional.of(report).hasValue()", "`"),
        ("Foo{a: 1} == 1", "`Foo`"),
        ("report.series.x.exists(report, report.value > 1.0)", "`report`"),
    ] {
        let error = refused(source);
        assert!(error.message.contains(named) && error.message.contains("hint:"), "`{source}`: {error}");
    }
}

#[test]
fn a_syntax_error_has_a_place() {
    let error = refused("report.metrics.x >");
    assert!(error.message.starts_with("it is not valid CEL: "), "{error}");
    assert_eq!(error.place.map(|(line, _)| line), Some(1));
    assert!(!error.message.contains("expecting"), "{error}");
}

#[test]
fn an_empty_or_too_long_condition_is_refused() {
    assert!(refused("  \n").message.contains("empty"));
    let longest = format!("true{}", " ".repeat(CONDITION_BYTES_MAX - 4));
    assert!(Condition::parse(&longest).is_ok());
    assert!(refused(&format!("{longest} ")).message.contains("4097"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(evaluated(&nested(64), &report()), Ok(true));
    assert_eq!(refused(&nested(65)).place, Some((1, 65)));
    for rubbish in ["(", "[", "{", "a(", "a[", "!(", "-(", "true ? ", "(true ? (", "[{1: "] {
        let source = rubbish.repeat(CONDITION_BYTES_MAX / rubbish.len());
        assert!(refused(&source).message.contains("more than"), "{rubbish}");
    }
}

#[test]
fn chains_are_bounded() {
    let sum = |terms: usize| format!("{} > 1.0", vec!["report.metrics.status"; terms].join(" + "));
    assert_eq!(evaluated(&sum(100), &report()), Ok(true));
    let selections = format!("report{} > 1.0", ".a".repeat(2000));
    let indexes = format!("report{} > 1.0", "[0]".repeat(1000));
    let memberships = format!("1{}", " in [1]".repeat(500));
    for source in [sum(150), selections, indexes, memberships] {
        assert!(refused(&source).message.contains("128"), "{source}");
    }
    // The parser balances these, so only the length of the text bounds them.
    assert_eq!(evaluated(&vec!["report.metrics.status > 1.0"; 130].join(" && "), &report()), Ok(true));
}

#[test]
fn brackets_in_texts_and_comments_do_not_count() {
    let brackets = "(".repeat(200);
    for source in [
        format!("report.summary != '{brackets}'"),
        format!("report.summary != \"\\\"{brackets}\""),
        format!("report.summary != r'\\{brackets}'"),
        format!("report.summary != '''it's {brackets}'''"),
        format!("true // it's {brackets}\n"),
    ] {
        assert_eq!(evaluated(&source, &report()), Ok(true), "{source}");
    }
}

#[test]
fn macros_nest_at_most_three_deep() {
    let nested = |levels: usize| {
        let open: String = (0..levels).map(|level| format!("report.series.used_ratio.exists(s{level}, ")).collect();
        format!("{open}true{}", ")".repeat(levels))
    };
    assert_eq!(evaluated(&nested(3), &report()), Ok(true));
    assert!(refused(&nested(4)).message.contains("3 deep"));
    let one_after_another = "report.series.used_ratio.filter(s, true).filter(s, true).filter(s, true).all(s, true)";
    assert_eq!(evaluated(one_after_another, &report()), Ok(true));
}

#[test]
fn an_evaluation_ends_when_its_steps_are_spent() {
    let crowd = (0..256).map(|number| labelled("x", 1.0, "number", &number.to_string())).collect();
    let report = Report { metrics: crowd, ..Report::default() };
    for source in [
        "report.series.x.exists(a, report.series.x.exists(b, report.series.x.exists(c, a.value + b.value > 9.0)))",
        "report.series.x.all(a, report.series.x.all(b, report.series.x.all(c, a.value + b.value < 9.0)))",
        "report.series.x.map(a, report.series.x.map(b, report.series.x.filter(c, c.value > 9.0))).size() > 0",
        "report.series.x.exists_one(a, report.series.x.exists_one(b, report.series.x.exists_one(c, c.value > 9.0)))",
        "report.series.x.exists(a, report.series.x.map(b, report.series.x.map(c, c.value)).size() > 999) || true",
    ] {
        let error = evaluated(source, &report).expect_err(source);
        assert!(error.contains("20000 steps"), "{error}");
    }
    assert_eq!(evaluated("report.series.x.exists(a, a.value > 9.0)", &report), Ok(false));
    assert_eq!(evaluated("report.series.x.filter(a, a.value < 9.0).size() == 256", &report), Ok(true));
}

#[test]
fn the_metrics_that_a_condition_names_are_listed() {
    let names = |source: &str| condition(source).metric_names();
    assert_eq!(names("has(report.metrics.b) && report.metrics.b > report.metrics['a'] / 2.0"), ["a", "b"]);
    assert_eq!(names("report.series.used_ratio.exists(s, s.value > report.metrics.limit)"), ["limit", "used_ratio"]);
    assert_eq!(names("report.summary == 'x' && report.details.metrics.y > 1.0"), Vec::<String>::new());
}

#[test]
fn the_comparison_that_decided_is_explained() {
    assert_eq!(explained("report.metrics.latency_seconds > 0.2"), explanation("latency_seconds", "0.31", "<= 0.2"));
    assert_eq!(explained("0.2 < report.metrics.latency_seconds"), explanation("latency_seconds", "0.31", "<= 0.2"));
    assert_eq!(explained("report.metrics.latency_seconds >= 0.31"), explanation("latency_seconds", "0.31", "< 0.31"));
    assert_eq!(explained("500.0 >= report.metrics.status"), explanation("status", "200", "> 500"));
    assert_eq!(explained("report.metrics.status != 404.0"), explanation("status", "200", "== 404"));
    assert_eq!(explained("report.metrics.status == 200"), explanation("status", "200", "!= 200"));
}

#[test]
fn a_conjunction_is_explained_by_its_first_comparison_of_a_metric() {
    let expected = explanation("status", "200", "== 404");
    assert_eq!(explained("has(report.metrics.status) && report.metrics.status != 404.0"), expected);
    assert_eq!(explained("report.summary == 'slow' && report.metrics.status != 404.0"), expected);
}

#[test]
fn an_alternative_is_explained_by_the_side_that_holds() {
    let expected = explanation("latency_seconds", "0.31", "<= 0.2");
    assert_eq!(explained("report.metrics.status > 499.0 || report.metrics.latency_seconds > 0.2"), expected);
    assert_eq!(explained("report.metrics.latency_seconds > 0.2 || report.metrics.status > 499.0"), expected);
}

#[test]
fn a_comparison_of_something_else_is_explained_without_a_metric() {
    assert_eq!(explained("report.failure == 'latency'"), explanation("", "\"latency\"", "!= \"latency\""));
    assert_eq!(explained("report.metrics.status / 2.0 > 99.0"), explanation("", "100", "<= 99"));
}

#[test]
fn what_no_comparison_decides_has_no_explanation() {
    assert_eq!(explained("report.series.used_ratio.exists(s, s.value > 0.9)"), Explanation::default());
    assert_eq!(explained("has(report.metrics.status)"), Explanation::default());
}

#[test]
fn equal_texts_are_equal_conditions() {
    assert_eq!(condition("true"), condition("true"));
    assert_ne!(condition("true"), condition("false"));
    assert_eq!(condition("true").source(), "true");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_panics_the_caller(source in "\\PC{0,40}|[a-z0-9.()\\[\\]{}<>=!&|?:,+*/%\"'` \\\\\n-]{0,40}") {
        let report = report();
        if let Ok(condition) = Condition::parse(&source) {
            let view = ReportView::new(&report, [&condition]);
            let _ = condition.evaluate(&view);
            let _ = condition.explain(&view);
        }
    }
}

fn refused_at(source: &str) -> (Option<(usize, usize)>, String) {
    let error = refused(source);
    (error.place, error.message)
}

#[test]
fn a_condition_asks_the_past_and_shows_what_it_found() {
    let condition = condition("p95('latency_seconds', '10m') > 0.5 && max('latency_seconds', '10m') < 9.0");
    assert_eq!(condition.metric_names(), ["latency_seconds"]);
    let asked: Vec<String> = condition.windows().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["p95('latency_seconds', '10m')", "max('latency_seconds', '10m')"]);
    let rules = [crate::Rule { status: Status::Warning, condition: condition.clone(), lasting: None }];
    let mut windows = crate::Windows::of(&rules).expect("it asks the past");
    let report = report();
    let now = crate::Timestamp(100_000);
    for (number, wanted) in [(1, false), (2, false), (3, true)] {
        windows.note(crate::Timestamp(number * 10_000), &[metric("latency_seconds", 0.75)]);
        let view = ReportView::new(&report, [&condition]).with_past(Some(&windows), now);
        assert_eq!(condition.evaluate(&view), Ok(wanted), "{number} samples");
    }
    let view = ReportView::new(&report, [&condition]).with_past(Some(&windows), now);
    assert_eq!(condition.explain(&view), explanation("", "0.75", "<= 0.5"));
}

#[test]
fn what_has_too_few_samples_does_not_hold_either_way() {
    let report = report();
    assert_eq!(evaluated("p95('a', '10m') > 0.5", &report), Ok(false));
    assert_eq!(evaluated("!(p95('a', '10m') > 0.5)", &report), Ok(false));
    assert_eq!(evaluated("p95('a', '10m') > 0.5 || report.metrics.status == 200.0", &report), Ok(true));
    assert_eq!(evaluated("report.metrics.status == 200.0 || failure_ratio('5m') > 0.5", &report), Ok(true));
}

#[test]
fn a_function_over_the_past_is_checked_where_it_stands() {
    for (source, column, told) in [
        ("p95('a', '2h') > 0.5", 10, "longer than 1h"),
        ("p95('a', '10') > 0.5", 10, "no window"),
        ("p95('a', 10) > 0.5", 10, "a window stands in quotes"),
    ] {
        let (place, message) = refused_at(source);
        assert!(message.contains(told), "`{source}`: {message}");
        assert_eq!(place, Some((1, column)), "`{source}`: {message}");
    }
    for (source, told) in [
        ("p95(report.metrics.a, '10m') > 0.5", "the name of a metric stands in quotes"),
        ("failure_ratio('a', '10m') > 0.5", "takes a window"),
        ("p95('10m') > 0.5", "takes the name of a metric and a window"),
        ("p95('a', '10m') > 'x'", "a number"),
        ("p95('a', '10m')", "not true or false"),
    ] {
        let (_, message) = refused_at(source);
        assert!(message.contains(told), "`{source}`: {message}");
    }
}
