//! Secrets in requests of `http`, against real sockets on 127.0.0.1.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sickbay_runtime::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{SECRET, drawn, grant, lent, placeholder, services};
use crate::contract::http::{Header, Host, HttpError, Options, Request, Response};
use crate::denial::{Capability, DenialReason};
use crate::{Grants, Lent};

/// What a server answers; `ECHO` stands for the whole request, `SECRET` for the secret.
const ECHO: &str = "HTTP/1.1 200 OK\r\nx-heard: SECRET\r\n\r\nECHO";

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// One answer to each connection in turn; tells what it was sent.
fn serve(listener: TcpListener, answers: &[&str]) -> mpsc::Receiver<String> {
    let (heard, requests) = mpsc::channel(answers.len().max(1));
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let request = read_request(&mut stream).await;
            let answer = answer.replace("SECRET", SECRET).replace("ECHO", &request);
            heard.send(request).await.expect("the test listens");
            // The client may have heard enough before all is written.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    requests
}

async fn server(answers: &[&str]) -> (SocketAddr, mpsc::Receiver<String>) {
    let (listener, address) = listen().await;
    (address, serve(listener, answers))
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// The header block, and as much body as it announces.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return text;
            }
        }
        let read = stream.read(&mut buffer).await.expect("readable");
        assert_ne!(read, 0, "the request ended early: {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).expect("UTF-8"));
    }
}

/// Every one of these servers is granted, and the secret `key` goes `to` where it says. The text is its placeholder.
fn run(servers: &[SocketAddr], to: &[String]) -> (Lent, String) {
    let placeholders = drawn(&[("key", SECRET.as_bytes())]);
    let drawn = placeholder(&placeholders, 0);
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let http = servers.iter().map(|address| format!("* http://{address}/*").parse().expect("grant")).collect();
    let grants = Grants { http, secrets: vec![grant("key", &to)], ..Grants::default() };
    (lent(&services(BTreeMap::new()), grants, &Limits::default()).with_secrets(placeholders), drawn)
}

fn request(method: &str, url: String, headers: &[(&str, &str)], body: Option<&str>) -> Request {
    let headers = headers.iter().map(|(name, value)| Header { name: (*name).to_owned(), value: (*value).to_owned() }).collect();
    Request { method: method.to_owned(), url, headers, body: body.map(|body| body.as_bytes().to_vec()) }
}

async fn send(lent: &mut Lent, request: Request, redirects_max: u8, body_bytes_max: u32) -> Result<Response, HttpError> {
    let options = Options {
        timeout_ms: None,
        redirects_max,
        body_bytes_max: Some(body_bytes_max),
        reuse: false,
        accept_untrusted: false,
        connect_to: None,
        extras: Vec::new(),
    };
    Host::send(lent, request, options).await.expect("no trap")
}

#[tokio::test]
async fn no_secret_goes_in_plain_to_what_is_dialled_in_place_of_the_host() {
    let (address, _requests) = server(&[ECHO]).await;
    let placeholders = drawn(&[("key", SECRET.as_bytes())]);
    let drawn = placeholder(&placeholders, 0);
    let http = vec!["GET http://api.example/*".parse().expect("grant")];
    let net = vec![format!("tcp://{address}").parse().expect("grant")];
    let grants = Grants { http, net, secrets: vec![grant("key", &["http://api.example/*"])], ..Grants::default() };
    let mut lent = lent(&services(BTreeMap::new()), grants, &Limits::default()).with_secrets(placeholders);
    let options = || Options {
        timeout_ms: None,
        redirects_max: 0,
        body_bytes_max: None,
        reuse: false,
        accept_untrusted: false,
        connect_to: Some(address.to_string()),
        extras: Vec::new(),
    };
    let asked = |key: &str| request("GET", "http://api.example/x".to_owned(), &[("x-key", key)], None);
    let outcome = Host::send(&mut lent, asked(&drawn), options()).await.expect("no trap");
    assert!(matches!(&outcome, Err(HttpError::Invalid(why)) if why.contains("no secret is sent in plain")), "{outcome:?}");
    let outcome = Host::send(&mut lent, asked("none"), options()).await.expect("no trap");
    assert!(outcome.is_ok(), "{outcome:?}");
}

fn all_of(response: &Response) -> String {
    format!("{response:?} {}", String::from_utf8_lossy(&response.body))
}

#[tokio::test]
async fn the_server_gets_the_secret_and_the_guest_its_placeholder() {
    let (address, mut requests) = server(&[ECHO]).await;
    let (mut lent, drawn) = run(&[address], &[format!("http://{address}/*")]);
    let url = format!("http://{address}/bot{drawn}/x?k={drawn}");
    let request = request("POST", url.clone(), &[("x-key", &format!("k {drawn}"))], Some(&format!("{{\"key\":\"{drawn}\"}}")));
    let response = send(&mut lent, request, 0, 1 << 16).await.expect("an answer");
    let heard = requests.recv().await.expect("a request");
    assert!(heard.starts_with("POST /botcorrect%20horse%2Fbattery/x?k=correct%20horse%2Fbattery HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("x-key: k {SECRET}\r\n")) && heard.ends_with(&format!("{{\"key\":\"{SECRET}\"}}")), "{heard}");
    assert!(!heard.contains("sbsecret-"), "{heard}");

    let body = String::from_utf8(response.body.clone()).expect("UTF-8");
    assert_eq!(body.matches(&drawn).count(), 4, "{body}");
    assert_eq!(response.headers.iter().map(|header| header.value.as_str()).collect::<Vec<_>>(), [&drawn]);
    assert_eq!(response.url, url);
    assert!(!all_of(&response).contains("battery"), "{}", all_of(&response));
    assert_eq!(lent.finish().host_calls, 1);
}

#[tokio::test]
async fn a_secret_goes_nowhere_but_where_it_is_granted() {
    // Nobody listens there, and nobody is asked.
    let (_, address) = listen().await;
    for to in [Vec::new(), vec![format!("https://{address}/*")], vec![format!("POST http://{address}/*")]] {
        let (mut lent, drawn) = run(&[address], &to);
        let outcome = send(&mut lent, request("GET", format!("http://{address}/"), &[("x-key", &drawn)], None), 0, 1 << 16).await;
        let Err(HttpError::Denied(denial)) = outcome else { panic!("{to:?}: {outcome:?}") };
        assert_eq!(denial.hint, format!(r#"secrets = [{{ name = "key", to = ["http://{address}/*"] }}]"#));
        assert_eq!(lent.finish().denials, [(Capability::Secrets, DenialReason::NotGranted)]);
    }
}

#[tokio::test]
async fn a_text_of_the_same_form_stays_text() {
    let (address, mut requests) = server(&["HTTP/1.1 200 OK\r\n\r\n"]).await;
    let (mut lent, _) = run(&[address], &[format!("http://{address}/*")]);
    let foreign = placeholder(&drawn(&[("key", SECRET.as_bytes())]), 0);
    let request = request("GET", format!("http://{address}/{foreign}"), &[("x-key", "{{secret:key}}")], None);
    send(&mut lent, request, 0, 1 << 16).await.expect("an answer");
    let heard = requests.recv().await.expect("a request");
    assert!(heard.contains(&foreign) && heard.contains("{{secret:key}}"), "{heard}");
}

#[tokio::test]
async fn a_redirect_within_the_origin_takes_the_secret_along() {
    let there = redirect(307, "/botcorrect%20horse%2Fbattery?k=correct+horse%2fbattery");
    let (address, mut requests) = server(&[&there, ECHO]).await;
    let (mut lent, drawn) = run(&[address], &[format!("http://{address}/*")]);
    let first = request("POST", format!("http://{address}/start"), &[("x-key", &drawn)], Some(&drawn));
    let response = send(&mut lent, first, 3, 1 << 16).await.expect("an answer");
    requests.recv().await.expect("the first");
    let heard = requests.recv().await.expect("the second");
    assert!(heard.starts_with("POST /botcorrect%20horse%2Fbattery?k=correct%20horse%2Fbattery "), "{heard}");
    assert!(heard.contains(&format!("x-key: {SECRET}\r\n")) && heard.ends_with(SECRET), "{heard}");
    assert_eq!(response.url, format!("http://{address}/bot{drawn}?k={drawn}"));
    assert!(!all_of(&response).contains("battery"), "{}", all_of(&response));
}

#[tokio::test]
async fn a_redirect_that_leaves_what_is_granted_to_the_secret_is_denied() {
    let (address, mut requests) = server(&[&redirect(302, "/elsewhere")]).await;
    let (mut lent, drawn) = run(&[address], &[format!("http://{address}/start")]);
    let outcome = send(&mut lent, request("GET", format!("http://{address}/start"), &[("x-key", &drawn)], None), 3, 1 << 16).await;
    requests.recv().await.expect("the first");
    assert!(matches!(outcome, Err(HttpError::Denied(_))), "{outcome:?}");
    assert_eq!(lent.finish().denials, [(Capability::Secrets, DenialReason::Redirect)]);
}

#[tokio::test]
async fn a_redirect_to_another_origin_leaves_the_secret_behind() {
    let (second, mut second_requests) = server(&[ECHO]).await;
    let there = redirect(302, &format!("http://{second}/x?k=correct%20horse%2Fbattery"));
    let (first, mut first_requests) = server(&[&there]).await;
    let (mut lent, drawn) = run(&[first, second], &[format!("http://{first}/*"), format!("http://{second}/*")]);
    let request = request("POST", format!("http://{first}/"), &[("x-key", &drawn), ("x-plain", "plain")], Some(&drawn));
    let response = send(&mut lent, request, 3, 1 << 16).await.expect("an answer");
    assert!(first_requests.recv().await.expect("the first").contains(SECRET));
    let heard = second_requests.recv().await.expect("the second");
    assert!(heard.starts_with(&format!("GET /x?k={drawn} ")) && heard.contains("x-plain: plain\r\n"), "{heard}");
    assert!(!heard.contains("battery") && !heard.contains("x-key"), "{heard}");
    assert!(!all_of(&response).contains("battery"), "{}", all_of(&response));
}

#[tokio::test]
async fn a_redirect_back_does_not_bring_the_secret_back() {
    let ((first_listener, first), (second_listener, second)) = (listen().await, listen().await);
    let there = redirect(302, &format!("http://{second}/"));
    let back = redirect(302, &format!("http://{first}/back?k=correct%20horse%2Fbattery"));
    let mut first_requests = serve(first_listener, &[&there, ECHO]);
    let mut second_requests = serve(second_listener, &[&back]);
    let (mut lent, drawn) = run(&[first, second], &[format!("http://{first}/*"), format!("http://{second}/*")]);
    let request = request("GET", format!("http://{first}/"), &[("x-key", &drawn)], None);
    let response = send(&mut lent, request, 3, 1 << 16).await.expect("an answer");
    assert!(first_requests.recv().await.expect("the first").contains(SECRET));
    assert!(!second_requests.recv().await.expect("the second").contains("battery"));
    let heard = first_requests.recv().await.expect("the third");
    assert!(heard.starts_with(&format!("GET /back?k={drawn} ")) && !heard.contains("battery") && !heard.contains("x-key"), "{heard}");
    assert!(!all_of(&response).contains("battery"), "{}", all_of(&response));
}

#[tokio::test]
async fn a_body_with_a_secret_does_not_cross_to_another_origin() {
    let (_, second) = listen().await;
    let there = redirect(307, &format!("http://{second}/"));
    let (first, mut first_requests) = server(&[&there]).await;
    let (mut lent, drawn) = run(&[first, second], &[format!("http://{first}/*"), format!("http://{second}/*")]);
    let outcome = send(&mut lent, request("POST", format!("http://{first}/"), &[], Some(&drawn)), 3, 1 << 16).await;
    first_requests.recv().await.expect("the first");
    assert!(matches!(outcome, Err(HttpError::Denied(_))), "{outcome:?}");
    assert_eq!(lent.finish().denials, [(Capability::Secrets, DenialReason::Redirect)]);
}

#[tokio::test]
async fn a_body_that_is_cut_amid_a_secret_shows_none_of_it() {
    for (body_bytes_max, shown) in [(21, "key: "), (11, "key: "), (8, "key: cor")] {
        let (address, mut requests) = server(&["HTTP/1.1 200 OK\r\n\r\nkey: SECRET and more"]).await;
        let (mut lent, drawn) = run(&[address], &[format!("http://{address}/*")]);
        let response =
            send(&mut lent, request("GET", format!("http://{address}/"), &[], None), 0, body_bytes_max).await.expect("an answer");
        requests.recv().await.expect("a request");
        let body = String::from_utf8(response.body).expect("UTF-8");
        // As much of the placeholder as there is room for.
        let rest = body.strip_prefix(shown).unwrap_or_else(|| panic!("{body}"));
        assert!(response.truncated && drawn.starts_with(rest), "{body}");
        assert!(body.len() <= usize::try_from(body_bytes_max).expect("small"), "{body}");
    }
}

#[tokio::test]
async fn what_is_filled_in_counts_against_the_run() {
    let (_, address) = listen().await;
    let placeholders = drawn(&[("key", &[b'k'; 8000])]);
    let drawn = placeholder(&placeholders, 0);
    let grants = Grants {
        http: vec![format!("* http://{address}/*").parse().expect("grant")],
        secrets: vec![grant("key", &[&format!("http://{address}/*")])],
        ..Grants::default()
    };
    let limits = Limits { bytes_out: 4000, ..Limits::default() };
    let mut lent = lent(&services(BTreeMap::new()), grants, &limits).with_secrets(placeholders);
    let outcome = send(&mut lent, request("GET", format!("http://{address}/"), &[("x-key", &drawn)], None), 0, 1 << 16).await;
    assert!(matches!(outcome, Err(HttpError::Quota(_))), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_that_came_and_waits_for_a_thread_of_ours_is_no_timeout_of_the_server() {
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    let (address, mut requests) = server(&[&long]).await;
    let (mut lent, _) = run(&[address], &[format!("http://{address}/*")]);
    let _taken = lent.services.masking.all_taken().await;
    lent.scope.deadline = Instant::now() + Duration::from_secs(2);
    let outcome = send(&mut lent, request("GET", format!("http://{address}/"), &[], None), 0, 1 << 20).await;
    requests.recv().await.expect("a request");
    assert!(matches!(&outcome, Err(HttpError::Invalid(why)) if why.contains("a thread of Sickbay itself; hint:")), "{outcome:?}");
}
