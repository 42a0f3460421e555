#include "script/script_test.h"

#include "script/budget.h"

#include <time.h>

enum { NS = 1000000000 };

static int64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

/* What a script of the table is ended with. */
#define BY_CPU "script exceeded its CPU budget of 20 ms"
#define BY_MEMORY "not enough memory"
#define BY_EITHER ""

static const struct {
    const char *name, *code, *ended;
} runaways[] = {
    {"an empty loop", "while true do end", BY_CPU},
    {"a long numeric loop", "local x = 0 for i = 1, 1e15 do x = x + i % 7 end req.ctx.x = x", BY_CPU},
    {"a loop of goto", "::again:: goto again", BY_CPU},
    {"a loop of repeat", "local x = 0 repeat x = x + 1 until x < 0", BY_CPU},
    {"a loop of calls", "local function f(x) return x + 1 end\n local x = 0\n while true do\n x = f(x)\n if x < 0 then\n break end end", BY_CPU},
    {"tail calls", "local function f(n) return f(n + 1) end f(1)", BY_CPU},
    {"loops inside pcall in a loop", "while true do pcall(function() while true do end end) end", BY_CPU},
    {"pcall nested fifty deep", "local function r(n) if n == 0 then while true do end end while true do pcall(r, n - 1) end end r(50)", BY_CPU},
    {"pcall that calls itself", "local function r() while true do pcall(r) end end r()", BY_CPU},
    {"a loop in a coroutine", "local co = coroutine.create(function() while true do end end) while true do coroutine.resume(co) end", BY_CPU},
    {"pcall in a coroutine", "local co = coroutine.wrap(function() while true do pcall(function() while true do end end) end end) co()", BY_CPU},
    {"nested coroutines", "local function nest(n) return coroutine.wrap(function() if n > 0 then nest(n - 1)() end while true do end end) end nest(10)()", BY_CPU},
    {"a generator without end", "local g = coroutine.wrap(function() local i = 0 while true do i = i + 1 coroutine.yield(i) end end) for i in g do req.ctx.i = i end", BY_CPU},
    {"__index", "local t = setmetatable({}, { __index = function() while true do end end }) req.ctx.x = t.y", BY_CPU},
    {"__add", "local t = setmetatable({}, { __add = function(a, b) while true do end end }) req.ctx.x = t + 1", BY_CPU},
    {"__tostring", "tostring(setmetatable({}, { __tostring = function() while true do end end }))", BY_CPU},
    {"__index that calls itself", "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) while true do pcall(function() return t.a end) end", BY_EITHER},
    {"a comparison of sort", "local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function(a, b) while true do end end)", BY_CPU},
    {"sorting a long list", "local t = {} for i = 1, 3e5 do t[i] = (i * 7919) % 1000003 end while true do for i = 1, #t do t[i] = (t[i] * 31) % 1000003 end table.sort(t) end", BY_CPU},
    {"a callback of gsub", "local s = ('a'):rep(100) s:gsub('a', function() while true do end end)", BY_CPU},
    {"find in a loop", "local s = ('x'):rep(100) .. 'y' while true do s:find('x+y') end", BY_CPU},
    {"gsub in a loop", "local s = ('x'):rep(100) while true do s:gsub('x', 'y') end", BY_CPU},
    {"tables made in a loop", "while true do local t = { 1, 2, 3, {} } end", BY_EITHER},
    {"texts made in a loop", "local s = '' while true do s = s .. 'x' if #s > 1000 then s = '' end end", BY_EITHER},
    {"pairs in a loop", "local t = { 1, 2, 3, a = 1 } while true do for k, v in pairs(t) do req.ctx.k = v end end", BY_CPU},
    {"xpcall whose handler loops", "while true do xpcall(function() while true do end end, function(e) while true do end end) end", BY_CPU},
    {"an error whose handler loops", "while true do pcall(xpcall, function() error 'x' end, function(e) while true do end end) end", BY_CPU},
    {"error in a loop of pcall", "while true do pcall(error, {}) end", BY_CPU},
    {"a comparison in C of FFI", "local ffi = require 'ffi' local n = ffi.new('int[1]') while true do n[0] = n[0] + 1 end", BY_CPU},
    {"reading headers in a loop", "while true do req.ctx.h = req.headers.host end", BY_CPU},
    {"writing headers in a loop", "while true do req.headers['x-a'] = 'b' end", "this request's memory is used up"},
    {"loadstring in a loop", "while true do loadstring('local a = 1 return a', '@runaways.lua')() end", BY_EITHER},
    {"require in a loop", "while true do require 'moongate.time' end", BY_CPU},
    {"a finalizer", "local ffi = require 'ffi' ffi.gc(ffi.new 'int[1]', function() while true do end end) collectgarbage() while true do end", BY_CPU},
    {"a table without end", "local t = {} for i = 1, 1e15 do t[i] = i end", BY_EITHER},
    {"a list of lists", "local t = {} while true do t = { t, {}, {}, {}, {}, {}, {}, {} } end", BY_EITHER},
    {"string.rep", "req.ctx.s = ('x'):rep(1900000000)", BY_MEMORY},
    {"string.rep of little", "local s = 'x' while true do s = s:rep(2) end", BY_EITHER},
    {"string.rep of nothing", "while true do local s = (''):rep(2000000000) end", BY_CPU},
    {"concatenation that doubles", "local s = 'x' while true do s = s .. s end", BY_EITHER},
    {"table.concat", "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(10000, i) end req.ctx.s = table.concat(t)", BY_EITHER},
    {"memory behind pcall", "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e6 + #t) end) end", BY_EITHER},
    {"memory in a coroutine", "local co = coroutine.wrap(function() local t = {} for i = 1, 1e15 do t[i] = {} end end) co()", BY_EITHER},
    {"string.buffer", "local b = require 'string.buffer'.new() while true do b:put(('x'):rep(1000)) end", BY_EITHER},
    {"arrays of FFI", "local t = {} while true do t[#t + 1] = require 'ffi'.new('char[?]', 1e6) end", BY_EITHER},
    {"gsub that grows", "local s = 'x' while true do s = s:gsub('.', 'xx') end", BY_EITHER},
    {"format that grows", "local s = 'x' while true do s = ('%s%s'):format(s, s) end", BY_EITHER},
};

/* A configuration whose scripts are the table, each for the path that is its number. */
static mg_generation *load_runaways(const char *budgets)
{
    static char text[64 * 1024];
    size_t n = (size_t)snprintf(text, sizeof text, "return {\n");
    for (size_t i = 0; i < MG_COUNT(runaways); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "function(req)\n%s\nend,\n", runaways[i].code);
    snprintf(text + n, sizeof text - n, "}\n");
    write_file("runaways.lua", text);
    snprintf(text, sizeof text,
             "return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, script_path = { '.' }, access_log = { off = true },\n"
             "  budgets = { %s },\n"
             "  policies = { function(req)\n"
             "    local f = require 'runaways'[tonumber(req.path:sub(2))]\n"
             "    if f then f(req) else local t = {} for i = 1, 100 do t[i] = tostring(i) end req.headers['x-fine'] = table.concat(t) end\n"
             "  end } }\n",
             budgets);
    return load(text);
}

static void check_fine(mg_generation *g, const char *after)
{
    request r;
    mg_exchange *x = ask(&r, g, "/fine");
    CHECK_FOR(run(x, MG_PHASE_ACCESS) == MG_HOOK_DONE && up(x, "x-fine").n == 192, after);
    over(&r);
}

static void check_runaway(mg_generation *g, size_t i, int64_t most_ns)
{
    char path[16];
    request r;
    snprintf(path, sizeof path, "/%zu", i + 1);
    int64_t began = cpu_now();
    mg_exchange *x = ask(&r, g, path);
    CHECK_FOR(run(x, MG_PHASE_ACCESS) == MG_HOOK_FAILED, runaways[i].name);
    over(&r);
    int64_t took = cpu_now() - began;
    const char *text = logged();
    bool known = *runaways[i].ended ? strstr(text, runaways[i].ended) != NULL : (strstr(text, BY_CPU) || strstr(text, BY_MEMORY));
    CHECK_FOR(known, runaways[i].name);
    CHECK_FOR(strstr(text, "(access) at runaways.lua:"), runaways[i].name);
    if (!known || took > most_ns || !strstr(text, "(access) at runaways.lua:"))
        printf("# %s took %lld ms: %s\n", runaways[i].name, (long long)took / 1000000, text);
    CHECK_FOR(took < most_ns, runaways[i].name);
    check_fine(g, runaways[i].name);
}

static void check_all(int rounds, int64_t most_ns)
{
    mg_generation *g = load_runaways("cpu = '20ms', memory = '32m'");
    REQUIRE(g);
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < MG_COUNT(runaways); i++) {
            check_runaway(g, i, most_ns);
            mg_script_idle(NULL);
        }
    }
    for (int i = 0; i < 2000; i++)
        mg_script_idle(NULL);
    CHECK(mg_script_heap_bytes(g) < 16 << 20);
    mg_generation_drop(g);
}

TEST("every runaway script is ended soon after its budget, and the next one runs as if nothing had been")
{
    check_all(2, 200 * (int64_t)1000000);
}

TEST("without compiled code they are ended as well")
{
    bool before = mg_budget_use_interpreter(true);
    check_all(1, 400 * (int64_t)1000000);
    mg_budget_use_interpreter(before);
}
