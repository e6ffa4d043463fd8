/// `plugin-name`: tells how long ago it ran before, and warns when that is too long.
///
/// A place to begin: it needs no grant. README.md tells how to test, build and run it.

#include <sickbay/sickbay.h>

/// What the operator writes as `config = { ... }`.
struct config {
    double limit_seconds;
};

static const sb_field fields[] = {
    SB_FIELD(struct config, limit_seconds, "Warning when the run before is longer ago", .default_number = 3600, .bounds = SB_FROM(1)),
    SB_FIELD_END,
};

static sb_error run(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct config *config = configured;
    double now = (double)sb_now_ms() / 1000, before = now;
    (void)request;
    (void)sb_state_get_number(SB("ran_at"), &before);
    SB_TRY(sb_state_put_number(SB("ran_at"), now));

    double idle = now - before;
    sb_log(SB_DEBUG, "idle for %.0f s", idle);
    sb_report_ok(report, "the run before was %.0f s ago", idle);
    sb_metric(report, "idle_seconds", idle, "seconds");
    sb_limit limit = {"idle_seconds", "seconds", "latency", &config->limit_seconds, NULL};
    sb_at_most(report, &limit, idle, "the run before was %.0f s ago, more than %.0f s", idle, config->limit_seconds);
    return SB_OK;
}

// For a check that asks a service: .needs = SB_NEEDS({"http", "asks the service", "http = [\"GET {url}\"]"}).
SB_CHECK(plugin_check, "plugin-name", "Warns when it has not run for too long", .example = "{\"limit_seconds\": 3600}",
         SB_CONFIG(struct config, fields), .metrics = SB_METRICS({"idle_seconds", SB_GAUGE, "seconds", "since the run before"}),
         .failures = SB_WORDS("latency"), .run = run);

SB_CHECK_PLUGIN("plugin-name", "0.1.0", "Warns when it has not run for too long", .checks = SB_CHECKS(&plugin_check));
