/// What a sink is asked, and what it answers.
#pragma once

#include "report.h"

/// Where an alert is in its life.
typedef uint8_t sb_phase;
enum {
    /// It is bad, newly or still.
    SB_FIRING,
    /// A person has taken it.
    SB_ACKNOWLEDGED,
    /// It is well again.
    SB_RESOLVED,
    /// A later word, in the extra `phase`: answer ok and do nothing.
    SB_OTHER_PHASE,
};

/// One alert of a notification.
typedef struct {
    /// Stable for one firing episode: the receiver's key to thread or resolve by.
    sb_text incident_id;
    /// Name of the check in the configuration.
    sb_text check;
    sb_optional_text target;
    /// Of this alert; the notification has its own.
    sb_phase phase;
    sb_status status;
    /// The failure kind of the last report that had one.
    sb_optional_text failure;
    sb_text severity;
    /// One line for a person.
    sb_text summary;
    /// The named reason of the transition.
    sb_text reason;
    /// What routing matched.
    sb_labels labels;
    /// When the incident began, in milliseconds since 1970.
    uint64_t started_at_ms;
    /// When it was resolved.
    sb_optional_u64 ended_at_ms;
    /// What made it not ok, worst first.
    sb_evidences evidence;
    /// Where to read more.
    sb_optional_text url;
    sb_labels extras;
} sb_alert;

typedef struct {
    const sb_alert *items;
    size_t len;
} sb_alerts;

/// What a sink is to tell, once.
typedef struct {
    /// The same key means the same notification: a receiver may drop the second.
    sb_text idempotency_key;
    /// Key of the group that routing made.
    sb_text group;
    /// Firing while any of the alerts is.
    sb_phase phase;
    /// The worst of the alerts.
    sb_text severity;
    /// At most 100; the extra `more` counts the rest.
    sb_alerts alerts;
    /// From the receipt of this sink's last delivery for the group: to thread, edit or resolve it.
    sb_optional_text reference;
    /// 1 for the first try at this delivery.
    uint32_t attempt;
    sb_labels extras;
} sb_notification;

/// What a sink is asked.
typedef struct {
    /// Name of the sink in the configuration.
    sb_text sink;
    sb_text kind;
    /// The configuration as JSON.
    sb_text config;
    /// The call is ended this long after it began.
    uint32_t timeout_ms;
    sb_notification notification;
    sb_labels extras;
} sb_sink_request;

/// The receiver has it.
typedef struct {
    /// What the receiver called it: a message id, a dedup key.
    sb_optional_text reference;
    sb_labels extras;
} sb_receipt;

/// Says what the receiver called it.
void sb_receipt_reference(sb_receipt *receipt, sb_text reference);
