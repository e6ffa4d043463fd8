/// The kinds `postgres` and `redis`.
#include "conformance.h"

/// More are told by the first, the last and a digest.
#define ROWS_TOLD_MAX 20
/// 2026-01-02T03:04:05.678901Z
#define TIMESTAMP_US 1767323045678901

struct postgres_config {
    sb_text source;
    sb_texts sql;
    sb_text how;
    bool tell_errors;
};

static const sb_field postgres_fields[] = {
    SB_FIELD(struct postgres_config, source, "A source of the configuration", .required = true),
    SB_FIELD(struct postgres_config, sql, "The statements", .required = true),
    SB_FIELD(struct postgres_config, how, "How they are run", .one_of = SB_WORDS("each", "params", "many", "simple"),
             .default_text = "each"),
    SB_FIELD(struct postgres_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error told_value(const sb_pg_value *value, sb_text *told) {
    sb_json json;
    switch (value->kind) {
    case SB_PG_NULL: *told = SB("null"); break;
    case SB_PG_BOOLEAN: *told = told_bool(value->boolean); break;
    case SB_PG_INT: *told = told_int(value->integer); break;
    case SB_PG_FLOAT: *told = told_float(value->real); break;
    case SB_PG_BYTES: *told = told_bytes(value->text); break;
    case SB_PG_TIMESTAMP_US:
    case SB_PG_INTERVAL_US: *told = joined(SB_TEXTS(SB("us:"), told_int(value->integer)), ""); break;
    case SB_PG_JSON:
    case SB_PG_LIST_JSON:
        SB_TRY(sb_json_read(value->text, &json));
        *told = told_json(json);
        break;
    case SB_PG_OTHER: {
        sb_text type = joined(SB_TEXTS(SB("other:"), told_text(value->other.type_name)), "");
        *told = joined(SB_TEXTS(type, told_text(value->other.text)), " ");
        break;
    }
    default: *told = told_text(value->text); break;
    }
    return SB_OK;
}

static sb_error told_row(const sb_pg_values *row, sb_text *told) {
    sb_text *values = sb_alloc_array(row->len, sizeof(sb_text));
    for (size_t at = 0; at < row->len; at++) {
        SB_TRY(told_value(&row->items[at], &values[at]));
    }
    *told = told_list((sb_texts){values, row->len});
    return SB_OK;
}

static sb_error tell_rows(lines *told, const sb_rows *rows) {
    for (size_t at = 0; at < rows->columns.len; at++) {
        const sb_pg_column *column = &rows->columns.items[at];
        tell(told, SB_TEXTS(SB("column"), told_text(column->name), told_text(column->type_name)));
    }
    size_t len = rows->rows.len;
    sb_text *all = sb_alloc_array(len, sizeof(sb_text));
    for (size_t at = 0; at < len; at++) {
        SB_TRY(told_row(&rows->rows.items[at], &all[at]));
    }
    if (len > ROWS_TOLD_MAX) {
        tell(told, SB_TEXTS(SB("rows"), told_count(len)));
        tell(told, SB_TEXTS(SB("first"), all[0]));
        tell(told, SB_TEXTS(SB("last"), all[len - 1]));
        tell(told, SB_TEXTS(told_digest((sb_texts){all, len})));
    } else {
        for (size_t at = 0; at < len; at++) {
            tell(told, SB_TEXTS(SB("row"), all[at]));
        }
    }
    tell(told, SB_TEXTS(SB("truncated"), told_bool(rows->truncated)));
    tell(told, SB_TEXTS(SB("affected"), told_count(rows->affected)));
    return SB_OK;
}

static sb_error ask(const struct postgres_config *config, sb_text sql, sb_rows *rows) {
    if (sb_is(config->how, "simple")) {
        return sb_postgres_simple(config->source, sql, (sb_optional_u32){0}, rows);
    }
    if (sb_is(config->how, "params")) {
        // One of each type that every language has.
        sb_pg_values params = SB_PARAMS(sb_pg_null(), sb_pg_bool(true), sb_pg_int(9007199254740993), sb_pg_float(0.5),
                                        sb_pg_text(SB("é☃")), sb_pg_as(SB_PG_BYTES, (sb_bytes){"\x00\xff", 2}),
                                        (sb_pg_value){.kind = SB_PG_TIMESTAMP_US, .integer = TIMESTAMP_US},
                                        sb_pg_as(SB_PG_JSON, SB("{}")), sb_pg_as(SB_PG_LIST_JSON, SB("[1]")));
        return sb_postgres_run(config->source, &(sb_pg_query){.sql = sql, .params = params}, rows);
    }
    return sb_postgres_run(config->source, &(sb_pg_query){.sql = sql}, rows);
}

static sb_error ask_many(const struct postgres_config *config, sb_rows *answers) {
    sb_pg_query *queries = sb_alloc_array(config->sql.len, sizeof(sb_pg_query));
    for (size_t at = 0; at < config->sql.len; at++) {
        queries[at].sql = config->sql.items[at];
    }
    return sb_postgres_run_many(config->source, queries, config->sql.len, answers);
}

static sb_error run_postgres(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct postgres_config *config = configured;
    (void)request;
    lines told = {0};
    size_t len = config->sql.len;
    sb_rows *answers = sb_alloc_array(len, sizeof(sb_rows));
    const sb_rows *last = NULL;
    bool is_many = sb_is(config->how, "many");
    sb_error error = is_many ? ask_many(config, answers) : SB_OK;
    bool is_none = sb_failed(error);
    SB_TRY(tell_error(&told, error, config->tell_errors));
    for (size_t at = 0; at < len && !is_none; at++) {
        error = is_many ? SB_OK : ask(config, config->sql.items[at], &answers[at]);
        if (!sb_failed(error)) {
            SB_TRY(tell_rows(&told, &answers[at]));
            last = &answers[at];
        }
        SB_TRY(tell_error(&told, error, config->tell_errors));
    }
    report_lines(report, &told);
    if (last != NULL) {
        sb_metric(report, "elapsed_seconds", sb_seconds(last->elapsed_us), "seconds");
    }
    return SB_OK;
}

SB_CHECK(ask_postgres, "postgres", "Tells what PostgreSQL answered", .example = "{\"source\": \"main\", \"sql\": [\"SELECT 1 AS one\"]}",
         SB_CONFIG(struct postgres_config, postgres_fields),
         .needs = SB_NEEDS({"postgres", "runs the statements", "postgres = [{ source = \"{source}\" }]"}),
         .metrics = SB_METRICS({"elapsed_seconds", SB_GAUGE, "seconds", "the last statement"}), .run = run_postgres);

struct redis_config {
    sb_text source;
    sb_json commands;
    bool together;
    bool tell_errors;
};

static const sb_field redis_fields[] = {
    SB_FIELD(struct redis_config, source, "A source of the configuration", .required = true),
    SB_FIELD(struct redis_config, commands, "The commands, each with its arguments", .required = true,
             .schema = "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}"),
    SB_FIELD(struct redis_config, together, "In one round trip"),
    SB_FIELD(struct redis_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error read_command(sb_json json, sb_texts *command) {
    sb_text *items = sb_alloc_array(sb_json_len(json), sizeof(sb_text));
    size_t len = 0;
    for (sb_json_each each = sb_json_begin(json); sb_json_next(&each);) {
        if (!sb_json_as_text(each.value, &items[len++])) {
            return sb_configuration_error("`commands` is not a list of lists of texts");
        }
    }
    *command = (sb_texts){items, len};
    return SB_OK;
}

/// Of a map the keys and values in turn.
static sb_text told_reply(sb_reply reply) {
    const sb_redis_node *node = &reply.nodes[0];
    switch (node->kind) {
    case SB_REDIS_NIL: return SB("null");
    case SB_REDIS_INT: return told_int(node->integer);
    case SB_REDIS_FLOAT: return told_float(node->real);
    case SB_REDIS_BOOLEAN: return told_bool(node->boolean);
    case SB_REDIS_FAILED: return joined(SB_TEXTS(SB("failed:"), told_text(node->text)), "");
    case SB_REDIS_ARRAY:
    case SB_REDIS_MAP:
    case SB_REDIS_SET: {
        size_t len = sb_reply_len(reply);
        sb_text *items = sb_alloc_array(len, sizeof(sb_text));
        for (size_t at = 0; at < len; at++) {
            items[at] = told_reply(sb_reply_item(reply, at));
        }
        return told_list((sb_texts){items, len});
    }
    default: return told_string(node->text);
    }
}

static sb_error ask_together(const struct redis_config *config, const sb_texts *commands, size_t len, lines *told) {
    sb_reply *replies = sb_alloc_array(len, sizeof(sb_reply));
    SB_TRY(sb_redis_run_many(config->source, commands, len, (sb_optional_u32){0}, replies));
    for (size_t at = 0; at < len; at++) {
        tell(told, SB_TEXTS(SB("reply"), told_reply(replies[at])));
    }
    return SB_OK;
}

static sb_error ask_one(const struct redis_config *config, sb_texts command, lines *told) {
    sb_reply reply;
    SB_TRY(sb_redis_run(config->source, command, (sb_optional_u32){0}, &reply));
    SB_TRY(sb_reply_accept(reply));
    tell(told, SB_TEXTS(SB("reply"), told_reply(reply)));
    return SB_OK;
}

static sb_error run_redis(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct redis_config *config = configured;
    (void)request;
    lines told = {0};
    sb_texts *commands = sb_alloc_array(sb_json_len(config->commands), sizeof(sb_texts));
    size_t len = 0;
    for (sb_json_each each = sb_json_begin(config->commands); sb_json_next(&each); len++) {
        SB_TRY(read_command(each.value, &commands[len]));
    }
    if (config->together) {
        SB_TRY(tell_error(&told, ask_together(config, commands, len, &told), config->tell_errors));
    } else {
        for (size_t at = 0; at < len; at++) {
            SB_TRY(tell_error(&told, ask_one(config, commands[at], &told), config->tell_errors));
        }
    }
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(ask_redis, "redis", "Tells what Redis replied", .example = "{\"source\": \"cache\", \"commands\": [[\"PING\"]]}",
         SB_CONFIG(struct redis_config, redis_fields),
         .needs = SB_NEEDS({"redis", "runs the commands",
                            "redis = [{ source = \"{source}\", commands = [\"*\"], keys = [\"*\"] }]"}),
         .run = run_redis);
