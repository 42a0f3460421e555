#include "cli/commands.h"
#include "os/loop.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ares.h>
#include <luajit.h>
#include <pcre2.h>
#include <stdio.h>

static int version(const mg_cli *c)
{
    (void)c;
    char pcre[64];
    (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre);
    printf("moongate %s (%s, %s)\n", MG_VERSION, MG_COMMIT, MG_PROFILE);
    printf("%s\n", LUAJIT_VERSION);
    printf("%s\n", mg_loop_library());
    printf("c-ares %s\n", ares_version(NULL));
    printf("PCRE2 %s\n", pcre);
    return MG_EXIT_DONE;
}

const mg_cli_command mg_command_version = {
    .name = "version",
    .summary = "Say version, build and libraries.",
    .run = version,
};
