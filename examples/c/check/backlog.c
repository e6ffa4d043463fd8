/// `backlog`: how many jobs wait in the queues of a worker, read from its JSON.
///
///     {"queues": [{"name": "mail", "waiting": 12, "oldest_seconds": 3.5}]}
///
/// What it shows: a configuration as a struct, an answer that is gone through, metrics with labels, limits, a rate out of `state`, and
/// whose mistake it was: a worker that does not answer, or answers something else, is critical without a line of code for it.

#include <sickbay/sickbay.h>

struct config {
    sb_text url;
    double waiting_max;
    double oldest_seconds_warning;
    double oldest_seconds_critical;
};

static const sb_field fields[] = {
    SB_FIELD(struct config, url, "Where the worker tells of its queues", .required = true, .pattern = "^https?://"),
    SB_FIELD(struct config, waiting_max, "Warning when more wait in one queue", .default_number = 1000, .bounds = SB_FROM(0)),
    SB_FIELD(struct config, oldest_seconds_warning, "Warning when a job waits longer", .default_number = 300, .bounds = SB_FROM(0)),
    SB_FIELD(struct config, oldest_seconds_critical, "Critical when a job waits longer", .default_number = 3600, .bounds = SB_FROM(0)),
    SB_FIELD_END,
};

/// One queue: its metrics, and what is wrong with it.
static sb_error judge(sb_json queue, const struct config *config, sb_report *report, double *waiting_in_all) {
    sb_text name;
    double waiting, oldest;
    SB_TRY(sb_json_text(queue, "/name", &name));
    SB_TRY(sb_json_number(queue, "/waiting", &waiting));
    SB_TRY(sb_json_number(queue, "/oldest_seconds", &oldest));
    sb_metric_with(report, "waiting", waiting, "", SB_LABELS({SB("queue"), name}));
    sb_metric_with(report, "oldest_seconds", oldest, "seconds", SB_LABELS({SB("queue"), name}));
    *waiting_in_all += waiting;

    sb_limit age = {"oldest_seconds", "seconds", "latency", &config->oldest_seconds_warning, &config->oldest_seconds_critical};
    sb_at_most(report, &age, oldest, "a job waits in %.*s for %.*s", SB_F(name), SB_F(sb_span(oldest)));
    sb_limit length = {"waiting", "", "capacity", &config->waiting_max, NULL};
    sb_at_most(report, &length, waiting, "%g jobs wait in %.*s", waiting, SB_F(name));
    return SB_OK;
}

/// How fast the backlog grows since the run before, where there was one.
static sb_error tell_growth(sb_report *report, double waiting) {
    double waiting_before, at_before, now = (double)sb_now_ms() / 1000;
    bool has_before = sb_state_get_number(SB("waiting"), &waiting_before) && sb_state_get_number(SB("at"), &at_before);
    if (has_before && now > at_before) {
        sb_metric(report, "growth_per_second", (waiting - waiting_before) / (now - at_before), "");
    }
    SB_TRY(sb_state_put_number(SB("waiting"), waiting));
    return sb_state_put_number(SB("at"), now);
}

static sb_error run(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct config *config = configured;
    (void)request;
    if (config->oldest_seconds_critical < config->oldest_seconds_warning) {
        return sb_configuration_error("`oldest_seconds_critical` is below `oldest_seconds_warning`");
    }
    sb_http_response response;
    sb_json body, queues;
    SB_TRY(sb_http_get(config->url, &response));
    SB_TRY(sb_http_expect_success(&response));
    SB_TRY(sb_http_json(&response, &body));
    SB_TRY(sb_json_value(body, "/queues", &queues));
    sb_metric(report, "latency_seconds", sb_seconds(response.timings.total_us), "seconds");

    double waiting = 0;
    for (sb_json_each queue = sb_json_begin(queues); sb_json_next(&queue);) {
        SB_TRY(judge(queue.value, config, report, &waiting));
    }
    sb_report_ok(report, "%g jobs wait in %zu queues", waiting, sb_json_len(queues));
    return tell_growth(report, waiting);
}

SB_CHECK(backlog, "backlog", "How many jobs wait in the queues of a worker",
         .example = "{\"url\": \"https://worker.example.com/queues.json\"}", SB_CONFIG(struct config, fields),
         .needs = SB_NEEDS({"http", "asks the worker", "http = [\"GET {url}\"]"}),
         .metrics = SB_METRICS({"waiting", SB_GAUGE, "", "jobs that wait in a queue"},
                               {"oldest_seconds", SB_GAUGE, "seconds", "how long the oldest of them waits"},
                               {"growth_per_second", SB_GAUGE, "", "jobs that came more than went, since the run before"},
                               {"latency_seconds", SB_GAUGE, "seconds", "the whole exchange"}),
         .failures = SB_WORDS("latency", "capacity", "content", SB_HTTP_FAILURES), .run = run);

SB_CHECK_PLUGIN("backlog", "0.1.0", "How many jobs wait in the queues of a worker", .checks = SB_CHECKS(&backlog), .licence = "Apache-2.0");
