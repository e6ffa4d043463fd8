/// The scripted host: running kinds as the host does, and what it would refuse.
#include "fake.h"

#include <string.h>

#define NAME_BYTES_MAX 64
#define VALUE_BYTES_MAX 1024
#define LABELS_MAX 32

static sb_text config_text(const char *config, const char *example) {
    return sb_text_of(config != NULL ? config : example != NULL ? example : "{}");
}

sb_ran sb_test_check(const sb_check *check, const char *config) {
    sb_check_request request = sb_fake.check_request;
    request.kind = sb_text_of(check->name);
    request.config = config_text(config, check->example);
    const sb_run_answer *answer = sb_run_(&request);
    sb_ran ran = {.is_failure = answer->is_error};
    if (answer->is_error) {
        ran.failure = answer->error;
        sb_fake_expect_utf8(ran.failure.message);
    } else {
        ran.report = answer->ok;
        sb_fake_expect_utf8(ran.report.summary);
    }
    return ran;
}

static sb_recovery_request recovery_request(const sb_recovery *recovery, const char *config) {
    sb_recovery_request request = sb_fake.recovery_request;
    request.kind = sb_text_of(recovery->name);
    request.config = config_text(config, recovery->example);
    return request;
}

sb_planned sb_test_plan(const sb_recovery *recovery, const char *config) {
    sb_recovery_request request = recovery_request(recovery, config);
    request.idempotency_key = SB("");
    const sb_plan_answer *answer = sb_plan_(&request);
    sb_planned planned = {.is_failure = answer->is_error};
    if (answer->is_error) {
        planned.failure = answer->error;
    } else {
        planned.plan = answer->ok;
    }
    return planned;
}

static sb_stepped stepped(const sb_progress_answer *answer) {
    sb_stepped stepped = {.is_failure = answer->is_error};
    if (answer->is_error) {
        stepped.failure = answer->error;
    } else {
        stepped.progress = answer->ok;
    }
    return stepped;
}

sb_stepped sb_test_act(const sb_recovery *recovery, const char *config, const sb_action *action) {
    sb_act_asked asked = {recovery_request(recovery, config), *action};
    return stepped(sb_act_(&asked));
}

sb_stepped sb_test_follow(const sb_recovery *recovery, const char *config, const sb_action *action, const char *token) {
    sb_follow_asked asked = {recovery_request(recovery, config), *action, sb_text_of(token)};
    return stepped(sb_follow_(&asked));
}

sb_delivered sb_test_deliver(const sb_sink *sink, const char *config, const sb_notification *notification) {
    sb_sink_request request = sb_fake.sink_request;
    request.kind = sb_text_of(sink->name);
    request.config = config_text(config, sink->example);
    request.notification = *notification;
    const sb_deliver_answer *answer = sb_deliver_(&request);
    sb_delivered delivered = {.is_delivered = !answer->is_error};
    if (!answer->is_error) {
        delivered.receipt = answer->ok;
    } else if (answer->error.tag == SB_PERMANENT) {
        delivered.is_for_good = true;
        delivered.message = answer->error.permanent;
    } else {
        delivered.message = answer->error.retryable.message;
        delivered.after_ms = answer->error.retryable.after_ms;
    }
    return delivered;
}

/// Whether every byte is one of `allowed`, `a-z` or `0-9`; the first one no digit where it is to be a name.
static bool is_word(sb_text text, const char *allowed, bool is_name) {
    bool fits = text.len > 0 && text.len <= NAME_BYTES_MAX && !(is_name && sb_is_digit(text.data[0]));
    for (size_t at = 0; fits && at < text.len; at++) {
        char byte = text.data[at];
        fits = sb_is_digit(byte) || (byte >= 'a' && byte <= 'z') || strchr(allowed, byte) != NULL;
    }
    return fits;
}

static bool is_kind_word(sb_text text) {
    return is_word(text, "-", false);
}

static bool is_metric_name(sb_text text) {
    return is_word(text, "_", true);
}

static bool is_label_name(sb_text name) {
    static const char *const RESERVED[] = {"check", "metric", "le", "quantile"};
    bool fits = name.len > 0 && name.len <= NAME_BYTES_MAX && !sb_starts_with(name, "__") && !sb_is_digit(name.data[0]);
    for (size_t at = 0; at < sizeof(RESERVED) / sizeof(RESERVED[0]); at++) {
        fits = fits && !sb_is(name, RESERVED[at]);
    }
    for (size_t at = 0; fits && at < name.len; at++) {
        char byte = (char)(name.data[at] | 0x20);
        fits = sb_is_digit(name.data[at]) || name.data[at] == '_' || (byte >= 'a' && byte <= 'z');
    }
    return fits;
}

static bool covers(const sb_metric_info *info, const sb_metric_value *metric) {
    sb_text name = sb_text_of(info->name);
    if (sb_ends_with(name, "*")) {
        return sb_starts_with(metric->name, sb_string(sb_slice(name, 0, name.len - 1)));
    }
    return sb_same(metric->name, name);
}

static sb_text metric_trouble(const sb_check *check, const sb_metric_value *metric) {
    if (!is_metric_name(metric->name)) {
        return sb_format("the metric name `%.*s` is not [a-z_][a-z0-9_]*", SB_F(metric->name));
    }
    if (metric->labels.len > LABELS_MAX) {
        return sb_format("the metric `%.*s` has more than %d labels", SB_F(metric->name), LABELS_MAX);
    }
    for (size_t at = 0; at < metric->labels.len; at++) {
        if (!is_label_name(metric->labels.items[at].name) || metric->labels.items[at].value.len > VALUE_BYTES_MAX) {
            return sb_format("the label `%.*s` of `%.*s` is not allowed", SB_F(metric->labels.items[at].name), SB_F(metric->name));
        }
    }
    for (const sb_metric_info *info = check->metrics; info != NULL && info->name != NULL; info++) {
        if (covers(info, metric)) {
            bool is_same = info->kind == metric->kind && sb_is(metric->unit, info->unit);
            return is_same ? SB("") : sb_format("the metric `%.*s` has another kind or unit than described", SB_F(metric->name));
        }
    }
    return sb_format("the metric `%.*s` is not described", SB_F(metric->name));
}

static bool is_same_series(const sb_metric_value *one, const sb_metric_value *other) {
    bool is_same = sb_same(one->name, other->name) && one->labels.len == other->labels.len;
    for (size_t at = 0; is_same && at < one->labels.len; at++) {
        is_same = sb_same(sb_label_value(other->labels, sb_string(one->labels.items[at].name)), one->labels.items[at].value);
    }
    return is_same;
}

sb_text sb_fake_undescribed(const sb_check *check, const sb_ran *ran) {
    if (ran->is_failure) {
        return sb_format("a failure, not a report: %.*s: %.*s", SB_F(ran->failure.kind), SB_F(ran->failure.message));
    }
    const sb_report *report = &ran->report;
    for (size_t at = 0; at < report->metrics.len; at++) {
        sb_text trouble = metric_trouble(check, &report->metrics.items[at]);
        for (size_t before = 0; before < at && trouble.len == 0; before++) {
            if (is_same_series(&report->metrics.items[before], &report->metrics.items[at])) {
                trouble = sb_format("the metric `%.*s` is there twice with the same labels", SB_F(report->metrics.items[at].name));
            }
        }
        if (trouble.len > 0) {
            return trouble;
        }
    }
    sb_json details;
    sb_text why;
    if (report->details.is_some && (!sb_json_parse(report->details.value, &details, &why) || sb_json_type_of(details) != SB_JSON_OBJECT)) {
        return SB("the details are not a JSON object");
    }
    if (!report->failure.is_some) {
        return SB("");
    }
    for (const char *const *failure = check->failures; failure != NULL && *failure != NULL; failure++) {
        if (sb_is(report->failure.value, *failure)) {
            return SB("");
        }
    }
    return sb_format("the failure kind `%.*s` is not described", SB_F(report->failure.value));
}

static bool is_capability(const char *name) {
    static const char *const KNOWN[] = {"http", "postgres", "redis", "net", "secrets", "files", "system", "state", "log"};
    for (size_t at = 0; at < sizeof(KNOWN) / sizeof(KNOWN[0]); at++) {
        if (sb_is(sb_text_of(name), KNOWN[at])) {
            return true;
        }
    }
    return false;
}

static bool is_json_object(sb_text text) {
    sb_json json;
    sb_text why;
    return sb_json_parse(text, &json, &why) && sb_json_type_of(json) == SB_JSON_OBJECT;
}

static sb_text kind_trouble(const sb_wire_kind *kind) {
    if (!is_kind_word(kind->name)) {
        return sb_format("the kind `%.*s` is not [a-z0-9-]+", SB_F(kind->name));
    }
    if (!is_json_object(kind->config_schema) || !is_json_object(kind->example)) {
        return sb_format("the schema or the example of `%.*s` is not a JSON object", SB_F(kind->name));
    }
    for (size_t at = 0; at < kind->needs.len; at++) {
        if (!is_capability(sb_string(kind->needs.items[at].capability))) {
            return sb_format("`%.*s` needs `%.*s`, which is no capability", SB_F(kind->name), SB_F(kind->needs.items[at].capability));
        }
    }
    for (size_t at = 0; at < kind->metrics.len; at++) {
        sb_text name = kind->metrics.items[at].name;
        name.len -= sb_ends_with(name, "*");
        if (!is_metric_name(name) && !sb_is(kind->metrics.items[at].name, "*")) {
            return sb_format("the metric name `%.*s` is not [a-z_][a-z0-9_]*", SB_F(name));
        }
    }
    for (size_t at = 0; at < kind->failures.len; at++) {
        if (!is_kind_word(kind->failures.items[at])) {
            return sb_format("the failure kind `%.*s` is not [a-z0-9-]+", SB_F(kind->failures.items[at]));
        }
    }
    return SB("");
}

static sb_text kinds_trouble(sb_wire_kinds kinds) {
    for (size_t at = 0; at < kinds.len; at++) {
        sb_text trouble = kind_trouble(&kinds.items[at]);
        for (size_t before = 0; before < at && trouble.len == 0; before++) {
            if (sb_same(kinds.items[before].name, kinds.items[at].name)) {
                trouble = sb_format("the kind `%.*s` is there twice", SB_F(kinds.items[at].name));
            }
        }
        if (trouble.len > 0) {
            return trouble;
        }
    }
    return SB("");
}

static sb_text example_trouble(const char *name, const sb_field *fields, size_t config_bytes, const char *schema, const char *example) {
    const void *config;
    sb_error error = sb_config_of(fields, config_bytes, schema, config_text(NULL, example), &config);
    return sb_failed(error) ? sb_format("the example of `%s`: %.*s", name, SB_F(error.message)) : SB("");
}

#define EXAMPLES_(type, kinds)                                                                                                      \
    for (const type *const *kind = kinds; trouble.len == 0 && kind != NULL && *kind != NULL; kind++) {                              \
        trouble = example_trouble((*kind)->name, (*kind)->fields, (*kind)->config_bytes, (*kind)->config_schema, (*kind)->example); \
    }

sb_text sb_fake_badly_described(void) {
    const sb_wire_descriptor *described = sb_describe_();
    if (!is_kind_word(described->name)) {
        return sb_format("the plugin's name `%.*s` is not [a-z0-9-]+", SB_F(described->name));
    }
    if (described->version.len == 0 || described->version.len > NAME_BYTES_MAX) {
        return SB("the plugin has no version");
    }
    if (described->checks.len + described->recoveries.len + described->sinks.len == 0) {
        return SB("the plugin has no kind");
    }
    sb_text trouble = kinds_trouble(described->checks);
    trouble = trouble.len > 0 ? trouble : kinds_trouble(described->recoveries);
    trouble = trouble.len > 0 ? trouble : kinds_trouble(described->sinks);
    EXAMPLES_(sb_check, sickbay_plugin.checks)
    EXAMPLES_(sb_recovery, sickbay_plugin.recoveries)
    EXAMPLES_(sb_sink, sickbay_plugin.sinks)
    return trouble;
}
