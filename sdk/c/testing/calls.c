/// The scripted host: `http`, `postgres`, `redis`.
#include "fake.h"

static const char *const HTTP_ERRORS[] = {"denied", "invalid", "quota",    "dns",   "refused", "connect",
                                          "tls",    "timeout", "protocol", "other", NULL};
static const char *const POSTGRES_ERRORS[] = {"denied",  "invalid", "quota", "connect", "authentication", "too-many-connections",
                                              "timeout", "server",  "other", NULL};
static const char *const REDIS_ERRORS[] = {"denied", "invalid", "quota", "connect", "authentication", "timeout", "other", NULL};

/// Answers that wait for their call. What is handed out is a place of its own: a test may go on changing it.
typedef struct {
    void **items;
    size_t len;
    size_t given;
} script;

static script http, postgres, redis;

void sb_fake_reset_calls(void) {
    http = postgres = redis = (script){0};
}

static void *add(script *waiting, size_t bytes) {
    waiting->items = sb_grown(waiting->items, waiting->len, sizeof(void *));
    return waiting->items[waiting->len++] = sb_alloc(bytes);
}

static const void *next(script *waiting) {
    return waiting->given < waiting->len ? waiting->items[waiting->given++] : NULL;
}

// http

sb_http_response *sb_fake_http(uint16_t status, const char *body) {
    sb_http_result *result = add(&http, sizeof(sb_http_result));
    result->ok.status = status;
    result->ok.version = SB("HTTP/1.1");
    result->ok.body = sb_text_of(body);
    result->ok.timings.total_us = 1000;
    return &result->ok;
}

void sb_fake_http_error(const char *kind, const char *message) {
    sb_http_result *result = add(&http, sizeof(sb_http_result));
    result->is_error = true;
    result->error = sb_fake_error(HTTP_ERRORS, kind, message);
}

static sb_http_request copy_request(const sb_http_request *request) {
    sb_header *headers = sb_alloc_array(request->headers.len, sizeof(sb_header));
    for (size_t at = 0; at < request->headers.len; at++) {
        sb_fake_expect_utf8(request->headers.items[at].name);
        sb_fake_expect_utf8(request->headers.items[at].value);
        headers[at] = (sb_header){sb_copy(request->headers.items[at].name), sb_copy(request->headers.items[at].value)};
    }
    sb_fake_expect_utf8(request->url);
    sb_fake_expect_utf8(request->method);
    sb_optional_text body = {request->body.is_some, sb_copy(request->body.value)};
    return (sb_http_request){sb_copy(request->method), sb_copy(request->url), {headers, request->headers.len}, body};
}

static void answer_http(const sb_http_request *request, const sb_http_options *options, sb_http_result *result) {
    sb_sent *sent = sb_grown(sb_fake.sent, sb_fake.sent_len, sizeof(sb_sent));
    sent[sb_fake.sent_len++] = (sb_sent){copy_request(request), *options};
    sb_fake.sent = sent;
    const sb_http_result *scripted = next(&http);
    if (scripted == NULL) {
        *result = (sb_http_result){.is_error = true, .error = sb_fake_denied("http")};
        return;
    }
    *result = *scripted;
    if (!result->is_error && result->ok.url.len == 0) {
        result->ok.url = sb_copy(request->url);
    }
}

void sb_wire_http_send(const sb_http_asked *asked, sb_http_result *result) {
    answer_http(&asked->request, &asked->options, result);
}

void sb_wire_http_send_many(sb_http_requests requests, const sb_http_options *options, sb_http_results *results) {
    sb_http_result *items = sb_alloc_array(requests.len, sizeof(sb_http_result));
    for (size_t at = 0; at < requests.len; at++) {
        answer_http(&requests.items[at], options, &items[at]);
    }
    *results = (sb_http_results){items, requests.len};
}

// postgres

sb_rows *sb_fake_postgres(const char *const *columns) {
    sb_rows_result *result = add(&postgres, sizeof(sb_rows_result));
    for (; *columns != NULL; columns++) {
        sb_pg_column *items = sb_grown(result->ok.columns.items, result->ok.columns.len, sizeof(sb_pg_column));
        items[result->ok.columns.len] = (sb_pg_column){sb_text_of(*columns), SB("text")};
        result->ok.columns = (sb_pg_columns){items, result->ok.columns.len + 1};
    }
    return &result->ok;
}

static sb_pg_values copy_values(sb_pg_values values) {
    sb_pg_value *copies = sb_alloc_array(values.len, sizeof(sb_pg_value));
    for (size_t at = 0; at < values.len; at++) {
        copies[at] = values.items[at];
    }
    return (sb_pg_values){copies, values.len};
}

void sb_fake_row(sb_rows *rows, sb_pg_values values) {
    sb_pg_values *items = sb_grown(rows->rows.items, rows->rows.len, sizeof(sb_pg_values));
    items[rows->rows.len] = copy_values(values);
    rows->rows = (sb_pg_rows){items, rows->rows.len + 1};
}

void sb_fake_postgres_error(const char *kind, const char *message) {
    sb_wire_error error = sb_fake_error(POSTGRES_ERRORS, kind, message);
    sb_rows_result *result = add(&postgres, sizeof(sb_rows_result));
    result->is_error = true;
    result->error.tag = error.tag;
    if (error.tag == 0) {
        result->error.denied = error.denied;
    } else {
        result->error.message = error.message;
    }
}

void sb_fake_postgres_refusal(const char *sqlstate, const char *message) {
    sb_rows_result *result = add(&postgres, sizeof(sb_rows_result));
    result->is_error = true;
    result->error.tag = SB_POSTGRES_SERVER;
    result->error.server = (sb_server_error){sb_text_of(sqlstate), SB("ERROR"), sb_text_of(message), {0}};
}

static void answer_postgres(sb_text source, sb_text sql, sb_pg_values params, sb_rows_result *result) {
    sb_fake_expect_utf8(sql);
    sb_queried *queries = sb_grown(sb_fake.queries, sb_fake.queries_len, sizeof(sb_queried));
    queries[sb_fake.queries_len++] = (sb_queried){sb_copy(source), sb_copy(sql), copy_values(params)};
    sb_fake.queries = queries;
    const sb_rows_result *scripted = next(&postgres);
    if (scripted != NULL) {
        *result = *scripted;
        return;
    }
    memset(result, 0, sizeof(*result));
    result->is_error = true;
    result->error.denied = sb_fake_denied("postgres").denied;
}

void sb_wire_postgres_run(sb_text source, const sb_pg_query *query, sb_rows_result *result) {
    answer_postgres(source, query->sql, query->params, result);
}

void sb_wire_postgres_run_simple(sb_text source, sb_text sql, sb_optional_u32 timeout_ms, sb_rows_result *result) {
    (void)timeout_ms;
    answer_postgres(source, sql, SB_NO_PARAMS, result);
}

void sb_wire_postgres_run_many(sb_text source, sb_pg_queries queries, sb_rows_list_result *result) {
    memset(result, 0, sizeof(*result));
    sb_rows *answers = sb_alloc_array(queries.len, sizeof(sb_rows));
    for (size_t at = 0; at < queries.len; at++) {
        sb_rows_result one;
        answer_postgres(source, queries.items[at].sql, queries.items[at].params, &one);
        if (one.is_error) {
            result->is_error = true;
            result->error = one.error;
            return;
        }
        answers[at] = one.ok;
    }
    result->ok = (sb_rows_list){answers, queries.len};
}

// redis

void sb_fake_redis(const sb_redis_node *nodes, size_t len) {
    sb_redis_node *copies = sb_alloc_array(len, sizeof(sb_redis_node));
    for (size_t at = 0; at < len; at++) {
        copies[at] = nodes[at];
    }
    sb_reply_result *result = add(&redis, sizeof(sb_reply_result));
    result->ok = (sb_reply){copies, len};
}

void sb_fake_redis_text(const char *text) {
    sb_fake_redis(&(sb_redis_node){.kind = SB_REDIS_BULK, .text = sb_text_of(text)}, 1);
}

void sb_fake_redis_int(int64_t number) {
    sb_fake_redis(&(sb_redis_node){.kind = SB_REDIS_INT, .integer = number}, 1);
}

void sb_fake_redis_refusal(const char *message) {
    sb_fake_redis(&(sb_redis_node){.kind = SB_REDIS_FAILED, .text = sb_text_of(message)}, 1);
}

void sb_fake_redis_error(const char *kind, const char *message) {
    sb_reply_result *result = add(&redis, sizeof(sb_reply_result));
    result->is_error = true;
    result->error = sb_fake_error(REDIS_ERRORS, kind, message);
}

void sb_wire_redis_run(sb_text source, sb_texts command, sb_optional_u32 timeout_ms, sb_reply_result *result) {
    (void)source;
    (void)timeout_ms;
    sb_text line = SB("");
    for (size_t at = 0; at < command.len; at++) {
        line = sb_format("%.*s%s%.*s", SB_F(line), at == 0 ? "" : " ", SB_F(command.items[at]));
    }
    sb_text *commands = sb_grown(sb_fake.commands, sb_fake.commands_len, sizeof(sb_text));
    commands[sb_fake.commands_len++] = line;
    sb_fake.commands = commands;
    const sb_reply_result *scripted = next(&redis);
    if (scripted != NULL) {
        *result = *scripted;
    } else {
        *result = (sb_reply_result){.is_error = true, .error = sb_fake_denied("redis")};
    }
}

void sb_wire_redis_run_many(sb_text source, sb_commands commands, sb_optional_u32 timeout_ms, sb_replies_result *result) {
    memset(result, 0, sizeof(*result));
    sb_reply *replies = sb_alloc_array(commands.len, sizeof(sb_reply));
    for (size_t at = 0; at < commands.len; at++) {
        sb_reply_result one;
        sb_wire_redis_run(source, commands.items[at], timeout_ms, &one);
        if (one.is_error) {
            result->is_error = true;
            result->error = one.error;
            return;
        }
        replies[at] = one.ok;
    }
    result->ok = (sb_replies){replies, commands.len};
}
