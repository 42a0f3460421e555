#include "base/base.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MG_BUG_FRAMES 32

_Noreturn void mg_bug(const char *promise, const char *file, int line)
{
    char text[512];
    int n = snprintf(text, sizeof text, "moongate: bug: promise broken at %s:%d: %s\n", file, line, promise);
    if (n > 0)
        (void)!write(STDERR_FILENO, text, (size_t)MG_MIN(n, (int)sizeof text - 1));
    void *frames[MG_BUG_FRAMES];
    backtrace_symbols_fd(frames, backtrace(frames, MG_BUG_FRAMES), STDERR_FILENO);
    abort();
}

static void *have(void *memory, size_t size)
{
    if (MG_UNLIKELY(!memory && size)) {
        static const char text[] = "moongate: out of memory\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
    return memory;
}

void *mg_alloc(size_t size)
{
    return have(malloc(size), size);
}

void *mg_zalloc(size_t size)
{
    return have(calloc(1, size), size);
}

void *mg_realloc(void *old, size_t size)
{
    return have(realloc(old, size), size);
}

char *mg_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mg_alloc(size), text, size);
}

void mg_free(void *memory)
{
    free(memory);
}
