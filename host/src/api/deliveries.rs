//! `/api/v1/deliveries`: the notifications that are on their way, and those that were.

use axum::Json;
use axum::extract::{RawQuery, State};
use sickbay_core::alerting::{Delivery, IncidentId};
use sickbay_store::{Document, Kind};

use super::Api;
use super::checks::limit;
use super::documents::{self, Cursor, Wanted};
use super::model::{DeliveryItem, Page, STATE_NAMES, state_name};
use super::parameters::{Parameters, invalid};
use super::problem::{Problem, quoted};
use crate::alerting::rows;

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
    let wanted = Wanted { kind: Kind::Delivery, parent: filter.sink.as_deref(), behind, limit: limit(&parameters)? };
    let item =
        |document: &Document| rows::parse::<Delivery>(document).filter(|delivery| filter.wants(delivery)).as_ref().map(DeliveryItem::from);
    Ok(Json(documents::part(&*api.live.store, wanted, item).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sickbay_core::alerting::{Fact, LabelSet, PostedAlert};

    use crate::api::testing::{Host, get};

    const SINKS: &str = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[[sink]]\nname = \"chat\"\nplugin = \"webhook\"\n\
                         [route]\nsinks = [\"oncall\", \"chat\"]\ngroup_wait = \"0s\"\n";

    #[tokio::test]
    async fn deliveries_are_listed_by_sink_incident_and_state() {
        let host = Host::start(SINKS).await;
        let posted = PostedAlert {
            labels: LabelSet::new([("alertname", "disk")]).unwrap(),
            annotations: [].into(),
            starts_at: None,
            ends_at: None,
            generator_url: None,
        };
        let changes = host.live.alerts.tell(Fact::Posted { alerts: vec![posted] }).await.unwrap();
        let incident = changes.incidents[0].id;
        host.live.alerts.tell(Fact::Tick).await.unwrap();
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
}
