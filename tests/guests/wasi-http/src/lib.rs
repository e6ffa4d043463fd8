//! A check that sends one request over `wasi:http`, as a guest does that knows nothing of Sickbay's own interface for it.
//!
//! `config`: `url`; `method` (`GET` where nothing is written); `body_bytes = N` sends as many; `timeout_ms = N` is the request's own;
//! `naive = true` takes whatever goes wrong for the service's doing.

use serde_json::Value;
use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, Report};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;

/// What WASI takes at once.
const WRITTEN_BYTES_MAX: usize = 4096;
const READ_BYTES_MAX: u64 = 64 << 10;

pub struct WasiHttp;

impl PluginGuest for WasiHttp {
    fn describe() -> Descriptor {
        Descriptor {
            name: "wasi-http".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Sends a request over wasi:http".to_owned(),
            checks: vec![Kind {
                name: "fetch".to_owned(),
                summary: "Tells the status of the answer and how long its body is".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: Vec::new(),
                extras: Vec::new(),
            }],
            recoveries: Vec::new(),
            sinks: Vec::new(),
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl CheckGuest for WasiHttp {
    fn run(request: Request) -> Result<Report, Failure> {
        let config: Value = serde_json::from_str(&request.config).map_err(|error| failure("configuration", error.to_string()))?;
        let answer = send(&config).and_then(|response| Ok((response.status(), body_bytes(&response)?)));
        match answer {
            Ok((status, bytes)) => {
                let report = Report::ok(format!("HTTP {status}, {bytes} bytes"));
                Ok(if status < 400 { report } else { report.critical("content", format!("HTTP {status}")) })
            }
            Err(code) if config["naive"] == true => Ok(Report::ok("").critical("connection", format!("{code:?}"))),
            Err(code) => judged(&code),
        }
    }
}

fn send(config: &Value) -> Result<IncomingResponse, ErrorCode> {
    let unreadable = || ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = config["url"].as_str().and_then(|url| url.split_once("://")).ok_or_else(unreadable)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&method(config["method"].as_str().unwrap_or("GET"))).map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| unreadable())?;
    request.set_authority(Some(authority)).map_err(|()| unreadable())?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(|()| unreadable())?;
    let body = match config["body_bytes"].as_u64() {
        Some(bytes) => Some((request.body().map_err(|()| broken())?, bytes as usize)),
        None => None,
    };
    let future = handle(request, options(config))?;
    if let Some((body, bytes)) = body {
        write(body, bytes)?;
    }
    future.subscribe().block();
    future.get().and_then(Result::ok).ok_or_else(broken)?
}

/// The host has one bound for the whole exchange: both together.
fn options(config: &Value) -> Option<RequestOptions> {
    let half_ns = config["timeout_ms"].as_u64()? * 1_000_000 / 2;
    let options = RequestOptions::new();
    let set = options.set_connect_timeout(Some(half_ns)).and_then(|()| options.set_first_byte_timeout(Some(half_ns)));
    set.is_ok().then_some(options)
}

fn write(body: OutgoingBody, bytes: usize) -> Result<(), ErrorCode> {
    let stream = body.write().map_err(|()| broken())?;
    let chunk = [b'x'; WRITTEN_BYTES_MAX];
    let mut left = bytes;
    // Where the host takes no more, its answer says why.
    while left > 0 && stream.blocking_write_and_flush(&chunk[..left.min(WRITTEN_BYTES_MAX)]).is_ok() {
        left = left.saturating_sub(WRITTEN_BYTES_MAX);
    }
    // The body is not whole as long as its stream is open.
    drop(stream);
    OutgoingBody::finish(body, None)
}

fn body_bytes(response: &IncomingResponse) -> Result<usize, ErrorCode> {
    let body = response.consume().map_err(|()| broken())?;
    let stream = body.stream().map_err(|()| broken())?;
    let mut bytes = 0;
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(part) => bytes += part.len(),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(ErrorCode::HttpResponseIncomplete),
        }
    }
}

fn method(word: &str) -> Method {
    match word {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    }
}

fn broken() -> ErrorCode {
    ErrorCode::InternalError(Some("the host broke the rules of wasi:http".to_owned()))
}

/// What the service did is critical, what nobody granted or the host refused is a failure.
fn judged(code: &ErrorCode) -> Result<Report, Failure> {
    let told = format!("{code:?}");
    let kind = match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => return Err(failure("denied", told)),
        ErrorCode::InternalError(_) | ErrorCode::HttpRequestMethodInvalid | ErrorCode::HttpRequestUriInvalid => {
            return Err(failure("configuration", told));
        }
        ErrorCode::DnsError(_) => "dns",
        ErrorCode::ConnectionRefused => "refused",
        ErrorCode::TlsProtocolError => "tls",
        ErrorCode::HttpResponseTimeout => "timeout",
        ErrorCode::HttpProtocolError | ErrorCode::HttpResponseBodySize(_) | ErrorCode::HttpResponseIncomplete => "protocol",
        _ => "connection",
    };
    Ok(Report::ok("").critical(kind, told))
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.to_owned(), message, extras: Vec::new() }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(WasiHttp with_types_in sickbay_sdk::bindings);
