#include "server/report.h"

#include "base/clock.h"
#include "exchange/access_log.h"
#include "os/process.h"
#include "upstream/pool.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct {
    mg_channel *to;
    uint32_t number;
    size_t n;
    char text[MG_CHANNEL_TEXT];
} sheet;

static void send_sheet(sheet *s)
{
    if (s->n)
        mg_channel_send(s->to, MG_SAY_REPORT, s->number, (mg_str){s->text, s->n}, -1);
    s->n = 0;
}

MG_PRINTF(2, 3) static void line(sheet *s, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        return;
    if (s->n + (size_t)n > sizeof s->text)
        send_sheet(s);
    memcpy(s->text + s->n, text, (size_t)n);
    s->n += (size_t)n;
}

static void tell_generation(sheet *s, const mg_generation *g, bool current)
{
    line(s, "generation %u %d %u %llu %zu\n", g->id, current, g->exchanges, (unsigned long long)g->served,
         mg_script_heap_bytes(g));
}

static void tell_peers(sheet *s, const mg_upstream *u)
{
    for (uint32_t i = 0; i < u->peer_count; i++) {
        const mg_peer *p = &u->peers[i];
        int64_t paused = mg_peer_is_paused(p) ? MG_MAX(p->paused_until_ms - mg_clock_ms(), 1) : 0;
        line(s, "peer %lld %u %d %.*s %.*s\n", (long long)paused, p->weight, p->backup, MG_STR_ARG(u->name),
             MG_STR_ARG(p->name));
    }
}

void mg_report_send(mg_channel *to, uint32_t number, const mg_lineage *l, uint32_t open)
{
    sheet s = {.to = to, .number = number};
    line(&s, "worker %u %u %u %llu %llu\n", open, mg_world.count, mg_world.pool ? mg_pool_idle(mg_world.pool) : 0,
         (unsigned long long)mg_process_rss_bytes(), (unsigned long long)(mg_log_lost() + mg_access_log_lost()));
    if (l->current) {
        tell_generation(&s, l->current, true);
        const mg_map_slot *slot;
        for (size_t i = 0; (slot = mg_map_next(&l->current->upstreams, &i));)
            tell_peers(&s, slot->value);
    }
    for (uint32_t i = l->retired_count; i-- > 0;)
        tell_generation(&s, l->retired[i], false);
    send_sheet(&s);
    mg_channel_send(to, MG_SAY_TOLD, number, MG_STR_NONE, -1);
}
