//! Every arm of the contract, there and back.

use super::*;
use crate::contract::postgres::OtherValue;
use crate::secrets::tests::{drawn, placeholder};

#[tokio::test]
async fn every_value_has_its_arm() {
    let server = Postgres::shared();
    server.sql(
        "do $$ begin create type mood as enum ('sad', 'so so'); exception when duplicate_object then null; end $$; \
         do $$ begin create domain percent as int check (value between 0 and 100); exception when duplicate_object then null; end $$; \
         do $$ begin create type pair as (a int, b text); exception when duplicate_object then null; end $$",
    );
    let mut lent = Setup::reading().lent();
    for (sql, expected) in [
        ("null::int", "null"),
        ("true", "boolean true"),
        ("(-32768)::smallint", "int -32768"),
        ("2147483647", "int 2147483647"),
        ("(-9223372036854775808)::bigint", "int -9223372036854775808"),
        ("4294967295::oid", "int 4294967295"),
        ("0.1::real", "float 0.1"),
        ("0.1::float8 + 0.2::float8", "float 0.30000000000000004"),
        ("1e300::float8", "float 1e300"),
        ("'NaN'::float8", "float NaN"),
        ("'-Infinity'::real", "float -inf"),
        ("1234567890123456789012345678.9012345678900::numeric", "numeric 1234567890123456789012345678.9012345678900"),
        ("0.00000001::numeric", "numeric 0.00000001"),
        ("'NaN'::numeric", "other numeric NaN"),
        ("'Infinity'::numeric", "other numeric Infinity"),
        ("'é\"\\'::text", "text é\"\\"),
        ("'ab'::varchar(5)", "text ab"),
        ("'ab'::char(4)", "text ab  "),
        ("'ab'::name", "text ab"),
        ("'x'::\"char\"", "text x"),
        ("'so so'::mood", "text so so"),
        ("42::percent", "int 42"),
        ("'\\x00ff10'::bytea", "bytes [0, 255, 16]"),
        ("''::bytea", "bytes []"),
        ("'{\"a\": [1, 2]}'::json", "json {\"a\": [1, 2]}"),
        ("'{\"b\":1,\"a\":2}'::jsonb", "json {\"a\": 2, \"b\": 1}"),
        ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "uuid a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'2000-02-29 12:34:56.789012'::timestamp", "timestamp 951827696789012"),
        ("'2000-02-29 12:34:56.789012+02'::timestamptz", "timestamp 951820496789012"),
        ("'0044-03-15 BC'::timestamp", "timestamp -63517824000000000"),
        ("'infinity'::timestamptz", "other timestamptz infinity"),
        ("'-infinity'::timestamp", "other timestamp -infinity"),
        ("'2026-01-31'::date", "date 2026-01-31"),
        ("'infinity'::date", "other date infinity"),
        ("'12345-01-01'::date", "other date 12345-01-01"),
        ("'04:05:06.7'::time", "time 04:05:06.700000"),
        ("'04:05:06+02'::timetz", "other timetz 04:05:06+02"),
        ("'1 year 2 mons 3 days -04:05:06.7'::interval", "interval 36532493300000"),
        ("'0'::interval", "interval 0"),
        ("array[1, null, 3]", "list [1,null,3]"),
        ("'{{1,2},{3,4}}'::bigint[]", "list [[1,2],[3,4]]"),
        ("array['a,b', '\"', '', 'NULL', null]", r#"list ["a,b","\"","","NULL",null]"#),
        ("array[true, false]", "list [true,false]"),
        ("array[1.50::numeric]", r#"list ["1.50"]"#),
        ("array['sad']::mood[]", r#"list ["sad"]"#),
        ("array['{\"a\": 1}'::jsonb]", r#"list [{"a": 1}]"#),
        ("array['1970-01-01 00:00:01+00'::timestamptz]", "list [1000000]"),
        ("'{}'::text[]", "list []"),
        ("array['10.0.0.1'::inet]", "other _inet {10.0.0.1}"),
        ("'10.0.0.1'::inet", "other inet 10.0.0.1"),
        ("'16/B374D848'::pg_lsn", "other pg_lsn 16/B374D848"),
        ("row(1, 'a b')::pair", "other pair (1,\"a b\")"),
        ("row(1, 'a')", "other record (1,a)"),
        ("int4range(1, 5)", "other int4range [1,5)"),
        ("point(1, 2)", "other point (1,2)"),
        ("'pg_class'::regclass", "other regclass pg_class"),
        ("pg_sleep(0)", "other void "),
    ] {
        assert_eq!(row(&mut lent, &format!("select {sql}")).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn columns_have_the_names_that_the_server_has_for_their_types() {
    let server = Postgres::shared();
    server.sql("do $$ begin create type colour as enum ('red'); exception when duplicate_object then null; end $$");
    let mut lent = Setup::reading().lent();
    let sql = "select 'red'::colour, array['red']::colour[], point(1, 2), 'ab'::char(4), array['x'] where false";
    // Asked of the server at first, remembered afterwards.
    for _ in 0..2 {
        let set = ask(&mut lent, query(sql)).await.expect("no rows");
        let names: Vec<_> = set.columns.iter().map(|column| column.type_name.as_str()).collect();
        assert_eq!(names, ["colour", "_colour", "point", "bpchar", "_text"]);
    }
}

#[tokio::test]
async fn parameters_arrive_as_they_were_given() {
    let mut lent = Setup::reading().lent();
    let other = |name: &str, text: &str| Value::Other(OtherValue { type_name: name.to_owned(), text: text.to_owned() });
    for (sql, parameter, expected) in [
        ("$1", Value::Boolean(true), "boolean true"),
        ("$1", Value::Int(5), "int 5"),
        ("$1", Value::Int(i64::MIN), "int -9223372036854775808"),
        ("$1", Value::Float(0.1), "float 0.1"),
        ("$1", Value::Float(f64::INFINITY), "float inf"),
        ("$1", Value::Numeric("1.500".to_owned()), "numeric 1.500"),
        ("$1", Value::Text("a'; drop table x; --".to_owned()), "text a'; drop table x; --"),
        ("$1", Value::Bytes(vec![0, 39, 92, 255]), "bytes [0, 39, 92, 255]"),
        ("$1::jsonb", Value::Json("{\"a\":1}".to_owned()), "json {\"a\": 1}"),
        ("$1", Value::Uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".to_owned()), "uuid a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("$1", Value::TimestampUs(-1), "timestamp -1"),
        ("$1", Value::Date("2026-01-31".to_owned()), "date 2026-01-31"),
        ("$1", Value::Time("04:05:06.7".to_owned()), "time 04:05:06.700000"),
        ("$1", Value::IntervalUs(-90_000_000_001), "interval -90000000001"),
        ("2 = any($1::int[])", Value::ListJson("[1, 2, null]".to_owned()), "boolean true"),
        ("$1::text[]", Value::ListJson(r#"["a\"b\\", null, "{,}"]"#.to_owned()), r#"list ["a\"b\\",null,"{,}"]"#),
        ("'2026-01-31'::date = $1", Value::Text("2026-01-31".to_owned()), "boolean true"),
        ("$1::inet", other("inet", "10.0.0.1"), "other inet 10.0.0.1"),
        ("$1::int", Value::Null, "null"),
        ("coalesce($1, 'none')", Value::Null, "text none"),
    ] {
        let told = format!("{sql} {parameter:?}");
        let asked = Query { params: vec![parameter], ..query(&format!("select {sql}")) };
        let set = ask(&mut lent, asked).await.unwrap_or_else(|error| panic!("{told}: {error:?}"));
        assert_eq!(shown_rows(&set), [expected], "{told}");
    }
    let two = Query { params: vec![Value::Int(2), Value::Text("b".to_owned())], ..query("select $2 || $1::text, $1 + 1") };
    assert_eq!(shown_rows(&ask(&mut lent, two).await.expect("a row")), ["text b2 | int 3"]);
    let missing = ask(&mut lent, query("select $1::int")).await;
    assert!(invalid(missing).contains("more or fewer parameters"));
    let wrong = Query { params: vec![Value::Text("x".to_owned())], ..query("select $1::int") };
    assert_eq!(sqlstate(ask(&mut lent, wrong).await), "22P02");
}

#[tokio::test]
async fn a_session_told_to_print_otherwise_gives_no_wrong_values() {
    let mut lent = Setup::reading().lent();
    let changes = [("DateStyle", "SQL, DMY"), ("IntervalStyle", "iso_8601"), ("bytea_output", "escape"), ("TimeZone", "Asia/Kolkata")];
    for (name, value) in changes {
        let sql = format!(
            "select set_config('{name}', '{value}', false) is null, '1970-01-01 00:00:01+00'::timestamptz, '1 day'::interval, 'a'::bytea, \
             '1970-02-01'::date"
        );
        let told = row(&mut lent, &sql).await;
        let right = "boolean false | timestamp 1000000 | interval 86400000000 | bytes [97] | date 1970-02-01";
        for (found, expected) in told.split(" | ").zip(right.split(" | ")) {
            assert!(found == expected || found.starts_with("other "), "{name}: {told}");
        }
    }
}

#[tokio::test]
async fn a_secret_of_the_run_is_masked_in_rows_and_in_the_servers_words() {
    let secrets = drawn(&[("key", b"swordfish")]);
    let masked = placeholder(&secrets, 0);
    let (mut plain, mut lent) = (Setup::reading().lent(), Setup::reading().lent().with_secrets(secrets));
    for sql in [
        "select 'a swordfish', null, 1",
        "select 'swordfish'::name",
        "select '{\"key\": \"swordfish\"}'::jsonb",
        "select array['swordfish', 'x']",
        "select 'swordfish'::tsvector",
    ] {
        let told = row(&mut plain, sql).await;
        assert!(told.contains("swordfish"), "{told}");
        assert_eq!(row(&mut lent, sql).await, told.replace("swordfish", &masked), "{sql}");
    }
    assert_eq!(row(&mut lent, "select 'c3dvcmRmaXNo'").await, format!("text {masked}"));
    assert_eq!(row(&mut lent, "select 'swordfish'::bytea").await, format!("bytes {:?}", masked.as_bytes()));
    let set = ask(&mut lent, query("select 1 as swordfish")).await.expect("a row");
    assert_eq!(set.columns[0].name, masked);
    let refused = ask(&mut lent, query("select 'swordfish'::int")).await;
    let Err(PostgresError::Server(error)) = refused else { panic!("{refused:?}") };
    assert!(error.message.contains(&masked) && !error.message.contains("swordfish"), "{error:?}");
}

#[tokio::test]
async fn rows_that_came_and_wait_for_a_thread_of_ours_are_no_timeout_of_the_server() {
    let mut lent = Setup::reading().lent().with_secrets(drawn(&[("key", b"swordfish")]));
    let _taken = lent.services.masking.all_taken().await;
    lent.scope.deadline = Instant::now() + Duration::from_secs(2);
    let outcome = ask(&mut lent, query("select repeat('x', 100000)")).await;
    assert!(matches!(&outcome, Err(PostgresError::Quota(why)) if why.contains("one of the 2 threads")), "{outcome:?}");
}
