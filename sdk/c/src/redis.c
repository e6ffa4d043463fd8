/// Redis: calls, replies as trees, and what `INFO` says.
#include "internal.h"

/// Arrays in arrays; no command answers deeper.
#define DEPTH_MAX 32

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"},   // invalid
    {SB_BLAME_PLUGIN, "quota"},           // quota
    {SB_BLAME_SERVICE, "connection"},     // connect
    {SB_BLAME_SERVICE, "authentication"}, // authentication
    {SB_BLAME_SERVICE, "timeout"},        // timeout
    {SB_BLAME_SERVICE, "connection"},     // other
};

static sb_error meant(const sb_wire_error *error) {
    sb_error meaning = SB_MEANT(MEANINGS, error);
    // The contract has no case for it; the host's message names the setting that refused.
    if (error->tag == 3 && sb_contains(meaning.message, "`maxclients`")) {
        meaning.kind = SB("too-many-connections");
    }
    return meaning;
}

static uint64_t elements(const sb_redis_node *node) {
    switch (node->kind) {
    case SB_REDIS_ARRAY:
    case SB_REDIS_SET: return node->count;
    case SB_REDIS_MAP: return 2 * (uint64_t)node->count;
    default: return 0;
    }
}

/// Where the tree ends that begins at `at`; 0 where it does not end, or is too deep.
static size_t end_of(sb_reply reply, size_t at) {
    uint64_t left[DEPTH_MAX + 1] = {1};
    size_t depth = 0;
    while (at < reply.len) {
        uint64_t inside = elements(&reply.nodes[at++]);
        left[depth]--;
        if (inside > 0) {
            if (depth == DEPTH_MAX) {
                return 0;
            }
            left[++depth] = inside;
        }
        while (left[depth] == 0) {
            if (depth == 0) {
                return at;
            }
            depth--;
        }
    }
    return 0;
}

static sb_error expect_tree(sb_reply reply) {
    if (reply.len == 0 || end_of(reply, 0) != reply.len) {
        return sb_internal_error("the reply is not a tree of at most %d levels", DEPTH_MAX);
    }
    return SB_OK;
}

sb_error sb_redis_run(sb_text source, sb_texts command, sb_optional_u32 timeout_ms, sb_reply *reply) {
    sb_reply_result result;
    sb_wire_redis_run(sb_utf8(source), command, timeout_ms, &result);
    if (result.is_error) {
        return meant(&result.error);
    }
    *reply = result.ok;
    return expect_tree(*reply);
}

sb_error sb_redis_command(const char *source, sb_texts command, sb_reply *reply) {
    SB_TRY(sb_redis_run(sb_text_of(source), command, (sb_optional_u32){0}, reply));
    return sb_reply_accept(*reply);
}

sb_error sb_redis_run_many(sb_text source, const sb_texts *commands, size_t len, sb_optional_u32 timeout_ms, sb_reply *replies) {
    if (len > SB_REDIS_COMMANDS_MAX) {
        return sb_configuration_error("%zu commands at once; hint: at most %d", len, SB_REDIS_COMMANDS_MAX);
    }
    sb_replies_result result;
    sb_wire_redis_run_many(sb_utf8(source), (sb_commands){commands, len}, timeout_ms, &result);
    if (result.is_error) {
        return meant(&result.error);
    }
    if (result.ok.len != len) {
        return sb_internal_error("the host answered %zu of %zu commands", result.ok.len, len);
    }
    for (size_t at = 0; at < len; at++) {
        SB_TRY(expect_tree(result.ok.items[at]));
        replies[at] = result.ok.items[at];
    }
    return SB_OK;
}

/// What a state of the server begins with.
static const struct {
    const char *word;
    const char *failure;
} STATES[] = {
    {"NOAUTH", "authentication"}, {"WRONGPASS", "authentication"}, {"LOADING", "unavailable"},
    {"BUSY", "unavailable"},      {"MASTERDOWN", "unavailable"},   {"CLUSTERDOWN", "unavailable"},
    {"TRYAGAIN", "unavailable"},  {"MISCONF", "unavailable"},      {"OOM", "memory"},
};

sb_error sb_reply_accept(sb_reply reply) {
    if (reply.nodes[0].kind != SB_REDIS_FAILED) {
        return SB_OK;
    }
    sb_text message = reply.nodes[0].text, word = message, rest = message;
    (void)sb_next_part(&rest, ' ', &word);
    const char *failure = sb_contains(message, "max number of clients") ? "too-many-connections" : NULL;
    for (size_t at = 0; at < sizeof(STATES) / sizeof(STATES[0]); at++) {
        failure = sb_is(word, STATES[at].word) ? STATES[at].failure : failure;
    }
    return failure != NULL ? sb_service_error(failure, "%.*s", SB_F(message)) : sb_configuration_error("%.*s", SB_F(message));
}

bool sb_reply_is_nil(sb_reply reply) {
    return reply.nodes[0].kind == SB_REDIS_NIL;
}

static bool is_text(const sb_redis_node *node) {
    return node->kind == SB_REDIS_SIMPLE || node->kind == SB_REDIS_BULK || node->kind == SB_REDIS_BIG_NUMBER ||
           node->kind == SB_REDIS_OTHER;
}

sb_error sb_reply_number(sb_reply reply, double *number) {
    const sb_redis_node *node = &reply.nodes[0];
    SB_TRY(sb_reply_accept(reply));
    if (node->kind == SB_REDIS_INT) {
        *number = (double)node->integer;
    } else if (node->kind == SB_REDIS_FLOAT && sb_is_finite(node->real)) {
        *number = node->real;
    } else if (node->kind == SB_REDIS_BOOLEAN) {
        *number = node->boolean;
    } else if (!is_text(node) || !sb_to_number(node->text, number)) {
        return sb_service_error("content", "the reply is not a number");
    }
    return SB_OK;
}

sb_error sb_reply_text(sb_reply reply, sb_bytes *text) {
    SB_TRY(sb_reply_accept(reply));
    if (!is_text(&reply.nodes[0])) {
        return sb_service_error("content", "the reply is not a text");
    }
    *text = reply.nodes[0].text;
    return SB_OK;
}

size_t sb_reply_len(sb_reply reply) {
    return (size_t)elements(&reply.nodes[0]);
}

sb_reply sb_reply_item(sb_reply reply, size_t index) {
    static const sb_redis_node NIL = {.kind = SB_REDIS_NIL};
    if (index >= sb_reply_len(reply)) {
        return (sb_reply){&NIL, 1};
    }
    size_t at = 1;
    while (index-- > 0) {
        at = end_of(reply, at);
    }
    return (sb_reply){reply.nodes + at, end_of(reply, at) - at};
}

sb_error sb_redis_info(const char *source, const char *section, sb_text *info) {
    sb_reply reply;
    sb_text text;
    SB_TRY(sb_redis_command(source, SB_TEXTS(SB("INFO"), sb_text_of(section)), &reply));
    SB_TRY(sb_reply_text(reply, &text));
    *info = sb_format("%.*s%.*s\n", SB_F(*info), SB_F(sb_utf8(text)));
    return SB_OK;
}

bool sb_info_text(sb_text info, const char *field, sb_text *value) {
    sb_text line, name, told;
    while (sb_next_line(&info, &line)) {
        if (!sb_starts_with(line, "#") && sb_split(line, ':', &name, &told) && sb_is(name, field)) {
            *value = told;
            return true;
        }
    }
    return false;
}

sb_error sb_info_number(sb_text info, const char *field, double *number) {
    sb_text value;
    if (!sb_info_text(info, field, &value) || !sb_to_number(value, number)) {
        return sb_service_error("content", "INFO tells no number %s", field);
    }
    return SB_OK;
}
