/// Small values kept between runs.
#include "internal.h"

bool sb_state_get(sb_text key, sb_bytes *value) {
    sb_optional_text kept;
    sb_wire_state_get(sb_utf8(key), &kept);
    if (kept.is_some) {
        *value = kept.value;
    }
    return kept.is_some;
}

sb_error sb_state_put(sb_text key, sb_bytes value) {
    sb_put_result result;
    sb_wire_state_put(sb_utf8(key), value, &result);
    return result.is_error ? sb_quota_error("%.*s", SB_F(result.error)) : SB_OK;
}

void sb_state_remove(sb_text key) {
    sb_wire_state_remove(sb_utf8(key));
}

bool sb_state_get_number(sb_text key, double *number) {
    sb_bytes value;
    return sb_state_get(key, &value) && sb_to_number(value, number);
}

sb_error sb_state_put_number(sb_text key, double number) {
    return sb_state_put(key, sb_number_text(number));
}
