/// Small values kept between the runs of one check and target: rates, trends, cursors.
///
/// 64 keys of 128 bytes, 16 KiB in all. They are read before the run and written with its result: a run that fails writes nothing.
#pragma once

#include "error.h"

/// What was put under that key, by an earlier run or by this one.
bool sb_state_get(sb_text key, sb_bytes *value);
/// Keeps a value; the error says which bound it passes.
SB_MUST_USE_ sb_error sb_state_put(sb_text key, sb_bytes value);
/// Forgets a key.
void sb_state_remove(sb_text key);

/// What was put with `sb_state_put_number`. What cannot be read (another version of the plugin wrote it) counts as absent.
bool sb_state_get_number(sb_text key, double *number);
/// Keeps a number as text.
SB_MUST_USE_ sb_error sb_state_put_number(sb_text key, double number);
