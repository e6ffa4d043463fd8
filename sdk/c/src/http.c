/// HTTP requests.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"}, // invalid
    {SB_BLAME_PLUGIN, "quota"},         // quota
    {SB_BLAME_SERVICE, "dns"},          // dns
    {SB_BLAME_SERVICE, "refused"},      // refused
    {SB_BLAME_SERVICE, "connection"},   // connect
    {SB_BLAME_SERVICE, "tls"},          // tls
    {SB_BLAME_SERVICE, "timeout"},      // timeout
    {SB_BLAME_SERVICE, "protocol"},     // protocol
    {SB_BLAME_SERVICE, "connection"},   // other
};

sb_http_options sb_http_defaults(void) {
    sb_http_options options = {.redirects_max = SB_HTTP_REDIRECTS_MAX_DEFAULT};
    return options;
}

static sb_headers utf8_headers(sb_headers headers) {
    sb_header *clean = sb_alloc_array(headers.len, sizeof(sb_header));
    for (size_t at = 0; at < headers.len; at++) {
        clean[at] = (sb_header){sb_utf8(headers.items[at].name), sb_utf8(headers.items[at].value)};
    }
    return (sb_headers){clean, headers.len};
}

static sb_http_request utf8_request(const sb_http_request *request) {
    return (sb_http_request){sb_utf8(request->method), sb_utf8(request->url), utf8_headers(request->headers), request->body};
}

static sb_http_options utf8_options(const sb_http_options *options) {
    sb_http_options clean = options == NULL ? sb_http_defaults() : *options;
    clean.connect_to.value = sb_utf8(clean.connect_to.value);
    clean.extras = sb_utf8_labels(clean.extras);
    return clean;
}

sb_error sb_http_send(const sb_http_request *request, const sb_http_options *options, sb_http_response *response) {
    sb_http_asked asked = {utf8_request(request), utf8_options(options)};
    sb_http_result result;
    sb_wire_http_send(&asked, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *response = result.ok;
    return SB_OK;
}

sb_error sb_http_get(sb_text url, sb_http_response *response) {
    return sb_http_send(&(sb_http_request){.method = SB("GET"), .url = url}, NULL, response);
}

sb_error sb_http_post_json(sb_text url, sb_headers headers, sb_text json, sb_http_response *response) {
    sb_header *all = sb_alloc_array(headers.len + 1, sizeof(sb_header));
    all[0] = (sb_header){SB("content-type"), SB("application/json")};
    for (size_t at = 0; at < headers.len; at++) {
        all[at + 1] = headers.items[at];
    }
    sb_http_request request = {SB("POST"), url, {all, headers.len + 1}, sb_some(json)};
    return sb_http_send(&request, NULL, response);
}

sb_error sb_http_send_many(const sb_http_request *requests, size_t len, const sb_http_options *options, sb_http_outcome *outcomes) {
    if (len > SB_HTTP_REQUESTS_MAX) {
        return sb_configuration_error("%zu requests at once; hint: at most %d", len, SB_HTTP_REQUESTS_MAX);
    }
    sb_http_request *clean = sb_alloc_array(len, sizeof(sb_http_request));
    for (size_t at = 0; at < len; at++) {
        clean[at] = utf8_request(&requests[at]);
    }
    sb_http_options clean_options = utf8_options(options);
    sb_http_results results;
    sb_wire_http_send_many((sb_http_requests){clean, len}, &clean_options, &results);
    if (results.len != len) {
        return sb_internal_error("the host answered %zu of %zu requests", results.len, len);
    }
    for (size_t at = 0; at < len; at++) {
        const sb_http_result *result = &results.items[at];
        memset(&outcomes[at], 0, sizeof(outcomes[at]));
        if (result->is_error) {
            outcomes[at].error = SB_MEANT(MEANINGS, &result->error);
        } else {
            outcomes[at].response = result->ok;
        }
    }
    return SB_OK;
}

sb_text sb_http_header(const sb_http_response *response, const char *name) {
    for (size_t at = 0; at < response->headers.len; at++) {
        if (sb_is_any_case(response->headers.items[at].name, name)) {
            return response->headers.items[at].value;
        }
    }
    return SB("");
}

sb_error sb_http_expect_success(const sb_http_response *response) {
    unsigned status = response->status;
    if (status >= 200 && status < 300) {
        return SB_OK;
    }
    sb_error error = sb_service_error("content", "HTTP %u", status);
    bool is_passing = status == 401 || status == 403 || status == 407 || status == 408 || status == 425 || status == 429;
    error.is_for_good = status >= 400 && status < 500 && !is_passing;
    int64_t seconds;
    if (sb_to_int(sb_http_header(response, "retry-after"), &seconds) && seconds > 0 && seconds <= UINT32_MAX / 1000) {
        error.retry_after_ms = sb_some_u32((uint32_t)seconds * 1000);
    }
    return error;
}

sb_error sb_http_json(const sb_http_response *response, sb_json *value) {
    sb_text why;
    if (!sb_json_parse(response->body, value, &why)) {
        const char *part = response->truncated ? " (only the first part of the body was read)" : "";
        return sb_service_error("content", "the body is not JSON: %.*s%s", SB_F(why), part);
    }
    return SB_OK;
}
