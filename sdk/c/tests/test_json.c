/// JSON that is read and written, and configurations out of it.
#include "kinds.h"

static sb_json parsed(const char *text) {
    sb_json value = {SB("null")};
    sb_text why;
    if (!sb_json_parse(sb_text_of(text), &value, &why)) {
        value.source = why;
    }
    return value;
}

SB_TEST(valid_json_is_accepted_and_anything_else_is_not) {
    static const char *const RIGHT[] = {"null",
                                        " true ",
                                        "false",
                                        "0",
                                        "-0.5e+3",
                                        "1E9",
                                        "\"\"",
                                        "\"\\u00e9\\n\\\"\"",
                                        "[]",
                                        "{}",
                                        "[1, [2, {\"a\": []}], {}]",
                                        "{\"a\":1,\"b\":{\"c\":null}}",
                                        "\t[\n]\r",
                                        "\"é€😀\""};
    static const char *const WRONG[] = {"",           " ",
                                        "nul",        "nulls",
                                        "01",         "1.",
                                        ".5",         "+1",
                                        "1e",         "-",
                                        "1e999",      "\"",
                                        "\"\\x\"",    "\"\\u12g4\"",
                                        "\"\t\"",     "[",
                                        "[1",         "[1,]",
                                        "[,1]",       "[1 2]",
                                        "{",          "{\"a\"}",
                                        "{\"a\":}",   "{a:1}",
                                        "{\"a\":1,}", "{\"a\":1 \"b\":2}",
                                        "[}",         "{]",
                                        "1 2",        "[1] x",
                                        "\"\xff\"",   "NaN",
                                        "'a'",        "[1;2]",
                                        "{1:2}",      "tru"};
    sb_json value;
    sb_text why;
    for (size_t at = 0; at < sizeof(RIGHT) / sizeof(RIGHT[0]); at++) {
        SB_EXPECT(sb_json_parse(sb_text_of(RIGHT[at]), &value, &why));
    }
    for (size_t at = 0; at < sizeof(WRONG) / sizeof(WRONG[0]); at++) {
        SB_EXPECT(!sb_json_parse(sb_text_of(WRONG[at]), &value, &why));
    }
    SB_EXPECT(!sb_json_parse(SB("[1, x]"), &value, &why));
    SB_EXPECT_TEXT(why, "expected a value at byte 4");
}

SB_TEST(what_is_cut_off_anywhere_is_refused) {
    sb_text whole = SB("{\"a\": [1.5, \"\\u00e9x\", {\"b\": true}], \"c\": null}");
    sb_json value;
    sb_text why;
    for (size_t len = 0; len < whole.len; len++) {
        // A copy, so that a byte read beyond its end is seen.
        SB_EXPECT(!sb_json_parse(sb_copy(sb_slice(whole, 0, len)), &value, &why));
    }
    SB_EXPECT(sb_json_parse(sb_copy(whole), &value, &why));
}

SB_TEST(there_are_at_most_64_levels) {
    sb_text deep = SB("0");
    sb_json value;
    sb_text why;
    for (int level = 0; level < SB_JSON_DEPTH_MAX; level++) {
        deep = level % 2 == 0 ? sb_format("[%.*s]", SB_F(deep)) : sb_format("{\"a\":%.*s}", SB_F(deep));
    }
    SB_EXPECT(sb_json_parse(deep, &value, &why));
    SB_EXPECT(!sb_json_parse(sb_format("[%.*s]", SB_F(deep)), &value, &why));
    SB_EXPECT(sb_starts_with(why, "more than 64 levels at byte "));
}

SB_TEST(a_place_is_found_by_its_pointer) {
    sb_json value = parsed("{\"a\": {\"b\": [10, {\"c\": \"x\"}]}, \"d/e\": 1, \"f~g\": 2, \"\": 3, \"a b\" : 4, \"z\":5, \"z\":6}"), found;
    double number = 0;
    sb_text text;
    SB_EXPECT_OK(sb_json_number(value, "/a/b/0", &number));
    SB_EXPECT_NUMBER(number, 10);
    SB_EXPECT_OK(sb_json_text(value, "/a/b/1/c", &text));
    SB_EXPECT_TEXT(text, "x");
    static const struct {
        const char *pointer;
        double number;
    } PLACES[] = {{"/d~1e", 1}, {"/f~0g", 2}, {"/", 3}, {"/a b", 4}, {"/z", 6}};
    for (size_t at = 0; at < sizeof(PLACES) / sizeof(PLACES[0]); at++) {
        SB_EXPECT_OK(sb_json_number(value, PLACES[at].pointer, &number));
        SB_EXPECT_NUMBER(number, PLACES[at].number);
    }
    static const char *const NOWHERE[] = {"/b", "/a/b/2", "/a/b/-", "/a/b/x", "/a/b/+1", "a", "/a/b/0/c"};
    for (size_t at = 0; at < sizeof(NOWHERE) / sizeof(NOWHERE[0]); at++) {
        SB_EXPECT(!sb_json_find(value, NOWHERE[at], &found));
    }
    SB_EXPECT(sb_json_find(value, "", &found) && sb_same(found.source, value.source));
}

SB_TEST(what_is_not_as_expected_is_the_services_fault) {
    sb_json value = parsed("{\"a\": \"x\", \"n\": 1.5}");
    double number;
    int64_t whole;
    bool is_so;
    sb_text text;
    sb_error error = sb_json_number(value, "/a", &number);
    SB_EXPECT_ERROR(error, "content");
    SB_EXPECT(error.blame == SB_BLAME_SERVICE);
    SB_EXPECT_TEXT(error.message, "in the JSON /a is a text, expected a number");
    SB_EXPECT_TEXT(sb_json_int(value, "/n", &whole).message, "in the JSON /n is a number, expected a whole number");
    SB_EXPECT_TEXT(sb_json_bool(value, "", &is_so).message, "in the JSON the value itself is an object, expected a boolean");
    SB_EXPECT_TEXT(sb_json_text(value, "/b", &text).message, "the JSON has nothing at /b");
    SB_EXPECT_ERROR(sb_json_read(SB("<html>"), &value), "content");
}

SB_TEST(texts_lose_their_escapes) {
    sb_text text;
    SB_EXPECT(sb_json_as_text(parsed("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\\u0000z\""), &text));
    SB_EXPECT(sb_same(text, SB("a\"\\/\b\f\n\r\té€😀\0z")));
    SB_EXPECT(sb_json_as_text(parsed("\"\\ud83d x \\ude00 \\ud83d\\ud83d\""), &text));
    SB_EXPECT_TEXT(text, "\xef\xbf\xbd x \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
}

SB_TEST(whole_numbers_are_whole_however_they_are_written) {
    int64_t number = 0;
    SB_EXPECT(sb_json_as_int(parsed("1e3"), &number) && number == 1000);
    SB_EXPECT(sb_json_as_int(parsed("2.0"), &number) && number == 2);
    SB_EXPECT(sb_json_as_int(parsed("9223372036854775807"), &number) && number == INT64_MAX);
    SB_EXPECT(!sb_json_as_int(parsed("1.5"), &number) && !sb_json_as_int(parsed("1e300"), &number));
    SB_EXPECT(!sb_json_as_int(parsed("9223372036854775808"), &number));
}

SB_TEST(elements_are_gone_through_in_order) {
    sb_text all = SB("");
    for (sb_json_each each = sb_json_begin(parsed("{ \"a\" : [1, 2] , \"b\\n\":\"}\" }")); sb_json_next(&each);) {
        all = sb_format("%.*s%zu %.*s=%.*s;", SB_F(all), each.index, SB_F(each.key), SB_F(each.value.source));
    }
    SB_EXPECT_TEXT(all, "0 a=[1, 2];1 b\n=\"}\";");
    SB_EXPECT(sb_json_len(parsed("[1,\"a,]b\",[2,3],{}]")) == 4);
    SB_EXPECT(sb_json_len(parsed("[ ]")) == 0 && sb_json_len(parsed("{}")) == 0 && sb_json_len(parsed("\"abc\"")) == 0);
}

SB_TEST(what_is_written_can_be_read) {
    sb_json_writer json = sb_json_object();
    sb_put_text(&json, "text \"", SB("a\"\\\n\r\t\x01é\xff"));
    sb_put_array(&json, "list");
    sb_put_number(&json, NULL, 0.1);
    sb_put_int(&json, NULL, INT64_MIN);
    sb_put_number(&json, NULL, 1.0 / 0.0);
    sb_put_object(&json, NULL);
    sb_put_end(&json);
    sb_put_end(&json);
    sb_put_bool(&json, "so", true);
    sb_put_null(&json, "none");
    sb_put_format(&json, "format", "%d of %d", 1, 2);
    sb_put_json(&json, "json", parsed("[1, 2]"));
    sb_put_object(&json, "open");
    sb_text text = sb_json_end(&json);
    SB_EXPECT_TEXT(text,
                   "{\"text \\\"\":\"a\\\"\\\\\\n\\r\\t\\u0001é\xef\xbf\xbd\",\"list\":[0.1,-9223372036854775808,null,{}],\"so\":true,"
                   "\"none\":null,\"format\":\"1 of 2\",\"json\":[1, 2],\"open\":{}}");
    sb_json value;
    SB_EXPECT_OK(sb_json_read(text, &value));
    json = sb_json_array();
    SB_EXPECT_TEXT(sb_json_end(&json), "[]");
}

SB_TEST(a_table_is_a_schema) {
    SB_EXPECT_TEXT(
        sb_config_schema(fetch_fields),
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
        "\"url\":{\"description\":\"Where to \\\"look\\\"\",\"type\":\"string\",\"pattern\":\"^https?://\"},"
        "\"limit\":{\"description\":\"The most that is well\",\"type\":\"number\",\"minimum\":0,\"maximum\":10,\"default\":0.5},"
        "\"count\":{\"description\":\"How often\",\"type\":\"integer\",\"default\":3},"
        "\"timeout-ms\":{\"description\":\"How long\",\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295,\"default\":500},"
        "\"strict\":{\"description\":\"Whether it matters\",\"type\":\"boolean\",\"default\":true},"
        "\"level\":{\"description\":\"How much\",\"type\":\"string\",\"enum\":[\"low\",\"high\"],\"default\":\"low\"},"
        "\"names\":{\"description\":\"Whom\",\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"string\"}},"
        "\"extra\":{\"type\":[\"object\",\"null\"]}},\"required\":[\"url\"],\"additionalProperties\":false}");
    SB_EXPECT_TEXT(sb_config_schema(NULL), "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
                                           "\"properties\":{},\"required\":[],\"additionalProperties\":false}");
}

SB_TEST(a_table_fills_a_struct) {
    struct fetch_config config;
    SB_EXPECT_OK(sb_config_read(fetch_fields,
                                SB("{\"url\":\"http:\\/\\/x\",\"limit\":2,\"count\":-7,\"timeout-ms\":4294967295,\"strict\":false,"
                                   "\"level\":\"high\",\"names\":[\"a\",\"b\\u0021\"],\"extra\":{\"deep\":[1]}}"),
                                &config));
    SB_EXPECT_TEXT(config.url, "http://x");
    SB_EXPECT(config.limit == 2 && config.count == -7 && config.timeout_ms == UINT32_MAX && !config.strict);
    SB_EXPECT_TEXT(config.level, "high");
    SB_EXPECT(config.names.len == 2 && sb_is(config.names.items[1], "b!"));
    double deep;
    SB_EXPECT_OK(sb_json_number(config.extra, "/deep/0", &deep));
    SB_EXPECT_OK(sb_config_read(fetch_fields, SB("{\"url\":\"\"}"), &config));
    SB_EXPECT(config.limit == 0.5 && config.count == 3 && config.timeout_ms == 500 && config.strict);
    SB_EXPECT(sb_is(config.level, "low") && config.names.len == 0 && sb_is(config.extra.source, "null"));
}

SB_TEST(a_wrong_configuration_names_its_key) {
    static const struct {
        const char *json;
        const char *message;
    } CASES[] = {
        {"[]", "it is not a table"},
        {"{", "it is not JSON: expected a text in quotes at byte 1"},
        {"{}", "`url` is missing"},
        {"{\"url\":\"\",\"link\":1}", "no key `link` is known"},
        {"{\"url\":1}", "`url` is not a text"},
        {"{\"url\":\"\",\"limit\":\"2\"}", "`limit` is not a number"},
        {"{\"url\":\"\",\"limit\":10.5}", "`limit` is out of bounds; hint: from 0 up to 10"},
        {"{\"url\":\"\",\"count\":1.5}", "`count` is not a whole number"},
        {"{\"url\":\"\",\"timeout-ms\":-1}", "`timeout-ms` is out of bounds; hint: from 0 up to 4294967295"},
        {"{\"url\":\"\",\"strict\":1}", "`strict` is not true or false"},
        {"{\"url\":\"\",\"level\":\"middle\"}", "`level` is `middle`; hint: one of `low`, `high`"},
        {"{\"url\":\"\",\"names\":\"a\"}", "`names` is not a list of texts"},
        {"{\"url\":\"\",\"names\":[1]}", "`names` is not a list of texts"},
        {"{\"url\":\"\",\"names\":[\"a\",\"b\",\"c\"]}", "`names` has a number of elements out of bounds; hint: up to 2"},
    };
    for (size_t at = 0; at < sizeof(CASES) / sizeof(CASES[0]); at++) {
        struct fetch_config config;
        sb_error error = sb_config_read(fetch_fields, sb_text_of(CASES[at].json), &config);
        SB_EXPECT_ERROR(error, "configuration");
        SB_EXPECT_TEXT(error.message, CASES[at].message);
        SB_EXPECT(error.blame == SB_BLAME_PLUGIN);
    }
}

SB_TESTS(valid_json_is_accepted_and_anything_else_is_not, what_is_cut_off_anywhere_is_refused, there_are_at_most_64_levels,
         a_place_is_found_by_its_pointer, what_is_not_as_expected_is_the_services_fault, texts_lose_their_escapes,
         whole_numbers_are_whole_however_they_are_written, elements_are_gone_through_in_order, what_is_written_can_be_read,
         a_table_is_a_schema, a_table_fills_a_struct, a_wrong_configuration_names_its_key)
