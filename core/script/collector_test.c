#include "script/collector.h"

#include "script/script_test.h"

TEST("garbage is collected while the loop is idle, and the heap stays bounded")
{
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { function(req)\n"
                                 "  local t = {} for i = 1, 20 do t[i] = { req.path .. i, tostring(i * 1.5) } end req.ctx.t = t end } }"));
    REQUIRE(g);
    size_t before = mg_script_heap_bytes(g), most = 0;
    for (int i = 0; i < 20000; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/");
        if (!CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE))
            break;
        over(&r);
        mg_script_idle(NULL);
        most = MG_MAX(most, mg_script_heap_bytes(g));
    }
    CHECK(most < before * 2 + (4 << 20));
    mg_generation_drop(g);
}

TEST("nothing is collected while scripts run, so that no hook pays for the garbage of others")
{
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { function(req)\n"
                                 "  if not GONE then local ffi = require 'ffi' GONE = ffi.gc(ffi.new 'int[1]', function() COLLECTED = true end) GONE = true end\n"
                                 "  local t = {} for i = 1, 1000 do t[i] = {} end\n"
                                 "  req.headers['x-collected'] = tostring(COLLECTED) end } }"));
    REQUIRE(g);
    request r;
    for (int i = 0; i < 300; i++) { /* some 20 MB */
        mg_exchange *x = ask(&r, g, "/");
        CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE);
        CHECK_STR(up(x, "x-collected"), MG_STR("nil"));
        over(&r);
    }
    for (int i = 0; i < 1000; i++)
        mg_script_idle(NULL);
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE);
    CHECK_STR(up(x, "x-collected"), MG_STR("true"));
    over(&r);
    mg_generation_drop(g);
}

TEST("a slice of collection takes a fraction of a millisecond")
{
    mg_generation *g = load("LIVE = {} for i = 1, 20000 do LIVE[i] = { name = 'entry' .. i, list = { i } } end\n" CONF(
        "{ upstream = 'app', policies = { function(req)\n"
        "  local t = {} for i = 1, 200 do t[i] = { req.path .. i } end req.ctx.t = t end } }"));
    REQUIRE(g);
    unsigned slices = 0, long_ones = 0;
    for (int i = 0; i < 5000; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/");
        (void)run(x, MG_PHASE_ACCESS);
        over(&r);
        int64_t began = mg_clock_precise_us();
        mg_script_idle(NULL);
        int64_t took = mg_clock_precise_us() - began;
        slices += took > 20;
        long_ones += took > 5000;
    }
    CHECK(slices > 5);
    CHECK(long_ones < slices / 20 + 2); /* a busy machine may take the processor away now and then */
    mg_generation_drop(g);
}
