//! `/api/v1/config`: when the configuration in force was read, and whether a newer one was refused.
//!
//! Limits: of a refusal the first [`ERROR_BYTES_MAX`] are told; there are as many files as `config` allows.
//!
//! Invariant: no table of the configuration is in the answer. A refusal is told by place, message and hint, without the lines of the files.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::clock::rfc3339;

/// Some fifty mistakes.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// How the configuration stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigItem {
    /// When the configuration in force was read.
    pub loaded_at: String,
    /// When it was read last: at the start, when its files changed, or on SIGHUP.
    pub last_reload_at: String,
    /// False while the files hold a configuration that was refused; the one of `loaded_at` stays in force.
    pub last_reload_successful: bool,
    /// Why it was refused, some lines for each mistake: what, where, and a hint. Null where it was not.
    pub error: Option<String>,
    /// Absolute paths of the files in force, the main file first.
    pub files: Vec<String>,
}

/// How the configuration stands.
///
/// No value of it is told.
#[utoipa::path(
    get,
    path = "/api/v1/config",
    tag = "config",
    responses(
        (status = 200, description = "How it stands", body = ConfigItem),
        (status = 400, description = "It takes no parameters", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_config(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<ConfigItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let (reload, config) = (api.live.reload.load_full(), api.live.config.load_full());
    let files = config.files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()).display().to_string()).collect();
    Ok(Json(ConfigItem {
        loaded_at: rfc3339(reload.loaded_at),
        last_reload_at: rfc3339(reload.at),
        last_reload_successful: reload.error.is_none(),
        error: reload.error.as_deref().map(bounded),
        files,
    }))
}

fn bounded(error: &str) -> String {
    if error.len() <= ERROR_BYTES_MAX {
        return error.to_owned();
    }
    format!("{}…", &error[..error.floor_char_boundary(ERROR_BYTES_MAX)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use sickbay_core::Timestamp;

    use super::*;
    use crate::api::testing::{Host, get, two_checks};
    use crate::live::ReloadStatus;

    #[tokio::test]
    async fn a_configuration_that_was_taken_names_its_files_and_none_of_its_values() {
        let host = Host::start(&two_checks()).await;
        let answer = host.ask(get("/api/v1/config")).await;
        let config = answer.json();
        assert_eq!((&config["last_reload_successful"], &config["error"]), (&true.into(), &Value::Null));
        assert_eq!(config["loaded_at"], config["last_reload_at"]);
        assert_eq!(config["files"].as_array().map(Vec::len), Some(1));
        assert!(config["files"][0].as_str().is_some_and(|file| file.starts_with('/') && file.ends_with("/sickbay.toml")), "{config}");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("sqlite"), "{text}");
    }

    #[tokio::test]
    async fn a_refused_one_says_when_and_why_and_which_is_in_force() {
        let host = Host::start("").await;
        let error = "日".repeat(ERROR_BYTES_MAX);
        let refused = ReloadStatus { at: Timestamp(2_000), loaded_at: Timestamp(1_000), error: Some(error) };
        host.live.reload.store(Arc::new(refused));
        let config = host.ask(get("/api/v1/config")).await.json();
        assert_eq!(config["last_reload_successful"], false);
        assert_eq!(
            (&config["loaded_at"], &config["last_reload_at"]),
            (&rfc3339(Timestamp(1_000)).into(), &rfc3339(Timestamp(2_000)).into())
        );
        let told = config["error"].as_str().unwrap();
        assert!(told.starts_with('日') && told.ends_with('…') && told.len() <= ERROR_BYTES_MAX + 3, "{} bytes", told.len());
        assert_eq!(host.ask(get("/api/v1/config?all=1")).await.status, 400);
    }
}
