//! May this command be sent? By its name before anything is dialled ([`judge_name`]), by the server's table ([`judge`]), and by its keys
//! where only the server finds them ([`judge_keys`]).
//!
//! Invariant: this file performs no I/O; `client.rs` asks it for every command before any of a call is sent.
//! Invariant: keys that cannot be learnt are covered by `keys = ["*"]` alone.

use super::commands;
use super::failure::Failure;
use super::grant::{Cover, Grant};
use super::hint::{self, HintKeys};
use super::request::Asked;
use super::table::{CommandTable, Facts, Found, Mark};
use crate::denial::{Capability, Denial, DenialReason};

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Send(Effect),
    /// To be sent if [`judge_keys`] allows the keys that the server finds in it.
    AskKeys(Effect),
    /// The server does not know it: this would be its answer.
    Unknown(String),
}

/// What sending a command twice would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Changes,
}

/// What a command can reach.
enum Reach<'k> {
    Nothing,
    Keys(Vec<&'k [u8]>),
    /// Keys that only the server finds.
    Hidden,
    /// Keys that are not among its arguments: why.
    Beyond(&'static str),
}

/// How near the nearest grant comes, for the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    Nothing,
    Source,
    /// The command is granted along with others, and must be by its name.
    Along,
    /// The command is granted, its keys are not.
    Command,
}

/// The name layer: commands that are never lent, and those that no grant of the source names.
pub(super) fn judge_name(grants: &[Grant], source: &str, asked: &Asked) -> Result<(), Failure> {
    if let Some(why) = commands::refused(&asked.name, asked.second.as_deref()) {
        return Err(never_lent(asked, why));
    }
    // Wherever the word stands: a group or a key may have that name, yet only the server tells them apart for sure.
    let blocks = |argument: &Vec<u8>| argument.eq_ignore_ascii_case(b"BLOCK");
    if matches!(asked.name.as_str(), "XREAD" | "XREADGROUP") && asked.arguments().iter().any(blocks) {
        return Err(never_lent(asked, commands::BLOCKING));
    }
    let mut near = Near::Nothing;
    for grant in grants.iter().filter(|grant| grant.is_of(source)) {
        if grant.covers(&asked.name, asked.second.as_deref(), true) != Cover::No {
            return Ok(());
        }
        near = Near::Source;
    }
    let container = commands::is_container(&asked.name);
    Err(denial(near, source, asked, container, &likely_reach(asked)).into())
}

/// What a run would be denied that sends `command` (`SLOWLOG GET`) to `source`, without any key; where the command is not known, that nothing
/// of the source is granted, with the `line` that grants it. What the server's table and keys decide, only a run knows.
pub fn foretell(grants: &[Grant], source: &str, command: Option<&str>, line: &str) -> Option<Denial> {
    let Some(command) = command else {
        let message = format!("the source `{}` is not granted", hint::shown(source));
        let is_granted = grants.iter().any(|grant| grant.is_of(source));
        let (capability, reason) = (Capability::Redis, DenialReason::NotGranted);
        return (!is_granted).then(|| Denial { capability, reason, message, hint: line.to_owned() });
    };
    let asked = Asked::new(command.split(' ').map(|word| word.as_bytes().to_vec()).collect()).ok()?;
    match judge_name(grants, source, &asked) {
        Err(Failure::Denied(denial)) => Some(denial),
        _ => None,
    }
}

/// The layer of the server's table. Asked after [`judge_name`].
pub(super) fn judge(grants: &[Grant], source: &str, asked: &Asked, table: &CommandTable) -> Result<Verdict, Failure> {
    let (facts, container) = match table.find(asked) {
        Found::Command { facts, container } => (facts, container),
        Found::Unknown(answer) => return Ok(Verdict::Unknown(answer)),
    };
    if let Some(why) = refused(asked, facts) {
        return Err(never_lent(asked, why));
    }
    let effect = if facts.has(Mark::ReadOnly) { Effect::Reads } else { Effect::Changes };
    match decide(grants, source, asked, facts, container, &reach(asked, facts))? {
        Decision::Allowed => Ok(Verdict::Send(effect)),
        Decision::AskKeys => Ok(Verdict::AskKeys(effect)),
    }
}

/// The layer of keys that the server found; None where it found out nothing.
pub(super) fn judge_keys(
    grants: &[Grant],
    source: &str,
    asked: &Asked,
    table: &CommandTable,
    keys: Option<&[Vec<u8>]>,
) -> Result<(), Failure> {
    let Found::Command { facts, container } = table.find(asked) else {
        return Err(Failure::Other("the server's table of commands changed meanwhile".to_owned()));
    };
    let reach = match keys {
        None => Reach::Beyond("the server does not tell which keys it would use"),
        Some([]) => Reach::Nothing,
        Some(keys) => Reach::Keys(keys.iter().map(Vec::as_slice).collect()),
    };
    match decide(grants, source, asked, facts, container, &reach)? {
        Decision::Allowed => Ok(()),
        Decision::AskKeys => Err(Failure::Other("the keys of a command were not found".to_owned())),
    }
}

/// A source that is granted and not configured.
pub(super) fn unknown_source(source: &str) -> Denial {
    let source = hint::shown(source);
    Denial {
        capability: Capability::Redis,
        reason: DenialReason::NotGranted,
        message: format!("there is no source `{source}`"),
        hint: format!("[sources.redis.{source}] with its `url` in the configuration"),
    }
}

fn never_lent(asked: &Asked, why: &str) -> Failure {
    Failure::Invalid(format!("`{}` is never lent: {why}", asked.words(commands::is_container(&asked.name))))
}

/// As [`commands::refused`], for commands that are not in its list yet.
fn refused(asked: &Asked, facts: &Facts) -> Option<&'static str> {
    let name = asked.name.as_str();
    if facts.has(Mark::Blocking) && !matches!(name, "XREAD" | "XREADGROUP") {
        return Some(commands::BLOCKING);
    }
    if facts.has(Mark::Connection) && !matches!(name, "PING" | "ECHO" | "COMMAND" | "CLIENT") {
        return Some("the server says that it is about the connection, which is the host's");
    }
    if facts.has(Mark::Transaction) {
        return Some("the server says that it is about transactions, which change the connection");
    }
    if facts.has(Mark::PubSub) && !matches!(name, "PUBLISH" | "SPUBLISH" | "PUBSUB") {
        return Some("the server says that it subscribes, which turns the connection into a stream");
    }
    None
}

fn reach<'c>(asked: &'c Asked, facts: &Facts) -> Reach<'c> {
    let name = asked.name.as_str();
    if let Some(why) = commands::beyond_its_keys(name, asked.second.as_deref()) {
        return Reach::Beyond(why);
    }
    if facts.has(Mark::Scripting) {
        return Reach::Beyond("a script can use any key");
    }
    let by_pattern = |argument: &Vec<u8>| argument.eq_ignore_ascii_case(b"BY") || argument.eq_ignore_ascii_case(b"GET");
    if matches!(name, "SORT" | "SORT_RO") && asked.arguments().iter().skip(1).any(by_pattern) {
        return Reach::Beyond("the patterns of `BY` and `GET` reach other keys");
    }
    // Wherever the word stands behind the two keys: only the server tells an option from a mistake.
    if name == "COPY" && asked.arguments().iter().skip(2).any(|argument| argument.eq_ignore_ascii_case(b"DB")) {
        return Reach::Beyond(commands::OTHER_DATABASE);
    }
    if facts.hides_its_keys() {
        return Reach::Hidden;
    }
    let keys = facts.keys(&asked.parts);
    if !keys.is_empty() {
        return Reach::Keys(keys);
    }
    if facts.has(Mark::Keyspace) && name != "DBSIZE" {
        return Reach::Beyond("it is about the whole keyspace");
    }
    if facts.has(Mark::Module) {
        return Reach::Beyond("a module's command that names no key can use any");
    }
    Reach::Nothing
}

/// Before the server was asked, and for a hint only: where most commands have their key.
fn likely_reach(asked: &Asked) -> Reach<'_> {
    let name = asked.name.as_str();
    if let Some(why) = commands::beyond_its_keys(name, asked.second.as_deref()) {
        return Reach::Beyond(why);
    }
    let at = match name {
        "INFO" | "PING" | "ECHO" | "TIME" | "ROLE" | "DBSIZE" | "LASTSAVE" | "PUBLISH" | "COMMAND" => None,
        "OBJECT" | "MEMORY" | "XINFO" | "XGROUP" => Some(2),
        _ if commands::is_container(name) => None,
        _ => Some(1),
    };
    match at.and_then(|at| asked.parts.get(at)) {
        Some(key) => Reach::Keys(vec![key.as_slice()]),
        None => Reach::Nothing,
    }
}

enum Decision {
    Allowed,
    AskKeys,
}

/// One grant must cover the command whole.
fn decide(grants: &[Grant], source: &str, asked: &Asked, facts: &Facts, container: bool, reach: &Reach<'_>) -> Result<Decision, Denial> {
    let mut near = Near::Nothing;
    let mut ask = false;
    for grant in grants.iter().filter(|grant| grant.is_of(source)) {
        match grant.covers(&asked.name, asked.second.as_deref(), container) {
            Cover::No => {
                near = near.max(Near::Source);
                continue;
            }
            Cover::Along if facts.has(Mark::Dangerous) => {
                near = near.max(Near::Along);
                continue;
            }
            Cover::Along | Cover::ByName => near = Near::Command,
        }
        let covered = match reach {
            _ if grant.has_every_key() => true,
            Reach::Nothing => true,
            Reach::Keys(keys) => keys.iter().all(|key| grant.has_key(key)),
            Reach::Hidden => {
                ask = true;
                false
            }
            Reach::Beyond(_) => false,
        };
        if covered {
            return Ok(Decision::Allowed);
        }
    }
    if ask { Ok(Decision::AskKeys) } else { Err(denial(near, source, asked, container, reach)) }
}

fn denial(near: Near, source: &str, asked: &Asked, container: bool, reach: &Reach<'_>) -> Denial {
    let (command, shown) = (asked.words(container), hint::shown(source));
    let message = match (near, reach) {
        (Near::Nothing, _) => format!("the source `{shown}` is not granted"),
        (Near::Source, _) => format!("`{command}` on the source `{shown}` is not granted"),
        (Near::Along, _) => format!("`{command}` on the source `{shown}` is dangerous, as its server says: a grant must name it"),
        (Near::Command, Reach::Beyond(why)) => format!("`{command}` on the source `{shown}` needs every key: {why}"),
        (Near::Command, _) => format!("`{command}` on the source `{shown}` is not granted on these keys"),
    };
    let keys = match reach {
        Reach::Nothing => HintKeys::None,
        Reach::Keys(keys) => HintKeys::Listed(keys),
        Reach::Hidden | Reach::Beyond(_) => HintKeys::Every,
    };
    let hint = hint::line(source, &command, &keys);
    Denial { capability: Capability::Redis, reason: DenialReason::NotGranted, message, hint }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, new, old, table};
    use super::*;

    #[test]
    fn what_a_run_would_be_denied_is_told_as_the_run_is() {
        let granted = grants(&[(&["PING", "SLOWLOG"], &[])]);
        let told = |source: &str, command: Option<&str>| {
            foretell(&granted, source, command, "a line").map(|denial| format!("{}; {}", denial.message, denial.hint))
        };
        let info = "`INFO` on the source `cache` is not granted; redis = [{ source = \"cache\", commands = [\"INFO\"] }]";
        assert_eq!(told("cache", Some("INFO")).as_deref(), Some(info));
        assert_eq!(told("other", None).as_deref(), Some("the source `other` is not granted; a line"));
        for (command, granted) in [(Some("PING"), true), (Some("SLOWLOG GET"), true), (None, true), (Some("SLOWLOG LEN"), true)] {
            assert_eq!(told("cache", command).is_none(), granted, "{command:?}");
        }
    }

    fn grants(of: &[(&[&str], &[&str])]) -> Vec<Grant> {
        let grant = |(commands, keys): &(&[&str], &[&str])| {
            let mut grant = Grant::new("cache");
            commands.iter().for_each(|command| grant.allow_command(command).expect("a command"));
            keys.iter().for_each(|key| grant.allow_key(key).expect("a pattern"));
            grant
        };
        of.iter().map(grant).collect()
    }

    /// As redis 7 tells them.
    fn server() -> CommandTable {
        let client_list = new("client|list", "admin noscript", [0, 0, 0], "@admin @dangerous @connection", &[]);
        let client_id = new("client|id", "noscript", [0, 0, 0], "@slow @connection", &[]);
        let config_get = new("config|get", "admin", [0, 0, 0], "@admin @dangerous", &[]);
        let slots = new("cluster|getkeysinslot", "stale", [0, 0, 0], "@slow", &[]);
        table(&[
            &new("info", "loading stale", [0, 0, 0], "@slow @dangerous", &[]),
            &new("ping", "fast", [0, 0, 0], "@fast @connection", &[]),
            &new("dbsize", "readonly", [0, 0, 0], "@keyspace @read @fast", &[]),
            &new("get", "readonly", [1, 1, 1], "@read @string", &[]),
            &new("llen", "readonly", [1, 1, 1], "@read @list", &[]),
            &new("mget", "readonly", [1, -1, 1], "@read @string", &[]),
            &new("set", "write", [1, 1, 1], "@write @string", &[]),
            &new("keys", "readonly", [0, 0, 0], "@keyspace @read @dangerous", &[]),
            &new("flushall", "write", [0, 0, 0], "@keyspace @write @dangerous", &[]),
            &new("move", "write fast", [1, 1, 1], "@keyspace @write @fast", &[]),
            &new("copy", "write denyoom", [1, 2, 1], "@keyspace @write @slow", &[]),
            &new("sort", "write movablekeys", [1, 1, 1], "@write @set @dangerous", &[]),
            &new("zunionstore", "write movablekeys", [1, 1, 1], "@write @sortedset", &[]),
            &new("xread", "readonly blocking movablekeys", [0, 0, 0], "@read @stream @blocking", &[]),
            &new("eval", "noscript movablekeys", [0, 0, 0], "@slow @scripting", &[]),
            &new("script", "noscript", [0, 0, 0], "@slow @scripting", &[]),
            &new("publish", "pubsub fast", [0, 0, 0], "@pubsub @fast", &[]),
            &new("time", "fast", [0, 0, 0], "@fast", &[]),
            &new("ft.search", "readonly module", [0, 0, 0], "@read", &[]),
            &new("json.get", "readonly module", [1, 1, 1], "@read", &[]),
            &new("client", "", [0, 0, 0], "@slow", &[client_list, client_id]),
            &new("config", "", [0, 0, 0], "@slow", &[config_get]),
            &new("cluster", "", [0, 0, 0], "@slow", &[slots]),
            &new("of-later", "noscript", [0, 0, 0], "@fast @connection", &[]),
            &new("waits-later", "write", [1, 1, 1], "@write @blocking", &[]),
            &new("subscribes-later", "pubsub", [0, 0, 0], "@pubsub", &[]),
            &new("watches-later", "", [1, 1, 1], "@transaction", &[]),
            &new("scans-later", "readonly", [0, 0, 0], "@keyspace @read", &[]),
        ])
    }

    fn judged(grants: &[Grant], words: &[&str]) -> Result<Verdict, Failure> {
        let asked = asked(words);
        judge_name(grants, "cache", &asked)?;
        judge(grants, "cache", &asked, &server())
    }

    fn denied(grants: &[Grant], words: &[&str]) -> Denial {
        match judged(grants, words) {
            Err(Failure::Denied(denial)) => denial,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn a_command_is_sent_where_one_grant_covers_it_with_its_keys() {
        let grants = grants(&[(&["GET", "MGET", "llen", "INFO"], &["celery*"]), (&["SET"], &["other"])]);
        for words in
            [&["GET", "celery"][..], &["get", "celery:1"], &["MGET", "celery", "celery2"], &["INFO"], &["INFO", "memory"], &["GET"]]
        {
            assert!(matches!(judged(&grants, words), Ok(Verdict::Send(_))), "{words:?}");
        }
        for words in [&["GET", "other"][..], &["MGET", "celery", "other"], &["SET", "celery", "1"], &["TIME"], &["DBSIZE"]] {
            denied(&grants, words);
        }
        assert_eq!(judged(&grants, &["GET", "celery"]).expect("allowed"), Verdict::Send(Effect::Reads));
        assert_eq!(judged(&grants, &["SET", "other", "1"]).expect("allowed"), Verdict::Send(Effect::Changes));
    }

    #[test]
    fn without_keys_only_what_names_no_key_is_granted() {
        let grants = grants(&[(&["*", "INFO"], &[])]);
        for words in [&["INFO"][..], &["DBSIZE"], &["PING"], &["TIME"], &["PUBLISH", "a", "b"]] {
            assert!(matches!(judged(&grants, words), Ok(Verdict::Send(_))), "{words:?}");
        }
        for words in [&["GET", "a"][..], &["JSON.GET", "a"], &["FT.SEARCH", "a"], &["SCANS-LATER"], &["SCRIPT", "EXISTS"]] {
            denied(&grants, words);
        }
    }

    #[test]
    fn a_star_and_a_container_do_not_cover_what_is_dangerous() {
        for (granted, words, allowed) in [
            ("*", &["CLIENT", "ID"][..], true),
            ("*", &["CLIENT", "LIST"], false),
            ("*", &["INFO"], false),
            ("*", &["FLUSHALL"], false),
            ("CLIENT", &["CLIENT", "ID"], true),
            ("CLIENT", &["CLIENT", "LIST"], false),
            ("CLIENT LIST", &["CLIENT", "LIST"], true),
            ("CLIENT LIST", &["CLIENT", "ID"], false),
            ("CONFIG", &["CONFIG", "GET", "maxmemory"], false),
            ("config get", &["Config", "Get", "maxmemory"], true),
            ("INFO", &["INFO"], true),
            ("FLUSHALL", &["FLUSHALL"], true),
        ] {
            let outcome = judged(&grants(&[(&[granted], &["*"])]), words);
            assert_eq!(matches!(outcome, Ok(Verdict::Send(_))), allowed, "{granted} on {words:?}: {outcome:?}");
        }
    }

    #[test]
    fn what_reaches_keys_beyond_its_arguments_needs_every_key() {
        let all = &["KEYS", "EVAL", "SORT", "FT.SEARCH", "FLUSHALL", "SCANS-LATER", "CLUSTER GETKEYSINSLOT", "SCRIPT", "MOVE", "COPY"][..];
        let (some, every) = (grants(&[(all, &["a*", "*a"])]), grants(&[(all, &["*"])]));
        for words in [
            &["KEYS", "a*"][..],
            &["EVAL", "return 1", "1", "a"],
            &["SORT", "a", "BY", "w_*"],
            &["SORT", "a", "limit", "0", "1", "get", "x"],
            &["FT.SEARCH", "a"],
            &["FLUSHALL"],
            &["SCANS-LATER"],
            &["CLUSTER", "GETKEYSINSLOT", "0", "10"],
            &["SCRIPT", "LOAD", "a"],
            &["MOVE", "a", "1"],
            &["COPY", "a", "a2", "db", "1"],
        ] {
            let denial = denied(&some, words);
            assert!(denial.hint.contains(r#"keys = ["*"]"#), "{words:?}: {}", denial.hint);
            assert!(matches!(judged(&every, words), Ok(Verdict::Send(_))), "{words:?}");
        }
        assert!(matches!(judged(&some, &["COPY", "a", "a2", "REPLACE"]), Ok(Verdict::Send(_))), "within the database");
    }

    #[test]
    fn keys_that_the_table_does_not_tell_are_asked_for() {
        let granted = grants(&[(&["ZUNIONSTORE", "SORT", "XREAD"], &["a*"])]);
        let cases = [&["ZUNIONSTORE", "a", "1", "b"][..], &["SORT", "a", "STORE", "b"], &["XREAD", "STREAMS", "a", "0"]];
        for words in cases {
            assert!(matches!(judged(&granted, words), Ok(Verdict::AskKeys(_))), "{words:?}");
            let judge_keys = |keys: Option<&[Vec<u8>]>| judge_keys(&granted, "cache", &asked(words), &server(), keys);
            assert!(judge_keys(Some(&[b"a1".to_vec(), b"a2".to_vec()])).is_ok());
            assert!(judge_keys(Some(&[])).is_ok());
            assert!(matches!(judge_keys(Some(&[b"a1".to_vec(), b"b".to_vec()])), Err(Failure::Denied(_))));
            assert!(matches!(judge_keys(None), Err(Failure::Denied(_))), "what cannot be learnt is denied");
        }
        let every = grants(&[(&["ZUNIONSTORE"], &["*"])]);
        assert_eq!(judged(&every, cases[0]).expect("allowed"), Verdict::Send(Effect::Changes), "nothing has to be asked");
    }

    #[test]
    fn what_changes_the_connection_or_waits_is_never_lent() {
        let everything = grants(&[(&["*", "OF-LATER", "WAITS-LATER", "SUBSCRIBES-LATER", "WATCHES-LATER", "CLIENT"], &["*"])]);
        for words in [
            &["select", "1"][..],
            &["AUTH", "a"],
            &["HELLO", "3"],
            &["RESET"],
            &["QUIT"],
            &["MULTI"],
            &["Exec"],
            &["WATCH", "a"],
            &["SUBSCRIBE", "a"],
            &["MONITOR"],
            &["PSYNC", "?", "-1"],
            &["CLIENT", "reply", "OFF"],
            &["CLIENT", "NO-EVICT", "on"],
            &["CLIENT"],
            &["script", "debug", "YES"],
            &["BLPOP", "a", "0"],
            &["WAIT", "1", "0"],
            &["XREAD", "block", "0", "STREAMS", "a", "0"],
            &["XREADGROUP", "GROUP", "STREAMS", "c", "BLOCK", "0", "STREAMS", "a", ">"],
            &["ACL", "GETUSER", "default"],
            &["OF-LATER"],
            &["WAITS-LATER", "a"],
            &["SUBSCRIBES-LATER", "a"],
            &["WATCHES-LATER", "a"],
        ] {
            assert!(matches!(judged(&everything, words), Err(Failure::Invalid(_))), "{words:?}: {:?}", judged(&everything, words));
        }
    }

    #[test]
    fn a_command_that_the_server_does_not_know_is_answered_as_the_server_would() {
        let grants = grants(&[(&["*", "CLIENT"], &["*"])]);
        assert!(matches!(judged(&grants, &["NONE", "a"]), Ok(Verdict::Unknown(answer)) if answer == "ERR unknown command 'NONE'"));
        assert!(matches!(judged(&grants, &["CLIENT", "GETREDIR"]), Ok(Verdict::Unknown(_))), "this server has no such subcommand");
    }

    #[test]
    fn a_denial_names_the_line_that_grants_the_command() {
        let nothing = grants(&[(&["TIME"], &[])]);
        for (words, message) in [
            (&["LLEN", "celery"][..], "`LLEN` on the source `cache` is not granted"),
            (&["CLIENT", "LIST"], "`CLIENT LIST` on the source `cache` is not granted"),
            (&["MGET", "a", "b\"c"], "`MGET`"),
            (&["KEYS", "*"], "`KEYS`"),
        ] {
            let mut grants = nothing.clone();
            // By name first, then with the keys, as an operator would meet them.
            for _ in 0..2 {
                let denial = denied(&grants, words);
                assert!(denial.message.contains(message) || grants.len() > 1, "{}", denial.message);
                grants.push(pasted(&denial.hint));
                if judged(&grants, words).is_ok() {
                    break;
                }
            }
            assert!(matches!(judged(&grants, words), Ok(Verdict::Send(_))), "{words:?}");
        }
        let elsewhere = [Grant::new("other")];
        assert_eq!(denied(&elsewhere, &["INFO"]).message, "the source `cache` is not granted");
        assert!(denied(&grants(&[(&["*"], &["*"])]), &["INFO"]).message.contains("a grant must name it"));
    }

    /// A line of a denial as a grant.
    fn pasted(line: &str) -> Grant {
        let list = |key: &str| -> Vec<String> {
            let Some((_, rest)) = line.split_once(&format!("{key} = [")) else { return Vec::new() };
            let (inside, _) = rest.split_once(']').expect("a list");
            inside.trim_matches('"').split("\", \"").map(|text| text.replace("\\\"", "\"")).collect()
        };
        let mut grant = Grant::new("cache");
        list("commands").iter().for_each(|command| grant.allow_command(command).expect("a command"));
        list("keys").iter().for_each(|key| grant.allow_key(key).expect("a pattern"));
        grant
    }

    #[test]
    fn on_an_old_server_a_star_covers_what_reads() {
        let table =
            table(&[&old("get", "readonly", [1, 1, 1]), &old("set", "write", [1, 1, 1]), &old("xread", "readonly movablekeys", [1, 1, 1])]);
        let star = grants(&[(&["*"], &["a"])]);
        let judged = |words: &[&str]| judge(&star, "cache", &asked(words), &table);
        assert_eq!(judged(&["GET", "a"]).expect("allowed"), Verdict::Send(Effect::Reads));
        assert!(matches!(judged(&["SET", "a", "1"]), Err(Failure::Denied(_))));
        assert!(matches!(judged(&["XREAD", "STREAMS", "a", "0"]), Ok(Verdict::AskKeys(Effect::Reads))));
    }
}
