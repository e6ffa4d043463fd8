/// Files. One that is not there, or that the system does not give, is what a check is about: the target's state.
#include "internal.h"

static const sb_meaning MEANINGS[] = {
    {SB_BLAME_PLUGIN, "configuration"}, // invalid
    {SB_BLAME_PLUGIN, "quota"},         // quota
    {SB_BLAME_SERVICE, "missing"},      // not-found
    {SB_BLAME_SERVICE, "file-system"},  // refused
    {SB_BLAME_SERVICE, "file-system"},  // other
};

sb_error sb_file_info_of(sb_text path, sb_file_info *info) {
    sb_file_info_result result;
    sb_wire_files_info(sb_utf8(path), &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *info = result.ok;
    return SB_OK;
}

sb_error sb_directory_read(sb_text path, sb_text after, sb_file_infos *infos) {
    sb_optional_text from = {after.len > 0, sb_utf8(after)};
    sb_file_infos_result result;
    sb_wire_files_directory(sb_utf8(path), from, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *infos = result.ok;
    return SB_OK;
}

sb_error sb_directory_read_whole(sb_text path, size_t entries_max, sb_file_infos *infos) {
    sb_file_info *all = NULL;
    size_t len = 0;
    sb_file_infos page;
    do {
        SB_TRY(sb_directory_read(path, len == 0 ? SB("") : all[len - 1].name, &page));
        if (page.len > entries_max - len) {
            return sb_quota_error("%.*s has more than %zu entries", SB_F(path), entries_max);
        }
        all = sb_resize(all, len * sizeof(*all), (len + page.len) * sizeof(*all));
        for (size_t at = 0; at < page.len; at++) {
            all[len++] = page.items[at];
        }
    } while (page.len > 0);
    *infos = (sb_file_infos){all, len};
    return SB_OK;
}

sb_error sb_file_read(sb_text path, uint64_t offset, uint32_t bytes_max, sb_bytes *bytes) {
    sb_text_result result;
    sb_wire_files_bytes(sb_utf8(path), offset, bytes_max, &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *bytes = result.ok;
    return SB_OK;
}

sb_error sb_space_of(sb_text path, sb_space *space) {
    sb_space_result result;
    sb_wire_files_space(sb_utf8(path), &result);
    if (result.is_error) {
        return SB_MEANT(MEANINGS, &result.error);
    }
    *space = result.ok;
    return SB_OK;
}

static sb_error done(const sb_nothing_result *result) {
    return result->is_error ? SB_MEANT(MEANINGS, &result->error) : SB_OK;
}

sb_error sb_directory_create(sb_text path) {
    sb_nothing_result result;
    sb_wire_files_create(sb_utf8(path), &result);
    return done(&result);
}

sb_error sb_file_remove(sb_text path) {
    sb_nothing_result result;
    sb_wire_files_remove(sb_utf8(path), &result);
    return done(&result);
}

sb_error sb_file_set_mode(sb_text path, uint32_t mode) {
    sb_nothing_result result;
    sb_wire_files_set_mode(sb_utf8(path), mode, &result);
    return done(&result);
}
