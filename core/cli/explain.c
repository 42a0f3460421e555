#include "cli/commands.h"
#include "cli/places.h"
#include "codec/uri.h"
#include "exchange/router.h"
#include "os/addr.h"
#include "script/script.h"

#include <stdio.h>

static const mg_cli_option header = {
    .letter = 'H', .name = "header", .value = "'NAME: VALUE'", .help = "a field of the request; may be given again",
    .many = true};

enum { FIELDS_MOST = MG_CLI_VALUES };

/* The request in question. */
typedef struct {
    const mg_cli *cli;
    mg_arena arena;
    mg_str method, scheme, authority, host, path, query;
    int port;               /* -1: not said */
    mg_fields fields;
} question;

/* ---- reading the question ---- */

static int wrong_header(const question *q, const char *text)
{
    return mg_cli_wrong(q->cli->command, "'%s' is not a header such as 'accept: text/html'", text);
}

static int read_headers(question *q)
{
    mg_fields_init(&q->fields, &q->arena, FIELDS_MOST);
    for (int i = 0; i < q->cli->value_count; i++) {
        const char *text = q->cli->values[i].text;
        if (q->cli->values[i].letter != 'H')
            continue;
        mg_str all = mg_str_of(text);
        ptrdiff_t colon = mg_str_find(all, ':');
        mg_str name = {text, colon < 0 ? 0 : (size_t)colon};
        mg_str value = colon < 0 ? MG_STR_NONE : mg_str_trim((mg_str){text + colon + 1, all.n - name.n - 1});
        if (!mg_field_name_is_valid(name) || !mg_field_value_is_valid(value) ||
            mg_fields_add(&q->fields, mg_field_id_of(name), name, value) != MG_OK)
            return wrong_header(q, text);
    }
    return MG_EXIT_DONE;
}

static int read_url(question *q, const char *url)
{
    mg_target target;
    const char *why = "it must begin with http:// or /";
    if (mg_target_parse(mg_str_of(url), &target, &why) != MG_OK ||
        (target.form != MG_TARGET_ORIGIN && target.form != MG_TARGET_ABSOLUTE) ||
        mg_path_normalize(target.raw_path, &q->arena, &q->path, &why) != MG_OK)
        return mg_cli_wrong(q->cli->command, "'%s' is not a URL to ask for: %s", url, why);
    q->query = target.query;
    q->scheme = target.scheme;
    q->authority = target.form == MG_TARGET_ABSOLUTE ? target.authority : mg_fields_value(&q->fields, MG_FIELD_HOST);
    q->port = -1;
    if (q->authority.n && mg_authority_parse(q->authority, &q->host, &q->port) != MG_OK)
        return mg_cli_wrong(q->cli->command, "'%.*s' is not a host", MG_STR_ARG(q->authority));
    if (q->port < 0 && q->scheme.n)
        q->port = mg_str_eq_nocase(q->scheme, MG_STR("https")) ? 443 : 80;
    if (target.form == MG_TARGET_ABSOLUTE && mg_fields_set(&q->fields, MG_FIELD_HOST, MG_STR("host"), q->authority) != MG_OK)
        return MG_EXIT_FAILED;
    return MG_EXIT_DONE;
}

/* ---- the answer, line by line ---- */

static void say_listener(const question *q, const mg_plan *plan)
{
    for (uint32_t i = 0; i < plan->listener_count; i++) {
        mg_addr a;
        if (mg_addr_parse(plan->listeners[i].bind, &a) == MG_OK && q->port > 0 && mg_addr_port(&a) == q->port) {
            printf("listener   %s\n", plan->listeners[i].bind);
            return;
        }
    }
    if (q->port > 0)
        printf("listener   none at port %d; all serve the same sites:", q->port);
    else
        printf("listener   any:");
    for (uint32_t i = 0; i < plan->listener_count; i++)
        printf(" %s", plan->listeners[i].bind);
    printf("\n");
}

static void say_upstream(const mg_upstream *u)
{
    printf("action     upstream %.*s:", MG_STR_ARG(u->name));
    for (uint32_t i = 0; i < u->peer_count; i++) {
        const mg_peer *p = &u->peers[i];
        printf("%s %.*s", i ? "," : "", MG_STR_ARG(p->name));
        if (p->weight != 1 || p->backup)
            printf(" (weight %u%s)", p->weight, p->backup ? ", backup" : "");
    }
    printf("\n");
}

static void say_action(const mg_route *r)
{
    switch (r->action) {
    case MG_ACTION_UPSTREAM:
        say_upstream(r->upstream);
        if (r->rewrite.p)
            printf("rewrite    %.*s\n", MG_STR_ARG(r->rewrite));
        break;
    case MG_ACTION_HANDLER:
        printf("action     handler\n");
        break;
    case MG_ACTION_REPLY:
        printf("action     reply %u\n", r->reply.status);
        break;
    case MG_ACTION_REDIRECT:
        printf("action     redirect %u to %.*s\n", r->redirect.status, MG_STR_ARG(r->redirect.to));
        break;
    case MG_ACTION_NONE:
        break;
    }
}

static void say_policies(const mg_generation *g, const mg_route *r)
{
    const char *title = "policies";
    for (int phase = 0; phase < MG_PHASE_COUNT; phase++) {
        const char *name = mg_script_policy(g, r, (mg_phase)phase, 0);
        if (!name)
            continue;
        printf("%-10s %s:", title, mg_phase_name((mg_phase)phase));
        for (uint32_t i = 0; name; name = mg_script_policy(g, r, (mg_phase)phase, ++i))
            printf("%s %s", i ? "," : "", name);
        printf("\n");
        title = "";
    }
}

static void say_params(const mg_router_search *s)
{
    if (s->rest.p)
        printf("*          %.*s\n", MG_STR_ARG(s->rest));
    for (uint32_t i = 0; i < s->param_count; i++)
        printf(":%-9.*s %.*s\n", MG_STR_ARG(s->params[i].name), MG_STR_ARG(s->params[i].value));
}

static void say_route(const mg_generation *g, const mg_route *r, const mg_router_search *s)
{
    printf("route      %.*s  (%.*s)\n", MG_STR_ARG(r->name), MG_STR_ARG(r->where));
    if (s->wants_when)
        printf("           if its `when` agrees; otherwise the next that fits below\n");
    say_params(s);
    say_action(r);
    say_policies(g, r);
}

/* ---- the others ---- */

typedef struct {
    const mg_route *chosen;
    bool any;
} others;

static void say_other(void *arg, const mg_route *route, const char *why_not)
{
    others *o = arg;
    if (route == o->chosen)
        return;
    if (!o->any)
        printf("\nothers that came near:\n");
    o->any = true;
    printf("  %.*s  (%.*s): %s\n", MG_STR_ARG(route->name), MG_STR_ARG(route->where),
           why_not ? why_not : "fits, and comes later");
}

static void begin_search(const question *q, mg_router_search *s, mg_arena *arena)
{
    *s = (mg_router_search){.path = q->path, .query = q->query, .method = mg_method_of(q->method),
                            .method_name = q->method, .fields = &q->fields, .arena = arena};
}

static void say_nothing_fits(const mg_router_search *s)
{
    if (s->allow.p)
        printf("route      none: the method does not fit, 405 with Allow: %.*s\n", MG_STR_ARG(s->allow));
    else
        printf("route      none: 404\n");
}

static void answer(question *q, const mg_generation *g, const mg_plan *plan)
{
    mg_router_search s;
    say_listener(q, plan);
    mg_site *site = mg_router_site(g->router, q->host);
    if (!site) {
        printf("site       none takes the host '%.*s': 421\n", MG_STR_ARG(q->host));
        say_policies(g, &g->nowhere);
        return;
    }
    printf("site       %.*s  (%.*s)\n", MG_STR_ARG(site->name), MG_STR_ARG(site->none.where));
    begin_search(q, &s, &q->arena);
    const mg_route *chosen = mg_router_next(g->router, site, &s);
    if (chosen) {
        say_route(g, chosen, &s);
    } else {
        say_nothing_fits(&s);
        say_policies(g, &site->none);
    }
    others o = {.chosen = chosen};
    begin_search(q, &s, &q->arena);
    mg_router_explain(g->router, site, &s, say_other, &o);
}

/* ---- the command ---- */

static void tell(void *arg, const char *line)
{
    (void)arg;
    (void)fprintf(stderr, "%s\n", line);
}

static int load_and_answer(question *q)
{
    const char *library = mg_places_library(), *config = library ? mg_places_config(q->cli) : NULL;
    mg_generation *g;
    mg_plan plan;
    if (!config)
        return MG_EXIT_FAILED;
    mg_plan_init(&plan);
    mg_script_source source = {.library = library, .config = config, .generation = 1, .tell = tell};
    mg_rc rc = mg_script_load(&source, &g, &plan);
    if (rc == MG_OK) {
        answer(q, g, &plan);
        mg_generation_drop(g);
    }
    mg_plan_fini(&plan);
    return rc == MG_OK ? MG_EXIT_DONE : MG_EXIT_FAILED;
}

static int explain(const mg_cli *c)
{
    question q = {.cli = c, .method = mg_str_of(c->words[0])};
    mg_arena_init(&q.arena, SIZE_MAX / 2);
    int code = mg_field_name_is_valid(q.method) ? read_headers(&q)
                                                : mg_cli_wrong(c->command, "'%s' is not a method", c->words[0]);
    if (code == MG_EXIT_DONE)
        code = read_url(&q, c->words[1]);
    if (code == MG_EXIT_DONE)
        code = load_and_answer(&q);
    mg_arena_fini(&q.arena);
    return code;
}

const mg_cli_command mg_command_explain = {
    .name = "explain",
    .words = "METHOD URL",
    .summary = "Say which listener, site, route, policies and upstream would serve a request, and why others would not.",
    .details = "The URL is whole (http://example.com/api/x?y=1), or a path, with the host from -H 'host: example.com'.\n"
               "Nothing is sent and no hook runs, so what a rewrite hook would change is not seen.\n",
    .least = 2, .most = 2,
    .options = {&mg_cli_config, &header},
    .run = explain,
};
