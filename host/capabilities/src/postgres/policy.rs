//! May this be asked of that source? One place for all of `postgres`.

use super::client::Way;
use super::grant::Grant;
use super::request::Asked;
use super::settings::{Access, Manner};
use super::statement::{Kind, Statement};
use crate::denial::{Capability, Denial, DenialReason};

const SOURCE_CHARACTERS_SHOWN_MAX: usize = 63;

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) rows_max: u32,
    /// The lesser of the grant's and the source's.
    pub(super) access: Access,
}

/// `configured` is the access of the source, where there is one of that name.
pub(super) fn authorise<'s>(
    grants: &[Grant],
    configured: Option<Access>,
    source: &str,
    statements: impl IntoIterator<Item = &'s Statement>,
) -> Result<Allowed, Denial> {
    let of_source = || grants.iter().filter(|grant| grant.source() == source);
    let write = statements.into_iter().find(|statement| statement.kind == Kind::Writes);
    let (Some(rows_max), Some(granted)) = (of_source().map(|grant| grant.rows_max).max(), of_source().map(|grant| grant.access).max())
    else {
        let access = if write.is_some() { Access::ReadWrite } else { Access::ReadOnly };
        return Err(denial(format!("the source `{}` of PostgreSQL is not granted", shown(source)), grant_line(source, access)));
    };
    let Some(configured) = configured else {
        let name = shown(source);
        let hint = format!("sources.postgres.\"{name}\" = {{ url = \"${{DATABASE_URL}}\" }}");
        return Err(denial(format!("the source `{name}` of PostgreSQL is granted, but it is not configured"), hint));
    };
    let access = granted.min(configured);
    if let (Some(statement), Access::ReadOnly) = (write, access) {
        let (name, word) = (shown(source), &statement.word);
        return Err(if granted == Access::ReadOnly {
            denial(format!("`{word}` on the source `{name}` is not granted: it only reads"), grant_line(source, Access::ReadWrite))
        } else {
            let hint = format!("sources.postgres.\"{name}\".access = \"read-write\"");
            denial(format!("`{word}` on the source `{name}` is granted, but the source only reads"), hint)
        });
    }
    Ok(Allowed { rows_max, access })
}

/// What a run would be denied that reads from `source`. What its statements do, only a run knows.
pub fn foretell(grants: &[Grant], source: &str) -> Option<Denial> {
    authorise(grants, Some(Access::ReadOnly), source, std::iter::empty()).err()
}

/// Whether what was authorised can be said in this way to what answers at `source`; else what to do instead.
pub(super) fn fits(source: &str, way: Way, manner: Manner, access: Access, asked: &[Asked]) -> Result<(), String> {
    let only_reads = access == Access::ReadOnly;
    let tells = asked.iter().find(|asked| asked.statement.kind == Kind::Tells).map(|asked| asked.statement.word.as_str());
    let why = match (way, manner) {
        (Way::Run | Way::RunMany, Manner::Console) => {
            let name = shown(source);
            format!("the source `{name}` is PgBouncer's console: only the kind `pgbouncer` may use it, or a plugin that calls `run-simple`")
        }
        (Way::RunSimple, Manner::Direct | Manner::Pooled) if only_reads => {
            let name = shown(source);
            format!(
                "the source `{name}` is a server, or lacks `dialect = \"pgbouncer\"` in `[sources.postgres.{name}]`; \
                 hint: what is no console is asked with `run`, and with `run-simple` only where it has `access = \"read-write\"`"
            )
        }
        (Way::RunSimple, Manner::Console) if only_reads && !asked.iter().all(|asked| Statement::is_plain_show(&asked.sql)) => {
            "a PgBouncer that is only read takes `SHOW` and one word; hint: `SHOW POOLS`".to_owned()
        }
        (Way::Run | Way::RunMany, Manner::Direct | Manner::Pooled) if only_reads && tells.is_some() => {
            let word = tells.unwrap_or_default();
            format!(
                "`{word}` is no query, and a source that is only read runs queries; hint: `SELECT current_setting('...')` tells a setting"
            )
        }
        _ => return Ok(()),
    };
    Err(why)
}

fn denial(message: String, hint: String) -> Denial {
    Denial { capability: Capability::Postgres, reason: DenialReason::NotGranted, message, hint }
}

fn grant_line(source: &str, access: Access) -> String {
    let name = shown(source);
    match access {
        Access::ReadOnly => format!("postgres = [{{ source = \"{name}\" }}]"),
        Access::ReadWrite => format!("postgres = [{{ source = \"{name}\", access = \"read-write\" }}]"),
    }
}

/// The name of a source as a guest wrote it, fit for a message and a line of TOML.
fn shown(source: &str) -> String {
    let plain = source.chars().take(SOURCE_CHARACTERS_SHOWN_MAX);
    plain.map(|letter| if letter.is_control() || matches!(letter, '"' | '\\' | '`') { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(grants: &[Grant], configured: Option<Access>, sql: &str) -> Result<Allowed, Denial> {
        let statement = Statement::read(sql).expect("a statement");
        authorise(grants, configured, "main", [&statement])
    }

    fn writing() -> Grant {
        Grant::new("main").with_access("read-write").expect("a grant")
    }

    #[test]
    fn the_lesser_of_source_and_grant_holds() {
        use Access::{ReadOnly, ReadWrite};
        for (grant, configured, access) in [
            (Grant::new("main"), ReadOnly, ReadOnly),
            (Grant::new("main"), ReadWrite, ReadOnly),
            (writing(), ReadOnly, ReadOnly),
            (writing(), ReadWrite, ReadWrite),
        ] {
            assert_eq!(judge(&[grant], Some(configured), "select 1"), Ok(Allowed { rows_max: 1000, access }));
        }
    }

    #[test]
    fn of_several_grants_the_widest_counts() {
        let grants = [Grant::new("main").with_rows_max(5).expect("rows"), writing().with_rows_max(3).expect("rows"), Grant::new("other")];
        let allowed = judge(&grants, Some(Access::ReadWrite), "select 1").expect("granted");
        assert_eq!(allowed, Allowed { rows_max: 5, access: Access::ReadWrite });
    }

    #[test]
    fn a_denial_names_the_line_that_grants_it() {
        let (read, write) = ([Grant::new("main")], [writing()]);
        for (grants, configured, sql, hint) in [
            (&[][..], Some(Access::ReadOnly), "select 1", "postgres = [{ source = \"main\" }]"),
            (&[][..], None, "delete from t", "postgres = [{ source = \"main\", access = \"read-write\" }]"),
            (&read[..], Some(Access::ReadWrite), "vacuum", "postgres = [{ source = \"main\", access = \"read-write\" }]"),
            (&write[..], Some(Access::ReadOnly), "vacuum", "sources.postgres.\"main\".access = \"read-write\""),
            (&read[..], None, "select 1", "sources.postgres.\"main\" = { url = \"${DATABASE_URL}\" }"),
        ] {
            let denial = judge(grants, configured, sql).expect_err(sql);
            assert_eq!((denial.capability, denial.reason, denial.hint.as_str()), (Capability::Postgres, DenialReason::NotGranted, hint));
        }
    }

    #[test]
    fn who_has_no_grant_does_not_learn_which_sources_there_are() {
        let denied = |configured| judge(&[Grant::new("other")], configured, "select 1").expect_err("not granted");
        assert_eq!(denied(None), denied(Some(Access::ReadWrite)));
    }

    #[test]
    fn each_way_has_its_sources() {
        use Access::{ReadOnly, ReadWrite};
        let fits = |way, manner, access, sql: &str| {
            super::fits("main", way, manner, access, &[Asked::simple(sql.to_owned(), None).expect("a statement")])
        };
        for (way, manner, access, sql) in [
            (Way::Run, Manner::Direct, ReadOnly, "select 1"),
            (Way::RunMany, Manner::Pooled, ReadOnly, "selec 1"),
            (Way::Run, Manner::Direct, ReadWrite, "show work_mem"),
            (Way::RunSimple, Manner::Direct, ReadWrite, "vacuum"),
            (Way::RunSimple, Manner::Console, ReadOnly, "show pools;"),
            (Way::RunSimple, Manner::Console, ReadWrite, "reload"),
        ] {
            assert_eq!(fits(way, manner, access, sql), Ok(()), "{sql}");
        }
        for (way, manner, access, sql, hint) in [
            (Way::Run, Manner::Console, ReadWrite, "show pools", "is PgBouncer's console: only the kind `pgbouncer` may use it"),
            (Way::RunMany, Manner::Direct, ReadOnly, "show work_mem", "current_setting"),
            (Way::Run, Manner::Pooled, ReadOnly, "explain select 1", "`EXPLAIN` is no query"),
            (Way::RunSimple, Manner::Direct, ReadOnly, "select 1", "or lacks `dialect = \"pgbouncer\"` in `[sources.postgres.main]`"),
            (Way::RunSimple, Manner::Console, ReadOnly, "reload", "SHOW POOLS"),
        ] {
            let why = fits(way, manner, access, sql).expect_err(sql);
            assert!(why.contains(hint), "{sql}: {why}");
        }
    }

    #[test]
    fn a_hostile_source_cannot_break_the_line() {
        let denial = authorise(&[], None, "a\"]\nhttp = [\"*`", []).expect_err("nothing is granted");
        assert!(!denial.hint.contains('\n') && !denial.message.contains('\n'), "{denial:?}");
        assert_eq!(denial.hint.matches('"').count(), 2, "{denial:?}");
    }
}
