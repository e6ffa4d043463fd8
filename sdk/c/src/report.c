/// Building reports, and fitting them into the contract's bounds.
#include "internal.h"

/// The order in which findings win.
static int weight(sb_status status) {
    static const int WEIGHTS[] = {[SB_STATUS_OK] = 0, [SB_STATUS_UNKNOWN] = 1, [SB_STATUS_WARNING] = 2, [SB_STATUS_CRITICAL] = 3};
    return WEIGHTS[status & 3];
}

/// A report that nothing was said of counts as less than ok.
static void worsen(sb_report *report, sb_status status, const char *failure, sb_text summary) {
    bool is_untouched = report->status == SB_STATUS_UNKNOWN && report->summary.data == NULL;
    if (is_untouched || weight(status) > weight(report->status)) {
        report->status = status;
        report->failure = failure == NULL ? (sb_optional_text){0} : sb_some(sb_copy(sb_text_of(failure)));
        report->summary = summary;
    }
}

#define WORSEN_(status, failure)                                        \
    va_list arguments;                                                  \
    va_start(arguments, format);                                        \
    worsen(report, status, failure, sb_format_list(format, arguments)); \
    va_end(arguments)

void sb_report_ok(sb_report *report, const char *format, ...) {
    WORSEN_(SB_STATUS_OK, NULL);
}

void sb_report_unknown(sb_report *report, const char *format, ...) {
    WORSEN_(SB_STATUS_UNKNOWN, NULL);
}

void sb_report_warning(sb_report *report, const char *failure, const char *format, ...) {
    WORSEN_(SB_STATUS_WARNING, failure);
}

void sb_report_critical(sb_report *report, const char *failure, const char *format, ...) {
    WORSEN_(SB_STATUS_CRITICAL, failure);
}

sb_text sb_label_value(sb_labels labels, const char *name) {
    for (size_t at = 0; at < labels.len; at++) {
        if (sb_is(labels.items[at].name, name)) {
            return labels.items[at].value;
        }
    }
    return SB("");
}

sb_text sb_kept(sb_text text) {
    return sb_copy(sb_utf8(text));
}

sb_labels sb_kept_labels(sb_labels labels) {
    if (labels.len == 0) {
        return (sb_labels){0};
    }
    sb_label *kept = sb_alloc_array(labels.len, sizeof(sb_label));
    for (size_t at = 0; at < labels.len; at++) {
        kept[at] = (sb_label){sb_kept(labels.items[at].name), sb_kept(labels.items[at].value)};
    }
    return (sb_labels){kept, labels.len};
}

void sb_add_label(sb_labels *labels, const char *name, sb_text value) {
    sb_label *items = sb_grown(labels->items, labels->len, sizeof(sb_label));
    items[labels->len] = (sb_label){sb_kept(sb_text_of(name)), sb_kept(value)};
    *labels = (sb_labels){items, labels->len + 1};
}

void sb_add_metric(sb_report *report, sb_metric_value metric) {
    if (report->metrics.len == SB_METRICS_MAX) {
        return;
    }
    sb_metric_value *items = sb_grown(report->metrics.items, report->metrics.len, sizeof(sb_metric_value));
    metric.name = sb_kept(metric.name);
    metric.unit = sb_kept(metric.unit);
    metric.labels = sb_kept_labels(metric.labels);
    items[report->metrics.len] = metric;
    report->metrics = (sb_metrics){items, report->metrics.len + 1};
}

void sb_metric_with(sb_report *report, const char *name, double value, const char *unit, sb_labels labels) {
    sb_add_metric(report, (sb_metric_value){sb_text_of(name), value, SB_GAUGE, sb_text_of(unit), labels});
}

void sb_metric(sb_report *report, const char *name, double value, const char *unit) {
    sb_metric_with(report, name, value, unit, (sb_labels){0});
}

void sb_counter(sb_report *report, const char *name, double value, const char *unit) {
    sb_add_metric(report, (sb_metric_value){sb_text_of(name), value, SB_COUNTER, sb_text_of(unit), {0}});
}

void sb_evidence(sb_report *report, const char *metric, sb_text actual, sb_text expected, const char *unit) {
    if (report->evidence.len == SB_EVIDENCE_MAX) {
        return;
    }
    sb_evidence_value *items = sb_grown(report->evidence.items, report->evidence.len, sizeof(sb_evidence_value));
    items[report->evidence.len] = (sb_evidence_value){
        sb_kept(sb_text_of(metric)),
        sb_cut(sb_kept(actual), SB_EVIDENCE_TEXT_BYTES_MAX),
        sb_cut(sb_kept(expected), SB_EVIDENCE_TEXT_BYTES_MAX),
        sb_kept(sb_text_of(unit)),
    };
    report->evidence = (sb_evidences){items, report->evidence.len + 1};
}

void sb_report_details(sb_report *report, sb_text json_object) {
    if (json_object.len > SB_DETAILS_BYTES_MAX) {
        sb_report_extra(report, "sdk.details-dropped-bytes", sb_format("%zu", json_object.len));
        return;
    }
    report->details = sb_some(sb_kept(json_object));
}

void sb_report_extra(sb_report *report, const char *name, sb_text value) {
    sb_add_label(&report->extras, name, value);
}

void sb_fit(sb_report *report) {
    report->summary = sb_cut(sb_utf8(report->summary), SB_SUMMARY_BYTES_MAX);
    report->failure.value = sb_utf8(report->failure.value);
}
