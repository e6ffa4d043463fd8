#include <sickbay/testing.h>

extern const sb_recovery rollout;

static const char CONFIG[] = "{\"url\": \"http://orchestrator\", \"service\": \"api\", \"again_after_seconds\": 2}";
static const sb_action ACTION = {.id = {"restart-api", 11}, .target = {"api", 3}, .parameters = {"{\"replicas\":3}", 14}};

SB_TEST(the_plan_only_reads_and_says_what_would_be_done) {
    sb_fake_http(200, "{\"state\": \"up\", \"replicas\": 3}");
    sb_planned planned = sb_test_plan(&rollout, CONFIG);
    SB_EXPECT(planned.plan.len == 1);
    SB_EXPECT_TEXT(planned.plan.actions[0].title, "Restart api (3 replicas)");
    SB_EXPECT_TEXT(planned.plan.actions[0].parameters, "{\"replicas\":3}");
    SB_EXPECT_TEXT(sb_fake.sent[0].request.method, "GET");
    SB_EXPECT_TEXT(sb_fake.sent[0].request.url, "http://orchestrator/services/api");
}

SB_TEST(nothing_is_planned_while_a_restart_goes_on) {
    sb_fake_http(200, "{\"state\": \"restarting\", \"replicas\": 3}");
    sb_planned planned = sb_test_plan(&rollout, CONFIG);
    SB_EXPECT(!planned.is_failure && planned.plan.len == 0);
}

SB_TEST(a_step_goes_on_until_the_orchestrator_says_that_it_is_done) {
    sb_fake_http(202, "{\"id\": \"r-1\", \"state\": \"running\"}");
    sb_stepped stepped = sb_test_act(&rollout, CONFIG, &ACTION);
    SB_EXPECT(stepped.progress.kind == SB_PROGRESS_RUNNING);
    SB_EXPECT_NUMBER(stepped.progress.running.again_after_ms, 2000);
    SB_EXPECT_TEXT(sb_fake.sent[0].request.headers.items[1].value, "key-1");
    SB_EXPECT_TEXT(sb_fake.sent[0].request.body.value, "{\"replicas\":3}");
    sb_fake_http(200, "{\"id\": \"r-1\", \"state\": \"done\"}");
    stepped = sb_test_follow(&rollout, CONFIG, &ACTION, sb_string(stepped.progress.running.token));
    SB_EXPECT(stepped.progress.kind == SB_PROGRESS_DONE && stepped.progress.done.success);
    SB_EXPECT_TEXT(sb_fake.sent[1].request.url, "http://orchestrator/services/api/restarts/r-1");
}

SB_TEST(a_restart_that_fails_says_why_and_what_to_do) {
    sb_fake_http(200, "{\"id\": \"r-1\", \"state\": \"failed\", \"reason\": \"no image\"}");
    sb_outcome outcome = sb_test_act(&rollout, CONFIG, &ACTION).progress.done;
    SB_EXPECT(!outcome.success);
    SB_EXPECT_TEXT(outcome.reason, "the restart is failed: no image");
    SB_EXPECT_TEXT(outcome.recommendation.value, "look at the log of api");
    SB_EXPECT_TEXT(outcome.actions.items[0], "restart r-1");
}

SB_TEST(an_orchestrator_that_refuses_has_not_done_it) {
    sb_fake_http(403, "");
    sb_outcome outcome = sb_test_act(&rollout, CONFIG, &ACTION).progress.done;
    SB_EXPECT(!outcome.success);
    SB_EXPECT_TEXT(outcome.reason, "content: HTTP 403");
}

SB_TEST(it_is_described_as_the_host_asks) {
    SB_EXPECT_WELL_DESCRIBED();
}

SB_TESTS(the_plan_only_reads_and_says_what_would_be_done, nothing_is_planned_while_a_restart_goes_on,
         a_step_goes_on_until_the_orchestrator_says_that_it_is_done, a_restart_that_fails_says_why_and_what_to_do,
         an_orchestrator_that_refuses_has_not_done_it, it_is_described_as_the_host_asks)
