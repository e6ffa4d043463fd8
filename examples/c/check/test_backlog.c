#include <sickbay/testing.h>

extern const sb_check backlog;

#define ANSWER(waiting, oldest)                                                                        \
    "{\"queues\": [{\"name\": \"mail\", \"waiting\": " #waiting ", \"oldest_seconds\": " #oldest "}, " \
    "{\"name\": \"print\", \"waiting\": 2, \"oldest_seconds\": 0.5}]}"

static sb_ran run(const char *body) {
    sb_fake_http(200, body);
    return sb_test_check(&backlog, "{\"url\": \"http://worker/\", \"waiting_max\": 10}");
}

SB_TEST(short_queues_are_ok_and_have_metrics_of_their_own) {
    sb_ran ran = run(ANSWER(10, 3.5));
    SB_EXPECT(ran.report.status == SB_STATUS_OK);
    SB_EXPECT_TEXT(ran.report.summary, "12 jobs wait in 2 queues");
    SB_EXPECT_TEXT(ran.report.metrics.items[3].labels.items[0].value, "print");
    SB_EXPECT_DESCRIBED(&backlog, &ran);
}

SB_TEST(a_job_that_waits_too_long_says_more_than_a_long_queue) {
    sb_ran ran = run(ANSWER(11, 4000));
    SB_EXPECT(ran.report.status == SB_STATUS_CRITICAL);
    SB_EXPECT_TEXT(ran.report.summary, "a job waits in mail for 1 h 6 min");
    SB_EXPECT_TEXT(ran.report.failure.value, "latency");
    SB_EXPECT(ran.report.evidence.len == 2);
    ran = run(ANSWER(11, 1));
    SB_EXPECT(ran.report.status == SB_STATUS_WARNING);
    SB_EXPECT_TEXT(ran.report.failure.value, "capacity");
    SB_EXPECT_DESCRIBED(&backlog, &ran);
}

SB_TEST(growth_is_told_from_the_second_run_on) {
    SB_EXPECT(run(ANSWER(1, 1)).report.metrics.len == 5);
    sb_fake.now_ms += 10000;
    sb_report report = run(ANSWER(6, 1)).report;
    SB_EXPECT(report.metrics.len == 6);
    SB_EXPECT_NUMBER(report.metrics.items[5].value, 0.5);
}

SB_TEST(what_the_worker_did_wrong_is_critical) {
    static const char *const BODIES[] = {"", "{}", "{\"queues\": [{}]}", "{\"queues\": [{\"name\": \"a\", \"waiting\": \"many\"}]}"};
    for (size_t at = 0; at < sizeof(BODIES) / sizeof(BODIES[0]); at++) {
        sb_ran ran = run(BODIES[at]);
        SB_EXPECT(ran.report.status == SB_STATUS_CRITICAL);
        SB_EXPECT_TEXT(ran.report.failure.value, "content");
    }
    sb_fake_http(503, "");
    SB_EXPECT_TEXT(sb_test_check(&backlog, NULL).report.summary, "HTTP 503");
    sb_fake_http_error("timeout", "no answer in 5 s");
    SB_EXPECT_TEXT(sb_test_check(&backlog, NULL).report.failure.value, "timeout");
}

SB_TEST(what_is_not_the_workers_fault_is_no_report) {
    SB_EXPECT_TEXT(sb_test_check(&backlog, NULL).failure.kind, "denied");
    SB_EXPECT_TEXT(sb_test_check(&backlog, "{\"url\": \"http://a/\", \"oldest_seconds_critical\": 1}").failure.kind, "configuration");
}

SB_TEST(it_is_described_as_the_host_asks) {
    SB_EXPECT_WELL_DESCRIBED();
}

SB_TESTS(short_queues_are_ok_and_have_metrics_of_their_own, a_job_that_waits_too_long_says_more_than_a_long_queue,
         growth_is_told_from_the_second_run_on, what_the_worker_did_wrong_is_critical, what_is_not_the_workers_fault_is_no_report,
         it_is_described_as_the_host_asks)
