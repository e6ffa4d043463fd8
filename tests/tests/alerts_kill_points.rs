//! Killed with SIGKILL at each point on the way of a transition from the check to the receiver: none is lost, and what is told twice has
//! one key.
//!
//! How: each point is seen from outside. What the program waits for there (the target of its check, its store, the receiver) is held by the
//! test until it is killed, so that it can be nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sickbay_tests::notifications::{told, webhook};
use sickbay_tests::receiver::{Receiver, Reply};
use sickbay_tests::{Sickbay, found, on_demand, until};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::Notify;

const KILLS: usize = 20;
/// With `SICKBAY_TEST_LONG=1`.
const KILLS_LONG: usize = 200;

/// Where a transition is when the program is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The plugin of the check runs: its target has the request and has not answered.
    Run,
    /// The run is judged, the incident is known, and the store has not taken either.
    Judged,
    /// The store has the result and the incident, and nobody was told.
    Committed,
    /// The store has the attempt, and the receiver has a connection of which it has read nothing.
    Claimed,
    /// The receiver has the notification and has not answered.
    SentNotAnswered,
    /// The receiver has said that it has the notification, and the store has not taken that.
    SentNotRecorded,
    /// An attempt has failed, and the next one waits for its time.
    ToBeTriedAgain,
    /// The next process has begun to listen, with all that is owed.
    Starting,
}

const POINTS: [Point; 8] = [
    Point::Run,
    Point::Judged,
    Point::Committed,
    Point::Claimed,
    Point::SentNotAnswered,
    Point::SentNotRecorded,
    Point::ToBeTriedAgain,
    Point::Starting,
];

/// One check of `target`, whose alerts `receiver` is told.
struct Scene {
    sickbay: Sickbay,
    target: Receiver,
    receiver: Receiver,
}

impl Scene {
    async fn start() -> Scene {
        let (target, receiver) = (Receiver::start([]).await, Receiver::start([]).await);
        let url = target.url("/health");
        let policy = "failures = 1\nsuccesses = 1\nflapping = false";
        let check = format!("config = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}\"] }}\n{policy}");
        let route = "[route]\nsinks = [\"oncall\"]\ngroup_by = [\"...\"]\ngroup_wait = \"1s\"\ngroup_interval = \"1s\"\n\n";
        let config = webhook("oncall", &receiver, "") + route + &on_demand("web", "http", "http", &check);
        Scene { sickbay: Sickbay::started(&config, &["http", "webhook"]).await, target, receiver }
    }

    /// Runs the check, which finds its target so.
    async fn transit(&self, answer: u16, status: &str) {
        self.target.script([Reply::Status(answer)]);
        let result = self.sickbay.run_now("web").await;
        assert_eq!(result["hard_status"], status, "{result}");
    }

    /// The same, by somebody who hears no answer.
    fn transit_unheard(&self, answer: Reply) {
        self.target.script([answer]);
        let client = self.sickbay.client();
        let request = format!("POST /api/v1/checks/web/run HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", client.address);
        tokio::spawn(async move { client.raw(request.as_bytes()).await });
    }

    /// Kills it on the way of a transition from ok to critical (`begins`), or back. Afterwards the store has the transition.
    async fn kill_at(&mut self, point: Point, begins: bool) {
        let (answer, status) = if begins { (500, "critical") } else { (200, "ok") };
        let requests = self.receiver.received().len();
        match point {
            Point::Run => {
                let runs = self.target.received().len();
                self.transit_unheard(Reply::Silence);
                self.target.has(runs + 1).await;
                self.kill_and_start().await;
                self.transit(answer, status).await;
            }
            Point::Judged => {
                let blocker = self.block_store().await;
                self.transit_unheard(Reply::Status(answer));
                let open = if begins { 1.0 } else { 0.0 };
                until("the incident is known", async || self.sickbay.metrics().await.sum("sickbay_incidents", &[]) == open).await;
                self.sickbay.kill();
                blocker.close().await.expect("the store is let go");
                self.sickbay.start().await;
                let before = if begins { "ok" } else { "critical" };
                assert_eq!(self.sickbay.check("web").await["hard_status"], before, "what was not stored never was");
                self.transit(answer, status).await;
            }
            Point::Committed => {
                self.transit(answer, status).await;
                self.kill_and_start().await;
            }
            Point::Claimed => {
                self.receiver.hold();
                self.transit(answer, status).await;
                until("it is connected", async || self.receiver.held() > 0).await;
                self.sickbay.kill();
                self.receiver.release();
                self.sickbay.start().await;
            }
            Point::SentNotAnswered => {
                self.receiver.script([Reply::Silence]);
                self.transit(answer, status).await;
                self.receiver.has(requests + 1).await;
                self.kill_and_start().await;
            }
            Point::SentNotRecorded => {
                let taken = Arc::new(Notify::new());
                self.receiver.script([Reply::When(Arc::clone(&taken))]);
                self.transit(answer, status).await;
                self.receiver.has(requests + 1).await;
                let before = self.delivered().await;
                let blocker = self.block_store().await;
                taken.notify_one();
                until("its answer is heard", async || self.delivered().await > before).await;
                self.sickbay.kill();
                blocker.close().await.expect("the store is let go");
                self.sickbay.start().await;
            }
            Point::ToBeTriedAgain => {
                self.receiver.script([Reply::Status(500)]);
                self.transit(answer, status).await;
                self.receiver.has(requests + 1).await;
                until("it waits for its time", async || self.newest_delivery().await["last_error"].is_string()).await;
                self.kill_and_start().await;
            }
            Point::Starting => {
                self.transit(answer, status).await;
                self.sickbay.kill();
                self.sickbay.start_listening().await;
                self.kill_and_start().await;
            }
        }
        assert_eq!(self.sickbay.check("web").await["hard_status"], status, "{point:?}");
    }

    async fn kill_and_start(&mut self) {
        self.sickbay.kill();
        self.sickbay.start().await;
    }

    /// Nobody else writes into the store until the connection is closed, or the process of the store waits in vain.
    async fn block_store(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.sickbay.path("sickbay.db"));
        let mut blocker = options.connect().await.expect("the store can be opened");
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut blocker).await.expect("the store can be blocked");
        blocker
    }

    /// By this process.
    async fn delivered(&self) -> f64 {
        self.sickbay.metrics().await.sum("sickbay_notifications_total", &[("sink", "oncall"), ("outcome", "delivered")])
    }

    async fn newest_delivery(&self) -> Value {
        self.sickbay.json("/api/v1/deliveries?sink=oncall&limit=1").await["items"][0].clone()
    }

    /// The id of the incident that is open.
    async fn incident(&self) -> Option<String> {
        self.sickbay.json("/api/v1/incidents").await["items"][0]["id"].as_str().map(str::to_owned)
    }

    async fn is_told(&self, incident: &str, status: &str) {
        let what = format!("{incident} is told {status}");
        until(&what, async || told(&self.receiver.received()).iter().any(|told| told.incident == incident && told.status == status)).await;
        until("nothing is on its way", async || self.sickbay.metrics().await.sum("sickbay_outbox_pending", &[]) == 0.0).await;
    }

    /// How often the status of the check changed, by what is stored.
    async fn transitions(&self) -> usize {
        self.sickbay.results("web").await.iter().filter(|result| !result["transition"].is_null()).count()
    }
}

#[tokio::test]
async fn wherever_it_is_killed_no_transition_is_lost_and_what_is_told_twice_has_one_key() {
    let kills = if std::env::var_os("SICKBAY_TEST_LONG").is_some_and(|value| value == "1") { KILLS_LONG } else { KILLS };
    let mut scene = Scene::start().await;
    scene.transit(200, "ok").await;
    let before = scene.transitions().await;
    let mut incidents = Vec::new();
    // Each point once on the way to a begin and once on the way to an end, and so on.
    for point in POINTS.into_iter().cycle().take(kills.div_ceil(2)) {
        scene.kill_at(point, true).await;
        let incident = found("an open incident", async || scene.incident().await).await;
        scene.is_told(&incident, "firing").await;
        scene.kill_at(point, false).await;
        scene.is_told(&incident, "resolved").await;
        assert_eq!(scene.incident().await, None, "{point:?}");
        incidents.push(incident);
    }
    assert_eq!(scene.transitions().await, before + 2 * incidents.len(), "each transition is stored once");
    assert_eq!(incidents.iter().collect::<BTreeSet<_>>().len(), incidents.len(), "each begin is an incident of its own");

    let received = scene.receiver.received();
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for message in &received {
        let body = bodies.entry(message.header("webhook-id").to_owned()).or_insert_with(|| message.text());
        assert_eq!(*body, message.text(), "the same key with other words");
    }
    let mut keys: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for told in told(&received) {
        keys.entry((told.incident, told.status)).or_default().insert(told.key);
    }
    assert_eq!(keys.len(), 2 * incidents.len(), "one begin and one end of each incident, and nothing else: {keys:#?}");
    for (told, keys) in &keys {
        assert_eq!(keys.len(), 1, "{told:?} was told with several keys: {keys:?}");
    }
    let stored = scene.sickbay.client().list("/api/v1/incidents?state=all", "cursor", 1_000).await;
    assert_eq!(stored.len(), incidents.len());
    for incident in &stored {
        assert_eq!(incident["resolution"], json!("Recovered"), "{incident}");
    }
}
