#include "kinds.h"

const sb_field fetch_fields[] = {
    SB_FIELD(struct fetch_config, url, "Where to \"look\"", .required = true, .pattern = "^https?://"),
    SB_FIELD(struct fetch_config, limit, "The most that is well", .default_number = 0.5, .bounds = SB_BETWEEN(0, 10)),
    SB_FIELD(struct fetch_config, count, "How often", .default_number = 3),
    SB_FIELD(struct fetch_config, timeout_ms, "How long", .key = "timeout-ms", .default_number = 500),
    SB_FIELD(struct fetch_config, strict, "Whether it matters", .default_true = true),
    SB_FIELD(struct fetch_config, level, "How much", .one_of = SB_WORDS("low", "high"), .default_text = "low"),
    SB_FIELD(struct fetch_config, names, "Whom", .bounds = SB_UP_TO(2)),
    SB_FIELD(struct fetch_config, extra, NULL, .schema = "{\"type\":[\"object\",\"null\"]}"),
    SB_FIELD_END,
};

static sb_error run_fetch(const sb_check_request *request, const void *configured, sb_report *report) {
    (void)request;
    const struct fetch_config *config = configured;
    sb_http_response response;
    sb_json body;
    double number;
    SB_TRY(sb_http_get(config->url, &response));
    SB_TRY(sb_http_json(&response, &body));
    SB_TRY(sb_json_number(body, "", &number));
    sb_report_ok(report, "%g of %g", number, config->limit);
    sb_metric(report, "number", number, "");
    sb_at_most(report, &(sb_limit){.metric = "number", .unit = "", .failure = "capacity", .warning = &config->limit}, number,
               "%g is too much", number);
    return SB_OK;
}

SB_CHECK(fetch, "fetch", "Fetches a number", .example = "{\"url\": \"http://localhost/\"}", SB_CONFIG(struct fetch_config, fetch_fields),
         .needs = SB_NEEDS({"http", "asks", "http = [\"GET {url}\"]"}),
         .metrics = SB_METRICS({"number", SB_GAUGE, "", "what was found"}, {"extra_*", SB_COUNTER, "bytes", "more"}),
         .failures = SB_WORDS("capacity", "content"), .run = run_fetch);

sb_error (*do_anything)(const sb_check_request *request, sb_report *report);

static sb_error run_whatever(const sb_check_request *request, const void *config, sb_report *report) {
    (void)config;
    return do_anything(request, report);
}

SB_CHECK(anything, "anything", "Does anything", .config_schema = "{\"type\": \"object\"}", .run = run_whatever);

sb_ran run_anything(sb_error (*function)(const sb_check_request *request, sb_report *report)) {
    do_anything = function;
    return sb_test_check(&anything, NULL);
}

sb_error (*do_step)(const sb_recovery_request *request, const sb_action *action, sb_progress *progress);

static sb_error plan(const sb_recovery_request *request, const void *config, sb_plan *plan) {
    (void)config;
    char title[32] = "Restart the thing";
    sb_http_response response;
    SB_TRY(sb_http_get(SB("http://localhost/"), &response));
    for (unsigned step = 0; step < response.status; step++) {
        sb_plan_add(plan, (sb_action){
                              .id = sb_format("restart-%u", step),
                              .title = sb_text_of(title),
                              .target = request->incident.check,
                          });
    }
    title[0] = 0;
    return SB_OK;
}

static sb_error act(const sb_recovery_request *request, const void *config, const sb_action *action, sb_progress *progress) {
    (void)config;
    return do_step(request, action, progress);
}

static sb_error follow(const sb_recovery_request *request, const void *config, const sb_action *action, sb_json token,
                       sb_progress *progress) {
    (void)config;
    sb_text id;
    SB_TRY(sb_json_text(token, "/id", &id));
    SB_TRY(do_step(request, action, progress));
    sb_step_did(progress, "followed %.*s", SB_F(id));
    return SB_OK;
}

SB_RECOVERY(mend, "mend", "Mends", .failures = SB_WORDS("connection"), .plan = plan, .act = act, .follow = follow);
SB_RECOVERY(unfollowed, "unfollowed", "Mends at once", .plan = plan, .act = act);

sb_error (*do_deliver)(const sb_sink_request *request, sb_receipt *receipt);

static sb_error deliver(const sb_sink_request *request, const void *config, sb_receipt *receipt) {
    (void)config;
    return do_deliver(request, receipt);
}

SB_SINK(tell, "tell", "Tells", .deliver = deliver);

SB_FULL_PLUGIN("kinds", "1.0.0", "For the SDK's own tests", .checks = SB_CHECKS(&fetch, &anything),
               .recoveries = SB_RECOVERIES(&mend, &unfollowed), .sinks = SB_SINKS(&tell), .licence = "Apache-2.0");
