#include "server/lineage.h"

#include "base/log.h"
#include "exchange/access_log.h"

/* ---- building ---- */

/* The script floor's own, which runs before ours. */
static void (*free_script)(mg_generation *g);

static void on_free(mg_generation *g)
{
    mg_access_log *log = g->access_log;
    if (free_script)
        free_script(g);
    mg_access_log_close(log);
}

static mg_rc open_access_log(mg_generation *g, const mg_plan *plan, mg_err *err)
{
    static const mg_access_log_format formats[] = {
        [MG_PLAN_LOG_COMBINED] = MG_ACCESS_LOG_COMBINED,
        [MG_PLAN_LOG_JSON] = MG_ACCESS_LOG_JSON,
        [MG_PLAN_LOG_SCRIPT] = MG_ACCESS_LOG_SCRIPT,
    };
    free_script = g->on_free;
    g->on_free = on_free;
    if (plan->access_log.format == MG_PLAN_LOG_OFF)
        return MG_OK;
    g->access_log = mg_access_log_open(plan->access_log.path, formats[plan->access_log.format], err);
    return g->access_log ? MG_OK : MG_FAIL;
}

mg_rc mg_lineage_prepare(mg_lineage *l, uint32_t id)
{
    mg_lineage_abort(l);
    mg_script_source source = {
        .library = l->library, .config = l->config, .generation = id, .stats = l->stats, .dicts = l->dicts, .worker = l->worker,
        .tell = l->tell, .tell_arg = l->tell_arg,
    };
    mg_err err;
    if (mg_script_load(&source, &l->next, &l->next_plan) != MG_OK) {
        l->next = NULL;
        mg_lineage_abort(l);
        return MG_FAIL;
    }
    if (open_access_log(l->next, &l->next_plan, &err) != MG_OK) {
        l->tell(l->tell_arg, err.text);
        mg_lineage_abort(l);
        return MG_FAIL;
    }
    return MG_OK;
}

void mg_lineage_abort(mg_lineage *l)
{
    if (l->next)
        mg_generation_drop(l->next);
    l->next = NULL;
    mg_plan_fini(&l->next_plan);
    mg_plan_init(&l->next_plan);
}

/* ---- letting go ---- */

static void let_go(mg_generation *g)
{
    mg_debug("generation %u: its last request has ended", g->id);
    mg_script_stop(g);
    mg_generation_drop(g);
}

static void on_sweep(mg_later *later)
{
    mg_lineage *l = MG_OWNER(later, mg_lineage, sweep);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->retired_count; i++) {
        if (l->retired[i]->exchanges)
            l->retired[kept++] = l->retired[i];
        else
            let_go(l->retired[i]);
    }
    l->retired_count = kept;
}

/* Older ones than limits.generations allows are ended, and so are those for which there is no place. */
static void keep_bound(mg_lineage *l)
{
    uint32_t most = MG_MAX(MG_MIN(l->current->limits.generations, MG_LINEAGE_RETIRED), 1);
    on_sweep(&l->sweep);
    for (uint32_t i = 0; i < l->retired_count && l->retired_count - i > most - 1; i++) {
        mg_generation *g = l->retired[i];
        mg_warn("generation %u is ended with %u requests under way: more than %u generations (limits.generations)",
                g->id, g->exchanges, most);
        mg_exchange_stop_of(g);
    }
    mg_later_do(&l->sweep);
}

static void retire(mg_lineage *l)
{
    mg_generation *g = l->current;
    g->retired = true;
    if (l->retired_count == MG_LINEAGE_RETIRED) {
        /* Its exchanges were told to end long ago; what still waits in their log hooks holds it by itself. */
        let_go(l->retired[0]);
        memmove(l->retired, l->retired + 1, sizeof l->retired - sizeof l->retired[0]);
        l->retired_count--;
    }
    l->retired[l->retired_count++] = g;
}

/* ---- service ---- */

void mg_lineage_init(mg_lineage *l)
{
    l->next = l->current = NULL;
    l->retired_count = 0;
    mg_plan_init(&l->next_plan);
    mg_plan_init(&l->plan);
    mg_later_init(&l->sweep, on_sweep);
}

void mg_lineage_commit(mg_lineage *l)
{
    MG_BUG_UNLESS(l->next);
    if (l->current)
        retire(l);
    l->current = mg_world.current = l->next;
    l->next = NULL;
    mg_plan_fini(&l->plan);
    l->plan = l->next_plan;
    mg_plan_init(&l->next_plan);
    keep_bound(l);
    mg_script_start(l->current);
}

void mg_lineage_ended_one(mg_lineage *l, const mg_exchange *x)
{
    if (x->gen->retired)
        mg_later_do(&l->sweep);
}

void mg_lineage_end(mg_lineage *l)
{
    mg_lineage_abort(l);
    if (l->current)
        retire(l);
    l->current = mg_world.current = NULL;
    on_sweep(&l->sweep);
}

void mg_lineage_fini(mg_lineage *l)
{
    mg_later_cancel(&l->sweep);
    mg_lineage_abort(l);
    for (uint32_t i = 0; i < l->retired_count; i++)
        mg_generation_drop(l->retired[i]);
    l->retired_count = 0;
    mg_plan_fini(&l->plan);
    mg_plan_fini(&l->next_plan);
}
