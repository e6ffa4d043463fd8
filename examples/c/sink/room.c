/// `room`: posts alerts to a chat room as one message for each group, and edits that message when things change.
///
/// What it shows: a delivery with its key, a reference that comes back, a secret that the plugin never sees, and which refusals are for
/// good.

#include <sickbay/sickbay.h>

#define ALERTS_TOLD_MAX 10

struct config {
    sb_text url;
    sb_text token;
};

static const sb_field fields[] = {
    SB_FIELD(struct config, url, "Of the room's messages", .required = true, .pattern = "^https?://"),
    SB_FIELD(struct config, token, "Sent as a bearer token; write `{{secret:NAME}}`"),
    SB_FIELD_END,
};

static const char *sign_of(sb_phase phase) {
    static const char *const SIGNS[] = {[SB_FIRING] = "🔴", [SB_ACKNOWLEDGED] = "🟡", [SB_RESOLVED] = "🟢"};
    return phase < SB_OTHER_PHASE ? SIGNS[phase] : "";
}

/// One line for each alert.
static sb_text text_of(const sb_notification *notification) {
    sb_text text = SB("");
    size_t told = 0;
    double left_out = 0;
    for (; told < notification->alerts.len && told < ALERTS_TOLD_MAX; told++) {
        const sb_alert *alert = &notification->alerts.items[told];
        text = sb_format("%.*s%s%s %.*s: %.*s", SB_F(text), told == 0 ? "" : "\n", sign_of(alert->phase), SB_F(alert->check),
                         SB_F(alert->summary));
    }
    (void)sb_to_number(sb_label_value(notification->extras, "more"), &left_out);
    left_out += (double)(notification->alerts.len - told);
    return left_out > 0 ? sb_format("%.*s\nand %g more", SB_F(text), left_out) : text;
}

static sb_error deliver(const sb_sink_request *request, const void *configured, sb_receipt *receipt) {
    const struct config *config = configured;
    const sb_notification *notification = &request->notification;
    if (notification->phase >= SB_OTHER_PHASE) {
        return SB_OK;
    }
    sb_json_writer body = sb_json_object();
    sb_put_text(&body, "text", text_of(notification));
    sb_header headers[] = {
        {SB("content-type"), SB("application/json")},
        {SB("idempotency-key"), notification->idempotency_key},
        {SB("authorization"), sb_format("Bearer %.*s", SB_F(config->token))},
    };
    bool is_known = notification->reference.is_some;
    sb_http_request message = {
        .method = is_known ? SB("PUT") : SB("POST"),
        .url = is_known ? sb_format("%.*s/%.*s", SB_F(config->url), SB_F(notification->reference.value)) : config->url,
        .headers = {headers, config->token.len > 0 ? 3 : 2},
        .body = sb_some(sb_json_end(&body)),
    };
    sb_http_response response;
    sb_json posted;
    sb_text id;
    SB_TRY(sb_http_send(&message, NULL, &response));
    SB_TRY(sb_http_expect_success(&response));
    SB_TRY(sb_http_json(&response, &posted));
    SB_TRY(sb_json_text(posted, "/id", &id));
    sb_receipt_reference(receipt, id);
    return SB_OK;
}

SB_SINK(room, "room", "Posts alerts to a chat room",
        .example = "{\"url\": \"https://chat.example.com/rooms/1/messages\", \"token\": \"{{secret:chat-token}}\"}",
        SB_CONFIG(struct config, fields),
        .needs = SB_NEEDS({"http", "posts and edits messages", "http = [\"POST {url}\", \"PUT {url}/*\"]"},
                          {"secrets", "logs in", "secrets = [{ name = \"chat-token\", to = [\"{url}*\"] }]"}),
        .deliver = deliver);

SB_SINK_PLUGIN("room", "0.1.0", "Posts alerts to a chat room", .sinks = SB_SINKS(&room), .licence = "Apache-2.0");
