/// Log lines, to which the host adds the check's name and the run's id. 64 KiB per run, then counted and dropped.
#pragma once

#include "types.h"

typedef uint8_t sb_level;
enum { SB_TRACE, SB_DEBUG, SB_INFO, SB_WARN, SB_ERROR };

/// One line, like `printf`; at most 4 KiB.
void sb_log(sb_level level, const char *format, ...) SB_PRINTF_(2, 3);
/// One line with fields: `sb_log_with(SB_INFO, SB_LABELS({SB("queue"), name}), "it is long")`.
void sb_log_with(sb_level level, sb_labels fields, const char *format, ...) SB_PRINTF_(3, 4);
