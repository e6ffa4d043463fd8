/// `recovery.plan`, `act` and `follow`.
///
/// A service that refuses a step has not done it: that is an outcome. What a plan or a question could not find out is a failure, and the
/// host asks again.
#include "internal.h"

static sb_error find_kind(const sb_recovery_request *request, const sb_recovery **found, const void **config) {
    for (const sb_recovery *const *recovery = sickbay_plugin.recoveries; recovery != NULL && *recovery != NULL; recovery++) {
        if (sb_is(request->kind, (*recovery)->name)) {
            *found = *recovery;
            const sb_recovery *kind = *recovery;
            return sb_config_of(kind->fields, kind->config_bytes, kind->config_schema, request->config, config);
        }
    }
    return sb_internal_error("this plugin has no kind of recovery named %.*s", SB_F(request->kind));
}

static sb_error plan(const sb_recovery_request *request, sb_plan *plan) {
    const sb_recovery *recovery;
    const void *config;
    SB_TRY(find_kind(request, &recovery, &config));
    SB_TRY(recovery->plan(request, config, plan));
    if (plan->len > SB_ACTIONS_MAX) {
        return sb_internal_error("the plan has %zu steps; hint: at most %d", plan->len, SB_ACTIONS_MAX);
    }
    return SB_OK;
}

const void *sb_plan_(const void *asked) {
    sb_plan_answer *answer = sb_alloc(sizeof(sb_plan_answer));
    sb_plan steps = {0};
    sb_error error = plan(asked, &steps);
    answer->is_error = sb_failed(error);
    if (answer->is_error) {
        answer->error = sb_failure_of(error);
    } else {
        answer->ok = steps;
    }
    return answer;
}

/// What is read by people is cut; a step that is running is asked after within the contract's bounds.
static void fit(sb_progress *progress) {
    if (progress->kind == SB_PROGRESS_DONE) {
        progress->done.reason = sb_cut(sb_utf8(progress->done.reason), SB_SUMMARY_BYTES_MAX);
        return;
    }
    sb_running *running = &progress->running;
    running->summary = sb_cut(sb_utf8(running->summary), SB_SUMMARY_BYTES_MAX);
    if (running->again_after_ms < SB_AGAIN_AFTER_MS_MIN) {
        running->again_after_ms = SB_AGAIN_AFTER_MS_MIN;
    } else if (running->again_after_ms > SB_AGAIN_AFTER_MS_MAX) {
        running->again_after_ms = SB_AGAIN_AFTER_MS_MAX;
    }
}

static const void *progress_or(sb_error error, sb_progress *progress) {
    sb_progress_answer *answer = sb_alloc(sizeof(sb_progress_answer));
    answer->is_error = sb_failed(error);
    if (answer->is_error) {
        answer->error = sb_failure_of(error);
    } else {
        fit(progress);
        answer->ok = *progress;
    }
    return answer;
}

const void *sb_act_(const void *asked) {
    const sb_act_asked *act = asked;
    const sb_recovery *recovery;
    const void *config;
    sb_progress progress = {0};
    sb_error error = find_kind(&act->request, &recovery, &config);
    if (!sb_failed(error)) {
        error = recovery->act(&act->request, config, &act->action, &progress);
    }
    if (error.blame == SB_BLAME_SERVICE) {
        sb_step_failed(&progress, "%.*s: %.*s", SB_F(error.kind), SB_F(error.message));
        error = SB_OK;
    }
    return progress_or(error, &progress);
}

static sb_error follow(const sb_follow_asked *asked, sb_progress *progress) {
    const sb_recovery *recovery;
    const void *config;
    SB_TRY(find_kind(&asked->request, &recovery, &config));
    if (recovery->follow == NULL) {
        return sb_internal_error("the recovery %s cannot follow a step; hint: give it a `follow`", recovery->name);
    }
    sb_json token;
    sb_text why;
    if (!sb_json_parse(asked->token, &token, &why)) {
        return sb_internal_error("the token is not JSON: %.*s", SB_F(why));
    }
    return recovery->follow(&asked->request, config, &asked->action, token, progress);
}

const void *sb_follow_(const void *asked) {
    sb_progress progress = {0};
    return progress_or(follow(asked, &progress), &progress);
}

void sb_plan_add(sb_plan *plan, sb_action action) {
    sb_action *actions = sb_grown(plan->actions, plan->len, sizeof(sb_action));
    actions[plan->len] = (sb_action){
        sb_kept(action.id),
        sb_cut(sb_kept(action.title), SB_SUMMARY_BYTES_MAX),
        sb_cut(sb_kept(action.target), SB_SUMMARY_BYTES_MAX),
        action.idempotent,
        action.parameters.len == 0 ? SB("null") : sb_kept(action.parameters),
        sb_kept_labels(action.extras),
    };
    *plan = (sb_plan){actions, plan->len + 1};
}

/// The outcome of a step, which it becomes where it is none.
static sb_outcome *outcome(sb_progress *progress) {
    if (progress->kind != SB_PROGRESS_DONE) {
        memset(progress, 0, sizeof(*progress));
    }
    return &progress->done;
}

#define FORMATTED_(text)                                       \
    va_list arguments;                                         \
    va_start(arguments, format);                               \
    sb_text text = sb_utf8(sb_format_list(format, arguments)); \
    va_end(arguments)

void sb_step_done(sb_progress *progress, const char *format, ...) {
    FORMATTED_(reason);
    outcome(progress)->success = true;
    progress->done.reason = reason;
}

void sb_step_failed(sb_progress *progress, const char *format, ...) {
    FORMATTED_(reason);
    outcome(progress)->success = false;
    progress->done.reason = reason;
}

void sb_step_running(sb_progress *progress, sb_text token, uint32_t again_after_ms, const char *format, ...) {
    FORMATTED_(summary);
    memset(progress, 0, sizeof(*progress));
    progress->kind = SB_PROGRESS_RUNNING;
    progress->running = (sb_running){token.len == 0 ? SB("null") : sb_kept(token), summary, again_after_ms};
}

void sb_step_did(sb_progress *progress, const char *format, ...) {
    FORMATTED_(action);
    sb_outcome *done = outcome(progress);
    sb_text *items = sb_grown(done->actions.items, done->actions.len, sizeof(sb_text));
    items[done->actions.len] = sb_cut(action, SB_SUMMARY_BYTES_MAX);
    done->actions = (sb_texts){items, done->actions.len + 1};
}

void sb_step_recommend(sb_progress *progress, const char *format, ...) {
    FORMATTED_(recommendation);
    outcome(progress)->recommendation = sb_some(sb_cut(recommendation, SB_SUMMARY_BYTES_MAX));
}

void sb_step_details(sb_progress *progress, sb_text json_object) {
    if (json_object.len <= SB_DETAILS_BYTES_MAX) {
        outcome(progress)->details = sb_some(sb_kept(json_object));
    }
}
