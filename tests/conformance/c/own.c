/// What needs no service: the kinds `request`, `report`, `end`, `state` and `log`.
#include "conformance.h"

/// One more than a report may have.
#define METRICS 257
#define EVIDENCE 9
#define SUMMARY_CHARACTERS 300
#define DETAILS_BYTES 70000
#define STATE_BYTES 20000
#define BLOCK_BYTES (1u << 20)

static sb_text repeated(sb_text part, size_t count) {
    char *text = sb_alloc(part.len * count);
    for (size_t at = 0; at < count; at++) {
        memcpy(text + at * part.len, part.data, part.len);
    }
    return (sb_text){text, part.len * count};
}

static void tell_earlier(lines *told, const sb_earlier *earlier) {
    static const char *const STATUSES[] = {"unknown", "ok", "warning", "critical"};
    const sb_report *report = &earlier->report;
    tell(told, SB_TEXTS(SB("previous"), told_ms(earlier->scheduled_at_ms), sb_text_of(STATUSES[report->status & 3]),
                        told_text(report->summary), told_optional(report->failure)));
    for (size_t at = 0; at < report->metrics.len; at++) {
        const sb_metric_value *metric = &report->metrics.items[at];
        sb_text kind = metric->kind == SB_COUNTER ? SB("counter") : SB("gauge");
        tell(told, SB_TEXTS(SB("metric"), told_text(metric->name), told_float(metric->value), kind, told_text(metric->unit)));
        tell_labels(told, "metric-label", metric->labels);
    }
    for (size_t at = 0; at < report->evidence.len; at++) {
        const sb_evidence_value *one = &report->evidence.items[at];
        tell(told, SB_TEXTS(SB("evidence"), told_text(one->metric), told_text(one->actual), told_text(one->expected),
                            told_text(one->unit)));
    }
    tell_labels(told, "previous-extra", report->extras);
}

static sb_error run_asked(const sb_check_request *request, const void *configured, sb_report *report) {
    (void)configured;
    lines told = {0};
    tell(&told, SB_TEXTS(SB("check"), told_text(request->check)));
    tell(&told, SB_TEXTS(SB("kind"), told_text(request->kind)));
    tell(&told, SB_TEXTS(SB("target"), told_optional(request->target)));
    tell(&told, SB_TEXTS(SB("attempt"), told_count(request->attempt)));
    tell(&told, SB_TEXTS(SB("timeout-ms"), told_count(request->timeout_ms)));
    tell(&told, SB_TEXTS(SB("scheduled-at"), told_ms(request->scheduled_at_ms)));
    tell_labels(&told, "label", request->labels);
    tell_labels(&told, "extra", request->extras);
    if (request->previous.is_some) {
        tell_earlier(&told, &request->previous.value);
    } else {
        tell(&told, SB_TEXTS(SB("previous null")));
    }
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(asked, "request", "Tells what it was asked", .run = run_asked);

struct report_config {
    sb_text what;
};

static const sb_field report_fields[] = {
    SB_FIELD(struct report_config, what, "Which report", .required = true,
             .one_of = SB_WORDS("whole", "findings", "unknown", "not-finite", "too-much")),
    SB_FIELD_END,
};

static void whole(sb_report *report) {
    sb_report_ok(report, "é ☃ \"quoted\" \\");
    sb_metric(report, "latency_seconds", 0.25, "seconds");
    sb_metric(report, "used_bytes", 1024, "bytes");
    sb_metric(report, "hit_ratio", 0.5, "ratio");
    sb_metric(report, "jobs", -3, "");
    sb_counter(report, "served", 7, "");
    sb_metric_with(report, "queue_jobs", 2, "", SB_LABELS({SB("queue"), SB("é\"\\")}, {SB("state"), SB("waiting")}));
    sb_metric_with(report, "queue_jobs", 4, "", SB_LABELS({SB("queue"), SB("mail")}, {SB("state"), SB("waiting")}));
    sb_evidence(report, "latency_seconds", SB("0.25"), SB("at most 0.1"), "seconds");
    sb_evidence(report, "", SB("é"), SB("☃"), "");
    sb_report_warning(report, "capacity", "é ☃ it is too much");
    sb_json_writer json = sb_json_object();
    sb_put_object(&json, "nested");
    sb_put_array(&json, "list");
    sb_put_int(&json, NULL, 1);
    sb_put_bool(&json, NULL, true);
    sb_put_text(&json, NULL, SB("é\n"));
    sb_report_details(report, sb_json_end(&json));
    sb_report_extra(report, "conformance.extra", SB("é"));
}

static void too_much(sb_report *report) {
    sb_text summary = repeated(SB("é"), SUMMARY_CHARACTERS);
    sb_report_ok(report, "%.*s", SB_F(summary));
    sb_json_writer json = sb_json_object();
    sb_put_text(&json, "text", repeated(SB("x"), DETAILS_BYTES));
    sb_report_details(report, sb_json_end(&json));
    for (unsigned count = 0; count < METRICS; count++) {
        sb_metric(report, sb_string(sb_format("metric_%u", count)), count, "");
    }
    for (unsigned count = 0; count < EVIDENCE; count++) {
        sb_evidence(report, "", sb_format("%u", count), repeated(SB("☃"), 2 * SUMMARY_CHARACTERS), "");
    }
}

static sb_error run_reports(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct report_config *config = configured;
    (void)request;
    if (sb_is(config->what, "whole")) {
        whole(report);
    } else if (sb_is(config->what, "findings")) {
        sb_report_ok(report, "fine");
        sb_report_warning(report, "latency", "slow");
        sb_report_critical(report, "content", "wrong");
        sb_report_critical(report, "certificate", "expired");
        sb_report_warning(report, "capacity", "full");
    } else if (sb_is(config->what, "unknown")) {
        sb_report_unknown(report, "it cannot be judged yet");
    } else if (sb_is(config->what, "not-finite")) {
        sb_report_ok(report, "one number of three");
        sb_metric(report, "not_a_number", __builtin_nan(""), "");
        sb_metric(report, "endless", __builtin_inf(), "");
        sb_metric(report, "finite", 1, "");
    } else {
        too_much(report);
    }
    return SB_OK;
}

SB_CHECK(reports, "report", "Reports everything that a report may hold", .example = "{\"what\": \"unknown\"}",
         SB_CONFIG(struct report_config, report_fields), .run = run_reports);

struct end_config {
    sb_text how;
};

static const sb_field end_fields[] = {
    SB_FIELD(struct end_config, how, "How the run ends", .required = true,
             .one_of = SB_WORDS("service", "configuration", "quota", "internal", "defect", "trap", "loop", "memory")),
    SB_FIELD_END,
};

/// A pointer that leads nowhere.
static int beyond_memory(void) {
    const volatile int *nowhere = (const volatile int *)(uintptr_t)0xfffffff0u;
    return *nowhere;
}

static void loop(void) {
    for (volatile unsigned count = 0;; count++) {
    }
}

/// It takes memory until there is none.
static void exhaust(void) {
    for (;;) {
        memset(sb_alloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    }
}

static sb_error run_end(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct end_config *config = configured;
    (void)request;
    (void)report;
    if (sb_is(config->how, "service")) {
        return sb_service_error("stale", "the newest entry is é old");
    }
    if (sb_is(config->how, "configuration")) {
        return sb_configuration_error("it cannot be so");
    }
    if (sb_is(config->how, "quota")) {
        return sb_quota_error("it is too much");
    }
    if (sb_is(config->how, "internal")) {
        return sb_internal_error("it is broken");
    }
    if (sb_is(config->how, "defect")) {
        return sb_internal_error("nothing was there, and it was %d", beyond_memory());
    }
    if (sb_is(config->how, "trap")) {
        __builtin_trap();
    }
    if (sb_is(config->how, "loop")) {
        loop();
    }
    exhaust();
    return SB_OK;
}

SB_CHECK(end_kind, "end", "Ends in every way that is no report", .example = "{\"how\": \"service\"}", SB_CONFIG(struct end_config, end_fields),
         .failures = SB_WORDS("stale"), .run = run_end);

struct state_config {
    sb_text what;
};

static const sb_field state_fields[] = {
    SB_FIELD(struct state_config, what, "What is kept", .one_of = SB_WORDS("count", "too-much"), .default_text = "count"),
    SB_FIELD_END,
};

static sb_text kept_under(sb_text key) {
    sb_bytes value;
    return sb_state_get(key, &value) ? told_string(value) : SB("null");
}

static sb_error run_kept(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct state_config *config = configured;
    (void)request;
    if (sb_is(config->what, "too-much")) {
        SB_TRY(sb_state_put(SB("much"), repeated(SB("x"), STATE_BYTES)));
    }
    lines told = {0};
    double runs = 0;
    if (!sb_state_get_number(SB("runs"), &runs)) {
        runs = 0;
    }
    runs += 1;
    SB_TRY(sb_state_put_number(SB("runs"), runs));
    tell(&told, SB_TEXTS(SB("runs"), told_float(runs)));
    tell(&told, SB_TEXTS(SB("before"), kept_under(SB("raw"))));
    SB_TRY(sb_state_put(SB("raw"), (sb_bytes){"\x00\xff", 2}));
    tell(&told, SB_TEXTS(SB("after"), kept_under(SB("raw"))));
    sb_state_remove(SB("gone"));
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(kept, "state", "Counts its runs, and keeps bytes", .example = "{}", SB_CONFIG(struct state_config, state_fields),
         .run = run_kept);

static sb_error run_logged(const sb_check_request *request, const void *configured, sb_report *report) {
    static const char *const WORDS[] = {"trace", "debug", "info", "warn", "error"};
    (void)request;
    (void)configured;
    for (sb_level level = SB_TRACE; level <= SB_ERROR; level++) {
        sb_log_with(level, SB_LABELS({SB("number"), SB("7")}, {SB("text"), SB("é")}), "conformance %s", WORDS[level]);
    }
    sb_report_ok(report, "logged");
    return SB_OK;
}

SB_CHECK(logged, "log", "Logs a line of each level", .run = run_logged);
