/*
 * budget: what a script may use of a worker: processor time per entry, memory per state.
 *
 *      enter ─► seq odd ──── script runs ────► seq even ─► leave
 *                  ▲                   ▲
 *      watchdog ───┘ reads each tick   └── signal: a hook that raises an error before the next instruction
 *      (a thread)    the same odd seq for longer than the budget, by the processor time of the main thread
 *
 * Nothing is armed when a script is entered: two stores and a load tell the watchdog (watchdog.h) all it
 * needs. Compiled loops have no hooks of their own, but LuaJIT's profiler puts a look at one byte of the state
 * into each of them; the profiler is switched on for that alone, its timer never runs. When the budget is
 * used up the signal handler sets that byte and a hook for every instruction: compiled code falls back into
 * the interpreter, which raises the error, again and again until the entry is over, so that no pcall keeps
 * it. C functions of Lua that compute for long without Lua in between ask mg_budget_is_over now and then.
 *
 * Each process first stops a real endless loop in a state made for that. Where it does not stop, scripts are
 * not compiled: the hook alone does it then. Slower, and said in the log.
 *
 * Memory: the state's allocator counts. Past three quarters of the limit everything is collected before the
 * script's next instruction; who passes the limit with what is left then is ended like one whose time is up.
 * One large thing that does not fit is refused instead, with an error that a script may catch. Outside of
 * entries, where an error would have nobody to go to, nothing is refused.
 *
 * Ownership: an mg_budget is embedded in what owns the state. One process, one thread that runs scripts.
 */
#ifndef MG_SCRIPT_BUDGET_H
#define MG_SCRIPT_BUDGET_H

#include "script/watchdog.h"

#include <lua.h>

typedef struct mg_budget mg_budget;

/* What the owner of a state does; either may be NULL. */
typedef struct {
    /* The entry is ended, and why; L runs, its frames can be looked at. Once per entry. */
    void (*on_over)(mg_budget *b, lua_State *L, const char *why);
    void (*collect)(mg_budget *b); /* collects everything; may raise an error */
    /* A stack of L's state has become so deep that it may soon overflow; then, that the entry is over. */
    void (*on_deep)(mg_budget *b, lua_State *L, bool deep);
} mg_budget_owner;

struct mg_budget {
    lua_State *L;
    const mg_budget_owner *owner;
    volatile uint8_t *hookmask; /* the byte that compiled code looks at; NULL: unknown */
    bool compiles;              /* scripts may be compiled, and it looks at that byte */
    lua_Alloc alloc;            /* LuaJIT's own */
    void *alloc_arg;
    int64_t used;               /* bytes; may be a little more than the truth */
    int64_t mark;               /* past that, look closer */
    int64_t hard, soft, collect_at;
    bool exempt;                /* nothing is refused for now */
    bool refused, too_much, wants_collection;
    bool deep, told_deep;       /* a stack is; the owner knows */
};

enum { MG_BUDGET_KEPT = 0, MG_BUDGET_CPU = 1, MG_BUDGET_MEMORY = 2 };
/* With the number of megabytes. */
#define MG_BUDGET_NO_MEMORY "not enough memory: the scripts of this generation hold the %d MB that budgets.memory allows"

/* A fresh state, before its libraries are opened. Memory is not limited yet. The first one of a process starts
 * the watchdog and tests it, which takes some milliseconds. */
void mg_budget_open(mg_budget *b, lua_State *L, const mg_budget_owner *owner);
void mg_budget_opened_libraries(mg_budget *b); /* after luaL_openlibs */
void mg_budget_close(mg_budget *b);            /* before lua_close */
void mg_budget_limit_memory(mg_budget *b, int64_t bytes); /* 0: no limit */
void mg_budget_collected(mg_budget *b);        /* a cycle of collection is over */

/* Whether loops that were compiled can be stopped in this process; otherwise nothing is compiled. */
bool mg_budget_can_stop_compiled(void);
/* For tests: states that are opened from now on are not compiled. Answers what it was. */
bool mg_budget_use_interpreter(bool only);

/* Around everything that runs scripts, with the processor time they may take. Not one inside another. */
static inline void mg_budget_enter(mg_budget *b, int64_t cpu_ns)
{
    b->refused = false;
    mg_watchdog_enter(b, cpu_ns);
}
/* What was used up, in bits. */
int mg_budget_leave(mg_budget *b);

/* The entry under way, or the last one, was ended (and did not just get an error that it may catch). */
static inline bool mg_budget_has_ended_entry(void)
{
    return mg_watchdog_now.tripped != 0;
}

/* For C functions that compute for long: the entry's time is over; raise the error with mg_budget_raise. */
static inline bool mg_budget_is_over(void)
{
    return MG_UNLIKELY(__atomic_load_n(&mg_watchdog_now.trip, __ATOMIC_RELAXED) == mg_watchdog_now.seq);
}
int mg_budget_raise(lua_State *L);

/* "50 ms", "10 s" */
const char *mg_budget_say(int64_t ns, char room[32]);

#endif
