#include "cli/commands.h"
#include "cli/places.h"

#include "base/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARGUMENTS = MG_CLI_VALUES + 4 };

/* Ours first, then what was set, then Lua's own (";;"). */
static void set_path(const char *library)
{
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    const char *before = getenv("LUA_PATH");
    mg_str path = mg_arena_print(&arena, "%s/?.lua;%s/?/init.lua;%s", library, library, before ? before : ";");
    (void)setenv("LUA_PATH", path.p, 1);
    (void)setenv("MOONGATE_BIN", mg_places_binary(), 0);
    mg_arena_fini(&arena);
}

static int test(const mg_cli *c)
{
    const char *library = mg_places_library();
    if (!library)
        return MG_EXIT_FAILED;
    set_path(library);
    static char program[] = "busted", interpreter[] = "--lua=luajit";
    char *argv[ARGUMENTS] = {program, interpreter};
    for (int i = 0; i < c->word_count; i++)
        memcpy(&argv[2 + i], &c->words[i], sizeof argv[0]); /* execvp does not write there, though its type would let it */
    (void)execvp(program, argv);
    (void)fprintf(stderr, "moongate test: cannot run busted: %s (Debian: apt install lua-busted luajit)\n", strerror(errno));
    return MG_EXIT_FAILED;
}

const mg_cli_command mg_command_test = {
    .name = "test",
    .words = "[PATH]… [OPTION]…",
    .summary = "Run busted specs on LuaJIT, with the testing kit (moongate.testing) on the path.",
    .details = "Paths and options are busted's own; without a path it runs what its .busted file says, or spec/.\n",
    .most = -1,
    .run = test,
    .passes_on = true,
};
