/// Looking at texts, taking them apart and making them fit.
#include "internal.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define REPLACEMENT "\xef\xbf\xbd"

sb_text sb_text_of(const char *string) {
    return string == NULL ? (sb_text){"", 0} : (sb_text){string, strlen(string)};
}

sb_text sb_copy(sb_text text) {
    if (text.len == 0) {
        return (sb_text){"", 0};
    }
    return (sb_text){memcpy(sb_alloc_uncleared(text.len), text.data, text.len), text.len};
}

const char *sb_string(sb_text text) {
    char *string = sb_alloc_uncleared(text.len + 1);
    if (text.len > 0) {
        memcpy(string, text.data, text.len);
    }
    string[text.len] = 0;
    return string;
}

bool sb_same(sb_text one, sb_text other) {
    return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

bool sb_is(sb_text text, const char *word) {
    return sb_same(text, sb_text_of(word));
}

static char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

bool sb_is_any_case(sb_text text, const char *word) {
    if (strlen(word) != text.len) {
        return false;
    }
    for (size_t at = 0; at < text.len; at++) {
        if (lower(text.data[at]) != lower(word[at])) {
            return false;
        }
    }
    return true;
}

sb_text sb_slice(sb_text text, size_t from, size_t to) {
    if (to > text.len) {
        to = text.len;
    }
    if (from > to) {
        from = to;
    }
    return (sb_text){text.len == 0 ? "" : text.data + from, to - from};
}

bool sb_starts_with(sb_text text, const char *start) {
    return sb_is(sb_slice(text, 0, strlen(start)), start);
}

bool sb_ends_with(sb_text text, const char *end) {
    size_t len = strlen(end);
    return len <= text.len && sb_is(sb_slice(text, text.len - len, text.len), end);
}

size_t sb_find(sb_text text, sb_text what) {
    for (size_t at = 0; at + what.len <= text.len; at++) {
        if (sb_same(sb_slice(text, at, at + what.len), what)) {
            return at;
        }
    }
    return SB_NOWHERE;
}

bool sb_contains(sb_text text, const char *what) {
    return sb_find(text, sb_text_of(what)) != SB_NOWHERE;
}

static bool is_blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

sb_text sb_trim(sb_text text) {
    size_t from = 0, to = text.len;
    while (from < to && is_blank(text.data[from])) {
        from++;
    }
    while (to > from && is_blank(text.data[to - 1])) {
        to--;
    }
    return sb_slice(text, from, to);
}

bool sb_split(sb_text text, char separator, sb_text *before, sb_text *behind) {
    size_t at = sb_find(text, (sb_text){&separator, 1});
    if (at == SB_NOWHERE) {
        return false;
    }
    *before = sb_slice(text, 0, at);
    *behind = sb_slice(text, at + 1, text.len);
    return true;
}

bool sb_next_part(sb_text *rest, char separator, sb_text *part) {
    if (rest->data == NULL) {
        return false;
    }
    if (!sb_split(*rest, separator, part, rest)) {
        *part = *rest;
        *rest = (sb_text){NULL, 0};
    }
    return true;
}

bool sb_next_line(sb_text *rest, sb_text *line) {
    // What ends with a line's end has no empty line behind it.
    if (rest->len == 0 || !sb_next_part(rest, '\n', line)) {
        return false;
    }
    if (sb_ends_with(*line, "\r")) {
        line->len--;
    }
    return true;
}

size_t sb_character(sb_text text, size_t at, uint32_t *character) {
    unsigned char byte = (unsigned char)text.data[at];
    if (byte < 0x80) {
        *character = byte;
        return 1;
    }
    size_t len = byte >= 0xc2 && byte <= 0xdf ? 2 : byte >= 0xe0 && byte <= 0xef ? 3 : byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
    if (len == 0 || len > text.len - at) {
        return 0;
    }
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = byte & (0xffu >> (len + 1));
    for (size_t more = 1; more < len; more++) {
        byte = (unsigned char)text.data[at + more];
        if ((byte & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte & 0x3fu);
    }
    if (value < LEAST[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *character = value;
    return len;
}

size_t sb_put_character(char *to, uint32_t character) {
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    size_t len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t at = len - 1; at > 0; at--) {
        to[at] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    to[0] = (char)((0xf00u >> len & 0xf0u) | character);
    return len;
}

/// How many bytes from `at` on are UTF-8.
static size_t valid_bytes(sb_text text, size_t at) {
    size_t begin = at;
    while (at < text.len) {
        uint32_t character;
        size_t len = sb_character(text, at, &character);
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at - begin;
}

bool sb_is_utf8(sb_text text) {
    return valid_bytes(text, 0) == text.len;
}

sb_text sb_utf8(sb_bytes bytes) {
    size_t at = valid_bytes(bytes, 0);
    if (at == bytes.len) {
        return bytes;
    }
    sb_buffer mended = {0};
    sb_buffer_add(&mended, sb_slice(bytes, 0, at));
    while (at < bytes.len) {
        sb_buffer_add(&mended, SB(REPLACEMENT));
        at++;
        size_t valid = valid_bytes(bytes, at);
        sb_buffer_add(&mended, sb_slice(bytes, at, at + valid));
        at += valid;
    }
    return (sb_text){mended.data, mended.len};
}

sb_text sb_cut(sb_text text, size_t bytes_max) {
    size_t mark = sizeof(ELLIPSIS) - 1;
    if (text.len <= bytes_max || bytes_max < mark) {
        return sb_slice(text, 0, bytes_max);
    }
    size_t len = bytes_max - mark;
    while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80) {
        len--;
    }
    sb_buffer cut = {0};
    sb_buffer_add(&cut, sb_slice(text, 0, len));
    sb_buffer_add(&cut, SB(ELLIPSIS));
    return (sb_text){cut.data, cut.len};
}

static void make_room(sb_buffer *buffer, size_t bytes) {
    if (bytes > buffer->room - buffer->len) {
        size_t room = buffer->room < 32 ? 64 : 2 * buffer->room;
        if (room < buffer->len + bytes) {
            room = buffer->len + bytes;
        }
        buffer->data = sb_resize(buffer->data, buffer->room, room);
        buffer->room = room;
    }
}

void sb_buffer_add(sb_buffer *buffer, sb_text text) {
    if (text.len > 0) {
        make_room(buffer, text.len);
        memcpy(buffer->data + buffer->len, text.data, text.len);
        buffer->len += text.len;
    }
}

void sb_buffer_fill(sb_buffer *buffer, char byte, size_t count) {
    if (count > 0) {
        make_room(buffer, count);
        memset(buffer->data + buffer->len, byte, count);
        buffer->len += count;
    }
}

void *sb_grown(const void *items, size_t len, size_t item_bytes) {
    // Full at 0, 4, 8, 16, ...
    bool is_full = len == 0 || (len >= 4 && (len & (len - 1)) == 0);
    if (!is_full) {
        return (void *)(uintptr_t)items;
    }
    size_t room = len == 0 ? 4 : 2 * len;
    return sb_resize((void *)(uintptr_t)items, len * item_bytes, room * item_bytes);
}
