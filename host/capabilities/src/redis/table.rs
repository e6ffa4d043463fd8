//! The server's own table of commands, out of its answer to `COMMAND`: what each does, and where its keys stand.
//!
//! Servers from 7 on tell subcommands one by one, from 6 on categories. What a server does not tell is taken for the worse.

use std::collections::HashMap;

use super::request::Asked;
use crate::contract::redis::Node;

/// What a server says of a command, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    ReadOnly,
    /// May wait.
    Blocking,
    /// `@admin` or `@dangerous`; without categories, whatever is not read-only.
    Dangerous,
    /// Its keys stand where only the server finds them.
    MovableKeys,
    /// Of a module.
    Module,
    /// About the keyspace as a whole, or about keys of any type.
    Keyspace,
    Connection,
    Transaction,
    PubSub,
    Scripting,
}

/// A set of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks(u16);

impl Marks {
    fn add(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u16;
    }

    fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u16) != 0
    }
}

/// One command or subcommand.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    marks: Marks,
    /// Positions of keys among the parts of the command: the first, the last (from the end where below 0), and from one to the next.
    first_key: i64,
    last_key: i64,
    key_step: i64,
    /// In capitals.
    subcommands: HashMap<String, Facts>,
}

impl Facts {
    pub(super) fn has(&self, mark: Mark) -> bool {
        self.marks.has(mark)
    }

    /// The table alone does not tell the keys.
    pub(super) fn hides_its_keys(&self) -> bool {
        self.has(Mark::MovableKeys) || self.first_key < 0
    }

    /// The keys, where the table tells them: as the server itself would find them.
    pub(super) fn keys<'c>(&self, parts: &'c [Vec<u8>]) -> Vec<&'c [u8]> {
        let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        let last = if self.last_key < 0 { count.saturating_add(self.last_key) } else { self.last_key.min(count - 1) };
        let (Ok(first @ 1..), Ok(last)) = (usize::try_from(self.first_key), usize::try_from(last)) else { return Vec::new() };
        let step = usize::try_from(self.key_step).unwrap_or(1).max(1);
        (first..=last).step_by(step).filter_map(|at| parts.get(at)).map(Vec::as_slice).collect()
    }
}

/// All commands of a server.
#[derive(Debug)]
pub(super) struct CommandTable {
    /// By name in capitals.
    commands: HashMap<String, Facts>,
}

/// What the table says of a command.
pub(super) enum Found<'t> {
    Command {
        facts: &'t Facts,
        /// It means nothing without its subcommand.
        container: bool,
    },
    /// The server does not know it: this would be its answer.
    Unknown(String),
}

impl CommandTable {
    /// None where the reply has another form than that of `COMMAND`.
    pub(super) fn read(reply: &[Node]) -> Option<CommandTable> {
        let mut reader = Reader { nodes: reply };
        let count = reader.children()?;
        let mut commands = HashMap::with_capacity(count.min(1024));
        for _ in 0..count {
            if let Some((name, facts)) = reader.command(Subcommands::Read)? {
                commands.insert(name, facts);
            }
        }
        Some(CommandTable { commands })
    }

    pub(super) fn find(&self, asked: &Asked) -> Found<'_> {
        let Some(facts) = self.commands.get(&asked.name) else {
            return Found::Unknown(format!("ERR unknown command '{}'", asked.name));
        };
        if facts.subcommands.is_empty() {
            return Found::Command { facts, container: super::commands::is_container(&asked.name) };
        }
        if asked.arguments().is_empty() {
            return Found::Command { facts, container: true };
        }
        match asked.second.as_ref().and_then(|second| facts.subcommands.get(second)) {
            Some(facts) => Found::Command { facts, container: true },
            None => Found::Unknown(format!("ERR unknown subcommand of '{}'", asked.name)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subcommands {
    Read,
    Skip,
}

/// Reads a flat reply from front to back.
struct Reader<'r> {
    nodes: &'r [Node],
}

impl<'r> Reader<'r> {
    fn next(&mut self) -> Option<&'r Node> {
        let (node, rest) = self.nodes.split_first()?;
        self.nodes = rest;
        Some(node)
    }

    /// Of an array, a set or a map; None for anything else.
    fn children(&mut self) -> Option<usize> {
        children_of(self.next()?)
    }

    fn skip(&mut self) -> Option<()> {
        let mut pending = 1_usize;
        while pending > 0 {
            pending = pending - 1 + children_of(self.next()?).unwrap_or(0);
        }
        Some(())
    }

    fn number(&mut self) -> Option<i64> {
        match self.next()? {
            Node::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A status or a string, in capitals.
    fn word(&mut self) -> Option<String> {
        match self.next()? {
            Node::Simple(text) => Some(text.to_ascii_uppercase()),
            Node::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).to_ascii_uppercase()),
            _ => None,
        }
    }

    /// One entry: name, arity, flags, first key, last key, step, and from later versions categories, tips, key specifications,
    /// subcommands. The outer None: not an entry. The inner one: a command that is not there (a null).
    fn command(&mut self, subcommands: Subcommands) -> Option<Option<(String, Facts)>> {
        let node = self.next()?;
        if matches!(node, Node::Nil) {
            return Some(None);
        }
        let fields = children_of(node)?;
        let name = self.word()?;
        self.number()?;
        let mut facts = Facts::default();
        self.flags(&mut facts)?;
        (facts.first_key, facts.last_key, facts.key_step) = (self.number()?, self.number()?, self.number()?);
        let has_categories = fields > 6;
        for field in 6..fields {
            match field {
                6 => self.categories(&mut facts)?,
                9 if subcommands == Subcommands::Read => facts.subcommands = self.subcommands()?,
                _ => self.skip()?,
            }
        }
        if !has_categories && !facts.has(Mark::ReadOnly) {
            facts.marks.add(Mark::Dangerous);
        }
        // A subcommand is told by its whole name: `client|list`.
        let name = name.rsplit('|').next().unwrap_or_default().to_owned();
        Some(Some((name, facts)))
    }

    fn flags(&mut self, facts: &mut Facts) -> Option<()> {
        for _ in 0..self.children()? {
            match self.word()?.as_str() {
                "READONLY" => facts.marks.add(Mark::ReadOnly),
                "BLOCKING" => facts.marks.add(Mark::Blocking),
                "ADMIN" => facts.marks.add(Mark::Dangerous),
                "MOVABLEKEYS" => facts.marks.add(Mark::MovableKeys),
                "MODULE" => facts.marks.add(Mark::Module),
                "PUBSUB" => facts.marks.add(Mark::PubSub),
                _ => {}
            }
        }
        Some(())
    }

    fn categories(&mut self, facts: &mut Facts) -> Option<()> {
        for _ in 0..self.children()? {
            match self.word()?.as_str() {
                "@ADMIN" | "@DANGEROUS" => facts.marks.add(Mark::Dangerous),
                "@BLOCKING" => facts.marks.add(Mark::Blocking),
                "@KEYSPACE" => facts.marks.add(Mark::Keyspace),
                "@CONNECTION" => facts.marks.add(Mark::Connection),
                "@TRANSACTION" => facts.marks.add(Mark::Transaction),
                "@PUBSUB" => facts.marks.add(Mark::PubSub),
                "@SCRIPTING" => facts.marks.add(Mark::Scripting),
                _ => {}
            }
        }
        Some(())
    }

    fn subcommands(&mut self) -> Option<HashMap<String, Facts>> {
        let mut subcommands = HashMap::new();
        for _ in 0..self.children()? {
            if let Some((name, facts)) = self.command(Subcommands::Skip)? {
                subcommands.insert(name, facts);
            }
        }
        Some(subcommands)
    }
}

/// None for a value that holds no others.
fn children_of(node: &Node) -> Option<usize> {
    match node {
        Node::ArrayOf(count) | Node::SetOf(count) => usize::try_from(*count).ok(),
        Node::MapOf(count) => usize::try_from(*count).ok()?.checked_mul(2),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::reply::Parser;
    use super::*;

    /// Entries as servers of three generations write them.
    pub(in super::super) fn table(entries: &[&str]) -> CommandTable {
        let text = format!("*{}\r\n{}", entries.len(), entries.concat());
        let mut parser = Parser::new(100_000);
        parser.parse(text.as_bytes(), 1 << 20).expect("a reply");
        CommandTable::read(&parser.into_reply()).expect("a table")
    }

    fn words(words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        format!("*{}\r\n{}", words.len(), words.iter().map(|word| format!("+{word}\r\n")).collect::<String>())
    }

    fn bulk(text: &str) -> String {
        format!("${}\r\n{text}\r\n", text.len())
    }

    /// Before 6: no categories.
    pub(in super::super) fn old(name: &str, flags: &str, [first, last, step]: [i64; 3]) -> String {
        format!("*6\r\n{}:-1\r\n{}:{first}\r\n:{last}\r\n:{step}\r\n", bulk(name), words(flags))
    }

    /// From 7 on: categories, tips, key specifications, subcommands.
    pub(in super::super) fn new(
        name: &str,
        flags: &str,
        [first, last, step]: [i64; 3],
        categories: &str,
        subcommands: &[String],
    ) -> String {
        let head = format!("*10\r\n{}:-1\r\n{}:{first}\r\n:{last}\r\n:{step}\r\n", bulk(name), words(flags));
        let specifications = "*1\r\n*4\r\n+flags\r\n*1\r\n+RO\r\n+begin_search\r\n*2\r\n+type\r\n+index\r\n";
        format!("{head}{}*0\r\n{specifications}*{}\r\n{}", words(categories), subcommands.len(), subcommands.concat())
    }

    pub(in super::super) fn asked(words: &[&str]) -> Asked {
        Asked::new(words.iter().map(|word| word.as_bytes().to_vec()).collect()).expect("a command")
    }

    fn keys(table: &CommandTable, words: &[&str]) -> Vec<String> {
        let asked = asked(words);
        match table.find(&asked) {
            Found::Command { facts, .. } => facts.keys(&asked.parts).into_iter().map(|key| key.escape_ascii().to_string()).collect(),
            Found::Unknown(answer) => panic!("{answer}"),
        }
    }

    #[test]
    fn keys_stand_where_the_table_says() {
        let table = table(&[
            &old("get", "readonly fast", [1, 1, 1]),
            &old("mset", "write", [1, -1, 2]),
            &old("blpop", "write", [1, -2, 1]),
            &old("bitop", "write", [2, -1, 1]),
            &old("info", "", [0, 0, 0]),
            &old("odd", "", [1, 9, 0]),
        ]);
        for (words, expected) in [
            (&["GET", "a"][..], &["a"][..]),
            (&["get", "a", "b"][..], &["a"][..]),
            (&["GET"][..], &[][..]),
            (&["MSET", "a", "1", "b", "2"][..], &["a", "b"][..]),
            (&["MSET", "a", "1", "b"][..], &["a", "b"][..]),
            (&["BLPOP", "a", "b", "0"][..], &["a", "b"][..]),
            (&["BLPOP", "0"][..], &[][..]),
            (&["BITOP", "AND", "to", "a", "b"][..], &["to", "a", "b"][..]),
            (&["INFO", "memory"][..], &[][..]),
            (&["ODD", "a", "b"][..], &["a", "b"][..]),
        ] {
            assert_eq!(keys(&table, words), expected, "{words:?}");
        }
    }

    #[test]
    fn a_subcommand_has_facts_of_its_own() {
        let list = new("client|list", "admin noscript", [0, 0, 0], "@admin @dangerous @connection", &[]);
        let id = new("client|id", "noscript", [0, 0, 0], "@slow @connection", &[]);
        let encoding = new("object|encoding", "readonly", [2, 2, 1], "@keyspace @read", &[]);
        let table = table(&[
            &new("client", "", [0, 0, 0], "@slow", &[list, id]),
            &new("object", "", [0, 0, 0], "@slow", &[encoding]),
            &new("get", "readonly", [1, 1, 1], "@read @string", &[]),
        ]);
        let dangerous = |words: &[&str]| match table.find(&asked(words)) {
            Found::Command { facts, container } => (facts.has(Mark::Dangerous), container),
            Found::Unknown(answer) => panic!("{answer}"),
        };
        assert_eq!(dangerous(&["client", "LIST"]), (true, true));
        assert_eq!(dangerous(&["CLIENT", "id"]), (false, true));
        assert_eq!(dangerous(&["CLIENT"]), (false, true));
        assert_eq!(dangerous(&["GET", "LIST"]), (false, false));
        assert_eq!(keys(&table, &["OBJECT", "ENCODING", "a"]), ["a"]);
        for words in [&["CLIENT", "NONE"][..], &["CLIENT", "a b"][..], &["NONE"][..]] {
            assert!(matches!(table.find(&asked(words)), Found::Unknown(answer) if answer.starts_with("ERR unknown")), "{words:?}");
        }
    }

    #[test]
    fn without_categories_only_what_reads_is_harmless() {
        let table = table(&[&old("get", "readonly", [1, 1, 1]), &old("flushall", "write", [0, 0, 0]), &old("config", "admin", [0, 0, 0])]);
        for (words, expected) in [(&["GET", "a"][..], false), (&["FLUSHALL"][..], true), (&["CONFIG", "GET"][..], true)] {
            let Found::Command { facts, .. } = table.find(&asked(words)) else { panic!("{words:?} is in the table") };
            assert_eq!(facts.has(Mark::Dangerous), expected, "{words:?}");
        }
    }

    #[test]
    fn another_reply_is_no_table() {
        for text in ["+OK\r\n", "*1\r\n+OK\r\n", "*1\r\n*2\r\n+get\r\n:2\r\n", "*1\r\n*6\r\n:1\r\n:2\r\n*0\r\n:0\r\n:0\r\n:0\r\n"] {
            let mut parser = Parser::new(100);
            parser.parse(text.as_bytes(), 1000).expect("a reply");
            assert!(CommandTable::read(&parser.into_reply()).is_none(), "{text}");
        }
        assert!(table(&["*-1\r\n"]).commands.is_empty(), "a null is no command");
    }
}
