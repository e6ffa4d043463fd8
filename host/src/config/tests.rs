use std::fs;
use std::time::Duration;

use sickbay_core::{FlapThresholds, Requirement, Status};
use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder is writable");
        fs::write(path, text).expect("the folder is writable");
    }
    dir
}

fn load_text(text: &str) -> Result<Config, ConfigErrors> {
    let dir = folder(&[("sickbay.toml", text)]);
    load(&dir.path().join("sickbay.toml"))
}

fn good(text: &str) -> Config {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn messages(result: Result<Config, ConfigErrors>) -> Vec<String> {
    result.expect_err("there are mistakes").errors.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn check(extra: &str) -> String {
    format!("[[check]]\nname = \"api\"\nplugin = \"http\"\nevery = \"10s\"\n{extra}\n")
}

#[test]
fn an_empty_file_has_every_default_and_one_warning() {
    let config = good("");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9470");
    assert_eq!(config.plugins.dir, config.dir.join("plugins"));
    assert_eq!(config.store.url, "sqlite:sickbay.db");
    assert_eq!(config.retention.ok, Duration::from_secs(86_400));
    assert_eq!(
        config.settings_of("http"),
        PluginSettings { owner: None, isolation: Isolation::Fresh, concurrency: 64, limits: Limits::default() }
    );
    assert_eq!(config.warnings.iter().map(|warning| warning.message.as_str()).collect::<Vec<_>>(), ["no check is configured"]);
}

#[test]
fn the_page_of_alerts_has_an_address_that_people_can_open() {
    let external_url = |text: &str| good(&format!("[server]\nexternal_url = \"{text}\"\n")).server.external_url;
    assert_eq!(external_url("https://sickbay.example/behind/").as_deref(), Some("https://sickbay.example/behind"));
    assert_eq!(external_url("http://127.0.0.1:9470").as_deref(), Some("http://127.0.0.1:9470"));
    for wrong in ["sickbay.example", "ftp://sickbay.example", "https://me:hunter2@sickbay.example", "https://sickbay.example/?a", "/"] {
        let text = format!("[server]\nexternal_url = \"{wrong}\"\n");
        let errors = load_text(&text).expect_err(wrong).to_string();
        assert!(errors.contains("`external_url` is no address of a page") && !errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn more_warm_checks_than_instances_that_are_kept_are_a_warning() {
    let warnings = |warm: usize| {
        let named = |number: usize| check(if number < warm { "" } else { "isolation = \"fresh\"" }).replace("api", &format!("c-{number}"));
        let checks: String = (0..=WARM_MAX).map(named).collect();
        let config = good(&format!("[plugin.http]\nisolation = \"warm\"\n{checks}"));
        config.warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    assert_eq!(warnings(WARM_MAX), Vec::<String>::new());
    assert_eq!(warnings(WARM_MAX + 1), ["65 checks have `isolation = \"warm\"`, and 64 instances are kept"]);
}

#[test]
fn a_check_has_its_defaults() {
    let config = good(&check("critical = [\"report.metrics.a > 1.0\"]\nwarning = [\"report.metrics.a > 0.5\"]"));
    let check = config.checks.first().expect("there is one check");
    assert_eq!((check.schedule.interval(), check.timeout), (Some(Duration::from_secs(10)), Duration::from_secs(10)));
    assert_eq!((&check.retry, &check.target), (&None, &None));
    assert_eq!(check.policy, Policy { failures: 3, successes: 2, flapping: Some(FlapThresholds::default()) });
    assert!(check.depends_on.is_empty());
    assert_eq!(&*check.config_text, "{}");
    assert_eq!(check.rules.iter().map(|rule| rule.status).collect::<Vec<_>>(), [Status::Critical, Status::Warning]);
    assert_eq!(config.limits_of(check), Limits::default());
    assert_eq!(check.record, Record::Off);
    assert_eq!(config.transcripts, TranscriptSettings { dir: config.dir.join("transcripts"), bytes_max: 256_000_000 });
    assert!(config.warnings.is_empty());
}

#[test]
fn flapping_has_thresholds_of_its_own_or_none() {
    let thresholds = |extra: &str| good(&check(extra)).checks[0].policy.flapping.map(|found| (found.start_permille, found.stop_permille));
    let pushed =
        |extra: &str| good(&format!("[[check]]\nname = \"job\"\npush = {{ within = \"25h\" }}\n{extra}")).checks[0].policy.flapping;
    assert_eq!((pushed(""), pushed("flapping = true").is_some()), (None, true));
    assert_eq!(thresholds("flapping = false"), None);
    assert_eq!(thresholds("flapping = true"), Some((500, 250)));
    assert_eq!(thresholds("flapping = { start = 0.3 }"), Some((300, 150)));
    assert_eq!(thresholds("flapping = { start = 1, stop = 0.75 }"), Some((1000, 750)));
}

#[test]
fn a_condition_with_a_duration_keeps_it() {
    let config = good(&check("warning = [{ when = \"report.metrics.a > 0.5\", for = \"5m\" }, \"report.metrics.a > 1.0\"]"));
    let rules: Vec<_> =
        config.checks[0].rules.iter().map(|rule| (rule.condition.source(), rule.lasting.map(|lasting| lasting.duration))).collect();
    assert_eq!(rules, [("report.metrics.a > 0.5", Some(Duration::from_secs(300))), ("report.metrics.a > 1.0", None)]);
}

#[test]
fn a_target_is_filled_into_the_names_of_parents() {
    let of = |name: &str, extra: &str| check(extra).replace("\"api\"", &format!("\"{name}\""));
    let targets = "targets = [\"a\", \"b\"]\n";
    let config = good(&(of("ping", targets) + &of("api", &format!("{targets}depends_on = [\"ping@{{{{target}}}}\"]"))));
    let parents: Vec<_> = config.checks.iter().map(|check| check.depends_on.clone()).collect();
    let one = |parent: &str| vec![Requirement::One(parent.to_owned())];
    assert_eq!(parents, [vec![], vec![], one("ping@a"), one("ping@b")]);
}

#[test]
fn a_timeout_that_is_not_written_follows_the_cadence_between_one_second_and_ten() {
    let timeout = |every: &str| good(&check("").replace("10s", every)).checks.first().map(|check| check.timeout);
    assert_eq!(timeout("100ms"), Some(Duration::from_secs(1)));
    assert_eq!(timeout("5s"), Some(Duration::from_secs(5)));
    assert_eq!(timeout("1h"), Some(Duration::from_secs(10)));
}

#[test]
fn files_of_the_folder_are_merged_in_the_order_of_their_names() {
    let other = |name: &str| check("").replace("api", name);
    let dir = folder(&[("sickbay.toml", &check("")), ("checks.d/20.toml", &other("c")), ("checks.d/10.toml", &other("b"))]);
    let config = load(&dir.path().join("sickbay.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>(), ["api", "b", "c"]);
    assert_eq!(config.files.len(), 3);
    assert_eq!(config.checks.last().map(|check| check.place.file().to_path_buf()), Some(dir.path().join("checks.d/20.toml")));
}

#[test]
fn mistakes_of_all_files_are_found_together() {
    let dir = folder(&[
        ("sickbay.toml", "[server]\nlisten = \"0.0.0.0:80\"\nport = 80\n"),
        ("checks.d/a.toml", "[[check]\n"),
        ("checks.d/b.toml", "[server]\nlisten = \"127.0.0.1:80\"\n"),
        ("checks.d/c.toml", "[[check]]\nname = \"A\"\nplugin = \"http\"\nevery = \"soon\"\n"),
    ]);
    assert_eq!(
        messages(load(&dir.path().join("sickbay.toml"))),
        [
            "a `listen` address that is not loopback needs a token",
            "unknown key `port` in `[server]`",
            "this is not valid TOML",
            "`[server]` does not belong in a file of `checks.d`",
            "`name` is not a name: \"A\"",
            "`every` is not a duration",
        ]
    );
}

#[test]
fn a_check_lowers_the_limits_of_its_plugin_and_no_more() {
    let plugin = "[plugin.http]\nowner = \"platform\"\nconcurrency = 8\nlimits = { cpu_ms = 100, memory_bytes = \"32MiB\" }\n";
    let config = good(&format!("{plugin}{}", check("limits = { cpu_ms = 50 }")));
    let limits = config.limits_of(config.checks.first().expect("there is one check"));
    assert_eq!((limits.cpu_ms, limits.memory_bytes, limits.host_calls), (50, 32 << 20, 100));
    assert_eq!(config.settings_of("http").owner.as_deref(), Some("platform"));
    let raised = load_text(&format!("{plugin}{}", check("limits = { cpu_ms = 101, memory_bytes = \"64MiB\" }")));
    assert_eq!(messages(raised), ["`cpu_ms` is above the limit of the plugin", "`memory_bytes` is above the limit of the plugin"]);
}

#[test]
fn a_check_with_targets_is_one_check_for_each() {
    let more = "targets = [\"a\", \"b/c\"]\nlabels = { service = \"x\" }\nretry_every = \"1s\"\n\
                config = { url = \"http://{{target}}/\" }\ngrants = { http = [\"GET http://{{target}}/\"] }";
    let config = good(&check(more));
    let told: Vec<_> = config
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.written_name(), check.target.as_deref(), &*check.config_text, check.labels.len()))
        .collect();
    assert_eq!(
        told,
        [("api@a", "api", Some("a"), "{\"url\":\"http://a/\"}", 2), ("api@b/c", "api", Some("b/c"), "{\"url\":\"http://b/c/\"}", 2),]
    );
    let [first, second] = config.checks.as_slice() else { panic!("there are two checks") };
    assert_ne!(first.grants.http, second.grants.http);
    assert_ne!(first.schedule, second.schedule, "each has a phase of its own");
    assert_eq!(first.retry, Some(Schedule::every("api@a", Duration::from_secs(1))));
    assert_eq!((second.labels["target"].as_str(), second.labels["service"].as_str()), ("b/c", "x"));
}

#[test]
fn targets_are_bounded() {
    let with = |count: usize| {
        let targets: Vec<String> = (0..count).map(|number| format!("\"host-{number}\"")).collect();
        load_text(&check(&format!("targets = [{}]", targets.join(", "))))
    };
    assert_eq!(with(1000).map(|config| config.checks.len()).ok(), Some(1000));
    assert_eq!(messages(with(1001)), ["too many targets"]);
    let long = |bytes: usize| load_text(&check(&format!("targets = [\"{}\"]", "x".repeat(bytes))));
    assert!(long(256).is_ok());
    assert_eq!(messages(long(257)), ["the target is too long"]);
    assert_eq!(messages(load_text(&check("targets = [\"a\\nb\"]"))).len(), 1);
}

#[test]
fn a_mistake_of_all_targets_is_told_once() {
    let targets = "targets = [\"a\", \"b\", \"c\"]";
    assert_eq!(messages(load_text(&check(&format!("{targets}\ngrants = {{ system = [\"gpu\"] }}")))).len(), 1);
}

#[test]
fn a_check_with_cron_has_no_interval_and_the_longer_default_timeout() {
    let text = check("timezone = \"Europe/Berlin\"").replace("every = \"10s\"", "cron = \"0 2  * * *\"");
    let config = good(&text);
    let check = config.checks.first().expect("there is one check");
    assert_eq!((check.schedule.interval(), check.timeout), (None, Duration::from_secs(10)));
    let cron = check.schedule.cron().map(|cron| (cron.expression(), cron.zone().name()));
    assert_eq!(cron, Some(("0 2 * * *", "Europe/Berlin")));
}

#[test]
fn the_url_of_the_store_comes_from_the_environment_or_a_file() {
    // A test has it, whatever starts it.
    let path = std::env::var("PATH").expect("a test has one");
    assert_eq!(good("[store]\nurl = \"sqlite:${PATH}.db\"\n").store.url, format!("sqlite:{path}.db"));
    let url = "postgres://me:hunter2@db/checks";
    let dir = folder(&[("sickbay.toml", "[store]\nurl_file = \"store.url\"\n"), ("store.url", &format!("{url}\n"))]);
    let load = || load(&dir.path().join("sickbay.toml"));
    let config = load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.store.url.as_str(), &config.beside), (url, &vec![dir.path().join("store.url")]));
    assert_eq!(config.confidential, config.beside);
    assert!(!format!("{config:?}").contains("hunter2"));
    for wrong in [format!("{url}?nonsense=1"), "hunter2".to_owned(), String::new()] {
        fs::write(dir.path().join("store.url"), wrong).expect("the folder is writable");
        let told = load().expect_err("it names no store").to_string();
        assert!(told.contains("`url_file` names no store") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_not_told_again_where_a_grant_names_it() {
    let grants = "grants = { postgres = [{ source = \"main\" }], secrets = [{ name = \"key\" }] }";
    let told = messages(load_text(&format!("[sources.postgres.main]\n[secrets.key]\n{}", check(grants))));
    assert_eq!(told, ["the source `main` has neither `url` nor `url_file`", "the secret `key` has not exactly one of `env` and `file`"]);
}

#[test]
fn a_secret_that_cannot_be_used_is_a_warning_at_its_table() {
    let dir = folder(&[
        ("sickbay.toml", &format!("[secrets.good]\nfile = \"good\"\n[secrets.short]\nfile = \"short\"\n{}", check(""))),
        ("good", "swordfish"),
        ("short", "?!"),
    ]);
    let config = load(&dir.path().join("sickbay.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let [warning] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert_eq!((warning.severity, warning.line, warning.column), (Severity::Warning, 3, 10));
    let told = warning.to_string();
    assert!(told.contains("the secret `short` cannot be used") && told.contains("\n  hint: use a longer secret"), "{told}");
    assert!(!told.contains("?!"), "{told}");
}

#[test]
fn a_pipe_or_a_file_without_end_is_told_at_the_key_that_names_it() {
    let dir = folder(&[]);
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::Mode::RUSR).expect("a pipe");
    let pairs = "cert_file = \"pipe\", key_file = \"/dev/zero\"";
    let own = "cert_file = \"/dev/zero\"\nkey_file = \"pipe\"";
    for (text, expected) in [
        ("[egress]\nca_file = \"pipe\"\n".to_owned(), vec![(2, "`ca_file`")]),
        (format!("[server]\ntls = {{ {pairs} }}\n"), vec![(2, "`cert_file`"), (2, "`key_file`")]),
        ("[sources.redis.a]\nurl = \"rediss://a\"\nca_file = \"pipe\"\n".to_owned(), vec![(3, "`ca_file`")]),
        (format!("[sources.redis.a]\nurl = \"rediss://a\"\n{own}\n"), vec![(3, "`cert_file`"), (4, "`key_file`")]),
        (
            "[sources.postgres.a]\nurl = \"postgres://u@a?sslmode=verify-full&sslrootcert=pipe&sslcert=pipe&sslkey=/dev/zero\"\n"
                .to_owned(),
            vec![(2, "`sslrootcert` in `url`"), (2, "`sslcert` in `url`"), (2, "`sslkey` in `url`")],
        ),
        ("[sources.postgres.a]\nurl_file = \"pipe\"\n".to_owned(), vec![(2, "`url_file`")]),
        ("[store]\nurl = \"postgres://u@a/b?sslrootcert=/dev/zero\"\n".to_owned(), vec![(2, "`sslrootcert` in `url`")]),
        ("[[token]]\nname = \"a\"\nrole = \"viewer\"\nhash_file = \"pipe\"\n".to_owned(), vec![(4, "`hash_file`")]),
    ] {
        fs::write(dir.path().join("sickbay.toml"), &text).expect("the folder is writable");
        let errors = load(&dir.path().join("sickbay.toml")).expect_err(&text).errors;
        let told: Vec<(usize, String)> = errors.iter().map(|error| (error.line, error.message.clone())).collect();
        let expected: Vec<(usize, String)> =
            expected.into_iter().map(|(line, key)| (line, format!("{key} is no file that can be read"))).collect();
        assert_eq!(told, expected, "{text}");
        let is_told =
            |error: &Diagnostic| error.reason.as_deref().is_some_and(|reason| reason.ends_with("is a pipe, a socket or a device"));
        assert!(errors.iter().all(is_told), "{errors:?}");
    }
}

#[test]
fn text_that_looks_like_a_variable_stays_text() {
    let config = good(&check("config = { url = \"${HOME}\" }"));
    assert_eq!(config.checks.first().map(|check| check.config_text.to_string()).as_deref(), Some("{\"url\":\"${HOME}\"}"));
}

#[test]
fn the_config_of_a_plugin_is_bounded() {
    assert_eq!(messages(load_text(&check(&format!("config = {{ text = \"{}\" }}", "x".repeat(64 << 10))))), ["`config` is too large"]);
}

#[test]
fn a_timeout_longer_than_the_cadence_is_a_warning() {
    let config = good(&check("timeout = \"11s\""));
    assert_eq!(config.warnings.first().map(|warning| (warning.severity, warning.line)), Some((Severity::Warning, 5)));
}

#[test]
fn a_path_that_is_missing_is_one_mistake() {
    let dir = folder(&[]);
    assert_eq!(messages(load(&dir.path().join("sickbay.toml"))), ["there is no such file"]);
    assert_eq!(messages(load(dir.path())), ["this is a folder, not a file"]);
}

const SCHEMA: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "required": ["url"],
    "properties": {
        "url": { "type": "string", "description": "What is asked." },
        "port": { "type": "integer", "minimum": 1 },
        "method": { "enum": ["GET", "HEAD"] }
    }
}"#;

fn check_against(check: &Check, plugin: &str, kinds: &[KindInfo<'_>]) -> Vec<Diagnostic> {
    PluginJudge::new(plugin, kinds).judge(&check.plugin_use())
}

fn against(extra: &str, kinds: &[&str]) -> Vec<String> {
    let metrics = ["latency_seconds".to_owned(), "phase_*".to_owned()];
    let kinds: Vec<KindInfo<'_>> =
        kinds.iter().map(|name| KindInfo { name, config_schema: SCHEMA, metrics: &metrics, needs: &[] }).collect();
    let config = good(&check(extra));
    let check = config.checks.first().expect("there is one check");
    check_against(check, "http", &kinds).iter().map(|found| format!("{}:{} {}", found.line, found.column, found.message)).collect()
}

#[test]
fn a_check_that_suits_its_plugin_has_nothing_wrong() {
    let extra = "config = { url = \"x\" }\ncritical = [\"report.metrics.latency_seconds > 1.0 || report.metrics.phase_dns > 1.0\"]";
    assert!(against(extra, &["http"]).is_empty());
    assert!(against(&format!("kind = \"http\"\n{extra}"), &["http", "websocket"]).is_empty());
}

#[test]
fn a_kind_is_found_or_asked_for() {
    let url = "config = { url = \"x\" }";
    assert_eq!(against(url, &["http", "websocket"]), ["1:1 missing key `kind` in `[[check]]`"]);
    assert_eq!(against(&format!("kind = \"htpt\"\n{url}"), &["http"]), ["5:8 plugin `http` has no kind `htpt`"]);
    assert_eq!(against(url, &[]), ["3:10 plugin `http` has no kinds of check"]);
}

#[test]
fn mistakes_in_the_config_point_at_the_key_or_the_value() {
    assert_eq!(against("", &["http"]), ["1:1 missing key `url` in `config`"]);
    assert_eq!(against("config = {}", &["http"]), ["5:10 missing key `url` in `config`"]);
    assert_eq!(against("config = { url = \"x\", prot = 1 }", &["http"]), ["5:23 unknown key `prot` in `config`"]);
    assert_eq!(against("config = { url = 7 }", &["http"]), ["5:18 `config.url` must be a text, not a whole number"]);
    assert_eq!(against("config = { url = \"x\", port = 0 }", &["http"]), ["5:30 `config.port` does not fit the plugin's schema"]);
    assert_eq!(
        against("[check.config]\nurl = \"x\"\nmethod = \"GTE\"", &["http"]),
        ["7:10 `config.method` has a value that the plugin does not know"]
    );
}

#[test]
fn a_condition_on_a_metric_that_the_kind_does_not_report_is_refused() {
    let extra = "config = { url = \"x\" }\ncritical = [\"report.metrics.latency > 1.0\"]";
    assert_eq!(against(extra, &["http"]), ["6:29 kind `http` of plugin `http` reports no metric `latency`"]);
}

#[test]
fn a_broken_schema_of_a_plugin_is_a_warning_and_reaches_nothing_outside() {
    for schema in ["{", "{\"type\": 7}", "{\"$ref\": \"https://example.com/schema.json\"}", "{\"$ref\": \"file:///etc/passwd\"}"] {
        let config = good(&check(""));
        let kinds = [KindInfo { name: "http", config_schema: schema, metrics: &[], needs: &[] }];
        let found = check_against(config.checks.first().expect("there is one check"), "http", &kinds);
        assert_eq!(found.iter().map(|found| found.severity).collect::<Vec<_>>(), [Severity::Warning], "{schema}");
    }
}

fn need(capability: &str, reason: &str, grant: &str) -> sickbay_runtime::Need {
    sickbay_runtime::Need { capability: capability.to_owned(), reason: reason.to_owned(), grant: grant.to_owned() }
}

/// Every finding about a check of a kind with these needs, as `line:column severity: message; hint`.
fn against_needs(extra: &str, needs: &[sickbay_runtime::Need]) -> Vec<String> {
    let kinds = [KindInfo { name: "http", config_schema: "{}", metrics: &[], needs }];
    let config = good(&check(extra));
    let found = check_against(config.checks.first().expect("there is one check"), "http", &kinds);
    let told = |found: &Diagnostic| {
        let hint = found.hint.clone().unwrap_or_default();
        format!("{}:{} {}: {}; {hint}", found.line, found.column, found.severity.as_str(), found.message)
    };
    found.iter().map(told).collect()
}

#[test]
fn what_a_kind_needs_and_its_check_does_not_grant_is_a_warning_with_the_line_to_add() {
    let needs =
        [need("http", "sends the request", "http = [\"GET {url}\"]"), need("system", "", "system = [\"cpu\"]"), need("log", "", "")];
    let url = "config = { url = \"https://example.com/health\" }";
    assert_eq!(
        against_needs(url, &needs),
        [
            "1:1 warning: check `api`: the kind `http` of plugin `http` asks for `http` (sends the request), and nothing of `http` is granted; \
             add `grants = { http = [\"GET https://example.com/health\"] }`",
            "1:1 warning: check `api`: the kind `http` of plugin `http` asks for `system`, and nothing of `system` is granted; \
             add `grants = { system = [\"cpu\"] }`",
        ]
    );
    let granted = format!("{url}\ngrants = {{ system = [\"cpu\"] }}");
    let found = against_needs(&granted, &needs);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("add `http = [\"GET https://example.com/health\"]` to its `grants`"), "{found:?}");
    let found = against_needs("", &needs[..1]);
    assert!(found[0].ends_with("add `grants = { http = [\"GET {url}\"] }`, with what is checked in place of `{url}`"), "{found:?}");
    assert!(against_needs(&format!("{url}\ngrants = {{ http = [\"GET https://example.com/*\"], system = [\"cpu\"] }}"), &needs).is_empty());
}

#[test]
fn what_a_run_would_be_denied_is_a_warning_in_the_words_of_the_run() {
    let sources = "[sources.postgres.main]\nurl = \"postgres://u@db/x\"\n[sources.redis.cache]\nurl = \"redis://cache\"\n";
    let told = |capability: &str, asked: &str, config: &str, grants: &str| {
        let extra = format!("config = {{ {config} }}\ngrants = {{ {grants} }}\n{sources}");
        against_needs(&extra, &[need(capability, "", asked)])
            .into_iter()
            .map(|told| told.replace("1:1 warning: check `api`: ", ""))
            .collect::<Vec<_>>()
    };
    let url = "url = \"https://api.example/status?key=x\"";
    let get = "http = [\"GET {url}\"]";
    for (capability, asked, config, grants, expected) in [
        (
            "http",
            get,
            url,
            "http = [\"GET https://api.example/health\"]",
            "`GET` to api.example:443 is not granted on this path: its runs will be `unknown`; \
             add `http = [\"GET https://api.example/status?*\"]` to its `grants`",
        ),
        (
            "net",
            "net = [\"tcp://{address}\"]",
            "address = \"db.internal:5433\"",
            "net = [\"tcp://db.internal:5432\"]",
            "TCP to db.internal:5433 is not granted: its runs will be `unknown`; add `net = [\"tcp://db.internal:5433\"]` to its `grants`",
        ),
        (
            "system",
            "system = [\"cpu\", \"load\"]",
            "",
            "system = [\"load\"]",
            "reading `cpu` of the machine is not granted: its runs will be `unknown`; add `system = [\"cpu\"]` to its `grants`",
        ),
        (
            "files",
            "files = [{ host = \"/HOST/DIRECTORY\", guest = \"{path}\", mode = \"ro\" }]",
            "path = \"/srv/data\"",
            "files = [{ host = \"/var/backups\", guest = \"/backups\" }]",
            "`/srv/data` is not granted; granted is `/backups`: its runs will be `unknown`; \
             name a path in a granted folder (`guest` of its grant, not `host`), or grant another folder",
        ),
        (
            "postgres",
            "postgres = [{ source = \"{source}\" }]",
            "source = \"mian\"",
            "postgres = [{ source = \"main\" }]",
            "the source `mian` of PostgreSQL is not granted: its runs will be `unknown`; \
             add `postgres = [{ source = \"mian\" }]` to its `grants`",
        ),
        (
            "redis",
            "redis = [{ source = \"{source}\", commands = [\"INFO\"] }]",
            "source = \"cache\"",
            "redis = [{ source = \"cache\", commands = [\"PING\"] }]",
            "`INFO` on the source `cache` is not granted: its runs will be `unknown`; \
             add `redis = [{ source = \"cache\", commands = [\"INFO\"] }]` to its `grants`",
        ),
        (
            "redis",
            "redis = [{ source = \"{source}\", commands = [\"TYPE\", \"LLEN\"], keys = [\"{key}\"] }]",
            "source = \"cahce\", key = \"celery\"",
            "redis = [{ source = \"cache\", commands = [\"*\"] }]",
            "the source `cahce` is not granted: its runs will be `unknown`; \
             add `redis = [{ source = \"cahce\", commands = [\"TYPE\", \"LLEN\"], keys = [\"celery\"] }]` to its `grants`",
        ),
    ] {
        assert_eq!(told(capability, asked, config, grants), [expected]);
    }
    for (capability, asked, config, grants) in [
        ("http", get, url, "http = [\"GET https://api.example/*\"]"),
        ("http", get, url, "http = [\"GET https://api.example/status?key=*\"]"),
        // What only a run knows, or nobody can: an open place, a pattern, words in the place of a value.
        ("http", get, "", "http = [\"GET https://api.example/health\"]"),
        ("http", "http = [\"GET {url}/*\"]", "url = \"https://other.example\"", "http = [\"GET https://api.example/\"]"),
        ("http", "http = [\"GET https://HOST/\"]", "", "http = [\"GET https://api.example/\"]"),
        ("net", "net = [\"tls://{address}\"]", "address = \"mail.example:25\"", "net = [\"tcp://mail.example:25\"]"),
        ("net", "net = [\"tcp://HOST:PORT\"]", "", "net = [\"tcp://mail.example:25\"]"),
        (
            "files",
            "files = [{ host = \"/HOST/DIRECTORY\", guest = \"/logs\", mode = \"ro\" }]",
            "",
            "files = [{ host = \"/var/log\", guest = \"/log\" }]",
        ),
        (
            "redis",
            "redis = [{ source = \"{source}\", commands = [\"COMMAND\"], keys = [\"KEY\"] }]",
            "source = \"cache\"",
            "redis = [{ source = \"cache\", commands = [\"PING\"] }]",
        ),
        ("postgres", "postgres = [{ source = \"{source}\", rows_max = {rows} }]", "source = \"x\"", "postgres = [{ source = \"main\" }]"),
    ] {
        assert_eq!(told(capability, asked, config, grants), Vec::<String>::new(), "{asked} with {config}");
    }
}

#[test]
fn a_sink_has_its_defaults_and_the_limits_of_its_plugin() {
    let config = good("[plugin.webhook]\nlimits = { host_calls = 10 }\n[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n");
    let sink = config.sinks.first().expect("there is one sink");
    assert_eq!((sink.timeout, &*sink.config_text, sink.limits.host_calls), (Duration::from_secs(10), "{}", 10));
    assert_eq!((&sink.kind, &sink.secrets, &*sink.grants), (&None, &None, &Grants::default()));
    let uses: Vec<String> = config.uses_of("webhook").iter().map(PluginUse::told).collect();
    assert_eq!((uses, config.uses_of("http").len()), (vec!["sink `oncall`".to_owned()], 0));
}

#[test]
fn a_sink_is_judged_against_its_plugin_as_a_check_is() {
    let needs = [need("http", "tells", "http = [\"POST {url}\"]")];
    let judged = |extra: &str, kinds: &[&str]| -> Vec<String> {
        let kinds: Vec<KindInfo<'_>> =
            kinds.iter().map(|name| KindInfo { name, config_schema: SCHEMA, metrics: &[], needs: &needs }).collect();
        let config = good(&format!("[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n{extra}\n"));
        let found = PluginJudge::new("webhook", &kinds).judge(&config.sinks[0].plugin_use());
        found.iter().map(|found| format!("{}:{} {}", found.line, found.column, found.message)).collect()
    };
    let url = "config = { url = \"https://a.example/x\" }\ngrants = { http = [\"POST https://a.example/x\"] }";
    assert!(judged(url, &["post"]).is_empty());
    assert_eq!(judged(url, &[]), ["3:10 plugin `webhook` has no kinds of sink"]);
    assert_eq!(judged(url, &["post", "file"]), ["1:1 missing key `kind` in `[[sink]]`"]);
    assert_eq!(
        judged("config = { url = \"https://a.example/x\", prot = 1 }", &["post"]),
        [
            "4:41 unknown key `prot` in `config`",
            "1:1 sink `oncall`: the kind `post` of plugin `webhook` asks for `http` (tells), and nothing of `http` is granted"
        ]
    );
}

#[test]
fn a_template_that_cannot_be_used_is_told_at_its_value() {
    let schema = r#"{ "type": "object", "properties": { "title": { "type": "string", "format": "minijinja" } } }"#;
    let kinds = [KindInfo { name: "line", config_schema: schema, metrics: &[], needs: &[] }];
    let config = good("[[sink]]\nname = \"oncall\"\nplugin = \"log\"\nconfig = { title = \"{{ alert.name | shout }}\" }\n");
    let found = PluginJudge::new("log", &kinds).judge(&config.sinks[0].plugin_use());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].severity, found[0].line, found[0].column), (Severity::Error, 4, 20));
    assert!(found[0].message.contains("`config.title`") && found[0].message.contains("shout"), "{}", found[0].message);
    assert!(found[0].hint.as_deref().is_some_and(|hint| hint.contains("leave `title` out")), "{:?}", found[0].hint);
}

#[test]
fn a_secret_that_is_not_configured_needs_no_grant() {
    let needs = [
        need("secrets", "signs", "secrets = [{ name = \"{signing_secret}\", to = [] }]"),
        need("secrets", "logs in", "secrets = [{ name = \"hook-token\", to = [\"{url}*\"] }]"),
    ];
    let found = against_needs("config = { url = \"https://x/\" }", &needs);
    assert!(found.is_empty(), "{found:?}");
    let found = against_needs("config = { url = \"https://x/\", signing_secret = \"hook-key\" }", &needs);
    assert!(found.len() == 1 && found[0].contains("`secrets` (signs)") && found[0].contains("hook-key"), "{found:?}");
}

#[test]
fn what_can_never_be_sent_is_told_at_its_value() {
    let needs = [need("http", "", "http = [\"{method} {url}\"]"), need("http", "", "http = [\"GET {url}\"]")];
    let found = against_needs("config = { url = \"example.com\", method = \"get\" }\ngrants = { http = [\"GET http://x/\"] }", &needs);
    assert_eq!(
        found,
        [
            "5:18 warning: `config.url` has no scheme; did you mean \"https://example.com\"?",
            "5:42 warning: the method in `config.method` is not in capitals; write \"GET\"",
        ]
    );
}

#[test]
fn a_critical_limit_before_its_warning_is_a_warning_at_its_value() {
    let schema = r#"{ "properties": { "warning_above": { "type": "number" }, "critical_above": { "type": "number" } } }"#;
    let kinds = [KindInfo { name: "http", config_schema: schema, metrics: &[], needs: &[] }];
    let config = good(&check("config = { warning_above = 0.9, critical_above = 0.5 }"));
    let found = check_against(config.checks.first().expect("there is one check"), "http", &kinds);
    let told: Vec<_> = found.iter().map(|found| (found.severity, found.line, found.column, found.message.as_str())).collect();
    let message = "the critical limit 0.5 is reached before the warning limit 0.9, so `warning` is never said";
    assert_eq!(told, [(Severity::Warning, 5, 50, message)]);
}

#[test]
fn a_condition_that_no_report_makes_sense_of_is_refused_without_its_plugin() {
    for condition in ["report.metrics.a", "report.metrics.a == 'x'", "report.summary > 5", "report.metrics.a + 1 > 2.0"] {
        assert_eq!(messages(load_text(&check(&format!("warning = [\"{condition}\"]")))), ["the condition cannot be used"], "{condition}");
    }
}

#[test]
fn the_schema_is_a_json_schema_that_knows_the_keys() {
    let schema = schema();
    assert!(jsonschema::validator_for(&schema).is_ok());
    assert!(schema.pointer("/properties/check/items/properties/every/description").is_some());
}
