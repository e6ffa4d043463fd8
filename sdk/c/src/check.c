/// `check.run`: find the kind, read the configuration, run, fit the report into the contract's bounds.
#include "internal.h"

static const sb_check *find_kind(sb_text name) {
    for (const sb_check *const *check = sickbay_plugin.checks; check != NULL && *check != NULL; check++) {
        if (sb_is(name, (*check)->name)) {
            return *check;
        }
    }
    return NULL;
}

static sb_error run(const sb_check_request *request, sb_report *report) {
    const sb_check *check = find_kind(request->kind);
    if (check == NULL) {
        // The host asks only for kinds that `describe` named, so this is a mistake of one of the two.
        return sb_internal_error("this plugin has no kind of check named %.*s", SB_F(request->kind));
    }
    const void *config;
    SB_TRY(sb_config_of(check->fields, check->config_bytes, check->config_schema, request->config, &config));
    return check->run(request, config, report);
}

const void *sb_run_(const void *asked) {
    sb_run_answer *answer = sb_alloc(sizeof(sb_run_answer));
    sb_report report = {0};
    sb_error error = run(asked, &report);
    if (error.blame == SB_BLAME_PLUGIN) {
        answer->is_error = true;
        answer->error = sb_failure_of(error);
        return answer;
    }
    if (sb_failed(error)) {
        // What was found before it stays.
        sb_report_critical(&report, sb_string(error.kind), "%.*s", SB_F(error.message));
    }
    sb_fit(&report);
    answer->ok = report;
    return answer;
}
