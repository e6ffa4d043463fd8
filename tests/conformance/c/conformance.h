/// The kinds, and how they tell what they saw.
#pragma once

#include <sickbay/sickbay.h>

extern const sb_check asked, reports, end_kind, kept, logged, ask_http, ask_postgres, ask_redis, net_kind, dns_kind, use_files, use_secrets,
    read_system;

/// What a run tells, in `details.told`.
typedef struct {
    sb_text *items;
    size_t len;
    size_t room;
} lines;

/// One line: the words with a blank between.
void tell(lines *told, sb_texts words);
/// Where errors are told, one is a line and the run goes on; otherwise it ends the run.
SB_MUST_USE_ sb_error tell_error(lines *told, sb_error error, bool tell_errors);
void tell_labels(lines *told, const char *word, sb_labels labels);
void tell_session(lines *told, const sb_optional_tls_session *session);
/// The report of a run that told everything.
void report_lines(sb_report *report, const lines *told);
/// The phases that happened, as metrics.
void report_timings(sb_report *report, const sb_timings *timings);

sb_text joined(sb_texts parts, const char *between);
sb_text told_text(sb_text value);
sb_text told_optional(sb_optional_text value);
sb_text told_bytes(sb_bytes value);
/// Text where the bytes are UTF-8.
sb_text told_string(sb_bytes value);
sb_text told_bool(bool value);
sb_text told_int(int64_t value);
sb_text told_count(uint64_t value);
sb_text told_ms(uint64_t value);
sb_text told_float(double value);
sb_text told_list(sb_texts items);
sb_text told_json(sb_json value);
/// Which of several, without the whole of them: 32 bits of FNV-1a over the lines, each with a line's end.
sb_text told_digest(sb_texts all);
