/// Running kinds as the host does: whose mistake it was, and what becomes of a report, a step and a delivery.
#include "kinds.h"

#include "../testing/fake.h"
#include <string.h>

SB_TEST(the_plugin_is_well_described) {
    SB_EXPECT_WELL_DESCRIBED();
}

SB_TEST(a_run_reads_its_configuration_and_reports) {
    sb_fake_http(200, " 0.25 ");
    sb_ran ran = sb_test_check(&fetch, "{\"url\": \"http://localhost/n\", \"limit\": 0.3}");
    SB_EXPECT(!ran.is_failure && ran.report.status == SB_STATUS_OK && !ran.report.failure.is_some);
    SB_EXPECT_TEXT(ran.report.summary, "0.25 of 0.3");
    SB_EXPECT(ran.report.metrics.len == 1 && ran.report.metrics.items[0].value == 0.25);
    SB_EXPECT(sb_fake.sent_len == 1 && sb_fake.sent[0].options.redirects_max == SB_HTTP_REDIRECTS_MAX_DEFAULT);
    SB_EXPECT_TEXT(sb_fake.sent[0].request.url, "http://localhost/n");
    SB_EXPECT_DESCRIBED(&fetch, &ran);
}

SB_TEST(a_value_beyond_its_limit_is_a_finding_with_evidence) {
    sb_fake_http(200, "3");
    sb_ran ran = sb_test_check(&fetch, NULL);
    SB_EXPECT(ran.report.status == SB_STATUS_WARNING);
    SB_EXPECT_TEXT(ran.report.summary, "3 is too much");
    SB_EXPECT_TEXT(ran.report.failure.value, "capacity");
    SB_EXPECT_TEXT(ran.report.evidence.items[0].actual, "3");
    SB_EXPECT_TEXT(ran.report.evidence.items[0].expected, "at most 0.5");
    SB_EXPECT_DESCRIBED(&fetch, &ran);
}

SB_TEST(what_the_service_did_is_a_critical_report) {
    sb_fake_http_error("refused", "connection refused");
    sb_ran ran = sb_test_check(&fetch, NULL);
    SB_EXPECT(!ran.is_failure && ran.report.status == SB_STATUS_CRITICAL);
    SB_EXPECT_TEXT(ran.report.failure.value, "refused");
    SB_EXPECT_TEXT(ran.report.summary, "connection refused");
}

static sb_error measured_then_lost(const sb_check_request *request, sb_report *report) {
    (void)request;
    sb_report_ok(report, "half of it is well");
    sb_metric(report, "seen", 1, "");
    return sb_service_error("timeout", "the other half does not answer");
}

SB_TEST(what_was_found_before_an_error_is_kept) {
    sb_ran ran = run_anything(measured_then_lost);
    SB_EXPECT(ran.report.status == SB_STATUS_CRITICAL && ran.report.metrics.len == 1);
    SB_EXPECT_TEXT(ran.report.summary, "the other half does not answer");
}

static sb_error worse_before(const sb_check_request *request, sb_report *report) {
    (void)request;
    sb_report_critical(report, "expired", "the certificate expired");
    return sb_service_error("timeout", "it does not answer either");
}

SB_TEST(an_error_behind_a_critical_finding_does_not_replace_it) {
    sb_ran ran = run_anything(worse_before);
    SB_EXPECT_TEXT(ran.report.failure.value, "expired");
    SB_EXPECT_TEXT(ran.report.summary, "the certificate expired");
}

SB_TEST(what_the_plugin_or_its_configuration_did_is_a_failure) {
    sb_ran ran = sb_test_check(&fetch, "{\"link\": \"x\"}");
    SB_EXPECT(ran.is_failure);
    SB_EXPECT_TEXT(ran.failure.kind, "configuration");
    ran = sb_test_check(&fetch, NULL);
    SB_EXPECT_TEXT(ran.failure.kind, "denied");
    SB_EXPECT_TEXT(ran.failure.message, "the test scripts no answer of `http`");
}

static sb_error say_nothing(const sb_check_request *request, sb_report *report) {
    (void)request;
    (void)report;
    return SB_OK;
}

SB_TEST(a_report_of_which_nothing_is_said_is_unknown) {
    SB_EXPECT(run_anything(say_nothing).report.status == SB_STATUS_UNKNOWN);
}

static sb_error find_many(const sb_check_request *request, sb_report *report) {
    (void)request;
    sb_report_ok(report, "fine");
    sb_report_unknown(report, "cannot tell");
    sb_report_warning(report, "latency", "slow");
    sb_report_critical(report, "content", "wrong");
    sb_report_critical(report, "certificate", "expired");
    sb_report_warning(report, "latency", "slower");
    sb_report_ok(report, "fine again");
    return SB_OK;
}

SB_TEST(the_worst_finding_wins_and_the_first_of_its_weight_speaks) {
    sb_report report = run_anything(find_many).report;
    SB_EXPECT(report.status == SB_STATUS_CRITICAL);
    SB_EXPECT_TEXT(report.summary, "wrong");
    SB_EXPECT_TEXT(report.failure.value, "content");
}

static sb_error say_too_much(const sb_check_request *request, sb_report *report) {
    (void)request;
    sb_report_ok(report, "%0600d", 1);
    for (int count = 0; count < 300; count++) {
        char name[16] = "local";
        sb_text value = sb_format("%d", count);
        sb_metric_with(report, name, count, "", SB_LABELS({SB("place"), value}));
        sb_evidence(report, name, value, sb_format("%02000d", 1), "");
        memset(name, 'x', sizeof(name));
    }
    sb_report_details(report, sb_format("{\"a\":\"%070000d\"}", 1));
    sb_json_writer details = sb_json_object();
    sb_put_text(&details, "long", sb_format("%01000d", 0));
    for (int count = 0; count < 70; count++) {
        sb_put_text(&details, "again", sb_format("%01000d", 0));
    }
    sb_report_details(report, sb_json_end(&details));
    return SB_OK;
}

SB_TEST(what_is_too_much_is_cut_or_left_out) {
    sb_report report = run_anything(say_too_much).report;
    SB_EXPECT(report.summary.len <= SB_SUMMARY_BYTES_MAX && sb_ends_with(report.summary, "…"));
    SB_EXPECT(report.metrics.len == SB_METRICS_MAX && report.evidence.len == SB_EVIDENCE_MAX);
    SB_EXPECT_TEXT(report.metrics.items[255].name, "local");
    SB_EXPECT_TEXT(report.metrics.items[255].labels.items[0].value, "255");
    SB_EXPECT(report.evidence.items[0].expected.len <= SB_EVIDENCE_TEXT_BYTES_MAX);
    SB_EXPECT(!report.details.is_some || report.details.value.len <= SB_DETAILS_BYTES_MAX);
    SB_EXPECT_TEXT(report.extras.items[0].name, "sdk.details-dropped-bytes");
}

static sb_error say_bytes(const sb_check_request *request, sb_report *report) {
    (void)request;
    sb_report_warning(report, "content", "bad \xff byte");
    sb_metric_with(report, "a", 1, "", SB_LABELS({SB("b"), SB("\xfe")}));
    sb_evidence(report, "a", SB("\xc0"), SB("x"), "");
    sb_log(SB_INFO, "%s", "\xff");
    sb_log_with(SB_WARN, SB_LABELS({SB("name"), SB("\xff")}), "%d", 7);
    return SB_OK;
}

SB_TEST(bytes_that_are_no_text_do_not_end_a_run) {
    sb_ran ran = run_anything(say_bytes);
    SB_EXPECT_TEXT(ran.report.summary, "bad \xef\xbf\xbd byte");
    SB_EXPECT_TEXT(ran.report.metrics.items[0].labels.items[0].value, "\xef\xbf\xbd");
    SB_EXPECT(sb_fake.lines_len == 2 && sb_fake.lines[1].level == SB_WARN);
    SB_EXPECT_TEXT(sb_fake.lines[1].message, "7");
}

static sb_error tell_request(const sb_check_request *request, sb_report *report) {
    SB_TRY(sb_state_put_number(SB("runs"), request->attempt));
    double before = request->previous.is_some ? request->previous.value.report.metrics.items[0].value : -1;
    sb_report_ok(report, "%.*s %.*s %g %.*s", SB_F(request->check), SB_F(request->target.value), before,
                 SB_F(sb_label_value(request->labels, "service")));
    return SB_OK;
}

SB_TEST(a_run_knows_what_it_is_asked) {
    sb_metric_value metric = {SB("seen"), 4, SB_GAUGE, SB(""), {0}};
    sb_label label = {SB("service"), SB("api")};
    sb_fake.check_request.target = sb_some(SB("db1"));
    sb_fake.check_request.labels = (sb_labels){&label, 1};
    sb_fake.check_request.attempt = 2;
    sb_fake.check_request.previous = (sb_optional_earlier){true, {1, {.status = SB_STATUS_OK, .metrics = {&metric, 1}}}};
    SB_EXPECT_TEXT(run_anything(tell_request).report.summary, "test db1 4 api");
    SB_EXPECT_TEXT(sb_fake_state("runs"), "2");
}

static sb_error judge_certificates(const sb_check_request *request, sb_report *report) {
    (void)request;
    uint64_t day = 86400000, now = sb_now_ms();
    sb_report_ok(report, "all are well");
    sb_judge_expiry(report, now + 22 * day, now, 21, 7, "the first");
    sb_judge_expiry(report, now + 20 * day, now, 21, 7, "the second");
    sb_judge_expiry(report, now + 6 * day, now, 21, 7, "the third");
    sb_judge_expiry(report, now - day, now, 21, 7, "the fourth");
    return SB_OK;
}

SB_TEST(a_certificate_is_judged_by_the_days_it_has_left) {
    sb_report report = run_anything(judge_certificates).report;
    SB_EXPECT(report.status == SB_STATUS_CRITICAL && report.evidence.len == 3);
    SB_EXPECT_TEXT(report.summary, "the third expires in 6 days");
    SB_EXPECT_TEXT(report.evidence.items[0].expected, "at least 1814400");
    SB_EXPECT_TEXT(report.evidence.items[2].actual, "-86400");
}

SB_TEST(a_kind_that_is_not_there_is_an_internal_failure) {
    static const sb_check STRANGE = {.name = "strange"};
    sb_ran ran = sb_test_check(&STRANGE, NULL);
    SB_EXPECT_TEXT(ran.failure.kind, "internal");
    SB_EXPECT_TEXT(ran.failure.message, "this plugin has no kind of check named strange");
}

static sb_error go_on(const sb_recovery_request *request, const sb_action *action, sb_progress *progress) {
    sb_text token = sb_format("{\"id\": \"%.*s-%.*s\"}", SB_F(action->id), SB_F(request->idempotency_key));
    sb_step_running(progress, token, 10, "it restarts");
    return SB_OK;
}

static sb_error be_done(const sb_recovery_request *request, const sb_action *action, sb_progress *progress) {
    (void)request;
    (void)action;
    sb_step_done(progress, "it was restarted");
    sb_step_did(progress, "killed %d", 12);
    sb_step_recommend(progress, "look at its log");
    sb_step_details(progress, SB("{\"pid\":12}"));
    return SB_OK;
}

static sb_error be_refused(const sb_recovery_request *request, const sb_action *action, sb_progress *progress) {
    (void)request;
    (void)action;
    (void)progress;
    return sb_service_error("refused", "the orchestrator refused");
}

SB_TEST(a_plan_is_made_of_copies) {
    sb_fake_http(2, "");
    sb_planned planned = sb_test_plan(&mend, NULL);
    SB_EXPECT(!planned.is_failure && planned.plan.len == 2);
    SB_EXPECT_TEXT(planned.plan.actions[1].id, "restart-1");
    SB_EXPECT_TEXT(planned.plan.actions[1].title, "Restart the thing");
    SB_EXPECT_TEXT(planned.plan.actions[1].parameters, "null");
    sb_fake_http(17, "");
    SB_EXPECT_TEXT(sb_test_plan(&mend, NULL).failure.message, "the plan has 17 steps; hint: at most 16");
    sb_fake_http_error("timeout", "it took too long");
    SB_EXPECT_TEXT(sb_test_plan(&mend, NULL).failure.kind, "timeout");
}

SB_TEST(a_step_that_goes_on_is_followed_by_its_token) {
    sb_action action = {.id = SB("a"), .parameters = SB("null")};
    do_step = go_on;
    sb_stepped stepped = sb_test_act(&mend, NULL, &action);
    SB_EXPECT(stepped.progress.kind == SB_PROGRESS_RUNNING);
    SB_EXPECT_NUMBER(stepped.progress.running.again_after_ms, SB_AGAIN_AFTER_MS_MIN);
    SB_EXPECT_TEXT(stepped.progress.running.token, "{\"id\": \"a-key-1\"}");
    do_step = be_done;
    stepped = sb_test_follow(&mend, NULL, &action, sb_string(stepped.progress.running.token));
    SB_EXPECT(stepped.progress.kind == SB_PROGRESS_DONE && stepped.progress.done.success);
    SB_EXPECT_TEXT(stepped.progress.done.reason, "it was restarted");
    SB_EXPECT_TEXT(stepped.progress.done.actions.items[0], "killed 12");
    SB_EXPECT_TEXT(stepped.progress.done.actions.items[1], "followed a-key-1");
    SB_EXPECT_TEXT(stepped.progress.done.recommendation.value, "look at its log");
    SB_EXPECT_TEXT(stepped.progress.done.details.value, "{\"pid\":12}");
}

SB_TEST(a_service_that_refuses_a_step_has_not_done_it) {
    sb_action action = {.id = SB("a"), .parameters = SB("null")};
    do_step = be_refused;
    sb_stepped stepped = sb_test_act(&mend, NULL, &action);
    SB_EXPECT(!stepped.is_failure && !stepped.progress.done.success);
    SB_EXPECT_TEXT(stepped.progress.done.reason, "refused: the orchestrator refused");
    // It says nothing about a step that goes on: the host asks again.
    stepped = sb_test_follow(&mend, NULL, &action, "{\"id\": \"x\"}");
    SB_EXPECT(stepped.is_failure);
    SB_EXPECT_TEXT(stepped.failure.kind, "refused");
    stepped = sb_test_follow(&unfollowed, NULL, &action, "null");
    SB_EXPECT_TEXT(stepped.failure.kind, "internal");
}

static sb_error accept(const sb_sink_request *request, sb_receipt *receipt) {
    sb_receipt_reference(receipt, sb_format("%.*s/%zu", SB_F(request->notification.idempotency_key), request->notification.alerts.len));
    return SB_OK;
}

static sb_error expect_answer(const sb_sink_request *request, sb_receipt *receipt) {
    (void)request;
    (void)receipt;
    sb_http_response response;
    SB_TRY(sb_http_get(SB("http://localhost/"), &response));
    return sb_http_expect_success(&response);
}

static sb_error give_up(const sb_sink_request *request, sb_receipt *receipt) {
    (void)request;
    (void)receipt;
    return sb_permanent_error("the channel is gone");
}

static sb_error wait_for_it(const sb_sink_request *request, sb_receipt *receipt) {
    (void)request;
    (void)receipt;
    return sb_retry_error(5000, "come again");
}

SB_TEST(a_delivery_has_a_reference) {
    sb_alert alert = {.check = SB("api")};
    sb_notification notification = {.idempotency_key = SB("k"), .alerts = {&alert, 1}};
    do_deliver = accept;
    sb_delivered delivered = sb_test_deliver(&tell, NULL, &notification);
    SB_EXPECT(delivered.is_delivered);
    SB_EXPECT_TEXT(delivered.receipt.reference.value, "k/1");
}

SB_TEST(only_what_was_refused_for_good_is_given_up) {
    sb_notification notification = {.idempotency_key = SB("k")};
    static const struct {
        uint16_t status;
        bool is_delivered;
        bool is_for_good;
    } CASES[] = {{200, true, false},  {204, true, false},  {302, false, false}, {400, false, true},  {404, false, true},
                 {401, false, false}, {403, false, false}, {407, false, false},
                 {408, false, false}, {425, false, false}, {429, false, false}, {500, false, false}, {503, false, false}};
    do_deliver = expect_answer;
    for (size_t at = 0; at < sizeof(CASES) / sizeof(CASES[0]); at++) {
        sb_fake_http(CASES[at].status, "");
        sb_delivered delivered = sb_test_deliver(&tell, NULL, &notification);
        SB_EXPECT(delivered.is_delivered == CASES[at].is_delivered && delivered.is_for_good == CASES[at].is_for_good);
    }
    sb_header header = {SB("retry-after"), SB("7")};
    sb_fake_http(429, "")->headers = (sb_headers){&header, 1};
    SB_EXPECT_NUMBER(sb_test_deliver(&tell, NULL, &notification).after_ms.value, 7000);
    SB_EXPECT_TEXT(sb_test_deliver(&tell, NULL, &notification).message, "the test scripts no answer of `http`");
    do_deliver = give_up;
    SB_EXPECT(sb_test_deliver(&tell, NULL, &notification).is_for_good);
    do_deliver = wait_for_it;
    sb_delivered delivered = sb_test_deliver(&tell, NULL, &notification);
    SB_EXPECT(!delivered.is_for_good && delivered.after_ms.value == 5000);
    SB_EXPECT_TEXT(delivered.message, "come again");
}

SB_TEST(a_long_failure_message_is_cut_to_the_bound) {
    sb_fake_http_error("denied", sb_string(sb_format("%02000d", 0)));
    sb_failure failure = sb_test_check(&fetch, NULL).failure;
    SB_EXPECT(failure.message.len <= SB_FAILURE_MESSAGE_BYTES_MAX && sb_ends_with(failure.message, "…"));
}

SB_TEST(a_report_that_is_not_as_described_is_found) {
    sb_fake_http_error("timeout", "late");
    sb_ran ran = sb_test_check(&fetch, NULL);
    SB_EXPECT_TEXT(sb_fake_undescribed(&fetch, &ran), "the failure kind `timeout` is not described");
    ran.report.failure.is_some = false;
    SB_EXPECT_DESCRIBED(&fetch, &ran);
    sb_add_metric(&ran.report, (sb_metric_value){SB("extra_read"), 1, SB_COUNTER, SB("bytes"), {0}});
    SB_EXPECT_DESCRIBED(&fetch, &ran);
    static const sb_label RESERVED[] = {{{"le", 2}, {"x", 1}}};
    static const struct {
        sb_metric_value metric;
        const char *why;
    } CASES[] = {
        {{{"Upper", 5}, 1, SB_GAUGE, {"", 0}, {0}}, "the metric name `Upper` is not [a-z_][a-z0-9_]*"},
        {{{"0a", 2}, 1, SB_GAUGE, {"", 0}, {0}}, "the metric name `0a` is not [a-z_][a-z0-9_]*"},
        {{{"strange", 7}, 1, SB_GAUGE, {"", 0}, {0}}, "the metric `strange` is not described"},
        {{{"number", 6}, 1, SB_COUNTER, {"", 0}, {0}}, "the metric `number` has another kind or unit than described"},
        {{{"number", 6}, 1, SB_GAUGE, {"", 0}, {RESERVED, 1}}, "the label `le` of `number` is not allowed"},
        {{{"extra_read", 10}, 2, SB_COUNTER, {"bytes", 5}, {0}}, "the metric `extra_read` is there twice with the same labels"},
    };
    for (size_t at = 0; at < sizeof(CASES) / sizeof(CASES[0]); at++) {
        sb_ran with_one_more = ran;
        sb_metrics before = ran.report.metrics;
        sb_add_metric(&with_one_more.report, CASES[at].metric);
        SB_EXPECT_TEXT(sb_fake_undescribed(&fetch, &with_one_more), CASES[at].why);
        ran.report.metrics = before;
    }
    ran.report.details = sb_some(SB("[1]"));
    SB_EXPECT_TEXT(sb_fake_undescribed(&fetch, &ran), "the details are not a JSON object");
    sb_ran failed = {.is_failure = true};
    SB_EXPECT(sb_fake_undescribed(&fetch, &failed).len > 0);
}

SB_TESTS(the_plugin_is_well_described, a_run_reads_its_configuration_and_reports, a_value_beyond_its_limit_is_a_finding_with_evidence,
         what_the_service_did_is_a_critical_report, what_was_found_before_an_error_is_kept,
         an_error_behind_a_critical_finding_does_not_replace_it, what_the_plugin_or_its_configuration_did_is_a_failure,
         a_report_of_which_nothing_is_said_is_unknown, the_worst_finding_wins_and_the_first_of_its_weight_speaks,
         what_is_too_much_is_cut_or_left_out, bytes_that_are_no_text_do_not_end_a_run, a_run_knows_what_it_is_asked,
         a_certificate_is_judged_by_the_days_it_has_left, a_kind_that_is_not_there_is_an_internal_failure, a_plan_is_made_of_copies,
         a_step_that_goes_on_is_followed_by_its_token, a_service_that_refuses_a_step_has_not_done_it, a_delivery_has_a_reference,
         only_what_was_refused_for_good_is_given_up, a_long_failure_message_is_cut_to_the_bound, a_report_that_is_not_as_described_is_found)
