//! Redirects: each is a request of its own.

use super::*;

fn following(redirects_max: u8) -> Options {
    Options { redirects_max, ..options() }
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 4\r\n\r\nbody")
}

#[tokio::test]
async fn a_redirect_is_followed_and_told() {
    let mut server = Server::answering(&[&redirect(302, "/b"), OK]).await;
    let response = send(&mut lent(&[server.address]), get(server.url("/a")), following(5)).await.expect("an answer");
    assert_eq!((response.status, response.url), (200, server.url("/b")));
    let [passed] = &response.redirects[..] else { panic!("{:?}", response.redirects) };
    assert_eq!((passed.status, passed.url.clone()), (302, server.url("/a")));
    assert!(passed.headers.iter().any(|header| header.name == "location" && header.value == "/b"));
    assert!(server.heard().await.starts_with("GET /a "));
    assert!(server.heard().await.starts_with("GET /b "));
}

#[tokio::test]
async fn the_last_redirect_that_may_be_followed_leads_to_the_answer() {
    for (redirects_max, status, followed) in [(0, 301, 0), (1, 302, 1), (2, 200, 2)] {
        let server = Server::answering(&[&redirect(301, "/b"), &redirect(302, "/c"), OK]).await;
        let response = send(&mut lent(&[server.address]), get(server.url("/a")), following(redirects_max)).await.expect("an answer");
        assert_eq!((response.status, response.redirects.len()), (status, followed), "{redirects_max}");
    }
}

#[tokio::test]
async fn a_post_that_is_redirected_becomes_a_get_without_its_body() {
    let mut server = Server::answering(&[&redirect(303, "/b"), OK]).await;
    let headers = vec![header("content-type", "text/plain")];
    let request = Request { method: "POST".to_owned(), headers, body: Some(b"text".to_vec()), url: server.url("/a") };
    send(&mut lent(&[server.address]), request, following(1)).await.expect("an answer");
    server.heard().await;
    let second = server.heard().await;
    assert!(second.starts_with("GET /b ") && !second.contains("content-") && second.ends_with("\r\n\r\n"), "{second}");
}

#[tokio::test]
async fn credentials_stay_with_the_origin_that_they_were_meant_for() {
    let mut other = Server::answering(&[OK]).await;
    let mut server = Server::answering(&[&redirect(302, "/b"), &redirect(302, &other.url("/c"))]).await;
    let headers = vec![header("authorization", "Bearer secret"), header("cookie", "a=secret"), header("x-check", "yes")];
    let request = Request { headers, ..get(server.url("/a")) };
    send(&mut lent(&[server.address, other.address]), request, following(5)).await.expect("an answer");
    server.heard().await;
    let same_origin = server.heard().await;
    assert!(same_origin.contains("authorization: Bearer secret") && same_origin.contains("cookie: a=secret"), "{same_origin}");
    let crossed = other.heard().await;
    assert!(!crossed.contains("secret") && crossed.contains("x-check: yes"), "{crossed}");
}

#[tokio::test]
async fn a_redirect_to_a_denied_address_is_denied() {
    for location in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "https://SELF/",
        "http://evil.example/",
        "//evil.example/",
    ] {
        let server = Server::answering(&[&redirect(302, location)]).await;
        let mut lent = lent(&[server.address]);
        let outcome = send(&mut lent, get(server.url("/")), following(5)).await;
        let Err(HttpError::Denied(denial)) = outcome else { panic!("{location}: {outcome:?}") };
        assert!(denial.reason.starts_with("a redirect leads on"), "{}", denial.reason);
        assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::Redirect)], "{location}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_granted_name_is_held_against_the_addresses_too() {
    let server = Server::answering(&[&redirect(302, "http://169.254.169.254/")]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let grants = [format!("GET http://{}/*", server.address), "GET http://169.254.169.254/*".to_owned()];
    let mut lent = lent_with(&services, &grants, &Limits::default());
    let outcome = send(&mut lent, get(server.url("/")), following(5)).await;
    assert!(matches!(outcome, Err(HttpError::Denied(_))), "{outcome:?}");
    assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::Redirect)]);
}

#[tokio::test]
async fn a_redirect_that_the_run_may_not_send_is_not_followed() {
    let mut server = Server::answering(&[&redirect(307, "/b"), OK]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let limits = Limits { bytes_out: 1500, ..Limits::default() };
    let mut lent = lent_with(&services, &[format!("* http://{}/*", server.address)], &limits);
    let request = Request { method: "POST".to_owned(), body: Some(vec![b'x'; 1000]), ..get(server.url("/a")) };
    let outcome = send(&mut lent, request, following(5)).await;
    let Err(HttpError::Quota(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("`bytes_out` = 1500"), "{message}");
    assert!(server.heard().await.starts_with("POST /a "));
    // Had it been followed, its request would be heard before this one.
    assert!(send(&mut lent, get(server.url("/own")), following(0)).await.is_ok());
    assert!(server.heard().await.starts_with("GET /own "));
    assert_eq!(lent.exceeded().map(|(quota, _)| quota), Some(Quota::BytesOut));
    assert!(lent.finish().bytes_out <= 1500, "what was not sent is not counted");
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_the_servers_fault() {
    for location in ["http://[", "ftp://files.example/", "http://user@elsewhere.example/"] {
        let server = Server::answering(&[&redirect(302, location)]).await;
        let outcome = send(&mut lent(&[server.address]), get(server.url("/")), following(5)).await;
        assert!(matches!(outcome, Err(HttpError::Protocol(_))), "{location}: {outcome:?}");
    }
}
