/*
 * commands: what `moongate` can do, one table each.
 */
#ifndef MG_CLI_COMMANDS_H
#define MG_CLI_COMMANDS_H

#include "cli/command.h"

extern const mg_cli_command mg_command_run, mg_command_check, mg_command_explain, mg_command_reload, mg_command_stop,
    mg_command_quit, mg_command_upgrade, mg_command_status, mg_command_test, mg_command_new, mg_command_version;

#endif
