//! `/api/v1/deliveries`: the notifications that are on their way, and those that were; a person has one sent again that ended.
//!
//! Limits: of one that is sent again, the ends of [`ALERTS_MAX`] incidents that nobody was owed a word about any more.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use sickbay_core::alerting::{ALERTS_MAX, Cause, Delivery, DeliveryId, Fact, Hold, Incident, IncidentId, Phase};
use sickbay_store::{Document, Kind};
use utoipa::ToSchema;

use super::Api;
use super::checks::limit;
use super::documents::{self, Cursor, Wanted};
use super::model::{DeliveryItem, Page, STATE_NAMES, state_name};
use super::parameters::{Named, Parameters, invalid};
use super::problem::{Problem, ProblemKind, quoted};
use super::tokens::Admitted;
use super::told;
use crate::alerting::rows;
use crate::live::Live;
use crate::masks::Masks;

const HINT: &str = "send nothing, or for example {\"by\": \"anna\"}";

/// Which deliveries are asked for; all conditions hold together.
struct Filter {
    sink: Option<String>,
    incident: Option<IncidentId>,
    state: Option<&'static str>,
}

impl Filter {
    fn read(parameters: &Parameters) -> Result<Filter, Problem> {
        let incident = |text: &str| {
            text.parse::<IncidentId>()
                .map_err(|_| invalid(format!("`incident` is {}", quoted(text))).hint("write the id of an incident as the API gives it"))
        };
        Ok(Filter {
            sink: parameters.text("sink")?.map(str::to_owned),
            incident: parameters.text("incident")?.map(incident).transpose()?,
            state: parameters.text("state")?.map(state).transpose()?,
        })
    }

    fn wants(&self, delivery: &Delivery) -> bool {
        self.state.is_none_or(|state| state == state_name(&delivery.state))
            && self.incident.is_none_or(|incident| delivery.covers.iter().any(|cover| cover.incident == incident))
    }
}

fn state(text: &str) -> Result<&'static str, Problem> {
    let known = || format!("known are {}", STATE_NAMES.join(", "));
    let found = STATE_NAMES.into_iter().find(|name| *name == text);
    found.ok_or_else(|| invalid(format!("`state` is {}", quoted(text))).hint(known()))
}

/// Deliveries, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    tag = "alerts",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
        ("sink" = Option<String>, Query, description = "Only those to one sink"),
        ("incident" = Option<String>, Query, description = "Only those about one incident"),
        ("state" = Option<String>, Query, description = "pending, attempting, delivered, refused, expired or abandoned"),
    ),
    responses(
        (status = 200, description = "A part of the list; it may be shorter than asked for and have a `next`", body = Page<DeliveryItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_deliveries(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<DeliveryItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "sink", "incident", "state"])?;
    let filter = Filter::read(&parameters)?;
    let behind = parameters.text("cursor")?.map(Cursor::read).transpose()?;
    let wanted = Wanted { kind: Kind::Delivery, parent: filter.sink.as_deref(), behind, since: None, limit: limit(&parameters)? };
    let item = |document: &Document| {
        let delivery = rows::parse::<Delivery>(document).filter(|delivery| filter.wants(delivery))?;
        Some(DeliveryItem::of(&delivery, hold_of(&api.live, &delivery)))
    };
    Ok(Json(documents::part(&*api.live.store, wanted, item).await?))
}

/// Why its sink is left alone, where it is on its way.
fn hold_of(live: &Live, delivery: &Delivery) -> Option<Hold> {
    if delivery.is_finished() {
        return None;
    }
    live.alerts.read(|alerting| alerting.hold_of(&delivery.sink))
}

/// Who has it sent again; may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resend {
    /// Who; where a token is asked for, it says who.
    by: Option<String>,
}

/// Has a delivery sent again that was delivered, refused or given up, as another one with a key of its own. It tells how things stand now.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/resend",
    tag = "alerts",
    params(("id" = String, Path, description = "The delivery's id")),
    request_body(content = Resend, content_type = "application/json", description = "May be empty"),
    responses(
        (status = 201, description = "The delivery that says it again", body = DeliveryItem),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No delivery has this id", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is under way, or there is nothing to send again", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resend_delivery(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<(StatusCode, Json<DeliveryItem>), Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let asked: Resend = told::read(&body, HINT, &masks)?;
    let by = told::who(admitted.as_ref(), asked.by, &masks)?;
    let delivery = ended(&api.live, &name).await?;
    let _alone = api.live.alerts.alone_with_settled().await;
    let settled = settled(&api.live, &delivery).await?;
    let id = delivery.id;
    let changes = api.live.alerts.tell(Fact::Resend { delivery: Box::new(delivery), settled, by }).await.map_err(told::not_stored)?;
    let made = changes.deliveries.iter().find(|made| made.cause == Cause::Resent { of: id } && !made.is_finished());
    let made = made.ok_or_else(|| {
        Problem::new(ProblemKind::DeliveryOver, changes.refusals.join("; "))
            .hint("what is on its way is at /api/v1/deliveries?state=pending, and why who is told at /api/v1/incidents/{id}")
    })?;
    Ok((StatusCode::CREATED, Json(DeliveryItem::of(made, hold_of(&api.live, made)))))
}

/// One that is not under way any more.
async fn ended(live: &Live, name: &str) -> Result<Delivery, Problem> {
    let unknown = || {
        Problem::new(ProblemKind::DeliveryUnknown, format!("no delivery has the id {}", quoted(name)))
            .hint("they are at /api/v1/deliveries; retention removes those that ended")
    };
    let id: DeliveryId = name.parse().map_err(|_| unknown())?;
    let under_way = || {
        Problem::new(ProblemKind::DeliveryUnderWay, format!("the delivery {id} is under way"))
            .hint("it is tried again by itself; /api/v1/deliveries says when, and why not now")
    };
    if live.alerts.read(|alerting| alerting.delivery(id).is_some()) {
        return Err(under_way());
    }
    let document = live.store.document(Kind::Delivery, &id.to_string()).await.map_err(Problem::store)?;
    let delivery: Delivery = document.as_ref().and_then(rows::parse).ok_or_else(unknown)?;
    if delivery.is_finished() { Ok(delivery) } else { Err(under_way()) }
}

/// The incidents whose end it told and that nobody is owed a word about any more.
async fn settled(live: &Live, delivery: &Delivery) -> Result<Vec<Incident>, Problem> {
    let ends = delivery.covers.iter().filter(|cover| cover.phase == Phase::Resolved).map(|cover| cover.incident).take(ALERTS_MAX);
    let mut settled = Vec::new();
    for id in ends {
        if live.alerts.read(|alerting| alerting.incident(id).is_none()) {
            let document = live.store.document(Kind::Incident, &id.to_string()).await.map_err(Problem::store)?;
            settled.extend(document.as_ref().and_then(rows::parse::<Incident>));
        }
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sickbay_core::alerting::{Fact, IncidentId, LabelSet, Outcome, PostedAlert};

    use crate::alerting::Alerts;
    use crate::api::testing::{Host, get, post};
    use crate::clock;

    const SINKS: &str = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[[sink]]\nname = \"chat\"\nplugin = \"webhook\"\n\
                         [route]\nsinks = [\"oncall\", \"chat\"]\ngroup_wait = \"0s\"\n";

    #[tokio::test]
    async fn deliveries_are_listed_by_sink_incident_and_state() {
        let host = Host::start(SINKS).await;
        let incident = post_disk(&host.live.alerts).await;
        let all = host.ask(get("/api/v1/deliveries")).await.json();
        assert_eq!((all["items"].as_array().map(Vec::len), &all["next"]), (Some(2), &Value::Null));
        let one = host.ask(get("/api/v1/deliveries?sink=chat")).await.json()["items"][0].clone();
        assert_eq!((&one["sink"], &one["state"], &one["cause"]), (&json!("chat"), &json!("pending"), &json!("opened")));
        assert_eq!((&one["incidents"], &one["attempts"]), (&json!([incident.to_string()]), &json!(0)));
        for (query, count) in [
            (format!("incident={incident}&state=pending"), 2),
            ("state=delivered".to_owned(), 0),
            ("sink=absent".to_owned(), 0),
            ("incident=01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), 0),
        ] {
            let page = host.ask(get(&format!("/api/v1/deliveries?{query}"))).await.json();
            assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{query}");
        }
        for query in ["state=open", "incident=1", "cursor=x"] {
            assert_eq!(host.ask(get(&format!("/api/v1/deliveries?{query}"))).await.status, 400, "{query}");
        }
    }

    /// Somebody posts an alert, and it is to be told.
    async fn post_disk(alerts: &Alerts) -> IncidentId {
        let posted = PostedAlert {
            labels: LabelSet::new([("alertname", "disk")]).unwrap(),
            annotations: [].into(),
            starts_at: None,
            ends_at: None,
            generator_url: None,
        };
        let changes = alerts.tell(Fact::Posted { alerts: vec![posted] }).await.unwrap();
        alerts.tell(Fact::Tick).await.unwrap();
        changes.incidents[0].id
    }

    #[tokio::test]
    async fn what_a_sink_refused_is_sent_again_as_another_delivery() {
        let host = Host::start("[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[route]\ngroup_wait = \"0s\"\n").await;
        let alerts = &host.live.alerts;
        post_disk(alerts).await;
        let delivery = alerts.read(|alerting| alerting.due_deliveries(clock::now()).next()).expect("it is to be told");
        let path = format!("/api/v1/deliveries/{delivery}/resend");
        let early = host.ask(post(&path, "")).await;
        assert_eq!((early.status, early.json()["type"].clone()), (409, json!("urn:sickbay:problem:delivery-under-way")));
        alerts.tell(Fact::Attempting { delivery }).await.unwrap();
        let outcome = Outcome::Refused { error: "no such channel".to_owned() };
        alerts.tell(Fact::DeliveryEnded { delivery, attempt: 1, outcome }).await.unwrap();

        let again = host.ask(post(&path, r#"{"by": "anna"}"#)).await;
        assert_eq!(again.status, 201, "{}", again.json());
        let again = again.json();
        assert_eq!(
            (&again["cause"], &again["resent_of"], &again["state"]),
            (&json!("resent"), &json!(delivery.to_string()), &json!("pending"))
        );
        assert_ne!(again["id"], json!(delivery.to_string()));
        let twice = host.ask(post(&path, "")).await;
        assert_eq!((twice.status, twice.json()["type"].clone()), (409, json!("urn:sickbay:problem:delivery-over")));
        let incident = host.ask(get(&format!("/api/v1/incidents/{}", again["incidents"][0].as_str().unwrap()))).await.json();
        let texts: Vec<&str> = incident["timeline"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
        assert!(texts.contains(&"anna had it sent to `oncall` again"), "{texts:?}");
        assert_eq!(host.ask(post(&path, "{\"who\": 1}")).await.status, 400);
    }

    #[tokio::test]
    async fn a_delivery_says_why_its_sink_is_left_alone() {
        let host = Host::start(SINKS).await;
        let alerts = &host.live.alerts;
        post_disk(alerts).await;
        let delivery = alerts.read(|alerting| alerting.deliveries().find(|delivery| &*delivery.sink == "chat").map(|delivery| delivery.id));
        let delivery = delivery.expect("it is to be told");
        alerts.tell(Fact::Attempting { delivery }).await.unwrap();
        let after = Some(std::time::Duration::from_secs(600));
        let outcome = Outcome::Retryable { error: "HTTP 429".to_owned(), after };
        alerts.tell(Fact::DeliveryEnded { delivery, attempt: 1, outcome }).await.unwrap();
        let held = host.ask(get("/api/v1/deliveries?sink=chat")).await.json()["items"][0].clone();
        assert_eq!((held["held_until"].is_string(), &held["held_because"]), (true, &json!("it asked for time")));
        let free = host.ask(get("/api/v1/deliveries?sink=oncall")).await.json()["items"][0].clone();
        assert_eq!((&free["held_until"], &free["held_because"]), (&Value::Null, &Value::Null));
        alerts.plugin_serves("webhook");
        alerts.tell(Fact::Tick).await.unwrap();
        let mended = host.ask(get("/api/v1/deliveries?sink=chat")).await.json()["items"][0].clone();
        assert_eq!(mended["held_until"], Value::Null);
    }
}
