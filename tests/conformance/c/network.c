/// The kinds `http`, `net` and `dns`.
#include "conformance.h"

/// A longer body is told by its length and a digest.
#define BODY_BYTES_TOLD_MAX 256
#define LINE_BYTES_MAX 1024
#define BEHIND_TLS_BYTES 4

#define PHASES                                                                                            \
    SB_METRICS({"dns_seconds", SB_GAUGE, "seconds", "looking the name up"},                               \
               {"connect_seconds", SB_GAUGE, "seconds", "opening the connection"},                        \
               {"tls_seconds", SB_GAUGE, "seconds", "the TLS handshake"},                                 \
               {"first_byte_seconds", SB_GAUGE, "seconds", "from the request to the first byte of the answer"}, \
               {"total_seconds", SB_GAUGE, "seconds", "the whole exchange"})

struct http_config {
    sb_texts urls;
    sb_text method;
    sb_text body;
    uint32_t redirects_max;
    uint32_t body_bytes_max;
    bool accept_untrusted;
    bool together;
    bool tell_errors;
};

static const sb_field http_fields[] = {
    SB_FIELD(struct http_config, urls, "Where to", .required = true),
    SB_FIELD(struct http_config, method, "GET, POST, ...", .default_text = "GET"),
    SB_FIELD(struct http_config, body, "What is sent, as `text/plain`; nothing where it is empty"),
    SB_FIELD(struct http_config, redirects_max, "Redirects that are followed", .default_number = SB_HTTP_REDIRECTS_MAX_DEFAULT,
             .bounds = SB_BETWEEN(0, 10)),
    SB_FIELD(struct http_config, body_bytes_max, "0: as many as there are unless told otherwise"),
    SB_FIELD(struct http_config, accept_untrusted, "Goes on with a certificate that is not trusted"),
    SB_FIELD(struct http_config, together, "In one call"),
    SB_FIELD(struct http_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static void tell_headers(lines *told, const char *word, sb_headers headers) {
    // A header is a name and a value, as a label is.
    sb_label *labels = sb_alloc_array(headers.len, sizeof(sb_label));
    for (size_t at = 0; at < headers.len; at++) {
        labels[at] = (sb_label){headers.items[at].name, headers.items[at].value};
    }
    tell_labels(told, word, (sb_labels){labels, headers.len});
}

static void tell_response(lines *told, const sb_http_response *response) {
    tell(told, SB_TEXTS(SB("status"), told_count(response->status)));
    tell(told, SB_TEXTS(SB("version"), told_text(response->version)));
    tell(told, SB_TEXTS(SB("url"), told_text(response->url)));
    tell_headers(told, "header", response->headers);
    if (response->body.len <= BODY_BYTES_TOLD_MAX) {
        tell(told, SB_TEXTS(SB("body"), told_string(response->body)));
    } else {
        tell(told, SB_TEXTS(SB("body"), told_count(response->body.len), told_digest(SB_TEXTS(response->body))));
    }
    tell(told, SB_TEXTS(SB("truncated"), told_bool(response->truncated)));
    for (size_t at = 0; at < response->redirects.len; at++) {
        const sb_http_redirect *redirect = &response->redirects.items[at];
        tell(told, SB_TEXTS(SB("redirect"), told_count(redirect->status), told_text(redirect->url)));
        tell_headers(told, "redirect-header", redirect->headers);
    }
    tell(told, SB_TEXTS(SB("peer"), told_optional(response->peer)));
    tell_session(told, &response->tls);
}

static sb_error send(const struct http_config *config, sb_http_outcome *outcomes) {
    size_t len = config->urls.len;
    sb_http_request *requests = sb_alloc_array(len, sizeof(sb_http_request));
    sb_headers headers = SB_HEADERS({SB("content-type"), SB("text/plain")});
    for (size_t at = 0; at < len; at++) {
        requests[at].method = config->method;
        requests[at].url = config->urls.items[at];
        if (config->body.len > 0) {
            requests[at].headers = headers;
            requests[at].body = sb_some(config->body);
        }
    }
    sb_http_options options = sb_http_defaults();
    options.redirects_max = (uint8_t)config->redirects_max;
    options.accept_untrusted = config->accept_untrusted;
    if (config->body_bytes_max > 0) {
        options.body_bytes_max = sb_some_u32(config->body_bytes_max);
    }
    if (config->together) {
        return sb_http_send_many(requests, len, &options, outcomes);
    }
    for (size_t at = 0; at < len; at++) {
        outcomes[at].error = sb_http_send(&requests[at], &options, &outcomes[at].response);
        if (sb_failed(outcomes[at].error) && !config->tell_errors) {
            return outcomes[at].error;
        }
    }
    return SB_OK;
}

static sb_error run_http(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct http_config *config = configured;
    (void)request;
    lines told = {0};
    sb_http_outcome *outcomes = sb_alloc_array(config->urls.len, sizeof(sb_http_outcome));
    const sb_timings *last = NULL;
    SB_TRY(send(config, outcomes));
    for (size_t at = 0; at < config->urls.len; at++) {
        if (!sb_failed(outcomes[at].error)) {
            tell_response(&told, &outcomes[at].response);
            last = &outcomes[at].response.timings;
        }
        SB_TRY(tell_error(&told, outcomes[at].error, config->tell_errors));
    }
    report_lines(report, &told);
    if (last != NULL) {
        report_timings(report, last);
    }
    return SB_OK;
}

SB_CHECK(ask_http, "http", "Tells what a web server answered", .example = "{\"urls\": [\"http://127.0.0.1:9470/livez\"]}",
         SB_CONFIG(struct http_config, http_fields), .metrics = PHASES, .run = run_http);

struct net_config {
    sb_texts addresses;
    bool tls;
    sb_text server_name;
    bool accept_untrusted;
    sb_text say;
    bool start_tls;
    bool tell_errors;
};

static const sb_field net_fields[] = {
    SB_FIELD(struct net_config, addresses, "Where to connect", .required = true),
    SB_FIELD(struct net_config, tls, "From the first byte"),
    SB_FIELD(struct net_config, server_name, "For SNI and the certificate"),
    SB_FIELD(struct net_config, accept_untrusted, "Goes on with a certificate that is not trusted"),
    SB_FIELD(struct net_config, say, "What is sent, before a line is received; nothing where it is empty"),
    SB_FIELD(struct net_config, start_tls, "TLS after that, and four bytes"),
    SB_FIELD(struct net_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error talk(const struct net_config *config, sb_connection connection, lines *told) {
    sb_bytes received;
    if (config->say.len > 0) {
        SB_TRY(sb_net_send(connection, config->say));
        SB_TRY(sb_net_receive(connection, SB("\n"), LINE_BYTES_MAX, (sb_optional_u32){0}, &received));
        tell(told, SB_TEXTS(SB("received"), told_string(received)));
    }
    if (config->start_tls) {
        sb_optional_tls_session session = {.is_some = true};
        SB_TRY(sb_net_start_tls(connection, &session.value));
        tell_session(told, &session);
        SB_TRY(sb_net_receive(connection, SB(""), BEHIND_TLS_BYTES, (sb_optional_u32){0}, &received));
        tell(told, SB_TEXTS(SB("received"), told_string(received)));
    }
    return SB_OK;
}

static sb_error connect(const struct net_config *config, sb_text address, lines *told, sb_net_opened *opened) {
    sb_net_target target = {
        .address = address,
        .tls = config->tls,
        .server_name = {config->server_name.len > 0, config->server_name},
        .accept_untrusted = config->accept_untrusted,
    };
    sb_connection connection;
    SB_TRY(sb_net_connect(&target, &connection));
    *opened = sb_net_opened_of(connection);
    tell(told, SB_TEXTS(SB("peer"), told_text(opened->peer)));
    tell_session(told, &opened->tls);
    sb_error error = talk(config, connection, told);
    sb_net_close(connection);
    return error;
}

static sb_error run_net(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct net_config *config = configured;
    (void)request;
    lines told = {0};
    sb_net_opened opened, last;
    bool has_last = false;
    for (size_t at = 0; at < config->addresses.len; at++) {
        sb_error error = connect(config, config->addresses.items[at], &told, &opened);
        if (!sb_failed(error)) {
            last = opened;
            has_last = true;
        }
        SB_TRY(tell_error(&told, error, config->tell_errors));
    }
    report_lines(report, &told);
    if (has_last) {
        report_timings(report, &last.timings);
    }
    return SB_OK;
}

SB_CHECK(net_kind, "net", "Tells of connections", .example = "{\"addresses\": [\"127.0.0.1:9470\"]}",
         SB_CONFIG(struct net_config, net_fields), .metrics = PHASES, .run = run_net);

struct dns_config {
    sb_texts names;
    sb_text record;
    bool tell_errors;
};

static const sb_field dns_fields[] = {
    SB_FIELD(struct dns_config, names, "What is looked up", .required = true),
    SB_FIELD(struct dns_config, record, "A, AAAA, CNAME, MX, TXT, SRV, NS, ...", .default_text = "A"),
    SB_FIELD(struct dns_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error run_dns(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct dns_config *config = configured;
    (void)request;
    lines told = {0};
    sb_dns_answer answer;
    sb_optional_u32 elapsed_us = {0};
    for (size_t at = 0; at < config->names.len; at++) {
        sb_error error = sb_net_resolve(config->names.items[at], sb_string(config->record), &answer);
        if (!sb_failed(error)) {
            for (size_t record = 0; record < answer.records.len; record++) {
                tell(&told, SB_TEXTS(SB("record"), told_text(answer.records.items[record])));
            }
            tell(&told, SB_TEXTS(SB("ttl"), answer.ttl_seconds.is_some ? told_count(answer.ttl_seconds.value) : SB("null")));
            elapsed_us = sb_some_u32(answer.elapsed_us);
        }
        SB_TRY(tell_error(&told, error, config->tell_errors));
    }
    report_lines(report, &told);
    if (elapsed_us.is_some) {
        sb_metric(report, "elapsed_seconds", sb_seconds(elapsed_us.value), "seconds");
    }
    return SB_OK;
}

SB_CHECK(dns_kind, "dns", "Tells what a name resolves to", .example = "{\"names\": [\"localhost\"]}",
         SB_CONFIG(struct dns_config, dns_fields),
         .metrics = SB_METRICS({"elapsed_seconds", SB_GAUGE, "seconds", "the last lookup"}), .run = run_dns);
