#include "script/budget.h"

#include "base/fault.h"
#include "base/log.h"
#include "script/layout.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

/* What LuaJIT keeps in the byte that compiled code looks at. */
enum { IN_HOOK = 0x10, IN_FINALIZER = 0x40, LOOK = 0x80 };

enum {
    STANDING_COUNT = 5000, /* instructions between two looks where nothing is compiled */
    TEST_KICKS = 400,    /* signals after which the test of a process is given up */
    TEST_NS = 1000000,
    SMALL = 64 * 1024,         /* bytes of one thing */
    SLACK = 4 * 1024 * 1024    /* past the limit, in small things */
};

/* The thread sanitizer keeps signals back until the next system call, which a loop never makes: there a hook
 * that is always set looks by itself. */
#ifdef __SANITIZE_THREAD__
enum { CAN_TAKE_SIGNALS = 0 };
#else
enum { CAN_TAKE_SIGNALS = 1 };
#endif

static struct {
    pid_t pid; /* of the process that was tested */
    bool can_stop_compiled, only_interpreter;
    mg_layout layout;
    mg_budget *test; /* under way */
    int kicks;
    sigjmp_buf give_up;
} here;

/* ---- hooks ---- */

static void on_hook(lua_State *L, lua_Debug *ar);

static void disarm(mg_budget *b)
{
    mg_watchdog_now.armed = 0;
    if (b->compiles)
        *b->hookmask &= (uint8_t)~LOOK;
    lua_sethook(b->L, NULL, 0, 0);
    if (!CAN_TAKE_SIGNALS)
        lua_sethook(b->L, on_hook, LUA_MASKCOUNT, STANDING_COUNT);
}

/* Before the next instruction, on_hook runs. Async-signal-safe as far as this process has tried it: the state
 * may be anywhere, even in the middle of this function. Off and then on makes LuaJIT write all of its tables. */
static void arm(mg_budget *b)
{
    mg_watchdog_now.armed = 1;
    if (b->compiles)
        *b->hookmask &= (uint8_t)~LOOK;
    lua_sethook(b->L, NULL, 0, 0);
    lua_sethook(b->L, on_hook, LUA_MASKCOUNT, 1);
    /* Finalizers run as if in a hook, where no hook would be called; these are stopped all the same. */
    if (b->hookmask && (*b->hookmask & IN_FINALIZER))
        *b->hookmask &= (uint8_t)~(IN_FINALIZER | IN_HOOK);
    if (b->compiles)
        *b->hookmask |= LOOK;
}

/* In the signal handler, while the overdue entry goes on. */
static void on_trip(void)
{
    mg_budget *b = mg_watchdog_now.of;
    if (b == here.test && ++here.kicks > TEST_KICKS)
        siglongjmp(here.give_up, 1);
    if (CAN_TAKE_SIGNALS)
        arm(b);
}

const char *mg_budget_say(int64_t ns, char room[32])
{
    int64_t ms = ns / 1000000;
    if (ms >= 1000 && ms % 1000 == 0)
        snprintf(room, 32, "%lld s", (long long)ms / 1000);
    else
        snprintf(room, 32, "%lld ms", (long long)ms);
    return room;
}

static void say_over(const mg_budget *b, char *to, size_t size)
{
    char room[32];
    if (mg_watchdog_now.tripped & MG_BUDGET_CPU)
        snprintf(to, size, "script exceeded its CPU budget of %s", mg_budget_say(mg_watchdog_now.cpu_ns, room));
    else
        snprintf(to, size, MG_BUDGET_NO_MEMORY, (int)(b->hard >> 20));
}

static int raise_over(lua_State *L, int what)
{
    mg_budget *b = mg_watchdog_now.of;
    char text[160];
    bool first = !mg_watchdog_now.tripped;
    if (first)
        mg_watchdog_now.tripped = what;
    say_over(b, text, sizeof text);
    if (first && b->owner && b->owner->on_over)
        b->owner->on_over(b, L, text);
    if (!mg_watchdog_now.armed)
        arm(b);
    lua_pushstring(L, text);
    return lua_error(L);
}

int mg_budget_raise(lua_State *L)
{
    return raise_over(L, MG_BUDGET_CPU);
}

static int collect(lua_State *L)
{
    mg_budget *b = lua_touserdata(L, 1);
    b->owner->collect(b);
    return 0;
}

/* The most that may be in use before all is collected again: half of what is left, once it is more than soft. */
static void set_marks(mg_budget *b)
{
    b->collect_at = MG_MAX(b->soft, b->used + (b->hard - b->used) / 2);
    b->mark = MG_MIN(b->collect_at, b->hard);
}

static int64_t heap_of(lua_State *L)
{
    return (int64_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + lua_gc(L, LUA_GCCOUNTB, 0);
}

void mg_budget_collected(mg_budget *b)
{
    b->used = heap_of(b->L);
    b->wants_collection = false;
    if (b->hard)
        set_marks(b);
}

static void tell_deep(mg_budget *b, lua_State *L, bool deep)
{
    b->deep = b->told_deep = deep;
    if (b->owner && b->owner->on_deep)
        b->owner->on_deep(b, L, deep);
}

static void collect_now(mg_budget *b, lua_State *L)
{
    b->wants_collection = false;
    disarm(b);
    b->exempt = true; /* collecting may need memory itself */
    if (lua_cpcall(L, collect, b) != 0) {
        if (!mg_budget_is_over()) {
            const char *text = lua_tostring(L, -1);
            mg_error("script: error in a finalizer: %s", text ? text : "(no text)");
        }
        lua_pop(L, 1);
    }
    b->exempt = false;
    mg_budget_collected(b);
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    mg_budget *b = mg_watchdog_now.of;
    if (!mg_watchdog_is_inside())
        return;
    if (mg_watchdog_now.tripped)
        (void)raise_over(L, 0);
    if (b->wants_collection || b->too_much)
        collect_now(b, L);
    if (b->deep && !b->told_deep) {
        disarm(b);
        tell_deep(b, L, true);
    }
    if (mg_budget_is_over())
        (void)raise_over(L, MG_BUDGET_CPU);
    if (b->too_much && b->used > b->hard - b->hard / 16)
        (void)raise_over(L, MG_BUDGET_MEMORY);
    b->too_much = false;
}

int mg_budget_leave(mg_budget *b)
{
    mg_watchdog_leave();
    if (MG_UNLIKELY(mg_watchdog_now.armed))
        disarm(b);
    if (MG_UNLIKELY(b->wants_collection)) { /* it ended before that could be done: the next one will */
        b->wants_collection = false;
        b->collect_at = b->mark = b->soft;
    }
    if (MG_UNLIKELY(b->deep))
        tell_deep(b, b->L, false);
    b->too_much = false;
    return mg_watchdog_now.tripped | (b->refused ? MG_BUDGET_MEMORY : 0);
}

/* ---- memory ---- */

/* LuaJIT 2.1 of 2022 looks for the function that runs out of memory at the thread's base, which compiled code
 * does not keep up to date; later ones do this themselves. */
static void correct_base(mg_budget *b)
{
    if (!b->compiles)
        return;
    char *shared = mg_layout_shared(b->L), *thread, *base;
    memcpy(&thread, shared + here.layout.running, sizeof thread);
    memcpy(&base, shared + here.layout.compiled, sizeof base);
    if (base)
        memcpy(thread + here.layout.base, &base, sizeof base);
}

/* Past the mark: whether `more` of the `used` bytes may be. Small things may pass the limit for a moment: the
 * script is ended before its next instruction, unless collecting helps. What is large is refused at once. */
static bool may_use(mg_budget *b, int64_t more)
{
    if (!b->hard || b->exempt || !mg_watchdog_is_inside() || mg_watchdog_now.of != b)
        return true;
    if (b->used > b->hard && (more > SMALL || b->used > b->hard + SLACK)) {
        b->refused = true;
        correct_base(b);
        return false;
    }
    if (b->used > b->hard)
        b->too_much = true;
    if (b->used > b->collect_at && b->owner && b->owner->collect) {
        b->wants_collection = true;
        set_marks(b);
    }
    if (b->too_much || b->wants_collection)
        arm(b);
    return true;
}

/* LuaJIT says less than it took when it gives some things back, so that sometimes the truth is asked for. */
static bool look_closer(mg_budget *b, int64_t more)
{
    int64_t counted = b->used;
    b->used = heap_of(b->L) + more;
    if (b->used <= b->mark || may_use(b, more))
        return true;
    b->used = counted - more;
    return false;
}

/* Whether that is a stack which grows and is not far from its limit of 65,500 values. Stacks are the only
 * things of that size that grow by other factors than two (and the tables that have one value more). */
static bool is_deep_stack(const void *p, size_t old_size, size_t new_size)
{
    enum { DEEP = 40000, DEEPEST = 100000 };
    size_t values = new_size / 8;
    return p && values > DEEP && values < DEEPEST && old_size > new_size / 4 && (values & (values - 1)) > 1;
}

static void *allocate(void *arg, void *p, size_t old_size, size_t new_size)
{
    mg_budget *b = arg;
    int64_t more = (int64_t)new_size - (int64_t)old_size;
    b->used += more;
    if (MG_UNLIKELY(new_size > 256 * 1024) && b->compiles && !b->deep && mg_watchdog_is_inside() && is_deep_stack(p, old_size, new_size)) {
        b->deep = true;
        arm(b);
    }
    if (MG_UNLIKELY(b->used > b->mark) && more > 0 && !look_closer(b, more))
        return NULL;
    return b->alloc(b->alloc_arg, p, old_size, new_size);
}

void mg_budget_limit_memory(mg_budget *b, int64_t bytes)
{
    b->used = heap_of(b->L);
    b->hard = bytes;
    b->soft = bytes / 4 * 3;
    b->mark = INT64_MAX;
    if (bytes)
        set_marks(b);
}

/* ---- whether it works here ---- */

static volatile uint8_t *hookmask_of(lua_State *L)
{
    return here.layout.hookmask < 0 ? NULL : (volatile uint8_t *)mg_layout_shared(L) + here.layout.hookmask;
}

static void on_profile(void *arg, lua_State *L, int samples, int state)
{
    (void)arg, (void)L, (void)samples, (void)state;
}

/* From now on compiled code has guards: the profiler is on, and its timer off. */
static void put_guards(mg_budget *b)
{
    static const struct itimerval never;
    luaJIT_profile_start(b->L, "li100000000", on_profile, NULL);
    (void)setitimer(ITIMER_PROF, &never, NULL);
    b->compiles = true;
}

static bool stops_endless_loop(mg_budget *b)
{
    luaL_openlibs(b->L);
    if (luaL_loadstring(b->L, "while true do end") != 0)
        return false;
    mg_watchdog_tick(0);
    here.kicks = 0;
    here.test = b;
    if (sigsetjmp(here.give_up, 1) == 0) {
        mg_budget_enter(b, TEST_NS);
        (void)lua_pcall(b->L, 0, 0, 0);
    } else {
        b->L = NULL; /* the state is lost: it stands in the middle of something */
    }
    here.test = NULL;
    mg_watchdog_leave();
    bool stopped = b->L && mg_watchdog_now.tripped;
    if (stopped)
        disarm(b);
    mg_watchdog_now.armed = 0;
    mg_watchdog_tick(INT64_MAX);
    return stopped;
}

static bool test_process(void)
{
    here.layout = (mg_layout){-1, -1, -1, -1};
    if (!CAN_TAKE_SIGNALS || MG_FAULT("script_stop"))
        return false;
    here.layout = mg_layout_find();
    if (here.layout.hookmask < 0 || here.layout.running < 0)
        return false;
    mg_budget b = {.mark = INT64_MAX, .L = luaL_newstate()};
    b.hookmask = hookmask_of(b.L);
    put_guards(&b);
    bool works = stops_endless_loop(&b);
    if (b.L)
        lua_close(b.L);
    return works;
}

static void begin_process(void)
{
    if (here.pid == getpid())
        return;
    here.pid = getpid();
    here.can_stop_compiled = false;
    if (!mg_watchdog_start(on_trip))
        mg_warn("script: no thread can be started: scripts run without a CPU budget");
    else if (test_process())
        here.can_stop_compiled = true;
    else
        mg_warn("script: a compiled endless loop cannot be stopped here: scripts are not compiled");
}

bool mg_budget_can_stop_compiled(void)
{
    return here.can_stop_compiled && !here.only_interpreter;
}

bool mg_budget_use_interpreter(bool only)
{
    bool before = here.only_interpreter;
    here.only_interpreter = only;
    return before;
}

/* ---- a state ---- */

void mg_budget_open(mg_budget *b, lua_State *L, const mg_budget_owner *owner)
{
    begin_process();
    *b = (mg_budget){.L = L, .owner = owner, .mark = INT64_MAX};
    b->hookmask = hookmask_of(L);
    if (mg_budget_can_stop_compiled())
        put_guards(b);
    b->alloc = lua_getallocf(L, &b->alloc_arg);
    b->used = heap_of(L);
    lua_setallocf(L, allocate, b);
}

void mg_budget_opened_libraries(mg_budget *b)
{
    if (b->compiles)
        return;
    (void)luaJIT_setmode(b->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    disarm(b);
}

void mg_budget_close(mg_budget *b)
{
    lua_setallocf(b->L, b->alloc, b->alloc_arg);
}
