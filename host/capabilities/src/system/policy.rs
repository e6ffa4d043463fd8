//! May this be read? One place for all of `system`.

use super::grant::{Grant, Topic};
use crate::denial::{Capability, Denial, DenialReason};

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'name> {
    Topic(Topic),
    Processes(&'name str),
}

pub(super) fn authorise(grant: &Grant, wanted: Wanted<'_>) -> Result<(), Denial> {
    let allowed = match wanted {
        Wanted::Topic(topic) => grant.has(topic),
        Wanted::Processes(name) => grant.has_process(name),
    };
    if allowed {
        return Ok(());
    }
    let word = match wanted {
        Wanted::Topic(topic) => topic.as_str().to_owned(),
        // A name that no process can have is not worth a line that pastes.
        Wanted::Processes(name) => format!("processes:{}", name.escape_default().take(64).collect::<String>()),
    };
    Err(Denial {
        capability: Capability::System,
        reason: DenialReason::NotGranted,
        message: format!("reading `{word}` of the machine is not granted"),
        hint: format!("system = [\"{word}\"]"),
    })
}

/// What a run would be denied that reads what `word` of a grant names.
pub fn foretell(grant: &Grant, word: &str) -> Option<Denial> {
    let wanted = match word.strip_prefix("processes:") {
        Some(name) => Wanted::Processes(name),
        None => Wanted::Topic(Topic::ALL.into_iter().find(|topic| topic.as_str() == word)?),
    };
    authorise(grant, wanted).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_would_be_denied_is_told_as_the_run_is() {
        let grant = Grant::from_words(&["cpu".to_owned(), "processes:nginx".to_owned()]).expect("words");
        assert_eq!(foretell(&grant, "disk"), authorise(&grant, Wanted::Topic(Topic::Disk)).err());
        assert_eq!(foretell(&grant, "processes:sshd"), authorise(&grant, Wanted::Processes("sshd")).err());
        assert!(foretell(&grant, "disk").is_some() && foretell(&grant, "processes:sshd").is_some());
        for granted in ["cpu", "processes:nginx", "no word"] {
            assert_eq!(foretell(&grant, granted), None);
        }
    }

    #[test]
    fn a_denial_names_the_word_that_grants_it() {
        for (wanted, hint) in [
            (Wanted::Topic(Topic::Cpu), r#"system = ["cpu"]"#),
            (Wanted::Topic(Topic::Files), r#"system = ["files"]"#),
            (Wanted::Processes("nginx"), r#"system = ["processes:nginx"]"#),
        ] {
            let denial = authorise(&Grant::default(), wanted).expect_err("nothing is granted");
            assert_eq!((denial.capability, denial.hint.as_str()), (Capability::System, hint));
            let word = hint.trim_start_matches("system = [\"").trim_end_matches("\"]").to_owned();
            let granted = Grant::from_words(&[word]).expect("the hint is a grant");
            assert!(authorise(&granted, wanted).is_ok(), "{hint}");
        }
    }

    #[test]
    fn a_hostile_process_name_cannot_break_the_line() {
        let denial = authorise(&Grant::default(), Wanted::Processes("a\"]\nhttp = [\"*")).expect_err("nothing is granted");
        assert!(!denial.hint.contains('\n') && !denial.message.contains('\n'), "{denial:?}");
    }
}
