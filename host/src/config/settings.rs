//! The tables of the main file that are not checks: their values, bounds and defaults.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sickbay_capabilities::{EgressSettings, ServiceSettings};
use sickbay_core::masking::{Pattern, WellKnown};
use sickbay_core::{Quota, Shapes};
use sickbay_runtime::{Limits, Sort};
use sickbay_store::{Retention, StoreError};
use url::Url;

use super::diagnostic::{Findings, Problem, shown};
use super::place::{Source, Span};
use super::text::{EgressText, FileText, LimitsText, MaskingText, Placed, PluginText, RetentionText, StoreText, TranscriptsText};
use super::url_text::UrlKey;
use super::values::{self, DurationBounds};
use super::{
    CONCURRENCY_DEFAULT, Isolation, ListenerTls, PluginSettings, Plugins, RUNS_DEFAULT, Record, Server, StoreSettings, Token,
    TranscriptSettings, access, certificate, sources, tls_files,
};

const PORT_DEFAULT: u16 = 9470;
const STORE_DEFAULT: &str = "sqlite:sickbay.db";
const PLUGINS_DIR_DEFAULT: &str = "plugins";
const TRANSCRIPTS_DIR_DEFAULT: &str = "transcripts";
const TRANSCRIPTS_BYTES_DEFAULT: u64 = 256_000_000;
/// One transcript has up to some MiB.
const TRANSCRIPTS_BYTES_LEAST: u64 = 16 << 20;
const TRANSCRIPTS_BYTES_MOST: u64 = 1 << 40;

const RETENTION: DurationBounds =
    DurationBounds { least: Duration::from_secs(60), least_text: "1m", most: Duration::from_secs(3650 * 86_400), most_text: "3650d" };
/// SQLite with its journal does not stay below less.
const RETENTION_BYTES_LEAST: u64 = 16 << 20;
const RETENTION_BYTES_MOST: u64 = 64 << 40;

const CONCURRENCY_MOST: u32 = 10_000;
const RUNS_MOST: u32 = 1_000_000;
const OWNER_BYTES_MAX: usize = 256;
const EXTERNAL_URL_BYTES_MAX: usize = 2048;
const PRIVATE_NETWORKS_MAX: usize = 256;
/// Each is one more pass over every text.
const MASKING_PATTERNS_MAX: usize = 32;
const PLUGIN_TABLES_MAX: usize = 10_000;

/// A file that is being judged, and where its findings go.
pub(super) struct Scope<'a> {
    pub source: &'a Source,
    /// Relative paths resolve against it.
    pub dir: &'a Path,
    pub findings: &'a mut Findings,
}

impl Scope<'_> {
    /// What is written, or `default` where nothing is or where it is wrong (which is noted).
    pub(super) fn read<T, U>(&mut self, written: Option<&Placed<T>>, default: U, judge: impl FnOnce(&T) -> Result<U, Problem>) -> U {
        let Some(written) = written else { return default };
        self.findings.check(self.source, written.span(), judge(written.value())).unwrap_or(default)
    }

    pub(super) fn note(&mut self, span: Span, problem: Problem) {
        self.findings.add(self.source, span, problem);
    }
}

/// Every table but the checks.
pub(super) struct Settings {
    pub server: Server,
    pub tls: Option<ListenerTls>,
    pub tokens: Vec<Token>,
    pub store: StoreSettings,
    pub retention: Retention,
    pub plugins: Plugins,
    pub transcripts: TranscriptSettings,
    pub plugin: BTreeMap<String, PluginSettings>,
    pub services: ServiceSettings,
}

pub(super) fn settings(file: &FileText, scope: &mut Scope<'_>) -> Settings {
    let listen = file.server.as_ref().and_then(|server| server.listen.as_ref());
    let external_url = file.server.as_ref().and_then(|server| server.external_url.as_ref());
    let listen_default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT);
    let dir = scope.dir;
    let plugins = file.plugins.as_ref().and_then(|plugins| plugins.dir.as_ref());
    let tls = file.server.as_ref().and_then(|server| server.tls.as_ref());
    let address = scope.read(listen, listen_default, |text| listen_address(text));
    let sources = sources::sources(&file.sources, scope);
    access::judge_reach(listen, address, file, scope);
    Settings {
        server: Server { listen: address, external_url: scope.read(external_url, None, |text| external(text).map(Some)) },
        tls: tls.and_then(|tls| certificate::listener_tls(tls, scope)),
        tokens: access::tokens(&file.token, scope),
        store: StoreSettings { url: store(file.store.as_ref(), scope).unwrap_or_else(|| STORE_DEFAULT.to_owned()) },
        retention: retention(file.retention.as_ref(), scope),
        plugins: Plugins { dir: scope.read(plugins, dir.join(PLUGINS_DIR_DEFAULT), |text| folder("dir", text, dir, PLUGINS_DIR_DEFAULT)) },
        transcripts: transcripts(file.transcripts.as_ref(), scope),
        plugin: plugin_tables(&file.plugin, scope),
        services: ServiceSettings {
            egress: file.egress.as_ref().map_or_else(EgressSettings::default, |egress| egress_settings(egress, scope)),
            postgres: sources.postgres,
            redis: sources.redis,
            secrets: sources::secrets(&file.secrets, scope),
            shapes: Arc::new(file.masking.as_ref().map_or_else(Shapes::default, |masking| shapes(masking, scope))),
        },
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, Problem> {
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(PORT_DEFAULT);
    let hint = format!("write \"127.0.0.1:{port}\"");
    text.parse().map_err(|_| {
        Problem::new("`listen` is not an address with a port").reason(format!("\"{}\" has not the form IP:PORT", shown(text))).hint(hint)
    })
}

fn external(text: &str) -> Result<String, Problem> {
    let is_page = |url: &Url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
    };
    match Url::parse(text).ok().filter(|url| text.len() <= EXTERNAL_URL_BYTES_MAX && is_page(url)) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        // Not quoted: a user name with a password may stand in it.
        None => Err(Problem::new("`external_url` is no address of a page")
            .reason(format!(
                "it has http:// or https:// and a host, no user name, no `?` and no `#`, and at most {EXTERNAL_URL_BYTES_MAX} bytes"
            ))
            .hint("write \"https://sickbay.example.com\", perhaps with a path")),
    }
}

/// The URL of the store. None where none is written, or where it is wrong (which is noted).
fn store(written: Option<&StoreText>, scope: &mut Scope<'_>) -> Option<String> {
    let StoreText { url, url_file } = written?;
    let key = match UrlKey::of(url.as_ref(), url_file.as_ref()) {
        Ok(key) => key?,
        Err(file) => {
            let problem = Problem::new("`[store]` has both `url` and `url_file`");
            scope.note(file, problem.reason("there is one store, and its URL stands in one place").hint("remove one of them"));
            return None;
        }
    };
    match key.text(scope.dir).and_then(|text| store_url(key.as_str(), text)) {
        Ok(url) => Some(url),
        Err(problem) => {
            scope.note(key.span(), problem);
            None
        }
    }
}

/// The URL, if it names a store; the store resolves its path. No message quotes it: it may hold a password.
fn store_url(key: &str, text: String) -> Result<String, Problem> {
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return match sickbay_store::validate(&text) {
            Ok(()) => tls_files::store(key, &text).map(|()| text),
            Err(StoreError::Address { reason, hint }) => {
                Err(Problem::new(format!("`{key}` names no store")).reason(format!("it {reason}")).hint(hint))
            }
            Err(error) => Err(Problem::new(format!("`{key}` names no store"))
                .reason(error.to_string())
                .hint("write \"postgres://USER:PASSWORD@HOST/DATABASE\"")),
        };
    }
    let Some(file) = text.strip_prefix("sqlite:") else {
        return Err(Problem::new(format!("`{key}` names no store"))
            .reason("it begins neither with `sqlite:` nor with `postgres://`")
            .hint(format!("write \"{STORE_DEFAULT}\"")));
    };
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.contains('?') {
        return Err(Problem::new(format!("`{key}` has options")).reason("a store has none").hint("remove what follows `?`"));
    }
    if file.is_empty() || file.ends_with('/') || file.contains('\0') {
        let problem = Problem::new(format!("`{key}` names no file")).reason("SQLite keeps everything in one file");
        return Err(problem.hint(format!("write \"{STORE_DEFAULT}\"")));
    }
    Ok(text)
}

fn retention(written: Option<&RetentionText>, scope: &mut Scope<'_>) -> Retention {
    let ok = written.and_then(|retention| retention.ok.as_ref());
    let other = written.and_then(|retention| retention.other.as_ref());
    let bytes_max = written.and_then(|retention| retention.bytes_max.as_ref());
    let default = Retention::default();
    Retention {
        ok: scope.read(ok, default.ok, |text| values::duration("ok", text, &RETENTION)),
        other: scope.read(other, default.other, |text| values::duration("other", text, &RETENTION)),
        bytes_max: scope
            .read(bytes_max, default.bytes_max, |text| values::size("bytes_max", text, RETENTION_BYTES_LEAST, RETENTION_BYTES_MOST)),
    }
}

fn transcripts(written: Option<&TranscriptsText>, scope: &mut Scope<'_>) -> TranscriptSettings {
    let dir = scope.dir;
    let named = written.and_then(|transcripts| transcripts.dir.as_ref());
    let bytes_max = written.and_then(|transcripts| transcripts.bytes_max.as_ref());
    TranscriptSettings {
        dir: scope.read(named, dir.join(TRANSCRIPTS_DIR_DEFAULT), |text| folder("dir", text, dir, TRANSCRIPTS_DIR_DEFAULT)),
        bytes_max: scope.read(bytes_max, TRANSCRIPTS_BYTES_DEFAULT, |text| {
            values::size("bytes_max", text, TRANSCRIPTS_BYTES_LEAST, TRANSCRIPTS_BYTES_MOST)
        }),
    }
}

/// `like` is what people usually write.
fn folder(key: &str, text: &str, dir: &Path, like: &str) -> Result<PathBuf, Problem> {
    if text.trim().is_empty() || text.contains('\0') {
        let problem = Problem::new(format!("`{key}` names no folder")).reason("an empty path would be the folder of this file itself");
        return Err(problem.hint(format!("write \"{like}\"")));
    }
    Ok(dir.join(text))
}

fn plugin_tables(written: &BTreeMap<Placed<String>, PluginText>, scope: &mut Scope<'_>) -> BTreeMap<String, PluginSettings> {
    let mut tables = BTreeMap::new();
    for (name, table) in written {
        if tables.len() >= PLUGIN_TABLES_MAX {
            scope.note(
                name.span(),
                Problem::new("too many `[plugin.NAME]` tables")
                    .reason(format!("there are more than {PLUGIN_TABLES_MAX}"))
                    .hint("remove those of plugins that are not there"),
            );
            break;
        }
        if let Err(problem) = values::plugin_name("plugin", name.value()) {
            scope.note(name.span(), problem);
        }
        tables.insert(name.value().clone(), plugin_settings(table, scope));
    }
    tables
}

fn plugin_settings(written: &PluginText, scope: &mut Scope<'_>) -> PluginSettings {
    let runs_max = scope.read(written.runs_max.as_ref(), RUNS_DEFAULT, |number| values::number("runs_max", *number, 1, RUNS_MOST));
    PluginSettings {
        isolation: scope.read(written.isolation.as_ref(), Isolation::Fresh, |text| plugin_isolation(text, runs_max)),
        owner: scope.read(written.owner.as_ref(), None, |text| owner(text).map(Some)),
        concurrency: scope
            .read(written.concurrency.as_ref(), CONCURRENCY_DEFAULT, |number| values::number("concurrency", *number, 1, CONCURRENCY_MOST)),
        limits: written.limits.as_ref().map_or_else(Limits::default, |limits| limits_within(limits, Limits::default(), scope)),
    }
}

fn owner(text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() || text.len() > OWNER_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Problem::new("`owner` is not a name")
            .reason(format!("it has 1 to {OWNER_BYTES_MAX} bytes on one line"))
            .hint("write a team or a person, for example \"platform\""));
    }
    Ok(text.to_owned())
}

fn plugin_isolation(text: &str, runs_max: u32) -> Result<Isolation, Problem> {
    match text {
        "fresh" => Ok(Isolation::Fresh),
        "warm" => Ok(Isolation::Warm { runs_max }),
        _ => Err(unknown_isolation(text).hint("write \"fresh\" or \"warm\"")),
    }
}

/// Of a check whose plugin was given `given`: it may ask for less to be kept, never for more.
pub(super) fn check_isolation(text: &str, plugin: &str, given: Isolation) -> Result<Isolation, Problem> {
    match (text, given) {
        ("fresh", _) => Ok(Isolation::Fresh),
        ("warm", Isolation::Warm { .. }) => Ok(given),
        ("warm", Isolation::Fresh) => Err(Problem::new("the check's `isolation` is less than its plugin's")
            .reason(format!("plugin `{}` has fresh instances", shown(plugin)))
            .hint(format!("write `isolation = \"warm\"` in `[plugin.{}]`", shown(plugin)))),
        _ => Err(unknown_isolation(text).hint("write \"fresh\"")),
    }
}

fn unknown_isolation(text: &str) -> Problem {
    Problem::new(format!("unknown isolation \"{}\"", shown(text)))
        .reason("a run begins on an instance of its own (fresh), or on the one that its check's run before left (warm)")
}

pub(super) fn check_record(text: &str) -> Result<Record, Problem> {
    let known = Record::ALL.into_iter().find(|record| record.as_str() == text);
    known.ok_or_else(|| {
        let problem = Problem::new(format!("`record` is none of its words: \"{}\"", shown(text)));
        let problem = problem.reason("it says which runs are kept, and a word that is guessed at would keep others");
        problem.hint("write \"off\", \"on-failure\" or \"always\"")
    })
}

/// The limits that are written, within what the host allows; those of `given` for the rest.
fn limits_within(written: &LimitsText, given: Limits, scope: &mut Scope<'_>) -> Limits {
    const CPU_MS_MOST: u32 = 600_000;
    const CALLS_MOST: u32 = 1_000_000;
    const MEMORY_BYTES_LEAST: u64 = 64 << 10;
    const MEMORY_BYTES_MOST: u64 = 1 << 30;
    const TRAFFIC_BYTES_MOST: u64 = 1 << 30;
    const LOG_BYTES_MOST: u32 = 16 << 20;
    Limits {
        cpu_ms: scope.read(written.cpu_ms.as_ref(), given.cpu_ms, |number| values::number("cpu_ms", *number, 1, CPU_MS_MOST)),
        memory_bytes: scope.read(written.memory_bytes.as_ref(), given.memory_bytes, |size| {
            values::size("memory_bytes", size, MEMORY_BYTES_LEAST, MEMORY_BYTES_MOST)
        }),
        host_calls: scope
            .read(written.host_calls.as_ref(), given.host_calls, |number| values::number("host_calls", *number, 0, CALLS_MOST)),
        bytes_in: scope.read(written.bytes_in.as_ref(), given.bytes_in, |size| values::size("bytes_in", size, 0, TRAFFIC_BYTES_MOST)),
        bytes_out: scope.read(written.bytes_out.as_ref(), given.bytes_out, |size| values::size("bytes_out", size, 0, TRAFFIC_BYTES_MOST)),
        rows: scope.read(written.rows.as_ref(), given.rows, |number| values::number("rows", *number, 0, CALLS_MOST)),
        log_bytes: scope.read(written.log_bytes.as_ref(), given.log_bytes, |size| {
            let bytes = values::size("log_bytes", size, 0, u64::from(LOG_BYTES_MOST))?;
            Ok(u32::try_from(bytes).unwrap_or(LOG_BYTES_MOST))
        }),
    }
}

/// The limits of a check or a sink whose plugin was given `given`; raising one is noted.
pub(super) fn lowered_limits(written: &LimitsText, sort: Sort, plugin: &str, given: Limits, scope: &mut Scope<'_>) -> Limits {
    let wanted = limits_within(written, given, scope);
    for quota in Quota::ALL {
        if wanted.of(quota) > given.of(quota)
            && let Some(span) = span_of(written, quota)
        {
            scope.note(span, raised(quota, sort, plugin, given.of(quota), wanted.of(quota)));
        }
    }
    wanted.lesser(given)
}

fn raised(quota: Quota, sort: Sort, plugin: &str, given: u64, wanted: u64) -> Problem {
    let key = quota.as_str();
    let (given, wanted, plugin) = (limit_written(quota, given), limit_written(quota, wanted), shown(plugin));
    Problem::new(format!("`{key}` is above the limit of the plugin"))
        .reason(format!("a {} may only lower limits, and plugin `{plugin}` has {key} = {given}", sort.as_str()))
        .hint(format!("write at most {given}, or set `limits = {{ {key} = {wanted} }}` in `[plugin.{plugin}]`"))
}

/// A limit as it is written in TOML.
fn limit_written(quota: Quota, value: u64) -> String {
    let sized = matches!(quota, Quota::MemoryBytes | Quota::BytesIn | Quota::BytesOut | Quota::LogBytes);
    let words = values::bytes_words(&value);
    if sized && words.ends_with("iB") { format!("\"{words}\"") } else { value.to_string() }
}

fn span_of(written: &LimitsText, quota: Quota) -> Option<Span> {
    match quota {
        Quota::CpuMs => written.cpu_ms.as_ref().map(Placed::span),
        Quota::MemoryBytes => written.memory_bytes.as_ref().map(Placed::span),
        Quota::HostCalls => written.host_calls.as_ref().map(Placed::span),
        Quota::BytesIn => written.bytes_in.as_ref().map(Placed::span),
        Quota::BytesOut => written.bytes_out.as_ref().map(Placed::span),
        Quota::Rows => written.rows.as_ref().map(Placed::span),
        Quota::LogBytes => written.log_bytes.as_ref().map(Placed::span),
    }
}

fn egress_settings(written: &EgressText, scope: &mut Scope<'_>) -> EgressSettings {
    let mut private = Vec::new();
    for network in &written.private {
        if private.len() >= PRIVATE_NETWORKS_MAX {
            scope.note(
                network.span(),
                Problem::new("too many private networks")
                    .reason(format!("there are more than {PRIVATE_NETWORKS_MAX}"))
                    .hint("join neighbours to wider networks"),
            );
            break;
        }
        let Some(read) = scope.read(Some(network), None, |text| private_network(text).map(Some)) else { continue };
        if read.prefix_len() == 0 {
            let reason = "every plugin with a grant for a name can reach every private address that the name resolves to";
            scope.note(
                network.span(),
                Problem::warning("`private` opens all networks").reason(reason).hint("list the networks that are checked"),
            );
        }
        private.push(read);
    }
    let dir = scope.dir;
    let ca_file = scope.read(written.ca_file.as_ref(), None, |text| tls_files::ca_file(text, dir).map(Some));
    EgressSettings { private, ca_file }
}

fn private_network(text: &str) -> Result<IpNet, Problem> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or(single);
    let network = network.map_err(|_| {
        Problem::new("`private` holds what is no network")
            .reason(format!("\"{}\" has not the form ADDRESS/BITS", shown(text)))
            .hint("write a network such as \"10.0.0.0/8\"; names are granted in `grants`")
    })?;
    Ok(network.trunc())
}

fn shapes(written: &MaskingText, scope: &mut Scope<'_>) -> Shapes {
    let mut patterns = Vec::new();
    for text in &written.patterns {
        if patterns.len() >= MASKING_PATTERNS_MAX {
            let reason = format!("there are more than {MASKING_PATTERNS_MAX}");
            scope.note(text.span(), Problem::new("too many patterns").reason(reason).hint("join some of them with `|`"));
            break;
        }
        patterns.extend(scope.read(Some(text), None, |text| masking_pattern(text).map(Some)));
    }
    let is_on = written.well_known.as_ref().is_none_or(|well_known| *well_known.value());
    Shapes::new(if is_on { WellKnown::Masked } else { WellKnown::Shown }, patterns)
}

fn masking_pattern(text: &str) -> Result<Pattern, Problem> {
    Pattern::parse(text).map_err(|error| {
        Problem::new("`patterns` holds what is no pattern")
            .reason(error.to_string())
            .hint("write a regular expression such as \"EMP-[0-9]{6}\"; a dot or a bracket that is meant as such is written `[.]`, `[(]`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(listen: &str) -> Option<String> {
        listen_address(listen).err().and_then(|problem| problem.hint)
    }

    #[test]
    fn an_address_has_a_port() {
        assert!(listen_address("127.0.0.1:0").is_ok());
        assert!(listen_address("[::1]:9470").is_ok());
        assert!(listen_address("0.0.0.0:8080").is_ok());
        assert_eq!(hint("localhost:8080").as_deref(), Some("write \"127.0.0.1:8080\""));
        assert_eq!(hint("127.0.0.1").as_deref(), Some("write \"127.0.0.1:9470\""));
    }

    #[test]
    fn a_store_is_a_file_memory_or_a_server() {
        for good in ["sqlite:sickbay.db", "sqlite:///var/lib/s.db", "sqlite::memory:", "postgres://me:secret@db/x?sslmode=verify-full"] {
            assert_eq!(store_url("url", good.to_owned()), Ok(good.to_owned()));
        }
        for bad in ["sqlite:", "sqlite:data/", "sqlite:s.db?mode=ro", "sickbay.db", "mysql://db/x", "postgres:x", "postgres://db/x?y=z"] {
            assert!(store_url("url", bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_store_does_not_show_its_password() {
        let problem = store_url("url", "postgres://me:12/secret@db/x".to_owned()).expect_err("the password is not encoded");
        assert!(!format!("{problem:?}").contains("secret"));
    }

    #[test]
    fn a_network_may_be_one_address_and_loses_its_host_bits() {
        assert_eq!(private_network("10.1.2.3/8").map(|network| network.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(private_network("10.1.2.3").map(|network| network.to_string()), Ok("10.1.2.3/32".to_owned()));
        assert!(private_network("10.0.0.0/33").is_err());
        assert!(private_network("db.internal").is_err());
    }
}
