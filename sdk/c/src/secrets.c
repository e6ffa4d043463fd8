/// Uses of a secret.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"}, // invalid
    {SB_BLAME_PLUGIN, "quota"},         // quota
    {SB_BLAME_SERVICE, "secret"},       // other
};

sb_error sb_secret_inspect(sb_text secret, sb_secret_info *info) {
    sb_secret_info_result result;
    sb_wire_secrets_inspect(sb_utf8(secret), &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *info = result.ok;
    return SB_OK;
}

sb_error sb_secret_sign(sb_text secret, const char *algorithm, sb_text prefix, sb_bytes data, sb_texts *signatures) {
    sb_texts_result result;
    sb_wire_secrets_sign(sb_utf8(secret), sb_text_of(algorithm), sb_utf8(prefix), data, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *signatures = result.ok;
    return SB_OK;
}

sb_error sb_secret_encode(sb_text text, const char *encoding, sb_text *placeholder) {
    sb_text_result result;
    sb_wire_secrets_encode(sb_utf8(text), sb_text_of(encoding), &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *placeholder = result.ok;
    return SB_OK;
}
