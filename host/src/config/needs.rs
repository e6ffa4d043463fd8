//! What a kind asks for (`needs` in its plugin's `describe`) against the check or the sink that uses it: what is not granted at all, with
//! the line to add; what a run would be denied by their own values, as the run would be told it; and what no grant could allow, such as a
//! URL without a scheme.
//!
//! A need's line is TOML with `{NAME}` for keys of `config`; it is filled from what is written, else from the schema's defaults. A query may
//! carry a credential, so a pattern stands in for it, as in the line of a denial.
//!
//! Invariant: this is advice, so all of it is warnings: every call is authorised regardless.

use std::net::IpAddr;

use serde_json::Value;
use sickbay_capabilities::denial::Denial;
use sickbay_capabilities::{Grants, files, http, net, postgres, redis, secrets, system};
use sickbay_runtime::{Need, Sort};
use url::{Host, Url};

use super::diagnostic::{Problem, listed, sentence, shown};
use super::free::escaped;
use super::{KindInfo, PluginUse, suggest, values};

const CAPABILITIES: [&str; 7] = ["http", "system", "files", "net", "postgres", "redis", "secrets"];

/// A longer value is not put into a line; its place in the line stays.
const VALUE_BYTES_MAX: usize = 512;
/// A longer path is cut in a line, and a `*` put at the cut.
const PATH_BYTES_MAX: usize = 256;

const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// A warning where `used` grants nothing of what its kind asks for.
pub(super) fn not_granted(used: &PluginUse<'_>, plugin: &str, kind: &KindInfo<'_>, need: &Need, schema: Option<&Value>) -> Option<Problem> {
    let capability = need.capability.as_str();
    if is_unused_secret(used, need, schema) {
        return None;
    }
    let reason = if need.reason.is_empty() { String::new() } else { format!(" ({})", sentence(&need.reason)) };
    let asks = format!(
        "{}: the kind `{}` of plugin `{}` asks for `{capability}`{reason}",
        used.told_as_written(),
        shown(kind.name),
        shown(plugin)
    );
    match granted(used.grants, capability) {
        Some(true) => None,
        Some(false) => {
            let problem = Problem::warning(format!("{asks}, and nothing of `{capability}` is granted"));
            Some(problem.hint(line_to_add(used, need, schema)))
        }
        // Nothing that this version knows of.
        None => None,
    }
}

/// Whether a need of `secrets` is of none that is configured: the key that names one is not written, or `config` names none at all.
fn is_unused_secret(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> bool {
    if need.capability != "secrets" {
        return false;
    }
    let table: Option<toml::Table> = need.grant.parse().ok();
    let entries = table.as_ref().and_then(|table| table.get("secrets")).and_then(toml::Value::as_array);
    let names: Vec<&str> = entries.into_iter().flatten().filter_map(|entry| entry.get("name")?.as_str()).collect();
    let is_unused = |name: &str| if name.contains('{') { plain(name, used.config, schema).is_none() } else { used.secrets.is_none() };
    !names.is_empty() && names.into_iter().all(is_unused)
}

/// A warning for each call that every run for `used` would make and be denied, as far as the values of `config` tell. Where nothing of the
/// capability is granted, [`not_granted`] says so.
pub(super) fn denied(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> Vec<Problem> {
    if granted(used.grants, &need.capability) != Some(true) {
        return Vec::new();
    }
    let end = if used.sort == Sort::Check { "its runs will be `unknown`" } else { "its deliveries will fail" };
    let told = |denial: Denial| {
        let message = format!("{}: {}: {end}", used.told_as_written(), denial.message);
        let is_line = denial.hint.starts_with(&format!("{} = ", need.capability));
        let hint = if is_line { format!("add `{}` to its `grants`", denial.hint) } else { denial.hint };
        Problem::warning(message).hint(hint)
    };
    denials(used, need, schema).into_iter().map(told).collect()
}

fn denials(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> Vec<Denial> {
    let grants = used.grants;
    let plain = |template: &str| plain(template, used.config, schema);
    // What has no place in it is the word for one: `tcp://HOST:PORT`, `/HOST/DIRECTORY`.
    let own = |template: &str| template.contains('{').then(|| plain(template)).flatten();
    let denial = |entry: &toml::Value| match (need.capability.as_str(), entry) {
        ("http", toml::Value::String(template)) => {
            let asked = own(template)?;
            let (method, url) = asked.split_once(' ')?;
            let is_one = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) && !template.contains('*');
            is_one.then(|| http::foretell(&grants.http, method, url.trim_start())).flatten()
        }
        ("net", toml::Value::String(template)) => net::foretell(&grants.net, &own(template)?),
        ("system", toml::Value::String(template)) => system::foretell(&grants.system, &plain(template)?),
        ("files", toml::Value::Table(entry)) => files::foretell(&grants.files, &own(entry.get("guest")?.as_str()?)?),
        ("postgres", toml::Value::Table(entry)) => postgres::foretell(&grants.postgres, &own(entry.get("source")?.as_str()?)?),
        ("secrets", toml::Value::Table(entry)) => secrets::foretell(&grants.secrets, &own(entry.get("name")?.as_str()?)?),
        ("redis", toml::Value::Table(entry)) => {
            let source = own(entry.get("source")?.as_str()?)?;
            // Of several commands a run may send some, and with keys it says more than a need does.
            let command = match entry.get("commands").and_then(toml::Value::as_array).map(Vec::as_slice) {
                Some([toml::Value::String(only)]) if !entry.contains_key("keys") => plain(only),
                _ => None,
            };
            redis::foretell(&grants.redis, &source, command.as_deref(), &filled(need, used.config, schema).0)
        }
        _ => None,
    };
    // Places between quotes are TOML as they are; where they are not, nothing is told.
    let table: Option<toml::Table> = need.grant.parse().ok();
    let entries = table.as_ref().and_then(|table| table.get(&need.capability)).and_then(toml::Value::as_array);
    entries.into_iter().flatten().filter_map(denial).collect()
}

/// Whether something of a capability is granted; none where it cannot be.
fn granted(grants: &Grants, capability: &str) -> Option<bool> {
    match capability {
        "http" => Some(!grants.http.is_empty()),
        "system" => Some(grants.system != system::Grant::default()),
        "files" => Some(!grants.files.is_empty()),
        "net" => Some(!grants.net.is_empty()),
        "postgres" => Some(!grants.postgres.is_empty()),
        "redis" => Some(!grants.redis.is_empty()),
        "secrets" => Some(!grants.secrets.is_empty()),
        // Every run has them.
        "state" | "log" => Some(true),
        _ => None,
    }
}

/// Whether `used` grants all of a need's line, with the values of its `config` in it. Where places stay open, or the line says nothing
/// that can be compared, it is enough that something of the capability is granted.
pub fn covers(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> bool {
    let grants = used.grants;
    if granted(grants, &need.capability) != Some(true) {
        return false;
    }
    let (line, open) = filled(need, used.config, schema);
    let Some(patterns) = patterns(&line).filter(|_| open.is_empty()) else { return true };
    match need.capability.as_str() {
        "http" => {
            let mut asked = patterns.iter().filter_map(|pattern| pattern.parse::<http::Grant>().ok());
            asked.all(|asked| grants.http.iter().any(|grant| grant.covers(&asked)))
        }
        "system" => system::Grant::from_words(&patterns).ok().is_none_or(|asked| grants.system.covers(&asked)),
        _ => true,
    }
}

/// The texts of a line such as `http = ["GET https://example.com/"]`.
fn patterns(line: &str) -> Option<Vec<String>> {
    let table: toml::Table = line.parse().ok()?;
    let (_, patterns) = table.into_iter().next()?;
    patterns.as_array()?.iter().map(|pattern| pattern.as_str().map(str::to_owned)).collect()
}

/// Whether this version has grants of `capability` at all.
pub fn can_be_granted(capability: &str) -> bool {
    granted(&Grants::default(), capability).is_some()
}

/// What to do in the table of `used`, so that it grants what the need asks for.
pub fn line_to_add(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> String {
    let (line, open) = filled(need, used.config, schema);
    let has_others = CAPABILITIES.iter().any(|capability| granted(used.grants, capability) == Some(true));
    let add = if has_others { format!("add `{line}` to its `grants`") } else { format!("add `grants = {{ {line} }}`") };
    let meant = if used.sort == Sort::Check { "what is checked" } else { "what is meant" };
    if open.is_empty() { add } else { format!("{add}, with {meant} in place of {}", listed(open.iter().map(String::as_str))) }
}

/// The need's line with the values of `config`, and the places that stay open.
pub fn filled(need: &Need, config: &Value, schema: Option<&Value>) -> (String, Vec<String>) {
    let keys = HttpKeys::of(need);
    fill(&need.grant, |name| written(config, name).or_else(|| default(schema, name)).and_then(|value| keys.in_line(name, value)))
}

/// A part of a need's line with the values of `config` as they are; none where a place stays open.
fn plain(template: &str, config: &Value, schema: Option<&Value>) -> Option<String> {
    let value_of = |name: &str| match written(config, name).or_else(|| default(schema, name))? {
        Value::String(text) => {
            let fits = text.len() <= VALUE_BYTES_MAX && !text.contains("{{") && !text.chars().any(char::is_control);
            fits.then(|| text.clone())
        }
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let (filled, open) = fill(template, value_of);
    open.is_empty().then_some(filled)
}

/// `template` with what stands in its places, and the places that stay open.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let mut line = String::new();
    let mut open = Vec::new();
    let mut rest = template;
    while let Some((before, place)) = rest.split_once('{') {
        line.push_str(before);
        let Some(name) = place_name(place) else {
            line.push('{');
            rest = place;
            continue;
        };
        rest = &place[name.len() + 1..];
        match value(name) {
            Some(text) => line.push_str(&text),
            None => {
                let place = format!("{{{name}}}");
                line.push_str(&place);
                open.push(place);
            }
        }
    }
    line.push_str(rest);
    (line, open)
}

/// The name at the front of `text` where a `}` ends it; `{ source = ... }` is TOML.
fn place_name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    is_name.then_some(name)
}

fn written<'v>(config: &'v Value, name: &str) -> Option<&'v Value> {
    config.get(name)
}

fn default<'v>(schema: Option<&'v Value>, name: &str) -> Option<&'v Value> {
    schema?.pointer(&format!("/properties/{}/default", escaped(name)))
}

/// The keys of `config` that a need of `http` sends as method and as URL.
#[derive(Debug, Default, PartialEq, Eq)]
struct HttpKeys<'a> {
    methods: Vec<&'a str>,
    urls: Vec<&'a str>,
}

impl<'a> HttpKeys<'a> {
    /// From `http = ["{method} {url}"]`.
    fn of(need: &'a Need) -> HttpKeys<'a> {
        let mut keys = HttpKeys::default();
        if need.capability != "http" {
            return keys;
        }
        for text in need.grant.split(['"', '\'']).skip(1).step_by(2) {
            let Some((method, url)) = text.split_once(' ') else { continue };
            keys.methods.extend(method.strip_prefix('{').and_then(place_name).filter(|name| method.len() == name.len() + 2));
            keys.urls.extend(url.trim_start().strip_prefix('{').and_then(place_name));
        }
        keys
    }

    /// A value as it stands in the text of a grant.
    fn in_line(&self, name: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if self.urls.contains(&name) => grantable(&with_scheme(text).unwrap_or_else(|| text.clone())),
            Value::String(text) if self.methods.contains(&name) => in_text(&text.to_ascii_uppercase()),
            Value::String(text) => in_text(text),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// `text` between quotes in TOML.
fn in_text(text: &str) -> Option<String> {
    let fits = text.len() <= VALUE_BYTES_MAX && !text.chars().any(char::is_control) && !text.contains("{{");
    fits.then(|| text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The URL as a grant names it: without user and fragment, and with `*` for the query.
fn grantable(text: &str) -> Option<String> {
    if text.len() > VALUE_BYTES_MAX || text.contains("{{") {
        return None;
    }
    let url = Url::parse(text).ok().filter(|url| SCHEMES.contains(&url.scheme()))?;
    let (host, path) = (url.host()?, url.path());
    // `10.0.0.1/8` would be read as a network.
    let like_a_network = matches!(host, Host::Ipv4(_)) && path.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let port = if like_a_network { url.port_or_known_default() } else { url.port() };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let rest = match path.get(..PATH_BYTES_MAX) {
        Some(start) if path.len() > PATH_BYTES_MAX => format!("{start}*"),
        _ if url.query().is_some() => format!("{path}?*"),
        _ => path.to_owned(),
    };
    Some(format!("{}://{host}{port}{rest}", url.scheme()))
}

/// What is written in `config` as URL or method and can never be sent; each with its key.
pub(super) fn unsendable<'a>(need: &'a Need, config: &Value) -> Vec<(&'a str, Problem)> {
    let keys = HttpKeys::of(need);
    let text = |key: &str| written(config, key).and_then(Value::as_str).filter(|text| !text.is_empty() && !text.contains("{{"));
    let urls = keys.urls.iter().copied().filter_map(|key| Some((key, unsendable_url(key, text(key)?)?)));
    let methods = keys.methods.iter().copied().filter_map(|key| Some((key, unsendable_method(key, text(key)?)?)));
    urls.chain(methods).collect()
}

fn unsendable_url(key: &str, text: &str) -> Option<Problem> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let problem = Problem::warning(format!("`config.{key}` has no scheme")).reason("a URL begins with `http://` or `https://`");
        return Some(match with_scheme(text) {
            Some(meant) => problem.hint(format!("did you mean \"{}\"?", without_query(&meant))),
            None => problem.hint("write the whole URL, for example \"https://example.com/health\""),
        });
    };
    let small = scheme.to_ascii_lowercase();
    if SCHEMES.contains(&small.as_str()) {
        return None;
    }
    let known = listed(SCHEMES);
    let problem = Problem::warning(format!("`config.{key}` has the scheme `{}`", shown(scheme))).reason(format!("what is sent is {known}"));
    Some(match suggest::nearest(&small, &SCHEMES) {
        Some(meant) => problem.hint(format!("did you mean \"{}\"?", without_query(&format!("{meant}://{rest}")))),
        None => problem.hint("write a URL that begins with `http://` or `https://`"),
    })
}

fn unsendable_method(key: &str, text: &str) -> Option<Problem> {
    let capitals = text.to_ascii_uppercase();
    if capitals != text {
        let problem = Problem::warning(format!("the method in `config.{key}` is not in capitals"));
        return Some(problem.reason("neither a request nor a grant has another").hint(format!("write \"{}\"", shown(&capitals))));
    }
    values::unusual_method(text)
}

/// The URL that was meant by one without its scheme; none where it has one or is no host and path.
pub(super) fn with_scheme(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('/');
    if text.contains("://") || bare.is_empty() || bare.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return None;
    }
    let authority = bare.split(['/', '?', '#']).next().unwrap_or(bare);
    let scheme = if is_inside(authority) { "http" } else { "https" };
    let url = format!("{scheme}://{bare}");
    Url::parse(&url).is_ok_and(|parsed| parsed.has_host()).then_some(url)
}

/// A URL as a message may suggest it: its query may carry a credential.
pub(super) fn without_query(url: &str) -> String {
    shown(url.split(['?', '#']).next().unwrap_or(url))
}

/// Whether a host, with its port, is likely one that speaks without TLS.
fn is_inside(authority: &str) -> bool {
    if authority.starts_with('[') {
        return !authority.ends_with("]:443");
    }
    match authority.split_once(':') {
        Some((_, port)) => port != "443",
        None => authority == "localhost" || authority.parse::<IpAddr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn need(capability: &str, grant: &str) -> Need {
        Need { capability: capability.to_owned(), reason: "sends the request".to_owned(), grant: grant.to_owned() }
    }

    const METHOD_AND_URL: &str = "http = [\"{method} {url}\"]";

    fn line(grant: &str, config: Value) -> (String, Vec<String>) {
        let schema = json!({ "properties": { "method": { "default": "GET" } } });
        let capability = grant.split(' ').next().unwrap_or_default();
        filled(&need(capability, grant), &config, Some(&schema))
    }

    #[test]
    fn a_line_is_filled_from_the_configuration_then_from_defaults() {
        for (config, expected) in [
            (json!({ "url": "https://example.com/health" }), "GET https://example.com/health"),
            (json!({ "url": "https://example.com", "method": "HEAD" }), "HEAD https://example.com/"),
            (json!({ "url": "https://example.com/x?token=secret#top" }), "GET https://example.com/x?*"),
            (json!({ "url": "https://me:secret@example.com:8443/x" }), "GET https://example.com:8443/x"),
            (json!({ "url": "http://10.0.0.1/8" }), "GET http://10.0.0.1:80/8"),
            (json!({ "url": "example.com/health", "method": "get" }), "GET https://example.com/health"),
            (json!({ "url": "http://[::1]:8080/" }), "GET http://[::1]:8080/"),
        ] {
            let (line, open) = line(METHOD_AND_URL, config);
            assert_eq!((line.as_str(), open), (format!("http = [\"{expected}\"]").as_str(), vec![]));
            assert!(expected.parse::<sickbay_capabilities::http::Grant>().is_ok(), "{expected} is a grant");
        }
    }

    #[test]
    fn what_is_not_known_stays_open_and_toml_is_left_alone() {
        assert_eq!(line(METHOD_AND_URL, json!({})), ("http = [\"GET {url}\"]".to_owned(), vec!["{url}".to_owned()]));
        assert_eq!(line(METHOD_AND_URL, json!({ "url": ["x"] })).1, ["{url}"]);
        assert_eq!(line(METHOD_AND_URL, json!({ "url": "x".repeat(600) })).1, ["{url}"]);
        assert_eq!(line("system = [\"processes:{name}\"]", json!({ "name": "a\"b\\c" })).0, "system = [\"processes:a\\\"b\\\\c\"]");
        assert_eq!(
            line("postgres = [{ source = \"{source}\", rows_max = {rows} }]", json!({ "source": "main", "rows": 10 })).0,
            "postgres = [{ source = \"main\", rows_max = 10 }]"
        );
        for odd in ["{", "}{", "{}", "{a", "{{url}}", "http = [\"{\"]"] {
            let (line, _) = line(odd, json!({}));
            assert_eq!(line, odd);
        }
    }

    #[test]
    fn the_scheme_that_was_meant_is_guessed() {
        for (text, meant) in [
            ("example.com/health", Some("https://example.com/health")),
            ("//example.com", Some("https://example.com")),
            ("localhost/x", Some("http://localhost/x")),
            ("api.internal:8000/health", Some("http://api.internal:8000/health")),
            ("example.com:443", Some("https://example.com:443")),
            ("10.0.0.1", Some("http://10.0.0.1")),
            ("[::1]:9470/livez", Some("http://[::1]:9470/livez")),
            ("https://example.com", None),
            ("", None),
            ("two words", None),
        ] {
            assert_eq!(with_scheme(text).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn what_can_never_be_sent_is_told_with_its_key() {
        let asks = need("http", METHOD_AND_URL);
        let told = |config: Value| -> Vec<String> {
            let found = unsendable(&asks, &config);
            found.into_iter().map(|(key, problem)| format!("{key}: {}; {}", problem.message, problem.hint.unwrap_or_default())).collect()
        };
        assert!(told(json!({ "url": "http://example.com", "method": "PROPFIND" })).is_empty());
        assert_eq!(
            told(json!({ "url": "example.com", "method": "get" })),
            [
                "url: `config.url` has no scheme; did you mean \"https://example.com\"?",
                "method: the method in `config.method` is not in capitals; write \"GET\""
            ]
        );
        assert!(!told(json!({ "url": "example.com/?token=secret" }))[0].contains("secret"));
        assert_eq!(
            told(json!({ "url": "htps://example.com/x", "method": "GTE" })),
            [
                "url: `config.url` has the scheme `htps`; did you mean \"https://example.com/x\"?",
                "method: `GTE` is no method that servers commonly know; did you mean `GET`?"
            ]
        );
    }

    #[test]
    fn a_need_of_another_capability_has_no_url() {
        assert_eq!(HttpKeys::of(&need("system", METHOD_AND_URL)), HttpKeys::default());
        let two = need("http", "http = [\"GET {from}\", 'POST https://x/{to}']");
        assert_eq!(HttpKeys::of(&two), HttpKeys { methods: vec![], urls: vec!["from"] });
    }
}
