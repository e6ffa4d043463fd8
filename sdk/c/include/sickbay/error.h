/// Whose mistake a failed call was.
///
/// "Unknown is not down": a service that refuses, hangs or answers wrongly is critical; a missing grant, a spent quota or a wrong
/// configuration says nothing about the service, and the host records `unknown`. A function that can fail answers an `sb_error`; passing it
/// on with `SB_TRY` ends the run with what it means.
#pragma once

#include "text.h"

typedef enum {
    /// Nothing went wrong.
    SB_BLAME_NOBODY,
    /// The service did it: a check becomes a critical report.
    SB_BLAME_SERVICE,
    /// The plugin, its configuration or its grants did it: the run becomes a failure.
    SB_BLAME_PLUGIN,
} sb_blame;

/// What went wrong, if anything.
typedef struct {
    sb_blame blame;
    /// Of a service the failure kind, which recoveries are matched by: `timeout`, `refused`, `content`. Of a plugin `denied`, `quota`,
    /// `configuration` or `internal`.
    sb_text kind;
    /// For a person.
    sb_text message;
    /// What a server called it: an SQLSTATE. Empty where it did not.
    sb_text code;
    /// For a sink: trying again cannot help.
    bool is_for_good;
    /// For a sink: what the receiver asked for, where it asked.
    sb_optional_u32 retry_after_ms;
} sb_error;

/// Nothing went wrong.
#define SB_OK ((sb_error){SB_BLAME_NOBODY, {0}, {0}, {0}, false, {0}})

/// Returns what went wrong, if anything: `SB_TRY(sb_http_get(url, &response));`
#define SB_TRY(call)                 \
    do {                             \
        sb_error sb_error_ = (call); \
        if (sb_failed(sb_error_)) {  \
            return sb_error_;        \
        }                            \
    } while (0)

static inline bool sb_failed(sb_error error) {
    return error.blame != SB_BLAME_NOBODY;
}

/// Whether it is an error of this kind: `sb_error_is(error, "timeout")`.
bool sb_error_is(sb_error error, const char *kind);

/// What the service did, with a failure kind of your choice: lower case, `-` between words, at most 64 bytes.
sb_error sb_service_error(const char *failure, const char *format, ...) SB_PRINTF_(2, 3);
/// The configuration cannot be worked with.
sb_error sb_configuration_error(const char *format, ...) SB_PRINTF_(1, 2);
/// A bound was reached.
sb_error sb_quota_error(const char *format, ...) SB_PRINTF_(1, 2);
/// A defect of the plugin, or an answer of the host that nothing can be judged by.
sb_error sb_internal_error(const char *format, ...) SB_PRINTF_(1, 2);
/// For a sink: the receiver refused it, and trying again cannot help.
sb_error sb_permanent_error(const char *format, ...) SB_PRINTF_(1, 2);
/// For a sink: the receiver asked to come again after that time. 0: it did not say when.
sb_error sb_retry_error(uint32_t after_ms, const char *format, ...) SB_PRINTF_(2, 3);
