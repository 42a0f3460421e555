#include "upstream/upstream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"

#include <time.h>

static mg_arena arena;
static mg_upstream *u;
static mg_err err;

static void open_upstream(const mg_upstream_options *o)
{
    mg_log_threshold = MG_LOG_OFF;
    mg_clock_update();
    mg_arena_init(&arena, 16u << 20);
    u = mg_upstream_new(&arena, MG_STR("app"), o);
}

static void close_upstream(void)
{
    mg_arena_fini(&arena);
}

static void add(const char *server, uint32_t weight, bool backup)
{
    CHECK_FOR(mg_upstream_add(u, mg_str_of(server), weight, backup, &err) == MG_OK, server);
}

/* Servers that differ in their last letter: a, b, c … */
static void add_weights(const uint32_t *weights, uint32_t count)
{
    char name[] = "s-a:80";
    for (uint32_t i = 0; i < count; i++, name[2]++)
        add(name, weights[i], false);
}
#define WEIGHTS(...) add_weights((const uint32_t[]){__VA_ARGS__}, MG_COUNT(((const uint32_t[]){__VA_ARGS__})))

static char letter(const mg_peer *p)
{
    return p ? p->name.p[2] : '-';
}

static const char *picks(int n)
{
    static char text[256];
    int i = 0;
    for (; i < n; i++)
        text[i] = letter(mg_upstream_pick(u, 0, false));
    text[i] = '\0';
    return text;
}
#define PICKS_ARE(wanted) CHECK_STR(mg_str_of(picks((int)strlen(wanted))), mg_str_of(wanted))

static void fail(mg_peer *p, int times)
{
    while (times--)
        mg_peer_failed(p);
}

/* The clock is what the loop last saw; here somebody else moves it on. */
static void pass_ms(int64_t ms)
{
    int64_t until = mg_clock_ms() + ms;
    while (mg_clock_ms() < until)
        mg_clock_update();
}

static const mg_upstream_options PATIENT = {.fails = 2, .within_ms = 10000, .pause_ms = 5, .attempts = 2};

TEST("servers of equal weight take turns")
{
    open_upstream(NULL);
    WEIGHTS(1, 1, 1);
    PICKS_ARE("abcabcabc");
    close_upstream();
}

TEST("weights are kept and spread smoothly")
{
    open_upstream(NULL);
    WEIGHTS(5, 1, 1);
    PICKS_ARE("aabacaaaabacaa");
    close_upstream();
}

TEST("each server gets its share to the pick")
{
    open_upstream(NULL);
    const uint32_t weights[] = {7, 3, 256, 1, 13};
    int got[5] = {0};
    add_weights(weights, 5);
    for (int i = 0; i < 280 * 10; i++)
        got[mg_upstream_pick(u, 0, false)->index]++;
    for (uint32_t i = 0; i < 5; i++)
        CHECK_INT(got[i], weights[i] * 10);
    close_upstream();
}

TEST("a server of weight 0 is never picked, whatever happens to the others")
{
    open_upstream(&PATIENT);
    WEIGHTS(0, 1);
    PICKS_ARE("bbb");
    CHECK_INT(letter(mg_upstream_pick(u, mg_peer_bit(&u->peers[1]), false)), '-');
    CHECK_INT(letter(mg_upstream_pick(u, mg_peer_bit(&u->peers[1]), true)), 'b');
    fail(&u->peers[1], 2);
    PICKS_ARE("bb");
    close_upstream();
}

TEST("an upstream without servers has nobody to pick")
{
    open_upstream(NULL);
    CHECK(!mg_upstream_pick(u, 0, true));
    close_upstream();
}

TEST("who was tried is not asked again unless nobody else is left and the caller agrees")
{
    open_upstream(NULL);
    WEIGHTS(1, 1, 1);
    uint64_t tried = 0;
    for (int i = 0; i < 3; i++) {
        mg_peer *p = mg_upstream_pick(u, tried, false);
        REQUIRE(p != NULL);
        CHECK(!(tried & mg_peer_bit(p)));
        tried |= mg_peer_bit(p);
    }
    CHECK(!mg_upstream_pick(u, tried, false));
    CHECK(mg_upstream_pick(u, tried, true) != NULL);
    close_upstream();
}

TEST("backups are asked when every server is tried or left out, and no longer when one is back")
{
    open_upstream(&PATIENT);
    WEIGHTS(1, 1);
    add("s-y:80", 1, true);
    add("s-z:80", 1, true);
    PICKS_ARE("abab");
    CHECK_INT(letter(mg_upstream_pick(u, 3, false)), 'y');
    fail(&u->peers[0], 2);
    PICKS_ARE("bb");
    fail(&u->peers[1], 2);
    PICKS_ARE("zyzy");
    mg_peer_worked(&u->peers[0]);
    PICKS_ARE("aa");
    close_upstream();
}

TEST("failures in a row leave a server out, an answer between them does not let it come so far")
{
    open_upstream(&PATIENT);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 1);
    mg_peer_worked(&u->peers[0]);
    fail(&u->peers[0], 1);
    CHECK(!mg_peer_is_paused(&u->peers[0]));
    PICKS_ARE("abab");
    fail(&u->peers[0], 1);
    CHECK(mg_peer_is_paused(&u->peers[0]));
    PICKS_ARE("bbb");
    close_upstream();
}

TEST("failures that lie too far apart do not count together")
{
    mg_upstream_options o = PATIENT;
    o.within_ms = 2;
    open_upstream(&o);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 1);
    pass_ms(4);
    fail(&u->peers[0], 1);
    CHECK(!mg_peer_is_paused(&u->peers[0]));
    close_upstream();
}

TEST("after the pause one request tries the server and the others go elsewhere until it answered")
{
    open_upstream(&PATIENT);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 2);
    PICKS_ARE("bb");
    pass_ms(6);
    const char *some = picks(4);
    int probes = 0;
    for (const char *c = some; *c; c++)
        probes += *c == 'a';
    CHECK_INT(probes, 1);
    mg_peer_worked(&u->peers[0]);
    CHECK_INT(u->paused, 0);
    some = picks(4);
    probes = 0;
    for (const char *c = some; *c; c++)
        probes += *c == 'a';
    CHECK_INT(probes, 2);
    close_upstream();
}

TEST("a server that fails its trial is left out anew at once, however long ago its failures were")
{
    mg_upstream_options o = PATIENT;
    o.within_ms = 1;
    open_upstream(&o);
    WEIGHTS(3, 1);
    fail(&u->peers[0], 2);
    pass_ms(6);
    while (mg_upstream_pick(u, 0, false) != &u->peers[0])
        ;
    pass_ms(4);
    fail(&u->peers[0], 1);
    int64_t failed_at = mg_clock_ms();
    CHECK_INT(u->peers[0].paused_until_ms, failed_at + o.pause_ms);
    PICKS_ARE("bbbb");
    CHECK_INT(u->paused, 1);
    close_upstream();
}

TEST("when every server is left out all are tried")
{
    mg_upstream_options o = PATIENT;
    o.pause_ms = 60000;
    open_upstream(&o);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 2);
    fail(&u->peers[1], 2);
    PICKS_ARE("abab");
    CHECK_INT(letter(mg_upstream_pick(u, 1, false)), 'b');
    close_upstream();
}

TEST("who is left out but was not tried comes before who was tried")
{
    mg_upstream_options o = PATIENT;
    o.pause_ms = 60000;
    open_upstream(&o);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 2);
    CHECK_INT(letter(mg_upstream_pick(u, mg_peer_bit(&u->peers[1]), true)), 'a');
    close_upstream();
}

TEST("with fails = 0 nobody is ever left out")
{
    mg_upstream_options o = PATIENT;
    o.fails = 0;
    open_upstream(&o);
    WEIGHTS(1, 1);
    fail(&u->peers[0], 100);
    PICKS_ARE("abab");
    close_upstream();
}

TEST("servers are addresses in numbers, names with a port, or UNIX sockets")
{
    open_upstream(NULL);
    add("10.0.0.1:9000", 1, false);
    add("[::1]:81", 1, false);
    add("App.Internal:82", 1, false);
    add("unix:/run/app.sock", 1, false);
    CHECK_INT(u->peers[0].addr.u.family, AF_INET);
    CHECK_INT(mg_addr_port(&u->peers[0].addr), 9000);
    CHECK_INT(u->peers[1].addr.u.family, AF_INET6);
    CHECK_INT(u->peers[2].addr.u.family, AF_UNSPEC);
    CHECK_STR(u->peers[2].host, MG_STR("app.internal"));
    CHECK_INT(u->peers[2].port, 82);
    CHECK_INT(u->peers[3].addr.u.family, AF_UNIX);
    CHECK_STR(mg_str_of(u->peers[3].addr.path), MG_STR("/run/app.sock"));
    close_upstream();
}

TEST("what is no server is refused with a sentence that names it")
{
    open_upstream(NULL);
    static const char *const bad[] = {"", "host", "host:", "host:0", "host:99999", ":80", "*:80", "a b:80", "http://x:80",
                                      "unix:", "[::1", "[::zz]:80"};
    for (size_t i = 0; i < MG_COUNT(bad); i++) {
        err.text[0] = '\0';
        CHECK_FOR(mg_upstream_add(u, mg_str_of(bad[i]), 1, false, &err) == MG_FAIL, bad[i]);
        CHECK_FOR(strlen(err.text) > 10, bad[i]);
    }
    CHECK_INT(u->peer_count, 0);
    close_upstream();
}

TEST("failures are counted in the rows of the upstream and of the server")
{
    open_upstream(&PATIENT);
    WEIGHTS(1, 1);
    mg_stats *stats = mg_stats_open(2, &err);
    REQUIRE(stats != NULL);
    mg_upstream_use_stats(u, stats, 1);
    fail(&u->peers[1], 3);
    CHECK_INT(mg_stats_row_of(stats, MG_STATS_UPSTREAM, MG_STR("app"), 1)->failures, 3);
    CHECK_INT(mg_stats_row_of(stats, MG_STATS_PEER, MG_STR("app s-b:80"), 1)->failures, 3);
    CHECK_INT(mg_stats_row_of(stats, MG_STATS_PEER, MG_STR("app s-a:80"), 1)->failures, 0);
    mg_stats_close(stats);
    close_upstream();
}

TEST("the second worker begins its round at the second server")
{
    open_upstream(&PATIENT);
    WEIGHTS(1, 1, 1);
    mg_stats *stats = mg_stats_open(8, &err);
    REQUIRE(stats != NULL);
    mg_upstream_use_stats(u, stats, 1);
    PICKS_ARE("bcabca");
    mg_upstream_use_stats(u, stats, 6);
    PICKS_ARE("abcabc");
    mg_stats_close(stats);
    close_upstream();
}

TEST("with two hundred servers each gets its turn, some left out or not")
{
    open_upstream(&PATIENT);
    static int got[200];
    char name[32];
    memset(got, 0, sizeof got);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "10.0.%d.%d:80", i / 100, i % 100);
        add(name, 1, false);
    }
    for (int i = 0; i < 2000; i++)
        got[mg_upstream_pick(u, 0, false)->index]++;
    for (int i = 0; i < 200; i++)
        CHECK_INT(got[i], 10);
    close_upstream();
}
