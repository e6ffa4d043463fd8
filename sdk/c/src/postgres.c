/// PostgreSQL: calls, and values by the name of their column.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"},         // invalid
    {SB_BLAME_PLUGIN, "quota"},                 // quota
    {SB_BLAME_SERVICE, "connection"},           // connect
    {SB_BLAME_SERVICE, "authentication"},       // authentication
    {SB_BLAME_SERVICE, "too-many-connections"}, // too-many-connections
    {SB_BLAME_SERVICE, "timeout"},              // timeout
    {SB_BLAME_PLUGIN, "configuration"},         // server, which `refusal` tells
    {SB_BLAME_SERVICE, "connection"},           // other
};

/// What a state of the server is called, by its SQLSTATE: whole codes first, then classes. Everything else is the statement's mistake.
static const struct {
    const char *code;
    const char *failure;
} STATES[] = {
    {"53100", "disk"},     {"53200", "memory"},   {"53300", "too-many-connections"},
    {"57014", "timeout"},  {"08", "connection"},  {"28", "authentication"},
    {"53", "capacity"}, {"57", "unavailable"}, {"58", "file-system"},
};

static sb_error refusal(const sb_server_error *server) {
    sb_error error = sb_configuration_error("%.*s (%.*s)", SB_F(server->message), SB_F(server->sqlstate));
    for (size_t at = 0; at < sizeof(STATES) / sizeof(STATES[0]); at++) {
        if (sb_starts_with(server->sqlstate, STATES[at].code)) {
            error.blame = SB_BLAME_SERVICE;
            error.kind = sb_text_of(STATES[at].failure);
            break;
        }
    }
    error.code = server->sqlstate;
    return error;
}

static sb_error meant(const sb_postgres_error *error) {
    if (error->tag == SB_POSTGRES_SERVER) {
        return refusal(&error->server);
    }
    sb_wire_error plain = {.tag = error->tag};
    if (error->tag == 0) {
        plain.denied = error->denied;
    } else {
        plain.message = error->message;
    }
    return SB_MEANT(MEANINGS, &plain);
}

static bool is_text_kind(uint8_t kind) {
    switch (kind) {
    case SB_PG_NUMERIC:
    case SB_PG_TEXT:
    case SB_PG_JSON:
    case SB_PG_UUID:
    case SB_PG_DATE:
    case SB_PG_TIME:
    case SB_PG_LIST_JSON: return true;
    default: return false;
    }
}

static sb_pg_query utf8_query(const sb_pg_query *query) {
    sb_pg_value *params = sb_alloc_array(query->params.len, sizeof(sb_pg_value));
    for (size_t at = 0; at < query->params.len; at++) {
        params[at] = query->params.items[at];
        if (is_text_kind(params[at].kind)) {
            params[at].text = sb_utf8(params[at].text);
        }
    }
    return (sb_pg_query){sb_utf8(query->sql), {params, query->params.len}, query->timeout_ms};
}

sb_error sb_postgres_run(sb_text source, const sb_pg_query *query, sb_rows *rows) {
    sb_pg_query clean = utf8_query(query);
    sb_rows_result result;
    sb_wire_postgres_run(sb_utf8(source), &clean, &result);
    if (result.is_error) {
        return meant(&result.error);
    }
    *rows = result.ok;
    return SB_OK;
}

sb_error sb_postgres_query(const char *source, sb_text sql, sb_pg_values params, sb_rows *rows) {
    return sb_postgres_run(sb_text_of(source), &(sb_pg_query){sql, params, {0}}, rows);
}

sb_error sb_postgres_run_many(sb_text source, const sb_pg_query *queries, size_t len, sb_rows *answers) {
    if (len > SB_POSTGRES_QUERIES_MAX) {
        return sb_configuration_error("%zu statements at once; hint: at most %d", len, SB_POSTGRES_QUERIES_MAX);
    }
    sb_pg_query *clean = sb_alloc_array(len, sizeof(sb_pg_query));
    for (size_t at = 0; at < len; at++) {
        clean[at] = utf8_query(&queries[at]);
    }
    sb_rows_list_result result;
    sb_wire_postgres_run_many(sb_utf8(source), (sb_pg_queries){clean, len}, &result);
    if (result.is_error) {
        return meant(&result.error);
    }
    if (result.ok.len != len) {
        return sb_internal_error("the host answered %zu of %zu statements", result.ok.len, len);
    }
    for (size_t at = 0; at < len; at++) {
        answers[at] = result.ok.items[at];
    }
    return SB_OK;
}

sb_error sb_postgres_simple(sb_text source, sb_text sql, sb_optional_u32 timeout_ms, sb_rows *rows) {
    sb_rows_result result;
    sb_wire_postgres_run_simple(sb_utf8(source), sb_utf8(sql), timeout_ms, &result);
    if (result.is_error) {
        return meant(&result.error);
    }
    *rows = result.ok;
    return SB_OK;
}

sb_error sb_rows_expect_one(const sb_rows *rows) {
    if (rows->rows.len != 1) {
        return sb_service_error("content", "the statement answered %zu rows, expected one", rows->rows.len);
    }
    return SB_OK;
}

static bool find_value(const sb_rows *rows, size_t row, const char *column, sb_pg_value *value) {
    for (size_t at = 0; row < rows->rows.len && at < rows->columns.len; at++) {
        if (sb_is(rows->columns.items[at].name, column)) {
            bool is_there = at < rows->rows.items[row].len;
            if (is_there) {
                *value = rows->rows.items[row].items[at];
            }
            return is_there;
        }
    }
    return false;
}

sb_error sb_row_value(const sb_rows *rows, size_t row, const char *column, sb_pg_value *value) {
    if (row >= rows->rows.len) {
        return sb_service_error("content", "the statement answered %zu rows, expected more than %zu", rows->rows.len, row);
    }
    if (!find_value(rows, row, column, value)) {
        return sb_service_error("content", "the answer has no column %s", column);
    }
    return SB_OK;
}

bool sb_row_is_null(const sb_rows *rows, size_t row, const char *column) {
    sb_pg_value value = {.kind = SB_PG_NULL};
    return !find_value(rows, row, column, &value) || value.kind == SB_PG_NULL;
}

static sb_error not_what(const sb_pg_value *value, const char *column, const char *expected) {
    const char *found = value->kind == SB_PG_NULL ? "NULL, expected " : "not ";
    return sb_service_error("content", "the column %s is %s%s", column, found, expected);
}

sb_error sb_row_number(const sb_rows *rows, size_t row, const char *column, double *number) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind == SB_PG_INT) {
        *number = (double)value.integer;
        return SB_OK;
    }
    if (value.kind == SB_PG_FLOAT && sb_is_finite(value.real)) {
        *number = value.real;
        return SB_OK;
    }
    bool is_text = value.kind == SB_PG_NUMERIC || value.kind == SB_PG_TEXT;
    return is_text && sb_to_number(value.text, number) ? SB_OK : not_what(&value, column, "a number");
}

sb_error sb_row_int(const sb_rows *rows, size_t row, const char *column, int64_t *number) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind == SB_PG_INT) {
        *number = value.integer;
        return SB_OK;
    }
    bool is_text = value.kind == SB_PG_NUMERIC || value.kind == SB_PG_TEXT;
    return is_text && sb_to_int(value.text, number) ? SB_OK : not_what(&value, column, "a whole number");
}

sb_error sb_row_text(const sb_rows *rows, size_t row, const char *column, sb_text *text) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind == SB_PG_OTHER) {
        *text = value.other.text;
        return SB_OK;
    }
    if (!is_text_kind(value.kind)) {
        return not_what(&value, column, "a text");
    }
    *text = value.text;
    return SB_OK;
}

sb_error sb_row_bool(const sb_rows *rows, size_t row, const char *column, bool *is_so) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind == SB_PG_BOOLEAN) {
        *is_so = value.boolean;
        return SB_OK;
    }
    sb_text text = value.kind == SB_PG_TEXT ? value.text : SB("");
    *is_so = sb_is(text, "t") || sb_is(text, "true") || sb_is(text, "on");
    bool is_not = sb_is(text, "f") || sb_is(text, "false") || sb_is(text, "off");
    return *is_so || is_not ? SB_OK : not_what(&value, column, "a boolean");
}

sb_error sb_row_seconds(const sb_rows *rows, size_t row, const char *column, double *seconds) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind != SB_PG_INTERVAL_US) {
        return not_what(&value, column, "an interval");
    }
    *seconds = (double)value.integer / 1e6;
    return SB_OK;
}

sb_error sb_row_timestamp_us(const sb_rows *rows, size_t row, const char *column, int64_t *timestamp_us) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    if (value.kind != SB_PG_TIMESTAMP_US) {
        return not_what(&value, column, "a timestamp");
    }
    *timestamp_us = value.integer;
    return SB_OK;
}

sb_error sb_row_json(const sb_rows *rows, size_t row, const char *column, sb_json *json) {
    sb_pg_value value;
    SB_TRY(sb_row_value(rows, row, column, &value));
    bool is_json = value.kind == SB_PG_JSON || value.kind == SB_PG_LIST_JSON || value.kind == SB_PG_TEXT;
    sb_text why;
    return is_json && sb_json_parse(value.text, json, &why) ? SB_OK : not_what(&value, column, "JSON");
}
