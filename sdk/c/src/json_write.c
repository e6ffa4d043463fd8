/// Writing JSON.
#include "internal.h"

static void add(sb_json_writer *writer, sb_text text) {
    sb_buffer buffer = {writer->data_, writer->len_, writer->room_};
    sb_buffer_add(&buffer, text);
    writer->data_ = buffer.data;
    writer->len_ = buffer.len;
    writer->room_ = buffer.room;
}

static void add_quoted(sb_json_writer *writer, sb_text text) {
    text = sb_utf8(text);
    add(writer, SB("\""));
    size_t begin = 0;
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.data[at];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        add(writer, sb_slice(text, begin, at));
        begin = at + 1;
        switch (byte) {
        case '"': add(writer, SB("\\\"")); break;
        case '\\': add(writer, SB("\\\\")); break;
        case '\n': add(writer, SB("\\n")); break;
        case '\r': add(writer, SB("\\r")); break;
        case '\t': add(writer, SB("\\t")); break;
        default: add(writer, sb_format("\\u%04x", byte)); break;
        }
    }
    add(writer, sb_slice(text, begin, text.len));
    add(writer, SB("\""));
}

/// What stands before a value.
static void begin_element(sb_json_writer *writer, const char *key) {
    if (writer->has_elements_) {
        add(writer, SB(","));
    }
    if ((writer->arrays_ & 1) == 0 && writer->depth_ > 0) {
        add_quoted(writer, sb_text_of(key));
        add(writer, SB(":"));
    }
    writer->has_elements_ = true;
}

static void open(sb_json_writer *writer, bool is_array) {
    add(writer, is_array ? SB("[") : SB("{"));
    writer->arrays_ = writer->arrays_ << 1 | is_array;
    writer->depth_++;
    writer->has_elements_ = false;
}

sb_json_writer sb_json_object(void) {
    sb_json_writer writer = {0};
    open(&writer, false);
    return writer;
}

sb_json_writer sb_json_array(void) {
    sb_json_writer writer = {0};
    open(&writer, true);
    return writer;
}

void sb_put_text(sb_json_writer *writer, const char *key, sb_text text) {
    begin_element(writer, key);
    add_quoted(writer, text);
}

void sb_put_format(sb_json_writer *writer, const char *key, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    sb_put_text(writer, key, sb_format_list(format, arguments));
    va_end(arguments);
}

void sb_put_number(sb_json_writer *writer, const char *key, double number) {
    begin_element(writer, key);
    add(writer, sb_is_finite(number) ? sb_number_text(number) : SB("null"));
}

void sb_put_int(sb_json_writer *writer, const char *key, int64_t number) {
    begin_element(writer, key);
    add(writer, sb_format("%lld", (long long)number));
}

void sb_put_bool(sb_json_writer *writer, const char *key, bool is_so) {
    begin_element(writer, key);
    add(writer, is_so ? SB("true") : SB("false"));
}

void sb_put_null(sb_json_writer *writer, const char *key) {
    begin_element(writer, key);
    add(writer, SB("null"));
}

void sb_put_json(sb_json_writer *writer, const char *key, sb_json value) {
    begin_element(writer, key);
    add(writer, value.source.len == 0 ? SB("null") : value.source);
}

void sb_put_object(sb_json_writer *writer, const char *key) {
    begin_element(writer, key);
    open(writer, false);
}

void sb_put_array(sb_json_writer *writer, const char *key) {
    begin_element(writer, key);
    open(writer, true);
}

void sb_put_end(sb_json_writer *writer) {
    if (writer->depth_ > 0) {
        add(writer, (writer->arrays_ & 1) != 0 ? SB("]") : SB("}"));
        writer->arrays_ >>= 1;
        writer->depth_--;
        writer->has_elements_ = true;
    }
}

sb_text sb_json_end(sb_json_writer *writer) {
    while (writer->depth_ > 0) {
        sb_put_end(writer);
    }
    return (sb_text){writer->data_, writer->len_};
}
