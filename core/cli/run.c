#include "cli/commands.h"
#include "cli/places.h"
#include "os/file.h"
#include "server/master.h"
#include "shm/stats.h"

static const mg_cli_option workers = {
    .letter = 'w', .name = "workers", .value = "N", .only_long = true,
    .help = "how many workers (the configuration's number)"};
static const mg_cli_option watchdog = {
    .letter = 'W', .name = "watchdog", .value = "SECONDS", .only_long = true,
    .help = "a worker stuck for so long is replaced (10; 0: never)"};

enum { HINTS_FILE_MOST = 1024 * 1024 };

/* What stands behind "-- $" at the top of the configuration, before its first line of code: what to try. */
static const char *read_hints(const char *config, mg_arena *arena)
{
    mg_str text, hints = MG_STR_NONE, marks = MG_STR("--");
    mg_err err;
    if (mg_file_read(config, arena, HINTS_FILE_MOST, &text, &err) != MG_OK)
        return NULL; /* the checker says it better */
    while (text.n) {
        ptrdiff_t end = mg_str_find(text, '\n');
        mg_str line = {text.p, end < 0 ? text.n : (size_t)end}, hint = MG_STR("-- $ ");
        text = end < 0 ? MG_STR_NONE : (mg_str){text.p + end + 1, text.n - (size_t)end - 1};
        if (!mg_str_starts(line, marks))
            break;
        if (mg_str_starts(line, hint))
            hints = mg_arena_print(arena, "%.*s  %.*s\n", MG_STR_ARG(hints), (int)(line.n - hint.n), line.p + hint.n);
    }
    return hints.p;
}

static int run(const mg_cli *c)
{
    uint64_t count, seconds;
    if (!mg_cli_number(c, 'w', 1, MG_STATS_WORKERS, 0, &count) ||
        !mg_cli_number(c, 'W', 0, 3600, MG_SERVER_WATCHDOG_MS / 1000, &seconds))
        return MG_EXIT_USAGE;
    mg_server_options o = {
        .library = mg_places_library(), .control = mg_cli_value(c, 'S'), .workers = (int)count,
        .watchdog_ms = (int64_t)seconds * 1000, .version = MG_VERSION, .commit = MG_COMMIT, .profile = MG_PROFILE,
        /* By the path that was typed: a link may point to another version by then. */
        .binary = strchr(c->argv[0], '/') ? c->argv[0] : mg_places_binary(), .argv = c->argv,
    };
    o.config = o.library ? mg_places_config(c) : NULL;
    if (!o.config)
        return MG_EXIT_FAILED;
    if (!o.control && !mg_cli_value(c, 'c') && mg_places_is_demo(o.config))
        o.control = mg_places_demo_control;
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    o.hints = read_hints(o.config, &arena);
    int code = mg_server_run(&o);
    mg_arena_fini(&arena);
    return code;
}

const mg_cli_command mg_command_run = {
    .name = "run",
    .summary = "Serve in the foreground.",
    .details = "Logs go to standard error unless the configuration names a file. Standard output says where it listens\n"
               "and when it is ready.\n\n"
               "Signals: TERM and QUIT drain and end, INT ends at once, HUP reloads, USR1 opens the logs again, USR2\n"
               "replaces the binary.\n",
    .options = {&mg_cli_config, &workers, &mg_cli_control, &watchdog},
    .run = run,
};
