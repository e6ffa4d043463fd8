/// Building a report.
///
/// Findings only ever make a report worse: a warning after a critical leaves it critical, and among findings of the same weight the first
/// one gives the summary and the failure kind. Write the most telling one first. A report of which nothing is said is `unknown`.
///
/// What is too long or too much is cut or left out: a summary beyond 512 bytes, evidence beyond 8 of 1 KiB, metrics beyond 256, details
/// beyond 64 KiB. What machines read is not mended: the host refuses a report with a wrong metric name, label or failure kind.
#pragma once

#include "json.h"
#include "types.h"

#define SB_SUMMARY_BYTES_MAX 512
#define SB_FAILURE_MESSAGE_BYTES_MAX 1024
#define SB_METRICS_MAX 256
#define SB_EVIDENCE_MAX 8
#define SB_EVIDENCE_TEXT_BYTES_MAX 1024
#define SB_DETAILS_BYTES_MAX (64 << 10)

/// All is well, unless a finding has said otherwise.
void sb_report_ok(sb_report *report, const char *format, ...) SB_PRINTF_(2, 3);
/// The target answered, and its answer cannot be judged (yet).
void sb_report_unknown(sb_report *report, const char *format, ...) SB_PRINTF_(2, 3);
/// `failure` is the word that recoveries are matched by: lower case, `-` between words.
void sb_report_warning(sb_report *report, const char *failure, const char *format, ...) SB_PRINTF_(3, 4);
void sb_report_critical(sb_report *report, const char *failure, const char *format, ...) SB_PRINTF_(3, 4);

/// Adds a gauge. The name has its base unit last (`latency_seconds`); the unit is `seconds`, `bytes`, `ratio` or empty. The host drops a
/// value that is not finite.
void sb_metric(sb_report *report, const char *name, double value, const char *unit);
/// Adds a metric that only grows, except when the thing counted restarts.
void sb_counter(sb_report *report, const char *name, double value, const char *unit);
/// Adds a gauge with labels. A name with its labels may occur once in a report.
void sb_metric_with(sb_report *report, const char *name, double value, const char *unit, sb_labels labels);
/// Adds a metric of either kind.
void sb_add_metric(sb_report *report, sb_metric_value metric);

/// Adds what was measured against what was allowed. `metric` and `unit` may be empty.
void sb_evidence(sb_report *report, const char *metric, sb_text actual, sb_text expected, const char *unit);

/// Sets what else is worth keeping with the result: a JSON object.
void sb_report_details(sb_report *report, sb_text json_object);
/// Adds an extra. Put a dot into the name (`mycompany.region`): names without one belong to the contract.
void sb_report_extra(sb_report *report, const char *name, sb_text value);
