//! Checks of the plugin `postgres`, and rounds that are statements: what makes a check bad, and what mends it.

use crate::postgres::Postgres;
use crate::{Sickbay, Turn, Verdict, on_demand};

/// The check, statements that make it bad, what it then comes to, statements that mend it.
pub type Round<'t> = (&'t str, &'t [&'t str], Verdict<'t>, &'t [&'t str]);

/// `[sources.postgres.NAME]`
pub fn source(name: &str, url: &str) -> String {
    format!("[sources.postgres.{name}]\nurl = \"{url}\"\nconnections_max = 16\n\n")
}

/// A check of the source `main`; `config` follows the source in its table.
pub fn check(name: &str, kind: &str, config: &str) -> String {
    check_of("main", name, kind, config)
}

/// The same of another source.
pub fn check_of(source: &str, name: &str, kind: &str, config: &str) -> String {
    let more = format!("config = {{ source = \"{source}\"{config} }}\ngrants = {{ postgres = [{{ source = \"{source}\" }}] }}");
    on_demand(name, "postgres", kind, &more)
}

/// Puts a server through rounds, one after the other.
pub async fn go_through(sickbay: &Sickbay, server: &Postgres, rounds: &[Round<'_>]) {
    for (name, breaks, broken, mends) in rounds {
        let turn = |turn: Turn| {
            let statements = if turn == Turn::Break { *breaks } else { *mends };
            for sql in statements {
                server.sql(sql);
            }
        };
        sickbay.breaks_and_mends(name, *broken, turn).await;
    }
}
