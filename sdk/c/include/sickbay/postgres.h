/// PostgreSQL by the name of a source, as far as `grants = { postgres = [...] }` allows: a statement, several in one transaction, or one by
/// the simple protocol.
///
/// The host connects, authenticates and keeps the credentials. Without `access = "read-write"` a statement is a single `SELECT`, `VALUES`,
/// `TABLE` or `WITH`, and at most `rows_max` rows come.
///
///     sb_rows rows;
///     SB_TRY(sb_postgres_query("main", SB("SELECT count(*) AS orders FROM orders WHERE state = $1"), SB_PARAMS(sb_pg_text(SB("open"))),
///                              &rows));
///     SB_TRY(sb_rows_expect_one(&rows));
///     SB_TRY(sb_row_number(&rows, 0, "orders", &orders));
///
/// A value is read by the name of its column; one that is absent, or not what was asked for, is the service's fault: `content`. Of columns
/// with the same name the first one counts.
#pragma once

#include "json.h"
#include "types.h"

#define SB_POSTGRES_QUERIES_MAX 32

/// The failure kinds that a call may end with.
#define SB_POSTGRES_FAILURES \
    "connection", "authentication", "timeout", "unavailable", "memory", "disk", "too-many-connections", "capacity", "file-system"

enum {
    SB_PG_NULL,
    SB_PG_BOOLEAN,
    /// `smallint`, `integer`, `bigint`, `oid`
    SB_PG_INT,
    /// `real`, `double precision`
    SB_PG_FLOAT,
    /// `numeric`, exact, as text
    SB_PG_NUMERIC,
    /// `text`, `varchar`, `char`, `name`, enums
    SB_PG_TEXT,
    /// `bytea`
    SB_PG_BYTES,
    /// `json`, `jsonb`
    SB_PG_JSON,
    /// In lower case with dashes
    SB_PG_UUID,
    /// Microseconds since 1970
    SB_PG_TIMESTAMP_US,
    /// `YYYY-MM-DD`
    SB_PG_DATE,
    /// `HH:MM:SS.ffffff`
    SB_PG_TIME,
    /// Microseconds; months count 30 days
    SB_PG_INTERVAL_US,
    /// An array of a simple type, as JSON
    SB_PG_LIST_JSON,
    /// Any other type or value (`infinity`), as text
    SB_PG_OTHER,
};

/// A value whose type has no arm of its own, as PostgreSQL prints it.
typedef struct {
    sb_text type_name;
    sb_text text;
} sb_pg_other_value;

/// One value of a row or a parameter.
typedef struct {
    uint8_t kind;
    union {
        bool boolean;
        /// Also `TIMESTAMP_US` and `INTERVAL_US`.
        int64_t integer;
        double real;
        /// Every kind that is text or bytes, but `OTHER`.
        sb_text text;
        sb_pg_other_value other;
    };
} sb_pg_value;

typedef struct {
    const sb_pg_value *items;
    size_t len;
} sb_pg_values;

/// `SB_PARAMS(sb_pg_int(1), sb_pg_text(name))`, or `SB_NO_PARAMS`; lives as long as the block that it is written in.
#define SB_PARAMS(...) \
    ((sb_pg_values){(const sb_pg_value[]){__VA_ARGS__}, sizeof((const sb_pg_value[]){__VA_ARGS__}) / sizeof(sb_pg_value)})
#define SB_NO_PARAMS ((sb_pg_values){NULL, 0})

static inline sb_pg_value sb_pg_null(void) {
    return (sb_pg_value){.kind = SB_PG_NULL};
}

static inline sb_pg_value sb_pg_bool(bool is_so) {
    return (sb_pg_value){.kind = SB_PG_BOOLEAN, .boolean = is_so};
}

static inline sb_pg_value sb_pg_int(int64_t number) {
    return (sb_pg_value){.kind = SB_PG_INT, .integer = number};
}

static inline sb_pg_value sb_pg_float(double number) {
    return (sb_pg_value){.kind = SB_PG_FLOAT, .real = number};
}

static inline sb_pg_value sb_pg_text(sb_text text) {
    return (sb_pg_value){.kind = SB_PG_TEXT, .text = text};
}

/// Any other kind that is text: `sb_pg_as(SB_PG_UUID, text)`.
static inline sb_pg_value sb_pg_as(uint8_t kind, sb_text text) {
    return (sb_pg_value){.kind = kind, .text = text};
}

/// One column of an answer.
typedef struct {
    /// As the statement names it; need not be unique.
    sb_text name;
    /// PostgreSQL's name of the type.
    sb_text type_name;
} sb_pg_column;

typedef struct {
    const sb_pg_column *items;
    size_t len;
} sb_pg_columns;

typedef struct {
    const sb_pg_values *items;
    size_t len;
} sb_pg_rows;

/// What one statement answered.
typedef struct {
    /// There also when no row came.
    sb_pg_columns columns;
    /// At most `rows_max` of the grant; one value per column.
    sb_pg_rows rows;
    /// More rows or bytes than the grant allows were there.
    bool truncated;
    /// Rows that the statement changed; 0 for one that reads.
    uint64_t affected;
    /// Microseconds from sending the statement to its last row.
    uint32_t elapsed_us;
} sb_rows;

/// One statement with its parameters (`$1`, `$2`, ...).
typedef struct {
    /// At most 64 KiB.
    sb_text sql;
    /// At most 256, 1 MiB in all.
    sb_pg_values params;
    /// Never past the run's own deadline, nor the source's `statement_timeout`.
    sb_optional_u32 timeout_ms;
} sb_pg_query;

/// One statement.
SB_MUST_USE_ sb_error sb_postgres_query(const char *source, sb_text sql, sb_pg_values params, sb_rows *rows);
/// The same with a timeout.
SB_MUST_USE_ sb_error sb_postgres_run(sb_text source, const sb_pg_query *query, sb_rows *rows);
/// At most 32 statements in one transaction, answers in order: all or none.
SB_MUST_USE_ sb_error sb_postgres_run_many(sb_text source, const sb_pg_query *queries, size_t len, sb_rows *answers);
/// One statement by the simple protocol, every value as text: `SHOW POOLS` of PgBouncer's console.
SB_MUST_USE_ sb_error sb_postgres_simple(sb_text source, sb_text sql, sb_optional_u32 timeout_ms, sb_rows *rows);

/// Anything but one row is the service's fault.
SB_MUST_USE_ sb_error sb_rows_expect_one(const sb_rows *rows);
/// The value of that column; a row counts from 0.
SB_MUST_USE_ sb_error sb_row_value(const sb_rows *rows, size_t row, const char *column, sb_pg_value *value);
/// A number, also one that came as text.
SB_MUST_USE_ sb_error sb_row_number(const sb_rows *rows, size_t row, const char *column, double *number);
/// A whole number, also one that came as text.
SB_MUST_USE_ sb_error sb_row_int(const sb_rows *rows, size_t row, const char *column, int64_t *number);
/// What came as text: also `uuid`, `date`, `time`, `numeric`, JSON, and every type without an arm of its own.
SB_MUST_USE_ sb_error sb_row_text(const sb_rows *rows, size_t row, const char *column, sb_text *text);
/// A boolean, also one that came as text.
SB_MUST_USE_ sb_error sb_row_bool(const sb_rows *rows, size_t row, const char *column, bool *is_so);
/// An `interval` in seconds.
SB_MUST_USE_ sb_error sb_row_seconds(const sb_rows *rows, size_t row, const char *column, double *seconds);
/// A `timestamp` or `timestamptz`, in microseconds since 1970.
SB_MUST_USE_ sb_error sb_row_timestamp_us(const sb_rows *rows, size_t row, const char *column, int64_t *timestamp_us);
/// A `json`, a `jsonb` or an array.
SB_MUST_USE_ sb_error sb_row_json(const sb_rows *rows, size_t row, const char *column, sb_json *value);
/// Whether a value is `NULL`. A column that is not there is.
bool sb_row_is_null(const sb_rows *rows, size_t row, const char *column);
