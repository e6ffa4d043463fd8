/// What all kinds have in common: their configuration, and what becomes of an error.
#include "internal.h"

sb_failure sb_failure_of(sb_error error) {
    return (sb_failure){sb_utf8(error.kind), sb_cut(sb_utf8(error.message), SB_FAILURE_MESSAGE_BYTES_MAX), {0}};
}

sb_error sb_config_of(const sb_field *fields, size_t config_bytes, const char *config_schema, sb_text json, const void **config) {
    *config = NULL;
    if (config_schema != NULL) {
        return SB_OK;
    }
    // A struct that is at least there, for a table without fields.
    void *place = sb_alloc(config_bytes > 0 ? config_bytes : 1);
    SB_TRY(sb_config_read(fields, json, place));
    *config = config_bytes > 0 ? place : NULL;
    return SB_OK;
}

void sb_forget_(const void *answer) {
    (void)answer;
    sb_memory_reset();
}
