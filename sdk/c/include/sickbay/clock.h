/// What time it is. Tests set it.
#pragma once

#include <stdint.h>

/// Milliseconds since 1970, by the host's clock.
uint64_t sb_now_ms(void);
