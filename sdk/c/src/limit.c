/// Judging numbers and certificates.
#include "internal.h"

#define DAY_SECONDS 86400.0
#define EXPIRES "certificate_expires_seconds"

/// Evidence is for people: four places are enough.
static sb_text rounded(double value) {
    sb_text text = sb_format("%.4f", value);
    while (sb_ends_with(text, "0")) {
        text.len--;
    }
    text.len -= sb_ends_with(text, ".");
    return sb_is(text, "-0") ? SB("0") : text;
}

static void judge(sb_report *report, const sb_limit *limit, double value, bool is_upper, sb_text summary) {
    const double *limits[] = {limit->critical, limit->warning};
    for (int at = 0; at < 2; at++) {
        if (limits[at] == NULL || !(is_upper ? value > *limits[at] : value < *limits[at])) {
            continue;
        }
        sb_text expected = sb_format("%s %.*s", is_upper ? "at most" : "at least", SB_F(sb_number_text(*limits[at])));
        sb_evidence(report, limit->metric, rounded(value), expected, limit->unit);
        if (at == 0) {
            sb_report_critical(report, limit->failure, "%.*s", SB_F(summary));
        } else {
            sb_report_warning(report, limit->failure, "%.*s", SB_F(summary));
        }
        return;
    }
}

void sb_at_most(sb_report *report, const sb_limit *limit, double value, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    judge(report, limit, value, true, sb_format_list(format, arguments));
    va_end(arguments);
}

void sb_at_least(sb_report *report, const sb_limit *limit, double value, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    judge(report, limit, value, false, sb_format_list(format, arguments));
    va_end(arguments);
}

void sb_judge_expiry(sb_report *report, uint64_t not_after_ms, uint64_t now_ms, uint32_t warning_days, uint32_t critical_days,
                     const char *what) {
    double seconds = ((double)not_after_ms - (double)now_ms) / 1000;
    sb_metric(report, EXPIRES, seconds, "seconds");
    unsigned days = (unsigned)((seconds < 0 ? -seconds : seconds) / DAY_SECONDS);
    bool is_expired = seconds <= 0, is_critical = seconds < critical_days * DAY_SECONDS, is_warning = seconds < warning_days * DAY_SECONDS;
    if (!is_expired && !is_critical && !is_warning) {
        return;
    }
    double least = is_expired ? 0 : is_critical ? critical_days * DAY_SECONDS : warning_days * DAY_SECONDS;
    sb_evidence(report, EXPIRES, sb_format("%.0f", seconds), sb_format("at least %.0f", least), "seconds");
    if (is_expired) {
        sb_report_critical(report, "expired", "%s expired %u days ago", what, days);
    } else if (is_critical) {
        sb_report_critical(report, "certificate", "%s expires in %u days", what, days);
    } else {
        sb_report_warning(report, "certificate", "%s expires in %u days", what, days);
    }
}

double sb_ratio(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

sb_text sb_percent(double ratio) {
    return sb_format("%.0f %%", ratio * 100);
}

sb_text sb_binary_size(double bytes) {
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof(UNITS) / sizeof(UNITS[0])) {
        bytes /= 1024;
        unit++;
    }
    return sb_format(unit == 0 ? "%.0f %s" : "%.1f %s", bytes, UNITS[unit]);
}

sb_text sb_span(double seconds) {
    static const uint64_t LENGTHS[] = {86400, 3600, 60, 1};
    static const char *const NAMES[] = {"d", "h", "min", "s"};
    double size = seconds < 0 ? -seconds : seconds;
    uint64_t whole = size < 0x1p63 ? (uint64_t)(size + 0.5) : 0;
    size_t unit = 0;
    while (unit < 3 && whole < LENGTHS[unit]) {
        unit++;
    }
    unsigned long long many = whole / LENGTHS[unit];
    if (unit < 3 && whole % LENGTHS[unit] >= LENGTHS[unit + 1]) {
        unsigned long long more = whole % LENGTHS[unit] / LENGTHS[unit + 1];
        return sb_format("%llu %s %llu %s", many, NAMES[unit], more, NAMES[unit + 1]);
    }
    return sb_format("%llu %s", many, NAMES[unit]);
}
