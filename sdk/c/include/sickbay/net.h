/// Connections and names below HTTP, as far as `grants = { net = [...] }` allows: `tcp://host:port`, `tls://host:port`, `unix:///path`,
/// `dns://name`.
///
///     sb_connection connection;
///     SB_TRY(sb_net_connect(&(sb_net_target){.address = SB("mail.internal:25")}, &connection));
///     SB_TRY(sb_net_receive_line(connection, &banner));
///     sb_net_close(connection);
///
/// At most 8 connections are open at once; what is open at the end of the run is closed then.
#pragma once

#include "error.h"
#include "types.h"

/// The longest line that `sb_net_receive_line` reads.
#define SB_NET_LINE_BYTES_MAX (8u << 10)

/// The failure kinds that a call may end with.
#define SB_NET_FAILURES "dns", "refused", "connection", "tls", "timeout", "protocol"

/// Where to connect and how.
typedef struct {
    /// `host:port` or `unix:/path`
    sb_text address;
    /// From the first byte.
    bool tls;
    /// For SNI and the certificate, where it is not the host of `address`; also for `sb_net_start_tls`.
    sb_optional_text server_name;
    /// Go on with a certificate that is not trusted; `untrusted` of the session says why.
    bool accept_untrusted;
    /// Connecting, with TLS.
    sb_optional_u32 timeout_ms;
    sb_labels extras;
} sb_net_target;

/// What is known of a connection since it was opened.
typedef struct {
    /// Address and port that answered, or the path of the UNIX socket.
    sb_text peer;
    /// Of the lookup, the connection and the handshake.
    sb_timings timings;
    /// Absent without TLS.
    sb_optional_tls_session tls;
} sb_net_opened;

/// A connection that stands.
typedef struct {
    uint32_t handle_;
} sb_connection;

/// What a lookup found.
typedef struct {
    /// The records as text, in the order they came: `10 mail.example.com`.
    sb_texts records;
    /// The lowest time to live among them, where it is known.
    sb_optional_u32 ttl_seconds;
    uint32_t elapsed_us;
} sb_dns_answer;

/// A port is open when this is ok.
SB_MUST_USE_ sb_error sb_net_connect(const sb_net_target *target, sb_connection *connection);
/// The peer, the phases and the session, as they were when it was opened.
sb_net_opened sb_net_opened_of(sb_connection connection);
/// At most 1 MiB. Placeholders of secrets are filled in by the host.
SB_MUST_USE_ sb_error sb_net_send(sb_connection connection, sb_bytes bytes);
/// Up to and with `until`; where that is empty, exactly `bytes_max`, fewer when the peer closed. At most 1 MiB.
SB_MUST_USE_ sb_error sb_net_receive(sb_connection connection, sb_bytes until, uint32_t bytes_max, sb_optional_u32 timeout_ms,
                                     sb_bytes *bytes);
/// A line as text, without its end.
SB_MUST_USE_ sb_error sb_net_receive_line(sb_connection connection, sb_text *line);
/// STARTTLS: from here on it is encrypted.
SB_MUST_USE_ sb_error sb_net_start_tls(sb_connection connection, sb_tls_session *session);
/// Closes it. It must not be used afterwards.
void sb_net_close(sb_connection connection);

/// `kind`: A, AAAA, CNAME, MX, TXT, SRV, NS, ...
SB_MUST_USE_ sb_error sb_net_resolve(sb_text name, const char *kind, sb_dns_answer *answer);
