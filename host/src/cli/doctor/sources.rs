//! The databases of the configuration: each is entered once, and looked at as whom.
//!
//! A grant bounds what a check may say to a source; what the source's role may do with it is the server's matter. Functions run with the
//! rights of the role, also where a check may only read.
//!
//! Limits: [`AT_ONCE_MAX`] sources are entered at once, each for 5 s.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use sickbay_capabilities::postgres::{Access, PostgresSettings, Power};
use sickbay_capabilities::redis::{Entrant, RedisSettings};
use sickbay_capabilities::{Services, Unentered};

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
    Ok(runtime()?.block_on(async {
        let mut findings = enter_postgres(&services, &config.services.postgres).await;
        findings.extend(enter_redis(&services, &config.services.redis).await);
        findings
    }))
}

async fn enter_postgres(services: &Arc<Services>, sources: &BTreeMap<String, PostgresSettings>) -> Vec<Finding> {
    let sources: Vec<(&String, &PostgresSettings)> = sources.iter().collect();
    let mut findings = Vec::new();
    for some in sources.chunks(AT_ONCE_MAX) {
        findings.extend(join_all(some.iter().map(|(name, settings)| enter_one_postgres(services, name, settings.access))).await);
    }
    findings
}

async fn enter_one_postgres(services: &Services, name: &str, access: Access) -> Finding {
    postgres(name, access, services.postgres_powers(name).await)
}

async fn enter_redis(services: &Arc<Services>, sources: &BTreeMap<String, RedisSettings>) -> Vec<Finding> {
    let names: Vec<&String> = sources.keys().collect();
    let mut findings = Vec::new();
    for some in names.chunks(AT_ONCE_MAX) {
        findings.extend(join_all(some.iter().map(|name| enter_one_redis(services, name))).await);
    }
    findings
}

async fn enter_one_redis(services: &Arc<Services>, name: &str) -> Finding {
    redis(name, services.redis_entrant(name).await)
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
