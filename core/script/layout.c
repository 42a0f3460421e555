#include "script/layout.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SHARED_AT = 16,   /* in a thread: where it points to the shared part */
    SEARCHED = 1024,  /* bytes of the shared part */
    WORDS = SEARCHED / 8 - 1,
    THREAD_BYTES = 88 /* of a thread, in which its base is searched */
};

static char *pointer_at(const char *p, long offset)
{
    char *found;
    memcpy(&found, p + offset, sizeof found);
    return found;
}

char *mg_layout_shared(lua_State *L)
{
    return pointer_at((const char *)L, SHARED_AT);
}

/* Whether that memory can be read; asks the kernel. */
static bool is_readable(const char *p, size_t n)
{
    int fds[2];
    if (pipe(fds) != 0)
        return false;
    bool readable = syscall(SYS_write, fds[1], p, n) == (long)n;
    (void)close(fds[0]);
    (void)close(fds[1]);
    return readable;
}

/* ---- the byte ---- */

static void no_hook(lua_State *L, lua_Debug *ar)
{
    (void)L, (void)ar;
}

/* The one byte that follows what lua_sethook is told. */
static long find_hookmask(lua_State *L)
{
    static const int masks[] = {0, LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKRET, LUA_MASKCALL, LUA_MASKCOUNT | LUA_MASKLINE, 0};
    bool may_be[SEARCHED];
    volatile const char *shared = mg_layout_shared(L);
    long found = -1;
    memset(may_be, 1, sizeof may_be);
    for (size_t i = 0; i < MG_COUNT(masks); i++) {
        lua_sethook(L, masks[i] ? no_hook : NULL, masks[i], masks[i] ? 1000000 : 0);
        for (long at = 0; at < SEARCHED; at++)
            may_be[at] = may_be[at] && shared[at] == masks[i];
    }
    lua_sethook(L, NULL, 0, 0);
    for (long at = 0; at < SEARCHED; at++) {
        if (may_be[at] && found >= 0)
            return -1;
        if (may_be[at])
            found = at;
    }
    return found;
}

/* ---- the base of a thread ---- */

static const lua_Number MARKS[] = {1234.5678, -8765.4321};
static long base_found;

/* look(MARKS[0], MARKS[1]): the base of a C function points to its first argument. */
static int look_for_base(lua_State *L)
{
    base_found = -1;
    for (long at = SHARED_AT + 8; at < THREAD_BYTES; at += 8) {
        const char *p = pointer_at((const char *)L, at);
        if (((uintptr_t)p & 7) == 0 && is_readable(p, sizeof MARKS) && memcmp(p, MARKS, sizeof MARKS) == 0) {
            base_found = base_found < 0 ? at : 0;
        }
    }
    return 0;
}

static long find_base(lua_State *L)
{
    lua_pushcfunction(L, look_for_base);
    lua_pushnumber(L, MARKS[0]);
    lua_pushnumber(L, MARKS[1]);
    lua_call(L, 2, 0);
    return base_found > 0 ? base_found : -1;
}

/* ---- who runs, and its base in compiled code ---- */

/* Whenever a thread asks for memory, its own pointer stands in one place, and next to it 0 or, where it runs
 * compiled, something inside of its stack. */
static struct {
    lua_State *thread; /* whose requests are looked at */
    long base;
    lua_Alloc alloc;
    void *alloc_arg;
    struct { bool never, zero, inside; } seen[WORDS];
} probe;

static void look_at_words(void)
{
    enum { AROUND = 4096 };
    const char *shared = mg_layout_shared(probe.thread), *base = pointer_at((const char *)probe.thread, probe.base);
    for (long i = 0; i < WORDS; i++) {
        const char *next = pointer_at(shared, i * 8 + 8);
        bool inside = next > base - AROUND && next < base + AROUND;
        if (pointer_at(shared, i * 8) != (char *)probe.thread || (next && !inside))
            probe.seen[i].never = true;
        else if (next)
            probe.seen[i].inside = true;
        else
            probe.seen[i].zero = true;
    }
}

static void *look_and_allocate(void *arg, void *p, size_t old_size, size_t new_size)
{
    (void)arg;
    if (probe.thread && new_size)
        look_at_words();
    return probe.alloc(probe.alloc_arg, p, old_size, new_size);
}

static long find_running(lua_State *L, long base)
{
    lua_State *co = lua_newthread(L);
    long found = -1;
    memset(&probe, 0, sizeof probe);
    probe.base = base;
    probe.alloc = lua_getallocf(L, &probe.alloc_arg);
    if (luaL_loadstring(co, "local s for i = 1, 200 do s = { i, i * 2, s and i } end") != 0)
        return -1;
    lua_setallocf(L, look_and_allocate, NULL);
    probe.thread = co;
    int rc = lua_resume(co, 0);
    probe.thread = NULL;
    lua_setallocf(L, probe.alloc, probe.alloc_arg);
    for (long i = 0; i < WORDS && rc == 0; i++) {
        if (probe.seen[i].never || !probe.seen[i].zero || !probe.seen[i].inside)
            continue;
        if (found >= 0)
            return -1;
        found = i * 8;
    }
    return found;
}

mg_layout mg_layout_find(void)
{
    mg_layout found = {-1, -1, -1, -1};
    lua_State *L = luaL_newstate();
    if (!L)
        return found;
    luaL_openlibs(L);
    if (is_readable((const char *)L, THREAD_BYTES) && is_readable(mg_layout_shared(L), SEARCHED)) {
        found.hookmask = find_hookmask(L);
        found.base = find_base(L);
        found.running = found.base > 0 ? find_running(L, found.base) : -1;
        found.compiled = found.running >= 0 ? found.running + 8 : -1;
    }
    lua_close(L);
    return found;
}
