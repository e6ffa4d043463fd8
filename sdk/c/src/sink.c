/// `sink.deliver`. Only what the receiver refused for good is given up; everything else is tried again.
#include "internal.h"

static sb_error deliver(const sb_sink_request *request, sb_receipt *receipt) {
    for (const sb_sink *const *sink = sickbay_plugin.sinks; sink != NULL && *sink != NULL; sink++) {
        const sb_sink *kind = *sink;
        if (sb_is(request->kind, kind->name)) {
            const void *config;
            SB_TRY(sb_config_of(kind->fields, kind->config_bytes, kind->config_schema, request->config, &config));
            return kind->deliver(request, config, receipt);
        }
    }
    return sb_internal_error("this plugin has no kind of sink named %.*s", SB_F(request->kind));
}

const void *sb_deliver_(const void *asked) {
    sb_deliver_answer *answer = sb_alloc(sizeof(sb_deliver_answer));
    sb_receipt receipt = {0};
    sb_error error = deliver(asked, &receipt);
    if (!sb_failed(error)) {
        answer->ok = receipt;
        return answer;
    }
    sb_text message = sb_failure_of(error).message;
    answer->is_error = true;
    answer->error.tag = error.is_for_good ? SB_PERMANENT : SB_RETRYABLE;
    if (error.is_for_good) {
        answer->error.permanent = message;
    } else {
        answer->error.retryable = (sb_retry){message, error.retry_after_ms};
    }
    return answer;
}

void sb_receipt_reference(sb_receipt *receipt, sb_text reference) {
    receipt->reference = sb_some(sb_kept(reference));
}
