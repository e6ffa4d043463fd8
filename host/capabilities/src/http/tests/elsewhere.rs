//! `connect-to`: what is dialled in place of the URL's host has a grant of its own, and the URL one too.

use tokio::net::UnixListener;

use super::*;

const URL: &str = "http://api.example/health";
const HTTP: &str = "GET http://api.example/health";

fn lent_to(http: &[&str], net: &[String]) -> Lent {
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let http = http.iter().map(|grant| grant.parse().expect("grant")).collect();
    let net = net.iter().map(|grant| grant.parse().expect("grant")).collect();
    let scope = RunScope {
        check: "api".into(),
        plugin: "http".into(),
        run_id: 1,
        deadline: Instant::now() + Duration::from_secs(30),
        state: Arc::new(BTreeMap::new()),
    };
    Lent::new(&services, &Arc::new(Grants { http, net, ..Grants::default() }), &Limits::default(), scope)
}

fn dialling(place: impl ToString) -> Options {
    Options { connect_to: Some(place.to_string()), redirects_max: 5, ..options() }
}

#[tokio::test]
async fn what_is_dialled_is_told_the_host_of_the_url() {
    let mut server = Server::answering(&[OK]).await;
    let mut lent = lent_to(&[HTTP], &[format!("tcp://{}", server.address)]);
    let response = send(&mut lent, get(URL), dialling(server.address)).await.expect("granted");
    assert_eq!((response.status, response.url.as_str(), response.peer), (200, URL, Some(server.address.to_string())));
    let heard = server.heard().await;
    assert!(heard.starts_with("GET /health HTTP/1.1\r\n") && heard.contains("host: api.example\r\n"), "{heard}");
}

#[tokio::test]
async fn neither_grant_stands_for_the_other_and_the_line_to_add_is_told() {
    let (_listener, address) = listen().await;
    let tcp = format!("tcp://{address}");
    let metadata = "169.254.169.254:80";
    let not_granted = DenialReason::NotGranted;
    for (http, net, url, place, capability, reason, hint) in [
        (&[HTTP][..], vec![], URL, address.to_string(), Capability::Net, not_granted, format!("net = [\"{tcp}\"]")),
        (
            &[HTTP][..],
            vec![format!("tls://{address}")],
            URL,
            address.to_string(),
            Capability::Net,
            not_granted,
            format!("net = [\"{tcp}\"]"),
        ),
        (&[][..], vec![tcp.clone()], URL, address.to_string(), Capability::Http, not_granted, format!("http = [\"{HTTP}\"]")),
        (
            &["GET https://api.example/"][..],
            vec![tcp.clone()],
            "https://api.example/",
            address.to_string(),
            Capability::Net,
            not_granted,
            format!("net = [\"tls://{address}\"]"),
        ),
        (
            &[HTTP][..],
            vec![format!("tcp://{metadata}")],
            URL,
            metadata.to_owned(),
            Capability::Net,
            DenialReason::ForbiddenAddress,
            "no line of the configuration opens it; name the service by its public or private address".to_owned(),
        ),
    ] {
        let mut lent = lent_to(http, &net);
        let outcome = send(&mut lent, get(url), dialling(&place)).await;
        let Err(HttpError::Denied(denial)) = outcome else { panic!("{http:?} {net:?}: {outcome:?}") };
        assert_eq!(denial.hint, hint);
        assert_eq!(lent.finish().denials, [(capability, reason)], "{hint}");
    }
}

#[tokio::test]
async fn a_unix_socket_is_spoken_to_by_its_path_and_where_its_links_lead() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().canonicalize().expect("a folder");
    let path = |name: &str| format!("{}/{name}", folder.display());
    let listener = UnixListener::bind(path("service.sock")).expect("a socket");
    std::os::unix::fs::symlink(path("service.sock"), path("link.sock")).expect("a link");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let request = read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.expect("it listens");
        request
    });
    let mut lent = lent_to(&[HTTP], &[format!("unix://{}", path("link.sock"))]);
    let outcome = send(&mut lent, get(URL), dialling(format!("unix:{}", path("link.sock")))).await;
    let Err(HttpError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(denial.hint, format!("net = [\"unix://{}\"]", path("service.sock")));
    let mut lent = lent_to(&[HTTP], &[format!("unix://{}", path("*.sock"))]);
    let response = send(&mut lent, get(URL), dialling(format!("unix:{}", path("link.sock")))).await.expect("granted");
    assert_eq!((response.status, response.peer, response.timings.dns_us), (200, None, None));
    assert!(served.await.expect("served").contains("host: api.example\r\n"));
}

#[tokio::test]
async fn a_redirect_stays_there_within_its_origin_and_leaves_it_beyond() {
    let mut beyond = Server::answering(&[OK]).await;
    let to = |location: &str| format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let mut server = Server::answering(&[&to("/next"), &to(&beyond.url("/after"))]).await;
    let other = format!("GET {}", beyond.url("/after"));
    let mut lent = lent_to(&["GET http://api.example/*", &other], &[format!("tcp://{}", server.address)]);
    let response = send(&mut lent, get(URL), dialling(server.address)).await.expect("granted");
    assert_eq!((response.status, response.redirects.len(), response.peer), (200, 2, Some(beyond.address.to_string())));
    assert!(server.heard().await.starts_with("GET /health "));
    assert!(server.heard().await.starts_with("GET /next "));
    assert!(beyond.heard().await.starts_with("GET /after "));
}
