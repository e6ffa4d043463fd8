/// A scripted host, so that a plugin's tests run without WebAssembly. Native only; link `testing/*.c` and `src/*.c` of the SDK.
///
///     SB_TEST(a_long_queue_is_a_warning) {
///         sb_fake_http(200, "11");
///         sb_ran ran = sb_test_check(&queue, "{\"url\": \"http://localhost/\", \"limit\": 10}");
///         SB_EXPECT(ran.report.status == SB_STATUS_WARNING);
///         SB_EXPECT_TEXT(sb_fake.sent[0].request.url, "http://localhost/");
///         SB_EXPECT_DESCRIBED(&queue, &ran);
///     }
///
///     SB_TESTS(a_long_queue_is_a_warning)
///
/// Every test begins with a host that knows nothing; what it does not script is denied. The clock stands still. What was asked is in
/// `sb_fake`. Inside one test `state` is kept from run to run.
#pragma once

#include "sickbay.h"

#define SB_TEST(name) static void name(void)
/// The last line of a file of tests: its `main`, which runs them in this order.
#define SB_TESTS(...)                                                                \
    int main(void) {                                                                 \
        void (*const tests[])(void) = {__VA_ARGS__};                                 \
        return sb_run_tests_(tests, sizeof(tests) / sizeof(tests[0]), #__VA_ARGS__); \
    }

/// Each ends the test where it does not hold.
#define SB_EXPECT(condition) SB_EXPECT_(sb_expect_(condition, #condition, __FILE__, __LINE__))
#define SB_EXPECT_TEXT(actual, expected) SB_EXPECT_(sb_expect_text_(actual, expected, __FILE__, __LINE__))
#define SB_EXPECT_NUMBER(actual, expected) SB_EXPECT_(sb_expect_number_(actual, expected, __FILE__, __LINE__))
/// An error of that kind.
#define SB_EXPECT_ERROR(error, kind) SB_EXPECT_(sb_expect_error_(error, kind, __FILE__, __LINE__))
/// No error.
#define SB_EXPECT_OK(error) SB_EXPECT_(sb_expect_error_(error, NULL, __FILE__, __LINE__))
/// The report of a run keeps to the contract, and to what its check says of itself: metrics with their kind, and the failure kind.
#define SB_EXPECT_DESCRIBED(check, ran) SB_EXPECT_(sb_expect_described_(check, ran, __FILE__, __LINE__))
/// The whole plugin is described as the host asks: names, version, grants, metrics, and examples that its own tables accept.
#define SB_EXPECT_WELL_DESCRIBED() SB_EXPECT_(sb_expect_well_described_(__FILE__, __LINE__))
#define SB_EXPECT_(holds) \
    do {                  \
        if (!(holds)) {   \
            return;       \
        }                 \
    } while (0)

/// How a run of a check ended.
typedef struct {
    bool is_failure;
    sb_report report;
    sb_failure failure;
} sb_ran;

/// How a plan ended.
typedef struct {
    bool is_failure;
    sb_plan plan;
    sb_failure failure;
} sb_planned;

/// How a step, or a question after one, ended.
typedef struct {
    bool is_failure;
    sb_progress progress;
    sb_failure failure;
} sb_stepped;

/// How a delivery ended.
typedef struct {
    bool is_delivered;
    sb_receipt receipt;
    /// Trying again cannot help.
    bool is_for_good;
    sb_text message;
    sb_optional_u32 after_ms;
} sb_delivered;

/// Runs a kind of this plugin with that configuration; NULL is its own example.
sb_ran sb_test_check(const sb_check *check, const char *config);
sb_planned sb_test_plan(const sb_recovery *recovery, const char *config);
sb_stepped sb_test_act(const sb_recovery *recovery, const char *config, const sb_action *action);
sb_stepped sb_test_follow(const sb_recovery *recovery, const char *config, const sb_action *action, const char *token);
sb_delivered sb_test_deliver(const sb_sink *sink, const char *config, const sb_notification *notification);

/// The next answer of `http`; change what it says before the run.
sb_http_response *sb_fake_http(uint16_t status, const char *body);
/// The next answer is an error, by its name in the contract: `timeout`, `denied`, `refused`, ... The message of a denial may end with
/// `; hint: ` and the line of configuration that would allow it.
void sb_fake_http_error(const char *kind, const char *message);

/// The next answer of `postgres`, with these columns and no row yet.
sb_rows *sb_fake_postgres(const char *const *columns);
void sb_fake_row(sb_rows *rows, sb_pg_values values);
void sb_fake_postgres_error(const char *kind, const char *message);
/// The server refuses the statement.
void sb_fake_postgres_refusal(const char *sqlstate, const char *message);

/// The next answer of `redis`.
void sb_fake_redis(const sb_redis_node *nodes, size_t len);
void sb_fake_redis_text(const char *text);
void sb_fake_redis_int(int64_t number);
/// The server refuses the command: `WRONGTYPE ...`.
void sb_fake_redis_refusal(const char *message);
void sb_fake_redis_error(const char *kind, const char *message);

/// The next connection, and what its peer says, one after the other: `SB_WORDS("220 ready\r\n")`. Then it closes.
void sb_fake_net(const char *const *answers);
void sb_fake_net_error(const char *kind, const char *message);
/// The next lookup.
void sb_fake_dns(const char *const *records);
void sb_fake_dns_error(const char *kind, const char *message);

/// A file that is there; so are the directories above it.
void sb_fake_file(const char *path, sb_bytes content, uint64_t modified_at_ms);
/// A secret that may be used. Its signatures are the text `signature of` and what was signed, its placeholders `placeholder of` and the
/// text.
void sb_fake_secret(const char *name, uint64_t changed_at_ms);
/// What was put under a key; an empty text where there is nothing.
sb_text sb_fake_state(const char *key);

typedef struct {
    sb_http_request request;
    sb_http_options options;
} sb_sent;

typedef struct {
    sb_text source;
    sb_text sql;
    sb_pg_values params;
} sb_queried;

typedef struct {
    sb_level level;
    sb_text message;
    sb_labels fields;
} sb_line;

/// What the host was asked, and what may be set before a run.
typedef struct {
    uint64_t now_ms;
    /// What the next run is asked; `kind` and `config` are filled in.
    sb_check_request check_request;
    sb_recovery_request recovery_request;
    sb_sink_request sink_request;
    /// What the machine says; NULL is denied.
    const sb_cpu *cpu;
    const sb_memory *memory;
    const sb_load *load;
    const sb_disks *disks;
    const sb_disk_ios *disk_io;
    const sb_processes *processes;
    const sb_listeners *listeners;
    const sb_open_files *open_files;

    const sb_sent *sent;
    size_t sent_len;
    const sb_queried *queries;
    size_t queries_len;
    /// `LLEN celery`
    const sb_text *commands;
    size_t commands_len;
    const sb_net_target *targets;
    size_t targets_len;
    /// What was sent over connections.
    const sb_bytes *said;
    size_t said_len;
    /// `MX example.com`
    const sb_text *lookups;
    size_t lookups_len;
    const sb_line *lines;
    size_t lines_len;
} sb_fake_host;

extern sb_fake_host sb_fake;

int sb_run_tests_(void (*const *tests)(void), size_t len, const char *names);
bool sb_expect_(bool condition, const char *text, const char *file, int line);
bool sb_expect_text_(sb_text actual, const char *expected, const char *file, int line);
bool sb_expect_number_(double actual, double expected, const char *file, int line);
bool sb_expect_error_(sb_error error, const char *kind, const char *file, int line);
bool sb_expect_described_(const sb_check *check, const sb_ran *ran, const char *file, int line);
bool sb_expect_well_described_(const char *file, int line);
