/// `rollout`: restarts a service through its orchestrator's HTTP interface.
///
/// What it shows: a plan that only reads, a step with a key so that nothing is done twice, and a step that goes on after `act` has
/// returned.

#include <sickbay/sickbay.h>

struct config {
    sb_text url;
    sb_text service;
    double again_after_seconds;
};

static const sb_field fields[] = {
    SB_FIELD(struct config, url, "Of the orchestrator, without a slash at the end", .required = true, .pattern = "^https?://.*[^/]$"),
    SB_FIELD(struct config, service, "What is restarted", .required = true, .pattern = "^[a-z0-9-]+$"),
    SB_FIELD(struct config, again_after_seconds, "How often to ask whether it is up", .default_number = 5, .bounds = SB_BETWEEN(1, 3600)),
    SB_FIELD_END,
};

/// An answer of the orchestrator that says it went well.
static sb_error accepted(const sb_http_response *response, sb_json *body) {
    SB_TRY(sb_http_expect_success(response));
    return sb_http_json(response, body);
}

static sb_error plan(const sb_recovery_request *request, const void *configured, sb_plan *plan) {
    const struct config *config = configured;
    (void)request;
    sb_http_response response;
    sb_json service;
    sb_text state;
    int64_t replicas;
    SB_TRY(sb_http_get(sb_format("%.*s/services/%.*s", SB_F(config->url), SB_F(config->service)), &response));
    SB_TRY(accepted(&response, &service));
    SB_TRY(sb_json_text(service, "/state", &state));
    SB_TRY(sb_json_int(service, "/replicas", &replicas));
    if (sb_is(state, "restarting")) {
        return SB_OK;
    }
    sb_json_writer parameters = sb_json_object();
    sb_put_int(&parameters, "replicas", replicas);
    sb_plan_add(plan, (sb_action){
                          .id = sb_format("restart-%.*s", SB_F(config->service)),
                          .title = sb_format("Restart %.*s (%lld replicas)", SB_F(config->service), (long long)replicas),
                          .target = config->service,
                          .parameters = sb_json_end(&parameters),
                      });
    return SB_OK;
}

/// What the orchestrator tells of a restart.
static sb_error tell(const struct config *config, const sb_http_response *response, sb_progress *progress) {
    sb_json restart, reason;
    sb_text id, state, why = SB("no reason given");
    SB_TRY(accepted(response, &restart));
    SB_TRY(sb_json_text(restart, "/id", &id));
    SB_TRY(sb_json_text(restart, "/state", &state));
    if (sb_is(state, "running")) {
        sb_json_writer token = sb_json_object();
        sb_put_text(&token, "id", id);
        uint32_t again_after_ms = (uint32_t)(config->again_after_seconds * 1000);
        sb_step_running(progress, sb_json_end(&token), again_after_ms, "%.*s is restarting", SB_F(config->service));
        return SB_OK;
    }
    if (sb_is(state, "done")) {
        sb_step_done(progress, "%.*s was restarted", SB_F(config->service));
    } else {
        if (sb_json_find(restart, "/reason", &reason)) {
            (void)sb_json_as_text(reason, &why);
        }
        sb_step_failed(progress, "the restart is %.*s: %.*s", SB_F(state), SB_F(why));
        sb_step_recommend(progress, "look at the log of %.*s", SB_F(config->service));
    }
    sb_step_did(progress, "restart %.*s", SB_F(id));
    return SB_OK;
}

static sb_error act(const sb_recovery_request *request, const void *configured, const sb_action *action, sb_progress *progress) {
    const struct config *config = configured;
    sb_http_response response;
    sb_text url = sb_format("%.*s/services/%.*s/restarts", SB_F(config->url), SB_F(config->service));
    sb_headers key = SB_HEADERS({SB("idempotency-key"), request->idempotency_key});
    SB_TRY(sb_http_post_json(url, key, action->parameters, &response));
    return tell(config, &response, progress);
}

static sb_error follow(const sb_recovery_request *request, const void *configured, const sb_action *action, sb_json token,
                       sb_progress *progress) {
    const struct config *config = configured;
    (void)request;
    (void)action;
    sb_http_response response;
    sb_text id;
    SB_TRY(sb_json_text(token, "/id", &id));
    SB_TRY(sb_http_get(sb_format("%.*s/services/%.*s/restarts/%.*s", SB_F(config->url), SB_F(config->service), SB_F(id)), &response));
    return tell(config, &response, progress);
}

SB_RECOVERY(rollout, "rollout", "Restarts a service through its orchestrator",
            .example = "{\"url\": \"https://orchestrator.example.com\", \"service\": \"api\"}", SB_CONFIG(struct config, fields),
            .needs = SB_NEEDS({"http", "reads services and restarts", "http = [\"GET {url}/*\"]"},
                              {"http", "restarts the service", "http = [\"POST {url}/services/{service}/restarts\"]"}),
            .failures = SB_WORDS("connection", "refused", "timeout", "unavailable"), .plan = plan, .act = act, .follow = follow);

SB_RECOVERY_PLUGIN("rollout", "0.1.0", "Restarts a service through its orchestrator", .recoveries = SB_RECOVERIES(&rollout),
                   .licence = "Apache-2.0");
