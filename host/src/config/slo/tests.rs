use super::super::{Config, ConfigErrors, load};
use super::*;

fn load_text(text: &str) -> Result<Config, ConfigErrors> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("sickbay.toml");
    std::fs::write(&path, text).expect("the folder is writable");
    load(&path)
}

fn good(text: &str) -> Config {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn messages(text: &str) -> Vec<String> {
    load_text(text).expect_err("there are mistakes").errors.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn check(name: &str, more: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nplugin = \"http\"\nevery = \"10s\"\n{more}\n")
}

fn slo(name: &str, more: &str) -> String {
    format!("[[slo]]\nname = \"{name}\"\nobjective = 0.999\n{more}\n")
}

fn members(config: &Config) -> Vec<&str> {
    config.slos[0].members.iter().map(|member| &*member.check).collect()
}

#[test]
fn an_objective_has_its_defaults_and_a_check_of_its_own() {
    let config = good(&(check("api", "labels = { service = \"shop\" }") + &slo("shop", "checks = [\"api\"]")));
    let [slo] = config.slos.as_slice() else { panic!("{:?}", config.slos) };
    let wanted = Objective { target: 0.999, window: WINDOW_DEFAULT, indicator: Indicator::Status(BadFrom::Critical) };
    assert_eq!((slo.name.as_str(), &slo.objective), ("shop", &wanted));
    assert_eq!(slo.members, [SloMember { check: "api".into(), service: Some("shop".into()) }]);
    let own = config.checks.last().expect("two checks");
    assert_eq!((config.checks.len(), own.name.as_str(), own.origin, own.kind.as_deref()), (2, "slo.shop", Origin::Slo, Some("slo")));
    assert_eq!((own.schedule.interval(), own.policy.failures, own.plugin.as_str()), (Some(EVERY), 1, ""));
    let labels: Vec<(&str, &str)> = own.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("slo", "shop")]);
    assert_eq!((own.place.line(), config.warnings.len()), (6, 0));
}

#[test]
fn what_is_written_is_kept() {
    let text = slo(
        "fast",
        "checks = [\"a\"]\nwindow = \"7d\"\nlatency = { metric = \"seconds\", below = 2 }\nlabels = { severity = \"P3\", team = \"x\" }",
    );
    let config = good(&(check("a", "") + &text));
    let wanted = Indicator::Latency { metric: "seconds".to_owned(), below: 2.0 };
    assert_eq!((&config.slos[0].objective.indicator, config.slos[0].objective.window.as_secs()), (&wanted, 7 * 86_400));
    let labels = &config.checks.last().expect("two checks").labels;
    assert_eq!((labels["severity"].as_str(), labels["team"].as_str()), ("P3", "x"));
    let config = good(&(check("a", "") + &slo("b", "checks = [\"a\"]\nbad = \"warning\"")));
    assert_eq!(config.slos[0].objective.indicator, Indicator::Status(BadFrom::Warning));
}

#[test]
fn checks_are_named_by_patterns_each_once_and_never_those_of_objectives() {
    let checks = check("db-2", "") + &check("db-1", "") + &check("web", "targets = [\"a\", \"b\"]");
    assert_eq!(
        members(&good(&(checks.clone() + &slo("s", "checks = [\"db-*\", \"db-1\", \"web@*\"]")))),
        ["db-1", "db-2", "web@a", "web@b"]
    );
    let both = checks + &slo("s", "checks = [\"*\"]") + &slo("t", "checks = [\"*\"]");
    assert_eq!(members(&good(&both)).len(), 4);
    assert_eq!(good(&both).checks.len(), 6);
}

#[test]
fn checks_are_meant_by_all_matchers_over_their_labels() {
    let checks =
        check("a", "labels = { service = \"shop\", tier = \"web\" }") + &check("b", "labels = { service = \"cart\" }") + &check("c", "");
    let meant = |matchers: &str| {
        let config = good(&(checks.clone() + &slo("s", &format!("match = [{matchers}]"))));
        members(&config).join("")
    };
    assert_eq!(meant("'service=~\"shop|cart\"'"), "ab");
    assert_eq!(meant("'service!=\"\"', 'tier!=\"web\"'"), "b");
    assert_eq!(meant("'service=\"\"'"), "c");
}

#[test]
fn a_composite_of_all_checks_has_no_objective_in_it() {
    let all = "[[check]]\nname = \"all\"\ncomposite = { checks = [\"*\"] }\n";
    let config = good(&(check("a", "") + all + &slo("s", "checks = [\"all\"]")));
    let all = config.checks.iter().find(|check| check.name == "all").and_then(|check| check.composite.as_ref());
    assert_eq!(all.map(|composite| composite.members.clone()), Some(vec!["a".to_owned()]));
}

#[test]
fn objectives_and_their_checks_are_bounded() {
    let one = check("a", "");
    let slos = |count: usize| (0..count).map(|number| slo(&format!("s{number}"), "checks = [\"a\"]")).collect::<String>();
    assert_eq!(good(&(one.clone() + &slos(SLOS_MAX))).slos.len(), SLOS_MAX);
    assert_eq!(messages(&(one.clone() + &slos(SLOS_MAX + 1))), ["too many objectives"]);
    let named = |len: usize| messages(&(one.clone() + &slo(&"n".repeat(len), "checks = [\"b\"]"))).len();
    assert_eq!((named(NAME_CHARACTERS_MAX), named(NAME_CHARACTERS_MAX + 1)), (1, 2), "one of them is that there is no `b`");
    let targets = |count: usize| (0..count).map(|number| format!("\"t{number}\"")).collect::<Vec<_>>().join(", ");
    let full = check("a", &format!("targets = [{}]", targets(SLO_CHECKS_MAX)));
    let all = |count: usize| (0..count).map(|number| slo(&format!("s{number}"), "checks = [\"*\"]")).collect::<String>();
    let most = SLO_MEMBERS_MAX / SLO_CHECKS_MAX;
    assert_eq!(good(&(full.clone() + &all(most))).slos.len(), most);
    assert_eq!(messages(&(full.clone() + &all(most + 1))), ["`checks` names too many checks"]);
    assert_eq!(messages(&(full + &check("b", "") + &all(1))), ["`checks` names too many checks"]);
}

#[test]
fn a_share_is_between_its_bounds() {
    for good in [0.5, 0.9, 0.999_999, 1e-6] {
        assert_eq!(target(good), Ok(good));
    }
    let hint = |share: f64| target(share).expect_err("it is refused").hint.expect("a hint");
    assert_eq!((hint(99.95).as_str(), hint(5.0).as_str()), ("write 0.9995 for 99.95 %", "write 0.05 for 5 %"));
    for bad in [0.0, 1.0, -0.1, 100.0, 0.999_999_999_9] {
        assert_eq!(hint(bad), "write for example 0.999 for 99.9 %");
    }
}
