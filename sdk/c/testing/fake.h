/// What the files of the scripted host share.
#pragma once

#include "../src/internal.h"
#include "sickbay/testing.h"

#include <stdio.h>
#include <stdlib.h>

/// Says why, and ends the program: a test that is wrong itself.
_Noreturn void sb_fake_misused(const char *why, sb_text what);
/// The host ends a run that gives it a text that is not UTF-8; this host ends the test.
void sb_fake_expect_utf8(sb_text text);
void sb_fake_expect_utf8_labels(sb_labels labels);

/// An error by its name in the contract. `names` are those of the variant's cases, ended by NULL.
sb_wire_error sb_fake_error(const char *const *names, const char *kind, const char *message);
/// What a test did not script.
sb_wire_error sb_fake_denied(const char *interface);

sb_label *sb_fake_copy_labels(sb_labels labels);

/// Forgets scripts and what was asked.
void sb_fake_reset(void);
void sb_fake_reset_calls(void);
void sb_fake_reset_network(void);
void sb_fake_reset_machine(void);

/// Why a run's report does not keep to what its check says of itself; empty where it does.
sb_text sb_fake_undescribed(const sb_check *check, const sb_ran *ran);
/// Why the host would refuse this plugin; empty where it would not.
sb_text sb_fake_badly_described(void);
