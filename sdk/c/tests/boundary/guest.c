/// Calls everything that the contract offers, and tells every field of what came: `run.mjs` is the host, and knows what must be told.

#include <sickbay/sickbay.h>

static void put_optional(sb_json_writer *json, const char *key, sb_optional_text text) {
    if (text.is_some) {
        sb_put_text(json, key, text.value);
    } else {
        sb_put_null(json, key);
    }
}

static void put_optional_u32(sb_json_writer *json, const char *key, sb_optional_u32 number) {
    if (number.is_some) {
        sb_put_int(json, key, number.value);
    } else {
        sb_put_null(json, key);
    }
}

static void put_u64(sb_json_writer *json, const char *key, uint64_t number) {
    sb_put_format(json, key, "%llu", (unsigned long long)number);
}

static void put_optional_u64(sb_json_writer *json, const char *key, sb_optional_u64 number) {
    if (number.is_some) {
        put_u64(json, key, number.value);
    } else {
        sb_put_null(json, key);
    }
}

static void put_texts(sb_json_writer *json, const char *key, sb_texts texts) {
    sb_put_array(json, key);
    for (size_t at = 0; at < texts.len; at++) {
        sb_put_text(json, NULL, texts.items[at]);
    }
    sb_put_end(json);
}

static void put_labels(sb_json_writer *json, const char *key, sb_labels labels) {
    sb_put_array(json, key);
    for (size_t at = 0; at < labels.len; at++) {
        sb_put_format(json, NULL, "%.*s=%.*s", SB_F(labels.items[at].name), SB_F(labels.items[at].value));
    }
    sb_put_end(json);
}

static void put_headers(sb_json_writer *json, const char *key, sb_headers headers) {
    put_labels(json, key, (sb_labels){(const sb_label *)(const void *)headers.items, headers.len});
}

static void put_error(sb_json_writer *json, const char *key, sb_error error) {
    sb_put_format(json, key, "%d %.*s: %.*s", (int)error.blame, SB_F(error.kind), SB_F(error.message));
}

static void put_timings(sb_json_writer *json, const char *key, const sb_timings *timings) {
    sb_put_array(json, key);
    put_optional_u32(json, NULL, timings->dns_us);
    put_optional_u32(json, NULL, timings->connect_us);
    put_optional_u32(json, NULL, timings->tls_us);
    put_optional_u32(json, NULL, timings->first_byte_us);
    sb_put_int(json, NULL, timings->total_us);
    sb_put_end(json);
}

static void put_session(sb_json_writer *json, const char *key, const sb_tls_session *session) {
    sb_put_object(json, key);
    sb_put_text(json, "version", session->version);
    sb_put_text(json, "cipher", session->cipher);
    put_optional(json, "untrusted", session->untrusted);
    sb_put_array(json, "chain");
    for (size_t at = 0; at < session->chain.len; at++) {
        const sb_certificate *certificate = &session->chain.items[at];
        sb_put_object(json, NULL);
        sb_put_text(json, "subject", certificate->subject);
        sb_put_text(json, "issuer", certificate->issuer);
        put_texts(json, "dnsNames", certificate->dns_names);
        put_u64(json, "notBefore", certificate->not_before_ms);
        put_u64(json, "notAfter", certificate->not_after_ms);
        sb_put_text(json, "sha256", certificate->sha256);
        sb_put_end(json);
    }
    sb_put_end(json);
    sb_put_end(json);
}

static void put_response(sb_json_writer *json, const char *key, const sb_http_response *response) {
    sb_put_object(json, key);
    sb_put_int(json, "status", response->status);
    sb_put_text(json, "version", response->version);
    put_headers(json, "headers", response->headers);
    sb_put_text(json, "body", response->body);
    sb_put_bool(json, "truncated", response->truncated);
    sb_put_text(json, "url", response->url);
    sb_put_array(json, "redirects");
    for (size_t at = 0; at < response->redirects.len; at++) {
        sb_put_int(json, NULL, response->redirects.items[at].status);
        sb_put_text(json, NULL, response->redirects.items[at].url);
        put_headers(json, NULL, response->redirects.items[at].headers);
    }
    sb_put_end(json);
    put_timings(json, "timings", &response->timings);
    put_optional(json, "peer", response->peer);
    if (response->tls.is_some) {
        put_session(json, "tls", &response->tls.value);
    }
    put_labels(json, "extras", response->extras);
    sb_put_end(json);
}

static sb_error call_http(sb_json_writer *json) {
    sb_http_request requests[] = {
        {SB("PUT"), SB("http://a/"), SB_HEADERS({SB("x"), SB("1")}, {SB("y"), SB("2")}), sb_some(SB("\xff\x01"))},
        {.method = SB("GET"), .url = SB("http://b/")},
    };
    sb_label extra = {SB("later"), SB("word")};
    sb_http_options options = {sb_some_u32(11), 3, sb_some_u32(12), true, true, sb_some(SB("10.0.0.7:443")), {&extra, 1}};
    sb_http_response response;
    sb_http_outcome outcomes[2];
    SB_TRY(sb_http_send(&requests[0], &options, &response));
    put_response(json, "send", &response);
    SB_TRY(sb_http_send(&requests[1], NULL, &response));
    put_response(json, "send default", &response);
    SB_TRY(sb_http_send_many(requests, 2, &options, outcomes));
    put_response(json, "many 0", &outcomes[0].response);
    put_error(json, "many 1", outcomes[1].error);
    put_error(json, "http denied", sb_http_get(SB("http://denied/"), &response));
    return SB_OK;
}

static void put_rows(sb_json_writer *json, const char *key, const sb_rows *rows) {
    sb_put_object(json, key);
    sb_put_array(json, "columns");
    for (size_t at = 0; at < rows->columns.len; at++) {
        sb_put_format(json, NULL, "%.*s %.*s", SB_F(rows->columns.items[at].name), SB_F(rows->columns.items[at].type_name));
    }
    sb_put_end(json);
    sb_put_array(json, "rows");
    for (size_t row = 0; row < rows->rows.len; row++) {
        for (size_t at = 0; at < rows->rows.items[row].len; at++) {
            const sb_pg_value *value = &rows->rows.items[row].items[at];
            sb_text text;
            switch (value->kind) {
            case SB_PG_NULL: text = SB("null"); break;
            case SB_PG_BOOLEAN: text = value->boolean ? SB("true") : SB("false"); break;
            case SB_PG_INT:
            case SB_PG_TIMESTAMP_US:
            case SB_PG_INTERVAL_US: text = sb_format("%lld", (long long)value->integer); break;
            case SB_PG_FLOAT: text = sb_number_text(value->real); break;
            case SB_PG_OTHER: text = sb_format("%.*s/%.*s", SB_F(value->other.type_name), SB_F(value->other.text)); break;
            default: text = value->text; break;
            }
            sb_put_format(json, NULL, "%d:%.*s", value->kind, SB_F(text));
        }
    }
    sb_put_end(json);
    sb_put_bool(json, "truncated", rows->truncated);
    put_u64(json, "affected", rows->affected);
    sb_put_int(json, "elapsedUs", rows->elapsed_us);
    sb_put_end(json);
}

static sb_error call_postgres(sb_json_writer *json) {
    sb_pg_values params =
        SB_PARAMS(sb_pg_null(), sb_pg_bool(true), sb_pg_int(INT64_MIN), sb_pg_float(0.1), sb_pg_as(SB_PG_NUMERIC, SB("1.50")),
                  sb_pg_text(SB("é")), sb_pg_as(SB_PG_BYTES, SB("\xff")), (sb_pg_value){.kind = SB_PG_TIMESTAMP_US, .integer = 5},
                  (sb_pg_value){.kind = SB_PG_OTHER, .other = {SB("inet"), SB("::1")}});
    sb_pg_query queries[] = {{SB("SELECT $1"), params, sb_some_u32(7)}, {.sql = SB("SELECT 2")}};
    sb_rows rows, answers[2];
    SB_TRY(sb_postgres_run(SB("main"), &queries[0], &rows));
    put_rows(json, "run", &rows);
    SB_TRY(sb_postgres_run_many(SB("main"), queries, 2, answers));
    put_rows(json, "run many", &answers[1]);
    SB_TRY(sb_postgres_simple(SB("pool"), SB("SHOW POOLS"), sb_some_u32(8), &rows));
    put_error(json, "refused", sb_postgres_query("refused", SB("SELECT x"), SB_NO_PARAMS, &rows));
    put_error(json, "late", sb_postgres_query("late", SB("SELECT x"), SB_NO_PARAMS, &rows));
    put_error(json, "denied", sb_postgres_query("denied", SB("SELECT x"), SB_NO_PARAMS, &rows));
    put_error(json, "refused many", sb_postgres_run_many(SB("refused"), queries, 2, answers));
    return SB_OK;
}

static void put_reply(sb_json_writer *json, const char *key, sb_reply reply) {
    sb_put_array(json, key);
    for (size_t at = 0; at < reply.len; at++) {
        const sb_redis_node *node = &reply.nodes[at];
        sb_text text;
        switch (node->kind) {
        case SB_REDIS_NIL: text = SB(""); break;
        case SB_REDIS_INT: text = sb_format("%lld", (long long)node->integer); break;
        case SB_REDIS_FLOAT: text = sb_number_text(node->real); break;
        case SB_REDIS_BOOLEAN: text = node->boolean ? SB("true") : SB("false"); break;
        case SB_REDIS_ARRAY:
        case SB_REDIS_MAP:
        case SB_REDIS_SET: text = sb_format("%u", (unsigned)node->count); break;
        default: text = node->text; break;
        }
        sb_put_format(json, NULL, "%d:%.*s", node->kind, SB_F(text));
    }
    sb_put_end(json);
}

static sb_error call_redis(sb_json_writer *json) {
    sb_texts commands[] = {SB_TEXTS(SB("LLEN"), SB("\xff")), SB_TEXTS(SB("GET"), SB("a"))};
    sb_reply reply, replies[2];
    SB_TRY(sb_redis_run(SB("cache"), commands[0], sb_some_u32(9), &reply));
    put_reply(json, "redis", reply);
    SB_TRY(sb_redis_run_many(SB("cache"), commands, 2, (sb_optional_u32){0}, replies));
    put_reply(json, "redis many", replies[1]);
    put_error(json, "redis late", sb_redis_command("late", commands[0], &reply));
    return SB_OK;
}

static sb_error call_net(sb_json_writer *json) {
    sb_label extra = {SB("later"), SB("word")};
    sb_net_target target = {SB("mail:25"), true, sb_some(SB("mail.example.com")), true, sb_some_u32(13), {&extra, 1}};
    sb_connection connection;
    sb_bytes bytes;
    sb_tls_session session;
    sb_dns_answer answer;
    SB_TRY(sb_net_connect(&target, &connection));
    sb_net_opened opened = sb_net_opened_of(connection);
    sb_put_text(json, "peer", opened.peer);
    put_timings(json, "opened", &opened.timings);
    put_session(json, "opened tls", &opened.tls.value);
    SB_TRY(sb_net_send(connection, SB("EHLO\r\n")));
    SB_TRY(sb_net_receive(connection, SB("\n"), 100, sb_some_u32(14), &bytes));
    sb_put_text(json, "received", bytes);
    SB_TRY(sb_net_start_tls(connection, &session));
    put_session(json, "started tls", &session);
    put_error(json, "closed", sb_net_receive(connection, SB(""), 1, (sb_optional_u32){0}, &bytes));
    sb_net_close(connection);
    put_error(json, "no connection", sb_net_connect(&(sb_net_target){.address = SB("refused:1")}, &connection));
    SB_TRY(sb_net_resolve(SB("example.com"), "MX", &answer));
    put_texts(json, "records", answer.records);
    put_optional_u32(json, "ttl", answer.ttl_seconds);
    sb_put_int(json, "lookup", answer.elapsed_us);
    return SB_OK;
}

static sb_error call_secrets_and_files(sb_json_writer *json) {
    sb_secret_info info;
    sb_texts signatures;
    sb_text placeholder;
    sb_file_info file;
    sb_file_infos files;
    sb_bytes bytes;
    sb_space space;
    SB_TRY(sb_secret_inspect(SB("key"), &info));
    put_optional_u64(json, "changed", info.changed_at_ms);
    sb_put_int(json, "versions", info.versions);
    SB_TRY(sb_secret_sign(SB("key"), "hmac-sha256", SB("AWS4"), SB("\xff"), &signatures));
    put_texts(json, "signatures", signatures);
    SB_TRY(sb_secret_encode(SB("user:x"), "base64", &placeholder));
    sb_put_text(json, "placeholder", placeholder);
    put_error(json, "no secret", sb_secret_inspect(SB("none"), &info));
    SB_TRY(sb_file_info_of(SB("/a"), &file));
    SB_TRY(sb_directory_read(SB("/"), SB("z"), &files));
    sb_put_array(json, "file");
    for (const sb_file_info *one = &file; one != NULL; one = one == &file ? &files.items[1] : NULL) {
        sb_put_text(json, NULL, one->name);
        sb_put_text(json, NULL, one->kind);
        put_u64(json, NULL, one->size_bytes);
        put_u64(json, NULL, one->modified_at_ms);
        sb_put_int(json, NULL, one->mode);
        sb_put_bool(json, NULL, one->writable);
        sb_put_text(json, NULL, one->identity);
    }
    sb_put_end(json);
    SB_TRY(sb_file_read(SB("/a"), UINT64_MAX, 77, &bytes));
    sb_put_text(json, "bytes", bytes);
    SB_TRY(sb_space_of(SB("/"), &space));
    sb_put_format(json, "space", "%g %g %g %g", space.total_bytes, space.available_bytes, space.inodes_total, space.inodes_free);
    SB_TRY(sb_directory_create(SB("/d")));
    SB_TRY(sb_file_set_mode(SB("/a"), 0600));
    put_error(json, "not removed", sb_file_remove(SB("/gone")));
    return SB_OK;
}

static sb_error call_system(sb_json_writer *json) {
    sb_cpu cpu;
    sb_memory memory;
    sb_load load;
    sb_disks disks;
    sb_disk_ios devices;
    sb_processes processes;
    sb_listeners listeners;
    sb_open_files files;
    SB_TRY(sb_system_cpu(&cpu));
    sb_put_format(json, "cpu", "%g %g %u %u", cpu.busy_ratio, cpu.iowait_ratio, (unsigned)cpu.cores, (unsigned)cpu.window_ms);
    SB_TRY(sb_system_memory(&memory));
    sb_put_format(json, "memory", "%g %g %g %g", memory.total_bytes, memory.available_bytes, memory.swap_total_bytes,
                  memory.swap_used_bytes);
    SB_TRY(sb_system_load(&load));
    sb_put_format(json, "load", "%g %g %g", load.one, load.five, load.fifteen);
    SB_TRY(sb_system_disks(&disks));
    const sb_disk *disk = &disks.items[disks.len - 1];
    sb_put_format(json, "disk", "%.*s %.*s %.*s %g %g %g %g %d", SB_F(disk->mount), SB_F(disk->device), SB_F(disk->file_system),
                  disk->total_bytes, disk->available_bytes, disk->inodes_total, disk->inodes_free, disk->read_only);
    SB_TRY(sb_system_disk_io(&devices));
    const sb_disk_io *device = &devices.items[devices.len - 1];
    sb_put_format(json, "io", "%.*s %g %g %g", SB_F(device->device), device->read_bytes, device->written_bytes, device->busy_seconds);
    SB_TRY(sb_system_processes(SB("nginx"), &processes));
    const sb_process *process = &processes.items[processes.len - 1];
    sb_put_format(json, "process", "%u %.*s %g %g %llu", (unsigned)process->pid, SB_F(process->name), process->resident_bytes,
                  process->cpu_seconds, (unsigned long long)process->started_at_ms);
    SB_TRY(sb_system_listeners(&listeners));
    for (size_t at = 0; at < listeners.len; at++) {
        const sb_listener *listener = &listeners.items[at];
        sb_put_format(json, at == 0 ? "listener 0" : "listener 1", "%.*s %.*s %u %d %.*s", SB_F(listener->protocol),
                      SB_F(listener->address), listener->port, listener->process.is_some,
                      SB_F(listener->process.is_some ? listener->process.value : SB("-")));
    }
    put_error(json, "open files", sb_system_open_files(&files));
    return SB_OK;
}

static sb_error call_the_rest(sb_json_writer *json) {
    sb_bytes value = SB("");
    bool is_there = sb_state_get(SB("none"), &value);
    sb_put_bool(json, "absent", !is_there);
    is_there = sb_state_get(SB("key"), &value);
    sb_put_format(json, "state", "%d %.*s", is_there, SB_F(value));
    SB_TRY(sb_state_put(SB("key"), SB("\xff\x02")));
    put_error(json, "not put", sb_state_put(SB("full"), SB("")));
    sb_state_remove(SB("key"));
    sb_log_with(SB_ERROR, SB_LABELS({SB("name"), SB("value")}), "%s", "said");
    put_u64(json, "now", sb_now_ms());
    return SB_OK;
}

static void put_request(sb_json_writer *json, const sb_check_request *request) {
    sb_put_object(json, "request");
    sb_put_text(json, "check", request->check);
    sb_put_text(json, "config", request->config);
    put_u64(json, "scheduledAt", request->scheduled_at_ms);
    sb_put_int(json, "timeoutMs", request->timeout_ms);
    sb_put_int(json, "attempt", request->attempt);
    put_optional(json, "target", request->target);
    put_labels(json, "labels", request->labels);
    if (request->previous.is_some) {
        const sb_report *report = &request->previous.value.report;
        const sb_metric_value *metric = &report->metrics.items[report->metrics.len - 1];
        put_u64(json, "previous", request->previous.value.scheduled_at_ms);
        sb_put_int(json, "status", report->status);
        sb_put_text(json, "summary", report->summary);
        put_optional(json, "failure", report->failure);
        sb_put_format(json, "metric", "%.*s %g %d %.*s %.*s", SB_F(metric->name), metric->value, metric->kind, SB_F(metric->unit),
                      SB_F(sb_label_value(metric->labels, "mount")));
        sb_put_text(json, "evidence", report->evidence.items[0].expected);
        put_optional(json, "details", report->details);
        put_labels(json, "report extras", report->extras);
    }
    put_labels(json, "extras", request->extras);
    sb_put_end(json);
}

static sb_error run(const sb_check_request *request, const void *config, sb_report *report) {
    (void)config;
    sb_json_writer json = sb_json_object();
    put_request(&json, request);
    SB_TRY(call_http(&json));
    SB_TRY(call_postgres(&json));
    SB_TRY(call_redis(&json));
    SB_TRY(call_net(&json));
    SB_TRY(call_secrets_and_files(&json));
    SB_TRY(call_system(&json));
    SB_TRY(call_the_rest(&json));
    sb_report_ok(report, "so far");
    sb_report_warning(report, "content", "odd");
    sb_metric_with(report, "one", 0.1, "seconds", SB_LABELS({SB("a"), SB("b")}));
    sb_counter(report, "two", 2, "");
    sb_evidence(report, "one", SB("0.1"), SB("at most 0"), "seconds");
    sb_report_details(report, sb_json_end(&json));
    sb_report_extra(report, "c.extra", SB("x"));
    return SB_OK;
}

/// Takes more memory than a module begins with, piece by piece, and looks whether each piece stays what it was.
static sb_error take_memory(const sb_check_request *request, const void *config, sb_report *report) {
    (void)request;
    (void)config;
    enum { PIECES = 4000, PIECE_BYTES = 1000 };
    unsigned char **pieces = sb_alloc_array(PIECES, sizeof(*pieces));
    for (int piece = 0; piece < PIECES; piece++) {
        pieces[piece] = sb_alloc(PIECE_BYTES);
        for (int at = 0; at < PIECE_BYTES; at++) {
            if (pieces[piece][at] != 0) {
                return sb_internal_error("memory is not cleared");
            }
        }
        memset(pieces[piece], piece & 0xff, PIECE_BYTES);
    }
    for (int piece = 0; piece < PIECES; piece++) {
        if (pieces[piece][0] != (piece & 0xff) || pieces[piece][PIECE_BYTES - 1] != (piece & 0xff)) {
            return sb_internal_error("a piece holds what belongs to another");
        }
    }
    sb_report_ok(report, "as it should be");
    sb_metric(report, "pages", (double)__builtin_wasm_memory_size(0), "");
    return SB_OK;
}

static sb_error plan(const sb_recovery_request *request, const void *config, sb_plan *plan) {
    (void)config;
    const sb_incident *incident = &request->incident;
    if (request->idempotency_key.len > 0) {
        return sb_service_error("content", "a plan has no key");
    }
    sb_plan_add(plan, (sb_action){.id = SB("a"),
                                  .title = SB("t"),
                                  .target = SB("x"),
                                  .idempotent = true,
                                  .parameters = SB("{\"b\":1}"),
                                  .extras = SB_LABELS({SB("c.d"), SB("e")})});
    sb_plan_add(plan, (sb_action){
                          .id = incident->id,
                          .title = sb_format("%.*s %.*s %.*s %llu %u %.*s", SB_F(incident->check), SB_F(incident->target.value),
                                             SB_F(incident->severity), (unsigned long long)incident->since_ms,
                                             (unsigned)incident->consecutive_failures, SB_F(incident->last_report.summary)),
                          .target = sb_format("%.*s %.*s %.*s", SB_F(incident->failure.value), SB_F(sb_label_value(incident->labels, "l")),
                                              SB_F(sb_label_value(incident->extras, "m"))),
                      });
    return SB_OK;
}

static sb_error act(const sb_recovery_request *request, const void *config, const sb_action *action, sb_progress *progress) {
    (void)config;
    if (!action->idempotent) {
        return sb_quota_error("not now");
    }
    sb_step_running(progress, SB("{\"f\":2}"), 2000, "%.*s %.*s %.*s", SB_F(request->idempotency_key), SB_F(action->id),
                    SB_F(action->parameters));
    return SB_OK;
}

static sb_error follow(const sb_recovery_request *request, const void *config, const sb_action *action, sb_json token,
                       sb_progress *progress) {
    (void)request;
    (void)config;
    sb_step_done(progress, "%.*s %.*s", SB_F(action->target), SB_F(token.source));
    sb_step_did(progress, "first");
    sb_step_did(progress, "second");
    sb_step_recommend(progress, "rest");
    sb_step_details(progress, SB("{}"));
    return SB_OK;
}

static sb_error deliver(const sb_sink_request *request, const void *config, sb_receipt *receipt) {
    (void)config;
    const sb_notification *notification = &request->notification;
    if (notification->attempt == 2) {
        return sb_retry_error(3000, "later");
    }
    if (notification->attempt == 3) {
        return sb_permanent_error("never");
    }
    const sb_alert *alert = &notification->alerts.items[notification->alerts.len - 1];
    sb_json_writer json = sb_json_array();
    sb_put_text(&json, NULL, request->sink);
    sb_put_text(&json, NULL, notification->idempotency_key);
    sb_put_text(&json, NULL, notification->group);
    sb_put_int(&json, NULL, notification->phase);
    sb_put_text(&json, NULL, notification->severity);
    put_optional(&json, NULL, notification->reference);
    put_labels(&json, NULL, notification->extras);
    sb_put_text(&json, NULL, alert->incident_id);
    sb_put_text(&json, NULL, alert->check);
    put_optional(&json, NULL, alert->target);
    sb_put_int(&json, NULL, alert->phase);
    sb_put_int(&json, NULL, alert->status);
    put_optional(&json, NULL, alert->failure);
    sb_put_text(&json, NULL, alert->severity);
    sb_put_text(&json, NULL, alert->summary);
    sb_put_text(&json, NULL, alert->reason);
    put_labels(&json, NULL, alert->labels);
    put_u64(&json, NULL, alert->started_at_ms);
    put_optional_u64(&json, NULL, alert->ended_at_ms);
    sb_put_text(&json, NULL, alert->evidence.items[0].actual);
    put_optional(&json, NULL, alert->url);
    put_labels(&json, NULL, alert->extras);
    put_labels(&json, NULL, request->extras);
    sb_receipt_reference(receipt, sb_json_end(&json));
    return SB_OK;
}

SB_CHECK(everything, "everything", "Calls everything", .needs = SB_NEEDS({"http", "asks", "http = []"}, {"net", "talks", "net = []"}),
         .metrics = SB_METRICS({"one", SB_GAUGE, "seconds", "first"}, {"two", SB_COUNTER, "", "second"}),
         .failures = SB_WORDS("content", "timeout"), .run = run);
SB_CHECK(memory, "memory", "Takes 4 MB", .run = take_memory);
SB_RECOVERY(mend, "mend", "Mends", .example = "{}", .failures = SB_WORDS("content"), .plan = plan, .act = act, .follow = follow);
SB_SINK(tell, "tell", "Tells", .deliver = deliver);

SB_FULL_PLUGIN("boundary", "1.2.3", "Calls everything", .checks = SB_CHECKS(&everything, &memory), .recoveries = SB_RECOVERIES(&mend),
               .sinks = SB_SINKS(&tell), .homepage = "https://example.com/", .licence = "Apache-2.0");
