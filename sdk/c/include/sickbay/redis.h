/// Redis by the name of a source, as far as `grants = { redis = [...] }` allows: commands and key patterns.
///
/// The host connects, authenticates and keeps the credentials.
///
///     sb_reply reply;
///     SB_TRY(sb_redis_command("cache", SB_TEXTS(SB("LLEN"), SB("celery")), &reply));
///     SB_TRY(sb_reply_number(reply, &length));
///
/// A reply is a tree. An error that the server answered is an `sb_error` from `sb_redis_command`, and a reply of its own from
/// `sb_redis_run_many`: `sb_reply_accept` makes an error of it.
#pragma once

#include "error.h"
#include "types.h"

#define SB_REDIS_COMMANDS_MAX 256

/// The failure kinds that a call may end with.
#define SB_REDIS_FAILURES "connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections"

enum {
    SB_REDIS_NIL,
    SB_REDIS_INT,
    SB_REDIS_FLOAT,
    SB_REDIS_BOOLEAN,
    /// A status: `OK`
    SB_REDIS_SIMPLE,
    /// A string; bytes of any encoding
    SB_REDIS_BULK,
    /// An error reply: `WRONGTYPE ...`
    SB_REDIS_FAILED,
    SB_REDIS_ARRAY,
    /// Key, value, key, value, ...
    SB_REDIS_MAP,
    SB_REDIS_SET,
    /// Decimal digits of a number beyond 64 bits
    SB_REDIS_BIG_NUMBER,
    SB_REDIS_OTHER,
};

/// One node of a reply, which is a flat list in pre-order: an array of n is followed by its n elements.
typedef struct {
    uint8_t kind;
    union {
        int64_t integer;
        double real;
        bool boolean;
        /// `SIMPLE`, `BULK`, `FAILED`, `BIG_NUMBER`, `OTHER`
        sb_text text;
        /// `ARRAY`, `SET`: elements; `MAP`: pairs
        uint32_t count;
    };
} sb_redis_node;

/// One reply, or a part of one. Not empty.
typedef struct {
    const sb_redis_node *nodes;
    size_t len;
} sb_reply;

/// One command with its arguments. What the server refused is an error.
SB_MUST_USE_ sb_error sb_redis_command(const char *source, sb_texts command, sb_reply *reply);
/// The same with a timeout, and an error reply as it is.
SB_MUST_USE_ sb_error sb_redis_run(sb_text source, sb_texts command, sb_optional_u32 timeout_ms, sb_reply *reply);
/// At most 256 commands in one round trip, replies in order.
SB_MUST_USE_ sb_error sb_redis_run_many(sb_text source, const sb_texts *commands, size_t len, sb_optional_u32 timeout_ms,
                                        sb_reply *replies);

/// What the server refused, as an error: its state is the service's, everything else the command's and so the configuration's.
SB_MUST_USE_ sb_error sb_reply_accept(sb_reply reply);
bool sb_reply_is_nil(sb_reply reply);
/// A number, also one that came as text. Anything else is the service's fault: `content`.
SB_MUST_USE_ sb_error sb_reply_number(sb_reply reply, double *number);
/// A status or a string, as bytes. Anything else is the service's fault: `content`.
SB_MUST_USE_ sb_error sb_reply_text(sb_reply reply, sb_bytes *text);
/// The elements of an array or a set; of a map its keys and values in turn; 0 of anything else.
size_t sb_reply_len(sb_reply reply);
/// An element, by its place from 0; it has to be there.
sb_reply sb_reply_item(sb_reply reply, size_t index);

/// What `INFO` says in this section, or in several when called again: `info` grows.
SB_MUST_USE_ sb_error sb_redis_info(const char *source, const char *section, sb_text *info);
/// A field of it, where it is there.
bool sb_info_text(sb_text info, const char *field, sb_text *value);
/// A number that every server tells: without it the answer is not what `INFO` answers, and that is the service's fault.
SB_MUST_USE_ sb_error sb_info_number(sb_text info, const char *field, double *number);
