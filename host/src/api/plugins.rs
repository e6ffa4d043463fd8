//! `/api/v1/plugins`: which plugins there are, how they stand, and what they say of themselves.

use axum::Json;
use axum::extract::{RawQuery, State};

use super::Api;
use super::model::{Page, PluginDetail, PluginItem, Uses};
use super::parameters::{Named, Parameters, invalid};
use super::problem::{Problem, ProblemKind, quoted};

const ITEMS_DEFAULT: u64 = 100;
const ITEMS_MAX: u64 = 1000;
const CURSOR_BYTES_MAX: usize = 512;

/// All plugins, by name: those in the folder and those that a check or a sink names.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    tag = "plugins",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
    ),
    responses(
        (status = 200, description = "A part of the list", body = Page<PluginItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_plugins(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<PluginItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    // At most ITEMS_MAX, so it fits.
    let limit = parameters.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS_DEFAULT) as usize;
    let cursor = parameters.text("cursor")?.unwrap_or_default();
    if cursor.len() > CURSOR_BYTES_MAX {
        return Err(invalid("`cursor` is none of ours").hint("pass `next` as it came"));
    }
    // No name is empty, so an absent cursor is before all of them.
    let mut behind = api.live.plugins.all().into_iter().filter(|slot| slot.name.as_str() > cursor);
    let items: Vec<PluginItem> = behind.by_ref().take(limit).map(|slot| PluginItem::of(&slot)).collect();
    let next = behind.next().and(items.last()).map(|last| last.name.clone());
    Ok(Json(Page { items, next }))
}

/// One plugin with its kinds, what it asks of the host, and the most that one run used.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginDetail),
        (status = 404, description = "No plugin has this name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_plugin(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<PluginDetail>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let slot = api.live.plugin(&name).ok_or_else(|| {
        Problem::new(ProblemKind::PluginUnknown, format!("no plugin is named {}", quoted(&name))).hint("all of them are at /api/v1/plugins")
    })?;
    let checks = api.live.checks().by_name.values().filter(|check| check.spec.plugin == name).count() as u64;
    let config = api.live.config.load();
    let sinks = config.sinks.iter().filter(|sink| sink.plugin == name).count() as u64;
    Ok(Json(PluginDetail::of(&slot, config.settings_of(&name).isolation, Uses { checks, sinks })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sickbay_core::Timestamp;

    use crate::api::testing::{Host, get, two_checks};
    use crate::plugins::LoadFailure;

    fn refuse(host: &Host, name: &str) {
        host.live.plugins.slot(name, 1).refuse(LoadFailure {
            at: Timestamp(1_700_000_000_000),
            message: "the file is cut off".to_owned(),
            hint: Some("copy it again".to_owned()),
            sha256: None,
        });
    }

    #[tokio::test]
    async fn a_refused_plugin_says_when_and_why() {
        let host = Host::start(&two_checks()).await;
        refuse(&host, "http");
        let plugin = host.ask(get("/api/v1/plugins/http")).await.json();
        assert_eq!(plugin["state"], "rejected");
        assert_eq!(plugin["last_error"]["at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(plugin["last_error"]["message"], "the file is cut off");
        assert_eq!(plugin["last_error"]["hint"], "copy it again");
        assert_eq!(plugin["version"], Value::Null);
        assert_eq!(plugin["checks_configured"], 1);
        assert_eq!(plugin["peak_usage"]["cpu_ms"], 0);
        assert_eq!((&plugin["isolation"], &plugin["quarantine"]), (&"fresh".into(), &Value::Null));
        let versions = json!([{ "state": "refused", "digest": null, "version": null, "since": "2023-11-14T22:13:20.000Z" }]);
        assert_eq!((&plugin["versions"], &plugin["needs"]), (&versions, &json!([])));
    }

    #[tokio::test]
    async fn a_plugin_tells_how_many_sinks_use_it() {
        let host = Host::start("[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n").await;
        host.live.plugins.slot("webhook", 1);
        let plugin = host.ask(get("/api/v1/plugins/webhook")).await.json();
        assert_eq!((&plugin["state"], &plugin["sinks_configured"], &plugin["checks_configured"]), (&"absent".into(), &1.into(), &0.into()));
        assert_eq!((&plugin["sinks"], &plugin["recoveries"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));
    }

    #[tokio::test]
    async fn plugins_come_by_name_in_parts() {
        let host = Host::start("").await;
        for name in ["c", "a", "b"] {
            refuse(&host, name);
        }
        let page = host.ask(get("/api/v1/plugins?limit=2")).await.json();
        assert_eq!((&page["items"][0]["name"], &page["items"][1]["name"], &page["next"]), (&"a".into(), &"b".into(), &"b".into()));
        let page = host.ask(get("/api/v1/plugins?limit=2&cursor=b")).await.json();
        assert_eq!((&page["items"][0]["name"], &page["next"]), (&"c".into(), &Value::Null));
    }
}
