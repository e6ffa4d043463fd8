/// The kinds `files`, `secrets` and `system`.
#include "conformance.h"

#define READ_BYTES_MAX 4096
#define ENTRIES_MAX 100
#define MODE 0640

struct files_config {
    sb_texts paths;
    sb_text what;
    bool tell_errors;
};

static const sb_field files_fields[] = {
    SB_FIELD(struct files_config, paths, "Which", .required = true),
    SB_FIELD(struct files_config, what, "What is done with each",
             .one_of = SB_WORDS("info", "directory", "read", "space", "create", "remove", "mode"), .default_text = "info"),
    SB_FIELD(struct files_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static void tell_file(lines *told, const sb_file_info *info) {
    tell(told, SB_TEXTS(SB("file"), told_text(info->name), told_text(info->kind), told_count(info->size_bytes),
                        told_ms(info->modified_at_ms), told_count(info->mode), told_bool(info->writable), told_text(info->identity)));
}

static sb_error change(sb_text what, sb_text path, lines *told) {
    if (sb_is(what, "create")) {
        SB_TRY(sb_directory_create(path));
    } else if (sb_is(what, "remove")) {
        SB_TRY(sb_file_remove(path));
    } else {
        SB_TRY(sb_file_set_mode(path, MODE));
    }
    tell(told, SB_TEXTS(SB("done")));
    return SB_OK;
}

static sb_error work(sb_text what, sb_text path, lines *told) {
    if (sb_is(what, "info")) {
        sb_file_info info;
        SB_TRY(sb_file_info_of(path, &info));
        tell_file(told, &info);
        return SB_OK;
    }
    if (sb_is(what, "directory")) {
        sb_file_infos infos;
        SB_TRY(sb_directory_read_whole(path, ENTRIES_MAX, &infos));
        for (size_t at = 0; at < infos.len; at++) {
            tell_file(told, &infos.items[at]);
        }
        return SB_OK;
    }
    if (sb_is(what, "read")) {
        sb_bytes content;
        SB_TRY(sb_file_read(path, 0, READ_BYTES_MAX, &content));
        tell(told, SB_TEXTS(SB("read"), told_string(content)));
        return SB_OK;
    }
    if (sb_is(what, "space")) {
        sb_space space;
        SB_TRY(sb_space_of(path, &space));
        tell(told, SB_TEXTS(SB("space"), told_float(space.total_bytes), told_float(space.available_bytes), told_float(space.inodes_total),
                            told_float(space.inodes_free)));
        return SB_OK;
    }
    return change(what, path, told);
}

static sb_error run_files(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct files_config *config = configured;
    (void)request;
    lines told = {0};
    for (size_t at = 0; at < config->paths.len; at++) {
        SB_TRY(tell_error(&told, work(config->what, config->paths.items[at], &told), config->tell_errors));
    }
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(use_files, "files", "Tells of files", .example = "{\"paths\": [\"/etc/hostname\"]}",
         SB_CONFIG(struct files_config, files_fields), .run = run_files);

struct secrets_config {
    sb_texts secrets;
    sb_text what;
    bool tell_errors;
};

static const sb_field secrets_fields[] = {
    SB_FIELD(struct secrets_config, secrets, "Names of secrets; of `encode` what is encoded", .required = true),
    SB_FIELD(struct secrets_config, what, "What is done with each", .one_of = SB_WORDS("inspect", "sign", "encode"),
             .default_text = "inspect"),
    SB_FIELD(struct secrets_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error use(sb_text what, sb_text secret, lines *told) {
    if (sb_is(what, "sign")) {
        sb_texts signatures;
        SB_TRY(sb_secret_sign(secret, "hmac-sha256", SB("AWS4"), SB("data"), &signatures));
        for (size_t at = 0; at < signatures.len; at++) {
            tell(told, SB_TEXTS(SB("signature"), told_bytes(signatures.items[at])));
        }
        return SB_OK;
    }
    if (sb_is(what, "encode")) {
        sb_text encoded;
        SB_TRY(sb_secret_encode(secret, "base64", &encoded));
        tell(told, SB_TEXTS(SB("encoded"), told_text(encoded)));
        return SB_OK;
    }
    sb_secret_info info;
    SB_TRY(sb_secret_inspect(secret, &info));
    sb_text changed = info.changed_at_ms.is_some ? told_ms(info.changed_at_ms.value) : SB("null");
    tell(told, SB_TEXTS(SB("secret"), changed, told_count(info.versions)));
    return SB_OK;
}

static sb_error run_secrets(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct secrets_config *config = configured;
    (void)request;
    lines told = {0};
    for (size_t at = 0; at < config->secrets.len; at++) {
        SB_TRY(tell_error(&told, use(config->what, config->secrets.items[at], &told), config->tell_errors));
    }
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(use_secrets, "secrets", "Uses secrets", .example = "{\"secrets\": [\"api\"]}", SB_CONFIG(struct secrets_config, secrets_fields),
         .run = run_secrets);

struct system_config {
    sb_texts what;
    sb_text process;
    bool tell_errors;
};

static const sb_field system_fields[] = {
    SB_FIELD(struct system_config, what, "`cpu`, `memory`, `load`, `disks`, `io`, `processes`, `listeners`, `files`", .required = true),
    SB_FIELD(struct system_config, process, "Of which name", .default_text = "nginx"),
    SB_FIELD(struct system_config, tell_errors, "Whether an error is a line"),
    SB_FIELD_END,
};

static sb_error read_disks(lines *told) {
    sb_disks disks;
    SB_TRY(sb_system_disks(&disks));
    for (size_t at = 0; at < disks.len; at++) {
        const sb_disk *disk = &disks.items[at];
        tell(told, SB_TEXTS(SB("disk"), told_text(disk->mount), told_text(disk->device), told_text(disk->file_system),
                            told_float(disk->total_bytes), told_float(disk->available_bytes), told_float(disk->inodes_total),
                            told_float(disk->inodes_free), told_bool(disk->read_only)));
    }
    return SB_OK;
}

static sb_error read_io(lines *told) {
    sb_disk_ios devices;
    SB_TRY(sb_system_disk_io(&devices));
    for (size_t at = 0; at < devices.len; at++) {
        const sb_disk_io *device = &devices.items[at];
        tell(told, SB_TEXTS(SB("io"), told_text(device->device), told_float(device->read_bytes), told_float(device->written_bytes),
                            told_float(device->busy_seconds)));
    }
    return SB_OK;
}

static sb_error read_processes(sb_text name, lines *told) {
    sb_processes processes;
    SB_TRY(sb_system_processes(name, &processes));
    for (size_t at = 0; at < processes.len; at++) {
        const sb_process *process = &processes.items[at];
        tell(told, SB_TEXTS(SB("process"), told_count(process->pid), told_text(process->name), told_float(process->resident_bytes),
                            told_float(process->cpu_seconds), told_ms(process->started_at_ms)));
    }
    return SB_OK;
}

static sb_error read_listeners(lines *told) {
    sb_listeners listeners;
    SB_TRY(sb_system_listeners(&listeners));
    for (size_t at = 0; at < listeners.len; at++) {
        const sb_listener *listener = &listeners.items[at];
        tell(told, SB_TEXTS(SB("listener"), told_text(listener->protocol), told_text(listener->address), told_count(listener->port),
                            told_optional(listener->process)));
    }
    return SB_OK;
}

static sb_error read_topic(sb_text what, lines *told) {
    if (sb_is(what, "cpu")) {
        sb_cpu cpu;
        SB_TRY(sb_system_cpu(&cpu));
        tell(told, SB_TEXTS(SB("cpu"), told_float(cpu.busy_ratio), told_float(cpu.iowait_ratio), told_count(cpu.cores),
                            told_count(cpu.window_ms)));
    } else if (sb_is(what, "memory")) {
        sb_memory memory;
        SB_TRY(sb_system_memory(&memory));
        tell(told, SB_TEXTS(SB("memory"), told_float(memory.total_bytes), told_float(memory.available_bytes),
                            told_float(memory.swap_total_bytes), told_float(memory.swap_used_bytes)));
    } else if (sb_is(what, "load")) {
        sb_load load;
        SB_TRY(sb_system_load(&load));
        tell(told, SB_TEXTS(SB("load"), told_float(load.one), told_float(load.five), told_float(load.fifteen)));
    } else if (sb_is(what, "files")) {
        sb_open_files files;
        SB_TRY(sb_system_open_files(&files));
        tell(told, SB_TEXTS(SB("open-files"), told_float(files.open), told_float(files.maximum)));
    } else {
        return sb_configuration_error("there is no topic %.*s", SB_F(what));
    }
    return SB_OK;
}

static sb_error read_one(const struct system_config *config, sb_text what, lines *told) {
    if (sb_is(what, "disks")) {
        return read_disks(told);
    }
    if (sb_is(what, "io")) {
        return read_io(told);
    }
    if (sb_is(what, "processes")) {
        return read_processes(config->process, told);
    }
    return sb_is(what, "listeners") ? read_listeners(told) : read_topic(what, told);
}

static sb_error run_system(const sb_check_request *request, const void *configured, sb_report *report) {
    const struct system_config *config = configured;
    (void)request;
    lines told = {0};
    for (size_t at = 0; at < config->what.len; at++) {
        SB_TRY(tell_error(&told, read_one(config, config->what.items[at], &told), config->tell_errors));
    }
    report_lines(report, &told);
    return SB_OK;
}

SB_CHECK(read_system, "system", "Tells of the machine", .example = "{\"what\": [\"memory\"]}",
         SB_CONFIG(struct system_config, system_fields), .run = run_system);
