/// Texts, formats and numbers, beside what the C library says of the same.
#include "kinds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SB_TEST(texts_are_compared_cut_and_taken_apart) {
    SB_EXPECT(sb_same(SB("ab"), sb_text_of("ab")) && !sb_same(SB("ab"), SB("abc")) && sb_same(SB(""), (sb_text){0}));
    SB_EXPECT(sb_is_any_case(SB("Retry-After"), "retry-AFTER") && !sb_is_any_case(SB("Retry"), "retry-after"));
    SB_EXPECT(sb_starts_with(SB("abc"), "ab") && sb_ends_with(SB("abc"), "bc") && !sb_ends_with(SB("c"), "bc"));
    SB_EXPECT_NUMBER((double)sb_find(SB("abcabc"), SB("ca")), 2);
    SB_EXPECT(sb_find(SB("abc"), SB("x")) == SB_NOWHERE && sb_find(SB("a"), SB("abc")) == SB_NOWHERE);
    SB_EXPECT_TEXT(sb_slice(SB("hello"), 1, 3), "el");
    SB_EXPECT_TEXT(sb_slice(SB("hello"), 4, 100), "o");
    SB_EXPECT_TEXT(sb_slice(SB("hello"), 9, 3), "");
    SB_EXPECT_TEXT(sb_trim(SB(" \t a b\r\n")), "a b");
    sb_text before, behind;
    SB_EXPECT(sb_split(SB("name:a:b"), ':', &before, &behind));
    SB_EXPECT_TEXT(before, "name");
    SB_EXPECT_TEXT(behind, "a:b");
    SB_EXPECT(!sb_split(SB("name"), ':', &before, &behind));
}

SB_TEST(parts_and_lines_are_taken_one_by_one) {
    sb_text rest = SB("a,,b"), part, all = SB("");
    while (sb_next_part(&rest, ',', &part)) {
        all = sb_format("%.*s[%.*s]", SB_F(all), SB_F(part));
    }
    SB_EXPECT_TEXT(all, "[a][][b]");
    rest = SB("one\r\ntwo\n\nthree");
    all = SB("");
    while (sb_next_line(&rest, &part)) {
        all = sb_format("%.*s[%.*s]", SB_F(all), SB_F(part));
    }
    SB_EXPECT_TEXT(all, "[one][two][][three]");
    rest = SB("one\n");
    SB_EXPECT(sb_next_line(&rest, &part) && !sb_next_line(&rest, &part));
}

SB_TEST(a_cut_is_at_a_character_and_shows_that_something_is_missing) {
    SB_EXPECT_TEXT(sb_cut(SB("hello"), 5), "hello");
    SB_EXPECT_TEXT(sb_cut(SB("hello!"), 5), "he…");
    SB_EXPECT_TEXT(sb_cut(SB("ééé"), 5), "é…");
    SB_EXPECT_TEXT(sb_cut(SB("aéé!"), 5), "a…");
}

SB_TEST(what_is_not_utf8_becomes_a_mark) {
    SB_EXPECT(sb_is_utf8(SB("aé€😀")) && sb_is_utf8(SB("")));
    SB_EXPECT_TEXT(sb_utf8(SB("a\xff"
                              "b")),
                   "a\xef\xbf\xbd"
                   "b");
    static const char *const WRONG[] = {"\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80", "\xf0\x80\x80\x80"};
    for (size_t at = 0; at < sizeof(WRONG) / sizeof(WRONG[0]); at++) {
        SB_EXPECT(!sb_is_utf8(sb_text_of(WRONG[at])) && sb_is_utf8(sb_utf8(sb_text_of(WRONG[at]))));
    }
    sb_text whole = SB("as it is");
    SB_EXPECT(sb_utf8(whole).data == whole.data);
}

/// Compares one conversion with the C library's.
#define SAME(...)                                          \
    do {                                                   \
        char expected[2048];                               \
        snprintf(expected, sizeof(expected), __VA_ARGS__); \
        SB_EXPECT_TEXT(sb_format(__VA_ARGS__), expected);  \
    } while (0)

SB_TEST(formats_are_those_of_the_c_library) {
    SAME("plain %% text");
    SAME("%d %i %u %ld %lld %zu", -5, 7, 5u, -9L, (long long)INT64_MIN, (size_t)12);
    SAME("[%5d] [%-5d] [%05d] [%+d] [% d] [%.3d] [%8.3d]", 42, 42, 42, 42, 42, 42, 42);
    SAME("%x %X %o %#x %08x", 0xbeefu, 0xbeefu, 8u, 255u, 0xabcu);
    SAME("%s|%10s|%-10s|%.2s|%.*s|%c", "text", "text", "text", "text", 3, "text", 'x');
    SAME("%d%%", 0);
    SAME("%*d|%-*d|%*d", 6, 1, 6, 1, -6, 1);
    SAME("%llu %lx", (unsigned long long)UINT64_MAX, 0xfffffffful);
    SB_EXPECT_TEXT(sb_format("%.*s", SB_F(SB("not all"))), "not all");
}

SB_TEST(numbers_with_a_point_are_those_of_the_c_library) {
    static const double NUMBERS[] = {
        0,      1,     -1,   0.1,   0.5,   1.5,   2.5,    0.125, 2.675,   1e15,    123456.789, 1e-5,  0.0001, 99999.5,
        999999, 1e6,   1e21, 1e22,  1e100, 1e300, 1e-300, 0.3,   1.0 / 3, 2.0 / 3, 1e-7,       12.34, 1e16,   12345678901234567.0,
        5e-1,   9.995, 0.05, 99.995};
    for (size_t at = 0; at < sizeof(NUMBERS) / sizeof(NUMBERS[0]); at++) {
        double number = NUMBERS[at];
        SAME("%g %G %.3g %.10g %.17g %#g", number, number, number, number, number, number);
        SAME("%e %.0e %.3E %.16e", number, number, number, number);
        if (number < 1e16) {
            SAME("%f %.0f %.1f %.2f %.3f %#.0f", number, number, number, number, number, number);
        }
        SAME("[%12.3f] [%-12.3f] [%012.3f] [%+.1f]", number < 1e13 ? number : 0, number < 1e13 ? number : 0, number < 1e13 ? number : 0,
             number < 1e13 ? number : 0);
    }
    SAME("%f %g %F %5.1f|%-5g|%05f", (double)INFINITY, (double)-INFINITY, (double)INFINITY, (double)NAN, (double)NAN, (double)INFINITY);
    SAME("%g %f", -0.0, -0.0);
}

/// A number of any size, from all bits.
static double random_double(uint64_t *seed, int exponent_min, int exponent_max) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    double mantissa = 1 + (double)(*seed >> 12) * 0x1p-52;
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    int exponent = exponent_min + (int)((*seed >> 33) % (uint64_t)(exponent_max - exponent_min));
    return ldexp(mantissa, exponent);
}

SB_TEST(every_double_survives_being_written_and_read) {
    uint64_t seed = 1;
    for (int run = 0; run < 20000; run++) {
        double number = random_double(&seed, -950, 1000), back;
        sb_text text = sb_number_text(number);
        SB_EXPECT(sb_to_number(text, &back));
        SB_EXPECT_NUMBER(back, number);
        char expected[64];
        snprintf(expected, sizeof(expected), "%.17g", number);
        SB_EXPECT_TEXT(sb_format("%.17g", number), expected);
        SB_EXPECT(sb_to_number(sb_text_of(expected), &back));
        SB_EXPECT_NUMBER(back, number);
        SB_EXPECT_NUMBER(strtod(sb_string(text), NULL), number);
        SB_EXPECT(text.len <= strlen(expected));
    }
}

SB_TEST(fractions_are_rounded_as_the_c_library_rounds_them) {
    uint64_t seed = 2;
    for (int run = 0; run < 20000; run++) {
        double number = random_double(&seed, -20, 40);
        SAME("%.2f", number);
        SAME("%g", number);
    }
}

SB_TEST(numbers_are_read_as_they_are_meant) {
    static const char *const TEXTS[] = {"0",
                                        "-0",
                                        "12",
                                        "+1.5",
                                        "0.1",
                                        ".5",
                                        "5.",
                                        "1e3",
                                        "1E-3",
                                        " 7\n",
                                        "1e+2",
                                        "123456789012345678901234567890",
                                        "0.30000000000000004",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "2.2250738585072014e-308",
                                        "00012",
                                        "1e-400",
                                        "0.000000000000000000000000000000000000000000000000001"};
    for (size_t at = 0; at < sizeof(TEXTS) / sizeof(TEXTS[0]); at++) {
        double number = -1;
        SB_EXPECT(sb_to_number(sb_text_of(TEXTS[at]), &number));
        SB_EXPECT_NUMBER(number, strtod(TEXTS[at], NULL));
    }
    static const char *const WRONG[] = {"", "-", ".", "e5", "1e", "1e+", "1x", "0x10", "nan", "inf", "1 2", "1e400", "--1", "1.2.3"};
    for (size_t at = 0; at < sizeof(WRONG) / sizeof(WRONG[0]); at++) {
        double number;
        SB_EXPECT(!sb_to_number(sb_text_of(WRONG[at]), &number));
    }
}

SB_TEST(whole_numbers_are_read_to_their_ends) {
    int64_t number = 0;
    SB_EXPECT(sb_to_int(SB("9223372036854775807"), &number) && number == INT64_MAX);
    SB_EXPECT(sb_to_int(SB("-9223372036854775808"), &number) && number == INT64_MIN);
    SB_EXPECT(sb_to_int(SB(" +12 "), &number) && number == 12);
    static const char *const WRONG[] = {"", "-", "1.0", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "0x1"};
    for (size_t at = 0; at < sizeof(WRONG) / sizeof(WRONG[0]); at++) {
        SB_EXPECT(!sb_to_int(sb_text_of(WRONG[at]), &number));
    }
}

SB_TEST(spans_sizes_and_shares_are_told_to_a_person) {
    SB_EXPECT_TEXT(sb_span(12000), "3 h 20 min");
    SB_EXPECT_TEXT(sb_span(59.6), "1 min");
    SB_EXPECT_TEXT(sb_span(0), "0 s");
    SB_EXPECT_TEXT(sb_span(-86400), "1 d");
    SB_EXPECT_TEXT(sb_binary_size(10), "10 B");
    SB_EXPECT_TEXT(sb_binary_size(1536), "1.5 KiB");
    SB_EXPECT_TEXT(sb_percent(0.934), "93 %");
    SB_EXPECT_NUMBER(sb_ratio(1, 0), 0);
}

SB_TESTS(texts_are_compared_cut_and_taken_apart, parts_and_lines_are_taken_one_by_one,
         a_cut_is_at_a_character_and_shows_that_something_is_missing, what_is_not_utf8_becomes_a_mark, formats_are_those_of_the_c_library,
         numbers_with_a_point_are_those_of_the_c_library, every_double_survives_being_written_and_read,
         fractions_are_rounded_as_the_c_library_rounds_them, numbers_are_read_as_they_are_meant, whole_numbers_are_read_to_their_ends,
         spans_sizes_and_shares_are_told_to_a_person)
