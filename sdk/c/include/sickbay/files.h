/// Files below the granted directories, by guest path, as far as `grants = { files = [...] }` allows. A link is never followed out of its
/// grant.
#pragma once

#include "error.h"
#include "types.h"

/// What one call of `sb_file_read` answers at most.
#define SB_FILE_READ_BYTES_MAX (1u << 20)

/// The failure kinds that a call may end with.
#define SB_FILE_FAILURES "missing", "file-system"

/// One name and what is behind it. A link is not followed.
typedef struct {
    /// The last part of the path.
    sb_text name;
    /// `file`, `directory`, `link`, or another word.
    sb_text kind;
    uint64_t size_bytes;
    /// When its content last changed, in milliseconds since 1970.
    uint64_t modified_at_ms;
    /// Permission bits: 0640 is 416.
    uint32_t mode;
    /// By the host's user.
    bool writable;
    /// Another value when the name went to another file: the log was rotated.
    sb_text identity;
} sb_file_info;

typedef struct {
    const sb_file_info *items;
    size_t len;
} sb_file_infos;

/// Room on the file system that holds a path.
typedef struct {
    double total_bytes;
    /// Bytes that an ordinary user may still write.
    double available_bytes;
    /// 0 where the file system does not count them.
    double inodes_total;
    double inodes_free;
} sb_space;

/// Of the name itself, not of what a link points to.
SB_MUST_USE_ sb_error sb_file_info_of(sb_text path, sb_file_info *info);
/// By name, at most 1000 from the first name after `after`; an empty `after` begins.
SB_MUST_USE_ sb_error sb_directory_read(sb_text path, sb_text after, sb_file_infos *infos);
/// By name, page after page. A directory with more than `entries_max` is refused: half of it would mislead.
SB_MUST_USE_ sb_error sb_directory_read_whole(sb_text path, size_t entries_max, sb_file_infos *infos);
/// At most 1 MiB; empty at the end.
SB_MUST_USE_ sb_error sb_file_read(sb_text path, uint64_t offset, uint32_t bytes_max, sb_bytes *bytes);
/// Room on the file system that holds `path`.
SB_MUST_USE_ sb_error sb_space_of(sb_text path, sb_space *space);

/// These need `mode = "rw"`.
SB_MUST_USE_ sb_error sb_directory_create(sb_text path);
/// A file, a link, or an empty directory.
SB_MUST_USE_ sb_error sb_file_remove(sb_text path);
/// Permission bits only.
SB_MUST_USE_ sb_error sb_file_set_mode(sb_text path, uint32_t mode);
