/// The layout of what crosses the boundary, as the component model's canonical ABI has it for the contract's records.
///
/// Nothing here becomes code: a struct that does not match is an error of the compiler.
#include "wire.h"

#if defined(__wasm__)

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "the size of " #type)
#define AT(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), "the place of " #type "." #field)

// types
SIZE(sb_text, 8);
SIZE(sb_optional_text, 12);
SIZE(sb_optional_u32, 8);
SIZE(sb_optional_u64, 16);
SIZE(sb_label, 16);
SIZE(sb_metric_value, 40);
AT(sb_metric_value, value, 8);
AT(sb_metric_value, kind, 16);
AT(sb_metric_value, labels, 28);
SIZE(sb_evidence_value, 32);
SIZE(sb_report, 60);
AT(sb_report, summary, 4);
AT(sb_report, metrics, 24);
AT(sb_report, details, 40);
AT(sb_report, extras, 52);
SIZE(sb_failure, 24);
SIZE(sb_denial, 16);
SIZE(sb_timings, 36);
SIZE(sb_certificate, 48);
AT(sb_certificate, not_before_ms, 24);
AT(sb_certificate, sha256, 40);
SIZE(sb_tls_session, 36);
SIZE(sb_optional_tls_session, 40);

// plugin
SIZE(sb_wire_need, 24);
SIZE(sb_wire_metric_info, 28);
AT(sb_wire_metric_info, unit, 12);
SIZE(sb_wire_kind, 64);
SIZE(sb_wire_descriptor, 80);
AT(sb_wire_descriptor, homepage, 48);

// check
SIZE(sb_earlier, 72);
SIZE(sb_optional_earlier, 80);
SIZE(sb_check_request, 152);
AT(sb_check_request, scheduled_at_ms, 24);
AT(sb_check_request, target, 40);
AT(sb_check_request, labels, 52);
AT(sb_check_request, previous, 64);
AT(sb_check_request, extras, 144);
SIZE(sb_run_answer, 64);
AT(sb_run_answer, ok, 4);

// recovery
SIZE(sb_incident, 136);
AT(sb_incident, severity, 40);
AT(sb_incident, since_ms, 48);
AT(sb_incident, last_report, 68);
SIZE(sb_action, 44);
AT(sb_action, parameters, 28);
SIZE(sb_outcome, 52);
SIZE(sb_running, 20);
SIZE(sb_progress, 56);
AT(sb_progress, done, 4);
SIZE(sb_recovery_request, 184);
AT(sb_recovery_request, incident, 32);
AT(sb_recovery_request, idempotency_key, 168);
SIZE(sb_plan, 8);
SIZE(sb_plan_answer, 28);
SIZE(sb_progress_answer, 60);
AT(sb_act_asked, action, 184);
AT(sb_follow_asked, token, 228);

// sink
SIZE(sb_alert, 136);
AT(sb_alert, status, 29);
AT(sb_alert, failure, 32);
AT(sb_alert, started_at_ms, 80);
AT(sb_alert, evidence, 104);
AT(sb_alert, extras, 124);
SIZE(sb_notification, 60);
AT(sb_notification, attempt, 48);
SIZE(sb_sink_request, 96);
SIZE(sb_receipt, 20);
SIZE(sb_delivery_error, 20);
SIZE(sb_deliver_answer, 24);

// http
SIZE(sb_header, 16);
SIZE(sb_http_request, 36);
SIZE(sb_http_options, 44);
AT(sb_http_options, body_bytes_max, 12);
AT(sb_http_options, connect_to, 24);
AT(sb_http_asked, options, 36);
SIZE(sb_http_redirect, 20);
SIZE(sb_http_response, 144);
AT(sb_http_response, url, 32);
AT(sb_http_response, timings, 48);
AT(sb_http_response, tls, 96);
SIZE(sb_wire_error, 20);
AT(sb_wire_error, message, 4);
SIZE(sb_http_result, 148);

// postgres
SIZE(sb_pg_value, 24);
AT(sb_pg_value, text, 8);
SIZE(sb_pg_column, 16);
SIZE(sb_rows, 40);
AT(sb_rows, affected, 24);
SIZE(sb_pg_query, 24);
SIZE(sb_server_error, 36);
SIZE(sb_postgres_error, 40);
SIZE(sb_rows_result, 48);
AT(sb_rows_result, ok, 8);
AT(sb_rows_result, error, 8);
SIZE(sb_rows_list_result, 44);

// redis
SIZE(sb_redis_node, 16);
AT(sb_redis_node, count, 8);
SIZE(sb_reply_result, 24);
SIZE(sb_replies_result, 24);

// net
SIZE(sb_net_target, 44);
SIZE(sb_net_opened, 84);
SIZE(sb_connect_result, 24);
SIZE(sb_nothing_result, 24);
SIZE(sb_session_result, 40);
SIZE(sb_dns_answer, 20);

// secrets
SIZE(sb_secret_info, 24);
SIZE(sb_secret_info_result, 32);
SIZE(sb_texts_result, 24);

// files
SIZE(sb_file_info, 48);
AT(sb_file_info, identity, 40);
SIZE(sb_file_info_result, 56);
SIZE(sb_space_result, 40);

// system
SIZE(sb_cpu, 24);
SIZE(sb_memory, 32);
SIZE(sb_load, 24);
SIZE(sb_disk, 64);
AT(sb_disk, total_bytes, 24);
SIZE(sb_disk_io, 32);
SIZE(sb_process, 40);
AT(sb_process, resident_bytes, 16);
SIZE(sb_listener, 32);
AT(sb_listener, process, 20);
SIZE(sb_open_files, 16);
SIZE(sb_cpu_result, 32);

// state
SIZE(sb_put_result, 12);

#endif
