/// Judging a number and a certificate, and telling numbers to a person.
///
/// A limit is passed by what is beyond it: a ratio limit of 1 never is from above.
#pragma once

#include "report.h"

/// What a metric may be, and what it is called when it is not.
typedef struct {
    /// The metric that the evidence names.
    const char *metric;
    const char *unit;
    /// The failure kind.
    const char *failure;
    /// NULL where there is none.
    const double *warning;
    const double *critical;
} sb_limit;

/// Judges a value that must not be above the limits; the summary is for when it is.
void sb_at_most(sb_report *report, const sb_limit *limit, double value, const char *format, ...) SB_PRINTF_(4, 5);
/// Judges a value that must not be below the limits.
void sb_at_least(sb_report *report, const sb_limit *limit, double value, const char *format, ...) SB_PRINTF_(4, 5);

/// Adds `certificate_expires_seconds` and judges it: `expired`, or `certificate` where fewer days are left. `what` is the subject of the
/// summary: `the certificate`.
void sb_judge_expiry(sb_report *report, uint64_t not_after_ms, uint64_t now_ms, uint32_t warning_days, uint32_t critical_days,
                     const char *what);

/// A ratio of which nothing is nothing.
double sb_ratio(double part, double whole);
/// `0.934` as `93 %`.
sb_text sb_percent(double ratio);
/// Bytes for a person: `1.5 GiB`.
sb_text sb_binary_size(double bytes);
/// A span for a person, in its two largest units: `3 h 20 min`.
sb_text sb_span(double seconds);
/// Microseconds, as the contract measures phases, in the base unit of metrics.
static inline double sb_seconds(uint32_t microseconds) {
    return microseconds / 1e6;
}
