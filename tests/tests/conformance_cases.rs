//! The fixtures of the conformance suite leave nothing of the contract out: each function that a check may call, each arm of its variants, and
//! each word of its enums stands in one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wit_parser::{Resolve, TypeDefKind};

/// The kinds of a conformance plugin.
const KINDS: [&str; 13] =
    ["request", "report", "end", "state", "log", "http", "postgres", "redis", "net", "dns", "files", "secrets", "system"];
/// What plugins export. Of these the suite has checks, whose words are those of `types`.
const EXPORTED: [&str; 4] = ["plugin", "check", "recovery", "sink"];
/// A fixture compares log lines with nothing: `conformance.rs` reads them in the log.
const SEEN_ELSEWHERE: [&str; 1] = ["log"];
/// The vocabulary that requests and reports have.
const VOCABULARY: &str = "types";

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn fixtures() -> Vec<(String, Value)> {
    let folder = checkout().join("tests/conformance/fixtures");
    let files = fs::read_dir(&folder).expect("the fixtures").map(|entry| entry.expect("an entry").path());
    let mut fixtures: Vec<(String, Value)> = files
        .map(|file| {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).expect("a fixture");
            let fixture = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, fixture)
        })
        .collect();
    fixtures.sort_by(|one, other| one.0.cmp(&other.0));
    fixtures
}

/// All words of a value: keys of tables, and texts. What stands below `error` is kept apart, because an error may have an arm of the name of
/// a value's.
fn note(interface: &str, value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(table) => {
            for (key, inner) in table {
                named.insert(format!("{interface}.{key}"));
                let below = if key == "error" { format!("{interface}.error") } else { interface.to_owned() };
                note(&below, inner, named);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| note(interface, item, named)),
        Value::String(word) => {
            named.insert(format!("{interface}.{word}"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `http.send()` for a call, `http.timings` for a word in its arguments or its answer, `http.error.timeout` for one in its error.
fn named() -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (_, fixture) in fixtures() {
        note(VOCABULARY, &fixture["request"], &mut named);
        note(VOCABULARY, &fixture["expect"], &mut named);
        for call in fixture["calls"].as_array().into_iter().flatten() {
            let function = call["call"].as_str().expect("a call has a name");
            let (interface, _) = function.split_once('.').expect("an interface and a function");
            named.insert(format!("{function}()"));
            note(interface, &call["asked"], &mut named);
            note(interface, &call["answer"], &mut named);
        }
    }
    named
}

/// As a fixture writes a name of the contract.
fn written(name: &str) -> String {
    name.replace('-', "_")
}

/// What has to be named by a fixture, as [`named`] names it.
fn wanted() -> Vec<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(checkout().join("wit")).expect("the contract");
    let mut wanted = Vec::new();
    for (name, interface) in &resolve.packages[package].interfaces {
        if EXPORTED.contains(&name.as_str()) {
            continue;
        }
        let interface = &resolve.interfaces[*interface];
        for function in interface.functions.keys() {
            // `[method]connection.send` is a call `net.send`.
            let function = function.rsplit('.').next().unwrap_or(function);
            wanted.push(format!("{name}.{}()", written(function)));
        }
        if SEEN_ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        for (of, kind) in &interface.types {
            let below = if of.ends_with("-error") { format!("{name}.error") } else { name.clone() };
            let arms: Vec<&str> = match &resolve.types[*kind].kind {
                TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| case.name.as_str()).collect(),
                TypeDefKind::Enum(words) => words.cases.iter().map(|case| case.name.as_str()).collect(),
                _ => Vec::new(),
            };
            wanted.extend(arms.into_iter().map(|arm| format!("{below}.{}", written(arm))));
        }
    }
    wanted
}

#[test]
fn every_function_and_every_arm_of_the_contract_stands_in_a_fixture() {
    let (named, wanted) = (named(), wanted());
    let missing: Vec<&String> = wanted.iter().filter(|word| !named.contains(*word)).collect();
    assert!(missing.is_empty(), "no fixture in tests/conformance/fixtures has {missing:?}");
    // So that a contract that is read wrongly is not taken for one that is covered.
    for known in ["net.start_tls()", "http.error.timeout", "redis.map_of", "postgres.error.too_many_connections", "types.counter"] {
        assert!(wanted.iter().any(|word| word == known), "{known} is not in {wanted:?}");
    }
}

#[test]
fn every_fixture_says_what_it_shows_and_which_kind_it_asks() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 50, "{}", fixtures.len());
    for (name, fixture) in &fixtures {
        assert!(fixture["name"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{name}");
        assert!(fixture["expect"].is_object() && fixture["plugin"].is_null(), "{name}");
        let kind = fixture["request"]["kind"].as_str().unwrap_or_default();
        let is_of_kind = name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'));
        assert!(KINDS.contains(&kind) && (is_of_kind || name.starts_with("config-")), "{name} asks `{kind}`");
    }
}
