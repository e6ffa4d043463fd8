/// A configuration as a struct.
///
///     struct config { sb_text url; double limit; };
///
///     static const sb_field fields[] = {
///         SB_FIELD(struct config, url, "Where to look", .required = true, .pattern = "^https?://"),
///         SB_FIELD(struct config, limit, "How many may wait", .default_number = 100, .bounds = SB_FROM(0)),
///         SB_FIELD_END,
///     };
///
/// The table becomes the JSON Schema that the host validates against before anything starts, and fills the struct of every run. The type of
/// a member says what it takes: `sb_text`, `double`, `int64_t`, `int32_t`, `uint32_t`, `bool`, `sb_texts` (a list of texts), or `sb_json`
/// (anything else, as it is written; `.schema` says what it may be).
#pragma once

#include "json.h"
#include "types.h"

typedef enum {
    SB_FIELD_NONE,
    SB_FIELD_TEXT,
    SB_FIELD_NUMBER,
    SB_FIELD_INT64,
    SB_FIELD_INT32,
    SB_FIELD_UINT32,
    SB_FIELD_BOOL,
    SB_FIELD_TEXTS,
    SB_FIELD_JSON,
} sb_field_type;

/// What a number may be.
typedef struct {
    bool has_minimum;
    bool has_maximum;
    double minimum;
    double maximum;
} sb_bounds;

/// `.bounds = SB_FROM(0)`, `SB_UP_TO(10)`, `SB_BETWEEN(1, 3600)`; both ends are allowed.
#define SB_FROM(least) {.has_minimum = true, .minimum = (least)}
#define SB_UP_TO(most) {.has_maximum = true, .maximum = (most)}
#define SB_BETWEEN(least, most) {.has_minimum = true, .has_maximum = true, .minimum = (least), .maximum = (most)}

/// One key of the configuration.
typedef struct {
    /// The member's name, which the key has unless `key` says otherwise.
    const char *name;
    sb_field_type type;
    size_t offset;
    /// For a person.
    const char *summary;
    /// A key that no member can be called: `not-before`.
    const char *key;
    /// It has to be there. Where it is not, an absent key has the default, or 0, false, an empty text.
    bool required;
    const char *default_text;
    double default_number;
    bool default_true;
    /// Of a number; of a text how many characters it has, of a list how many elements.
    sb_bounds bounds;
    /// Of a text: a regular expression, checked by the host.
    const char *pattern;
    /// Of a text: what it may be, `SB_WORDS("low", "high")`.
    const char *const *one_of;
    /// Of anything: a JSON Schema of your own instead of the one that is made.
    const char *schema;
} sb_field;

/// `SB_FIELD(struct config, member, "What it is", ...)`; behind it come the fields of `sb_field` as `.name = value`.
#define SB_FIELD(type_, member, ...)        \
    {.name = #member,                       \
     .type = _Generic(((type_ *)0)->member, \
         sb_text: SB_FIELD_TEXT,            \
         double: SB_FIELD_NUMBER,           \
         int64_t: SB_FIELD_INT64,           \
         int32_t: SB_FIELD_INT32,           \
         uint32_t: SB_FIELD_UINT32,         \
         bool: SB_FIELD_BOOL,               \
         sb_texts: SB_FIELD_TEXTS,          \
         sb_json: SB_FIELD_JSON),           \
     .offset = offsetof(type_, member),     \
     .summary = __VA_ARGS__}
/// The last line of a table.
#define SB_FIELD_END {0}

/// The schema that a table says. NULL stands for a table without fields.
sb_text sb_config_schema(const sb_field *fields);
/// Fills a struct by a table, its members' defaults included. What is wrong is the configuration's fault, and names the key.
SB_MUST_USE_ sb_error sb_config_read(const sb_field *fields, sb_text json, void *config);
