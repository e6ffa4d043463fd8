/// What JSON values are worth, going through them, and finding places in them.
///
/// Invariant: the text of an `sb_json` is valid JSON without blanks round it, as `sb_json_parse` made sure.
#include "internal.h"

sb_json_type sb_json_type_of(sb_json value) {
    switch (value.source.len == 0 ? 'n' : value.source.data[0]) {
    case 'n': return SB_JSON_NULL;
    case 't':
    case 'f': return SB_JSON_BOOLEAN;
    case '"': return SB_JSON_TEXT;
    case '[': return SB_JSON_ARRAY;
    case '{': return SB_JSON_OBJECT;
    default: return SB_JSON_NUMBER;
    }
}

static uint32_t hex4(const char *at) {
    uint32_t value = 0;
    for (int digit = 0; digit < 4; digit++) {
        char byte = at[digit];
        value = value << 4 | (uint32_t)(sb_is_digit(byte) ? byte - '0' : (byte | 0x20) - 'a' + 10);
    }
    return value;
}

/// What stands for the escape at `at`, as UTF-8; answers how long the escape is. Half a character becomes U+FFFD.
static size_t unescape(sb_text inside, size_t at, char *to, size_t *bytes) {
    const char *escape = inside.data + at;
    static const char NAMES[] = "bfnrt", BYTES[] = "\b\f\n\r\t";
    if (escape[1] != 'u') {
        to[0] = escape[1];
        for (int name = 0; NAMES[name] != 0; name++) {
            to[0] = escape[1] == NAMES[name] ? BYTES[name] : to[0];
        }
        *bytes = 1;
        return 2;
    }
    uint32_t character = hex4(escape + 2);
    size_t len = 6;
    if (character >= 0xd800 && character <= 0xdfff) {
        bool has_other = character < 0xdc00 && at + 12 <= inside.len && escape[6] == '\\' && escape[7] == 'u';
        uint32_t other = has_other ? hex4(escape + 8) : 0;
        if (other >= 0xdc00 && other <= 0xdfff) {
            character = 0x10000 + ((character - 0xd800) << 10) + (other - 0xdc00);
            len = 12;
        } else {
            character = 0xfffd;
        }
    }
    *bytes = sb_put_character(to, character);
    return len;
}

/// A string without its quotes and escapes.
static sb_text unquoted(sb_text source) {
    sb_text inside = sb_slice(source, 1, source.len - 1);
    if (sb_find(inside, SB("\\")) == SB_NOWHERE) {
        return inside;
    }
    // Nothing that is escaped becomes longer.
    char *plain = sb_alloc_uncleared(inside.len);
    size_t len = 0;
    for (size_t at = 0; at < inside.len;) {
        if (inside.data[at] != '\\') {
            plain[len++] = inside.data[at++];
            continue;
        }
        size_t bytes;
        at += unescape(inside, at, plain + len, &bytes);
        len += bytes;
    }
    return (sb_text){plain, len};
}

bool sb_json_as_text(sb_json value, sb_text *text) {
    if (sb_json_type_of(value) != SB_JSON_TEXT) {
        return false;
    }
    *text = unquoted(value.source);
    return true;
}

bool sb_json_as_number(sb_json value, double *number) {
    return sb_json_type_of(value) == SB_JSON_NUMBER && sb_to_number(value.source, number);
}

bool sb_json_as_int(sb_json value, int64_t *number) {
    double real;
    if (sb_json_type_of(value) != SB_JSON_NUMBER) {
        return false;
    }
    if (sb_to_int(value.source, number)) {
        return true;
    }
    // `1e3` and `2.0` are whole numbers too.
    if (!sb_to_number(value.source, &real) || real < -0x1p63 || real >= 0x1p63 || (double)(int64_t)real != real) {
        return false;
    }
    *number = (int64_t)real;
    return true;
}

bool sb_json_as_bool(sb_json value, bool *is_so) {
    if (sb_json_type_of(value) != SB_JSON_BOOLEAN) {
        return false;
    }
    *is_so = value.source.data[0] == 't';
    return true;
}

sb_json_each sb_json_begin(sb_json container) {
    sb_json_type type = sb_json_type_of(container);
    sb_json_each each = {.index = (size_t)-1, .is_object_ = type == SB_JSON_OBJECT};
    if (type == SB_JSON_OBJECT || type == SB_JSON_ARRAY) {
        each.rest_ = sb_trim(sb_slice(container.source, 1, container.source.len - 1));
    }
    return each;
}

/// Where the value that begins at `at` ends. It is known to be valid.
static size_t end_of_value(sb_text text, size_t at) {
    unsigned depth = 0;
    bool in_text = false;
    for (; at < text.len; at++) {
        char byte = text.data[at];
        if (in_text) {
            at += byte == '\\';
            in_text = byte != '"';
            if (!in_text && depth == 0) {
                return at + 1;
            }
            continue;
        }
        bool ends = depth == 0 && (byte == ',' || byte == ']' || byte == '}' || byte == ':' || byte <= ' ');
        if (ends) {
            return at;
        }
        in_text = byte == '"';
        depth += byte == '[' || byte == '{';
        if (byte == ']' || byte == '}') {
            depth--;
            if (depth == 0) {
                return at + 1;
            }
        }
    }
    return at;
}

/// The value at the begin of `rest`, which loses it, the blanks round it and one `separator`.
static sb_text take_value(sb_text *rest, char separator) {
    size_t end = end_of_value(*rest, 0);
    sb_text value = sb_slice(*rest, 0, end);
    *rest = sb_trim(sb_slice(*rest, end, rest->len));
    if (rest->len > 0 && rest->data[0] == separator) {
        *rest = sb_trim(sb_slice(*rest, 1, rest->len));
    }
    return value;
}

bool sb_json_next(sb_json_each *each) {
    if (each->rest_.len == 0) {
        return false;
    }
    if (each->is_object_) {
        each->key = unquoted(take_value(&each->rest_, ':'));
    }
    each->value.source = take_value(&each->rest_, ',');
    each->index++;
    return true;
}

size_t sb_json_len(sb_json container) {
    sb_json_each each = sb_json_begin(container);
    while (sb_json_next(&each)) {
    }
    return each.index + 1;
}

/// One step of a pointer, with `~1` as `/` and `~0` as `~`.
static sb_text step_of(sb_text token) {
    if (sb_find(token, SB("~")) == SB_NOWHERE) {
        return token;
    }
    char *plain = sb_alloc_uncleared(token.len);
    size_t len = 0;
    for (size_t at = 0; at < token.len; at++) {
        char byte = token.data[at];
        if (byte == '~' && at + 1 < token.len) {
            at++;
            byte = token.data[at] == '1' ? '/' : '~';
        }
        plain[len++] = byte;
    }
    return (sb_text){plain, len};
}

static bool find_step(sb_json value, sb_text step, sb_json *found) {
    bool is_there = false;
    int64_t index = -1;
    bool is_array = sb_json_type_of(value) == SB_JSON_ARRAY;
    if (is_array && (step.len == 0 || !sb_is_digit(step.data[0]) || !sb_to_int(step, &index))) {
        return false;
    }
    for (sb_json_each each = sb_json_begin(value); sb_json_next(&each);) {
        if (is_array ? each.index == (size_t)index : sb_same(each.key, step)) {
            *found = each.value;
            is_there = true;
            if (is_array) {
                break;
            }
        }
    }
    return is_there;
}

bool sb_json_find(sb_json value, const char *pointer, sb_json *found) {
    sb_text rest = sb_text_of(pointer), token;
    sb_json here = value;
    if (rest.len > 0) {
        if (rest.data[0] != '/') {
            return false;
        }
        rest = sb_slice(rest, 1, rest.len);
        while (sb_next_part(&rest, '/', &token)) {
            if (!find_step(here, step_of(token), &here)) {
                return false;
            }
        }
    }
    *found = here;
    return true;
}

static const char *type_name(sb_json value) {
    static const char *const NAMES[] = {"null", "a boolean", "a number", "a text", "an array", "an object"};
    return NAMES[sb_json_type_of(value)];
}

static const char *place(const char *pointer) {
    return pointer[0] == 0 ? "the value itself" : pointer;
}

sb_error sb_json_value(sb_json value, const char *pointer, sb_json *found) {
    if (!sb_json_find(value, pointer, found)) {
        return sb_service_error("content", "the JSON has nothing at %s", place(pointer));
    }
    return SB_OK;
}

static sb_error other_type(sb_json found, const char *pointer, const char *expected) {
    return sb_service_error("content", "in the JSON %s is %s, expected %s", place(pointer), type_name(found), expected);
}

sb_error sb_json_text(sb_json value, const char *pointer, sb_text *text) {
    sb_json found;
    SB_TRY(sb_json_value(value, pointer, &found));
    return sb_json_as_text(found, text) ? SB_OK : other_type(found, pointer, "a text");
}

sb_error sb_json_number(sb_json value, const char *pointer, double *number) {
    sb_json found;
    SB_TRY(sb_json_value(value, pointer, &found));
    return sb_json_as_number(found, number) ? SB_OK : other_type(found, pointer, "a number");
}

sb_error sb_json_int(sb_json value, const char *pointer, int64_t *number) {
    sb_json found;
    SB_TRY(sb_json_value(value, pointer, &found));
    return sb_json_as_int(found, number) ? SB_OK : other_type(found, pointer, "a whole number");
}

sb_error sb_json_bool(sb_json value, const char *pointer, bool *is_so) {
    sb_json found;
    SB_TRY(sb_json_value(value, pointer, &found));
    return sb_json_as_bool(found, is_so) ? SB_OK : other_type(found, pointer, "a boolean");
}
