#include "cli/places.h"

#include "os/file.h"
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>

const char mg_places_demo_control[] = "run/moongate.sock";

/* What is found once stays: one arena for all of it. */
static mg_arena *shelf(void)
{
    static mg_arena arena;
    static bool ready;
    if (!ready)
        mg_arena_init(&arena, SIZE_MAX / 2);
    ready = true;
    return &arena;
}

static const char *join(const char *folder, const char *name)
{
    return mg_arena_print(shelf(), "%s/%s", folder, name).p;
}

const char *mg_places_binary(void)
{
    mg_str self = mg_file_self(shelf());
    return self.n ? self.p : "moongate";
}

static bool is_library(const char *folder)
{
    return mg_file_exists(join(folder, "moongate/boot.lua"));
}

const char *mg_places_library(void)
{
    static const char *found;
    const char *named = getenv("MOONGATE_LUA");
    mg_str folder = mg_arena_copy(shelf(), mg_file_folder(mg_str_of(mg_places_binary())));
    const char *const places[] = {named && *named ? named : NULL, join(folder.p, "../../lua"),
                                  join(folder.p, "../share/moongate/lua")};
    for (size_t i = 0; i < MG_COUNT(places) && !found; i++) {
        if (places[i] && is_library(places[i])) {
            char *real = realpath(places[i], NULL);
            found = mg_arena_copy(shelf(), mg_str_of(real ? real : places[i])).p;
            free(real);
        }
        if (i == 0 && places[0] && !found) {
            (void)fprintf(stderr, "moongate: MOONGATE_LUA names %s, but moongate/boot.lua is not there\n", named);
            return NULL;
        }
    }
    if (!found)
        (void)fprintf(stderr, "moongate: its Lua library is not there: neither %s nor %s (MOONGATE_LUA names another)\n",
                      places[1], places[2]);
    return found;
}

/* Beside the library: the tree's conf/, or what was installed. */
static const char *demo(void)
{
    const char *library = mg_places_library();
    return library ? mg_arena_print(shelf(), "%.*s/conf/moongate.lua", MG_STR_ARG(mg_file_folder(mg_str_of(library)))).p
                   : NULL;
}

bool mg_places_is_demo(const char *config)
{
    const char *built_in = demo();
    return built_in && strcmp(config, built_in) == 0;
}

const char *mg_places_config(const mg_cli *c)
{
    const char *given = mg_cli_value(c, 'c');
    if (given)
        return given;
    if (mg_file_exists("conf/moongate.lua"))
        return "conf/moongate.lua";
    const char *built_in = demo();
    if (built_in && !mg_file_exists(built_in)) {
        (void)fprintf(stderr, "moongate: there is no conf/moongate.lua here, and no demo at %s\n", built_in);
        return NULL;
    }
    return built_in;
}

const char *mg_places_control(const mg_cli *c)
{
    const char *given = mg_cli_value(c, 'S');
    if (given)
        return given;
    const char *library = mg_places_library(), *config = library ? mg_places_config(c) : NULL;
    if (!config)
        return NULL;
    if (mg_places_is_demo(config))
        return mg_places_demo_control;
    mg_plan plan;
    mg_plan_init(&plan);
    mg_script_source source = {.library = library, .config = config};
    const char *path = NULL;
    bool known = mg_script_load(&source, NULL, &plan) == MG_OK;
    if (known && plan.control)
        path = mg_arena_copy(shelf(), mg_str_of(plan.control)).p;
    mg_plan_fini(&plan);
    if (known && !path)
        (void)fprintf(stderr, "moongate: %s has no control socket (control = false)\n", config);
    if (known)
        return path;
    return mg_arena_print(shelf(), "%.*s/run/moongate.sock", MG_STR_ARG(mg_file_folder(mg_str_of(config)))).p;
}
