#include <sickbay/testing.h>

extern const sb_sink room;

static const char CONFIG[] = "{\"url\": \"http://chat/messages\", \"token\": \"placeholder\"}";

/// A notification of so many alerts.
static sb_notification notification(size_t len) {
    sb_alert *alerts = sb_alloc_array(len, sizeof(sb_alert));
    for (size_t at = 0; at < len; at++) {
        alerts[at] = (sb_alert){.check = SB("api"), .phase = SB_FIRING, .summary = SB("it is \"down\"")};
    }
    return (sb_notification){.idempotency_key = SB("key-1"), .phase = SB_FIRING, .alerts = {alerts, len}};
}

SB_TEST(a_message_is_posted_and_then_edited) {
    sb_notification first = notification(1);
    sb_fake_http(201, "{\"id\": \"m-1\"}");
    sb_delivered delivered = sb_test_deliver(&room, CONFIG, &first);
    SB_EXPECT_TEXT(delivered.receipt.reference.value, "m-1");
    const sb_http_request *sent = &sb_fake.sent[0].request;
    SB_EXPECT_TEXT(sent->method, "POST");
    SB_EXPECT_TEXT(sent->body.value, "{\"text\":\"🔴 api: it is \\\"down\\\"\"}");
    SB_EXPECT_TEXT(sent->headers.items[2].value, "Bearer placeholder");
    first.reference = delivered.receipt.reference;
    sb_fake_http(200, "{\"id\": \"m-1\"}");
    SB_EXPECT(sb_test_deliver(&room, CONFIG, &first).is_delivered);
    SB_EXPECT_TEXT(sb_fake.sent[1].request.method, "PUT");
    SB_EXPECT_TEXT(sb_fake.sent[1].request.url, "http://chat/messages/m-1");
}

SB_TEST(many_alerts_are_counted) {
    sb_notification many = notification(12);
    sb_label more = {SB("more"), SB("5")};
    many.extras = (sb_labels){&more, 1};
    sb_fake_http(201, "{\"id\": \"m-1\"}");
    SB_EXPECT(sb_test_deliver(&room, CONFIG, &many).is_delivered);
    SB_EXPECT(sb_ends_with(sb_fake.sent[0].request.body.value, "\\nand 7 more\"}"));
}

SB_TEST(a_word_of_a_later_version_is_passed_over) {
    sb_notification other = notification(1);
    other.phase = SB_OTHER_PHASE;
    SB_EXPECT(sb_test_deliver(&room, CONFIG, &other).is_delivered && sb_fake.sent_len == 0);
}

SB_TEST(a_room_that_is_gone_is_given_up_and_one_that_is_busy_is_not) {
    sb_notification one = notification(1);
    sb_fake_http(404, "");
    SB_EXPECT(sb_test_deliver(&room, CONFIG, &one).is_for_good);
    sb_fake_http(503, "");
    sb_delivered delivered = sb_test_deliver(&room, CONFIG, &one);
    SB_EXPECT(!delivered.is_delivered && !delivered.is_for_good);
}

SB_TEST(it_is_described_as_the_host_asks) {
    SB_EXPECT_WELL_DESCRIBED();
}

SB_TESTS(a_message_is_posted_and_then_edited, many_alerts_are_counted, a_word_of_a_later_version_is_passed_over,
         a_room_that_is_gone_is_given_up_and_one_that_is_busy_is_not, it_is_described_as_the_host_asks)
