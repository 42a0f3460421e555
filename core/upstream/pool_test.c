#include "upstream/pool.h"

#include "upstream/origin_test.h"

TEST("a connection that carried a request carries the next one")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    mg_h1_client *c = ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    CHECK_INT(mg_dial_start(&t.dial, t.pool, p, false), MG_DIAL_READY);
    CHECK(t.dial.reused);
    CHECK(t.dial.client == c);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    mg_side *s = exchange(c);
    s->ops->release(s, true);
    CHECK_INT(mg_h1_client_requests(c), 2);
    CHECK_INT(o.accepted, 1);
    close_origin(&o);
    close_world();
}

TEST("who asks for a fresh connection gets one")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, false);
    (void)ask(p, true);
    CHECK(!t.dial.reused);
    CHECK_INT(o.accepted, 2);
    CHECK_INT(mg_pool_idle(t.pool), 2);
    close_origin(&o);
    close_world();
}

TEST("the connection that became idle last is used first")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    mg_h1_client *old = ask(p, true), *warm = ask(p, true);
    CHECK(old != warm);
    CHECK(ask(p, false) == warm);
    CHECK(ask(p, false) == warm);
    close_origin(&o);
    close_world();
}

TEST("a place keeps as many as its upstream allows")
{
    static origin o;
    mg_upstream_options two = options, none = options;
    two.keepalive = 2;
    none.keepalive = 0;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &two);
    mg_side *sides[3];
    for (int i = 0; i < 3; i++) {
        CHECK_INT(dial(p, false), MG_DIAL_READY);
        sides[i] = exchange(t.dial.client);
    }
    for (int i = 0; i < 3; i++)
        sides[i]->ops->release(sides[i], true);
    CHECK_INT(mg_pool_idle(t.pool), 2);
    mg_pool_drop_idle(t.pool);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    (void)ask(peer_at(&o.addr, &none), false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    close_origin(&o);
    close_world();
}

TEST("a connection carries no more requests than its upstream allows")
{
    static origin o;
    mg_upstream_options two = options;
    two.keepalive_requests = 2;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &two);
    (void)ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    (void)ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    (void)ask(p, false);
    CHECK_INT(o.accepted, 2);
    close_origin(&o);
    close_world();
}

TEST("an idle connection that its origin closes leaves the pool")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, true);
    (void)ask(p, true);
    close_conns(&o);
    CHECK(becomes_idle(0));
    (void)ask(p, false);
    CHECK(!t.dial.reused);
    close_origin(&o);
    close_world();
}

TEST("bytes that nobody asked for end an idle connection")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, true);
    CHECK_INT(write(o.conns[0].fd, "HTTP/1.1 200 OK\r\n", 17), 17);
    CHECK(becomes_idle(0));
    close_origin(&o);
    close_world();
}

TEST("an idle connection goes when its time is over")
{
    static origin o;
    mg_upstream_options brief = options;
    brief.keepalive_idle_ms = 20;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    (void)ask(peer_at(&o.addr, &brief), false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    int64_t since = mg_clock_ms();
    CHECK(becomes_idle(0));
    CHECK(mg_clock_ms() - since >= 19);
    close_origin(&o);
    close_world();
}

TEST("a connection that did not end cleanly is not kept")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    CHECK_INT(dial(p, false), MG_DIAL_READY);
    mg_side *s = exchange(t.dial.client);
    s->ops->release(s, false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    CHECK_INT(dial(p, false), MG_DIAL_READY);
    s = exchange(t.dial.client);
    s->ops->abort(s);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    close_origin(&o);
    close_world();
}

TEST("idle connections outlive the upstream that dialled them and serve the next one of that address")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_arena old;
    mg_arena_init(&old, 1u << 20);
    mg_arena keep = t.arena;
    t.arena = old;
    CHECK_INT(dial(peer_at(&o.addr, &options), false), MG_DIAL_READY);
    old = t.arena;
    t.arena = keep;
    mg_side *s = exchange(t.dial.client);
    mg_arena_fini(&old);
    mg_arena_trim_pool(); /* really freed, for those who watch memory */
    s->ops->release(s, true);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    (void)ask(peer_at(&o.addr, &options), false);
    CHECK(t.dial.reused);
    close_origin(&o);
    close_world();
}

TEST("connections made and idle are counted in the rows of the server and of its upstream")
{
    static origin o;
    mg_err err;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_stats *stats = mg_stats_open(1, &err);
    REQUIRE(stats != NULL);
    mg_peer *p = peer_at(&o.addr, &options);
    mg_upstream_use_stats(p->upstream, stats, 0);
    (void)ask(p, true);
    (void)ask(p, true);
    CHECK_INT(p->stats->connections_opened, 2);
    CHECK_INT(p->upstream->stats->connections_opened, 2);
    CHECK_INT(p->stats->idle, 2);
    (void)ask(p, false);
    CHECK_INT(p->stats->connections_opened, 2);
    close_conns(&o);
    CHECK(becomes_idle(0));
    CHECK_INT(p->stats->idle, 0);
    CHECK_INT(p->upstream->stats->idle, 0);
    close_origin(&o);
    mg_pool_free(t.pool);
    t.pool = NULL;
    mg_stats_close(stats);
    close_world();
}
