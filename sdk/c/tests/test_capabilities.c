/// Every capability on the scripted host: what is asked, what is answered, and what an error means.
#include "kinds.h"

#include "../src/internal.h"

/// An error of the contract and what it means.
typedef struct {
    const char *named;
    sb_blame blame;
    const char *kind;
} meaning;

#define SERVICE SB_BLAME_SERVICE
#define PLUGIN SB_BLAME_PLUGIN
#define EXPECT_MEANINGS(cases, fake, call)                               \
    for (size_t at = 0; at < sizeof(cases) / sizeof((cases)[0]); at++) { \
        fake((cases)[at].named, "x");                                    \
        sb_error error = call;                                           \
        SB_EXPECT_ERROR(error, (cases)[at].kind);                        \
        SB_EXPECT(error.blame == (cases)[at].blame);                     \
        SB_EXPECT_TEXT(error.message, "x");                              \
    }

SB_TEST(errors_of_http_are_whose_they_are) {
    static const meaning CASES[] = {
        {"denied", PLUGIN, "denied"},     {"invalid", PLUGIN, "configuration"}, {"quota", PLUGIN, "quota"},
        {"dns", SERVICE, "dns"},          {"refused", SERVICE, "refused"},      {"connect", SERVICE, "connection"},
        {"tls", SERVICE, "tls"},          {"timeout", SERVICE, "timeout"},      {"protocol", SERVICE, "protocol"},
        {"other", SERVICE, "connection"},
    };
    sb_http_response response;
    EXPECT_MEANINGS(CASES, sb_fake_http_error, sb_http_get(SB("http://localhost/"), &response))
}

SB_TEST(errors_of_postgres_are_whose_they_are) {
    static const meaning CASES[] = {
        {"denied", PLUGIN, "denied"},
        {"invalid", PLUGIN, "configuration"},
        {"quota", PLUGIN, "quota"},
        {"connect", SERVICE, "connection"},
        {"authentication", SERVICE, "authentication"},
        {"too-many-connections", SERVICE, "too-many-connections"},
        {"timeout", SERVICE, "timeout"},
        {"other", SERVICE, "connection"},
    };
    sb_rows rows;
    EXPECT_MEANINGS(CASES, sb_fake_postgres_error, sb_postgres_query("main", SB("SELECT 1"), SB_NO_PARAMS, &rows))
}

SB_TEST(errors_of_redis_are_whose_they_are) {
    static const meaning CASES[] = {
        {"denied", PLUGIN, "denied"},       {"invalid", PLUGIN, "configuration"},          {"quota", PLUGIN, "quota"},
        {"connect", SERVICE, "connection"}, {"authentication", SERVICE, "authentication"}, {"timeout", SERVICE, "timeout"},
        {"other", SERVICE, "connection"},
    };
    sb_reply reply;
    EXPECT_MEANINGS(CASES, sb_fake_redis_error, sb_redis_command("cache", SB_TEXTS(SB("PING")), &reply))
    sb_fake_redis_error("connect", "the server has no connection left (`maxclients`)");
    SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("PING")), &reply), "too-many-connections");
}

SB_TEST(errors_of_net_are_whose_they_are) {
    static const meaning CASES[] = {
        {"denied", PLUGIN, "denied"},    {"invalid", PLUGIN, "configuration"}, {"quota", PLUGIN, "quota"}, {"dns", SERVICE, "dns"},
        {"refused", SERVICE, "refused"}, {"connect", SERVICE, "connection"},   {"tls", SERVICE, "tls"},    {"timeout", SERVICE, "timeout"},
        {"closed", SERVICE, "protocol"}, {"other", SERVICE, "connection"},
    };
    sb_connection connection;
    sb_dns_answer answer;
    EXPECT_MEANINGS(CASES, sb_fake_net_error, sb_net_connect(&(sb_net_target){.address = SB("a:1")}, &connection))
    EXPECT_MEANINGS(CASES, sb_fake_dns_error, sb_net_resolve(SB("a"), "A", &answer))
}

SB_TEST(a_denial_tells_the_line_that_would_allow_it) {
    sb_http_response response;
    sb_fake_http_error("denied", "not granted; hint: http = [\"GET http://localhost/\"]");
    sb_http_asked asked = {.request = {.url = SB("http://localhost/")}};
    sb_http_result result;
    sb_wire_http_send(&asked, &result);
    SB_EXPECT_TEXT(result.error.denied.hint, "http = [\"GET http://localhost/\"]");
    sb_fake_http_error("denied", "not granted; hint: http = [\"GET http://localhost/\"]");
    sb_error error = sb_http_get(SB("http://localhost/"), &response);
    SB_EXPECT_TEXT(error.message, "not granted; hint: http = [\"GET http://localhost/\"]");
}

SB_TEST(a_request_is_sent_as_it_was_built) {
    sb_http_response response;
    sb_fake_http(201, "made");
    sb_http_options options = sb_http_defaults();
    options.timeout_ms = sb_some_u32(250);
    options.connect_to = sb_some(SB("unix:/run/x.sock"));
    SB_EXPECT_OK(sb_http_send(&(sb_http_request){SB("PUT"), SB("http://a/\xff"), SB_HEADERS({SB("x"), SB("1")}), sb_some(SB("\xff"))},
                              &options, &response));
    SB_EXPECT_TEXT(response.body, "made");
    const sb_sent *sent = &sb_fake.sent[0];
    SB_EXPECT_TEXT(sent->request.method, "PUT");
    SB_EXPECT_TEXT(sent->request.url, "http://a/\xef\xbf\xbd");
    SB_EXPECT_TEXT(sent->request.body.value, "\xff");
    SB_EXPECT(sent->options.timeout_ms.value == 250 && sent->options.connect_to.is_some);
    sb_fake_http(200, "");
    SB_EXPECT_OK(sb_http_post_json(SB("http://a/"), SB_HEADERS({SB("authorization"), SB("Bearer x")}), SB("{}"), &response));
    SB_EXPECT(sb_fake.sent[1].request.headers.len == 2);
    SB_EXPECT_TEXT(sb_fake.sent[1].request.headers.items[0].value, "application/json");
}

SB_TEST(many_requests_are_answered_in_order) {
    sb_http_request requests[] = {{.method = SB("GET"), .url = SB("http://a/")}, {.method = SB("GET"), .url = SB("http://b/")}};
    sb_http_outcome outcomes[2];
    sb_fake_http(200, "one");
    sb_fake_http_error("timeout", "late");
    SB_EXPECT_OK(sb_http_send_many(requests, 2, NULL, outcomes));
    SB_EXPECT_TEXT(outcomes[0].response.body, "one");
    SB_EXPECT_OK(outcomes[0].error);
    SB_EXPECT_ERROR(outcomes[1].error, "timeout");
    SB_EXPECT_ERROR(sb_http_send_many(requests, 17, NULL, outcomes), "configuration");
}

SB_TEST(an_answer_is_looked_into) {
    sb_http_response *scripted = sb_fake_http(200, "{\"a\": 1");
    sb_header header = {SB("Retry-After"), SB("5")};
    scripted->headers = (sb_headers){&header, 1};
    scripted->truncated = true;
    sb_http_response response;
    sb_json json;
    SB_EXPECT_OK(sb_http_get(SB("http://a/"), &response));
    SB_EXPECT_TEXT(sb_http_header(&response, "retry-after"), "5");
    SB_EXPECT_TEXT(sb_http_header(&response, "location"), "");
    sb_error error = sb_http_json(&response, &json);
    SB_EXPECT_ERROR(error, "content");
    SB_EXPECT(sb_ends_with(error.message, "(only the first part of the body was read)"));
}

SB_TEST(every_kind_of_value_is_read_by_its_column) {
    sb_rows *scripted =
        sb_fake_postgres(SB_WORDS("boolean", "int", "float", "numeric", "text", "json", "uuid", "at", "span", "list", "other", "gone"));
    sb_fake_row(scripted, SB_PARAMS(sb_pg_bool(true), sb_pg_int(7), sb_pg_float(0.5), sb_pg_as(SB_PG_NUMERIC, SB("12.50")),
                                    sb_pg_text(SB("on")), sb_pg_as(SB_PG_JSON, SB("{\"a\":1}")), sb_pg_as(SB_PG_UUID, SB("x-1")),
                                    (sb_pg_value){.kind = SB_PG_TIMESTAMP_US, .integer = 5},
                                    (sb_pg_value){.kind = SB_PG_INTERVAL_US, .integer = 1500000}, sb_pg_as(SB_PG_LIST_JSON, SB("[1,2]")),
                                    (sb_pg_value){.kind = SB_PG_OTHER, .other = {SB("inet"), SB("10.0.0.1")}}, sb_pg_null()));
    sb_rows rows;
    double number;
    int64_t whole;
    bool is_so;
    sb_text text;
    sb_json json;
    SB_EXPECT_OK(sb_postgres_query("main", SB("SELECT $1"), SB_PARAMS(sb_pg_int(1)), &rows));
    SB_EXPECT_OK(sb_rows_expect_one(&rows));
    SB_EXPECT_OK(sb_row_bool(&rows, 0, "boolean", &is_so));
    SB_EXPECT_OK(sb_row_bool(&rows, 0, "text", &is_so));
    SB_EXPECT(is_so);
    SB_EXPECT_OK(sb_row_int(&rows, 0, "int", &whole));
    SB_EXPECT(whole == 7);
    SB_EXPECT_OK(sb_row_number(&rows, 0, "float", &number));
    SB_EXPECT_NUMBER(number, 0.5);
    SB_EXPECT_OK(sb_row_number(&rows, 0, "numeric", &number));
    SB_EXPECT_NUMBER(number, 12.5);
    SB_EXPECT_OK(sb_row_text(&rows, 0, "numeric", &text));
    SB_EXPECT_OK(sb_row_text(&rows, 0, "uuid", &text));
    SB_EXPECT_TEXT(text, "x-1");
    SB_EXPECT_OK(sb_row_text(&rows, 0, "other", &text));
    SB_EXPECT_TEXT(text, "10.0.0.1");
    SB_EXPECT_OK(sb_row_timestamp_us(&rows, 0, "at", &whole));
    SB_EXPECT_OK(sb_row_seconds(&rows, 0, "span", &number));
    SB_EXPECT_NUMBER(number, 1.5);
    SB_EXPECT_OK(sb_row_json(&rows, 0, "list", &json));
    SB_EXPECT(sb_json_len(json) == 2);
    SB_EXPECT(sb_row_is_null(&rows, 0, "gone") && !sb_row_is_null(&rows, 0, "int"));
    SB_EXPECT_TEXT(sb_row_number(&rows, 0, "gone", &number).message, "the column gone is NULL, expected a number");
    SB_EXPECT_TEXT(sb_row_number(&rows, 0, "uuid", &number).message, "the column uuid is not a number");
    SB_EXPECT_TEXT(sb_row_text(&rows, 0, "none", &text).message, "the answer has no column none");
    SB_EXPECT_TEXT(sb_row_text(&rows, 1, "int", &text).message, "the statement answered 1 rows, expected more than 1");
    SB_EXPECT(sb_fake.queries[0].params.items[0].integer == 1);
    SB_EXPECT_TEXT(sb_fake.queries[0].source, "main");
}

SB_TEST(several_statements_are_answered_in_order_or_not_at_all) {
    sb_pg_query queries[] = {{.sql = SB("SELECT 1")}, {.sql = SB("SELECT $1"), .params = SB_PARAMS(sb_pg_text(SB("a")))}};
    sb_rows answers[2], rows;
    (void)sb_fake_postgres(SB_WORDS("a"));
    (void)sb_fake_postgres(SB_WORDS("b"));
    SB_EXPECT_OK(sb_postgres_run_many(SB("main"), queries, 2, answers));
    SB_EXPECT_TEXT(answers[1].columns.items[0].name, "b");
    (void)sb_fake_postgres(SB_WORDS("a"));
    sb_fake_postgres_refusal("42601", "syntax error");
    sb_error error = sb_postgres_run_many(SB("main"), queries, 2, answers);
    SB_EXPECT_ERROR(error, "configuration");
    SB_EXPECT_TEXT(error.code, "42601");
    (void)sb_fake_postgres(SB_WORDS("a"));
    SB_EXPECT_OK(sb_postgres_simple(SB("pool"), SB("SHOW POOLS"), sb_some_u32(5), &rows));
    SB_EXPECT_ERROR(sb_rows_expect_one(&rows), "content");
}

SB_TEST(the_servers_state_is_the_services_and_a_wrong_statement_the_configurations) {
    static const struct {
        const char *sqlstate;
        const char *kind;
    } CASES[] = {{"08006", "connection"},           {"28P01", "authentication"}, {"53100", "disk"},          {"53200", "memory"},
                 {"53300", "too-many-connections"}, {"53400", "capacity"},    {"57014", "timeout"},       {"57P03", "unavailable"},
                 {"58030", "file-system"},          {"42P01", "configuration"},  {"42501", "configuration"}, {"", "configuration"}};
    for (size_t at = 0; at < sizeof(CASES) / sizeof(CASES[0]); at++) {
        sb_rows rows;
        sb_fake_postgres_refusal(CASES[at].sqlstate, "no");
        sb_error error = sb_postgres_query("main", SB("SELECT 1"), SB_NO_PARAMS, &rows);
        SB_EXPECT_ERROR(error, CASES[at].kind);
        SB_EXPECT_TEXT(error.message, sb_string(sb_format("no (%s)", CASES[at].sqlstate)));
    }
}

SB_TEST(a_reply_is_a_tree) {
    sb_redis_node nodes[] = {{.kind = SB_REDIS_ARRAY, .count = 3},
                             {.kind = SB_REDIS_MAP, .count = 1},
                             {.kind = SB_REDIS_BULK, .text = SB("a")},
                             {.kind = SB_REDIS_INT, .integer = 4},
                             {.kind = SB_REDIS_NIL},
                             {.kind = SB_REDIS_BULK, .text = SB("2.5")}};
    sb_fake_redis(nodes, 6);
    sb_reply reply;
    double number;
    sb_bytes text;
    SB_EXPECT_OK(sb_redis_command("cache", SB_TEXTS(SB("LRANGE"), SB("key"), SB("0")), &reply));
    SB_EXPECT_TEXT(sb_fake.commands[0], "LRANGE key 0");
    SB_EXPECT(sb_reply_len(reply) == 3 && sb_reply_len(sb_reply_item(reply, 0)) == 2);
    SB_EXPECT_OK(sb_reply_text(sb_reply_item(sb_reply_item(reply, 0), 0), &text));
    SB_EXPECT_TEXT(text, "a");
    SB_EXPECT_OK(sb_reply_number(sb_reply_item(sb_reply_item(reply, 0), 1), &number));
    SB_EXPECT_NUMBER(number, 4);
    SB_EXPECT(sb_reply_is_nil(sb_reply_item(reply, 1)) && sb_reply_is_nil(sb_reply_item(reply, 9)));
    SB_EXPECT_OK(sb_reply_number(sb_reply_item(reply, 2), &number));
    SB_EXPECT_NUMBER(number, 2.5);
    SB_EXPECT_ERROR(sb_reply_number(reply, &number), "content");
    SB_EXPECT_ERROR(sb_reply_text(sb_reply_item(reply, 1), &text), "content");
}

SB_TEST(a_reply_that_is_no_tree_is_a_failure) {
    sb_redis_node deep[40];
    for (size_t at = 0; at < 40; at++) {
        deep[at] = (sb_redis_node){.kind = SB_REDIS_ARRAY, .count = at < 39};
    }
    sb_redis_node two[] = {{.kind = SB_REDIS_NIL}, {.kind = SB_REDIS_NIL}};
    sb_redis_node short_one[] = {{.kind = SB_REDIS_MAP, .count = UINT32_MAX}, {.kind = SB_REDIS_NIL}};
    sb_reply reply;
    sb_fake_redis(deep, 40);
    SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("X")), &reply), "internal");
    sb_fake_redis(two, 2);
    SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("X")), &reply), "internal");
    sb_fake_redis(short_one, 2);
    SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("X")), &reply), "internal");
    sb_fake_redis(two, 0);
    SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("X")), &reply), "internal");
}

SB_TEST(what_redis_refuses_is_its_state_or_the_commands_mistake) {
    static const struct {
        const char *reply;
        const char *kind;
    } CASES[] = {{"LOADING Redis is loading", "unavailable"}, {"NOAUTH Authentication required.", "authentication"},
                 {"OOM command not allowed", "memory"},       {"ERR max number of clients reached", "too-many-connections"},
                 {"WRONGTYPE Operation", "configuration"},    {"ERR unknown command", "configuration"}};
    sb_reply reply, replies[2];
    for (size_t at = 0; at < sizeof(CASES) / sizeof(CASES[0]); at++) {
        sb_fake_redis_refusal(CASES[at].reply);
        SB_EXPECT_ERROR(sb_redis_command("cache", SB_TEXTS(SB("GET"), SB("a")), &reply), CASES[at].kind);
    }
    sb_texts commands[] = {SB_TEXTS(SB("GET"), SB("a")), SB_TEXTS(SB("LLEN"), SB("b"))};
    sb_fake_redis_refusal("WRONGTYPE Operation");
    sb_fake_redis_int(3);
    SB_EXPECT_OK(sb_redis_run_many(SB("cache"), commands, 2, (sb_optional_u32){0}, replies));
    SB_EXPECT_ERROR(sb_reply_accept(replies[0]), "configuration");
    SB_EXPECT_OK(sb_reply_accept(replies[1]));
}

SB_TEST(info_is_read_by_field_from_all_sections) {
    sb_text info = SB(""), role;
    double used;
    sb_fake_redis_text("# Memory\r\nused_memory:10\r\n");
    sb_fake_redis_text("# Replication\r\nrole:master\r\n");
    SB_EXPECT_OK(sb_redis_info("cache", "memory", &info));
    SB_EXPECT_OK(sb_redis_info("cache", "replication", &info));
    SB_EXPECT_OK(sb_info_number(info, "used_memory", &used));
    SB_EXPECT_NUMBER(used, 10);
    SB_EXPECT(sb_info_text(info, "role", &role) && sb_is(role, "master"));
    SB_EXPECT_TEXT(sb_info_number(info, "role", &used).message, "INFO tells no number role");
}

SB_TEST(a_dialogue_is_played_in_order_and_what_was_said_is_kept) {
    sb_connection connection;
    sb_text line;
    sb_tls_session session;
    sb_bytes bytes;
    sb_fake_net(SB_WORDS("220 ready\r\n", "rest"));
    SB_EXPECT_OK(sb_net_connect(&(sb_net_target){.address = SB("mail:25"), .timeout_ms = sb_some_u32(100)}, &connection));
    SB_EXPECT_OK(sb_net_receive_line(connection, &line));
    SB_EXPECT_TEXT(line, "220 ready");
    SB_EXPECT_OK(sb_net_send(connection, SB("STARTTLS\r\n")));
    SB_EXPECT(!sb_net_opened_of(connection).tls.is_some);
    SB_EXPECT_OK(sb_net_start_tls(connection, &session));
    SB_EXPECT_TEXT(session.version, "TLS 1.3");
    SB_EXPECT_OK(sb_net_receive(connection, SB(""), 100, (sb_optional_u32){0}, &bytes));
    SB_EXPECT_TEXT(bytes, "rest");
    SB_EXPECT_ERROR(sb_net_receive_line(connection, &line), "protocol");
    sb_net_close(connection);
    SB_EXPECT_TEXT(sb_fake.said[0], "STARTTLS\r\n");
    SB_EXPECT(sb_fake.targets_len == 1 && sb_fake.targets[0].timeout_ms.value == 100);
    sb_dns_answer answer;
    sb_fake_dns(SB_WORDS("10 mail.example.com"));
    SB_EXPECT_OK(sb_net_resolve(SB("example.com"), "MX", &answer));
    SB_EXPECT_TEXT(answer.records.items[0], "10 mail.example.com");
    SB_EXPECT_TEXT(sb_fake.lookups[0], "MX example.com");
}

SB_TEST(files_are_read_below_their_directories) {
    sb_file_infos infos;
    sb_file_info info;
    sb_bytes bytes;
    sb_space space;
    sb_fake_file("/logs/b", SB("two"), 5);
    sb_fake_file("/logs/a", SB("hello"), 4);
    sb_fake_file("/other/c", SB(""), 3);
    SB_EXPECT_OK(sb_directory_read_whole(SB("/logs"), 2, &infos));
    SB_EXPECT(infos.len == 2);
    SB_EXPECT_TEXT(infos.items[0].name, "a");
    SB_EXPECT_ERROR(sb_directory_read_whole(SB("/logs"), 1, &infos), "quota");
    SB_EXPECT_OK(sb_directory_read(SB("/logs"), SB("a"), &infos));
    SB_EXPECT(infos.len == 1);
    SB_EXPECT_OK(sb_file_info_of(SB("/logs/b"), &info));
    SB_EXPECT(info.size_bytes == 3 && info.modified_at_ms == 5);
    SB_EXPECT_OK(sb_file_read(SB("/logs/a"), 3, 100, &bytes));
    SB_EXPECT_TEXT(bytes, "lo");
    SB_EXPECT_OK(sb_file_read(SB("/logs/a"), 5, 100, &bytes));
    SB_EXPECT(bytes.len == 0);
    SB_EXPECT_ERROR(sb_file_read(SB("/gone"), 0, 1, &bytes), "missing");
    SB_EXPECT_OK(sb_space_of(SB("/logs"), &space));
    SB_EXPECT_OK(sb_file_set_mode(SB("/logs/a"), 0600));
    SB_EXPECT_OK(sb_directory_create(SB("/made/here")));
    SB_EXPECT_OK(sb_file_info_of(SB("/made/here"), &info));
    SB_EXPECT_OK(sb_file_remove(SB("/logs/a")));
    SB_EXPECT_ERROR(sb_file_remove(SB("/logs/a")), "missing");
}

SB_TEST(a_secret_is_used_and_never_shown) {
    sb_secret_info info;
    sb_texts signatures;
    sb_text placeholder;
    SB_EXPECT_ERROR(sb_secret_inspect(SB("key"), &info), "denied");
    sb_fake_secret("key", 7);
    SB_EXPECT_OK(sb_secret_inspect(SB("key"), &info));
    SB_EXPECT(info.changed_at_ms.value == 7 && info.versions == 1);
    SB_EXPECT_OK(sb_secret_sign(SB("key"), "hmac-sha256", SB(""), SB("data"), &signatures));
    SB_EXPECT_TEXT(signatures.items[0], "signature of data");
    SB_EXPECT_OK(sb_secret_encode(SB("user:x"), "base64", &placeholder));
    SB_EXPECT_TEXT(placeholder, "placeholder of user:x");
}

SB_TEST(the_machine_is_no_service) {
    sb_cpu cpu;
    sb_disks disks;
    sb_error error = sb_system_cpu(&cpu);
    SB_EXPECT_ERROR(error, "denied");
    SB_EXPECT(error.blame == SB_BLAME_PLUGIN);
    sb_disk disk = {.mount = SB("/"), .total_bytes = 10};
    sb_fake.cpu = &(sb_cpu){.busy_ratio = 0.5, .cores = 2};
    sb_fake.disks = &(sb_disks){&disk, 1};
    SB_EXPECT_OK(sb_system_cpu(&cpu));
    SB_EXPECT_OK(sb_system_disks(&disks));
    SB_EXPECT(cpu.cores == 2 && disks.len == 1);
    SB_EXPECT_TEXT(disks.items[0].mount, "/");
}

SB_TEST(state_is_kept_within_its_bounds) {
    sb_bytes value;
    double number;
    SB_EXPECT(!sb_state_get(SB("a"), &value));
    SB_EXPECT_OK(sb_state_put(SB("a"), SB("1.5")));
    SB_EXPECT(sb_state_get_number(SB("a"), &number) && number == 1.5);
    SB_EXPECT_OK(sb_state_put_number(SB("a"), 1.0 / 3));
    SB_EXPECT(sb_state_get_number(SB("a"), &number) && number == 1.0 / 3);
    SB_EXPECT_OK(sb_state_put(SB("a"), SB("word")));
    SB_EXPECT(!sb_state_get_number(SB("a"), &number));
    sb_state_remove(SB("a"));
    SB_EXPECT(!sb_state_get(SB("a"), &value));
    SB_EXPECT_ERROR(sb_state_put(SB("big"), sb_format("%017000d", 0)), "quota");
}

SB_TESTS(errors_of_http_are_whose_they_are, errors_of_postgres_are_whose_they_are, errors_of_redis_are_whose_they_are,
         errors_of_net_are_whose_they_are, a_denial_tells_the_line_that_would_allow_it, a_request_is_sent_as_it_was_built,
         many_requests_are_answered_in_order, an_answer_is_looked_into, every_kind_of_value_is_read_by_its_column,
         several_statements_are_answered_in_order_or_not_at_all, the_servers_state_is_the_services_and_a_wrong_statement_the_configurations,
         a_reply_is_a_tree, a_reply_that_is_no_tree_is_a_failure, what_redis_refuses_is_its_state_or_the_commands_mistake,
         info_is_read_by_field_from_all_sections, a_dialogue_is_played_in_order_and_what_was_said_is_kept,
         files_are_read_below_their_directories, a_secret_is_used_and_never_shown, the_machine_is_no_service,
         state_is_kept_within_its_bounds)
