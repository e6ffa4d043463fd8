/// Log lines and the time of day.
#include "internal.h"

sb_labels sb_utf8_labels(sb_labels labels) {
    bool is_clean = true;
    for (size_t at = 0; at < labels.len; at++) {
        is_clean = is_clean && sb_is_utf8(labels.items[at].name) && sb_is_utf8(labels.items[at].value);
    }
    return is_clean ? labels : sb_kept_labels(labels);
}

static void write(sb_level level, sb_labels fields, sb_text message) {
    sb_wire_log_write(level, sb_utf8(message), sb_utf8_labels(fields));
}

void sb_log(sb_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write(level, (sb_labels){0}, sb_format_list(format, arguments));
    va_end(arguments);
}

void sb_log_with(sb_level level, sb_labels fields, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write(level, fields, sb_format_list(format, arguments));
    va_end(arguments);
}

uint64_t sb_now_ms(void) {
    return sb_wire_now_ms();
}
