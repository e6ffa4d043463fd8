/// What the files of the SDK share among themselves; no part of the interface.
#pragma once

#include "wire.h"

/// Memory until the run ends, as it happens to be.
void *sb_alloc_uncleared(size_t bytes);
/// Makes a block larger or smaller; its bytes may move.
void *sb_resize(void *block, size_t bytes_before, size_t bytes);
/// Ends the life of everything that was allocated.
void sb_memory_reset(void);

/// Makes room for one more in a list that is only ever longer by one: its room doubles.
void *sb_grown(const void *items, size_t len, size_t item_bytes);

/// Decimal digits of a number, of which there are `count`: 0.d1d2d3... times ten to the power of `point`.
typedef struct {
    char digits[20];
    int count;
    int point;
} sb_decimal;

/// `count` significant digits, 1 to 17, of a number that is finite and above 0.
sb_decimal sb_significant(double number, int count);
/// `places` digits behind the point, at most 17 significant ones; `count` is 0 where it rounds to 0.
sb_decimal sb_rounded(double number, int places);
/// The fewest digits that tell the number from every other one.
sb_decimal sb_shortest(double number);

static inline bool sb_is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static inline bool sb_is_finite(double number) {
    return number - number == 0;
}

/// The character that begins at `at`, and how many bytes it has; 0 bytes where they are not UTF-8.
size_t sb_character(sb_text text, size_t at, uint32_t *character);
/// Writes a character as UTF-8, at most 4 bytes; answers how many.
size_t sb_put_character(char *to, uint32_t character);

/// A text that grows.
typedef struct {
    char *data;
    size_t len;
    size_t room;
} sb_buffer;

void sb_buffer_add(sb_buffer *buffer, sb_text text);
void sb_buffer_fill(sb_buffer *buffer, char byte, size_t count);

/// What an error of the contract means, but for the first one, which is `denied` everywhere.
typedef struct {
    sb_blame blame;
    const char *kind;
} sb_meaning;

sb_error sb_denied(const sb_denial *denial);
/// What an error means; `meanings` are those of its cases from the second one on.
sb_error sb_meant(const sb_meaning *meanings, size_t count, const sb_wire_error *error);
#define SB_MEANT(meanings, error) sb_meant(meanings, sizeof(meanings) / sizeof((meanings)[0]), error)

/// A copy that is UTF-8: the host ends a run that gives it a text that is not.
sb_text sb_kept(sb_text text);
sb_labels sb_kept_labels(sb_labels labels);
/// The labels in UTF-8; themselves where they are.
sb_labels sb_utf8_labels(sb_labels labels);
void sb_add_label(sb_labels *labels, const char *name, sb_text value);

/// Fits a report into the contract's bounds.
void sb_fit(sb_report *report);
/// Why there is no answer.
sb_failure sb_failure_of(sb_error error);
/// The struct of a kind's configuration, filled; NULL where it has none.
SB_MUST_USE_ sb_error sb_config_of(const sb_field *fields, size_t config_bytes, const char *config_schema, sb_text json,
                                   const void **config);
