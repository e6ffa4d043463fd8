/// The scripted host: files, secrets, the machine, state, log and clock.
#include "fake.h"

#include <string.h>

static const char *const FILE_ERRORS[] = {"denied", "invalid", "quota", "not-found", "refused", "other", NULL};
#define PAGE_LEN 1000
#define STATE_KEYS_MAX 64
#define STATE_BYTES_MAX (16u << 10)
#define STATE_KEY_BYTES_MAX 128

typedef struct {
    sb_text path;
    sb_bytes content;
    sb_file_info info;
} file;

static file *files;
static size_t files_len;
static sb_label *kept;
static size_t kept_len;

typedef struct {
    sb_text name;
    uint64_t changed_at_ms;
} secret;

static secret *secrets;
static size_t secrets_len;

void sb_fake_reset_machine(void) {
    files = NULL;
    kept = NULL;
    secrets = NULL;
    files_len = kept_len = secrets_len = 0;
}

// files

static file *find_file(sb_text path) {
    for (size_t at = 0; at < files_len; at++) {
        if (sb_same(files[at].path, path)) {
            return &files[at];
        }
    }
    return NULL;
}

static sb_text last_part(sb_text path) {
    sb_text part = path;
    for (sb_text rest = path; sb_next_part(&rest, '/', &part);) {
    }
    return part;
}

static file *add_file(sb_text path, const char *kind, sb_bytes content, uint64_t modified_at_ms) {
    files = sb_grown(files, files_len, sizeof(file));
    file *added = &files[files_len++];
    *added = (file){
        .path = sb_copy(path),
        .content = sb_copy(content),
        .info =
            {
                .name = sb_copy(last_part(path)),
                .kind = sb_text_of(kind),
                .size_bytes = content.len,
                .modified_at_ms = modified_at_ms,
                .mode = 0644,
                .identity = sb_format("1:%zu", files_len),
            },
    };
    return added;
}

static void add_directories(sb_text path) {
    size_t end = path.len;
    while (end > 1 && path.data[end - 1] != '/') {
        end--;
    }
    sb_text above = sb_slice(path, 0, end > 1 ? end - 1 : 0);
    if (above.len > 0 && find_file(above) == NULL) {
        add_file(above, "directory", SB(""), 0);
        add_directories(above);
    }
}

void sb_fake_file(const char *path, sb_bytes content, uint64_t modified_at_ms) {
    add_file(sb_text_of(path), "file", content, modified_at_ms);
    add_directories(sb_text_of(path));
}

static sb_wire_error missing(sb_text path) {
    return sb_fake_error(FILE_ERRORS, "not-found", sb_string(path));
}

void sb_wire_files_info(sb_text path, sb_file_info_result *result) {
    const file *found = find_file(path);
    memset(result, 0, sizeof(*result));
    if (found == NULL) {
        result->is_error = true;
        result->error = missing(path);
    } else {
        result->ok = found->info;
    }
}

/// The first entry of a directory behind `after`, by name.
static const file *next_entry(sb_text path, sb_text after) {
    const file *first = NULL;
    for (size_t at = 0; at < files_len; at++) {
        const file *entry = &files[at];
        bool is_inside = sb_same(entry->path, sb_format("%.*s/%.*s", SB_F(path), SB_F(entry->info.name)));
        const char *name = sb_string(entry->info.name);
        bool is_behind = after.len == 0 || strcmp(name, sb_string(after)) > 0;
        if (is_inside && is_behind && (first == NULL || strcmp(name, sb_string(first->info.name)) < 0)) {
            first = entry;
        }
    }
    return first;
}

void sb_wire_files_directory(sb_text path, sb_optional_text after, sb_file_infos_result *result) {
    memset(result, 0, sizeof(*result));
    if (find_file(path) == NULL) {
        result->is_error = true;
        result->error = missing(path);
        return;
    }
    sb_file_info *page = NULL;
    size_t len = 0;
    sb_text last = after.is_some ? after.value : SB("");
    for (const file *entry; len < PAGE_LEN && (entry = next_entry(path, last)) != NULL;) {
        page = sb_grown(page, len, sizeof(sb_file_info));
        page[len++] = entry->info;
        last = entry->info.name;
    }
    result->ok = (sb_file_infos){page, len};
}

void sb_wire_files_bytes(sb_text path, uint64_t offset, uint32_t bytes_max, sb_text_result *result) {
    const file *found = find_file(path);
    memset(result, 0, sizeof(*result));
    if (found == NULL) {
        result->is_error = true;
        result->error = missing(path);
        return;
    }
    size_t from = offset > found->content.len ? found->content.len : (size_t)offset;
    result->ok = sb_slice(found->content, from, from + bytes_max);
}

void sb_wire_files_space(sb_text path, sb_space_result *result) {
    memset(result, 0, sizeof(*result));
    if (find_file(path) == NULL) {
        result->is_error = true;
        result->error = missing(path);
    } else {
        result->ok = (sb_space){1000000, 400000, 1000, 900};
    }
}

void sb_wire_files_create(sb_text path, sb_nothing_result *result) {
    memset(result, 0, sizeof(*result));
    add_file(path, "directory", SB(""), sb_fake.now_ms);
    add_directories(path);
}

void sb_wire_files_remove(sb_text path, sb_nothing_result *result) {
    file *found = find_file(path);
    memset(result, 0, sizeof(*result));
    if (found == NULL) {
        result->is_error = true;
        result->error = missing(path);
    } else {
        *found = files[--files_len];
    }
}

void sb_wire_files_set_mode(sb_text path, uint32_t mode, sb_nothing_result *result) {
    file *found = find_file(path);
    memset(result, 0, sizeof(*result));
    if (found == NULL) {
        result->is_error = true;
        result->error = missing(path);
    } else {
        found->info.mode = mode;
    }
}

// secrets

void sb_fake_secret(const char *name, uint64_t changed_at_ms) {
    secrets = sb_grown(secrets, secrets_len, sizeof(secret));
    secrets[secrets_len++] = (secret){sb_text_of(name), changed_at_ms};
}

static const secret *find_secret(sb_text name) {
    for (size_t at = 0; at < secrets_len; at++) {
        if (sb_same(secrets[at].name, name)) {
            return &secrets[at];
        }
    }
    return NULL;
}

void sb_wire_secrets_inspect(sb_text name, sb_secret_info_result *result) {
    const secret *found = find_secret(name);
    memset(result, 0, sizeof(*result));
    if (found == NULL) {
        result->is_error = true;
        result->error = sb_fake_denied("secrets");
    } else {
        result->ok = (sb_secret_info){sb_some_u64(found->changed_at_ms), 1};
    }
}

void sb_wire_secrets_sign(sb_text name, sb_text algorithm, sb_text prefix, sb_bytes data, sb_texts_result *result) {
    (void)algorithm;
    (void)prefix;
    memset(result, 0, sizeof(*result));
    if (find_secret(name) == NULL) {
        result->is_error = true;
        result->error = sb_fake_denied("secrets");
        return;
    }
    sb_text *signature = sb_alloc(sizeof(sb_text));
    *signature = sb_format("signature of %.*s", SB_F(data));
    result->ok = (sb_texts){signature, 1};
}

void sb_wire_secrets_encode(sb_text text, sb_text encoding, sb_text_result *result) {
    (void)encoding;
    sb_fake_expect_utf8(text);
    memset(result, 0, sizeof(*result));
    result->ok = sb_format("placeholder of %.*s", SB_F(text));
}

// system

#define ANSWER_(scripted)                         \
    memset(result, 0, sizeof(*result));           \
    if ((scripted) == NULL) {                     \
        result->is_error = true;                  \
        result->error = sb_fake_denied("system"); \
    } else {                                      \
        result->ok = *(scripted);                 \
    }

void sb_wire_system_cpu(sb_cpu_result *result) {
    ANSWER_(sb_fake.cpu)
}

void sb_wire_system_memory(sb_memory_result *result) {
    ANSWER_(sb_fake.memory)
}

void sb_wire_system_load(sb_load_result *result) {
    ANSWER_(sb_fake.load)
}

void sb_wire_system_disks(sb_disks_result *result) {
    ANSWER_(sb_fake.disks)
}

void sb_wire_system_disk_io(sb_disk_ios_result *result) {
    ANSWER_(sb_fake.disk_io)
}

void sb_wire_system_processes(sb_text name, sb_processes_result *result) {
    sb_fake_expect_utf8(name);
    ANSWER_(sb_fake.processes)
}

void sb_wire_system_listeners(sb_listeners_result *result) {
    ANSWER_(sb_fake.listeners)
}

void sb_wire_system_open_files(sb_open_files_result *result) {
    ANSWER_(sb_fake.open_files)
}

// state, log, clock

static sb_label *find_kept(sb_text key) {
    for (size_t at = 0; at < kept_len; at++) {
        if (sb_same(kept[at].name, key)) {
            return &kept[at];
        }
    }
    return NULL;
}

sb_text sb_fake_state(const char *key) {
    const sb_label *found = find_kept(sb_text_of(key));
    return found == NULL ? SB("") : found->value;
}

void sb_wire_state_get(sb_text key, sb_optional_text *value) {
    const sb_label *found = find_kept(key);
    *value = found == NULL ? (sb_optional_text){0} : sb_some(found->value);
}

void sb_wire_state_put(sb_text key, sb_bytes value, sb_put_result *result) {
    sb_fake_expect_utf8(key);
    size_t bytes = key.len + value.len;
    for (size_t at = 0; at < kept_len; at++) {
        bytes += sb_same(kept[at].name, key) ? 0 : kept[at].name.len + kept[at].value.len;
    }
    sb_label *found = find_kept(key);
    memset(result, 0, sizeof(*result));
    if (key.len > STATE_KEY_BYTES_MAX || bytes > STATE_BYTES_MAX || (found == NULL && kept_len == STATE_KEYS_MAX)) {
        result->is_error = true;
        result->error = SB("more than 64 keys of 128 bytes and 16 KiB in all");
        return;
    }
    if (found == NULL) {
        kept = sb_grown(kept, kept_len, sizeof(sb_label));
        found = &kept[kept_len++];
        found->name = sb_copy(key);
    }
    found->value = sb_copy(value);
}

void sb_wire_state_remove(sb_text key) {
    sb_label *found = find_kept(key);
    if (found != NULL) {
        *found = kept[--kept_len];
    }
}

void sb_wire_log_write(sb_level level, sb_text message, sb_labels fields) {
    sb_fake_expect_utf8(message);
    sb_fake_expect_utf8_labels(fields);
    sb_line *lines = sb_grown(sb_fake.lines, sb_fake.lines_len, sizeof(sb_line));
    lines[sb_fake.lines_len++] = (sb_line){level, sb_copy(message), {sb_fake_copy_labels(fields), fields.len}};
    sb_fake.lines = lines;
}

uint64_t sb_wire_now_ms(void) {
    return sb_fake.now_ms;
}
