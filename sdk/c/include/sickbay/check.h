/// What a check is asked.
#pragma once

#include "report.h"

/// An earlier run of the same check and target.
typedef struct {
    /// When it was due, in milliseconds since 1970.
    uint64_t scheduled_at_ms;
    /// What it found, without its details.
    sb_report report;
} sb_earlier;

typedef struct {
    bool is_some;
    sb_earlier value;
} sb_optional_earlier;

/// What one run is asked.
typedef struct {
    /// Name of the check in the configuration.
    sb_text check;
    sb_text kind;
    /// The configuration as JSON. A secret in it is a placeholder, which the host replaces on the way out.
    sb_text config;
    /// When this run was due. It is not the time of day, which `sb_now_ms` tells: a run may begin late.
    uint64_t scheduled_at_ms;
    /// The run is ended this long after it began. Calls of the host end sooner, so that there is time to report.
    uint32_t timeout_ms;
    /// 1 for the first try at this state, 2 for the next, ...
    uint32_t attempt;
    /// The target, where the check fans out over several.
    sb_optional_text target;
    sb_labels labels;
    /// The last run that gave a report.
    sb_optional_earlier previous;
    sb_labels extras;
} sb_check_request;
