/// The calls of the host as imports: every struct that is passed is taken apart as the component model says, its fields in order, an
/// `option` as whether it is there and its value.
#include "wire.h"

#if defined(__wasm__)

#define IMPORT(interface, function) \
    __attribute__((import_module("sickbay:plugin/" interface "@" SB_CONTRACT_VERSION), import_name(function))) extern
#define TEXT(name) const char *name, size_t name##_len
#define OPTIONAL(name) uint32_t has_##name, uint32_t name
#define T(text) (text).data, (text).len
#define O(optional) (optional).is_some, (optional).value

/// A text that is not there still has two values.
#define OPTIONAL_TEXT(name) uint32_t has_##name, const char *name, size_t name##_len
#define OT(optional) (optional).is_some, (optional).value.data, (optional).value.len

IMPORT("http", "send") void http_send(const sb_http_asked *asked, void *result);
IMPORT("http", "send-many")
void http_send_many(const sb_http_request *requests, size_t requests_len, OPTIONAL(timeout_ms), uint32_t redirects_max,
                    OPTIONAL(body_bytes_max), uint32_t reuse, uint32_t accept_untrusted, OPTIONAL_TEXT(connect_to), const sb_label *extras,
                    size_t extras_len, void *results);
IMPORT("postgres", "run")
void postgres_run(TEXT(source), TEXT(sql), const sb_pg_value *params, size_t params_len, OPTIONAL(timeout_ms), void *result);
IMPORT("postgres", "run-many") void postgres_run_many(TEXT(source), const sb_pg_query *queries, size_t queries_len, void *result);
IMPORT("postgres", "run-simple") void postgres_run_simple(TEXT(source), TEXT(sql), OPTIONAL(timeout_ms), void *result);
IMPORT("redis", "run") void redis_run(TEXT(source), const sb_text *command, size_t command_len, OPTIONAL(timeout_ms), void *result);
IMPORT("redis", "run-many")
void redis_run_many(TEXT(source), const sb_texts *commands, size_t commands_len, OPTIONAL(timeout_ms), void *result);
IMPORT("net", "connect")
void net_connect(TEXT(address), uint32_t tls, OPTIONAL_TEXT(server_name), uint32_t accept_untrusted, OPTIONAL(timeout_ms),
                 const sb_label *extras, size_t extras_len, void *result);
IMPORT("net", "[method]connection.opened") void net_opened(uint32_t connection, void *opened);
IMPORT("net", "[method]connection.send") void net_send(uint32_t connection, TEXT(bytes), void *result);
IMPORT("net", "[method]connection.receive")
void net_receive(uint32_t connection, TEXT(until), uint32_t bytes_max, OPTIONAL(timeout_ms), void *result);
IMPORT("net", "[method]connection.start-tls") void net_start_tls(uint32_t connection, void *result);
IMPORT("net", "[resource-drop]connection") void net_drop(uint32_t connection);
IMPORT("net", "dns-resolve") void net_resolve(TEXT(name), TEXT(kind), void *result);
IMPORT("secrets", "inspect") void secrets_inspect(TEXT(secret), void *result);
IMPORT("secrets", "sign") void secrets_sign(TEXT(secret), TEXT(algorithm), TEXT(prefix), TEXT(data), void *result);
IMPORT("secrets", "encode") void secrets_encode(TEXT(text), TEXT(encoding), void *result);
IMPORT("files", "read-info") void files_info(TEXT(path), void *result);
IMPORT("files", "read-directory") void files_directory(TEXT(path), OPTIONAL_TEXT(after), void *result);
IMPORT("files", "read-bytes") void files_bytes(TEXT(path), uint64_t offset, uint32_t bytes_max, void *result);
IMPORT("files", "read-space") void files_space(TEXT(path), void *result);
IMPORT("files", "create-directory") void files_create(TEXT(path), void *result);
IMPORT("files", "remove") void files_remove(TEXT(path), void *result);
IMPORT("files", "set-mode") void files_set_mode(TEXT(path), uint32_t mode, void *result);
IMPORT("system", "read-cpu") void system_cpu(void *result);
IMPORT("system", "read-memory") void system_memory(void *result);
IMPORT("system", "read-load") void system_load(void *result);
IMPORT("system", "read-disks") void system_disks(void *result);
IMPORT("system", "read-disk-io") void system_disk_io(void *result);
IMPORT("system", "read-processes") void system_processes(TEXT(name), void *result);
IMPORT("system", "read-listeners") void system_listeners(void *result);
IMPORT("system", "read-open-files") void system_open_files(void *result);
IMPORT("state", "get") void state_get(TEXT(key), void *value);
IMPORT("state", "put") void state_put(TEXT(key), TEXT(value), void *result);
IMPORT("state", "remove") void state_remove(TEXT(key));
IMPORT("log", "write") void log_write(uint32_t level, TEXT(message), const sb_label *fields, size_t fields_len);

/// WASI's clock, which every host of the contract offers.
typedef struct {
    uint64_t seconds;
    uint32_t nanoseconds;
} datetime;
__attribute__((import_module("wasi:clocks/wall-clock@0.2.0"), import_name("now"))) extern void clock_now(datetime *now);

void sb_wire_http_send(const sb_http_asked *asked, sb_http_result *result) {
    http_send(asked, result);
}

void sb_wire_http_send_many(sb_http_requests requests, const sb_http_options *options, sb_http_results *results) {
    http_send_many(requests.items, requests.len, O(options->timeout_ms), options->redirects_max, O(options->body_bytes_max), options->reuse,
                   options->accept_untrusted, OT(options->connect_to), options->extras.items, options->extras.len, results);
}

void sb_wire_postgres_run(sb_text source, const sb_pg_query *query, sb_rows_result *result) {
    postgres_run(T(source), T(query->sql), query->params.items, query->params.len, O(query->timeout_ms), result);
}

void sb_wire_postgres_run_many(sb_text source, sb_pg_queries queries, sb_rows_list_result *result) {
    postgres_run_many(T(source), queries.items, queries.len, result);
}

void sb_wire_postgres_run_simple(sb_text source, sb_text sql, sb_optional_u32 timeout_ms, sb_rows_result *result) {
    postgres_run_simple(T(source), T(sql), O(timeout_ms), result);
}

void sb_wire_redis_run(sb_text source, sb_texts command, sb_optional_u32 timeout_ms, sb_reply_result *result) {
    redis_run(T(source), command.items, command.len, O(timeout_ms), result);
}

void sb_wire_redis_run_many(sb_text source, sb_commands commands, sb_optional_u32 timeout_ms, sb_replies_result *result) {
    redis_run_many(T(source), commands.items, commands.len, O(timeout_ms), result);
}

void sb_wire_net_connect(const sb_net_target *target, sb_connect_result *result) {
    net_connect(T(target->address), target->tls, OT(target->server_name), target->accept_untrusted, O(target->timeout_ms),
                target->extras.items, target->extras.len, result);
}

void sb_wire_net_opened(uint32_t connection, sb_net_opened *opened) {
    net_opened(connection, opened);
}

void sb_wire_net_send(uint32_t connection, sb_bytes bytes, sb_nothing_result *result) {
    net_send(connection, T(bytes), result);
}

void sb_wire_net_receive(uint32_t connection, sb_bytes until, uint32_t bytes_max, sb_optional_u32 timeout_ms, sb_text_result *result) {
    net_receive(connection, T(until), bytes_max, O(timeout_ms), result);
}

void sb_wire_net_start_tls(uint32_t connection, sb_session_result *result) {
    net_start_tls(connection, result);
}

void sb_wire_net_drop(uint32_t connection) {
    net_drop(connection);
}

void sb_wire_net_resolve(sb_text name, sb_text kind, sb_dns_result *result) {
    net_resolve(T(name), T(kind), result);
}

void sb_wire_secrets_inspect(sb_text secret, sb_secret_info_result *result) {
    secrets_inspect(T(secret), result);
}

void sb_wire_secrets_sign(sb_text secret, sb_text algorithm, sb_text prefix, sb_bytes data, sb_texts_result *result) {
    secrets_sign(T(secret), T(algorithm), T(prefix), T(data), result);
}

void sb_wire_secrets_encode(sb_text text, sb_text encoding, sb_text_result *result) {
    secrets_encode(T(text), T(encoding), result);
}

void sb_wire_files_info(sb_text path, sb_file_info_result *result) {
    files_info(T(path), result);
}

void sb_wire_files_directory(sb_text path, sb_optional_text after, sb_file_infos_result *result) {
    files_directory(T(path), OT(after), result);
}

void sb_wire_files_bytes(sb_text path, uint64_t offset, uint32_t bytes_max, sb_text_result *result) {
    files_bytes(T(path), offset, bytes_max, result);
}

void sb_wire_files_space(sb_text path, sb_space_result *result) {
    files_space(T(path), result);
}

void sb_wire_files_create(sb_text path, sb_nothing_result *result) {
    files_create(T(path), result);
}

void sb_wire_files_remove(sb_text path, sb_nothing_result *result) {
    files_remove(T(path), result);
}

void sb_wire_files_set_mode(sb_text path, uint32_t mode, sb_nothing_result *result) {
    files_set_mode(T(path), mode, result);
}

void sb_wire_system_cpu(sb_cpu_result *result) {
    system_cpu(result);
}

void sb_wire_system_memory(sb_memory_result *result) {
    system_memory(result);
}

void sb_wire_system_load(sb_load_result *result) {
    system_load(result);
}

void sb_wire_system_disks(sb_disks_result *result) {
    system_disks(result);
}

void sb_wire_system_disk_io(sb_disk_ios_result *result) {
    system_disk_io(result);
}

void sb_wire_system_processes(sb_text name, sb_processes_result *result) {
    system_processes(T(name), result);
}

void sb_wire_system_listeners(sb_listeners_result *result) {
    system_listeners(result);
}

void sb_wire_system_open_files(sb_open_files_result *result) {
    system_open_files(result);
}

void sb_wire_state_get(sb_text key, sb_optional_text *value) {
    state_get(T(key), value);
}

void sb_wire_state_put(sb_text key, sb_bytes value, sb_put_result *result) {
    state_put(T(key), T(value), result);
}

void sb_wire_state_remove(sb_text key) {
    state_remove(T(key));
}

void sb_wire_log_write(sb_level level, sb_text message, sb_labels fields) {
    log_write(level, T(message), fields.items, fields.len);
}

uint64_t sb_wire_now_ms(void) {
    datetime now;
    clock_now(&now);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

#endif
