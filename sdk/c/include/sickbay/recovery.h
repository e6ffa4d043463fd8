/// What a recovery is asked, and what it answers.
#pragma once

#include "check.h"

#define SB_ACTIONS_MAX 16
#define SB_AGAIN_AFTER_MS_MIN 1000u
#define SB_AGAIN_AFTER_MS_MAX 3600000u
#define SB_TOKEN_BYTES_MAX 4096

/// What is to be healed.
typedef struct {
    /// Stable for one firing episode.
    sb_text id;
    /// Name of the check in the configuration.
    sb_text check;
    sb_optional_text target;
    /// The failure kind of the last report that had one.
    sb_optional_text failure;
    /// `P0` (worst) to `P3`, or the word that a foreign alert came with.
    sb_text severity;
    /// When the check became bad for good, in milliseconds since 1970.
    uint64_t since_ms;
    /// Failed runs in a row, this one included.
    uint32_t consecutive_failures;
    sb_labels labels;
    /// The report that the incident rests on, without its details.
    sb_report last_report;
    sb_labels extras;
} sb_incident;

/// What a recovery is asked.
typedef struct {
    /// Name of the recovery in the configuration.
    sb_text recovery;
    sb_text kind;
    /// The configuration as JSON.
    sb_text config;
    /// The call is ended this long after it began.
    uint32_t timeout_ms;
    sb_incident incident;
    /// The same key means the same step: an orchestrator may drop the second. Empty in the plan.
    sb_text idempotency_key;
    sb_labels extras;
} sb_recovery_request;

/// One step that would be taken. Shown as it is by dry runs and approvals.
typedef struct {
    /// Stable for the same step on the same target: the host never starts it twice for one incident unless it is idempotent.
    sb_text id;
    /// One line for a person who approves it.
    sb_text title;
    /// What it acts on: a process id, a service, a pod.
    sb_text target;
    /// Doing it twice does no more than doing it once.
    bool idempotent;
    /// JSON, handed back to `act` unchanged. Empty is `null`.
    sb_text parameters;
    sb_labels extras;
} sb_action;

/// The steps that would be taken.
typedef struct {
    const sb_action *actions;
    size_t len;
} sb_plan;

/// How a step ended.
typedef struct {
    /// The step did what it was to do; whether the check is well again is for the check to say.
    bool success;
    /// One line for a person.
    sb_text reason;
    /// What was really done, one line each.
    sb_texts actions;
    /// What a person should do next.
    sb_optional_text recommendation;
    /// A JSON object.
    sb_optional_text details;
    sb_labels extras;
} sb_outcome;

/// A step that has not ended.
typedef struct {
    /// JSON, handed back to `follow`, also after a restart of the host.
    sb_text token;
    /// One line for a person.
    sb_text summary;
    uint32_t again_after_ms;
} sb_running;

enum { SB_PROGRESS_DONE, SB_PROGRESS_RUNNING };

/// How far a step is.
typedef struct {
    uint8_t kind;
    union {
        sb_outcome done;
        sb_running running;
    };
} sb_progress;

/// Adds a step to the plan.
void sb_plan_add(sb_plan *plan, sb_action action);

/// The step did what it was to do.
void sb_step_done(sb_progress *progress, const char *format, ...) SB_PRINTF_(2, 3);
/// The step did not do what it was to do.
void sb_step_failed(sb_progress *progress, const char *format, ...) SB_PRINTF_(2, 3);
/// The step goes on: the host asks `follow` again after that time, 1 second to 1 hour. The token is JSON of at most 4 KiB.
void sb_step_running(sb_progress *progress, sb_text token, uint32_t again_after_ms, const char *format, ...) SB_PRINTF_(4, 5);
/// Behind `sb_step_done` or `sb_step_failed`: something that was really done.
void sb_step_did(sb_progress *progress, const char *format, ...) SB_PRINTF_(2, 3);
/// What a person should do next.
void sb_step_recommend(sb_progress *progress, const char *format, ...) SB_PRINTF_(2, 3);
/// What else is worth keeping: a JSON object, at most 64 KiB.
void sb_step_details(sb_progress *progress, sb_text json_object);
