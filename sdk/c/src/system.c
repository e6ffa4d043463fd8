/// The machine. It is no service that could refuse: what cannot be read cannot be judged.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"}, // unsupported
    {SB_BLAME_PLUGIN, "internal"},      // other
};

/// All calls are alike but for their types.
#define ANSWER_(result, place)                      \
    if ((result).is_error) {                        \
        return SB_MEANT(MEANINGS, &(result).error); \
    }                                               \
    *(place) = (result).ok;                         \
    return SB_OK

sb_error sb_system_cpu(sb_cpu *cpu) {
    sb_cpu_result result;
    sb_wire_system_cpu(&result);
    ANSWER_(result, cpu);
}

sb_error sb_system_memory(sb_memory *memory) {
    sb_memory_result result;
    sb_wire_system_memory(&result);
    ANSWER_(result, memory);
}

sb_error sb_system_load(sb_load *load) {
    sb_load_result result;
    sb_wire_system_load(&result);
    ANSWER_(result, load);
}

sb_error sb_system_disks(sb_disks *disks) {
    sb_disks_result result;
    sb_wire_system_disks(&result);
    ANSWER_(result, disks);
}

sb_error sb_system_disk_io(sb_disk_ios *devices) {
    sb_disk_ios_result result;
    sb_wire_system_disk_io(&result);
    ANSWER_(result, devices);
}

sb_error sb_system_processes(sb_text name, sb_processes *processes) {
    sb_processes_result result;
    sb_wire_system_processes(sb_utf8(name), &result);
    ANSWER_(result, processes);
}

sb_error sb_system_listeners(sb_listeners *listeners) {
    sb_listeners_result result;
    sb_wire_system_listeners(&result);
    ANSWER_(result, listeners);
}

sb_error sb_system_open_files(sb_open_files *files) {
    sb_open_files_result result;
    sb_wire_system_open_files(&result);
    ANSWER_(result, files);
}
