//! The configuration: `sickbay.toml` and the files of `checks.d` beside it, read, judged and merged.
//!
//! Who is who: [`load`] gives a [`Config`] or all its mistakes ([`ConfigErrors`]); a [`Check`] is one `[[check]]` with its
//! conditions and grants compiled, a [`Sink`] one `[[sink]]`, and a [`PluginUse`] is what both have in common; a [`Diagnostic`] is one
//! finding with file, line, column, reason and hint; a [`PluginJudge`] holds uses of a plugin against what it says of itself, once it is
//! loaded.
//!
//! How: `read` finds, bounds and parses the files; `shape` takes out (and notes) what the types of `text` do not know;
//! `settings`, `check`, `sink`, `grants`, `cadence` and `targets` judge the values; `against` judges the use of a plugin: `violation` tells
//! what breaks the plugin's schema, `limit_order` which limits never count, `needs` what the plugin asks for and is not granted. `origin`
//! judges where results come from, `slo` objectives, `composite` finds the members of composites, `dependencies` judges `depends_on`; `access` and
//! `certificate` judge who may ask, and the listener's TLS; `sources` judges databases and secrets; `alerting` (with `routing`,
//! `calendar` and `matching`) who is told of alerts. `named` knows the files that the main
//! file names, `url_text` reads what may hold a password, `tls_files` judges certificates and keys. `values`, `later` and `suggest` are the
//! pure parts: single values, keys of later versions, what a slip was meant to be. `place` and `diagnostic` are about messages, `veil` is
//! about what they do not show.
//!
//! Limits: a file has at most 8 MiB, all files 64 MiB, there are at most 100,000 checks and 1,000 sinks; the `config` of one has at most
//! 64 KiB as JSON, and 64 grants of a kind; a check has 32 labels, 32 conditions, 1,000 targets of 256 bytes; 50 mistakes and 50 warnings
//! are listed.
//!
//! Invariant: a [`Config`] has no mistakes that can be seen without its plugins. It is never changed: a reload makes another.
//! Invariant: these types hold no state of the running host.
//! Invariant: no diagnostic shows a password that stands in a URL, and no excerpt a text below a table with credentials.

mod access;
mod against;
mod alerting;
mod cadence;
mod calendar;
mod certificate;
mod check;
mod composite;
mod dependencies;
mod diagnostic;
mod free;
mod grants;
mod later;
mod limit_order;
mod matching;
mod named;
mod needs;
mod origin;
mod place;
mod plugin_use;
mod policy;
mod read;
mod routing;
mod settings;
mod shape;
mod sink;
mod slo;
mod sources;
mod suggest;
mod targets;
mod template;
mod text;
mod tls_files;
mod url_text;
mod values;
mod veil;
mod violation;
mod weight;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sickbay_capabilities::secrets::Template;
use sickbay_capabilities::{Grants, ServiceSettings};
use sickbay_core::alerting::AlertingConfig;
use sickbay_core::{Policy, Requirement, Rule, Schedule};
use sickbay_runtime::Limits;
use sickbay_store::Retention;

pub use access::{Role, Token};
pub use against::{KindInfo, PluginJudge};
pub use certificate::ListenerTls;
pub use diagnostic::{ConfigErrors, Diagnostic, Excerpt, Severity, counted, verdict};
pub use needs::{can_be_granted, covers as covers_need, filled as filled_need, line_to_add};
pub use plugin_use::PluginUse;
pub use read::{CHECKS_FOLDER, Stamp};
pub use slo::{SLO_CHECK_PREFIX, SLO_CHECKS_MAX, SLO_MEMBERS_MAX, SLOS_MAX, Slo, SloMember};
pub use suggest::nearest;
pub use url_text::StoreArgument;

use check::CheckReader;
use diagnostic::{Findings, Problem};
use free::ConfigPlaces;
use grants::Named;
use place::{Source, Span};
use read::ReadFile;
use settings::{Scope, settings};

use crate::clock;
use crate::warm::WARM_MAX;

/// Runs of one plugin at once, where nothing is written.
const CONCURRENCY_DEFAULT: u32 = 64;
/// Runs of one instance with `isolation = "warm"`, where nothing is written.
const RUNS_DEFAULT: u32 = 1_000;
/// Consecutive failures that make a failure hard, where nothing is written.
const FAILURES_DEFAULT: u32 = 3;
/// Consecutive successes that end a hard failure, where nothing is written.
const SUCCESSES_DEFAULT: u32 = 2;

/// The nearest text that a check, a plugin or a kind can be named by; empty where there is none.
pub fn name_like(text: &str) -> String {
    values::name_like(text)
}

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Config {
    /// The main file, as it was named.
    pub path: PathBuf,
    /// Its folder, absolute: relative paths were resolved against it.
    pub dir: PathBuf,
    /// Every file that was read, the main file first.
    pub files: Vec<PathBuf>,
    /// Those of them in which nothing stands but white space.
    pub blank_files: Vec<PathBuf>,
    /// What these files name and was read with them: hashes of tokens, URLs of databases, certificates and keys.
    pub beside: Vec<PathBuf>,
    /// How `beside` looked before it was read.
    pub beside_stamp: Stamp,
    /// What they name and nobody but Sickbay should be able to read: URLs, keys, secrets.
    pub confidential: Vec<PathBuf>,
    /// How all of them looked before they were read.
    pub stamp: Stamp,
    pub server: Server,
    /// None where the listener speaks HTTP.
    pub tls: Option<ListenerTls>,
    /// Names and hashes are unique. At least one where `server.listen` is not loopback.
    pub tokens: Vec<Token>,
    pub store: StoreSettings,
    pub retention: Retention,
    pub plugins: Plugins,
    pub transcripts: TranscriptSettings,
    /// The tables `[plugin.NAME]`; see [`Config::settings_of`].
    pub plugin: BTreeMap<String, PluginSettings>,
    /// Egress, sources and secrets.
    pub services: ServiceSettings,
    /// In the order of the files, then those of the objectives. Names are unique.
    pub checks: Vec<Arc<Check>>,
    /// In the order of the main file. Names are unique.
    pub sinks: Vec<Arc<Sink>>,
    /// Who is told of alerts, and when.
    pub alerting: Arc<AlertingConfig>,
    /// In the order of the file. Names are unique.
    pub slos: Vec<Arc<Slo>>,
    /// What is allowed and still odd.
    pub warnings: Vec<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is not loopback there are [`Config::tokens`].
    pub listen: SocketAddr,
    /// Where people find the page; without a `/` at the end.
    pub external_url: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// `sqlite:` and a path, which [`sickbay_store::open`] resolves against [`Config::dir`]; `sqlite::memory:`; or `postgres://` and what
    /// follows, which may hold a password.
    pub url: String,
}

impl std::fmt::Debug for StoreSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoreSettings").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// The watched folder, absolute; it may not exist yet.
    pub dir: PathBuf,
}

/// Where recorded runs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptSettings {
    /// Absolute; made with the first transcript.
    pub dir: PathBuf,
    /// Of all together.
    pub bytes_max: u64,
}

/// What the operator says of one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// Who looks after the plugin.
    pub owner: Option<String>,
    pub isolation: Isolation,
    /// Runs at once, at least 1.
    pub concurrency: u32,
    pub limits: Limits,
}

/// What a run of a check begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// An instance of its own.
    Fresh,
    /// The instance of the check's run before, for at most so many runs.
    Warm { runs_max: u32 },
}

/// Where the results of a check come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A plugin is run.
    Plugin,
    /// Somebody tells them, and is silent for no longer than this.
    Push { within: Duration },
    /// They are made of what is confirmed of other checks; see [`Check::composite`].
    Composite,
    /// They tell how the error budget of an objective burns.
    Slo,
}

/// What a composite check is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composite {
    /// Names of other checks, sorted.
    pub members: Vec<String>,
    /// How many have to be healthy; where it is none, the worst decides.
    pub healthy_min: Option<usize>,
}

/// Which runs of a check are kept as transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    Off,
    /// Those that are not ok.
    OnFailure,
    Always,
}

impl Record {
    pub const ALL: [Record; 3] = [Record::Off, Record::OnFailure, Record::Always];

    pub fn as_str(self) -> &'static str {
        match self {
            Record::Off => "off",
            Record::OnFailure => "on-failure",
            Record::Always => "always",
        }
    }
}

impl Isolation {
    pub fn as_str(self) -> &'static str {
        match self {
            Isolation::Fresh => "fresh",
            Isolation::Warm { .. } => "warm",
        }
    }
}

impl Default for PluginSettings {
    fn default() -> PluginSettings {
        PluginSettings { owner: None, isolation: Isolation::Fresh, concurrency: CONCURRENCY_DEFAULT, limits: Limits::default() }
    }
}

/// One `[[check]]`, or one target of it.
#[derive(Debug)]
pub struct Check {
    /// As it is written; `NAME@TARGET` where there are targets.
    pub name: String,
    /// Whose `plugin` is the empty text where it is none of a plugin.
    pub origin: Origin,
    pub plugin: String,
    /// None where the plugin's only kind is meant.
    pub kind: Option<String>,
    pub target: Option<String>,
    pub schedule: Schedule,
    /// In place of `schedule` while the state is soft.
    pub retry: Option<Schedule>,
    /// 10 ms to 10 min.
    pub timeout: Duration,
    /// What the plugin is told: always an object.
    pub config: Value,
    /// `config` as text.
    pub config_text: Arc<str>,
    /// Where `config` names secrets.
    pub secrets: Option<Template>,
    /// Critical ones first, in the order of the file.
    pub rules: Vec<Rule>,
    pub policy: Policy,
    /// Names of checks; all checks together, with the members of composites, have no circle.
    pub depends_on: Vec<Requirement>,
    /// Of a check with [`Origin::Composite`].
    pub composite: Option<Composite>,
    pub labels: BTreeMap<String, String>,
    pub grants: Arc<Grants>,
    /// Where the check lowers its plugin's; see [`Config::limits_of`].
    pub limits: Option<Limits>,
    /// The plugin's, unless the check asks for fresh instances.
    pub isolation: Isolation,
    pub record: Record,
    /// Where it stands.
    pub place: Place,
}

impl Check {
    /// Its name in the file, which all targets share. No name has an `@` in it.
    pub fn written_name(&self) -> &str {
        self.name.split_once('@').map_or(self.name.as_str(), |(name, _)| name)
    }
}

/// One `[[sink]]`.
#[derive(Debug)]
pub struct Sink {
    pub name: String,
    pub plugin: String,
    /// None where the plugin's only kind is meant.
    pub kind: Option<String>,
    /// Of one delivery: 10 ms to 10 min.
    pub timeout: Duration,
    /// Whether it is told acknowledgements alone. None where its kind decides.
    pub acknowledgements: Option<bool>,
    /// What the plugin is told: always an object.
    pub config: Value,
    /// `config` as text.
    pub config_text: Arc<str>,
    /// Where `config` names secrets.
    pub secrets: Option<Template>,
    pub grants: Arc<Grants>,
    /// What one delivery may use: the plugin's limits, lowered by the sink's.
    pub limits: Limits,
    /// Where it stands.
    pub place: Place,
}

/// Where a check or a sink and its parts stand.
#[derive(Clone, Debug)]
pub struct Place {
    source: Arc<Source>,
    header: Span,
    plugin: Span,
    kind: Option<Span>,
    /// In the order of `Check::rules`.
    rules: Box<[Span]>,
    /// In the order of `Check::depends_on`, one for each name.
    parents: Box<[Span]>,
    /// Of a composite, as they are written.
    members: Box<[Span]>,
    config: ConfigPlaces,
}

impl Place {
    pub fn file(&self) -> &Path {
        self.source.path()
    }

    /// The line of the header, from 1.
    pub fn line(&self) -> usize {
        self.source.position(self.header).line
    }

    /// Of a check that stands under no `[[check]]`.
    fn of_header(source: &Arc<Source>, header: Span) -> Place {
        Place {
            source: Arc::clone(source),
            header,
            plugin: header,
            kind: None,
            rules: Box::default(),
            parents: Box::default(),
            members: Box::default(),
            config: ConfigPlaces::default(),
        }
    }

    /// An error that points at the plugin's name, for whoever knows which plugins there are.
    pub fn at_plugin(&self, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
        self.diagnostic(self.plugin, Problem::new(message).hint(hint))
    }

    fn diagnostic(&self, span: Span, problem: Problem) -> Diagnostic {
        Diagnostic::new(&self.source, span, problem)
    }
}

impl Config {
    /// Who is told of alerts, with what the kinds of sinks say where nothing is written: whether a sink tells acknowledgements by itself.
    pub fn alerting_with(&self, tells_acknowledgements: impl Fn(&Sink) -> bool) -> Arc<AlertingConfig> {
        let mut alerting = AlertingConfig::clone(&self.alerting);
        for (told, sink) in alerting.sinks.iter_mut().zip(&self.sinks) {
            told.tells_acknowledgements = sink.acknowledgements.unwrap_or_else(|| tells_acknowledgements(sink));
        }
        if alerting == *self.alerting { Arc::clone(&self.alerting) } else { Arc::new(alerting) }
    }

    /// What is said of a plugin; the defaults where there is no `[plugin.NAME]`.
    pub fn settings_of(&self, plugin: &str) -> PluginSettings {
        self.plugin.get(plugin).cloned().unwrap_or_default()
    }

    /// What one run of a check may use: the plugin's limits, lowered by the check's.
    pub fn limits_of(&self, check: &Check) -> Limits {
        let given = self.plugin.get(&check.plugin).map_or_else(Limits::default, |settings| settings.limits);
        check.limits.map_or(given, |limits| given.lesser(limits))
    }
}

/// Reads `path` and the `checks.d/*.toml` beside it (sorted by name), and merges them.
///
/// Errors: every mistake of every file, at most 50, in the order of the files, and beside them the warnings. What the plugins say of
/// themselves is not known here: see [`PluginJudge`].
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let mut findings = Findings::default();
    let stamp = Stamp::of(path);
    let files = read::files(path, &mut findings);
    let dir = folder_of(path);
    let paths = files.iter().map(|file| file.source.path().to_path_buf()).collect();
    let blank_files = files.iter().filter(|file| file.source.is_blank()).map(|file| file.source.path().to_path_buf()).collect();
    let mut files = files.into_iter();
    // Without the main file the limits of plugins are not known, so checks cannot be judged fairly.
    let Some(ReadFile { source, file: Some(main) }) = files.next() else { return Err(findings.into_errors()) };

    let beside = named::watched(&main, &dir);
    let (beside_stamp, stamp) = (Stamp::default().beside(&beside), stamp.beside(&beside));
    let settings = settings(&main, &mut Scope { source: &source, dir: &dir, findings: &mut findings });
    let confidential = named::confidential(&main, &dir);
    let names = Named::of(&main);
    let sinks =
        sink::sinks(&main.sink, &settings.plugin, &names, &source, &mut Scope { source: &source, dir: &dir, findings: &mut findings });
    let mut reader = CheckReader::new(&settings.plugin, names, &dir, &settings.services.shapes);
    reader.read_file(main.check, &source, &mut findings);
    for ReadFile { source, file } in files {
        if let Some(file) = file {
            reader.read_file(file.check, &source, &mut findings);
        }
    }
    let mut checks = reader.into_checks();
    composite::resolve(&mut checks, &mut findings);
    dependencies::judge(&checks, &mut findings);
    let (slos, of_slos) = slo::read(&main.slo, &checks, &source, &mut Scope { source: &source, dir: &dir, findings: &mut findings });
    checks.extend(of_slos);
    let tables = alerting::Tables {
        sinks: &main.sink,
        route: main.route.as_ref(),
        inhibit: &main.inhibit,
        time_intervals: &main.time_interval,
        maintenance: &main.maintenance,
        alerting: main.alerting.as_ref(),
    };
    let scope = &mut Scope { source: &source, dir: &dir, findings: &mut findings };
    let alerting = alerting::alerting(&tables, &sinks, &checks, settings.retention.bytes_max, clock::now(), scope);
    if checks.is_empty() && !findings.has_errors() {
        findings.add_to_file(
            path,
            Problem::warning("no check is configured").hint("add a `[[check]]`, for example from `sickbay plugin inspect NAME`"),
        );
    }
    if let Some(problem) = crowded(&checks) {
        findings.add_to_file(path, problem);
    }
    let warnings = findings.into_result()?;
    Ok(Config {
        path: path.to_path_buf(),
        dir,
        files: paths,
        blank_files,
        beside,
        beside_stamp,
        confidential,
        stamp,
        server: settings.server,
        tls: settings.tls,
        tokens: settings.tokens,
        store: settings.store,
        retention: settings.retention,
        plugins: settings.plugins,
        transcripts: settings.transcripts,
        plugin: settings.plugin,
        services: settings.services,
        checks,
        sinks,
        alerting: Arc::new(alerting),
        slos,
        warnings,
    })
}

/// Where more checks are warm than instances are kept, and they run in turn, each finds its own gone.
fn crowded(checks: &[Arc<Check>]) -> Option<Problem> {
    let warm = checks.iter().filter(|check| check.isolation != Isolation::Fresh).count();
    (warm > WARM_MAX).then(|| {
        Problem::warning(format!("{warm} checks have `isolation = \"warm\"`, and {WARM_MAX} instances are kept"))
            .reason("the one that was unused for longest makes room, so that most of these checks begin on a fresh one")
            .hint("write `isolation = \"fresh\"` in those whose plugin starts fast")
    })
}

/// The files that a configuration names and that are read with it, whether or not it is right: what mends it may be one of them.
pub fn beside(path: &Path) -> Vec<PathBuf> {
    let main = read::main_file(path);
    main.map_or_else(Vec::new, |main| named::watched(&main, &folder_of(path)))
}

/// The JSON Schema (2020-12) of the file, for editors.
pub fn schema() -> Value {
    text::schema().clone()
}

fn folder_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

#[cfg(test)]
mod tests;
