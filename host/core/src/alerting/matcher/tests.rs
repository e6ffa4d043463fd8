use proptest::prelude::*;

use super::*;

fn matcher(text: &str) -> Matcher {
    Matcher::parse(text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

fn parts(text: &str) -> (String, Operation, String) {
    let matcher = matcher(text);
    (matcher.name, matcher.operation, matcher.value)
}

fn read(name: &str, operation: Operation, value: &str) -> (String, Operation, String) {
    (name.to_owned(), operation, value.to_owned())
}

fn error(text: &str) -> (String, usize) {
    let error = Matcher::parse(text).expect_err(text);
    (error.reason, error.offset)
}

fn is_match(text: &str, labels: &[(&str, &str)]) -> bool {
    let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
    matcher(text).matches(&Subject { labels: &labels, status: Status::Warning, severity: Severity::P3 })
}

#[test]
fn quoted_and_bare_values_are_read_alike() {
    for text in ["severity=\"P0\"", "severity=P0", " severity = P0 ", "severity= \"P0\"", "\"severity\"=P0"] {
        assert_eq!(parts(text), read("severity", Operation::Equal, "P0"), "{text}");
    }
    assert_eq!(parts("severity=~\"P0|P1\""), read("severity", Operation::Matches, "P0|P1"));
    assert_eq!(parts("severity!~P0|P1"), read("severity", Operation::MatchesNot, "P0|P1"));
    assert_eq!(parts("a!=b"), read("a", Operation::NotEqual, "b"));
    assert_eq!(parts("a="), read("a", Operation::Equal, ""));
    assert_eq!(parts("a=\"\""), read("a", Operation::Equal, ""));
    assert_eq!(parts("a=b c, d"), read("a", Operation::Equal, "b c, d"));
    assert_eq!(parts("größe=\"ü\""), read("größe", Operation::Equal, "ü"));
    assert_eq!(parts("\"a b\"=c"), read("a b", Operation::Equal, "c"));
}

#[test]
fn escapes_are_read_and_other_backslashes_stay() {
    assert_eq!(parts(r#"a="x\"y\\z\nw""#).2, "x\"y\\z\nw");
    assert_eq!(parts(r#"a=~"\d+\.\w""#).2, r"\d+\.\w");
}

#[test]
fn what_is_no_matcher_is_told_with_its_place() {
    assert_eq!(error(""), ("the name of a label is missing".into(), 0));
    assert_eq!(error("=x"), ("the name of a label is missing".into(), 0));
    assert_eq!(error("severity"), ("one of `=`, `!=`, `=~` and `!~` is missing".into(), 8));
    assert_eq!(error("a==b"), ("one of `=`, `!=`, `=~` and `!~` is missing".into(), 1));
    assert_eq!(error("a=\"b"), ("the closing quote is missing".into(), 2));
    assert_eq!(error("a=\"b\" c"), ("`c` is too much".into(), 6));
    assert_eq!(error("a=b\"c"), ("a quote in a bare value; write the whole value in quotes".into(), 3));
    let (reason, offset) = error("a=~\"b(\"");
    assert_eq!(offset, 3);
    assert!(reason.starts_with("`b(` is no regular expression: "), "{reason}");
    assert!(error(&format!("a={}", "x".repeat(9000))).0.contains("the limit is 8208"));
    assert!(error("a=~\"(x{1000}){1000}\"").0.contains("is no regular expression"));
}

#[test]
fn a_list_may_stand_in_braces() {
    for text in ["{a=\"b\", c=~\"d,e\"}", "a=b,c=~\"d,e\"", "{a=b,c=~\"d,e\",}", " { a=b , c=~\"d,e\" } "] {
        let list = Matcher::parse_list(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        assert_eq!(list, [matcher("a=\"b\""), matcher("c=~\"d,e\"")], "{text}");
    }
    assert_eq!(Matcher::parse_list("{}"), Ok(Vec::new()));
    assert_eq!(Matcher::parse_list("{a=b").expect_err("no brace").reason, "`}` is missing");
    assert_eq!(Matcher::parse_list("a=b}").expect_err("a brace").offset, 3);
    let many = vec!["a=b"; MATCHERS_MAX + 1].join(",");
    assert!(Matcher::parse_list(&many).expect_err("too many").reason.contains("more than 64"));
}

#[test]
fn an_expression_matches_the_whole_value() {
    assert!(is_match("a=~\"P0|P1\"", &[("a", "P1")]));
    assert!(!is_match("a=~\"P0|P1\"", &[("a", "P10")]));
    assert!(!is_match("a=~\"b\"", &[("a", "abc")]));
    assert!(is_match("a!~\"b\"", &[("a", "abc")]));
}

#[test]
fn a_label_that_is_not_there_is_empty() {
    assert!(is_match("a=\"\"", &[("b", "x")]));
    assert!(is_match("a!=x", &[]));
    assert!(is_match("a=~\".*\"", &[]));
    assert!(!is_match("a=~\".+\"", &[]));
}

#[test]
fn status_and_severity_can_be_matched_without_a_label() {
    assert!(is_match("status=warning", &[]));
    assert!(is_match("severity=P3", &[]));
    assert!(!is_match("severity=P3", &[("severity", "page")]));
    assert!(is_match("status=custom", &[("status", "custom")]));
}

#[test]
fn a_hostile_expression_takes_no_time() {
    let labels = "a".repeat(1000);
    assert!(!is_match("a=~\"(a*)*b\"", &[("a", labels.as_str())]));
}

proptest! {
    #[test]
    fn a_matcher_is_read_as_it_is_written(name in "\\PC{1,8}", value in "(?s).{0,12}", operation in 0_usize..2) {
        let operation = [Operation::Equal, Operation::NotEqual][operation];
        let matcher = Matcher::new(&name, operation, &value).expect("a matcher");
        prop_assert_eq!(Matcher::parse(&matcher.to_string()), Ok(matcher.clone()));
        let json = serde_json::to_string(&matcher).expect("a text");
        prop_assert_eq!(serde_json::from_str::<Matcher>(&json).expect("the same text"), matcher);
    }

    #[test]
    fn no_text_is_too_much_for_the_reader(text in "\\PC{0,40}") {
        let _ = Matcher::parse(&text);
        let _ = Matcher::parse_list(&text);
    }
}
