#include "script/bind_dict.h"

#include "script/script_test.h"
#include "shm/dict.h"

/* Everything that a dictionary can do, with what it gives; run compiled and interpreted. */
static const char *const uses =
    "local out = {} local function add(...) for i = 1, select('#', ...) do out[#out + 1] = tostring((select(i, ...))) end end\n"
    "d:clear()\n"
    "add(d:get('a'), d:set('a', 1), d:get('a'), d:set('a', 'text'), d:get('a'), d:set('a', false), d:get('a'))\n"
    "add(d:set('a', true, 60), d:get('a'), d:set('a', nil), d:get('a'), d:delete('a'), d:set('', '', { ttl = 1 }), d:get(''), d:delete(''))\n"
    "add(d:add('b', 2)) add(d:add('b', 3)) add(d:get('b')) add(d:replace('c', 1)) add(d:replace('b', 4.5)) add(d:get('b'))\n"
    "add(d:incr('n')) add(d:incr('n', 2, { init = 10 })) add(d:incr('n')) add(d:incr('n', -0.5)) add(d:ttl('n'))\n"
    "add(d:incr('t', 1, { init = 0, ttl = 50 }), d:incr('t', 1, { init = 0, ttl = 99 }), d:ttl('t') <= 50, d:ttl('t') > 48)\n"
    "add(d:touch('t', '2m'), d:ttl('t') > 100, d:touch('t'), d:ttl('t'), d:ttl('none')) add(d:touch('none', 1))\n"
    "add(d:cas('x', nil, 1)) add(d:cas('x', 2, 3)) add(d:cas('x', 1, 'one', 30)) add(d:cas('x', 'one', 'two')) add(d:get('x'), d:ttl('x') > 28)\n"
    "add(d:cas('x', 'two', nil)) add(d:get('x'))\n"
    "add(d:update('u', function(v) return (v or 0) + 1 end), d:update('u', function(v) return v + 1 end), d:update('u', function() end), d:get('u'))\n"
    "add(d:update('u', function(v) return v end))\n"
    "add(d:push('l', 1), d:push('l', 'two'), d:push_front('l', true, { ttl = 9 }), d:length('l'), d:ttl('l') <= 9, d:pop('l'), d:pop_back('l'), d:pop('l'), d:pop('l'), d:length('l'))\n"
    "local long = ('x'):rep(10000) add(d:set('long', long), d:get('long') == long, d:push('longs', long), d:pop('longs') == long)\n"
    "add(d:set(('k'):rep(70000), 1)) add(d:get(('k'):rep(70000))) add(d:set('huge', ('x'):rep(600000)))\n"
    "local keys = {} for key in d:keys() do keys[#keys + 1] = key end table.sort(keys) add(table.concat(keys, ','))\n"
    "add(d:stats().items, d:stats().size, d.name)\n"
    "return table.concat(out, '|')";

static const char *const uses_give =
    "nil|true|1|true|text|true|false|"
    "true|true|true|nil|false|true||true|"
    "true|nil|the key is there already|exists|2|nil|there is no such key|absent|true|4.5|"
    "nil|there is no such key|absent|12|13|12.5|inf|"
    "1|2|true|true|"
    "true|true|true|inf|nil|nil|there is no such key|absent|"
    "true|nil|the value has changed|changed|true|true|two|true|"
    "true|nil|"
    "1|2|nil|nil|"
    "nil|"
    "1|2|3|3|true|true|two|1|nil|0|"
    "true|true|1|true|"
    "nil|the key is longer than 65535 bytes|key|nil|nil|the value is too large for the dictionary|full|"
    "b,long,n,t|4|1048576|d";

static void check_uses(const char *first_line, int rounds)
{
    char text[8192];
    snprintf(text, sizeof text, "local d = require('moongate.dict').open 'd'\nlocal function try()\n%s\nend\n"
             "return { dicts = { d = '1m', e = '64k' }, access_log = { off = true }, sites = { { routes = { { handler = function()\n"
             "%s\n return try() end } } } } }", uses, first_line);
    mg_generation *g = load(text);
    REQUIRE(g);
    for (int i = 0; i < rounds; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/");
        if (!CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER) || !CHECK_STR(body(x), mg_str_of(uses_give)))
            i = rounds;
        over(&r);
    }
    mg_generation_drop(g);
}

TEST("a dictionary does the same compiled")
{
    check_uses("", 200);
}

TEST("a dictionary does the same interpreted")
{
    check_uses("jit.off() jit.flush()", 50);
}

/* In a loop hot enough to be compiled: the sum, and whether a trace called the program. */
TEST("compiled scripts count in a dictionary by way of the FFI")
{
    mg_generation *g = load("local names = require('jit.vmdef').irnames\n"
             "for i = 0, #names / 6 do if names:sub(i * 6 + 1, i * 6 + 6) == 'CALLXS' then CALLXS = i end end\n"
             "local util, bit = require 'jit.util', require 'bit'\n"
             "local d = require('moongate.dict').open 'd'\n"
             "return { dicts = { d = '64k' }, sites = { { routes = { { handler = function() local n\n"
             "  for _ = 1, 1000 do n = d:incr('k', 1, { init = 0, ttl = 60 }) d:set('v', n) n = d:get('v') end\n"
             "  local calls = 0\n"
             "  for t = 1, 100 do local info = util.traceinfo(t) if info then\n"
             "    for i = 1, info.nins - 1 do local m, ot = util.traceir(t, i)\n"
             "      if m and bit.rshift(ot, 8) == CALLXS then calls = calls + 1 end end end end\n"
             "  return n .. ' ' .. tostring(calls >= 3) end } } } } }");
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_STR(body(x), MG_STR("1000 true"));
    over(&r);
    mg_generation_drop(g);
}

TEST("what is wrong about a dictionary is an error at the script's line")
{
    static const struct { const char *line, *said; } rounds[] = {
        {"d:set('k', {})", "a dictionary holds booleans, numbers and texts, not a table"},
        {"d:set({}, 1)", "a key is a text, not a table"},
        {"d:get()", "a key is a text, not a nil"},
        {"d:set('s', 'text') d:incr('s')", "the value of \"s\" is not a number"},
        {"d:set('s', 'text') d:push('s', 1)", "the value of \"s\" is not a list"},
        {"d:push('l', 1) d:get('l')", "the value of \"l\" is not a value but a list"},
        {"d:push('l', nil)", "a list holds booleans, numbers and texts, not nil"},
        {"d:incr('n', '1')", "incr adds a number, not a string"},
        {"d:incr('n', 1, { init = 'x' })", "init is a number, not a string"},
        {"d:set('k', 1, -1)", "a time to live is a number of seconds or a text such as \"5m\", not -1"},
        {"d:set('k', 1, { ttl = '5 years' })", "a time to live is a number of seconds or a text such as \"5m\", not \"5 years\""},
        {"d:update('k', 1)", "update takes a function, not a number"},
        {"require('moongate.dict').open 'limts'", "no dictionary is named 'limts'; did you mean 'limits'?"},
        {"require('moongate.dict').open {}", "dict.open takes the name of a dictionary, not a table"},
    };
    for (size_t i = 0; i < MG_COUNT(rounds); i++) {
        char text[1024];
        snprintf(text, sizeof text, "local d = require('moongate.dict').open 'd'\nreturn { dicts = { d = '64k', limits = '64k' },\n"
                 "sites = { { routes = { { handler = function()\n%s\n end } } } } }", rounds[i].line);
        mg_generation *g = load(text);
        REQUIRE(g);
        request r;
        mg_exchange *x = ask(&r, g, "/");
        (void)logged();
        CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_FAILED);
        char said[512];
        snprintf(said, sizeof said, "conf.lua:4: %s", rounds[i].said);
        if (!CHECK(says(logged(), said)))
            printf("# for %s\n", rounds[i].line);
        over(&r);
        mg_generation_drop(g);
    }
}

TEST("a dictionary that the configuration does not name is refused, also when it is asked for before that is read")
{
    CHECK(!load("local d = require('moongate.dict').open 'limits'\nreturn { dicts = { other = '64k' }, sites = { { routes = { { reply = { body = '' } } } } } }"));
    CHECK(says(mistakes, "conf.lua:1: no dictionary is named 'limits'; known here: other"));
    write_file("counts.lua", "local d = require('moongate.dict').open 'counts'\nreturn { access = function() d:incr('k') end }\n");
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'counts' } }")));
    CHECK(says(mistakes, "counts.lua:1: no dictionary is named 'counts'; the configuration names none, as in dicts = { counts = \"10m\" }"));
}

TEST("generations that are given the same dictionaries share what is in them")
{
    mg_err err;
    mg_dicts *shared = mg_dicts_new();
    REQUIRE(mg_dicts_open(shared, MG_STR("d"), 65536, &err));
    for (int i = 1; i <= 3; i++) {
        char path[128], said[12];
        write_file("conf.lua", "local d = require('moongate.dict').open 'd'\nreturn { dicts = { d = '64k' },\n"
                   "sites = { { routes = { { handler = function() return tostring(d:incr('n', 1, { init = 0 })) end } } } } }");
        snprintf(path, sizeof path, "%s/conf.lua", folder);
        mg_generation *g = NULL;
        mg_script_source source = {.library = "lua", .config = path, .generation = 1, .dicts = shared};
        REQUIRE(mg_script_load(&source, &g, NULL) == MG_OK);
        request r;
        mg_exchange *x = ask(&r, g, "/");
        CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
        snprintf(said, sizeof said, "%d", i);
        CHECK_STR(body(x), mg_str_of(said));
        over(&r);
        mg_generation_drop(g);
    }
    mg_dicts_free(shared);
}
