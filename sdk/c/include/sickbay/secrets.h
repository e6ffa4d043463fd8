/// Uses of a secret that never show it, as far as `grants = { secrets = [...] }` allows.
#pragma once

#include "error.h"
#include "types.h"

/// What may be known of a secret.
typedef struct {
    /// Milliseconds since 1970, where the host can know it.
    sb_optional_u64 changed_at_ms;
    /// 2 while one is being rotated.
    uint32_t versions;
} sb_secret_info;

/// Tells when a secret changed, never what it is.
SB_MUST_USE_ sb_error sb_secret_inspect(sb_text secret, sb_secret_info *info);
/// One signature per active version, newest first. `algorithm`: `hmac-sha256`, `hmac-sha512`, `hmac-sha1`. The key is `prefix` and then the
/// secret; at most 1 MiB of data.
SB_MUST_USE_ sb_error sb_secret_sign(sb_text secret, const char *algorithm, sb_text prefix, sb_bytes data, sb_texts *signatures);
/// A new placeholder for `text` in `encoding` (`base64`, `percent`) with the placeholders in it filled.
SB_MUST_USE_ sb_error sb_secret_encode(sb_text text, const char *encoding, sb_text *placeholder);
