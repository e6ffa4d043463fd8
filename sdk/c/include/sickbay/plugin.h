/// What a plugin is and offers: the kinds of check, recovery and sink, and the macro that exports them.
///
///     SB_CHECK(queue, "queue", "How long the queue is",
///              .example = "{\"url\": \"https://example.com/queue.json\"}",
///              SB_CONFIG(struct config, fields),
///              .needs = SB_NEEDS({"http", "asks the queue", "http = [\"GET {url}\"]"}),
///              .metrics = SB_METRICS({"length", SB_GAUGE, "", "jobs that wait"}),
///              .failures = SB_WORDS("content"),
///              .run = run);
///
///     SB_CHECK_PLUGIN("queue", "0.1.0", "How long the queue is", .checks = SB_CHECKS(&queue));
///
/// All of it stands at the top of a file, outside of functions.
#pragma once

#include "check.h"
#include "config.h"
#include "recovery.h"
#include "sink.h"

/// A grant that a kind needs. Advice for the operator: every call is authorised regardless.
typedef struct {
    /// Name of the interface: `postgres`.
    const char *capability;
    /// For a person: "reads pg_stat_activity".
    const char *reason;
    /// A line of TOML that grants it, with `{NAME}` for a key of the configuration: `http = ["GET {url}"]`.
    const char *grant;
} sb_need;

/// One metric that a kind may report. Conditions are validated against them.
typedef struct {
    /// The whole name, or the start of it and `*`.
    const char *name;
    sb_metric_kind kind;
    /// `seconds`, `bytes`, `ratio`, or empty.
    const char *unit;
    /// One line for a person.
    const char *summary;
} sb_metric_info;

/// The struct of a configuration and the table that fills it.
#define SB_CONFIG(type_, fields_) .fields = fields_, .config_bytes = sizeof(type_)
#define SB_NEEDS(...) ((const sb_need[]){__VA_ARGS__, {0}})
#define SB_METRICS(...) ((const sb_metric_info[]){__VA_ARGS__, {0}})
#define SB_CHECKS(...) ((const sb_check *const[]){__VA_ARGS__, NULL})
#define SB_RECOVERIES(...) ((const sb_recovery *const[]){__VA_ARGS__, NULL})
#define SB_SINKS(...) ((const sb_sink *const[]){__VA_ARGS__, NULL})

/// What every kind says of itself. `config` of a run is NULL where `config_bytes` is 0.
#define SB_KIND_FIELDS_                                                                                       \
    /** What the configuration writes as `kind = "..."`: `[a-z0-9-]+`, at most 64 bytes. */                   \
    const char *name;                                                                                         \
    /** One line for a person. */                                                                             \
    const char *summary;                                                                                      \
    /** A small configuration that works, as JSON; `{}` where there is none. */                               \
    const char *example;                                                                                      \
    /** The configuration, and the size of its struct: `SB_CONFIG`. */                                        \
    const sb_field *fields;                                                                                   \
    size_t config_bytes;                                                                                      \
    /** A JSON Schema instead of the one that `fields` makes; then `request->config` is the configuration. */ \
    const char *config_schema;                                                                                \
    const sb_need *needs;                                                                                     \
    /** What a check may report, or a recovery can heal. */                                                   \
    const char *const *failures

/// One kind of check.
typedef struct {
    SB_KIND_FIELDS_;
    const sb_metric_info *metrics;
    /// One run. An error that is passed on becomes a critical report or a failure, whichever it means.
    sb_error (*run)(const sb_check_request *request, const void *config, sb_report *report);
} sb_check;

/// One kind of recovery. The plan changes nothing: it runs with grants that only read, and is shown to who approves it.
typedef struct {
    SB_KIND_FIELDS_;
    /// The steps that would be taken, at most 16.
    sb_error (*plan)(const sb_recovery_request *request, const void *config, sb_plan *plan);
    /// One step, as it was planned and approved. An error of the service means that it was not done.
    sb_error (*act)(const sb_recovery_request *request, const void *config, const sb_action *action, sb_progress *progress);
    /// How a step that is running is doing; may be called any number of times. NULL where no step goes on.
    sb_error (*follow)(const sb_recovery_request *request, const void *config, const sb_action *action, sb_json token,
                       sb_progress *progress);
} sb_recovery;

/// One kind of sink. Only what the receiver refused for good is given up: `sb_permanent_error`, or `sb_http_expect_success` on a status of
/// 400 to 499 but 408, 425 and 429. Everything else is tried again, for a duplicate is better than a miss.
typedef struct {
    SB_KIND_FIELDS_;
    sb_error (*deliver)(const sb_sink_request *request, const void *config, sb_receipt *receipt);
} sb_sink;

/// A whole plugin. The three lists end with NULL.
typedef struct {
    /// `[a-z0-9-]+`, at most 64 bytes.
    const char *name;
    /// Semantic version of the plugin itself.
    const char *version;
    /// One line for a person.
    const char *summary;
    const sb_check *const *checks;
    const sb_recovery *const *recoveries;
    const sb_sink *const *sinks;
    /// Where to read more.
    const char *homepage;
    /// SPDX expression: `Apache-2.0`.
    const char *licence;
} sb_plugin;

/// The plugin of this program; the macros below define it.
extern const sb_plugin sickbay_plugin;

/// `SB_CHECK(variable, "name", "summary", ...)`; behind it come the fields as `.name = value`.
#define SB_CHECK(variable, name_, ...) \
    extern const sb_check variable;    \
    const sb_check variable = {.name = name_, .summary = __VA_ARGS__}
#define SB_RECOVERY(variable, name_, ...) \
    extern const sb_recovery variable;    \
    const sb_recovery variable = {.name = name_, .summary = __VA_ARGS__}
#define SB_SINK(variable, name_, ...) \
    extern const sb_sink variable;    \
    const sb_sink variable = {.name = name_, .summary = __VA_ARGS__}

/// `SB_CHECK_PLUGIN("name", "version", "summary", .checks = SB_CHECKS(&one), .licence = "Apache-2.0")`, for the world `check-plugin`; the
/// others are for the worlds that are called like them.
#define SB_CHECK_PLUGIN(name_, version_, ...) SB_EXPORT_CHECK_ SB_PLUGIN_(name_, version_, __VA_ARGS__)
#define SB_RECOVERY_PLUGIN(name_, version_, ...) SB_EXPORT_RECOVERY_ SB_PLUGIN_(name_, version_, __VA_ARGS__)
#define SB_SINK_PLUGIN(name_, version_, ...) SB_EXPORT_SINK_ SB_PLUGIN_(name_, version_, __VA_ARGS__)
#define SB_CHECK_RECOVERY_PLUGIN(name_, version_, ...) SB_EXPORT_CHECK_ SB_EXPORT_RECOVERY_ SB_PLUGIN_(name_, version_, __VA_ARGS__)
#define SB_FULL_PLUGIN(name_, version_, ...) SB_EXPORT_CHECK_ SB_EXPORT_RECOVERY_ SB_EXPORT_SINK_ SB_PLUGIN_(name_, version_, __VA_ARGS__)

#define SB_PLUGIN_(name_, version_, ...) \
    SB_EXPORT_DESCRIBE_                  \
    const sb_plugin sickbay_plugin = {.name = name_, .version = version_, .summary = __VA_ARGS__}

#define SB_EXPORT_CHECK_ SB_EXPORT_("check", "run", sb_run_)
#define SB_EXPORT_RECOVERY_ \
    SB_EXPORT_("recovery", "plan", sb_plan_) SB_EXPORT_("recovery", "act", sb_act_) SB_EXPORT_("recovery", "follow", sb_follow_)
#define SB_EXPORT_SINK_ SB_EXPORT_("sink", "deliver", sb_deliver_)

/// The version of the contract that this SDK speaks.
#define SB_CONTRACT_VERSION "0.1.0"

#if defined(__wasm__)
#define SB_EXPORTED_(prefix, interface, function) \
    __attribute__((export_name(prefix "sickbay:plugin/" interface "@" SB_CONTRACT_VERSION "#" function)))
/// An exported function takes the place of what is asked and answers the place of its answer; once the host has read that, it calls the
/// other one, which ends the life of all of it.
#define SB_EXPORT_(interface, function, answer)                                          \
    SB_EXPORTED_("", interface, function) const void *answer##export(const void *asked); \
    const void *answer##export(const void *asked) {                                      \
        return answer(asked);                                                            \
    }                                                                                    \
    SB_FORGET_(interface, function, answer##forget)
#define SB_EXPORT_DESCRIBE_                                                      \
    SB_EXPORTED_("", "plugin", "describe") const void *sb_describe_export(void); \
    const void *sb_describe_export(void) {                                       \
        return sb_describe_();                                                   \
    }                                                                            \
    SB_FORGET_("plugin", "describe", sb_describe_forget)
#define SB_FORGET_(interface, function, symbol)                                      \
    SB_EXPORTED_("cabi_post_", interface, function) void symbol(const void *answer); \
    void symbol(const void *answer) {                                                \
        sb_forget_(answer);                                                          \
    }
#else
/// Natively nothing is exported: tests call what is behind it.
#define SB_EXPORT_(interface, function, answer)
#define SB_EXPORT_DESCRIBE_
#endif

const void *sb_describe_(void);
const void *sb_run_(const void *asked);
const void *sb_plan_(const void *asked);
const void *sb_act_(const void *asked);
const void *sb_follow_(const void *asked);
const void *sb_deliver_(const void *asked);
void sb_forget_(const void *answer);
