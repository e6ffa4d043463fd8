//! The kinds `http`, `net` and `dns`.

use sickbay_sdk::http::{Call, Header, HttpError, Response};
use sickbay_sdk::net::{NetError, Opened};
use sickbay_sdk::prelude::*;

use crate::told::{Lines, digest, optional, session, string, text, timings};

/// A longer body is told by its length and a digest.
const BODY_BYTES_TOLD_MAX: usize = 256;
const LINE_BYTES_MAX: u32 = 1024;
const BEHIND_TLS_BYTES: u32 = 4;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpConfig {
    /// Where to.
    urls: Vec<String>,
    #[serde(default = "get")]
    method: String,
    /// What is sent, as `text/plain`; nothing where it is empty.
    #[serde(default)]
    body: String,
    #[serde(default = "redirects_max")]
    #[schemars(range(min = 0, max = 10))]
    redirects_max: u8,
    /// 0: as many as there are unless told otherwise.
    #[serde(default)]
    body_bytes_max: u32,
    #[serde(default)]
    accept_untrusted: bool,
    /// In one call.
    #[serde(default)]
    together: bool,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

fn get() -> String {
    "GET".to_owned()
}

fn redirects_max() -> u8 {
    http::REDIRECTS_MAX_DEFAULT
}

pub(crate) struct Http;

impl Check for Http {
    const NAME: &'static str = "http";
    const SUMMARY: &'static str = "Tells what a web server answered";
    type Config = HttpConfig;

    fn example() -> Value {
        json!({ "urls": ["http://127.0.0.1:9470/livez"] })
    }

    fn metrics() -> Vec<MetricInfo> {
        phases()
    }

    fn run(request: &Request<HttpConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let calls: Vec<Call> = config.urls.iter().map(|url| call(config, url)).collect();
        let answers: Vec<Result<Response, HttpError>> =
            if config.together { http::send_many(&calls) } else { calls.iter().map(Call::send).collect() };
        let mut lines = Lines::default();
        let mut last = None;
        for answer in answers {
            match answer {
                Ok(response) => {
                    answered(&mut lines, &response);
                    last = Some(response.timings);
                }
                Err(error) => lines.failed(error.into(), config.tell_errors)?,
            }
        }
        Ok(timings(lines.report(), last.as_ref()))
    }
}

fn call(config: &HttpConfig, url: &str) -> Call {
    let mut call = http::call(&config.method, url).redirects_max(config.redirects_max);
    if !config.body.is_empty() {
        call = call.header("content-type", "text/plain").body(config.body.as_bytes());
    }
    if config.body_bytes_max > 0 {
        call = call.body_bytes_max(config.body_bytes_max);
    }
    if config.accept_untrusted { call.accept_untrusted() } else { call }
}

fn answered(lines: &mut Lines, response: &Response) {
    lines.push(format!("status {}", response.status));
    lines.push(format!("version {}", text(&response.version)));
    lines.push(format!("url {}", text(&response.url)));
    headers(lines, "header", &response.headers);
    lines.push(body(&response.body));
    lines.push(format!("truncated {}", response.truncated));
    for redirect in &response.redirects {
        lines.push(format!("redirect {} {}", redirect.status, text(&redirect.url)));
        headers(lines, "redirect-header", &redirect.headers);
    }
    lines.push(format!("peer {}", optional(response.peer.as_deref())));
    session(lines, response.tls.as_ref());
}

/// By name; those of one name in their order.
fn headers(lines: &mut Lines, word: &str, headers: &[Header]) {
    let mut headers: Vec<&Header> = headers.iter().collect();
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    for header in headers {
        lines.push(format!("{word} {} {}", text(&header.name), text(&header.value)));
    }
}

fn body(body: &[u8]) -> String {
    if body.len() <= BODY_BYTES_TOLD_MAX { format!("body {}", string(body)) } else { format!("body {} {}", body.len(), digest([body])) }
}

fn phases() -> Vec<MetricInfo> {
    vec![
        MetricInfo::gauge("dns_seconds", "seconds", "looking the name up"),
        MetricInfo::gauge("connect_seconds", "seconds", "opening the connection"),
        MetricInfo::gauge("tls_seconds", "seconds", "the TLS handshake"),
        MetricInfo::gauge("first_byte_seconds", "seconds", "from the request to the first byte of the answer"),
        MetricInfo::gauge("total_seconds", "seconds", "the whole exchange"),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetConfig {
    /// Where to connect.
    addresses: Vec<String>,
    /// From the first byte.
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    server_name: String,
    #[serde(default)]
    accept_untrusted: bool,
    /// What is sent, before a line is received; nothing where it is empty.
    #[serde(default)]
    say: String,
    /// TLS after that, and four bytes.
    #[serde(default)]
    start_tls: bool,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

pub(crate) struct Net;

impl Check for Net {
    const NAME: &'static str = "net";
    const SUMMARY: &'static str = "Tells of connections";
    type Config = NetConfig;

    fn example() -> Value {
        json!({ "addresses": ["127.0.0.1:9470"] })
    }

    fn metrics() -> Vec<MetricInfo> {
        phases()
    }

    fn run(request: &Request<NetConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let mut lines = Lines::default();
        let mut last = None;
        for address in &config.addresses {
            match talk(config, address, &mut lines) {
                Ok(opened) => last = Some(opened.timings),
                Err(error) => lines.failed(error.into(), config.tell_errors)?,
            }
        }
        Ok(timings(lines.report(), last.as_ref()))
    }
}

fn talk(config: &NetConfig, address: &str, lines: &mut Lines) -> Result<Opened, NetError> {
    let mut connect = if config.tls { net::tls(address) } else { net::tcp(address) };
    if !config.server_name.is_empty() {
        connect = connect.server_name(&config.server_name);
    }
    if config.accept_untrusted {
        connect = connect.accept_untrusted();
    }
    let connection = connect.open()?;
    let opened = connection.opened();
    lines.push(format!("peer {}", text(&opened.peer)));
    session(lines, opened.tls.as_ref());
    if !config.say.is_empty() {
        connection.send(config.say.as_bytes())?;
        let line = connection.receive_until(b"\n", LINE_BYTES_MAX)?;
        lines.push(format!("received {}", string(&line)));
    }
    if config.start_tls {
        session(lines, Some(&connection.start_tls()?));
        lines.push(format!("received {}", string(&connection.receive(BEHIND_TLS_BYTES)?)));
    }
    Ok(opened)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DnsConfig {
    /// What is looked up.
    names: Vec<String>,
    /// A, AAAA, CNAME, MX, TXT, SRV, NS, ...
    #[serde(default = "address_record")]
    record: String,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

fn address_record() -> String {
    "A".to_owned()
}

pub(crate) struct Dns;

impl Check for Dns {
    const NAME: &'static str = "dns";
    const SUMMARY: &'static str = "Tells what a name resolves to";
    type Config = DnsConfig;

    fn example() -> Value {
        json!({ "names": ["localhost"] })
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("elapsed_seconds", "seconds", "the last lookup")]
    }

    fn run(request: &Request<DnsConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let mut lines = Lines::default();
        let mut elapsed_us = None;
        for name in &config.names {
            match net::dns(name, &config.record) {
                Ok(answer) => {
                    answer.records.iter().for_each(|record| lines.push(format!("record {}", text(record))));
                    lines.push(format!("ttl {}", answer.ttl_seconds.map_or_else(|| "null".to_owned(), |seconds| seconds.to_string())));
                    elapsed_us = Some(answer.elapsed_us);
                }
                Err(error) => lines.failed(error.into(), config.tell_errors)?,
            }
        }
        let report = lines.report();
        Ok(match elapsed_us {
            Some(us) => report.metric("elapsed_seconds", http::seconds(us), "seconds"),
            None => report,
        })
    }
}
