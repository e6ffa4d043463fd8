#include <sickbay/testing.h>

extern const sb_check plugin_check;

SB_TEST(the_first_run_has_nothing_to_compare_with) {
    sb_ran ran = sb_test_check(&plugin_check, NULL);
    SB_EXPECT(ran.report.status == SB_STATUS_OK);
}

SB_TEST(a_run_long_after_the_one_before_is_a_warning) {
    sb_test_check(&plugin_check, "{\"limit_seconds\": 60}");
    sb_fake.now_ms += 61000;
    sb_ran ran = sb_test_check(&plugin_check, "{\"limit_seconds\": 60}");
    SB_EXPECT(ran.report.status == SB_STATUS_WARNING);
    SB_EXPECT_TEXT(ran.report.failure.value, "latency");
    SB_EXPECT_DESCRIBED(&plugin_check, &ran);
}

SB_TEST(it_is_described_as_the_host_asks) {
    SB_EXPECT_WELL_DESCRIBED();
}

SB_TESTS(the_first_run_has_nothing_to_compare_with, a_run_long_after_the_one_before_is_a_warning, it_is_described_as_the_host_asks)
