/*
 * moongate: the one program. The first word says the command; what each takes stands in its table.
 */
#include "cli/commands.h"
#include "os/process.h"

#include <stdio.h>

static const mg_cli_command *const commands[] = {
    &mg_command_run, &mg_command_check, &mg_command_explain, &mg_command_reload, &mg_command_stop,
    &mg_command_quit, &mg_command_upgrade, &mg_command_status, &mg_command_test, &mg_command_new, &mg_command_version,
};

static void help(FILE *to)
{
    (void)fprintf(to, "usage: moongate COMMAND [OPTION]…\n\n");
    for (size_t i = 0; i < MG_COUNT(commands); i++)
        (void)fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(to, "  %-9s %s\n\n", "help", "This text; `moongate help COMMAND` or `moongate COMMAND --help` say more.");
}

static const mg_cli_command *find(const char *name)
{
    for (size_t i = 0; i < MG_COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    (void)fprintf(stderr, "moongate: there is no command '%s'; `moongate help` lists them\n", name);
    return NULL;
}

static int help_on(const char *name)
{
    const mg_cli_command *command = name ? find(name) : NULL;
    if (!name)
        help(stdout);
    else if (command)
        mg_cli_help(command);
    return name && !command ? MG_EXIT_USAGE : MG_EXIT_DONE;
}

int main(int argc, char **argv)
{
    mg_process_title_init(argc, argv);
    if (argc < 2) {
        help(stderr);
        return MG_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_on(argc > 2 ? argv[2] : NULL);
    const mg_cli_command *command = strcmp(argv[1], "--version") == 0 ? &mg_command_version : find(argv[1]);
    if (!command)
        return MG_EXIT_USAGE;
    mg_cli c;
    mg_rc rc = mg_cli_read(&c, command, argc - 2, argv + 2);
    c.argv = argv;
    return rc == MG_OK ? command->run(&c) : rc == MG_EOF ? MG_EXIT_DONE : MG_EXIT_USAGE;
}
