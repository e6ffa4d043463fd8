/// Vocabulary that requests, reports and capabilities share: the contract's records (`wit/types.wit`), field by field and in its order.
///
/// Invariant: for wasm32 the layout of every struct here is the one that the component model gives the record, so that nothing is converted
/// at the boundary; `src/layout.c` holds the compiler to it.
#pragma once

#include "text.h"

/// The four states of a check. `unknown` comes first: a report that nobody filled in is not ok.
typedef uint8_t sb_status;
enum { SB_STATUS_UNKNOWN, SB_STATUS_OK, SB_STATUS_WARNING, SB_STATUS_CRITICAL };

/// One named text: a label, an extra, a field of a log line. Name at most 64 bytes, value 1 KiB, a list 32.
typedef struct {
    sb_text name;
    sb_text value;
} sb_label;

typedef struct {
    const sb_label *items;
    size_t len;
} sb_labels;

/// `SB_LABELS({SB("queue"), name})`; lives as long as the block that it is written in.
#define SB_LABELS(...) ((sb_labels){(const sb_label[]){__VA_ARGS__}, sizeof((const sb_label[]){__VA_ARGS__}) / sizeof(sb_label)})

/// The value under that name; an empty text where there is none.
sb_text sb_label_value(sb_labels labels, const char *name);

/// How a number behaves over time.
typedef uint8_t sb_metric_kind;
enum { SB_GAUGE, SB_COUNTER };

/// One number. The host exports it as `sickbay_check_metric` and offers it to conditions as `report.metrics.NAME`.
typedef struct {
    /// `[a-z_][a-z0-9_]*`, at most 64 bytes, base unit last: `latency_seconds`.
    sb_text name;
    double value;
    sb_metric_kind kind;
    /// Base unit: `seconds`, `bytes`, `ratio` (0 to 1), or empty for a plain count.
    sb_text unit;
    /// What tells series of one name apart.
    sb_labels labels;
} sb_metric_value;

typedef struct {
    const sb_metric_value *items;
    size_t len;
} sb_metrics;

/// What was measured against what was allowed, as text for a person.
typedef struct {
    /// Empty where no metric is behind it.
    sb_text metric;
    sb_text actual;
    sb_text expected;
    sb_text unit;
} sb_evidence_value;

typedef struct {
    const sb_evidence_value *items;
    size_t len;
} sb_evidences;

/// What one run found.
typedef struct {
    sb_status status;
    /// One line for a person.
    sb_text summary;
    /// Why it is not ok, as an open word that recoveries are matched by.
    sb_optional_text failure;
    sb_metrics metrics;
    /// What made it not ok, worst first.
    sb_evidences evidence;
    /// A JSON object.
    sb_optional_text details;
    sb_labels extras;
} sb_report;

/// Ours, not the target's; the host records `unknown`.
typedef struct {
    sb_text kind;
    sb_text message;
    sb_labels extras;
} sb_failure;

/// A capability said no. `hint` is the line of configuration that would allow it.
typedef struct {
    sb_text reason;
    sb_text hint;
} sb_denial;

/// Microseconds; absent where the phase did not happen.
typedef struct {
    sb_optional_u32 dns_us;
    sb_optional_u32 connect_us;
    sb_optional_u32 tls_us;
    /// From sending the request to the first byte of the answer.
    sb_optional_u32 first_byte_us;
    /// From the start of the exchange to its last byte, redirects included.
    uint32_t total_us;
} sb_timings;

/// One X.509 certificate as the server sent it.
typedef struct {
    /// `CN=example.com`
    sb_text subject;
    sb_text issuer;
    /// DNS names and IP addresses it is for.
    sb_texts dns_names;
    /// Milliseconds since 1970.
    uint64_t not_before_ms;
    uint64_t not_after_ms;
    /// Fingerprint: 64 lower-case hex digits.
    sb_text sha256;
} sb_certificate;

typedef struct {
    const sb_certificate *items;
    size_t len;
} sb_certificates;

/// What a TLS handshake agreed on.
typedef struct {
    /// `TLS 1.3`
    sb_text version;
    sb_text cipher;
    /// Why the certificate would be refused (`expired`, `self-signed`, `wrong-name`); absent when it is trusted.
    sb_optional_text untrusted;
    /// Leaf first.
    sb_certificates chain;
} sb_tls_session;

typedef struct {
    bool is_some;
    sb_tls_session value;
} sb_optional_tls_session;
