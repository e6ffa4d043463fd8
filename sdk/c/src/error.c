/// Making errors.
#include "internal.h"

static sb_error blamed(sb_blame blame, const char *kind, sb_text message) {
    sb_error error = {.blame = blame, .kind = sb_text_of(kind), .message = message};
    return error;
}

bool sb_error_is(sb_error error, const char *kind) {
    return sb_failed(error) && sb_is(error.kind, kind);
}

#define FORMATTED_(message, format)                      \
    va_list arguments;                                   \
    va_start(arguments, format);                         \
    sb_text message = sb_format_list(format, arguments); \
    va_end(arguments)

sb_error sb_service_error(const char *failure, const char *format, ...) {
    FORMATTED_(message, format);
    sb_error error = blamed(SB_BLAME_SERVICE, "", message);
    error.kind = sb_copy(sb_text_of(failure));
    return error;
}

sb_error sb_configuration_error(const char *format, ...) {
    FORMATTED_(message, format);
    return blamed(SB_BLAME_PLUGIN, "configuration", message);
}

sb_error sb_quota_error(const char *format, ...) {
    FORMATTED_(message, format);
    return blamed(SB_BLAME_PLUGIN, "quota", message);
}

sb_error sb_internal_error(const char *format, ...) {
    FORMATTED_(message, format);
    return blamed(SB_BLAME_PLUGIN, "internal", message);
}

sb_error sb_permanent_error(const char *format, ...) {
    FORMATTED_(message, format);
    sb_error error = blamed(SB_BLAME_SERVICE, "refused", message);
    error.is_for_good = true;
    return error;
}

sb_error sb_retry_error(uint32_t after_ms, const char *format, ...) {
    FORMATTED_(message, format);
    sb_error error = blamed(SB_BLAME_SERVICE, "unavailable", message);
    if (after_ms > 0) {
        error.retry_after_ms = sb_some_u32(after_ms);
    }
    return error;
}

sb_error sb_denied(const sb_denial *denial) {
    sb_text message = denial->reason;
    if (denial->hint.len > 0) {
        message = sb_format("%.*s; hint: %.*s", SB_F(denial->reason), SB_F(denial->hint));
    }
    return blamed(SB_BLAME_PLUGIN, "denied", message);
}

sb_error sb_meant(const sb_meaning *meanings, size_t count, const sb_wire_error *error) {
    if (error->tag == 0) {
        return sb_denied(&error->denied);
    }
    if (error->tag > count) {
        return sb_internal_error("the host answered with an error that this plugin does not know");
    }
    const sb_meaning *meaning = &meanings[error->tag - 1];
    return blamed(meaning->blame, meaning->kind, error->message);
}
