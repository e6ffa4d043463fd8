//! As whom a source is entered, for whoever looks over a configuration.
//!
//! Invariant: nothing is changed on the server.

use std::sync::Arc;
use std::time::Duration;

use ::redis::cmd;
use tokio::time::{Instant, timeout_at};

use super::connection::error_of;
use super::dial::Names;
use super::failure::Failure;
use super::pool::{Target, untold};
use super::source::Source;
use crate::contract::redis::Node;
use crate::services::{Services, Unentered};

/// From the first packet to the last answer.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The user that a server has from the beginning, and that may do everything unless somebody said otherwise.
const DEFAULT_USER: &str = "default";

/// As whom a source is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrant {
    /// `default`, without a password: so may anybody who reaches the server.
    Anybody,
    /// `default`, with its password.
    Default,
    /// A user that was made for it.
    Named,
}

impl Services {
    /// Enters a Redis source with a connection of its own, and asks as whom. That its user may not ask for the table of commands is an
    /// error: without it nothing is lent.
    pub async fn redis_entrant(self: &Arc<Services>, name: &str) -> Result<Entrant, Unentered> {
        let asked = match self.redis.get(name) {
            Some(source) => {
                let nobody = Arc::<str>::from("");
                let names = Names { services: Arc::clone(self), plugin: Arc::clone(&nobody), check: nobody };
                let deadline = Instant::now() + TIME_MAX;
                let silent = || Failure::Timeout(format!("the server did not answer within {} s", TIME_MAX.as_secs()));
                timeout_at(deadline, entrant(&source, &names, deadline)).await.unwrap_or_else(|_| Err(silent()))
            }
            None => Err(Failure::Invalid("there is no such source".to_owned())),
        };
        asked.map_err(|failure| unentered(failure, name))
    }
}

async fn entrant(source: &Source, names: &Names, deadline: Instant) -> Result<Entrant, Failure> {
    let mut connection = source.open(&Target::Home, names, deadline).await?;
    let table = connection.ask(&cmd("COMMAND").get_packed_command()).await?;
    if let Some(text) = error_of(&table) {
        return Err(untold(text));
    }
    let user = connection.ask(&cmd("ACL").arg("WHOAMI").get_packed_command()).await?;
    Ok(judged(&user, source.settings.endpoint.password.is_some()))
}

/// `user` is the answer to `ACL WHOAMI`.
fn judged(user: &[Node], has_password: bool) -> Entrant {
    let is_named = match user {
        [Node::Bulk(name)] => name != DEFAULT_USER.as_bytes(),
        [Node::Simple(name)] => name != DEFAULT_USER,
        // `default` may ask who it is; a server without users (before 6) has only that one.
        [Node::Failed(text)] => text.starts_with("NOPERM"),
        _ => false,
    };
    match (is_named, has_password) {
        (true, _) => Entrant::Named,
        (false, true) => Entrant::Default,
        (false, false) => Entrant::Anybody,
    }
}

fn unentered(failure: Failure, name: &str) -> Unentered {
    let (message, hint) = match failure {
        Failure::Connect(message) => (message, "does the server run, and does the URL name its host and port?"),
        Failure::Timeout(message) => (message, "does the URL name the right host and port, and does no firewall stand between?"),
        Failure::Authentication(message) => (message, "mend user and password in the URL"),
        Failure::Denied(denial) => (denial.message, "mend the URL"),
        Failure::Invalid(message) | Failure::Quota(message) | Failure::Other(message) => (message, "mend the URL"),
    };
    Unentered::new(&message, hint, &format!("[sources.redis.{name}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_ask_who_he_is_has_a_name() {
        let failed = |text: &str| [Node::Failed(text.to_owned())];
        let bulk = |name: &str| [Node::Bulk(name.as_bytes().to_vec())];
        assert_eq!(judged(&failed("NOPERM this user has no permissions to run the 'acl|whoami' command"), true), Entrant::Named);
        assert_eq!(judged(&failed("ERR unknown command `ACL`"), true), Entrant::Default);
        assert_eq!(judged(&failed("ERR unknown command `ACL`"), false), Entrant::Anybody);
        assert_eq!(judged(&bulk("monitor"), true), Entrant::Named);
        assert_eq!(judged(&bulk("default"), true), Entrant::Default);
        assert_eq!(judged(&[Node::Simple("default".to_owned())], false), Entrant::Anybody);
    }
}
