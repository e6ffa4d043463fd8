/// Texts with a length, and memory that lasts as long as the run.
///
/// A text is a pointer and a length: what the host gives is not ended by a zero, and may hold one. `SB("...")` makes a text of a literal,
/// `sb_format` one like `printf` does. Whatever the SDK makes lives until the run ends and is never freed by hand; a capability or a report
/// copies what it keeps, so that what is passed may be a local buffer.
///
/// In a format a text is written `%.*s` and passed with `SB_F`: `sb_format("%.*s waits", SB_F(name))`.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Makes the compiler hold a format against its arguments.
#define SB_PRINTF_(text, first) __attribute__((__format__(__printf__, text, first)))
/// Makes the compiler warn where an error is passed over.
#define SB_MUST_USE_ __attribute__((__warn_unused_result__))

/// UTF-8, unless it is said to be bytes. Not ended by a zero.
typedef struct {
    const char *data;
    size_t len;
} sb_text;

/// Bytes of any encoding.
typedef sb_text sb_bytes;

/// Several texts.
typedef struct {
    const sb_text *items;
    size_t len;
} sb_texts;

/// A text of a string literal.
#define SB(literal) ((sb_text){"" literal, sizeof(literal) - 1})
/// `SB_TEXTS(SB("a"), name)`; lives as long as the block that it is written in.
#define SB_TEXTS(...) ((sb_texts){(const sb_text[]){__VA_ARGS__}, sizeof((const sb_text[]){__VA_ARGS__}) / sizeof(sb_text)})
/// Words in a table at the top of a file: `SB_WORDS("content", "timeout")`.
#define SB_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
/// A text as the two arguments of `%.*s`.
#define SB_F(text) (int)(text).len, (text).data
/// What `sb_find` answers where there is nothing to find.
#define SB_NOWHERE ((size_t)-1)

/// Memory until the run ends, set to zero and aligned for anything. A run that asks for more than it may have is ended by the host.
void *sb_alloc(size_t bytes);
/// The same for `count` elements of `bytes` each.
void *sb_alloc_array(size_t count, size_t bytes);

/// A text of a string that is ended by a zero. Nothing is copied.
sb_text sb_text_of(const char *string);
/// A copy that lives until the run ends.
sb_text sb_copy(sb_text text);
/// The text ended by a zero, for functions that want that: a copy.
const char *sb_string(sb_text text);
/// Like `sprintf`, with room for whatever comes: `d i u x X o c s f F e E g G p %`, with flags, width, precision and length. Floating point
/// is exact to 17 digits.
sb_text sb_format(const char *format, ...) SB_PRINTF_(1, 2);
/// The same with the arguments as a list.
sb_text sb_format_list(const char *format, va_list arguments) SB_PRINTF_(1, 0);
/// A number in as few digits as tell it from every other one: `0.1`, `12`, `1e+300`.
sb_text sb_number_text(double number);

/// Whether two texts are the same.
bool sb_same(sb_text one, sb_text other);
/// Whether a text is this word.
bool sb_is(sb_text text, const char *word);
/// The same whatever the case of A to Z.
bool sb_is_any_case(sb_text text, const char *word);
bool sb_starts_with(sb_text text, const char *start);
bool sb_ends_with(sb_text text, const char *end);
/// Where `what` begins for the first time, or `SB_NOWHERE`.
size_t sb_find(sb_text text, sb_text what);
bool sb_contains(sb_text text, const char *what);

/// From `from` up to and without `to`; what is beyond the end is its end. Nothing is copied.
sb_text sb_slice(sb_text text, size_t from, size_t to);
/// Without blanks, tabs and line ends round it.
sb_text sb_trim(sb_text text);
/// Cuts at the first `separator`: what is before it and what is behind it. Without one it answers false and changes nothing.
bool sb_split(sb_text text, char separator, sb_text *before, sb_text *behind);
/// The next of the parts between separators; `rest` loses it. Begin with the whole text in `rest`.
bool sb_next_part(sb_text *rest, char separator, sb_text *part);
/// The next line, without its end (`\n` or `\r\n`); `rest` loses it.
bool sb_next_line(sb_text *rest, sb_text *line);

/// A number as JSON or C write one, blanks round it allowed. False for anything else, and for what no `double` can hold.
bool sb_to_number(sb_text text, double *number);
/// A whole number. False for anything else, and for what has no room in 64 bits.
bool sb_to_int(sb_text text, int64_t *number);

/// Whether it is UTF-8 throughout.
bool sb_is_utf8(sb_text text);
/// The text with U+FFFD for what is not UTF-8; the text itself where there is nothing to mend.
sb_text sb_utf8(sb_bytes bytes);
/// At most that many bytes: cut at a character, with `…` for what is missing.
sb_text sb_cut(sb_text text, size_t bytes_max);

/// A text or nothing.
typedef struct {
    bool is_some;
    sb_text value;
} sb_optional_text;

/// A number or nothing.
typedef struct {
    bool is_some;
    uint32_t value;
} sb_optional_u32;

/// A number or nothing.
typedef struct {
    bool is_some;
    uint64_t value;
} sb_optional_u64;

static inline sb_optional_text sb_some(sb_text value) {
    return (sb_optional_text){true, value};
}

static inline sb_optional_u32 sb_some_u32(uint32_t value) {
    return (sb_optional_u32){true, value};
}

static inline sb_optional_u64 sb_some_u64(uint64_t value) {
    return (sb_optional_u64){true, value};
}

/// What the C library calls so; where there is none the SDK has them.
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);
size_t strlen(const char *string);
