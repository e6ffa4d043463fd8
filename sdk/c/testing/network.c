/// The scripted host: connections and lookups.
#include "fake.h"

static const char *const ERRORS[] = {"denied", "invalid", "quota", "dns", "refused", "connect", "tls", "timeout", "closed", "other", NULL};

/// A connection that is scripted: an error, or what its peer says.
typedef struct {
    bool is_error;
    sb_wire_error error;
    /// What was not read yet.
    sb_text left;
    bool is_open;
    sb_net_target target;
} dialogue;

static dialogue *dialogues;
static size_t dialogues_len, dialogues_given;
static sb_dns_result *lookups;
static size_t lookups_len, lookups_given;

void sb_fake_reset_network(void) {
    dialogues = NULL;
    lookups = NULL;
    dialogues_len = dialogues_given = lookups_len = lookups_given = 0;
}

static dialogue *add_dialogue(void) {
    dialogues = sb_grown(dialogues, dialogues_len, sizeof(dialogue));
    dialogue *added = &dialogues[dialogues_len++];
    memset(added, 0, sizeof(*added));
    return added;
}

void sb_fake_net(const char *const *answers) {
    sb_buffer all = {0};
    for (; *answers != NULL; answers++) {
        sb_buffer_add(&all, sb_text_of(*answers));
    }
    add_dialogue()->left = (sb_text){all.data, all.len};
}

void sb_fake_net_error(const char *kind, const char *message) {
    dialogue *failed = add_dialogue();
    failed->is_error = true;
    failed->error = sb_fake_error(ERRORS, kind, message);
}

static sb_dns_result *add_lookup(void) {
    lookups = sb_grown(lookups, lookups_len, sizeof(sb_dns_result));
    sb_dns_result *added = &lookups[lookups_len++];
    memset(added, 0, sizeof(*added));
    return added;
}

void sb_fake_dns(const char *const *records) {
    sb_dns_result *result = add_lookup();
    sb_text *items = NULL;
    size_t len = 0;
    for (; *records != NULL; records++) {
        items = sb_grown(items, len, sizeof(sb_text));
        items[len++] = sb_text_of(*records);
    }
    result->ok = (sb_dns_answer){{items, len}, sb_some_u32(60), 1000};
}

void sb_fake_dns_error(const char *kind, const char *message) {
    sb_dns_result *result = add_lookup();
    result->is_error = true;
    result->error = sb_fake_error(ERRORS, kind, message);
}

void sb_wire_net_connect(const sb_net_target *target, sb_connect_result *result) {
    sb_fake_expect_utf8(target->address);
    sb_net_target *targets = sb_grown(sb_fake.targets, sb_fake.targets_len, sizeof(sb_net_target));
    targets[sb_fake.targets_len] = *target;
    targets[sb_fake.targets_len].address = sb_copy(target->address);
    sb_fake.targets = targets;
    sb_fake.targets_len++;
    if (dialogues_given == dialogues_len) {
        *result = (sb_connect_result){.is_error = true, .error = sb_fake_denied("net")};
        return;
    }
    dialogue *scripted = &dialogues[dialogues_given++];
    if (scripted->is_error) {
        *result = (sb_connect_result){.is_error = true, .error = scripted->error};
        return;
    }
    scripted->is_open = true;
    scripted->target = targets[sb_fake.targets_len - 1];
    *result = (sb_connect_result){.ok = (uint32_t)dialogues_given};
}

static dialogue *open_dialogue(uint32_t connection) {
    if (connection == 0 || connection > dialogues_len || !dialogues[connection - 1].is_open) {
        sb_fake_misused("a connection is used that is not open", sb_format("%u", connection));
    }
    return &dialogues[connection - 1];
}

static sb_tls_session session(void) {
    return (sb_tls_session){.version = SB("TLS 1.3"), .cipher = SB("TLS_AES_128_GCM_SHA256")};
}

void sb_wire_net_opened(uint32_t connection, sb_net_opened *opened) {
    const dialogue *scripted = open_dialogue(connection);
    *opened = (sb_net_opened){.peer = scripted->target.address, .timings = {.connect_us = sb_some_u32(500), .total_us = 500}};
    if (scripted->target.tls) {
        opened->tls = (sb_optional_tls_session){true, session()};
    }
}

void sb_wire_net_send(uint32_t connection, sb_bytes bytes, sb_nothing_result *result) {
    (void)open_dialogue(connection);
    sb_bytes *said = sb_grown(sb_fake.said, sb_fake.said_len, sizeof(sb_bytes));
    said[sb_fake.said_len++] = sb_copy(bytes);
    sb_fake.said = said;
    memset(result, 0, sizeof(*result));
}

void sb_wire_net_receive(uint32_t connection, sb_bytes until, uint32_t bytes_max, sb_optional_u32 timeout_ms, sb_text_result *result) {
    (void)timeout_ms;
    dialogue *scripted = open_dialogue(connection);
    size_t at = until.len == 0 ? SB_NOWHERE : sb_find(scripted->left, until);
    memset(result, 0, sizeof(*result));
    if (until.len > 0 && at == SB_NOWHERE) {
        result->is_error = true;
        result->error = sb_fake_error(ERRORS, "closed", "the peer closed before the answer was whole");
        return;
    }
    size_t len = until.len > 0 ? at + until.len : bytes_max;
    result->ok = sb_slice(scripted->left, 0, len);
    scripted->left = sb_slice(scripted->left, len, scripted->left.len);
}

void sb_wire_net_start_tls(uint32_t connection, sb_session_result *result) {
    open_dialogue(connection)->target.tls = true;
    *result = (sb_session_result){.ok = session()};
}

void sb_wire_net_drop(uint32_t connection) {
    open_dialogue(connection)->is_open = false;
}

void sb_wire_net_resolve(sb_text name, sb_text kind, sb_dns_result *result) {
    sb_text *asked = sb_grown(sb_fake.lookups, sb_fake.lookups_len, sizeof(sb_text));
    asked[sb_fake.lookups_len++] = sb_format("%.*s %.*s", SB_F(kind), SB_F(name));
    sb_fake.lookups = asked;
    if (lookups_given < lookups_len) {
        *result = lookups[lookups_given++];
    } else {
        *result = (sb_dns_result){.is_error = true, .error = sb_fake_denied("net")};
    }
}
