/// The plugin that the SDK's own tests run.
#pragma once

#include "sickbay/testing.h"

struct fetch_config {
    sb_text url;
    double limit;
    int64_t count;
    uint32_t timeout_ms;
    bool strict;
    sb_text level;
    sb_texts names;
    sb_json extra;
};

extern const sb_field fetch_fields[];

/// Asks a URL, and says what its body as a number is.
extern const sb_check fetch;
/// Does what a test says, with a configuration of its own schema.
extern const sb_check anything;
extern const sb_recovery mend;
extern const sb_recovery unfollowed;
extern const sb_sink tell;

/// What `anything` does.
extern sb_error (*do_anything)(const sb_check_request *request, sb_report *report);
/// What `mend` does in `act` and `follow`.
extern sb_error (*do_step)(const sb_recovery_request *request, const sb_action *action, sb_progress *progress);
/// What `tell` does.
extern sb_error (*do_deliver)(const sb_sink_request *request, sb_receipt *receipt);

/// Runs `anything` with that function.
sb_ran run_anything(sb_error (*function)(const sb_check_request *request, sb_report *report));
