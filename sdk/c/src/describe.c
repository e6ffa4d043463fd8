/// `plugin.describe`: the descriptors as the contract has them.
#include "internal.h"

/// A kind of any sort, as far as they are alike.
typedef struct {
    SB_KIND_FIELDS_;
    const sb_metric_info *metrics;
} any_kind;

static sb_wire_needs needs(const sb_need *need) {
    sb_wire_need *items = NULL;
    size_t len = 0;
    for (; need != NULL && need->capability != NULL; need++) {
        items = sb_grown(items, len, sizeof(*items));
        items[len++] = (sb_wire_need){sb_text_of(need->capability), sb_text_of(need->reason), sb_text_of(need->grant)};
    }
    return (sb_wire_needs){items, len};
}

static sb_wire_metric_infos metrics(const sb_metric_info *metric) {
    sb_wire_metric_info *items = NULL;
    size_t len = 0;
    for (; metric != NULL && metric->name != NULL; metric++) {
        items = sb_grown(items, len, sizeof(*items));
        items[len++] = (sb_wire_metric_info){
            sb_text_of(metric->name),
            metric->kind,
            sb_text_of(metric->unit),
            sb_text_of(metric->summary),
        };
    }
    return (sb_wire_metric_infos){items, len};
}

static sb_texts words(const char *const *word) {
    sb_text *items = NULL;
    size_t len = 0;
    for (; word != NULL && *word != NULL; word++) {
        items = sb_grown(items, len, sizeof(*items));
        items[len++] = sb_text_of(*word);
    }
    return (sb_texts){items, len};
}

static void add(sb_wire_kinds *kinds, const any_kind *kind) {
    sb_wire_kind *items = sb_grown(kinds->items, kinds->len, sizeof(*items));
    items[kinds->len] = (sb_wire_kind){
        sb_text_of(kind->name),
        sb_text_of(kind->summary),
        kind->config_schema != NULL ? sb_text_of(kind->config_schema) : sb_config_schema(kind->fields),
        kind->example != NULL ? sb_text_of(kind->example) : SB("{}"),
        needs(kind->needs),
        metrics(kind->metrics),
        words(kind->failures),
        {0},
    };
    *kinds = (sb_wire_kinds){items, kinds->len + 1};
}

/// The fields that all sorts have, and which come first in each.
#define ANY_(kind, metrics_)                                                                                                        \
    (any_kind) {                                                                                                                    \
        (kind)->name, (kind)->summary, (kind)->example, (kind)->fields, (kind)->config_bytes, (kind)->config_schema, (kind)->needs, \
            (kind)->failures, metrics_                                                                                              \
    }

static sb_optional_text optional(const char *string) {
    return (sb_optional_text){string != NULL, sb_text_of(string)};
}

const void *sb_describe_(void) {
    const sb_plugin *plugin = &sickbay_plugin;
    sb_wire_descriptor *descriptor = sb_alloc(sizeof(sb_wire_descriptor));
    descriptor->name = sb_text_of(plugin->name);
    descriptor->version = sb_text_of(plugin->version);
    descriptor->summary = sb_text_of(plugin->summary);
    for (const sb_check *const *check = plugin->checks; check != NULL && *check != NULL; check++) {
        add(&descriptor->checks, &ANY_(*check, (*check)->metrics));
    }
    for (const sb_recovery *const *recovery = plugin->recoveries; recovery != NULL && *recovery != NULL; recovery++) {
        add(&descriptor->recoveries, &ANY_(*recovery, NULL));
    }
    for (const sb_sink *const *sink = plugin->sinks; sink != NULL && *sink != NULL; sink++) {
        add(&descriptor->sinks, &ANY_(*sink, NULL));
    }
    descriptor->homepage = optional(plugin->homepage);
    descriptor->licence = optional(plugin->licence);
    return descriptor;
}
