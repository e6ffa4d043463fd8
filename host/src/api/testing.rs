//! A daemon without plugins for the tests of this module: the real router over a real store in memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, Request, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sickbay_core::{CheckState, Decision, Label, Metric, MetricKind, Reason, StateKind, Status, Timestamp};
use sickbay_store::{ResultRecord, Trigger};
use tempfile::TempDir;

use crate::live::{self, CheckMemory, CheckTable, Live, LiveCheck, Observed};
use crate::plugins::Registry;
use crate::slo::SloTable;
use crate::{alerting, clock, config};

const ADDRESS: &str = "127.0.0.1:9470";
/// One that other machines reach; nothing is bound to it.
const ADDRESS_BEYOND: &str = "192.0.2.1:9470";
/// The viewer's token of a host that is reached from beyond.
pub(crate) const TOKEN: &str = "a-token-of-a-test";
/// No test waits longer for what must come.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Host {
    pub(crate) live: Arc<Live>,
    router: Router,
    /// Of the configuration; removed with the host.
    pub(crate) folder: TempDir,
}

/// `api` (plugin `http`, with a configuration that must not get out) and `disk` (plugin `system`).
pub(crate) fn two_checks() -> String {
    r#"
[[check]]
name = "api"
plugin = "http"
kind = "http"
every = "10s"
config = { url = "http://localhost/", token = "hunter2" }
labels = { service = "api" }

[[check]]
name = "disk"
plugin = "system"
kind = "disk"
every = "10s"
"#
    .to_owned()
}

/// One more `[[check]]`.
pub(crate) fn check(name: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nplugin = \"http\"\nevery = \"10s\"\n")
}

/// The result of a run of `check` at `number` seconds, ok and not stored yet.
pub(crate) fn record(check: &str, number: u64) -> ResultRecord {
    ResultRecord {
        check: check.into(),
        scheduled_at: Timestamp(number * 1000),
        started_at: Timestamp(number * 1000 + 1),
        duration_us: 1_500,
        trigger: Trigger::Schedule,
        plugin: "http".into(),
        plugin_version: "0123456789ab".into(),
        status: Status::Ok,
        summary: "well".to_owned(),
        reason: Reason::Passed,
        decision: Decision::Unchanged,
        failure: None,
        evidence: Vec::new(),
        metrics: [Metric {
            name: "latency_seconds".to_owned(),
            value: 0.25,
            kind: MetricKind::Gauge,
            unit: "seconds".to_owned(),
            labels: vec![Label { name: "phase".to_owned(), value: "total".to_owned() }],
        }]
        .into(),
        details: None,
        state: CheckState {
            status: Status::Ok,
            hard_status: Status::Ok,
            kind: StateKind::Hard,
            since: Timestamp(1000),
            last_success_at: Some(Timestamp(number * 1000 + 1)),
            ..CheckState::default()
        },
        transition: None,
        plugin_state: None,
    }
}

pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).header("host", ADDRESS).body(Body::empty()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path)
}

pub(crate) fn post(path: &str, body: &str) -> Request<Body> {
    let (parts, _) = request("POST", path).into_parts();
    Request::from_parts(parts, Body::from(body.to_owned()))
}

pub(crate) fn with_token(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    request
}

impl Host {
    /// One that listens where other machines reach it, with one token.
    pub(crate) async fn start_beyond(checks: &str) -> Host {
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("[[token]]\nname = \"test\"\nrole = \"viewer\"\nhash = \"{hash}\"\n");
        let host = Host::start(&format!("{token}{checks}")).await;
        Host { router: super::router(host.live.clone(), ADDRESS_BEYOND.parse().unwrap()), ..host }
    }

    /// `checks` is the text of a configuration.
    pub(crate) async fn start(checks: &str) -> Host {
        Host::start_on("sqlite::memory:", checks).await
    }

    pub(crate) async fn start_on(store_url: &str, checks: &str) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sickbay.toml");
        std::fs::write(&path, format!("[store]\nurl = \"{store_url}\"\n{checks}")).unwrap();
        let config = Arc::new(config::load(&path).unwrap_or_else(|errors| panic!("{errors}")));
        let store = sickbay_store::open(&config.store.url, folder.path()).await.unwrap();
        let events = live::Events::new(0);
        let (alerts, queue, _writer) = alerting::start(&store, &config, Duration::from_millis(5), events.clone()).await.unwrap();
        let live = Arc::new(Live::new(store, queue, alerts, events, Arc::new(Registry::default()), config.clone(), clock::now()));
        let mut table = CheckTable::default();
        for spec in &config.checks {
            let check = LiveCheck::new(spec.clone(), config.limits_of(spec), Arc::new(CheckMemory::default()));
            table.by_name.insert(spec.name.clone(), Arc::new(check));
        }
        live.replace_checks(table);
        let slos = SloTable::read(&config, &SloTable::default(), &*live.store).await.unwrap();
        live.slos.store(Arc::new(slos));
        let address: SocketAddr = ADDRESS.parse().unwrap();
        Host { router: super::router(live.clone(), address), live, folder }
    }

    pub(crate) fn observe(&self, check: &str, change: impl FnOnce(&mut Observed)) {
        self.live.checks().get(check).unwrap().with(change);
    }

    /// Stores records in their order; what follows them has been told.
    pub(crate) async fn commit(&self, records: Vec<ResultRecord>) {
        for record in records {
            self.live.queue.push(Arc::new(record)).await;
        }
        self.live.queue.flush().await.unwrap();
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(WAIT_MAX, body.collect()).await.expect("the answer ends").unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Opens an event stream, past its first line.
    pub(crate) async fn events(&self, request: Request<Body>) -> Events {
        let response = self.respond(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Events { body: response.into_body().into_data_stream(), text: String::new() };
        assert_eq!(events.block().await, "retry: 2000");
        events
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let answer = TowerToHyperService::new(self.router.clone()).call(request);
        tokio::time::timeout(WAIT_MAX, answer).await.expect("an answer comes").unwrap()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// An event stream as a client reads it.
pub(crate) struct Events {
    body: BodyDataStream,
    text: String,
}

pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

impl Events {
    /// The next event; comments are passed over.
    pub(crate) async fn next(&mut self) -> Received {
        loop {
            let block = self.block().await;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
            if let (Some(name), Some(data)) = (field("event"), field("data")) {
                return Received { name, id: field("id").and_then(|id| id.parse().ok()), data: serde_json::from_str(&data).unwrap() };
            }
        }
    }

    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return block;
            }
            let bytes =
                tokio::time::timeout(WAIT_MAX, self.body.next()).await.expect("an event comes").expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
