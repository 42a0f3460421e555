#include "script/plan_read.h"

#include "script/tables.h"

#include <lauxlib.h>
#include <stdlib.h>

static void read_logs(lua_State *L, int table, mg_plan *out)
{
    if (mg_tables_enter(L, table, "error_log")) {
        mg_str level = mg_tables_text(L, -1, "level", &out->arena);
        if (level.p && mg_log_parse_level(level, &out->error_log.level) != MG_OK)
            out->error_log.level = MG_LOG_INFO;
        out->error_log.path = mg_tables_chars(L, -1, "path", &out->arena);
        lua_pop(L, 1);
    }
    if (!mg_tables_enter(L, table, "access_log"))
        return;
    mg_str format = mg_tables_text(L, -1, "format", &out->arena);
    out->access_log.format = mg_tables_flag(L, -1, "off")             ? MG_PLAN_LOG_OFF
                             : !format.p                              ? MG_PLAN_LOG_SCRIPT
                             : mg_str_eq(format, MG_STR("json"))      ? MG_PLAN_LOG_JSON
                                                                      : MG_PLAN_LOG_COMBINED;
    out->access_log.path = mg_tables_chars(L, -1, "path", &out->arena);
    lua_pop(L, 1);
}

static void read_listeners(lua_State *L, int table, mg_plan *out)
{
    uint32_t count = mg_tables_length(L, table, "listeners");
    if (!count || !mg_tables_enter(L, table, "listeners"))
        return;
    out->listeners = mg_arena_zalloc(&out->arena, count * sizeof *out->listeners);
    for (int i = 1; i <= (int)count; i++) {
        if (!mg_tables_enter_item(L, -1, i))
            continue;
        out->listeners[out->listener_count++] = (mg_plan_listener){
            .bind = mg_tables_chars(L, -1, "bind", &out->arena),
            .backlog = (int)mg_tables_int(L, -1, "backlog", 0),
            .mode = mg_tables_u32(L, -1, "mode", 0660),
            .v6_only = mg_tables_flag(L, -1, "ipv6_only"),
        };
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int in_order(const void *a, const void *b)
{
    return strcmp(((const mg_plan_dict *)a)->name, ((const mg_plan_dict *)b)->name);
}

static void read_dicts(lua_State *L, int table, mg_plan *out)
{
    if (!mg_tables_enter(L, table, "dicts"))
        return;
    uint32_t count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        count++;
    out->dicts = mg_arena_zalloc(&out->arena, (count ? count : 1) * sizeof *out->dicts);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        mg_str name;
        name.p = lua_tolstring(L, -2, &name.n);
        out->dicts[out->dict_count++] =
            (mg_plan_dict){mg_arena_copy(&out->arena, name).p, (uint64_t)lua_tonumber(L, -1)};
    }
    if (count)
        qsort(out->dicts, count, sizeof *out->dicts, in_order); /* the same order in every process */
    lua_pop(L, 1);
}

static void read_resolver(lua_State *L, int table, mg_plan *out)
{
    if (!mg_tables_enter(L, table, "resolver"))
        return;
    out->resolver.attempts = mg_tables_u32(L, -1, "attempts", 2);
    out->resolver.timeout_ms = mg_tables_int(L, -1, "timeout", 2000);
    out->resolver.min_ttl_ms = mg_tables_int(L, -1, "min_ttl", 1000);
    out->resolver.max_ttl_ms = mg_tables_int(L, -1, "max_ttl", 300000);
    out->resolver.hosts_file = mg_tables_chars(L, -1, "hosts_file", &out->arena);
    uint32_t count = mg_tables_length(L, -1, "nameservers");
    if (count && mg_tables_enter(L, -1, "nameservers")) {
        out->resolver.nameservers = mg_arena_alloc(&out->arena, count * sizeof *out->resolver.nameservers);
        for (uint32_t i = 0; i < count; i++)
            out->resolver.nameservers[i] = mg_tables_item(L, -1, (int)i + 1, &out->arena).p;
        out->resolver.nameserver_count = count;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void mg_plan_read_table(lua_State *L, int table, const char *config, mg_plan *out)
{
    mg_arena *a = &out->arena;
    out->config = mg_arena_copy(a, mg_str_of(config)).p;
    out->workers = (int)mg_tables_int(L, table, "workers", 0); /* "auto" is no number */
    out->control = mg_tables_chars(L, table, "control", a);
    out->user = mg_tables_chars(L, table, "user", a);
    out->group = mg_tables_chars(L, table, "group", a);
    out->pid_file = mg_tables_chars(L, table, "pid_file", a);
    read_logs(L, table, out);
    read_listeners(L, table, out);
    read_dicts(L, table, out);
    read_resolver(L, table, out);
    if (mg_tables_enter(L, table, "timeouts")) {
        out->drain_ms = mg_tables_int(L, -1, "drain", out->drain_ms);
        lua_pop(L, 1);
    }
    if (mg_tables_enter(L, table, "limits")) {
        out->generations = mg_tables_u32(L, -1, "generations", out->generations);
        out->connections = mg_tables_u32(L, -1, "connections", out->connections);
        lua_pop(L, 1);
    }
}
