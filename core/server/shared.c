#include "server/shared.h"

#include "base/log.h"
#include "base/number.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

mg_rc mg_shared_open(mg_dicts *all, const mg_plan *plan, mg_err *err)
{
    for (uint32_t i = 0; i < plan->dict_count; i++) {
        const mg_plan_dict *wanted = &plan->dicts[i];
        bool known = mg_dicts_find(all, wanted->name, strlen(wanted->name)) != NULL;
        const mg_dict *d = mg_dicts_open(all, mg_str_of(wanted->name), wanted->bytes, err);
        if (!d)
            return MG_FAIL;
        /* Sizes are rounded up to pages. */
        if (known && (mg_dict_bytes(d) < wanted->bytes || mg_dict_bytes(d) - wanted->bytes >= MG_DICT_HEAD))
            mg_warn("dictionary '%s' keeps its size of %llu bytes until a restart", wanted->name, (unsigned long long)mg_dict_bytes(d));
    }
    return MG_OK;
}

void mg_shared_send(const mg_dicts *all, mg_channel *to, uint32_t generation)
{
    const mg_dict *d;
    for (size_t i = 0; (d = mg_dicts_at(all, i)); i++)
        mg_channel_send(to, MG_SAY_DICT, generation, mg_dict_name(d), mg_dict_fd(d));
}

void mg_shared_take(mg_dicts *all, const mg_message *m)
{
    mg_err err;
    if (m->fd >= 0 && !mg_dicts_attach(all, m->fd, &err))
        mg_error("%s", err.text);
}

/* ---- upgrades ---- */

void mg_shared_bequeath(const mg_dicts *all)
{
    mg_arena arena;
    mg_str text = MG_STR("");
    const mg_dict *d;
    mg_arena_init(&arena, SIZE_MAX / 2);
    for (size_t i = 0; (d = mg_dicts_at(all, i)); i++) {
        (void)fcntl(mg_dict_fd(d), F_SETFD, 0);
        text = mg_arena_print(&arena, "%.*s%d ", MG_STR_ARG(text), mg_dict_fd(d));
    }
    (void)setenv(MG_SHARED_VARIABLE, text.n ? text.p : "", 1);
    mg_arena_fini(&arena);
}

void mg_shared_inherit(mg_dicts *all)
{
    /* Kept for good, since the environment's strings were moved to where nobody else knows them
     * (mg_process_title_init). */
    static const char *volatile variable;
    variable = getenv(MG_SHARED_VARIABLE);
    if (!variable)
        return;
    mg_str rest = mg_str_of(variable);
    ptrdiff_t blank;
    while ((blank = mg_str_find(rest, ' ')) >= 0) {
        uint64_t fd;
        mg_err err;
        bool fine = mg_number_dec((mg_str){rest.p, (size_t)blank}, &fd) == MG_OK && fd <= INT32_MAX;
        if (fine)
            (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
        if (fine && !mg_dicts_attach(all, (int)fd, &err))
            mg_warn("%s; it begins empty", err.text);
        rest = (mg_str){rest.p + blank + 1, rest.n - (size_t)blank - 1};
    }
    (void)unsetenv(MG_SHARED_VARIABLE);
}
