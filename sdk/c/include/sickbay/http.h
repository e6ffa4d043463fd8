/// HTTP requests, as far as `grants = { http = [...] }` allows.
///
/// The host sends them: it authorises the URL and every address that it resolves to, measures the phases, reports the certificate, and ends
/// the call before the run's own deadline, so that a hung service is seen as a timeout of the service.
///
///     sb_http_response response;
///     SB_TRY(sb_http_get(config->url, &response));
///     SB_TRY(sb_http_expect_success(&response));
///
/// Any status is an answer, also 500.
#pragma once

#include "json.h"
#include "types.h"

/// The redirects that a call follows unless told otherwise.
#define SB_HTTP_REDIRECTS_MAX_DEFAULT 5
#define SB_HTTP_REQUESTS_MAX 16

/// The failure kinds that a call may end with: `SB_WORDS("capacity", SB_HTTP_FAILURES)`.
#define SB_HTTP_FAILURES "dns", "refused", "connection", "tls", "timeout", "protocol"

/// One header of a request or an answer.
typedef struct {
    /// Of a request in any case, of an answer in lower case; a name may come more than once.
    sb_text name;
    sb_text value;
} sb_header;

typedef struct {
    const sb_header *items;
    size_t len;
} sb_headers;

/// `SB_HEADERS({SB("accept"), SB("application/json")})`; lives as long as the block that it is written in.
#define SB_HEADERS(...) ((sb_headers){(const sb_header[]){__VA_ARGS__}, sizeof((const sb_header[]){__VA_ARGS__}) / sizeof(sb_header)})

/// One request. Placeholders of secrets in the URL, a header or the body are filled in by the host.
typedef struct {
    /// In capitals: `GET`.
    sb_text method;
    /// At most 8 KiB.
    sb_text url;
    /// At most 64, 32 KiB in all.
    sb_headers headers;
    /// At most 1 MiB; `sb_some(bytes)`.
    sb_optional_text body;
} sb_http_request;

/// How the exchange goes. Begin with `sb_http_defaults()`.
typedef struct {
    /// Whole exchange; never past the run's own deadline.
    sb_optional_u32 timeout_ms;
    /// 0 answers the redirect itself. At most 10.
    uint8_t redirects_max;
    /// At most 1 MiB, 64 KiB where absent; the rest is not read.
    sb_optional_u32 body_bytes_max;
    /// Use a kept connection when there is one. Checks want `false`: they test the connection too.
    bool reuse;
    /// Go on with a certificate that is not trusted; `tls.untrusted` says why.
    bool accept_untrusted;
    /// Dial this instead of the URL's host: `10.0.0.7:443`, `unix:/run/docker.sock`. Needs its own `net` grant.
    sb_optional_text connect_to;
    sb_labels extras;
} sb_http_options;

/// One redirect that was followed.
typedef struct {
    uint16_t status;
    /// The URL that answered with this redirect.
    sb_text url;
    sb_headers headers;
} sb_http_redirect;

typedef struct {
    const sb_http_redirect *items;
    size_t len;
} sb_http_redirects;

/// A whole answer.
typedef struct {
    uint16_t status;
    /// `HTTP/1.1`
    sb_text version;
    sb_headers headers;
    /// Content codings (`gzip`) are left as they are.
    sb_bytes body;
    /// The body went on after `body_bytes_max`.
    bool truncated;
    /// The URL that gave this answer: after redirects the last one.
    sb_text url;
    /// First one first.
    sb_http_redirects redirects;
    /// `total_us` covers every redirect; the phases are those of the last request.
    sb_timings timings;
    /// Address and port that answered. Absent for a UNIX socket.
    sb_optional_text peer;
    /// Absent without TLS.
    sb_optional_tls_session tls;
    sb_labels extras;
} sb_http_response;

/// An answer, or why there is none.
typedef struct {
    sb_error error;
    sb_http_response response;
} sb_http_outcome;

/// A new connection, at most 5 redirects, at most 64 KiB of body, only trusted certificates.
sb_http_options sb_http_defaults(void);

/// A GET.
SB_MUST_USE_ sb_error sb_http_get(sb_text url, sb_http_response *response);
/// A POST of JSON, with its content type and these headers beside it.
SB_MUST_USE_ sb_error sb_http_post_json(sb_text url, sb_headers headers, sb_text json, sb_http_response *response);
/// Sends it and waits for the whole answer. `options` may be NULL for the defaults.
SB_MUST_USE_ sb_error sb_http_send(const sb_http_request *request, const sb_http_options *options, sb_http_response *response);
/// At most 16, all at once, outcomes in order.
SB_MUST_USE_ sb_error sb_http_send_many(const sb_http_request *requests, size_t len, const sb_http_options *options,
                                        sb_http_outcome *outcomes);

/// The first header of that name, whatever its case; an empty text where there is none.
sb_text sb_http_header(const sb_http_response *response, const char *name);
/// Another status than 200 to 299 is the service's fault: `content`. In a sink one of 400 to 499 but 401, 403, 407, 408, 425 and 429 is for good.
SB_MUST_USE_ sb_error sb_http_expect_success(const sb_http_response *response);
/// The body as JSON. Anything else is the service's fault: `content`.
SB_MUST_USE_ sb_error sb_http_json(const sb_http_response *response, sb_json *value);
