/// A table of fields as a JSON Schema, and a configuration as a struct.
#include "internal.h"

static const char *key_of(const sb_field *field) {
    return field->key != NULL ? field->key : field->name;
}

static bool is_last(const sb_field *field) {
    return field == NULL || field->type == SB_FIELD_NONE;
}

static bool is_whole(sb_field_type type) {
    return type == SB_FIELD_INT64 || type == SB_FIELD_INT32 || type == SB_FIELD_UINT32;
}

static bool is_number(sb_field_type type) {
    return type == SB_FIELD_NUMBER || is_whole(type);
}

/// The bounds that are written, or those of the member itself.
static sb_bounds bounds_of(const sb_field *field) {
    sb_bounds bounds = field->bounds;
    bool is_small = field->type == SB_FIELD_INT32 || field->type == SB_FIELD_UINT32;
    if (is_small && !bounds.has_minimum) {
        bounds.has_minimum = true;
        bounds.minimum = field->type == SB_FIELD_INT32 ? INT32_MIN : 0;
    }
    if (is_small && !bounds.has_maximum) {
        bounds.has_maximum = true;
        bounds.maximum = field->type == SB_FIELD_INT32 ? INT32_MAX : UINT32_MAX;
    }
    return bounds;
}

static void put_bounds(sb_json_writer *schema, const sb_field *field, const char *minimum, const char *maximum) {
    sb_bounds bounds = bounds_of(field);
    if (bounds.has_minimum) {
        sb_put_number(schema, minimum, bounds.minimum);
    }
    if (bounds.has_maximum) {
        sb_put_number(schema, maximum, bounds.maximum);
    }
}

static void put_text_schema(sb_json_writer *schema, const sb_field *field) {
    sb_put_text(schema, "type", SB("string"));
    put_bounds(schema, field, "minLength", "maxLength");
    if (field->pattern != NULL) {
        sb_put_text(schema, "pattern", sb_text_of(field->pattern));
    }
    if (field->one_of != NULL) {
        sb_put_array(schema, "enum");
        for (const char *const *word = field->one_of; *word != NULL; word++) {
            sb_put_text(schema, NULL, sb_text_of(*word));
        }
        sb_put_end(schema);
    }
    if (field->default_text != NULL) {
        sb_put_text(schema, "default", sb_text_of(field->default_text));
    }
}

static void put_schema(sb_json_writer *schema, const sb_field *field) {
    if (field->summary != NULL) {
        sb_put_text(schema, "description", sb_text_of(field->summary));
    }
    if (field->type == SB_FIELD_TEXT) {
        put_text_schema(schema, field);
    } else if (is_number(field->type)) {
        sb_put_text(schema, "type", is_whole(field->type) ? SB("integer") : SB("number"));
        put_bounds(schema, field, "minimum", "maximum");
        if (!field->required) {
            sb_put_number(schema, "default", field->default_number);
        }
    } else if (field->type == SB_FIELD_BOOL) {
        sb_put_text(schema, "type", SB("boolean"));
        if (!field->required) {
            sb_put_bool(schema, "default", field->default_true);
        }
    } else if (field->type == SB_FIELD_TEXTS) {
        sb_put_text(schema, "type", SB("array"));
        put_bounds(schema, field, "minItems", "maxItems");
        sb_put_object(schema, "items");
        sb_put_text(schema, "type", SB("string"));
        sb_put_end(schema);
    }
}

sb_text sb_config_schema(const sb_field *fields) {
    sb_json_writer schema = sb_json_object();
    sb_put_text(&schema, "$schema", SB("https://json-schema.org/draft/2020-12/schema"));
    sb_put_text(&schema, "type", SB("object"));
    sb_put_object(&schema, "properties");
    for (const sb_field *field = fields; !is_last(field); field++) {
        if (field->schema != NULL) {
            sb_put_json(&schema, key_of(field), (sb_json){sb_text_of(field->schema)});
            continue;
        }
        sb_put_object(&schema, key_of(field));
        put_schema(&schema, field);
        sb_put_end(&schema);
    }
    sb_put_end(&schema);
    sb_put_array(&schema, "required");
    for (const sb_field *field = fields; !is_last(field); field++) {
        if (field->required) {
            sb_put_text(&schema, NULL, sb_text_of(key_of(field)));
        }
    }
    sb_put_end(&schema);
    sb_put_bool(&schema, "additionalProperties", false);
    return sb_json_end(&schema);
}

static void *member(const sb_field *field, void *config) {
    return (char *)config + field->offset;
}

static void set_number(const sb_field *field, void *config, double number, int64_t whole) {
    switch (field->type) {
    case SB_FIELD_NUMBER: *(double *)member(field, config) = number; break;
    case SB_FIELD_INT64: *(int64_t *)member(field, config) = whole; break;
    case SB_FIELD_INT32: *(int32_t *)member(field, config) = (int32_t)whole; break;
    case SB_FIELD_UINT32: *(uint32_t *)member(field, config) = (uint32_t)whole; break;
    default: break;
    }
}

static void set_default(const sb_field *field, void *config) {
    set_number(field, config, field->default_number, (int64_t)field->default_number);
    if (field->type == SB_FIELD_TEXT) {
        *(sb_text *)member(field, config) = sb_text_of(field->default_text);
    } else if (field->type == SB_FIELD_BOOL) {
        *(bool *)member(field, config) = field->default_true;
    } else if (field->type == SB_FIELD_TEXTS) {
        *(sb_texts *)member(field, config) = (sb_texts){0};
    } else if (field->type == SB_FIELD_JSON) {
        ((sb_json *)member(field, config))->source = SB("null");
    }
}

static bool within(const sb_field *field, double number) {
    sb_bounds bounds = bounds_of(field);
    return !(bounds.has_minimum && number < bounds.minimum) && !(bounds.has_maximum && number > bounds.maximum);
}

static sb_error out_of_bounds(const sb_field *field) {
    sb_bounds bounds = bounds_of(field);
    sb_text least = bounds.has_minimum ? sb_format(" from %.*s", SB_F(sb_number_text(bounds.minimum))) : SB("");
    sb_text most = bounds.has_maximum ? sb_format(" up to %.*s", SB_F(sb_number_text(bounds.maximum))) : SB("");
    const char *what = is_number(field->type)         ? "is"
                       : field->type == SB_FIELD_TEXT ? "has a number of characters"
                                                      : "has a number of elements";
    return sb_configuration_error("`%s` %s out of bounds; hint:%.*s%.*s", key_of(field), what, SB_F(least), SB_F(most));
}

static sb_error other_type(const sb_field *field, const char *expected) {
    return sb_configuration_error("`%s` is not %s", key_of(field), expected);
}

static sb_error read_number(const sb_field *field, sb_json value, void *config) {
    double number = 0;
    int64_t whole = 0;
    bool is_right = is_whole(field->type) ? sb_json_as_int(value, &whole) : sb_json_as_number(value, &number);
    if (!is_right) {
        return other_type(field, is_whole(field->type) ? "a whole number" : "a number");
    }
    if (!within(field, is_whole(field->type) ? (double)whole : number)) {
        return out_of_bounds(field);
    }
    set_number(field, config, number, whole);
    return SB_OK;
}

/// As JSON Schema counts them.
static size_t characters(sb_text text) {
    size_t count = 0;
    for (size_t at = 0; at < text.len; at++) {
        count += ((unsigned char)text.data[at] & 0xc0) != 0x80;
    }
    return count;
}

static sb_error read_text(const sb_field *field, sb_json value, void *config) {
    sb_text *text = member(field, config);
    if (!sb_json_as_text(value, text)) {
        return other_type(field, "a text");
    }
    if (!within(field, (double)characters(*text))) {
        return out_of_bounds(field);
    }
    bool is_known = field->one_of == NULL;
    sb_buffer known = {0};
    for (const char *const *word = field->one_of; word != NULL && *word != NULL; word++) {
        is_known = is_known || sb_is(*text, *word);
        sb_buffer_add(&known, sb_format("%s`%s`", known.len == 0 ? "" : ", ", *word));
    }
    if (!is_known) {
        return sb_configuration_error("`%s` is `%.*s`; hint: one of %.*s", key_of(field), SB_F(*text), (int)known.len, known.data);
    }
    return SB_OK;
}

static sb_error read_texts(const sb_field *field, sb_json value, void *config) {
    if (sb_json_type_of(value) != SB_JSON_ARRAY) {
        return other_type(field, "a list of texts");
    }
    size_t len = sb_json_len(value);
    if (!within(field, (double)len)) {
        return out_of_bounds(field);
    }
    sb_text *items = sb_alloc_array(len, sizeof(sb_text));
    for (sb_json_each each = sb_json_begin(value); sb_json_next(&each);) {
        if (!sb_json_as_text(each.value, &items[each.index])) {
            return other_type(field, "a list of texts");
        }
    }
    *(sb_texts *)member(field, config) = (sb_texts){items, len};
    return SB_OK;
}

static sb_error read_field(const sb_field *field, sb_json value, void *config) {
    switch (field->type) {
    case SB_FIELD_TEXT: return read_text(field, value, config);
    case SB_FIELD_TEXTS: return read_texts(field, value, config);
    case SB_FIELD_BOOL: return sb_json_as_bool(value, member(field, config)) ? SB_OK : other_type(field, "true or false");
    case SB_FIELD_JSON: *(sb_json *)member(field, config) = value; return SB_OK;
    default: return read_number(field, value, config);
    }
}

static const sb_field *find_field(const sb_field *fields, sb_text key) {
    const sb_field *field = fields;
    while (!is_last(field) && !sb_is(key, key_of(field))) {
        field++;
    }
    return is_last(field) ? NULL : field;
}

static bool has_key(sb_json object, const char *key) {
    for (sb_json_each each = sb_json_begin(object); sb_json_next(&each);) {
        if (sb_is(each.key, key)) {
            return true;
        }
    }
    return false;
}

sb_error sb_config_read(const sb_field *fields, sb_text json, void *config) {
    sb_json object;
    sb_text why;
    if (!sb_json_parse(json, &object, &why)) {
        return sb_configuration_error("it is not JSON: %.*s", SB_F(why));
    }
    if (sb_json_type_of(object) != SB_JSON_OBJECT) {
        return sb_configuration_error("it is not a table");
    }
    for (const sb_field *field = fields; !is_last(field); field++) {
        set_default(field, config);
        if (field->required && !has_key(object, key_of(field))) {
            return sb_configuration_error("`%s` is missing", key_of(field));
        }
    }
    for (sb_json_each each = sb_json_begin(object); sb_json_next(&each);) {
        const sb_field *field = find_field(fields, each.key);
        if (field == NULL) {
            return sb_configuration_error("no key `%.*s` is known", SB_F(each.key));
        }
        SB_TRY(read_field(field, each.value, config));
    }
    return SB_OK;
}
