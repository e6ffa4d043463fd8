//! What is granted to a check or a sink, and the secrets that its `config` names.
//!
//! Limits: [`GRANTS_MAX`] grants of a kind.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sickbay_capabilities::secrets::Template;
use sickbay_capabilities::{GrantError, Grants, files, http, net, postgres, redis, secrets, system};

use super::diagnostic::{Problem, shown, without_credentials};
use super::place::Span;
use super::settings::Scope;
use super::suggest;
use super::targets;
use super::text::{FileText, FolderText, Free, GrantsText, Placed, PostgresGrantText, RedisGrantText, SecretGrantText};
use super::values;

const GRANTS_MAX: usize = 64;

/// `target` is filled in where a check has one.
pub(super) fn grants(written: &GrantsText, target: Option<&str>, names: &Named, scope: &mut Scope<'_>) -> Grants {
    let beyond = |list: &[Placed<String>]| list.get(GRANTS_MAX).map(Placed::span);
    let excess = beyond(&written.http)
        .or_else(|| beyond(&written.system))
        .or_else(|| beyond(&written.net))
        .or_else(|| written.files.get(GRANTS_MAX).map(Placed::span))
        .or_else(|| written.postgres.get(GRANTS_MAX).map(Placed::span))
        .or_else(|| written.redis.get(GRANTS_MAX).map(Placed::span))
        .or_else(|| written.secrets.get(GRANTS_MAX).map(Placed::span));
    if let Some(span) = excess {
        let reason = format!("there are at most {GRANTS_MAX} of a kind");
        return refuse(scope, span, Problem::new("too many grants").reason(reason).hint("write wider ones"));
    }
    let mut granted = Grants::default();
    for text in &written.http {
        match targets::filled(text.value(), target).parse::<http::Grant>() {
            Ok(grant) => {
                granted.http.push(grant);
                note_unusual_methods(scope, text);
            }
            Err(error) => note_grant(scope, text, error),
        }
    }
    let words: Vec<String> = written.system.iter().map(|word| targets::filled(word.value(), target).into_owned()).collect();
    match system::Grant::from_words(&words) {
        Ok(grant) => granted.system = grant,
        Err((index, error)) => {
            if let Some(text) = written.system.get(index) {
                note_grant(scope, text, error);
            }
        }
    }
    for written in &written.files {
        if let Some(grant) = folder(written.value(), &granted.files, scope) {
            granted.files.push(grant);
        }
    }
    for text in &written.net {
        match targets::filled(text.value(), target).parse::<net::Grant>() {
            Ok(grant) => granted.net.push(grant),
            Err(error) => note_grant(scope, text, error),
        }
    }
    for grant in &written.postgres {
        if let Some(grant) = postgres_grant(grant.value(), names, scope) {
            granted.postgres.push(grant);
        }
    }
    for grant in &written.redis {
        granted.redis.push(redis_grant(grant.value(), names, scope));
    }
    for grant in &written.secrets {
        if let Some(grant) = secret_grant(grant.value(), names, scope) {
            granted.secrets.push(grant);
        }
    }
    granted
}

/// What grants may name: tables of the main file, also those with a mistake, which is told at its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub postgres: BTreeSet<String>,
    pub redis: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
}

impl Named {
    pub(super) fn of(file: &FileText) -> Named {
        let name = |name: &Placed<String>| name.value().clone();
        Named {
            postgres: file.sources.postgres.keys().map(name).collect(),
            redis: file.sources.redis.keys().map(name).collect(),
            secrets: file.secrets.keys().map(name).collect(),
        }
    }
}

fn postgres_grant(written: &PostgresGrantText, names: &Named, scope: &mut Scope<'_>) -> Option<postgres::Grant> {
    note_unknown("sources.postgres", &written.source, &names.postgres, scope);
    let mut grant = postgres::Grant::new(written.source.value());
    if let Some(rows_max) = &written.rows_max {
        grant = scope.read(Some(rows_max), None, |rows| grant.with_rows_max(*rows).map(Some).map_err(grant_problem))?;
    }
    if let Some(access) = &written.access {
        grant = scope.read(Some(access), None, |word| grant.with_access(word).map(Some).map_err(grant_problem))?;
    }
    Some(grant)
}

fn redis_grant(written: &RedisGrantText, names: &Named, scope: &mut Scope<'_>) -> redis::Grant {
    note_unknown("sources.redis", &written.source, &names.redis, scope);
    let mut grant = redis::Grant::new(written.source.value());
    for text in &written.commands {
        if let Err(error) = grant.allow_command(text.value()) {
            note_grant(scope, text, error);
        }
    }
    for text in &written.keys {
        if let Err(error) = grant.allow_key(text.value()) {
            note_grant(scope, text, error);
        }
    }
    grant
}

fn secret_grant(written: &SecretGrantText, names: &Named, scope: &mut Scope<'_>) -> Option<secrets::Grant> {
    note_unknown("secrets", &written.name, &names.secrets, scope);
    let mut grant = match secrets::Grant::new(written.name.value()) {
        Ok(grant) => grant,
        Err(error) => {
            note_grant(scope, &written.name, error);
            return None;
        }
    };
    for text in &written.to {
        if let Err(error) = grant.allow(text.value()) {
            note_grant(scope, text, error);
        }
    }
    Some(grant)
}

fn note_unknown(table: &str, name: &Placed<String>, known: &BTreeSet<String>, scope: &mut Scope<'_>) {
    if known.contains(name.value()) {
        return;
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match suggest::nearest(name.value(), &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("add `[{table}.{}]` to the main file", shown(name.value())),
    };
    let problem = Problem::new(format!("there is no `[{table}.{}]`", shown(name.value())));
    scope
        .note(name.span(), problem.reason("a grant lends what the main file names, and never an address or a value of its own").hint(hint));
}

fn grant_problem(error: GrantError) -> Problem {
    Problem::new(error.message).reason(error.reason).hint(error.hint)
}

/// Where `config` names secrets; each must be in `[secrets]`.
pub(super) fn template(
    table: Option<&Placed<Free>>,
    config_text: &str,
    grants: &Grants,
    names: &Named,
    scope: &mut Scope<'_>,
) -> Option<Template> {
    let table = table?;
    let template = match Template::parse(config_text) {
        Ok(template) => template?,
        Err(error) => {
            scope.note(table.span(), grant_problem(error));
            return None;
        }
    };
    for name in template.names() {
        if !names.secrets.contains(name) {
            let problem = Problem::new(format!("`config` names the secret `{}`, and there is no `[secrets.{}]`", shown(name), shown(name)));
            let problem = problem.reason("its value is filled in from there, and each run would be denied");
            scope.note(table.span(), problem.hint("add the table to the main file, with `env` or `file`"));
        } else if !grants.secrets.iter().any(|grant| grant.name() == name) {
            let problem = Problem::warning(format!("`config` names the secret `{}`, and no grant says where it may go", shown(name)));
            let hint = format!("add `secrets = [{{ name = \"{}\", to = [\"https://HOST/*\"] }}]` to its `grants`", shown(name));
            scope.note(table.span(), problem.hint(hint));
        }
    }
    Some(template)
}

/// A folder that no other one hides from the guest.
fn folder(written: &FolderText, others: &[files::Grant], scope: &mut Scope<'_>) -> Option<files::Grant> {
    // It need not be there yet, and may be on a file system that hangs: it is not looked for.
    let host = match written.host.value().as_str() {
        "" => PathBuf::new(),
        path => std::path::absolute(scope.dir.join(path)).unwrap_or_default(),
    };
    let mode = written.mode.as_ref().map_or("ro", |mode| mode.value().as_str());
    match files::Grant::new(&host, written.guest.value(), mode) {
        Ok(grant) if others.iter().any(|other| other.is_known_as(&grant)) => {
            let problem = Problem::new(format!("two folders are known as `{}`", shown(written.guest.value())));
            let problem = problem.reason("a path of the plugin leads into one folder");
            scope.note(written.guest.span(), problem.hint("give each folder a `guest` of its own"));
            None
        }
        Ok(grant) => {
            if grant.is_whole_machine() {
                let reason = "of `/proc` nothing is lent, and plugins that use WASI's own files are not shown the folder at all";
                let problem = Problem::warning("the whole machine is granted").reason(reason);
                scope.note(written.host.span(), problem.hint("grant the folders that are meant"));
            }
            Some(grant)
        }
        Err((part, error)) => {
            let text = match part {
                files::Part::Host => &written.host,
                files::Part::Guest => &written.guest,
                files::Part::Mode => written.mode.as_ref().unwrap_or(&written.guest),
            };
            note_grant(scope, text, error);
            None
        }
    }
}

/// Of a grant that was read: its methods stand before the first blank.
fn note_unusual_methods(scope: &mut Scope<'_>, text: &Placed<String>) {
    let methods = text.value().split([' ', '\t']).next().unwrap_or_default();
    let mut offset = 0;
    for method in methods.split(',').filter(|method| *method != "*") {
        if let Some(problem) = values::unusual_method(method) {
            let span = scope.source.inside_text(text.span(), text.value(), offset);
            scope.note(span, problem);
        }
        offset += method.len() + 1;
    }
}

fn refuse(scope: &mut Scope<'_>, span: Span, problem: Problem) -> Grants {
    scope.note(span, problem);
    Grants::default()
}

fn note_grant(scope: &mut Scope<'_>, text: &Placed<String>, error: GrantError) {
    let span = scope.source.inside_text(text.span(), text.value(), error.offset);
    // What it quotes is the text of the operator, who may have written a password into it.
    let problem = Problem::new(without_credentials(&error.message)).reason(error.reason);
    scope.note(span, problem.hint(without_credentials(&error.hint)));
}
