/// What the compiler calls where there is no C library. With one (`__wasi__`, or natively) these are the library's.
#include "internal.h"

#if defined(__wasm__) && !defined(__wasi__)

// With bulk memory the compiler makes one instruction of each of the first three; a loop would become a call of itself.

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    return __builtin_memcpy(to, from, bytes);
}

void *memmove(void *to, const void *from, size_t bytes) {
    return __builtin_memmove(to, from, bytes);
}

void *memset(void *to, int value, size_t bytes) {
    return __builtin_memset(to, value, bytes);
}

int memcmp(const void *one, const void *other, size_t bytes) {
    const unsigned char *left = one;
    const unsigned char *right = other;
    for (size_t at = 0; at < bytes; at++) {
        if (left[at] != right[at]) {
            return left[at] < right[at] ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *string) {
    size_t len = 0;
    while (string[len] != 0) {
        len++;
    }
    return len;
}

#endif
