/// Connections and names below HTTP.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"}, // invalid
    {SB_BLAME_PLUGIN, "quota"},         // quota
    {SB_BLAME_SERVICE, "dns"},          // dns
    {SB_BLAME_SERVICE, "refused"},      // refused
    {SB_BLAME_SERVICE, "connection"},   // connect
    {SB_BLAME_SERVICE, "tls"},          // tls
    {SB_BLAME_SERVICE, "timeout"},      // timeout
    {SB_BLAME_SERVICE, "protocol"},     // closed
    {SB_BLAME_SERVICE, "connection"},   // other
};

sb_error sb_net_connect(const sb_net_target *target, sb_connection *connection) {
    sb_net_target clean = *target;
    clean.address = sb_utf8(clean.address);
    clean.server_name.value = sb_utf8(clean.server_name.value);
    clean.extras = sb_utf8_labels(clean.extras);
    sb_connect_result result;
    sb_wire_net_connect(&clean, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    connection->handle_ = result.ok;
    return SB_OK;
}

sb_net_opened sb_net_opened_of(sb_connection connection) {
    sb_net_opened opened;
    sb_wire_net_opened(connection.handle_, &opened);
    return opened;
}

sb_error sb_net_send(sb_connection connection, sb_bytes bytes) {
    sb_nothing_result result;
    sb_wire_net_send(connection.handle_, bytes, &result);
    return result.is_error ? SB_MEANT(MEANINGS, &result.error) : SB_OK;
}

sb_error sb_net_receive(sb_connection connection, sb_bytes until, uint32_t bytes_max, sb_optional_u32 timeout_ms, sb_bytes *bytes) {
    sb_text_result result;
    sb_wire_net_receive(connection.handle_, until, bytes_max, timeout_ms, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *bytes = result.ok;
    return SB_OK;
}

sb_error sb_net_receive_line(sb_connection connection, sb_text *line) {
    sb_bytes bytes;
    SB_TRY(sb_net_receive(connection, SB("\n"), SB_NET_LINE_BYTES_MAX, (sb_optional_u32){0}, &bytes));
    bytes.len -= sb_ends_with(bytes, "\n");
    bytes.len -= sb_ends_with(bytes, "\r");
    *line = sb_utf8(bytes);
    return SB_OK;
}

sb_error sb_net_start_tls(sb_connection connection, sb_tls_session *session) {
    sb_session_result result;
    sb_wire_net_start_tls(connection.handle_, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *session = result.ok;
    return SB_OK;
}

void sb_net_close(sb_connection connection) {
    sb_wire_net_drop(connection.handle_);
}

sb_error sb_net_resolve(sb_text name, const char *kind, sb_dns_answer *answer) {
    sb_dns_result result;
    sb_wire_net_resolve(sb_utf8(name), sb_text_of(kind), &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *answer = result.ok;
    return SB_OK;
}
