//! Files, connections, requests and secrets.

use serde_json::Value;
use sickbay_sdk::files::{self, FileError};
use sickbay_sdk::http::{self, HttpError};
use sickbay_sdk::net::{self, NetError};
use sickbay_sdk::secrets::{self, SecretError};

use crate::{bytes, denied, milliseconds, shown, text};

const READ_BYTES: u64 = 100;

/// `{ path, offset, bytes_max }`
pub(crate) fn read(asked: &Value) -> String {
    let (offset, bytes_max) = (asked["offset"].as_u64().unwrap_or_default(), asked["bytes_max"].as_u64().unwrap_or(READ_BYTES));
    told_file(files::read(&text(&asked["path"]), offset, bytes_max as u32).map(|bytes| shown(&bytes)))
}

/// `{ path }`
pub(crate) fn list(asked: &Value) -> String {
    let listed = files::directory(&text(&asked["path"]), None);
    told_file(listed.map(|infos| infos.into_iter().map(|info| info.name).collect::<Vec<_>>().join(" ")))
}

/// `{ path }`
pub(crate) fn info(asked: &Value) -> String {
    told_file(files::info(&text(&asked["path"])).map(|info| format!("{} {} {}", info.kind, info.name, info.size_bytes)))
}

/// `{ path }`
pub(crate) fn create(asked: &Value) -> String {
    told_file(files::create_directory(&text(&asked["path"])).map(|()| String::new()))
}

/// `{ path }`
pub(crate) fn remove(asked: &Value) -> String {
    told_file(files::remove(&text(&asked["path"])).map(|()| String::new()))
}

/// `{ path, mode }`
pub(crate) fn set_mode(asked: &Value) -> String {
    let mode = asked["mode"].as_u64().unwrap_or_default() as u32;
    told_file(files::set_mode(&text(&asked["path"]), mode).map(|()| String::new()))
}

fn told_file(outcome: Result<String, FileError>) -> String {
    match outcome {
        Ok(found) => format!("ok: {found}"),
        Err(FileError::Denied(denial)) => denied(&denial),
        Err(FileError::Invalid(why)) => format!("invalid: {why}"),
        Err(FileError::Quota(why)) => format!("quota: {why}"),
        Err(FileError::NotFound(why)) => format!("not-found: {why}"),
        Err(FileError::Refused(why)) => format!("refused: {why}"),
        Err(FileError::Other(why)) => format!("other: {why}"),
    }
}

/// `{ address, send, timeout_ms }`: says it, and hears one line.
pub(crate) fn net(asked: &Value) -> String {
    let dialogue = || {
        let target = net::tcp(text(&asked["address"])).timeout_ms(milliseconds(&asked["timeout_ms"]).unwrap_or(5000));
        let connection = target.open()?;
        connection.send(&bytes(&asked["send"]))?;
        connection.receive_line()
    };
    match dialogue() {
        Ok(line) => format!("ok: {line}"),
        Err(NetError::Denied(denial)) => denied(&denial),
        Err(NetError::Invalid(why)) => format!("invalid: {why}"),
        Err(NetError::Quota(why)) => format!("quota: {why}"),
        Err(NetError::Dns(why)) => format!("dns: {why}"),
        Err(NetError::Refused(why)) => format!("refused: {why}"),
        Err(NetError::Connect(why)) => format!("connect: {why}"),
        Err(NetError::Tls(why)) => format!("tls: {why}"),
        Err(NetError::Timeout(why)) => format!("timeout: {why}"),
        Err(NetError::Closed(why)) => format!("closed: {why}"),
        Err(NetError::Other(why)) => format!("other: {why}"),
    }
}

/// `{ url, header, connect_to }`: the header goes as `authorization`; what comes is told with its header `x-echo`.
pub(crate) fn http(asked: &Value) -> String {
    let mut call = http::get(text(&asked["url"])).header("authorization", text(&asked["header"]));
    call.options.connect_to = asked["connect_to"].as_str().map(str::to_owned);
    match call.send() {
        Ok(response) => {
            let echoed = response.headers.iter().find(|header| header.name == "x-echo").map(|header| header.value.as_str());
            format!("ok {}: {} | {}", response.status, echoed.unwrap_or_default(), shown(&response.body))
        }
        Err(HttpError::Denied(denial)) => denied(&denial),
        Err(HttpError::Invalid(why)) => format!("invalid: {why}"),
        Err(HttpError::Quota(why)) => format!("quota: {why}"),
        Err(HttpError::Dns(why)) => format!("dns: {why}"),
        Err(HttpError::Refused(why)) => format!("refused: {why}"),
        Err(HttpError::Connect(why)) => format!("connect: {why}"),
        Err(HttpError::Tls(why)) => format!("tls: {why}"),
        Err(HttpError::Timeout(why)) => format!("timeout: {why}"),
        Err(HttpError::Protocol(why)) => format!("protocol: {why}"),
        Err(HttpError::Other(why)) => format!("other: {why}"),
    }
}

/// `{ name }`
pub(crate) fn inspect(asked: &Value) -> String {
    match secrets::inspect(&text(&asked["name"])) {
        Ok(info) => format!("ok: {} versions", info.versions),
        Err(SecretError::Denied(denial)) => denied(&denial),
        Err(SecretError::Invalid(why)) => format!("invalid: {why}"),
        Err(SecretError::Quota(why)) => format!("quota: {why}"),
        Err(SecretError::Other(why)) => format!("other: {why}"),
    }
}
