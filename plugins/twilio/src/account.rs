//! The account: its configuration, which both kinds share, and a request of its API.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{TITLE, accepted};

use crate::form;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The account: AC and 32 hexadecimal digits.
    #[schemars(length(min = 1))]
    account_sid: String,
    /// Who logs in, where it is an API key (SK...) and not the account.
    #[serde(default)]
    key_sid: Option<String>,
    /// The account's auth token, or the secret of key_sid: {{secret:NAME}}.
    #[schemars(length(min = 1))]
    auth_token: String,
    /// The number, the sender's name, or for sms the messaging service (MG...) that it comes from.
    #[schemars(length(min = 1))]
    pub(crate) from: String,
    /// The number that is told, as +15550100.
    #[schemars(length(min = 1))]
    pub(crate) to: String,
    /// Template of what is said.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
    pub(crate) text: String,
    /// Whether it is told that all is well. By default a message says so, and no call.
    #[serde(default)]
    pub(crate) resolved: Option<bool>,
    /// Where Twilio's API is.
    #[serde(default = "default_api_url")]
    #[schemars(length(min = 1, max = 4096))]
    api_url: String,
}

fn default_title() -> String {
    TITLE.to_owned()
}

fn default_api_url() -> String {
    "https://api.twilio.com/2010-04-01".to_owned()
}

/// What is made: a message or a call.
#[derive(Deserialize)]
struct Made {
    sid: String,
}

pub(crate) fn example() -> Value {
    json!({
        "account_sid": "AC00000000000000000000000000000000",
        "auth_token": "{{secret:twilio-token}}",
        "from": "+15550100",
        "to": "+15550199",
    })
}

/// Of a kind that posts to this resource.
pub(crate) fn needs(resource: &str) -> Vec<Need> {
    vec![
        Need::new("http", "asks Twilio", &format!("http = [\"POST {{api_url}}/Accounts/{{account_sid}}/{resource}.json\"]")),
        Need::new("secrets", "logs in", "secrets = [{ name = \"twilio-token\", to = [\"{api_url}/Accounts/*\"] }]"),
    ]
}

/// Whether a phone is to ring for this.
pub(crate) fn is_told(config: &Config, phase: Phase, resolved_default: Resolved) -> bool {
    match phase {
        Phase::Firing => true,
        Phase::Resolved => config.resolved.unwrap_or(resolved_default == Resolved::Told),
        // Who took it knows.
        Phase::Acknowledged | Phase::Other => false,
    }
}

/// What a kind does where the configuration says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    Told,
    Silent,
}

/// Makes one message or call.
pub(crate) fn make(config: &Config, resource: &str, fields: &[(&str, &str)]) -> Result<Receipt, DeliveryError> {
    let user = config.key_sid.as_deref().unwrap_or(&config.account_sid);
    let login = secrets::encode(&format!("{user}:{}", config.auth_token), "base64")?;
    let call = http::post(format!("{}/Accounts/{}/{resource}.json", config.api_url, config.account_sid))
        .redirects_max(0)
        .header("authorization", format!("Basic {login}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form::encoded(fields));
    let answer = accepted(call.send()?)?;
    // It is on its way, whatever Twilio calls it.
    Ok(answer.json::<Made>().map_or_else(|_| Receipt::default(), |made| Receipt::new(made.sid)))
}
