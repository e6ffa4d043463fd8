/// `bench-c`: reads its configuration and reports one metric.

#include <sickbay/sickbay.h>

struct config {
    double waiting;
    double limit;
};

static const sb_field fields[] = {
    SB_FIELD(struct config, waiting, "How many wait", .default_number = 7, .bounds = SB_FROM(0)),
    SB_FIELD(struct config, limit, "How many may wait", .default_number = 10, .bounds = SB_FROM(0)),
    SB_FIELD_END,
};

static sb_error run(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct config *config = configured;
    (void)request;
    sb_report_ok(report, "%g of at most %g jobs wait", config->waiting, config->limit);
    sb_metric(report, "waiting", config->waiting, "");
    return SB_OK;
}

SB_CHECK(backlog, "backlog", "How many jobs wait", .example = "{\"waiting\": 7, \"limit\": 10}", SB_CONFIG(struct config, fields),
         .metrics = SB_METRICS({"waiting", SB_GAUGE, "", "jobs that wait"}), .run = run);

SB_CHECK_PLUGIN("bench-c", "0.1.0", "What a run costs of a plugin in C", .checks = SB_CHECKS(&backlog));
