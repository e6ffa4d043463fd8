/// Memory that lasts as long as one run.
///
/// In a guest: blocks one behind the other, first in an array of the module's own, then in memory that the host adds. Nothing is freed
/// before the run is over; then everything is, by setting one pointer back. Natively: one block of the C library for each, so that the
/// address sanitizer sees every byte beyond an end.
///
/// Invariant: `sb_memory_reset` is called only where nobody holds anything of the run any more: after the host has read its answer.
#include "internal.h"

#if defined(__wasm__)

/// More would cost every run the time to clear it; a run that needs more has its memory grown.
#define FIRST_BYTES ((size_t)48 << 10)
#define PAGE_BYTES ((size_t)64 << 10)
/// Asked for at once: each time costs the run two system calls of the host.
#define PAGES_MIN ((size_t)4)
#define ALIGNMENT ((size_t)8)

static _Alignas(8) unsigned char first[FIRST_BYTES];

/// Blocks come from between `next` and `end`, at the beginning those of `first`.
static unsigned char *next = first;
static unsigned char *end = first + FIRST_BYTES;
/// What the host added; a kept instance keeps it for its next run.
static unsigned char *added;
static unsigned char *added_end;

/// Nothing can be done any more: the host ends the run and says so.
_Noreturn static void give_up(void) {
    __builtin_trap();
}

/// The first byte of new memory, of at least `pages`; tells how many it became.
static unsigned char *ask_for(size_t *pages) {
    size_t many = *pages < PAGES_MIN ? PAGES_MIN : *pages;
    size_t before = __builtin_wasm_memory_grow(0, many);
    if (before == SIZE_MAX && many > *pages) {
        many = *pages;
        before = __builtin_wasm_memory_grow(0, many);
    }
    if (before == SIZE_MAX) {
        give_up();
    }
    *pages = many;
    return (unsigned char *)(before * PAGE_BYTES);
}

/// Goes on in the added memory, of which there are `bytes` in one piece afterwards.
static void make_room(size_t bytes) {
    bool in_first = end == first + FIRST_BYTES;
    if (!in_first || bytes > (size_t)(added_end - added)) {
        size_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
        unsigned char *start = ask_for(&pages);
        if (start != added_end) {
            // Somebody else had memory added in between: what was ours before stays unused.
            added = start;
            in_first = true;
        }
        added_end = start + pages * PAGE_BYTES;
    }
    if (in_first) {
        next = added;
    }
    end = added_end;
}

/// A block that is not cleared.
static unsigned char *take(size_t bytes) {
    if (bytes > (size_t)(end - next)) {
        make_room(bytes);
    }
    unsigned char *block = next;
    next += bytes;
    return block;
}

static size_t pad(size_t bytes) {
    if (bytes > SIZE_MAX - ALIGNMENT - PAGE_BYTES) {
        give_up();
    }
    return (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void *sb_alloc(size_t bytes) {
    return memset(take(pad(bytes)), 0, bytes);
}

void *sb_alloc_uncleared(size_t bytes) {
    return take(pad(bytes));
}

void *sb_resize(void *block, size_t bytes_before, size_t bytes) {
    unsigned char *old = block;
    if (old != NULL && old + pad(bytes_before) == next && pad(bytes) <= (size_t)(end - old)) {
        next = old + pad(bytes);
        return old;
    }
    void *larger = sb_alloc_uncleared(bytes);
    if (old != NULL) {
        memcpy(larger, old, bytes_before < bytes ? bytes_before : bytes);
    }
    return larger;
}

void sb_memory_reset(void) {
    next = first;
    end = first + FIRST_BYTES;
}

/// How the host puts what it gives into our memory.
__attribute__((export_name("cabi_realloc"))) void *sb_cabi_realloc(void *block, size_t bytes_before, size_t alignment, size_t bytes);
void *sb_cabi_realloc(void *block, size_t bytes_before, size_t alignment, size_t bytes) {
    (void)alignment;
    return sb_resize(block, bytes_before, bytes);
}

#else

#include <stdlib.h>

typedef struct sb_block {
    struct sb_block *before;
    _Alignas(16) unsigned char bytes[];
} sb_block;

static sb_block *last;

static void *take(size_t bytes, bool cleared) {
    size_t all = sizeof(sb_block) + bytes;
    sb_block *block = all < bytes ? NULL : cleared ? calloc(1, all) : malloc(all);
    if (block == NULL) {
        abort();
    }
    block->before = last;
    last = block;
    return block->bytes;
}

void *sb_alloc(size_t bytes) {
    return take(bytes, true);
}

void *sb_alloc_uncleared(size_t bytes) {
    return take(bytes, false);
}

void *sb_resize(void *block, size_t bytes_before, size_t bytes) {
    void *larger = sb_alloc_uncleared(bytes);
    if (block != NULL) {
        memcpy(larger, block, bytes_before < bytes ? bytes_before : bytes);
    }
    return larger;
}

void sb_memory_reset(void) {
    while (last != NULL) {
        sb_block *block = last;
        last = block->before;
        free(block);
    }
}

#endif

void *sb_alloc_array(size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes) {
        count = SIZE_MAX / bytes;
    }
    return sb_alloc(count * bytes);
}
