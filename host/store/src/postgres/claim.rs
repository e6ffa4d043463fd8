//! One Sickbay at a time writes to a database: an advisory lock of the session that writes.
//!
//! The server lets go of it when that session ends, however it ends. So whoever has it knows that nothing of the holder before him is
//! still under way: what that one committed is there to be read, and what it did not will not come any more.
//!
//! A session that was lost may live on in the server, which has not heard of it yet. Its own process knows it again, and ends it.

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::failure::is_lock_timeout;

/// "SICK", and what the lock is for. Locks of a database are its own.
const KEYS: (i32, i32) = (1_397_310_283, 1);
/// Once more after a session of this process was ended, or after the holder went by itself.
const ATTEMPTS_MAX: u32 = 2;

const WHO_HOLDS: &str = "SELECT activity.pid, (extract(epoch FROM activity.backend_start) * 1000000)::bigint, \
     to_char(activity.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), host(activity.client_addr) \
     FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid) \
     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2 \
     AND held.classid = $1::oid AND held.objid = $2::oid \
     AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const WHO_AM_I: &str =
    "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A session as its server knows it: the number of a process is given again, with a later start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionId {
    pid: i32,
    /// Microseconds since 1970.
    started: i64,
}

pub(super) enum Claim {
    Mine(SessionId),
    /// Another Sickbay's; what the server says of it.
    Theirs(String),
}

struct Holder {
    pid: i32,
    /// None where it is another role's: the server does not show it.
    id: Option<SessionId>,
    description: String,
}

/// Claims the database for this session; waits a moment for one that is just ending. `lost` is the session that this process had before.
pub(super) async fn claim(connection: &mut PgConnection, lost: Option<SessionId>) -> Result<Claim, sqlx::Error> {
    let mut theirs = "it ended this moment".to_owned();
    for _ in 0..ATTEMPTS_MAX {
        if lock(connection).await? {
            return Ok(Claim::Mine(who_am_i(connection).await?));
        }
        let Some(holder) = who_holds(connection).await? else { continue };
        if lost.is_none() || holder.id != lost {
            return Ok(Claim::Theirs(holder.description));
        }
        sqlx::query("SELECT pg_terminate_backend($1)").bind(holder.pid).execute(&mut *connection).await?;
        theirs = holder.description;
    }
    Ok(Claim::Theirs(theirs))
}

/// Gives it back at once; the server would do so when it sees that the session has ended.
pub(super) async fn release(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_unlock($1, $2)").bind(KEYS.0).bind(KEYS.1).execute(&mut *connection).await.map(drop)
}

/// False: somebody else has it, for longer than a session waits for a lock.
async fn lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let locked = sqlx::query("SELECT pg_advisory_lock($1, $2)").bind(KEYS.0).bind(KEYS.1).execute(&mut *connection).await;
    match locked {
        Ok(_) => Ok(true),
        Err(error) if is_lock_timeout(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn who_am_i(connection: &mut PgConnection) -> Result<SessionId, sqlx::Error> {
    let row = sqlx::query(WHO_AM_I).fetch_one(&mut *connection).await?;
    Ok(SessionId { pid: row.try_get(0)?, started: row.try_get(1)? })
}

async fn who_holds(connection: &mut PgConnection) -> Result<Option<Holder>, sqlx::Error> {
    let row = sqlx::query(WHO_HOLDS).bind(KEYS.0).bind(KEYS.1).fetch_optional(&mut *connection).await?;
    row.as_ref().map(holder_of).transpose()
}

fn holder_of(row: &PgRow) -> Result<Holder, sqlx::Error> {
    let pid: i32 = row.try_get(0)?;
    let started: Option<i64> = row.try_get(1)?;
    let mut description = format!("its session is process {pid} of the server");
    if let Some(since) = row.try_get::<Option<String>, _>(2)? {
        description.push_str(&format!(", connected since {since}"));
    }
    if let Some(address) = row.try_get::<Option<String>, _>(3)? {
        description.push_str(&format!(" from {address}"));
    }
    Ok(Holder { pid, id: started.map(|started| SessionId { pid, started }), description })
}
