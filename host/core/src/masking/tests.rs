//! What must be masked, and what must stay.

use super::*;
use crate::{EndCause, Evidence, Failure, Finding, Label, Metric, MetricKind, Report};

const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nq0f3\n-----END RSA PRIVATE KEY-----";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

fn masked(text: &str) -> String {
    Shapes::default().mask(text).into_owned()
}

fn with(patterns: &[&str]) -> Shapes {
    Shapes::new(WellKnown::Shown, patterns.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect())
}

/// A made-up token, in parts: no file of this project holds one whole.
fn drawn(prefix: &str, length: usize) -> String {
    prefix.chars().chain("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7".chars().cycle().take(length)).collect()
}

#[test]
fn tokens_with_a_prefix_are_masked() {
    for (prefix, length) in [
        ("ghp_", 36),
        ("gho_", 36),
        ("ghu_", 40),
        ("ghs_", 36),
        ("github_pat_", 82),
        ("glpat-", 20),
        ("xoxb-", 40),
        ("xoxp-", 40),
        ("xoxa-", 12),
        ("xoxr-", 12),
        ("xoxs-", 12),
        ("sk_live_", 24),
        ("rk_live_", 24),
        ("AIza", 35),
        ("npm_", 36),
        ("whsec_", 32),
    ] {
        let token = drawn(prefix, length);
        for (text, expected) in [
            (token.clone(), "[masked]".to_owned()),
            (format!("denied for {token}, again"), "denied for [masked], again".to_owned()),
            (format!("\"{token}\" {token}"), "\"[masked]\" [masked]".to_owned()),
            (format!("a\\n{token}\\n"), "a\\n[masked]\\n".to_owned()),
            (format!("it said {}…", &token[..prefix.len() + 3]), "it said [masked]…".to_owned()),
            (format!("it said {}...", &token[..prefix.len() + 3]), "it said [masked]...".to_owned()),
        ] {
            assert_eq!(masked(&text), expected, "{text}");
        }
    }
    let (id, short_lived) = (format!("AKIA{}", "IOSFODNN7EXAMPLE"), format!("ASIA{}", "IOSFODNN7EXAMPLE"));
    assert_eq!(masked(&format!("{id} {short_lived}:x AKIAIOSF…")), "[masked] [masked]:x [masked]…");
}

#[test]
fn keys_and_web_tokens_are_masked_to_their_end() {
    for (text, expected) in [
        (PEM.to_owned(), "[masked]"),
        (format!("key: {PEM}\nnext"), "key: [masked]\nnext"),
        (PEM.replace('\n', "\\n"), "[masked]"),
        (PEM.replace('\n', " "), "[masked]"),
        (format!("read {}…", &PEM[..60]), "read [masked]"),
        (format!("{PEM} {PEM}"), "[masked] [masked]"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----\n".to_owned(), "[masked]\n"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----".to_owned(), "[masked]"),
        (JWT.to_owned(), "[masked]"),
        (format!("got {JWT}. Then"), "got [masked]. Then"),
        (format!("{{\"jwt\":\"{JWT}\"}}"), "{\"jwt\":\"[masked]\"}"),
        (format!("it said {}…", &JWT[..50]), "it said [masked]…"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.".to_owned(), "[masked]"),
    ] {
        assert_eq!(masked(&text), expected, "{text}");
    }
}

#[test]
fn what_stands_behind_a_scheme_is_masked() {
    for (text, expected) in [
        ("Authorization: Bearer abc", "Authorization: Bearer [masked]"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic [masked]"),
        ("proxy-authorization=Token x1", "proxy-authorization=Token [masked]"),
        ("\"Authorization\":\"Bearer abc\"", "\"Authorization\":\"Bearer [masked]\""),
        ("{\\\"authorization\\\":\\\"Bearer abc\\\"}", "{\\\"authorization\\\":\\\"Bearer [masked]\\\"}"),
        ("header Bearer mF_9.B5f-4.1JqM refused", "header Bearer [masked] refused"),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic [masked]"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn of_a_url_the_password_is_masked_and_the_rest_stays() {
    for (text, expected) in [
        ("postgres://sickbay:hunter2@db:5432/x", "postgres://sickbay:[masked]@db:5432/x"),
        ("redis://:hunter2@cache", "redis://:[masked]@cache"),
        ("amqp://a:p@ss@mq/vhost, then http://b:c@d", "amqp://a:[masked]@mq/vhost, then http://b:[masked]@d"),
        ("postgres://me:pa/ss@db/x", "postgres://me:[masked]@db/x"),
        ("cannot reach postgres://me:hunter…", "cannot reach postgres://me:[masked]…"),
        ("https://a:%70w@[::1]:443/", "https://a:[masked]@[::1]:443/"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn values_whose_name_says_so_are_masked() {
    for (text, expected) in [
        ("password=hunter2", "password=[masked]"),
        ("host=db password=hunter2 user=x", "host=db password=[masked] user=x"),
        ("GET /x?token=abc&page=2", "GET /x?token=[masked]&page=2"),
        ("?api_key=k1&x=1#y", "?api_key=[masked]&x=1#y"),
        ("q=token%3Dabc", "q=token%3D[masked]"),
        ("{\"password\":\"hunter2\",\"user\":\"x\"}", "{\"password\":\"[masked]\",\"user\":\"x\"}"),
        ("{\"clientSecret\" : \"a\\\"b\", \"n\": 1}", "{\"clientSecret\" : \"[masked]\", \"n\": 1}"),
        ("{\"pin\":{\"secret\":123456}}", "{\"pin\":{\"secret\":[masked]}}"),
        ("{\"secret\": [\"abc\", 1]}", "{\"secret\": [\"[masked]\", 1]}"),
        ("'{\\\"password\\\":\\\"hunter2\\\"}'", "'{\\\"password\\\":\\\"[masked]\\\"}'"),
        ("DB_PASSWORD='a b' X=1", "DB_PASSWORD='[masked]' X=1"),
        ("apiKey => 'k', accessToken := t", "apiKey => '[masked]', accessToken := [masked]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [masked]"),
        ("Config { password: Some(\"hunter2\"), port: 1 }", "Config { password: Some(\"[masked]\"), port: 1 }"),
        ("password: swordfish", "password: [masked]"),
        ("passphrase: \"correct horse\"", "passphrase: \"[masked]\""),
        ("api_key: 9f8e7d6c5b4a3", "api_key: [masked]"),
        ("user[password]=x (pwd=y)", "user[password]=[masked] (pwd=[masked])"),
        ("db:6379,password=k9,ssl=true", "db:6379,password=[masked],ssl=true"),
        ("token=Bearer abc123 x", "token=[masked] [masked] x"),
        ("routing_key=R0123456789abcdef0123456789ABCDE x", "routing_key=[masked] x"),
        ("\"integration_key\":\"0123456789abcdef0123456789abcdef\"", "\"integration_key\":\"[masked]\""),
    ] {
        assert_eq!(masked(text), expected, "{text}");
    }
}

#[test]
fn what_only_resembles_a_secret_stays() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for text in [
        "password_reset_count=3",
        "token: ok",
        "token=ok, secret=missing, password: incorrect.",
        "{\"token\":null,\"password\":true,\"max_token\":4096,\"secret\":\"\"}",
        "invalid token: line 3, unexpected token: 'foo'",
        "tokens=5 secretary=ann passwords: 3",
        "the secret `token` cannot be used: the file is not there",
        "unknown key `password`: remove it",
        "`report.metrics.token == 3.0` and token::Error",
        "password={{secret:db}} and https://a.example/bot{{secret:token}}/send",
        "password=${DB_PASSWORD} pwd=/srv/app token=****",
        "secrets = [{ name = \"token\", to = [] }]",
        "kube_secret_info secret: orders-db-2",
        "routing_key=orders.created integration_key=none",
        "0b6b1f3e-6f6e-4c1e-9d57-0e8a1f1b6a52",
        digest,
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "http://127.0.0.1:9470/x?mail=a@b.example",
        "http://host:80… and http://[::1]:80… and mailto:a@b",
        "ssh://git@github.com:22/x",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "bearer certificate, basic authentication, Basic Settings",
        "authorization: denied, Authorization required",
        "ghp_short npm_lifecycle_event xoxo glpat- AKIAshort ASIAN markets sk_test_abc AIza",
        "eyJ is how JSON begins in base64; a.b.c",
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "grün 漢字 🦀 … ...",
        "",
    ] {
        assert!(matches!(Shapes::default().mask(text), Cow::Borrowed(same) if same == text), "{text}: {}", masked(text));
    }
}

#[test]
fn what_is_masked_stays_as_it_is() {
    for text in [
        "postgres://a:b@c password=x {\"token\":\"y z\"} Authorization: Bearer abc",
        "{\"secret\":[\"abc\"], \"token\": 123456} user[password]=x token=Bearer abc123",
        PEM,
        JWT,
    ] {
        let once = masked(text);
        assert!(once.contains(MASKED) && once != text, "{once}");
        assert_eq!(masked(&once), once);
    }
}

#[test]
fn the_operators_patterns_are_masked_beside_and_without_the_well_known_ones() {
    let shapes = with(&["EMP-[0-9]{6}", "(?i)ticket \\d+"]);
    assert_eq!(shapes.mask("EMP-123456 and Ticket 77, EMP-12345"), "[masked] and [masked], EMP-12345");
    assert_eq!(shapes.mask("password=hunter2"), "password=hunter2");
    let both = Shapes::new(WellKnown::Masked, vec![Pattern::parse("EMP-[0-9]{6}").expect("a pattern")]);
    assert_eq!(both.mask("EMP-123456 password=EMP-123456,x"), "[masked] password=[masked],x");
    assert!(!shapes.is_secret("password", "hunter2", Bond::Assigned));
    assert_eq!(with(&["a."]).mask("äabcäaä"), "ä[masked]cä[masked]");
}

#[test]
fn a_pattern_that_finds_too_often_hides_the_rest() {
    let text = "a ".repeat(MATCHES_MAX + 10);
    let shown = with(&["a"]).mask(&text).into_owned();
    assert!(shown.ends_with(" [masked]") && shown.matches(MASKED).count() == MATCHES_MAX + 1, "{shown}");
}

#[test]
fn what_is_no_pattern_says_why() {
    let error = |text: &str| Pattern::parse(text).expect_err(text);
    assert_eq!(error("EMP-[0-9"), PatternError::Syntax("unclosed character class".to_owned()));
    assert_eq!(error("x*"), PatternError::Empty);
    assert_eq!(error("(.{1000}){1000}"), PatternError::Large);
    assert_eq!(error(&"x".repeat(PATTERN_BYTES_MAX + 1)), PatternError::Long);
    assert_eq!(Pattern::parse("a"), Pattern::parse("a"));
    assert_ne!(Pattern::parse("a"), Pattern::parse("b"));
}

#[test]
fn a_finding_is_masked_wherever_it_has_texts() {
    let token = drawn("ghp_", 36);
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let metric =
        |name: &str, labels: Vec<Label>| Metric { name: name.to_owned(), value: 1.0, kind: MetricKind::Gauge, unit: String::new(), labels };
    let report = Report {
        summary: format!("denied for {token}"),
        evidence: vec![Evidence { actual: "postgres://a:b@c".to_owned(), expected: JWT.to_owned(), ..Evidence::default() }],
        details: Some(format!("{{\"list\":[\"{token}\",{{\"apiKey\":\"k\",\"pin\":{{\"password\":12}}}}],\"n\":1.5,\"note\":\"x\\ny\"}}")),
        extras: vec![label("password", "two words"), label("secret", "orders-db-2"), label(&token, "x")],
        metrics: [
            metric("age", vec![label("secret", "orders-db-2")]),
            metric("age", vec![label("url", "http://a:b@c/")]),
            metric("age", vec![label("url", "http://a:d@c/")]),
            metric(&token, Vec::new()),
        ]
        .into(),
        ..Report::default()
    };
    let expected = Report {
        summary: "denied for [masked]".to_owned(),
        evidence: vec![Evidence { actual: "postgres://a:[masked]@c".to_owned(), expected: MASKED.to_owned(), ..Evidence::default() }],
        details: Some(r#"{"list":["[masked]",{"apiKey":"[masked]","pin":{"password":"[masked]"}}],"n":1.5,"note":"x\ny"}"#.to_owned()),
        extras: vec![label("password", MASKED), label("secret", "orders-db-2")],
        metrics: [metric("age", vec![label("secret", "orders-db-2")]), metric("age", vec![label("url", "http://a:[masked]@c/")])].into(),
        ..Report::default()
    };
    let shapes = Shapes::default();
    assert_eq!(mask_finding(&shapes, Finding::Report(report)), Finding::Report(expected.clone()));
    assert_eq!(mask_finding(&shapes, Finding::Report(expected.clone())), Finding::Report(expected));

    let failure = |kind: &str, message: &str| Finding::Failure(Failure { kind: kind.to_owned(), message: message.to_owned() });
    assert_eq!(mask_finding(&shapes, failure("denied", "password=hunter2")), failure("denied", "password=[masked]"));
    let missing = |message: &str| Finding::Ended(EndCause::PluginMissing { message: message.to_owned() });
    assert_eq!(mask_finding(&shapes, missing("it said token=abc")), missing("it said token=[masked]"));
}

#[test]
fn details_behind_escapes_are_looked_through_and_those_without_secrets_keep_their_spelling() {
    let kept = |details: &str| {
        let report = Report { details: Some(details.to_owned()), ..Report::default() };
        match mask_finding(&Shapes::default(), Finding::Report(report)) {
            Finding::Report(report) => report.details,
            other => panic!("expected a report: {other:?}"),
        }
    };
    assert_eq!(kept(r#"{"u":"http:\/\/a:b@c"}"#).as_deref(), Some(r#"{"u":"http://a:[masked]@c"}"#));
    assert_eq!(kept(r#"{"pass\u0077ord":"x1"}"#).as_deref(), Some(r#"{"password":"[masked]"}"#));
    for same in [r#"{"b":1, "a":"x\/y"}"#, r#"{"b":1, "a":2}"#] {
        assert_eq!(kept(same).as_deref(), Some(same));
    }
}

/// Each of them makes work pile up where a mark is looked at again and again. Without an end in sight the test would run for hours.
#[test]
fn a_text_of_nothing_but_marks_is_looked_through_once() {
    const BYTES: usize = 1 << 20;
    for part in
        ["eyJ", "token:", "token={{", "password=\"", "token: 'a ", "://a:b", "bearer ", "-----BEGIN ", "AKIA", "ghp_", "secret\\\\\\\""]
    {
        let text = part.repeat(BYTES / part.len());
        let once = masked(&text);
        assert!(once.len() <= text.len() * 3, "{part}");
    }
}
