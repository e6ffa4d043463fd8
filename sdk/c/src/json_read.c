/// Reading JSON: one pass finds out whether it is valid, every look into it walks the text again.
///
/// Why not a library: configurations and answers are small and looked into a few times, so that the text itself is tree enough. That needs
/// no memory, no recursion and no third party, and has one bound, the depth.
///
/// Invariant: nothing but valid JSON, without blanks round it, becomes an `sb_json`.
#include "internal.h"

/// A place in a text.
typedef struct {
    sb_text text;
    size_t at;
    const char *why;
} json_reader;

static int peek(const json_reader *reader) {
    return reader->at < reader->text.len ? (unsigned char)reader->text.data[reader->at] : -1;
}

static void skip_blanks(json_reader *reader) {
    while (reader->at < reader->text.len) {
        char byte = reader->text.data[reader->at];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            break;
        }
        reader->at++;
    }
}

static bool refuse(json_reader *reader, const char *why) {
    reader->why = why;
    return false;
}

static bool is_hex(char byte) {
    return sb_is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool read_escape(json_reader *reader) {
    reader->at++;
    int byte = peek(reader);
    if (byte == 'u') {
        for (int digit = 0; digit < 4; digit++) {
            reader->at++;
            if (peek(reader) < 0 || !is_hex((char)peek(reader))) {
                return refuse(reader, "an escape that is none");
            }
        }
    } else if (byte != '"' && byte != '\\' && byte != '/' && byte != 'b' && byte != 'f' && byte != 'n' && byte != 'r' && byte != 't') {
        return refuse(reader, "an escape that is none");
    }
    reader->at++;
    return true;
}

static bool read_string(json_reader *reader) {
    if (peek(reader) != '"') {
        return refuse(reader, "expected a text in quotes");
    }
    reader->at++;
    for (;;) {
        int byte = peek(reader);
        if (byte < 0) {
            return refuse(reader, "a text that does not end");
        }
        if (byte == '"') {
            reader->at++;
            return true;
        }
        if (byte < 0x20) {
            return refuse(reader, "a control character in a text");
        }
        if (byte == '\\') {
            if (!read_escape(reader)) {
                return false;
            }
            continue;
        }
        uint32_t character;
        size_t len = sb_character(reader->text, reader->at, &character);
        if (len == 0) {
            return refuse(reader, "bytes that are not UTF-8");
        }
        reader->at += len;
    }
}

static size_t skip_digits(json_reader *reader) {
    size_t begin = reader->at;
    while (peek(reader) >= 0 && sb_is_digit((char)peek(reader))) {
        reader->at++;
    }
    return reader->at - begin;
}

static bool read_number(json_reader *reader) {
    const char *why = "a number that is none";
    size_t begin = reader->at;
    reader->at += peek(reader) == '-';
    bool begins_with_zero = peek(reader) == '0';
    size_t digits = skip_digits(reader);
    if (digits == 0 || (begins_with_zero && digits > 1)) {
        return refuse(reader, why);
    }
    if (peek(reader) == '.') {
        reader->at++;
        if (skip_digits(reader) == 0) {
            return refuse(reader, why);
        }
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        reader->at += peek(reader) == '+' || peek(reader) == '-';
        if (skip_digits(reader) == 0) {
            return refuse(reader, why);
        }
    }
    double number;
    return sb_to_number(sb_slice(reader->text, begin, reader->at), &number) || refuse(reader, "a number that is too large");
}

static bool read_word(json_reader *reader, const char *word) {
    if (!sb_starts_with(sb_slice(reader->text, reader->at, reader->text.len), word)) {
        return refuse(reader, "expected a value");
    }
    reader->at += strlen(word);
    return true;
}

static bool read_simple(json_reader *reader) {
    switch (peek(reader)) {
    case '"': return read_string(reader);
    case 't': return read_word(reader, "true");
    case 'f': return read_word(reader, "false");
    case 'n': return read_word(reader, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return read_number(reader);
    case -1: return refuse(reader, "it ends too early");
    default: return refuse(reader, "expected a value");
    }
}

static bool read_key(json_reader *reader) {
    skip_blanks(reader);
    if (!read_string(reader)) {
        return false;
    }
    skip_blanks(reader);
    if (peek(reader) != ':') {
        return refuse(reader, "expected a colon");
    }
    reader->at++;
    return true;
}

/// A whole value, without recursion: `objects` has one bit for each level that is an object.
static bool read_value(json_reader *reader) {
    uint64_t objects = 0;
    unsigned depth = 0;
    for (;;) {
        skip_blanks(reader);
        int byte = peek(reader);
        if (byte == '{' || byte == '[') {
            if (depth == SB_JSON_DEPTH_MAX) {
                return refuse(reader, "more than 64 levels");
            }
            reader->at++;
            objects = objects << 1 | (byte == '{');
            depth++;
            skip_blanks(reader);
            if (peek(reader) != (byte == '{' ? '}' : ']')) {
                if (byte == '{' && !read_key(reader)) {
                    return false;
                }
                continue;
            }
        } else if (!read_simple(reader)) {
            return false;
        }
        // A value has ended, or an empty container is about to.
        for (;;) {
            if (depth == 0) {
                return true;
            }
            skip_blanks(reader);
            byte = peek(reader);
            bool in_object = (objects & 1) != 0;
            if (byte == ',') {
                reader->at++;
                if (in_object && !read_key(reader)) {
                    return false;
                }
                break;
            }
            if (byte != (in_object ? '}' : ']')) {
                return refuse(reader, byte < 0 ? "it ends too early" : "expected a comma or the end of what was begun");
            }
            reader->at++;
            objects >>= 1;
            depth--;
        }
    }
}

bool sb_json_parse(sb_text text, sb_json *value, sb_text *why) {
    json_reader reader = {.text = text};
    skip_blanks(&reader);
    size_t begin = reader.at;
    bool is_value = read_value(&reader);
    size_t end = reader.at;
    skip_blanks(&reader);
    if (is_value && reader.at != text.len) {
        is_value = refuse(&reader, "more behind its end");
    }
    if (!is_value) {
        *why = sb_format("%s at byte %zu", reader.why, reader.at);
        return false;
    }
    value->source = sb_slice(text, begin, end);
    return true;
}

sb_error sb_json_read(sb_text text, sb_json *value) {
    sb_text why;
    if (!sb_json_parse(text, value, &why)) {
        return sb_service_error("content", "it is not JSON: %.*s", SB_F(why));
    }
    return SB_OK;
}
