//! What goes out, and what is not let out.

use ::http::{HeaderName, HeaderValue, header};
use bytes::Bytes;
use url::{Host, Url};

use super::{draw, drawn, grant, placeholder};
use crate::failure::Failure;
use crate::net::Security;
use crate::secrets::{FilledRequest, Grant, Placeholders, Towards};

const ANYWHERE: &[&str] = &["https://api.example/*"];

fn everywhere() -> Vec<Grant> {
    vec![grant("a", ANYWHERE), grant("b", ANYWHERE)]
}

/// `<A>` and `<B>` stand for the placeholders.
fn with(placeholders: &Placeholders, text: &str) -> String {
    let text = text.replace("<A>", &placeholder(placeholders, 0));
    if placeholders.entries().len() > 1 { text.replace("<B>", &placeholder(placeholders, 1)) } else { text }
}

fn request(placeholders: &Placeholders, grants: &[Grant], url: &str, value: &str, body: &str) -> Result<Option<FilledRequest>, Failure> {
    let url = Url::parse(&with(placeholders, url)).expect("URL");
    let value = HeaderValue::from_str(&with(placeholders, value)).expect("a value");
    let headers = [(header::ACCEPT, HeaderValue::from_static("*/*")), (HeaderName::from_static("x-key"), value)];
    placeholders.fill_request(grants, "GET", &url, &headers, &Bytes::from(with(placeholders, body)))
}

fn filled(outcome: Result<Option<FilledRequest>, Failure>) -> FilledRequest {
    outcome.unwrap_or_else(|failure| panic!("{failure:?}")).expect("something to fill in")
}

fn why(outcome: Result<Option<FilledRequest>, Failure>) -> String {
    match outcome {
        Err(Failure::Invalid(message) | Failure::Host(message)) => message,
        Err(failure) => panic!("expected a refusal: {failure:?}"),
        Ok(_) => panic!("expected a refusal"),
    }
}

#[test]
fn secrets_are_filled_in_wherever_their_placeholder_stands() {
    let placeholders = drawn(&[("a", b"s3cr3t\xff!"), ("b", b"other value")]);
    let request = filled(request(
        &placeholders,
        &everywhere(),
        "https://api.example/x<A>/y?q=<B>&r=<A>#top",
        "k <A>",
        "{\"a\":\"<A>\",\"b\":\"<B>\"}",
    ));
    assert_eq!(request.target, "/xs3cr3t%FF%21/y?q=other%20value&r=s3cr3t%FF%21");
    assert_eq!(request.headers[0].1, "*/*");
    assert_eq!(request.headers[1].1.as_bytes(), b"k s3cr3t\xff!");
    assert!(request.headers[1].1.is_sensitive() && !format!("{:?}", request.headers).contains("s3cr3t"));
    assert_eq!(request.body, &b"{\"a\":\"s3cr3t\xff!\",\"b\":\"other value\"}"[..]);
}

#[test]
fn a_request_without_placeholders_is_left_as_it_is() {
    let placeholders = drawn(&[("a", b"s3cr3t")]);
    let foreign = placeholder(&drawn(&[("a", b"s3cr3t")]), 0);
    let url = format!("https://api.example/{foreign}");
    assert!(matches!(request(&placeholders, &[], &url, "{{secret:a}}", &foreign), Ok(None)), "what only looks like one is text");
    assert!(matches!(request(&placeholders, &[], "https://api.example/", "x", ""), Ok(None)));
    let url = Url::parse("https://api.example/").expect("URL");
    assert!(matches!(Placeholders::default().fill_request(&[], "GET", &url, &[], &Bytes::new()), Ok(None)));
}

#[test]
fn a_secret_is_not_filled_in_twice() {
    let mut placeholders = drawn(&[("a", b"s3cr3t")]);
    // The value of one is the text of another one's placeholder.
    let text = placeholder(&placeholders, 0);
    draw(&mut placeholders, "b", text.as_bytes());
    let request = filled(request(&placeholders, &everywhere(), "https://api.example/", "<B>", ""));
    assert_eq!(request.headers[1].1.as_bytes(), text.as_bytes());
}

#[test]
fn every_secret_of_a_request_must_be_granted_there() {
    let placeholders = drawn(&[("a", b"s3cr3t"), ("b", b"other")]);
    let nowhere: [Grant; 0] = [];
    let elsewhere = [grant("a", ANYWHERE), grant("b", &["https://other.example/*", "POST https://api.example/*"])];
    for (grants, url, value, body) in [
        (&nowhere[..], "https://api.example/<A>", "x", ""),
        (&nowhere[..], "https://api.example/", "<A>", ""),
        (&nowhere[..], "https://api.example/", "x", "<A>"),
        (&elsewhere[..], "https://api.example/", "<A>", "<B>"),
        (&elsewhere[..], "https://api.example/?<B>", "<A>", ""),
    ] {
        let Err(Failure::Denied(denial)) = request(&placeholders, grants, url, value, body) else { panic!("{url} {value} {body}") };
        let name = if grants.is_empty() { "a" } else { "b" };
        assert_eq!(denial.hint, format!(r#"secrets = [{{ name = "{name}", to = ["https://api.example/*"] }}]"#));
    }
    assert!(request(&placeholders, &elsewhere, "https://api.example/<A>", "<A>", "<A>").is_ok());
}

#[test]
fn a_secret_stays_within_its_component_of_a_url() {
    let placeholders = drawn(&[("a", b"x/y?z#w@v:80\\%2f&u=1\r\n")]);
    let request = filled(request(&placeholders, &everywhere(), "https://api.example/p/<A>/q?k=<A>", "x", ""));
    let encoded = "x%2Fy%3Fz%23w%40v%3A80%5C%252f%26u%3D1%0D%0A";
    assert_eq!(request.target, format!("/p/{encoded}/q?k={encoded}"));
}

#[test]
fn a_secret_is_no_part_of_where_a_request_goes() {
    let placeholders = drawn(&[("a", b"evil.example")]);
    for url in
        ["https://<A>/", "https://<A>.example/", "https://api.example.<A>:8443/", "https://<A>@api.example/", "https://u:<A>@api.example/"]
    {
        assert!(why(request(&placeholders, &everywhere(), url, "x", "")).contains("the host"), "{url}");
    }
}

#[test]
fn no_secret_makes_a_path_climb() {
    for (value, url) in [
        (&b"../admin"[..], "https://api.example/public/<A>"),
        (b"x/../admin", "https://api.example/public/<A>"),
        (b"x\\..\\admin", "https://api.example/public/<A>"),
        (b"./..", "https://api.example/public/<A>/admin"),
        (b"x/..;y", "https://api.example/public/<A>"),
    ] {
        let placeholders = drawn(&[("a", value)]);
        assert!(why(request(&placeholders, &everywhere(), url, "x", "")).contains("`a`"), "{url} with {}", value.escape_ascii());
    }
    let placeholders = drawn(&[("a", b"../admin")]);
    assert!(request(&placeholders, &everywhere(), "https://api.example/public?<A>", "<A>", "<A>").is_ok(), "elsewhere it is a text");
}

#[test]
fn a_secret_that_breaks_a_line_is_no_header() {
    for value in [&b"line\r\nx: y"[..], b"line\nnext", b"null\0byte", b"\x1b[2Jclear"] {
        let placeholders = drawn(&[("a", value)]);
        let why = why(request(&placeholders, &everywhere(), "https://api.example/", "<A>", ""));
        assert!(why.contains("the secret `a` has a line break"), "{why}");
        assert!(request(&placeholders, &everywhere(), "https://api.example/", "x", "<A>").is_ok(), "a body takes any bytes");
    }
}

#[test]
fn what_is_filled_in_stays_within_the_bounds() {
    let placeholders = drawn(&[("a", &[b'a'; 8 << 10])]);
    assert!(why(request(&placeholders, &everywhere(), "https://api.example/<A>", "x", "")).contains("URL"));
    assert!(why(request(&placeholders, &everywhere(), "https://api.example/", "<A><A><A><A>", "")).contains("headers"));
    assert!(why(request(&placeholders, &everywhere(), "https://api.example/", "x", &"<A>".repeat(129))).contains("body"));
    let request = filled(request(&placeholders, &everywhere(), "https://api.example/", "<A><A><A>", &"<A>".repeat(128)));
    assert_eq!(request.body.len(), 1 << 20);
    let placeholder_len = u64::try_from(placeholder(&placeholders, 0).len()).expect("short");
    assert_eq!(request.bytes_added, (3 + 128) * ((8 << 10) - placeholder_len));
}

#[test]
fn a_dialogue_is_filled_in_towards_its_peer_only() {
    let placeholders = drawn(&[("a", b"s3cr3t\0\xff")]);
    let host = Host::parse("mail.example").expect("a host");
    let granted = [grant("a", &["tls://mail.example:465"])];
    let send = |security, port, text: &str, bytes_max| {
        let towards = Towards::Host { security, host: &host, port };
        placeholders.fill_bytes(&granted, towards, with(&placeholders, text).into_bytes(), bytes_max)
    };
    assert_eq!(send(Security::Tls, 465, "AUTH <A>\r\n", 100).expect("granted"), &b"AUTH s3cr3t\0\xff\r\n"[..]);
    for (security, port) in [(Security::Plain, 465), (Security::Tls, 25)] {
        let Err(Failure::Denied(denial)) = send(security, port, "AUTH <A>\r\n", 100) else { panic!("{security:?} {port}") };
        assert_eq!(denial.hint, format!("secrets = [{{ name = \"a\", to = [\"{}://mail.example:{port}\"] }}]", security.scheme()));
        assert_eq!(send(security, port, "QUIT\r\n", 0).expect("nothing to fill in"), &b"QUIT\r\n"[..]);
    }
    assert!(matches!(send(Security::Tls, 465, "<A>", 7), Err(Failure::Host(_))));
}
