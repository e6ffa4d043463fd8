//! Rows, bytes, time.

use super::*;
use sickbay_core::Quota;
use sickbay_runtime::Lend;

#[tokio::test]
async fn rows_beyond_the_grant_are_not_read() {
    let mut lent = Setup::reading().rows_max(5).lent();
    let exact = ask(&mut lent, query("select * from generate_series(1, 5)")).await.expect("rows");
    assert!(exact.rows.len() == 5 && !exact.truncated);
    let more = ask(&mut lent, query("select generate_series(1, 2000000000)")).await.expect("rows");
    assert!(more.truncated);
    assert_eq!(shown_rows(&more), ["int 1", "int 2", "int 3", "int 4", "int 5"]);
    let sets = ask_many(&mut lent, &["select * from generate_series(1, 6)", "select 1"]).await.expect("answers");
    assert_eq!(sets.iter().map(|set| (set.rows.len(), set.truncated)).collect::<Vec<_>>(), [(5, true), (1, false)]);
}

#[tokio::test]
async fn the_rows_of_a_run_are_counted_over_its_statements() {
    let mut lent = Setup { limits: Limits { rows: 7, ..Limits::default() }, ..Setup::reading() }.lent();
    assert_eq!(rows(&mut lent, "select * from generate_series(1, 5)").await.len(), 5);
    let rest = ask(&mut lent, query("select * from generate_series(1, 5)")).await.expect("rows");
    assert!(rest.rows.len() == 2 && rest.truncated);
    assert_eq!(lent.exceeded(), None, "nothing was asked for in vain yet");
    let outcome = ask(&mut lent, query("select 1")).await;
    assert!(matches!(&outcome, Err(PostgresError::Quota(message)) if message.contains("`rows` = 7")), "{outcome:?}");
    assert_eq!(lent.exceeded(), Some((Quota::Rows, 7)));
}

#[tokio::test]
async fn every_statement_is_a_call_and_its_texts_go_out() {
    let mut lent = Setup { limits: Limits { host_calls: 3, ..Limits::default() }, ..Setup::reading() }.lent();
    ask_many(&mut lent, &["select 1", "select 22"]).await.expect("answers");
    let asked = Query { params: vec![Value::Text("abc".to_owned())], ..query("select $1") };
    ask(&mut lent, asked).await.expect("a row");
    assert!(matches!(ask(&mut lent, query("select 1")).await, Err(PostgresError::Quota(_))));
    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.bytes_out), (3, 8 + 9 + 9 + 3));
    assert!((10..1000).contains(&usage.bytes_in), "{}", usage.bytes_in);

    let mut lent = Setup { limits: Limits { bytes_out: 8, ..Limits::default() }, ..Setup::reading() }.lent();
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
    let outcome = ask(&mut lent, query("select 1")).await;
    assert!(matches!(&outcome, Err(PostgresError::Quota(message)) if message.contains("bytes_out")), "{outcome:?}");
}

#[tokio::test]
async fn rows_are_taken_whole_as_far_as_the_bytes_of_the_run_go() {
    let setup = Setup { limits: Limits { bytes_in: 1000, ..Limits::default() }, ..Setup::reading() };
    let mut lent = setup.lent();
    let set = ask(&mut lent, query("select repeat('x', 100) from generate_series(1, 1000)")).await.expect("rows");
    assert!(set.truncated && set.rows.len() == 9, "{} rows", set.rows.len());
    // The connection was closed in the middle of the answer; the next call has another one.
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
    let usage = lent.finish();
    assert!(usage.bytes_in <= 1000, "{}", usage.bytes_in);
}

#[tokio::test]
async fn a_value_that_is_too_large_is_never_taken_into_memory() {
    const VALUE_BYTES: u64 = 128 << 20;
    // Longer than a message may be that is no row, and short enough for the server's log.
    const TEXT_BYTES: u64 = 2 << 20;
    let mut lent = Setup::reading().lent();
    let before = peak_memory_bytes();
    let set = ask(&mut lent, query(&format!("select repeat('x', {VALUE_BYTES})"))).await.expect("an answer");
    assert!(set.truncated && set.rows.is_empty() && set.columns.len() == 1);
    let error = ask(&mut lent, query(&format!("select repeat('x', {TEXT_BYTES})::int"))).await;
    assert!(matches!(&error, Err(PostgresError::Other(message)) if message.contains("longer than may be read")), "{error:?}");
    let grown = peak_memory_bytes() - before;
    assert!(grown < VALUE_BYTES / 2, "{grown} bytes more for a value that nobody gets");
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
}

#[tokio::test]
async fn many_empty_values_are_bounded_too() {
    let setup = Setup { limits: Limits { rows: 1_000_000, ..Limits::default() }, ..Setup::reading() };
    let mut lent = setup.rows_max(1_000_000).lent();
    let nulls = ["null"; 1000].join(", ");
    let set = ask(&mut lent, query(&format!("select {nulls} from generate_series(1, 1000)"))).await.expect("rows");
    assert!(set.truncated && set.rows.len() < 300, "{} rows of a thousand values", set.rows.len());
}

#[tokio::test]
async fn the_server_ends_a_statement_and_the_session_lives_on() {
    let mut lent = Setup { limits: Limits { host_calls: 1000, ..Limits::default() }, ..Setup::reading() }.lent();
    for sql in ["select pg_sleep(60)", "select set_config('statement_timeout', '0', false), pg_sleep(60)"] {
        outlives(&mut lent, sql).await;
    }
    // A statement that somebody else cancels is no timeout of ours.
    let cancelled = ask(&mut lent, query("select pg_cancel_backend(pg_backend_pid()), pg_sleep(20)")).await;
    assert_eq!(sqlstate(cancelled), "57014");
}

#[tokio::test]
async fn the_least_of_all_time_limits_holds() {
    let limit = Duration::from_millis(200);
    let mut by_source = Setup::reading();
    by_source.settings.statement_timeout = limit;
    let by_run = Setup { deadline: limit, ..Setup::reading() };
    for setup in [by_source, by_run] {
        let mut lent = setup.lent();
        let began = Instant::now();
        let slow = Query { timeout_ms: Some(3_600_000), ..query("select pg_sleep(60)") };
        assert!(matches!(ask(&mut lent, slow).await, Err(PostgresError::Timeout(_))));
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn in_a_transaction_every_statement_has_its_own_time() {
    let mut lent = Setup::reading().lent();
    let queries = vec![
        Query { timeout_ms: Some(10_000), ..query("select set_config('statement_timeout', '500', true)") },
        Query { timeout_ms: Some(10_000), ..query("select pg_sleep(0.7)") },
        Query { timeout_ms: Some(200), ..query("select pg_sleep(60)") },
    ];
    let outcome = Host::run_many(&mut lent, "main".to_owned(), queries).await.expect("no trap");
    assert!(matches!(&outcome, Err(PostgresError::Timeout(message)) if message.contains("within 200 ms")), "{outcome:?}");
}

/// The most that this process ever had at once.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}
