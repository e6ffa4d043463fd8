//! `/api/v1/maintenance`: windows in which nobody is told, those of the configuration and those that people make here.
//!
//! Limits: `WINDOWS_MAX` of those that are made; [`MATCHERS_MAX`]; a recurring one lasts [`LASTS_MIN`] to [`LASTS_MAX`].

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use sickbay_core::Timestamp;
use sickbay_core::alerting::{Fact, MATCHERS_MAX, MaintenanceTime, MaintenanceWindow};
use utoipa::ToSchema;

use super::Api;
use super::audit::Made;
use super::checks::limit;
use super::model::{MaintenanceItem, Page};
use super::parameters::{Named, Parameters, invalid, whole_number};
use super::problem::{Problem, ProblemKind, quoted};
use super::tokens::Admitted;
use super::told;
use crate::alerting::maintenance::{MadeWindow, WINDOWS_MAX, WhenRow, WindowRow};
use crate::clock::{self, rfc3339};
use crate::live::Live;
use crate::masks::Masks;

const LASTS_MIN: Duration = Duration::from_secs(60);
const LASTS_MAX: Duration = Duration::from_secs(7 * 86_400);
const NAME_BYTES_MAX: usize = 128;
const HINT: &str = "send for example {\"name\": \"moving\", \"matchers\": [\"service=\\\"api\\\"\"], \"for\": \"2h\"}, or \"cron\": \"0 2 * * *\" \
                    with \"for\" and \"timezone\": \"Europe/Berlin\"";

impl MaintenanceItem {
    fn of(id: &str, window: &MaintenanceWindow, row: Option<&WindowRow>, now: Timestamp) -> MaintenanceItem {
        let (mut starts_at, mut ends_at, mut cron, mut timezone, mut duration_seconds) = (None, None, None, None, None);
        match &window.when {
            MaintenanceTime::Once { starts_at: from, ends_at: to } => (starts_at, ends_at) = (Some(rfc3339(*from)), Some(rfc3339(*to))),
            MaintenanceTime::Cron { cron: expression, duration } => {
                (cron, timezone) = (Some(expression.expression().to_owned()), Some(expression.zone().name().to_owned()));
                duration_seconds = Some(duration.as_secs());
            }
            MaintenanceTime::Recurring(_) => {}
        }
        MaintenanceItem {
            id: id.to_owned(),
            name: window.name.to_string(),
            origin: if row.is_some() { "api" } else { "configuration" }.to_owned(),
            is_active: window.contains(now),
            next_change_at: window.next_change_after(now).map(rfc3339),
            matchers: window.matchers.iter().map(ToString::to_string).collect(),
            starts_at,
            ends_at,
            cron,
            timezone,
            duration_seconds,
            created_by: row.map(|row| row.created_by.clone()),
            created_at: row.map(|row| rfc3339(row.created_at)),
        }
    }
}

/// All of them: those of the configuration, then the others in the order in which they were made.
fn items(live: &Live) -> Vec<MaintenanceItem> {
    let now = clock::now();
    let config = live.config.load();
    let written = config.alerting.maintenance.iter().map(|window| MaintenanceItem::of(&window.name, window, None, now));
    let made = live.alerts.windows();
    written.chain(made.iter().map(|made| MaintenanceItem::of(&made.row.id, &made.window, Some(&made.row), now))).collect()
}

/// Maintenance windows.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance",
    tag = "alerts",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
    ),
    responses(
        (status = 200, description = "A part of the list", body = Page<MaintenanceItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_maintenance(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<MaintenanceItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = limit(&parameters)?;
    let foreign = || invalid("`cursor` is none of ours").hint("pass `next` as it came");
    let begin = match parameters.text("cursor")? {
        Some(text) => whole_number(text).and_then(|begin| usize::try_from(begin).ok()).ok_or_else(foreign)?,
        None => 0,
    };
    let all = items(&api.live);
    let end = begin.saturating_add(limit);
    let next = (end < all.len()).then(|| end.to_string());
    Ok(Json(Page { items: all.into_iter().skip(begin).take(limit).collect(), next }))
}

/// One maintenance window.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The window's id")),
    responses(
        (status = 200, description = "The window", body = MaintenanceItem),
        (status = 404, description = "No window has this id", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_maintenance(
    State(api): State<Api>,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<MaintenanceItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    items(&api.live).into_iter().find(|item| item.id == id).map(Json).ok_or_else(|| unknown(&id))
}

fn unknown(id: &str) -> Problem {
    Problem::new(ProblemKind::MaintenanceUnknown, format!("no maintenance window has the id {}", quoted(id)))
        .hint("they are at /api/v1/maintenance")
}

/// A window that somebody wants: once, or again and again with `cron`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMaintenance {
    name: String,
    /// All of them have to hold, in Alertmanager's grammar. At least one.
    matchers: Vec<String>,
    /// RFC 3339. Default: now.
    starts_at: Option<String>,
    /// RFC 3339; this or `for`.
    ends_at: Option<String>,
    /// How long it lasts: `30m`, `2h`.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// When it begins again: minute, hour, day of the month, month, day of the week.
    cron: Option<String>,
    /// Of `cron`. Default: UTC.
    timezone: Option<String>,
    /// Who; where a token is asked for, it says who.
    by: Option<String>,
}

impl NewMaintenance {
    fn made(&self, admitted: Option<&Extension<Admitted>>, masks: &Masks, now: Timestamp) -> Result<MadeWindow, Problem> {
        if self.name.trim().is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err(told::invalid(format!("`name` has 1 to {NAME_BYTES_MAX} bytes")).hint(HINT));
        }
        if self.matchers.is_empty() || self.matchers.len() > MATCHERS_MAX {
            return Err(told::invalid(format!("a window has 1 to {MATCHERS_MAX} matchers")).hint(HINT));
        }
        let row = WindowRow {
            id: format!("{:016x}", RandomState::new().hash_one(now)),
            name: masks.text(self.name.clone()),
            matchers: self.matchers.clone(),
            when: self.when(now)?,
            created_by: told::who(admitted, self.by.clone(), masks)?,
            created_at: now,
        };
        let window = row.window().map_err(|reason| told::invalid(reason).hint(HINT))?;
        Ok(MadeWindow { row, window })
    }

    fn when(&self, now: Timestamp) -> Result<WhenRow, Problem> {
        let Some(cron) = &self.cron else {
            if self.timezone.is_some() {
                return Err(told::invalid("`timezone` stands without `cron`").hint("times of RFC 3339 say how far they are from UTC"));
            }
            let starts_at = self.starts_at.as_deref().map(|text| told::moment("starts_at", text)).transpose()?.unwrap_or(now);
            let ends_at = told::end("ends_at", self.ends_at.as_deref(), self.lasts.as_deref(), starts_at)?
                .ok_or_else(|| told::invalid("neither `ends_at` nor `for` says when it ends").hint(HINT))?;
            if ends_at <= now {
                return Err(told::invalid("it would be over already").hint("write a later end"));
            }
            return Ok(WhenRow::Once { starts_at, ends_at });
        };
        if self.starts_at.is_some() || self.ends_at.is_some() {
            return Err(told::invalid("`cron` and a time stand together").hint("a window has `cron` and `for`, or a begin and an end"));
        }
        if self.lasts.is_none() {
            return Err(told::invalid("`for` does not say how long each time lasts").hint(HINT));
        }
        let lasts = self.lasts.as_deref().and_then(|text| humantime::parse_duration(text).ok());
        let lasts = lasts.filter(|lasts| (LASTS_MIN..=LASTS_MAX).contains(lasts));
        let lasts = lasts.ok_or_else(|| told::invalid("`for` of a recurring window is 1m to 7d").hint(HINT))?;
        let timezone = self.timezone.clone().unwrap_or_else(|| "UTC".to_owned());
        Ok(WhenRow::Cron { cron: cron.clone(), timezone, duration_seconds: lasts.as_secs() })
    }
}

/// Makes a window: while it is on, nobody is told of what matches; afterwards they are, where it still fires.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance",
    tag = "alerts",
    request_body(content = NewMaintenance, content_type = "application/json"),
    responses(
        (status = 201, description = "The window", body = MaintenanceItem),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are as many as there may be", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add_maintenance(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<(StatusCode, Extension<Made>, Json<MaintenanceItem>), Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let asked: NewMaintenance = told::read(&body, HINT, &masks)?;
    let now = clock::now();
    let made = asked.made(admitted.as_ref(), &masks, now)?;
    let item = MaintenanceItem::of(&made.row.id, &made.window, Some(&made.row), now);
    if !api.live.alerts.add_window(made, now).await.map_err(told::not_stored)? {
        return Err(Problem::new(ProblemKind::MaintenanceFull, format!("there are {WINDOWS_MAX} maintenance windows"))
            .hint("remove those that are no longer needed"));
    }
    take_up(&api.live).await?;
    Ok((StatusCode::CREATED, Extension(Made(item.id.clone())), Json(item)))
}

/// Removes a window that was made here; what it muted is told, where it still fires.
#[utoipa::path(
    delete,
    path = "/api/v1/maintenance/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The window's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No window has this id", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is of the configuration", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove_maintenance(State(api): State<Api>, Named(id): Named, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let is_made = api.live.alerts.windows().iter().any(|made| made.row.id == id);
    if !is_made {
        let is_written = api.live.config.load().alerting.maintenance.iter().any(|window| *window.name == *id);
        if is_written {
            return Err(Problem::new(ProblemKind::MaintenanceConfigured, format!("{} is of the configuration", quoted(&id)))
                .hint("remove its `[[maintenance]]` there"));
        }
        return Err(unknown(&id));
    }
    if !api.live.alerts.remove_window(id.clone()).await.map_err(told::not_stored)? {
        return Err(unknown(&id));
    }
    take_up(&api.live).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns when the machine knows of it.
async fn take_up(live: &Live) -> Result<(), Problem> {
    live.alerts.adopt_kinds(|config| live.alerting_of(config));
    live.alerts.tell(Fact::Tick).await.map_err(told::not_stored)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::{Host, get, post, request, two_checks};

    const WRITTEN: &str =
        "[[maintenance]]\nname = \"nightly\"\nmatch = [\"service=\\\"api\\\"\"]\ncron = \"0 2 * * *\"\nduration = \"1h\"\n";

    #[tokio::test]
    async fn windows_are_made_listed_and_removed_but_not_those_of_the_configuration() {
        let host = Host::start(&(WRITTEN.to_owned() + &two_checks())).await;
        let once = r#"{"name": "moving", "matchers": ["service=\"api\""], "for": "2h", "by": "anna"}"#;
        let made = host.ask(post("/api/v1/maintenance", once)).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let made = made.json();
        assert_eq!((&made["is_active"], &made["origin"], &made["created_by"]), (&json!(true), &json!("api"), &json!("anna")));
        let again = r#"{"name": "weekly", "matchers": ["a=b"], "cron": "0 3 * * 0", "for": "1h", "timezone": "Europe/Berlin"}"#;
        let recurring = host.ask(post("/api/v1/maintenance", again)).await.json();
        assert_eq!((&recurring["timezone"], &recurring["duration_seconds"]), (&json!("Europe/Berlin"), &json!(3_600)));
        let machine = host.live.alerts.read(|alerting| alerting.config().maintenance.len());
        assert_eq!(machine, 3, "the machine knows all of them");

        let first = host.ask(get("/api/v1/maintenance?limit=2")).await.json();
        assert_eq!((&first["items"][0]["id"], &first["items"][1]["id"]), (&json!("nightly"), &made["id"]));
        let rest = host.ask(get(&format!("/api/v1/maintenance?cursor={}", first["next"].as_str().unwrap()))).await.json();
        assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&recurring["id"], &Value::Null));

        let path = format!("/api/v1/maintenance/{}", made["id"].as_str().unwrap());
        assert_eq!(host.ask(request("DELETE", &path)).await.status, 204);
        assert_eq!((host.ask(get(&path)).await.status, host.ask(request("DELETE", &path)).await.status), (404, 404));
        let written = host.ask(request("DELETE", "/api/v1/maintenance/nightly")).await;
        assert_eq!((written.status, written.json()["type"].clone()), (409, json!("urn:sickbay:problem:maintenance-configured")));
        assert_eq!(host.live.alerts.read(|alerting| alerting.config().maintenance.len()), 2);
    }

    #[tokio::test]
    async fn what_is_no_window_is_refused_with_what_to_do() {
        let host = Host::start(&two_checks()).await;
        for (more, told) in [
            (r#""matchers": ["a=b"]"#, "neither `ends_at` nor `for`"),
            (r#""matchers": [], "for": "2h""#, "matchers"),
            (r#""matchers": ["a"], "for": "2h""#, "`a` is no matcher"),
            (r#""matchers": ["a=b"], "ends_at": "2001-01-01T00:00:00Z""#, "over already"),
            (r#""matchers": ["a=b"], "starts_at": "2099-01-01T00:00:00Z", "ends_at": "2098-01-01T00:00:00Z""#, "before it begins"),
            (r#""matchers": ["a=b"], "for": "2h", "timezone": "UTC""#, "without `cron`"),
            (r#""matchers": ["a=b"], "for": "8d", "cron": "0 2 * * *""#, "1m to 7d"),
            (r#""matchers": ["a=b"], "cron": "0 2 * * *""#, "does not say how long"),
            (r#""matchers": ["a=b"], "for": "1h", "cron": "0 2 * *""#, "`cron` cannot be used"),
            (r#""matchers": ["a=b"], "for": "1h", "cron": "0 2 * * *", "timezone": "Europe/Berlim""#, "is no time zone"),
        ] {
            let answer = host.ask(post("/api/v1/maintenance", &format!("{{\"name\": \"x\", {more}}}"))).await;
            let problem = answer.json();
            assert_eq!(answer.status, 400, "{more}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{more}: {problem}");
            assert!(problem["hint"].is_string(), "{problem}");
        }
    }
}
