/*
 * base: the few words that every file of the house uses.
 *
 * Return codes: functions that can fail in life return an mg_rc and are MG_MUST_CHECK. What is
 * zero or more is not an error; errors are negative and few. A sentence for humans travels in an
 * mg_err (err.h) and only where a human reads it.
 *
 * Promises: MG_BUG_UNLESS(promise) states what our own code guarantees. It is always on and fatal:
 * the master restarts the worker. What a peer sends is never a bug.
 */
#ifndef MG_BASE_BASE_H
#define MG_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
    MG_OK = 0,
    MG_AGAIN = 1,   /* nothing more for now; something will wake us */
    MG_EOF = 2,     /* the other side ended properly */
    MG_FAIL = -1,   /* it went wrong; an mg_err or errno says how */
    MG_LIMIT = -2,  /* a configured bound was reached */
    MG_BAD = -3,    /* the input breaks its grammar */
    MG_LATE = -4,   /* a deadline passed */
    MG_GONE = -5    /* the peer reset or closed half-way */
} mg_rc;

#define MG_MUST_CHECK __attribute__((warn_unused_result))
#define MG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MG_UNUSED __attribute__((unused))
#define MG_LIKELY(x) __builtin_expect(!!(x), 1)
#define MG_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define MG_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MG_OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MG_MIN(a, b) ((a) < (b) ? (a) : (b))
#define MG_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Says which promise broke and where, writes the stack if it can, and ends the process. */
_Noreturn void mg_bug(const char *promise, const char *file, int line);
#define MG_BUG_UNLESS(promise) \
    do { \
        if (MG_UNLIKELY(!(promise))) \
            mg_bug(#promise, __FILE__, __LINE__); \
    } while (0)

/* Memory that cannot be had ends the process: limits are policy and are checked elsewhere. */
void *mg_alloc(size_t size);                     /* uninitialised */
void *mg_zalloc(size_t size);                    /* zeroed */
void *mg_realloc(void *old, size_t size);
char *mg_strdup(const char *text);
void mg_free(void *memory);

#endif
