/// The scripted host: running tests, and what all its parts need.
#include "fake.h"

sb_fake_host sb_fake;

/// What stands between the reason of a denial and its hint.
#define HINT "; hint: "

static int failures;

_Noreturn void sb_fake_misused(const char *why, sb_text what) {
    fprintf(stderr, "the test's host: %s: %.*s\n", why, SB_F(what));
    abort();
}

void sb_fake_expect_utf8(sb_text text) {
    if (!sb_is_utf8(text)) {
        sb_fake_misused("a text is not UTF-8", text);
    }
}

void sb_fake_expect_utf8_labels(sb_labels labels) {
    for (size_t at = 0; at < labels.len; at++) {
        sb_fake_expect_utf8(labels.items[at].name);
        sb_fake_expect_utf8(labels.items[at].value);
    }
}

sb_wire_error sb_fake_error(const char *const *names, const char *kind, const char *message) {
    sb_wire_error error = {.tag = 0};
    for (uint8_t tag = 0; names[tag] != NULL; tag++) {
        if (!sb_is(sb_text_of(names[tag]), kind)) {
            continue;
        }
        error.tag = tag;
        if (tag == 0) {
            sb_text reason = sb_text_of(message);
            size_t hint = sb_find(reason, SB(HINT));
            error.denied =
                (sb_denial){sb_slice(reason, 0, hint), hint == SB_NOWHERE ? SB("") : sb_slice(reason, hint + strlen(HINT), reason.len)};
        } else {
            error.message = sb_text_of(message);
        }
        return error;
    }
    sb_fake_misused("the contract has no such error", sb_text_of(kind));
}

sb_wire_error sb_fake_denied(const char *interface) {
    sb_wire_error error = {.tag = 0};
    error.denied = (sb_denial){sb_format("the test scripts no answer of `%s`", interface), SB("")};
    return error;
}

sb_label *sb_fake_copy_labels(sb_labels labels) {
    sb_label *copies = sb_alloc_array(labels.len, sizeof(sb_label));
    for (size_t at = 0; at < labels.len; at++) {
        copies[at] = (sb_label){sb_copy(labels.items[at].name), sb_copy(labels.items[at].value)};
    }
    return copies;
}

void sb_fake_reset(void) {
    sb_memory_reset();
    sb_fake_reset_calls();
    sb_fake_reset_network();
    sb_fake_reset_machine();
    memset(&sb_fake, 0, sizeof(sb_fake));
    sb_fake.now_ms = 1800000000000;
    sb_fake.check_request = (sb_check_request){
        .check = SB("test"),
        .scheduled_at_ms = sb_fake.now_ms,
        .timeout_ms = 10000,
        .attempt = 1,
    };
    sb_fake.recovery_request = (sb_recovery_request){
        .recovery = SB("test"),
        .timeout_ms = 10000,
        .incident = {.id = SB("incident-1"), .check = SB("test"), .severity = SB("P3"), .since_ms = sb_fake.now_ms},
        .idempotency_key = SB("key-1"),
    };
    sb_fake.sink_request = (sb_sink_request){.sink = SB("test"), .timeout_ms = 10000};
}

int sb_run_tests_(void (*const *tests)(void), size_t len, const char *names) {
    sb_text rest = sb_text_of(names), name;
    size_t failed = 0;
    for (size_t at = 0; at < len; at++) {
        (void)sb_next_part(&rest, ',', &name);
        name = sb_trim(name);
        sb_fake_reset();
        failures = 0;
        tests[at]();
        if (failures > 0) {
            failed++;
            printf("FAILED %.*s\n", SB_F(name));
        }
    }
    sb_fake_reset();
    printf("%zu passed, %zu failed\n", len - failed, failed);
    return failed > 0;
}

static bool told(bool holds, const char *file, int line, sb_text why) {
    if (!holds) {
        failures++;
        printf("%s:%d: %.*s\n", file, line, SB_F(why));
    }
    return holds;
}

bool sb_expect_(bool condition, const char *text, const char *file, int line) {
    return told(condition, file, line, sb_text_of(text));
}

bool sb_expect_text_(sb_text actual, const char *expected, const char *file, int line) {
    return told(sb_is(actual, expected), file, line, sb_format("`%.*s`, expected `%s`", SB_F(actual), expected));
}

bool sb_expect_number_(double actual, double expected, const char *file, int line) {
    return told(actual == expected, file, line, sb_format("%.17g, expected %.17g", actual, expected));
}

bool sb_expect_error_(sb_error error, const char *kind, const char *file, int line) {
    bool is_expected = kind == NULL ? !sb_failed(error) : sb_error_is(error, kind);
    sb_text found = sb_failed(error) ? sb_format("%.*s: %.*s", SB_F(error.kind), SB_F(error.message)) : SB("no error");
    return told(is_expected, file, line, sb_format("%.*s, expected %s", SB_F(found), kind == NULL ? "none" : kind));
}

bool sb_expect_described_(const sb_check *check, const sb_ran *ran, const char *file, int line) {
    sb_text why = sb_fake_undescribed(check, ran);
    return told(why.len == 0, file, line, why);
}

bool sb_expect_well_described_(const char *file, int line) {
    sb_text why = sb_fake_badly_described();
    return told(why.len == 0, file, line, why);
}
