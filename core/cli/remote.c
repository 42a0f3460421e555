#include "cli/client.h"
#include "cli/commands.h"
#include "cli/places.h"

#include <stdio.h>

/* Asks, prints what is said to where it belongs. */
static int ask(const mg_cli *c, const char *method, const char *path, const char *accept)
{
    const char *socket_path = mg_places_control(c);
    mg_client_answer a;
    mg_err err;
    if (!socket_path)
        return MG_EXIT_FAILED;
    if (mg_client_ask(socket_path, method, path, accept, &a, &err) != MG_OK) {
        (void)fprintf(stderr, "moongate %s: %s\n", c->command->name, err.text);
        return MG_EXIT_FAILED;
    }
    bool good = a.status >= 200 && a.status < 300;
    (void)fwrite(a.body.p, 1, a.body.n, good ? stdout : stderr);
    mg_client_answer_fini(&a);
    return good ? MG_EXIT_DONE : MG_EXIT_FAILED;
}

static int reload(const mg_cli *c)
{
    return ask(c, "POST", "/v1/reload", "text/plain");
}

static int stop(const mg_cli *c)
{
    return ask(c, "POST", "/v1/stop", "text/plain");
}

static int quit(const mg_cli *c)
{
    return ask(c, "POST", "/v1/quit", "text/plain");
}

static int upgrade(const mg_cli *c)
{
    return ask(c, "POST", "/v1/upgrade", "text/plain");
}

static int status(const mg_cli *c)
{
    return ask(c, "GET", "/v1/status", mg_cli_value(c, 'j') ? "application/json" : "text/plain");
}

static const mg_cli_option json = {.letter = 'j', .name = "json", .only_long = true, .help = "as JSON, with everything"};

const mg_cli_command mg_command_reload = {
    .name = "reload",
    .summary = "Take the configuration into service anew, in every worker or in none.",
    .details = "Requests under way finish as they began. When it is refused, the reasons are said, the status is 1,\n"
               "and the proxy goes on as before.\n",
    .options = {&mg_cli_config, &mg_cli_control},
    .run = reload,
};
const mg_cli_command mg_command_stop = {
    .name = "stop",
    .summary = "End now; requests under way are cut. Waits until it has ended.",
    .options = {&mg_cli_config, &mg_cli_control},
    .run = stop,
};
const mg_cli_command mg_command_quit = {
    .name = "quit",
    .summary = "Drain, then end: requests under way may finish within timeouts.drain. Waits until it has ended.",
    .options = {&mg_cli_config, &mg_cli_control},
    .run = quit,
};
const mg_cli_command mg_command_upgrade = {
    .name = "upgrade",
    .summary = "Replace the binary: a new master and workers take over the listening sockets, the old ones drain.",
    .options = {&mg_cli_config, &mg_cli_control},
    .run = upgrade,
};
const mg_cli_command mg_command_status = {
    .name = "status",
    .summary = "Say how the proxy is: workers, generations, routes, upstreams and their servers.",
    .options = {&mg_cli_config, &mg_cli_control, &json},
    .run = status,
};
