/// Reading and writing JSON.
///
/// A value is a piece of a text that was read once and is valid; looking into it takes nothing but time, in proportion to its length. A
/// place is named by a JSON Pointer (RFC 6901): `/jobs/0/name`, the value itself by the empty text.
///
/// Limits: 64 levels, numbers as `double` or as 64-bit integer. Of keys that are there twice the last one counts.
#pragma once

#include "error.h"

/// Objects in objects: deeper JSON is refused.
#define SB_JSON_DEPTH_MAX 64

typedef enum {
    SB_JSON_NULL,
    SB_JSON_BOOLEAN,
    SB_JSON_NUMBER,
    SB_JSON_TEXT,
    SB_JSON_ARRAY,
    SB_JSON_OBJECT,
} sb_json_type;

/// A value out of a valid JSON text.
typedef struct {
    sb_text source;
} sb_json;

/// Reads a text that a service sent. What is no JSON is the service's fault: `content`.
SB_MUST_USE_ sb_error sb_json_read(sb_text text, sb_json *value);
/// The same without blame: false, and `why`, where it is no JSON.
bool sb_json_parse(sb_text text, sb_json *value, sb_text *why);

sb_json_type sb_json_type_of(sb_json value);
/// Whether there is something at that place.
bool sb_json_find(sb_json value, const char *pointer, sb_json *found);
/// What a value is worth, where it is of that type. A text is without its escapes, and is copied only where it has some.
bool sb_json_as_text(sb_json value, sb_text *text);
bool sb_json_as_number(sb_json value, double *number);
bool sb_json_as_int(sb_json value, int64_t *number);
bool sb_json_as_bool(sb_json value, bool *is_so);

/// What is at that place. Where it is absent or of another type, that is the service's fault: `content`, with the place in the message.
SB_MUST_USE_ sb_error sb_json_text(sb_json value, const char *pointer, sb_text *text);
SB_MUST_USE_ sb_error sb_json_number(sb_json value, const char *pointer, double *number);
SB_MUST_USE_ sb_error sb_json_int(sb_json value, const char *pointer, int64_t *number);
SB_MUST_USE_ sb_error sb_json_bool(sb_json value, const char *pointer, bool *is_so);
SB_MUST_USE_ sb_error sb_json_value(sb_json value, const char *pointer, sb_json *found);

/// Goes through an array or an object; anything else has no elements.
///
///     for (sb_json_each each = sb_json_begin(jobs); sb_json_next(&each);) { ... each.value ... }
typedef struct {
    /// Of an object's element; empty in an array.
    sb_text key;
    sb_json value;
    /// Counted from 0.
    size_t index;
    /// What is left.
    sb_text rest_;
    bool is_object_;
} sb_json_each;

sb_json_each sb_json_begin(sb_json container);
/// False where there is no element left.
bool sb_json_next(sb_json_each *each);
/// How many elements there are.
size_t sb_json_len(sb_json container);

/// JSON that is being written. Begins with `sb_json_object()` or `sb_json_array()`; the key is NULL in an array.
typedef struct {
    char *data_;
    size_t len_;
    size_t room_;
    /// One bit for each level that is an array.
    uint64_t arrays_;
    unsigned depth_;
    bool has_elements_;
} sb_json_writer;

sb_json_writer sb_json_object(void);
sb_json_writer sb_json_array(void);
void sb_put_text(sb_json_writer *writer, const char *key, sb_text text);
/// Like `sprintf`.
void sb_put_format(sb_json_writer *writer, const char *key, const char *format, ...) SB_PRINTF_(3, 4);
/// What is not finite becomes `null`.
void sb_put_number(sb_json_writer *writer, const char *key, double number);
void sb_put_int(sb_json_writer *writer, const char *key, int64_t number);
void sb_put_bool(sb_json_writer *writer, const char *key, bool is_so);
void sb_put_null(sb_json_writer *writer, const char *key);
void sb_put_json(sb_json_writer *writer, const char *key, sb_json value);
/// Begins an object or an array in this one, which `sb_put_end` ends.
void sb_put_object(sb_json_writer *writer, const char *key);
void sb_put_array(sb_json_writer *writer, const char *key);
void sb_put_end(sb_json_writer *writer);
/// What was written, with everything ended that is not.
sb_text sb_json_end(sb_json_writer *writer);
