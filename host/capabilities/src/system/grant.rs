//! What a grant of `system` looks like: a list of words.
//!
//! `cpu`, `memory`, `disk`, `load`, `io`, `listeners`, `files`, and `processes:NAME` for each process name.

use crate::grants::GrantError;

/// Process names that one check may ask for.
const PROCESSES_MAX: usize = 64;
const PROCESS_NAME_BYTES_MAX: usize = 255;

const WORDS: &str = "the words are `cpu`, `memory`, `disk`, `load`, `io`, `listeners`, `files`, `processes:NAME`";

/// What one check may read of the machine; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    topics: Vec<Topic>,
    processes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Cpu,
    Memory,
    Disk,
    Load,
    Io,
    Listeners,
    Files,
}

impl Topic {
    pub(super) const ALL: [Topic; 7] = [Topic::Cpu, Topic::Memory, Topic::Disk, Topic::Load, Topic::Io, Topic::Listeners, Topic::Files];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Topic::Cpu => "cpu",
            Topic::Memory => "memory",
            Topic::Disk => "disk",
            Topic::Load => "load",
            Topic::Io => "io",
            Topic::Listeners => "listeners",
            Topic::Files => "files",
        }
    }
}

impl Grant {
    /// An error comes with the index of the word that it is about.
    pub fn from_words(words: &[String]) -> Result<Grant, (usize, GrantError)> {
        let mut grant = Grant::default();
        for (index, word) in words.iter().enumerate() {
            grant.add(word).map_err(|error| (index, error))?;
        }
        Ok(grant)
    }

    /// Whether all that `other` allows is allowed.
    pub fn covers(&self, other: &Grant) -> bool {
        other.topics.iter().all(|topic| self.has(*topic)) && other.processes.iter().all(|name| self.has_process(name))
    }

    fn add(&mut self, word: &str) -> Result<(), GrantError> {
        if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.as_str() == word) {
            if !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
            return Ok(());
        }
        let Some((before, name)) = word.split_once(':') else {
            let hint = if word == "processes" { "name the process: `processes:nginx`" } else { WORDS };
            return Err(error(0, format!("`{}` is no word of `system`", word.escape_debug()), hint));
        };
        if before != "processes" {
            return Err(error(0, format!("`{}` takes no name", before.escape_debug()), WORDS));
        }
        let offset = before.len() + 1;
        if name.is_empty() || name == "*" || name.len() > PROCESS_NAME_BYTES_MAX {
            return Err(error(offset, format!("`{}` is no process name", name.escape_debug()), "name each process: `processes:nginx`"));
        }
        if self.processes.len() >= PROCESSES_MAX {
            return Err(error(offset, format!("more than {PROCESSES_MAX} process names"), "split the check"));
        }
        self.processes.push(name.to_owned());
        Ok(())
    }

    pub(super) fn has(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    pub(super) fn has_process(&self, name: &str) -> bool {
        self.processes.iter().any(|granted| granted == name)
    }
}

const WHY: &str = "what is told of this machine is granted by topic, and of processes by each name";

fn error(offset: usize, message: String, hint: &str) -> GrantError {
    GrantError { message, reason: WHY, hint: hint.to_owned(), offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Result<Grant, (usize, GrantError)> {
        Grant::from_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn every_word_grants_its_topic_only() {
        for topic in Topic::ALL {
            let grant = words(&[topic.as_str()]).expect("a word");
            for other in Topic::ALL {
                assert_eq!(grant.has(other), other == topic, "{topic:?} {other:?}");
            }
            assert!(!grant.has_process("nginx"));
        }
    }

    #[test]
    fn processes_are_granted_by_their_whole_name() {
        let grant = words(&["processes:nginx", "processes:a:b", "cpu", "cpu"]).expect("words");
        assert!(grant.has_process("nginx") && grant.has_process("a:b") && grant.has(Topic::Cpu));
        assert!(!grant.has_process("ngin") && !grant.has_process("nginx2") && !grant.has_process("a"));
    }

    #[test]
    fn what_is_no_word_says_where() {
        for (list, index, offset, part) in [
            (&["cpu", "swap"][..], 1, 0, "`swap`"),
            (&["CPU"][..], 0, 0, "`CPU`"),
            (&[""][..], 0, 0, "``"),
            (&["processes"][..], 0, 0, "`processes`"),
            (&["processes:"][..], 0, 10, "process name"),
            (&["processes:*"][..], 0, 10, "process name"),
            (&["disk:/var"][..], 0, 0, "takes no name"),
        ] {
            let (at, error) = words(list).expect_err("no word");
            assert_eq!((at, error.offset), (index, offset), "{error}");
            assert!(error.message.contains(part), "{error}");
        }
    }
}
