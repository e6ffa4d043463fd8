/// The calls of the host, typed: what the contract's functions take and give, as structs.
///
/// In a guest `wire.c` makes them calls of imported functions; natively the scripted host (`testing/`) answers them. A result is a struct
/// of whether it failed and either of the two; its layout for wasm32 is the component model's, so that the host writes right into it.
#pragma once

#include "sickbay/sickbay.h"

/// An error whose first case is `denied` and whose others are all a text. 0 is `denied`.
typedef struct {
    uint8_t tag;
    union {
        sb_denial denied;
        sb_text message;
    };
} sb_wire_error;

/// The server's own refusal.
typedef struct {
    sb_text sqlstate;
    /// `ERROR`, `FATAL`, `PANIC`
    sb_text severity;
    sb_text message;
    sb_optional_text detail;
} sb_server_error;

/// As `sb_wire_error`, with the case `server`.
typedef struct {
    uint8_t tag;
    union {
        sb_denial denied;
        sb_text message;
        sb_server_error server;
    };
} sb_postgres_error;
enum { SB_POSTGRES_SERVER = 7 };

#define SB_RESULT_(name, ok_type, error_type) \
    typedef struct {                          \
        bool is_error;                        \
        union {                               \
            ok_type ok;                       \
            error_type error;                 \
        };                                    \
    } name

typedef struct {
    const sb_rows *items;
    size_t len;
} sb_rows_list;

typedef struct {
    const sb_texts *items;
    size_t len;
} sb_commands;

typedef struct {
    const sb_reply *items;
    size_t len;
} sb_replies;

typedef struct {
    const sb_pg_query *items;
    size_t len;
} sb_pg_queries;

typedef struct {
    const sb_http_request *items;
    size_t len;
} sb_http_requests;

SB_RESULT_(sb_nothing_result, uint8_t, sb_wire_error);
SB_RESULT_(sb_text_result, sb_text, sb_wire_error);
SB_RESULT_(sb_texts_result, sb_texts, sb_wire_error);
SB_RESULT_(sb_http_result, sb_http_response, sb_wire_error);
SB_RESULT_(sb_rows_result, sb_rows, sb_postgres_error);
SB_RESULT_(sb_rows_list_result, sb_rows_list, sb_postgres_error);
SB_RESULT_(sb_reply_result, sb_reply, sb_wire_error);
SB_RESULT_(sb_replies_result, sb_replies, sb_wire_error);
SB_RESULT_(sb_connect_result, uint32_t, sb_wire_error);
SB_RESULT_(sb_session_result, sb_tls_session, sb_wire_error);
SB_RESULT_(sb_dns_result, sb_dns_answer, sb_wire_error);
SB_RESULT_(sb_secret_info_result, sb_secret_info, sb_wire_error);
SB_RESULT_(sb_file_info_result, sb_file_info, sb_wire_error);
SB_RESULT_(sb_file_infos_result, sb_file_infos, sb_wire_error);
SB_RESULT_(sb_space_result, sb_space, sb_wire_error);
SB_RESULT_(sb_cpu_result, sb_cpu, sb_wire_error);
SB_RESULT_(sb_memory_result, sb_memory, sb_wire_error);
SB_RESULT_(sb_load_result, sb_load, sb_wire_error);
SB_RESULT_(sb_disks_result, sb_disks, sb_wire_error);
SB_RESULT_(sb_disk_ios_result, sb_disk_ios, sb_wire_error);
SB_RESULT_(sb_processes_result, sb_processes, sb_wire_error);
SB_RESULT_(sb_listeners_result, sb_listeners, sb_wire_error);
SB_RESULT_(sb_open_files_result, sb_open_files, sb_wire_error);
SB_RESULT_(sb_put_result, uint8_t, sb_text);

typedef struct {
    const sb_http_result *items;
    size_t len;
} sb_http_results;

/// `http.send` takes too much to be passed one by one: it is passed the place of both.
typedef struct {
    sb_http_request request;
    sb_http_options options;
} sb_http_asked;

void sb_wire_http_send(const sb_http_asked *asked, sb_http_result *result);
void sb_wire_http_send_many(sb_http_requests requests, const sb_http_options *options, sb_http_results *results);
void sb_wire_postgres_run(sb_text source, const sb_pg_query *query, sb_rows_result *result);
void sb_wire_postgres_run_many(sb_text source, sb_pg_queries queries, sb_rows_list_result *result);
void sb_wire_postgres_run_simple(sb_text source, sb_text sql, sb_optional_u32 timeout_ms, sb_rows_result *result);
void sb_wire_redis_run(sb_text source, sb_texts command, sb_optional_u32 timeout_ms, sb_reply_result *result);
void sb_wire_redis_run_many(sb_text source, sb_commands commands, sb_optional_u32 timeout_ms, sb_replies_result *result);
void sb_wire_net_connect(const sb_net_target *target, sb_connect_result *result);
void sb_wire_net_opened(uint32_t connection, sb_net_opened *opened);
void sb_wire_net_send(uint32_t connection, sb_bytes bytes, sb_nothing_result *result);
void sb_wire_net_receive(uint32_t connection, sb_bytes until, uint32_t bytes_max, sb_optional_u32 timeout_ms, sb_text_result *result);
void sb_wire_net_start_tls(uint32_t connection, sb_session_result *result);
void sb_wire_net_drop(uint32_t connection);
void sb_wire_net_resolve(sb_text name, sb_text kind, sb_dns_result *result);
void sb_wire_secrets_inspect(sb_text secret, sb_secret_info_result *result);
void sb_wire_secrets_sign(sb_text secret, sb_text algorithm, sb_text prefix, sb_bytes data, sb_texts_result *result);
void sb_wire_secrets_encode(sb_text text, sb_text encoding, sb_text_result *result);
void sb_wire_files_info(sb_text path, sb_file_info_result *result);
void sb_wire_files_directory(sb_text path, sb_optional_text after, sb_file_infos_result *result);
void sb_wire_files_bytes(sb_text path, uint64_t offset, uint32_t bytes_max, sb_text_result *result);
void sb_wire_files_space(sb_text path, sb_space_result *result);
void sb_wire_files_create(sb_text path, sb_nothing_result *result);
void sb_wire_files_remove(sb_text path, sb_nothing_result *result);
void sb_wire_files_set_mode(sb_text path, uint32_t mode, sb_nothing_result *result);
void sb_wire_system_cpu(sb_cpu_result *result);
void sb_wire_system_memory(sb_memory_result *result);
void sb_wire_system_load(sb_load_result *result);
void sb_wire_system_disks(sb_disks_result *result);
void sb_wire_system_disk_io(sb_disk_ios_result *result);
void sb_wire_system_processes(sb_text name, sb_processes_result *result);
void sb_wire_system_listeners(sb_listeners_result *result);
void sb_wire_system_open_files(sb_open_files_result *result);
void sb_wire_state_get(sb_text key, sb_optional_text *value);
void sb_wire_state_put(sb_text key, sb_bytes value, sb_put_result *result);
void sb_wire_state_remove(sb_text key);
void sb_wire_log_write(sb_level level, sb_text message, sb_labels fields);
uint64_t sb_wire_now_ms(void);

/// What the exports take and give.
SB_RESULT_(sb_run_answer, sb_report, sb_failure);
SB_RESULT_(sb_plan_answer, sb_plan, sb_failure);
SB_RESULT_(sb_progress_answer, sb_progress, sb_failure);

typedef struct {
    sb_recovery_request request;
    sb_action action;
} sb_act_asked;

typedef struct {
    sb_recovery_request request;
    sb_action action;
    sb_text token;
} sb_follow_asked;

typedef struct {
    sb_text message;
    sb_optional_u32 after_ms;
} sb_retry;

/// Why the receiver does not have it.
typedef struct {
    uint8_t tag;
    union {
        sb_retry retryable;
        sb_text permanent;
    };
} sb_delivery_error;
enum { SB_RETRYABLE, SB_PERMANENT };

SB_RESULT_(sb_deliver_answer, sb_receipt, sb_delivery_error);

typedef struct {
    sb_text capability;
    sb_text reason;
    sb_text grant;
} sb_wire_need;

typedef struct {
    const sb_wire_need *items;
    size_t len;
} sb_wire_needs;

typedef struct {
    sb_text name;
    sb_metric_kind kind;
    sb_text unit;
    sb_text summary;
} sb_wire_metric_info;

typedef struct {
    const sb_wire_metric_info *items;
    size_t len;
} sb_wire_metric_infos;

typedef struct {
    sb_text name;
    sb_text summary;
    sb_text config_schema;
    sb_text example;
    sb_wire_needs needs;
    sb_wire_metric_infos metrics;
    sb_texts failures;
    sb_labels extras;
} sb_wire_kind;

typedef struct {
    const sb_wire_kind *items;
    size_t len;
} sb_wire_kinds;

typedef struct {
    sb_text name;
    sb_text version;
    sb_text summary;
    sb_wire_kinds checks;
    sb_wire_kinds recoveries;
    sb_wire_kinds sinks;
    sb_optional_text homepage;
    sb_optional_text licence;
    sb_labels extras;
} sb_wire_descriptor;
