/// The canonical text of what a plugin saw, and the lines that a run tells.
#include "conformance.h"

/// The largest whole number that every language has as a float.
#define WHOLE_MAX 9007199254740991.0

/// A text that grows.
typedef struct {
    char *data;
    size_t len;
    size_t room;
} builder;

static void add(builder *to, sb_text part) {
    if (part.len == 0) {
        return;
    }
    if (part.len > to->room - to->len) {
        size_t room = 2 * to->room + part.len + 32;
        char *data = sb_alloc(room);
        if (to->len > 0) {
            memcpy(data, to->data, to->len);
        }
        to->data = data;
        to->room = room;
    }
    memcpy(to->data + to->len, part.data, part.len);
    to->len += part.len;
}

static sb_text built(const builder *text) {
    return text->len == 0 ? SB("") : (sb_text){text->data, text->len};
}

sb_text joined(sb_texts parts, const char *between) {
    builder text = {0};
    for (size_t at = 0; at < parts.len; at++) {
        if (at > 0) {
            add(&text, sb_text_of(between));
        }
        add(&text, parts.items[at]);
    }
    return built(&text);
}

void tell(lines *told, sb_texts words) {
    if (told->len == told->room) {
        size_t room = 2 * told->room + 16;
        sb_text *items = sb_alloc_array(room, sizeof(sb_text));
        if (told->len > 0) {
            memcpy(items, told->items, told->len * sizeof(sb_text));
        }
        told->items = items;
        told->room = room;
    }
    told->items[told->len++] = joined(words, " ");
}

sb_error tell_error(lines *told, sb_error error, bool tell_errors) {
    if (!sb_failed(error) || !tell_errors) {
        return error;
    }
    sb_text blame = error.blame == SB_BLAME_SERVICE ? SB("service") : SB("plugin");
    if (error.code.len > 0) {
        tell(told, SB_TEXTS(SB("error"), blame, error.kind, SB("sqlstate"), told_text(error.code)));
    } else {
        tell(told, SB_TEXTS(SB("error"), blame, error.kind, told_text(error.message)));
    }
    return SB_OK;
}

/// Whether a text comes before another, by its bytes.
static bool is_before(sb_text one, sb_text other) {
    size_t shared = one.len < other.len ? one.len : other.len;
    int order = shared == 0 ? 0 : memcmp(one.data, other.data, shared);
    return order < 0 || (order == 0 && one.len < other.len);
}

void tell_labels(lines *told, const char *word, sb_labels labels) {
    sb_label *sorted = sb_alloc_array(labels.len, sizeof(sb_label));
    for (size_t at = 0; at < labels.len; at++) {
        size_t place = at;
        for (; place > 0 && is_before(labels.items[at].name, sorted[place - 1].name); place--) {
            sorted[place] = sorted[place - 1];
        }
        sorted[place] = labels.items[at];
    }
    for (size_t at = 0; at < labels.len; at++) {
        tell(told, SB_TEXTS(sb_text_of(word), told_text(sorted[at].name), told_text(sorted[at].value)));
    }
}

void tell_session(lines *told, const sb_optional_tls_session *session) {
    if (!session->is_some) {
        tell(told, SB_TEXTS(SB("tls null")));
        return;
    }
    const sb_tls_session *agreed = &session->value;
    tell(told, SB_TEXTS(SB("tls"), told_text(agreed->version), told_text(agreed->cipher), told_optional(agreed->untrusted)));
    for (size_t at = 0; at < agreed->chain.len; at++) {
        const sb_certificate *one = &agreed->chain.items[at];
        sb_text *names = sb_alloc_array(one->dns_names.len, sizeof(sb_text));
        for (size_t name = 0; name < one->dns_names.len; name++) {
            names[name] = told_text(one->dns_names.items[name]);
        }
        tell(told, SB_TEXTS(SB("certificate"), told_text(one->subject), told_text(one->issuer),
                            told_list((sb_texts){names, one->dns_names.len}), told_ms(one->not_before_ms), told_ms(one->not_after_ms),
                            told_text(one->sha256)));
    }
}

void report_lines(sb_report *report, const lines *told) {
    sb_json_writer json = sb_json_object();
    sb_put_array(&json, "told");
    for (size_t at = 0; at < told->len; at++) {
        sb_put_text(&json, NULL, told->items[at]);
    }
    sb_report_ok(report, "told");
    sb_report_details(report, sb_json_end(&json));
}

void report_timings(sb_report *report, const sb_timings *timings) {
    const struct {
        const char *name;
        sb_optional_u32 us;
    } phases[] = {
        {"dns_seconds", timings->dns_us},
        {"connect_seconds", timings->connect_us},
        {"tls_seconds", timings->tls_us},
        {"first_byte_seconds", timings->first_byte_us},
        {"total_seconds", sb_some_u32(timings->total_us)},
    };
    for (size_t at = 0; at < sizeof(phases) / sizeof(phases[0]); at++) {
        if (phases[at].us.is_some) {
            sb_metric(report, phases[at].name, sb_seconds(phases[at].us.value), "seconds");
        }
    }
}

sb_text told_text(sb_text value) {
    builder text = {0};
    add(&text, SB("\""));
    for (size_t at = 0; at < value.len; at++) {
        unsigned char byte = (unsigned char)value.data[at];
        if (byte == '"' || byte == '\\') {
            add(&text, SB("\\"));
        }
        add(&text, byte < ' ' ? sb_format("\\u%04x", byte) : sb_slice(value, at, at + 1));
    }
    add(&text, SB("\""));
    return built(&text);
}

sb_text told_optional(sb_optional_text value) {
    return value.is_some ? told_text(value.value) : SB("null");
}

sb_text told_bytes(sb_bytes value) {
    builder text = {0};
    add(&text, SB("bytes:"));
    for (size_t at = 0; at < value.len; at++) {
        add(&text, sb_format("%02x", (unsigned char)value.data[at]));
    }
    return built(&text);
}

sb_text told_string(sb_bytes value) {
    return sb_is_utf8(value) ? told_text(value) : told_bytes(value);
}

sb_text told_bool(bool value) {
    return value ? SB("true") : SB("false");
}

sb_text told_int(int64_t value) {
    return sb_format("%lld", (long long)value);
}

sb_text told_count(uint64_t value) {
    return sb_format("%llu", (unsigned long long)value);
}

sb_text told_ms(uint64_t value) {
    return sb_format("ms:%llu", (unsigned long long)value);
}

sb_text told_float(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bool is_minus_zero = bits == (uint64_t)1 << 63;
    if (value != value) {
        return SB("float:nan");
    }
    if (value >= -WHOLE_MAX && value <= WHOLE_MAX && (double)(int64_t)value == value && !is_minus_zero) {
        return told_int((int64_t)value);
    }
    return sb_format("float:%016llx", (unsigned long long)bits);
}

sb_text told_list(sb_texts items) {
    return joined(SB_TEXTS(SB("["), joined(items, ", "), SB("]")), "");
}

/// Keys with their values, by key.
static sb_text told_object(sb_json value) {
    size_t len = sb_json_len(value);
    sb_text *keys = sb_alloc_array(len, sizeof(sb_text)), *fields = sb_alloc_array(len, sizeof(sb_text));
    size_t count = 0;
    for (sb_json_each each = sb_json_begin(value); sb_json_next(&each) && count < len; count++) {
        sb_text field = joined(SB_TEXTS(told_text(each.key), told_json(each.value)), ": ");
        size_t place = count;
        for (; place > 0 && is_before(each.key, keys[place - 1]); place--) {
            keys[place] = keys[place - 1];
            fields[place] = fields[place - 1];
        }
        keys[place] = each.key;
        fields[place] = field;
    }
    return joined(SB_TEXTS(SB("{"), joined((sb_texts){fields, count}, ", "), SB("}")), "");
}

static sb_text told_array(sb_json value) {
    sb_text *items = sb_alloc_array(sb_json_len(value), sizeof(sb_text));
    size_t count = 0;
    for (sb_json_each each = sb_json_begin(value); sb_json_next(&each);) {
        items[count++] = told_json(each.value);
    }
    return told_list((sb_texts){items, count});
}

sb_text told_json(sb_json value) {
    bool is_so = false;
    int64_t whole;
    double number = 0;
    sb_text text = {0};
    switch (sb_json_type_of(value)) {
    case SB_JSON_BOOLEAN: (void)sb_json_as_bool(value, &is_so); return told_bool(is_so);
    case SB_JSON_NUMBER:
        if (sb_json_as_int(value, &whole)) {
            return told_int(whole);
        }
        (void)sb_json_as_number(value, &number);
        return told_float(number);
    case SB_JSON_TEXT: (void)sb_json_as_text(value, &text); return told_text(text);
    case SB_JSON_ARRAY: return told_array(value);
    case SB_JSON_OBJECT: return told_object(value);
    default: return SB("null");
    }
}

sb_text told_digest(sb_texts all) {
    uint32_t hash = 0x811c9dc5;
    for (size_t line = 0; line < all.len; line++) {
        for (size_t at = 0; at < all.items[line].len; at++) {
            hash = (hash ^ (unsigned char)all.items[line].data[at]) * 0x01000193u;
        }
        hash = (hash ^ '\n') * 0x01000193u;
    }
    return sb_format("fnv1a:%08x", (unsigned)hash);
}
