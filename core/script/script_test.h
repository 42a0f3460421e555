/*
 * script_test: a configuration and scripts written into a folder, loaded, and requests made up by hand.
 *
 * No connection, no machine: a test calls the hooks of a phase as the exchange would, and looks at the
 * exchange afterwards. For the tests of this floor alone; they run from the project's root.
 */
#ifndef MG_SCRIPT_SCRIPT_TEST_H
#define MG_SCRIPT_SCRIPT_TEST_H

#include "base/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "exchange/router.h"
#include "script/script.h"

#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];      /* of the configuration */
static char mistakes[8192];  /* told while loading, a line each */
static int log_fd = -1;
static bool woken;

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void forget_folder(void)
{
    if (*folder)
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *folder = 0;
}

static inline void write_file(const char *name, const char *text)
{
    char path[256];
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/mg-script-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
        MG_BUG_UNLESS(mkdtemp(folder));
        atexit(forget_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    MG_BUG_UNLESS(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static inline void on_mistake(void *arg, const char *line)
{
    (void)arg;
    size_t n = strlen(mistakes);
    snprintf(mistakes + n, sizeof mistakes - n, "%s\n", line);
}

/* What was logged since the last call. */
static inline const char *logged(void)
{
    static char text[16384];
    mg_log_flush();
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
    text[MG_MAX(n, 0)] = 0;
    MG_BUG_UNLESS(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
    return text;
}

/* Loads the text as a configuration; scripts lie beside it. NULL: mistakes were told. */
static inline mg_generation *load(const char *text)
{
    char path[128];
    static uint32_t id;
    if (log_fd < 0) {
        log_fd = memfd_create("log", 0);
        mg_log_open(log_fd, MG_LOG_INFO);
    }
    mg_clock_update();
    write_file("conf.lua", text);
    snprintf(path, sizeof path, "%s/conf.lua", folder);
    *mistakes = 0;
    mg_generation *g = NULL;
    mg_script_source source = {.library = "lua", .config = path, .generation = ++id, .tell = on_mistake};
    return mg_script_load(&source, &g, NULL) == MG_OK ? g : NULL;
}

static inline bool says(const char *text, const char *part)
{
    bool found = strstr(text, part) != NULL;
    if (!found)
        printf("# \"%s\" is not in: %s\n", part, text);
    return found;
}

/* ---- a request ---- */

typedef struct {
    mg_exchange x;
    mg_arena arena;
    mg_fields fields;
    mg_router_search search;
} request;

static inline void on_wake(mg_later *l)
{
    MG_OWNER(l, mg_exchange, wake)->hook_ready = true;
    woken = true;
}

static inline void add_field(mg_fields *f, const char *name, const char *value)
{
    MG_BUG_UNLESS(mg_fields_add(f, mg_field_id_of(mg_str_of(name)), mg_str_of(name), mg_str_of(value)) == MG_OK);
}

/* GET target of example.com; where the route is not found it is that of the site's unmatched requests. */
static inline mg_exchange *ask(request *r, mg_generation *g, const char *target)
{
    memset(r, 0, sizeof *r);
    mg_exchange *x = &r->x;
    mg_arena_init(&r->arena, 1 << 20);
    mg_fields_init(&r->fields, &r->arena, 64);
    add_field(&r->fields, "Host", "example.com");
    x->gen = g;
    x->arena = &r->arena;
    x->req.method_name = MG_STR("GET");
    x->req.target = x->req.path = mg_str_of(target);
    x->req.query = MG_STR_NONE;
    ptrdiff_t mark = mg_str_find(x->req.target, '?');
    if (mark >= 0) {
        x->req.path.n = (size_t)mark;
        x->req.query = (mg_str){target + mark + 1, x->req.target.n - (size_t)mark - 1};
    }
    x->req.host = x->req.authority = MG_STR("example.com");
    x->req.scheme = MG_STR("http");
    x->req.fields = &r->fields;
    x->req.minor = x->req.major = 1;
    MG_BUG_UNLESS(mg_addr_parse("192.0.2.7:1234", &x->client_addr) == MG_OK);
    x->at.began = mg_clock_us();
    mg_later_init(&x->wake, on_wake);
    x->site = mg_router_site(g->router, x->req.host);
    r->search = (mg_router_search){.path = x->req.path, .query = x->req.query, .method_name = x->req.method_name, .fields = &r->fields, .arena = &r->arena};
    x->search = &r->search;
    x->route = mg_router_next(g->router, x->site, x->search);
    if (!x->route)
        x->route = &x->site->none;
    return x;
}

/* As if an origin had answered. */
static inline void answer(mg_exchange *x, int status)
{
    x->res = (mg_response_head){.status = (uint16_t)status};
    mg_fields_init(&x->res.fields, x->arena, 64);
    x->res_known = true;
}

static inline mg_hook_result run(mg_exchange *x, mg_phase phase)
{
    return x->gen->hooks->run(x, phase);
}

static inline void over(request *r)
{
    r->x.gen->hooks->end(&r->x);
    mg_later_cancel(&r->x.wake);
    mg_chain_fini(&r->x.answer.body);
    mg_arena_fini(&r->arena);
}

static inline mg_str sent(const mg_exchange *x, const char *name)
{
    const mg_field *f = mg_fields_find_name(&x->res.fields, mg_str_of(name), 0);
    return f ? f->value : MG_STR_NONE;
}

static inline mg_str up(const mg_exchange *x, const char *name)
{
    const mg_field *f = mg_fields_find_name(x->req.fields, mg_str_of(name), 0);
    return f ? f->value : MG_STR_NONE;
}

/* The answer's body; good until the next call. */
static inline mg_str body(const mg_exchange *x)
{
    static char text[4096];
    return (mg_str){text, mg_chain_copy_out(&x->answer.body, text, sizeof text)};
}

/* A configuration with one upstream and these routes. */
#define CONF(routes) \
    "return { upstreams = { app = { servers = { '127.0.0.1:1' } }, other = { servers = { '127.0.0.1:2' } } },\n" \
    "  script_path = { '.' }, access_log = { off = true },\n" \
    "  sites = { { hosts = { 'example.com' }, routes = {\n" routes "\n  } } } }\n"

#endif
