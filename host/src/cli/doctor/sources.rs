//! The databases of the configuration: each is entered once, and looked at as whom.
//!
//! A grant bounds what a check may say to a source; what the source's role may do with it is the server's matter. Functions run with the
//! rights of the role, also where a check may only read.
//!
//! Each is entered in a task of its own: one that floods us with bytes takes no time from the others.
//!
//! Limits: [`AT_ONCE_MAX`] sources are entered at once, each for 5 s.

use std::collections::BTreeMap;
use std::sync::Arc;

use sickbay_capabilities::postgres::{Access, Power};
use sickbay_capabilities::redis::Entrant;
use sickbay_capabilities::{Services, Unentered};
use tokio::task::JoinSet;

use super::{Finding, Mark};
use crate::cli::serve::runtime;
use crate::config::Config;

const AT_ONCE_MAX: usize = 16;

const POSTGRES: &str = "postgres source";
const REDIS: &str = "redis source";

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = &config.services;
    if settings.postgres.is_empty() && settings.redis.is_empty() {
        return Vec::new();
    }
    match look(config) {
        Ok(findings) => findings,
        Err(error) => vec![Finding::of_message("sources", Mark::Wrong, &format!("{error:#}"))],
    }
}

fn look(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let services = Services::new(&config.services)?;
    let postgres = config.services.postgres.iter().map(|(name, settings)| Source::Postgres(name.clone(), settings.access));
    let redis = config.services.redis.keys().cloned().map(Source::Redis);
    Ok(runtime()?.block_on(enter_all(&services, postgres.chain(redis))))
}

enum Source {
    Postgres(String, Access),
    Redis(String),
}

/// In the order of `sources`.
async fn enter_all(services: &Arc<Services>, sources: impl Iterator<Item = Source>) -> Vec<Finding> {
    let (mut entering, mut findings) = (JoinSet::new(), BTreeMap::new());
    // One whose task is lost is left out: a panic was told already.
    for (place, source) in sources.enumerate() {
        if entering.len() >= AT_ONCE_MAX {
            findings.extend(entering.join_next().await.and_then(Result::ok));
        }
        let services = Arc::clone(services);
        entering.spawn(async move { (place, enter(&services, source).await) });
    }
    while let Some(entered) = entering.join_next().await {
        findings.extend(entered.ok());
    }
    findings.into_values().collect()
}

async fn enter(services: &Arc<Services>, source: Source) -> Finding {
    match source {
        Source::Postgres(name, access) => postgres(&name, access, services.postgres_powers(&name).await),
        Source::Redis(name) => redis(&name, services.redis_entrant(&name).await),
    }
}

fn postgres(name: &str, access: Access, powers: Result<Vec<Power>, Unentered>) -> Finding {
    let powers = match powers {
        Ok(powers) => powers,
        Err(unentered) => return refused(POSTGRES, name, unentered),
    };
    // A superuser has all of them. Who may write may be meant to end sessions.
    let told: Vec<&str> = match powers.first() {
        Some(Power::Superuser) => vec!["superuser"],
        _ => {
            powers.iter().filter(|power| **power != Power::EndsSessions || access == Access::ReadOnly).map(|power| power.as_str()).collect()
        }
    };
    if told.is_empty() {
        return Finding::new(POSTGRES, Mark::Ok, format!("`{name}` answers"));
    }
    let seen = format!("`{name}` answers; its role has {}, and so has every check that is granted it", told.join(", "));
    let fix = "give it a role of its own: CREATE ROLE sickbay LOGIN PASSWORD '...' IN ROLE pg_monitor";
    Finding::new(POSTGRES, Mark::Warn, seen).with_fix(fix)
}

fn redis(name: &str, entrant: Result<Entrant, Unentered>) -> Finding {
    let fix =
        "give it a user of its own, and name it in the URL: ACL SETUSER sickbay on >PASSWORD ~* -@all +@read +@connection +command +info";
    match entrant {
        Ok(Entrant::Named) => Finding::new(REDIS, Mark::Ok, format!("`{name}` answers")),
        Ok(Entrant::Default) => {
            Finding::new(REDIS, Mark::Info, format!("`{name}` answers; its user is `default`, which mostly may do everything"))
                .with_fix(fix)
        }
        Ok(Entrant::Anybody) => {
            let seen = format!("`{name}` answers without a password: so it does for everybody who reaches it");
            Finding::new(REDIS, Mark::Warn, seen).with_fix(format!("set `requirepass` on the server, and {fix}"))
        }
        Err(unentered) => refused(REDIS, name, unentered),
    }
}

fn refused(subject: &'static str, name: &str, unentered: Unentered) -> Finding {
    let Unentered { message, hint } = unentered;
    let told = message.strip_prefix(&format!("source `{name}`: ")).unwrap_or(&message);
    Finding::new(subject, Mark::Wrong, format!("`{name}` cannot be entered: {told}")).with_fix(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(access: Access, powers: &[Power]) -> (Mark, String) {
        let finding = postgres("main", access, Ok(powers.to_vec()));
        (finding.mark, finding.seen)
    }

    #[test]
    fn a_role_with_more_than_it_needs_is_a_warning() {
        assert_eq!(seen(Access::ReadOnly, &[]), (Mark::Ok, "`main` answers".to_owned()));
        let (mark, told) = seen(Access::ReadOnly, &Power::ALL);
        assert_eq!(mark, Mark::Warn);
        assert!(told.starts_with("`main` answers; its role has superuser, and"), "{told}");
        let (_, told) = seen(Access::ReadOnly, &[Power::ReadsFiles, Power::IgnoresRowSecurity]);
        assert!(told.contains("has pg_read_server_files, bypassrls, and"), "{told}");
    }

    #[tokio::test]
    async fn findings_come_in_the_order_of_the_sources_however_many_there_are() {
        let services = Services::new(&sickbay_capabilities::ServiceSettings::default()).expect("services");
        let named = |number: usize| {
            if number.is_multiple_of(2) {
                Source::Postgres(number.to_string(), Access::ReadOnly)
            } else {
                Source::Redis(number.to_string())
            }
        };
        let findings = enter_all(&services, (0..2 * AT_ONCE_MAX + 1).map(named)).await;
        assert_eq!(findings.len(), 2 * AT_ONCE_MAX + 1);
        for (number, finding) in findings.iter().enumerate() {
            let subject = if number.is_multiple_of(2) { POSTGRES } else { REDIS };
            assert_eq!((finding.subject, finding.mark), (subject, Mark::Wrong));
            assert!(finding.seen.starts_with(&format!("`{number}` cannot be entered: there is no such source")), "{finding:?}");
        }
    }

    #[test]
    fn who_may_write_may_end_sessions() {
        assert_eq!(seen(Access::ReadOnly, &[Power::EndsSessions]).0, Mark::Warn);
        assert_eq!(seen(Access::ReadWrite, &[Power::EndsSessions]).0, Mark::Ok);
    }

    #[test]
    fn a_server_that_lets_everybody_in_is_a_warning_and_its_first_user_good_to_know() {
        let mark = |entrant| redis("cache", Ok(entrant)).mark;
        assert_eq!([Entrant::Named, Entrant::Default, Entrant::Anybody].map(mark), [Mark::Ok, Mark::Info, Mark::Warn]);
        let unentered = Unentered { message: "no".to_owned(), hint: "mend it".to_owned() };
        let finding = redis("cache", Err(unentered));
        assert_eq!((finding.mark, finding.seen.as_str()), (Mark::Wrong, "`cache` cannot be entered: no"));
        assert_eq!(finding.fix.as_deref(), Some("mend it"));
    }
}
