use std::fs;
use std::time::Duration;

use sickbay_core::Timestamp;
use sickbay_core::alerting::{GroupBy, MaintenanceTime, RouteConfig};

use crate::config::{Config, ConfigErrors, load};

const CHECK: &str = "[[check]]\nname = \"api\"\nplugin = \"http\"\nkind = \"http\"\nevery = \"10s\"\nlabels = { service = \"shop\" }\n";

/// A file with these sinks, and a check.
fn loaded(sinks: &[&str], text: &str) -> Result<Config, ConfigErrors> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("sickbay.toml");
    let sinks: String = sinks.iter().map(|name| format!("[[sink]]\nname = \"{name}\"\nplugin = \"webhook\"\n")).collect();
    fs::write(&path, format!("{sinks}{text}{CHECK}")).expect("the folder is writable");
    load(&path)
}

fn good(sinks: &[&str], text: &str) -> Config {
    loaded(sinks, text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn warnings(sinks: &[&str], text: &str) -> Vec<String> {
    good(sinks, text).warnings.into_iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect()
}

fn root_sinks(sinks: &[&str], text: &str) -> Option<Vec<String>> {
    let names = good(sinks, text).alerting.route.sinks.clone()?;
    Some(names.iter().map(ToString::to_string).collect())
}

fn mistakes(sinks: &[&str], text: &str) -> Vec<String> {
    loaded(sinks, text).expect_err("there are mistakes").errors.into_iter().map(|mistake| mistake.message).collect()
}

#[test]
fn the_only_sink_is_told_where_nothing_is_said() {
    assert_eq!(root_sinks(&[], ""), None);
    assert_eq!(root_sinks(&["a"], ""), Some(vec!["a".to_owned()]));
    assert_eq!(root_sinks(&["a"], "[route]\ngroup_wait = \"1s\"\n"), Some(vec!["a".to_owned()]));
    assert_eq!(root_sinks(&["a"], "[route]\nsinks = []\n"), Some(Vec::new()));
    assert_eq!(mistakes(&["a", "b"], ""), ["there are several sinks and no `[route]`"]);
    assert_eq!(mistakes(&["a", "b"], "[route]\ngroup_wait = \"1s\"\n"), ["`[route]` names no sinks"]);
}

#[test]
fn a_route_says_what_is_written_and_leaves_the_rest_to_its_parent() {
    let config = good(
        &["a", "b"],
        "[route]\nsinks = [\"a\"]\ngroup_by = [\"service\", \"region\"]\n\
         [[route.routes]]\nmatch = ['service=\"shop\"']\ncontinue = true\ngroup_by = [\"...\"]\nrepeat_interval = \"1h 30m\"\n\
         escalate = [{ after = \"5m\", sinks = [\"b\", \"a\"] }]\n",
    );
    let root = &config.alerting.route;
    assert_eq!(root.group_by, Some(GroupBy::Labels(vec!["service".to_owned(), "region".to_owned()])));
    let [child] = root.routes.as_slice() else { panic!("there is one") };
    assert_eq!((child.continues, &child.group_by, &child.sinks), (true, &Some(GroupBy::All), &None));
    assert_eq!((child.repeat_interval, child.group_wait), (Some(Duration::from_secs(5400)), None));
    let rungs: Vec<_> = child.escalate.iter().flatten().map(|rung| (rung.after.as_secs(), rung.sinks.len())).collect();
    assert_eq!(rungs, [(300, 2)]);
    assert_eq!(config.alerting.unknown, RouteConfig::default());
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_maintenance_comes_once_or_again() {
    let text = "[[maintenance]]\nname = \"once\"\nmatch = []\nstart = 2099-01-01T01:00:00+01:00\nend = \"2099-01-01T02:00:00Z\"\n\
                [[maintenance]]\nname = \"again\"\nmatch = ['service=\"shop\"']\ncron = \"0 2 * * SUN\"\nduration = \"2h\"\n";
    let config = good(&[], text);
    let [once, again] = config.alerting.maintenance.as_slice() else { panic!("there are two") };
    let time = |text: &str| Timestamp::from_rfc3339(text).expect("a time");
    assert_eq!(once.when, MaintenanceTime::Once { starts_at: time("2099-01-01T00:00:00Z"), ends_at: time("2099-01-01T02:00:00Z") });
    assert!(matches!(&again.when, MaintenanceTime::Cron { duration, .. } if duration.as_secs() == 7200));
    assert_eq!((once.matchers.len(), again.matchers.len()), (0, 1));
}

#[test]
fn what_follows_from_a_mistake_is_not_told_beside_it() {
    // Without its matcher the first route would take everything.
    let text = "[route]\nsinks = [\"a\"]\n[[route.routes]]\nmatch = ['service']\n[[route.routes]]\nmatch = ['service=\"shop\"']\n";
    let errors = loaded(&["a", "b"], text).expect_err("there is a mistake");
    assert_eq!(errors.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [10]);
    assert!(errors.warnings.is_empty(), "{errors}");
}

#[test]
fn routes_are_bounded_in_depth_and_number() {
    let nested = |depth: usize| {
        let headers = (1..=depth).map(|depth| format!("[[route{}]]\nmatch = ['service=\"shop\"']\n", ".routes".repeat(depth)));
        format!("[route]\nsinks = [\"a\"]\n{}", headers.collect::<String>())
    };
    assert!(loaded(&["a"], &nested(16)).is_ok());
    assert_eq!(mistakes(&["a"], &nested(17)), ["the route lies too deep"]);
    let many = "[[route.routes]]\nmatch = ['service=\"shop\"']\ncontinue = true\n".repeat(1000);
    assert_eq!(mistakes(&["a"], &format!("[route]\nsinks = [\"a\"]\n{many}")), ["`route` cannot be used"]);
}

#[test]
fn a_label_that_every_check_may_have_is_not_called_missing() {
    let route = |matcher: &str| format!("[[route.routes]]\nmatch = ['{matcher}']\n");
    let text = |matchers: &[&str]| matchers.iter().map(|matcher| route(matcher)).collect::<String>();
    let there = ["alertname=\"api\"", "plugin=~\"http|net\"", "severity=\"P3\"", "region=\"\"", "service!~\"desk\"", "owner=\"anybody\""];
    assert_eq!(warnings(&["a"], &text(&there)), Vec::<String>::new());
    assert_eq!(warnings(&["a"], &text(&["region=~\".+\""])), ["5: no check has labels that match region=~\".+\""]);
}
