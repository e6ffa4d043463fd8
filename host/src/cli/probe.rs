//! `sickbay probe`: one run of one check, with the exit code and the line that Nagios expects.
//!
//! `probe NAME` runs a check of the configuration as the daemon would; `probe --plugin FILE` runs a kind of a plugin with its own example
//! and no grants. Nothing is stored. `probe --sink NAME` tries a sink instead of a check (`sink`).
//!
//! A check with `isolation = "warm"` runs as it does for the first time: on a fresh instance, through the same door as those that are kept.
//! Whether this one would have been kept is told with `--debug`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sickbay_capabilities::secrets::{OpenError, Template};
use sickbay_capabilities::{Grants, Lent, RunScope, ServiceSettings, Services, Usage};
use sickbay_core::masking::mask_finding;
use sickbay_core::{Finding, Judged, Judgement, Label, Metric, MetricKind, Past, Rule, Status, judge};
use sickbay_runtime::{CheckRequest, Kind, Limits, RunOutcome, RunUsage, SandboxSettings, Sort, WarmInstance};
use tokio::time::Instant;

use super::serve::{load, mistakes, runtime};
use crate::clock;
use crate::config::{Config, Diagnostic, Isolation, Origin, PluginUse, nearest, verdict};
use crate::daemon::folder::{PLUGINS_MAX, name_of, nothing, read_bounded};
use crate::daemon::{artifacts, guest, host_calls_end, reload, sandbox};
use crate::escape::escaped;
use crate::failure::Failure;
use crate::logging::{self, LogFormat};
use crate::plugins::{Loaded, Plugin, Sandbox};

mod sink;

#[derive(Args)]
pub struct ProbeArgs {
    /// A check of the configuration
    #[arg(value_name = "NAME", required_unless_present_any = ["plugin", "sink"], conflicts_with_all = ["plugin", "sink"])]
    name: Option<String>,
    /// The configuration
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// A plugin to run with its own example and no grants
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// The kind to run, where the plugin has several: `sickbay inspect FILE` lists them
    #[arg(long, requires = "plugin")]
    kind: Option<String>,
    /// A sink of the configuration, such as oncall, to which a test notification is delivered
    #[arg(long, value_name = "NAME", conflicts_with = "plugin")]
    sink: Option<String>,
    /// Tell the sink too that the test is over
    #[arg(long, requires = "sink")]
    resolve: bool,
    /// Show what the plugin logged, what it used and all that it reported
    #[arg(long)]
    debug: bool,
}

/// What is run.
pub(super) struct Probe {
    name: String,
    target: Option<String>,
    pub(super) plugin: Plugin,
    pub(super) kind: String,
    config: String,
    timeout: Duration,
    pub(super) rules: Vec<Rule>,
    labels: Vec<Label>,
    secrets: Option<Template>,
    grants: Arc<Grants>,
    limits: Limits,
    isolation: Isolation,
    services: Arc<Services>,
}

pub fn run(args: ProbeArgs) -> anyhow::Result<ExitCode> {
    if args.debug {
        logging::start(LogFormat::Text);
    }
    runtime()?.block_on(async {
        if let Some(name) = &args.sink {
            return sink::run(&args, name).await;
        }
        let probe = match (&args.plugin, &args.name) {
            (Some(file), _) => of_file(file, args.kind.as_deref()).await?,
            (None, Some(name)) => of_configuration(&args.config, name, None).await?,
            (None, None) => return Err(Failure::usage("name a check or a plugin file").into()),
        };
        let ran = probe.run().await;
        print!("{}", nagios(&ran.judgement, &ran.metrics));
        if args.debug {
            eprint!("{}", ran.debug(&probe));
        }
        Ok(ExitCode::from(exit_code(ran.judgement.status)))
    })
}

/// A check of a configuration; `file` is run in place of the plugin in its folder.
pub(super) async fn of_configuration(path: &Path, name: &str, file: Option<&Path>) -> anyhow::Result<Probe> {
    let config = load(path)?;
    tell(&config.warnings);
    let check = config.checks.iter().find(|check| check.name == name).ok_or_else(|| no_check(&config, path, name))?;
    if check.origin != Origin::Plugin {
        let told = format!("the check `{name}` is none of a plugin");
        return Err(Failure::usage(format!("{told}; hint: `sickbay status {name}` asks a running Sickbay for it")).into());
    }
    logging::mask_by(&config.services.shapes);
    let services = Services::new(&config.services)?;
    let file = match file {
        Some(file) if !file.exists() => return Err(no_file(file).into()),
        Some(file) => file.to_path_buf(),
        None => config.plugins.dir.join(format!("{}.wasm", check.plugin)),
    };
    if !file.exists() {
        return Err(no_plugin(&config, &check.plugin_use()).into());
    }
    let loaded = open(&sandbox(&config)?, &services, &file).await?;
    tell(&verdict(loaded.judge(&[check.plugin_use()])).map_err(|errors| mistakes(&errors))?);
    let kind = loaded.kind_of(&check.plugin_use()).map_err(Failure::usage)?.to_owned();
    Ok(Probe {
        name: check.written_name().to_owned(),
        target: check.target.clone(),
        kind,
        config: check.config_text.to_string(),
        timeout: check.timeout,
        rules: check.rules.clone(),
        labels: check.labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect(),
        secrets: check.secrets.clone(),
        grants: Arc::clone(&check.grants),
        limits: config.limits_of(check),
        isolation: check.isolation,
        services,
        plugin: loaded.plugin,
    })
}

/// On standard error: standard output is for Nagios.
fn tell(warnings: &[Diagnostic]) {
    for warning in warnings {
        eprintln!("{warning}\n");
    }
}

pub(super) fn no_check(config: &Config, path: &Path, name: &str) -> Failure {
    let names: Vec<&str> = config.checks.iter().map(|check| check.name.as_str()).collect();
    no_such(Sort::Check, &names, path, name)
}

/// `names` are those that there are.
fn no_such(sort: Sort, names: &[&str], path: &Path, name: &str) -> Failure {
    const NAMES_SHOWN_MAX: usize = 20;
    let sort = sort.as_str();
    let known = names.iter().take(NAMES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    let hint = match (nearest(name, names), names.len()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, 0) => format!("it has none yet; add a `[[{sort}]]`"),
        (None, count) if count > NAMES_SHOWN_MAX => format!("there are: {known} and {} more", count - NAMES_SHOWN_MAX),
        (None, _) => format!("there are: {known}"),
    };
    Failure::usage(format!("there is no {sort} `{name}` in {}", path.display())).with_hint(hint)
}

fn no_plugin(config: &Config, used: &PluginUse<'_>) -> Failure {
    let names = plugins_in(&config.plugins.dir);
    let present: Vec<&str> = names.iter().map(String::as_str).collect();
    let (message, hint) = reload::absent(used.plugin, &config.plugins.dir, &config.dir, &present);
    let place = format!("{}:{}", used.place.file().display(), used.place.line());
    Failure::usage(format!("{message}: the {} at {place} waits for it", used.told())).with_hint(hint)
}

fn no_file(file: &Path) -> Failure {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = plugins_in(folder);
    let present: Vec<&str> = names.iter().map(String::as_str).collect();
    let wanted = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let hint = match nearest(wanted, &present) {
        Some(meant) => format!("did you mean {}?", file.with_file_name(format!("{meant}.wasm")).display()),
        None => "name the .wasm file of a plugin; `sickbay build` makes one from its sources".to_owned(),
    };
    Failure::usage(format!("there is no file {}", file.display())).with_hint(hint)
}

/// The names of the plugins in a folder; none where it cannot be read.
fn plugins_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| name_of(&entry.path())).take(PLUGINS_MAX).collect();
    names.sort();
    names
}

/// A kind of a plugin with its own example and no grants.
pub(super) async fn of_file(file: &Path, kind: Option<&str>) -> anyhow::Result<Probe> {
    let (services, loaded) = load_file(file).await?;
    let kind = pick(&loaded.plugin.descriptor.checks, kind)?;
    Ok(Probe {
        name: "probe".to_owned(),
        target: None,
        kind: kind.name.clone(),
        config: kind.example.clone(),
        timeout: Duration::from_secs(10),
        rules: Vec::new(),
        labels: Vec::new(),
        secrets: None,
        grants: Arc::default(),
        limits: Limits::default(),
        isolation: Isolation::Fresh,
        services,
        plugin: loaded.plugin,
    })
}

/// A plugin by its file alone, with nothing of a configuration.
pub(super) async fn load_file(file: &Path) -> anyhow::Result<(Arc<Services>, Loaded)> {
    if !file.exists() {
        return Err(no_file(file).into());
    }
    let services = Services::new(&ServiceSettings::default())?;
    let sandbox = Sandbox::new(&SandboxSettings { artifacts: artifacts(&std::env::temp_dir()), worker: std::env::current_exe()? })?;
    let loaded = open(&sandbox, &services, file).await?;
    Ok((services, loaded))
}

fn pick<'a>(kinds: &'a [Kind], wanted: Option<&str>) -> Result<&'a Kind, Failure> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    match (wanted, kinds) {
        (_, []) => Err(Failure::usage("the plugin has no kind of check")
            .with_hint("`sickbay inspect FILE` tells what it has; a sink is tried with a configuration: `sickbay probe --sink NAME`")),
        (Some(name), _) => kinds.iter().find(|kind| kind.name == name).ok_or_else(|| {
            let hint = match nearest(name, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has: {}", names.join(", ")),
            };
            Failure::usage(format!("the plugin has no kind `{name}`")).with_hint(hint)
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::usage("the plugin has several kinds").with_hint(format!("name one with --kind: {}", names.join(", ")))),
    }
}

async fn open(sandbox: &Sandbox, services: &Arc<Services>, file: &Path) -> anyhow::Result<Loaded> {
    let name = name_of(file).unwrap_or_else(|| "plugin".to_owned());
    let refused = |error: sickbay_runtime::LoadError| {
        let failure = Failure::new(format!("the plugin {} cannot be loaded: {}", file.display(), error.message));
        match error.hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    };
    let bytes = read_bounded(file).map_err(refused)?;
    let plugin = sandbox.load(&name, bytes, nothing(services, &name)).await.map_err(refused)?;
    Ok(Loaded::new(plugin, clock::now()))
}

struct Ran {
    judgement: Judgement,
    metrics: Arc<[Metric]>,
    details: Option<String>,
    usage: RunUsage,
    calls: Usage,
    output: String,
    /// The next run of a warm check would have its instance.
    is_kept: bool,
}

impl Probe {
    /// A secret that `config` names cannot be had: the guest is not asked.
    fn without_secret(&self, error: &OpenError) -> Ran {
        let failure = sickbay_core::Failure { kind: "configuration".to_owned(), message: error.to_string() };
        let Judged { judgement, .. } = judge(Finding::Failure(failure), &self.rules, Past::default());
        Ran {
            judgement,
            metrics: Arc::from([]),
            details: None,
            usage: RunUsage::default(),
            calls: Usage::default(),
            output: String::new(),
            is_kept: false,
        }
    }

    async fn run(&self) -> Ran {
        let (outcome, kept) = match self.run_on(None).await {
            Ok(ended) => ended,
            Err(error) => return self.without_secret(&error),
        };
        let secrets = outcome.lent.secrets().clone();
        // One run knows no past: conditions with a duration do not count yet.
        let finding = mask_finding(&**self.services.shapes(), secrets.mask_finding(outcome.finding));
        let Judged { judgement, report, .. } = judge(finding, &self.rules, Past::default());
        let (metrics, details) = report.map(|report| (report.metrics, report.details)).unwrap_or_default();
        Ran {
            judgement,
            metrics,
            details,
            usage: outcome.usage,
            calls: outcome.lent.finish(),
            output: self.services.shapes().masked(secrets.mask_text(&outcome.output).into_owned()),
            is_kept: kept.is_some(),
        }
    }

    /// One run on `kept`, or on a fresh instance where there is none; with the instance, where another run may have it.
    ///
    /// # Errors
    /// When a secret that `config` names cannot be had.
    pub(super) async fn run_on(
        &self,
        kept: Option<WarmInstance<Lent>>,
    ) -> Result<(RunOutcome<Lent>, Option<WarmInstance<Lent>>), OpenError> {
        let scope = RunScope {
            check: Arc::from(self.name.as_str()),
            plugin: Arc::clone(&self.plugin.name),
            run_id: 1,
            deadline: Instant::now() + host_calls_end(self.timeout),
            state: Arc::new(BTreeMap::new()),
        };
        let (config, placeholders) = guest::open_config(&self.services, &self.config, self.secrets.as_ref(), scope.deadline).await?;
        let lent = Lent::new(&self.services, &self.grants, &self.limits, scope).with_secrets(placeholders);
        let request = CheckRequest {
            check: &self.name,
            target: self.target.as_deref(),
            kind: &self.kind,
            config: &config,
            scheduled_at: clock::now(),
            attempt: 1,
            labels: &self.labels,
            previous: None,
        };
        Ok(self.plugin.check_warm(kept, &request, lent, &self.limits, self.timeout).await)
    }
}

impl Ran {
    fn debug(&self, probe: &Probe) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        line("plugin", format!("{} {} ({})", probe.plugin.name, probe.plugin.descriptor.version, &probe.plugin.sha256[..12]));
        line("kind", probe.kind.clone());
        line("reason", format!("{}: {}", self.judgement.reason.name(), shown(&self.judgement.reason.to_string())));
        for evidence in &self.judgement.evidence {
            line("evidence", shown(&format!("{} is {}, expected {}", evidence.metric, evidence.actual, evidence.expected)));
        }
        for (capability, reason) in &self.calls.denials {
            line("denied", format!("{} ({})", capability.as_str(), reason.as_str()));
        }
        if probe.isolation != Isolation::Fresh {
            let fate = if self.is_kept { "kept for the next run" } else { "dropped: it did not report, or left a handle open" };
            line("instance", format!("fresh; in `serve` it would be {fate}"));
        }
        for (name, value) in measured(&self.usage, &self.calls) {
            line(name, value);
        }
        if let Some(details) = &self.details {
            line("details", shown(details));
        }
        for output in self.output.lines() {
            line("output", shown(output));
        }
        text
    }
}

/// What a run used.
fn measured(usage: &RunUsage, calls: &Usage) -> [(&'static str, String); 4] {
    [
        ("wall", format!("{:.3} ms", usage.wall_us as f64 / 1000.0)),
        ("cpu", format!("{:.3} ms", usage.cpu_us as f64 / 1000.0)),
        ("memory", format!("{} KiB", usage.memory_bytes / 1024)),
        ("host calls", format!("{} ({} bytes out, {} bytes in)", calls.host_calls, calls.bytes_out, calls.bytes_in)),
    ]
}

/// Text of a guest on a terminal: what would act on it stays visible and without effect.
fn shown(text: &str) -> String {
    escaped(text).to_string()
}

fn exit_code(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Warning => 1,
        Status::Critical => 2,
        Status::Unknown => 3,
    }
}

/// `STATUS - summary | 'label'=value[unit] ...` as the Monitoring Plugins guidelines define it.
fn nagios(judgement: &Judgement, metrics: &[Metric]) -> String {
    let mut line = format!("{} - {}", judgement.status.as_str().to_uppercase(), shown(&judgement.told()).replace('|', "/"));
    for (index, metric) in metrics.iter().enumerate() {
        line.push_str(if index == 0 { " |" } else { "" });
        let _ = write!(line, " '{}'={}{}", performance_label(metric), metric.value, performance_unit(metric));
    }
    line.push('\n');
    line
}

fn performance_label(metric: &Metric) -> String {
    let mut label = metric.name.clone();
    for part in &metric.labels {
        let _ = write!(label, "_{}", part.value);
    }
    label.chars().map(|character| if matches!(character, '\'' | '=' | '|') || character.is_control() { '_' } else { character }).collect()
}

fn performance_unit(metric: &Metric) -> &'static str {
    match (metric.kind, metric.unit.as_str()) {
        (MetricKind::Counter, _) => "c",
        (MetricKind::Gauge, "seconds") => "s",
        (MetricKind::Gauge, "bytes") => "B",
        (MetricKind::Gauge, _) => "",
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::Reason;

    use super::*;

    #[test]
    fn what_is_not_there_is_told_with_what_was_meant() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        std::fs::create_dir(dir.path().join("plugins")).expect("the folder is writable");
        std::fs::write(dir.path().join("plugins/http.wasm"), "").expect("the folder is writable");
        std::fs::write(&path, "[[check]]\nname = \"api\"\nplugin = \"htpp\"\nevery = \"10s\"\n").expect("the folder is writable");
        let config = crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let slip = no_check(&config, &path, "apj");
        assert_eq!(slip.hint(), Some("did you mean `api`?"));
        assert_eq!(no_check(&config, &path, "something-else").hint(), Some("there are: api"));
        let plugin = no_plugin(&config, &config.checks[0].plugin_use());
        let place = format!("{}:1", path.display());
        assert_eq!(plugin.to_string(), format!("no plugin `htpp` in `plugins/`: the check `api` at {place} waits for it"));
        assert_eq!(plugin.hint(), Some("did you mean `http`?"));
        let meant = format!("did you mean {}?", dir.path().join("plugins/http.wasm").display());
        assert_eq!(no_file(&dir.path().join("plugins/htp.wasm")).hint(), Some(meant.as_str()));
        assert!(no_file(Path::new("absent/x.wasm")).hint().is_some_and(|hint| hint.contains("sickbay build")));
    }

    #[test]
    fn the_line_is_what_nagios_reads() {
        let judgement = Judgement {
            status: Status::Warning,
            summary: "slow | 1s\u{1b}".to_owned(),
            reason: Reason::Passed,
            failure: None,
            evidence: Vec::new(),
        };
        let metric = |name: &str, value, unit: &str, labels: &[(&str, &str)]| Metric {
            name: name.to_owned(),
            value,
            kind: MetricKind::Gauge,
            unit: unit.to_owned(),
            labels: labels.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect(),
        };
        let metrics = [metric("latency_seconds", 0.25, "seconds", &[]), metric("used", 1.0, "ratio", &[("mount", "/a'b=c")])];
        assert_eq!(nagios(&judgement, &metrics), "WARNING - slow / 1s\\u{1b} | 'latency_seconds'=0.25s 'used_/a_b_c'=1\n");
    }
}
