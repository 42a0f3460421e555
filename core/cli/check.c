#include "cli/commands.h"
#include "cli/places.h"
#include "exchange/router.h"
#include "script/script.h"

#include <stdio.h>

static void tell(void *arg, const char *line)
{
    ++*(int *)arg;
    (void)fprintf(stderr, "%s\n", line);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static int check(const mg_cli *c)
{
    const char *library = mg_places_library(), *config = library ? mg_places_config(c) : NULL;
    if (!config)
        return MG_EXIT_FAILED;
    int mistakes = 0;
    mg_generation *g;
    mg_plan plan;
    mg_plan_init(&plan);
    mg_script_source source = {.library = library, .config = config, .generation = 1, .tell = tell, .tell_arg = &mistakes};
    mg_rc rc = mg_script_load(&source, &g, &plan);
    mg_plan_fini(&plan);
    if (rc != MG_OK) {
        (void)fprintf(stderr, "%s: %d mistake%s\n", config, mistakes, plural((size_t)mistakes));
        return MG_EXIT_FAILED;
    }
    uint32_t sites, routes, upstreams = (uint32_t)g->upstreams.count;
    mg_router_count(g->router, &sites, &routes);
    printf("%s: ok (%u site%s, %u route%s, %u upstream%s)\n", config, sites, plural(sites), routes, plural(routes),
           upstreams, plural(upstreams));
    mg_generation_drop(g);
    return MG_EXIT_DONE;
}

const mg_cli_command mg_command_check = {
    .name = "check",
    .summary = "Load the configuration and its scripts as a worker would, and say every mistake.",
    .options = {&mg_cli_config},
    .run = check,
};
