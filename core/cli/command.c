#include "cli/command.h"

#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>

const mg_cli_option mg_cli_config = {
    .letter = 'c', .name = "config", .value = "FILE",
    .help = "the configuration (conf/moongate.lua here, else the built-in demo)"};
const mg_cli_option mg_cli_control = {
    .letter = 'S', .name = "control", .value = "PATH", .only_long = true,
    .help = "the control socket (the configuration's, else run/moongate.sock)"};

/* ---- help ---- */

static void put_usage(FILE *to, const mg_cli_command *c)
{
    (void)fprintf(to, "usage: moongate %s", c->name);
    for (int i = 0; i < MG_CLI_OPTIONS && c->options[i]; i++) {
        const mg_cli_option *o = c->options[i];
        (void)fprintf(to, " [%s%.1s%s%s%s]%s", o->only_long ? "--" : "-", o->only_long ? "" : &o->letter,
                      o->only_long ? o->name : "", o->value ? " " : "", o->value ? o->value : "", o->many ? "…" : "");
    }
    (void)fprintf(to, "%s%s\n", c->words ? " " : "", c->words ? c->words : "");
}

void mg_cli_help(const mg_cli_command *c)
{
    put_usage(stdout, c);
    printf("\n%s\n", c->summary);
    if (c->details)
        printf("\n%s", c->details);
    printf("\noptions:\n");
    for (int i = 0; i < MG_CLI_OPTIONS && c->options[i]; i++) {
        const mg_cli_option *o = c->options[i];
        char left[64];
        if (o->only_long)
            (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        else
            (void)snprintf(left, sizeof left, "-%c, --%s%s%s", o->letter, o->name, o->value ? " " : "",
                           o->value ? o->value : "");
        printf("  %-24s %s\n", left, o->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
}

int mg_cli_wrong(const mg_cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "moongate %s: ", command->name);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    put_usage(stderr, command);
    return MG_EXIT_USAGE;
}

/* ---- reading ---- */

static const mg_cli_option *find(const mg_cli_command *c, mg_str name, char letter)
{
    for (int i = 0; i < MG_CLI_OPTIONS && c->options[i]; i++) {
        const mg_cli_option *o = c->options[i];
        if (letter ? o->letter == letter && !o->only_long : mg_str_eq(name, mg_str_of(o->name)))
            return o;
    }
    return NULL;
}

static bool keep_value(mg_cli *c, const mg_cli_option *o, const char *text)
{
    if (c->value_count == MG_CLI_VALUES) {
        (void)mg_cli_wrong(c->command, "more than %d options", MG_CLI_VALUES);
        return false;
    }
    c->values[c->value_count].letter = o->letter;
    c->values[c->value_count++].text = text;
    return true;
}

static bool keep_word(mg_cli *c, const char *word)
{
    if (c->word_count == MG_CLI_VALUES) {
        (void)mg_cli_wrong(c->command, "more than %d words", MG_CLI_VALUES);
        return false;
    }
    c->words[c->word_count++] = word;
    return true;
}

/* One argument that begins with a dash; *used: how many arguments it took. */
static bool read_option(mg_cli *c, char **argv, int left, int *used)
{
    const char *arg = argv[0];
    bool is_long = arg[1] == '-';
    const char *equals = is_long ? strchr(arg, '=') : NULL;
    mg_str name = {arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg) - MG_MIN(strlen(arg), 2)};
    const mg_cli_option *o = find(c->command, name, is_long ? 0 : arg[1]);
    *used = 1;
    if (!o && c->command->passes_on)
        return keep_word(c, arg);
    if (!o) {
        (void)mg_cli_wrong(c->command, "there is no option '%s'", arg);
        return false;
    }
    const char *attached = is_long ? (equals ? equals + 1 : NULL) : (arg[2] ? arg + 2 : NULL);
    if (!o->value && attached) {
        (void)mg_cli_wrong(c->command, "'%s' takes no value", arg);
        return false;
    }
    if (!o->value || attached)
        return keep_value(c, o, attached ? attached : "");
    if (left < 2) {
        (void)mg_cli_wrong(c->command, "'%s' needs a value: %s", arg, o->value);
        return false;
    }
    *used = 2;
    return keep_value(c, o, argv[1]);
}

mg_rc mg_cli_read(mg_cli *c, const mg_cli_command *command, int argc, char **argv)
{
    *c = (mg_cli){.command = command};
    bool options = true;
    for (int i = 0, used = 1; i < argc; i += used) {
        used = 1;
        if (options && strcmp(argv[i], "--help") == 0) {
            mg_cli_help(command);
            return MG_EOF;
        }
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            if (command->passes_on && !keep_word(c, argv[i]))
                return MG_BAD;
        } else if (options && argv[i][0] == '-' && argv[i][1] ? !read_option(c, argv + i, argc - i, &used)
                                                              : !keep_word(c, argv[i])) {
            return MG_BAD;
        }
    }
    if (c->word_count < command->least || (command->most >= 0 && c->word_count > command->most)) {
        (void)mg_cli_wrong(command, "%s", c->word_count < command->least ? "something is missing" : "too many words");
        return MG_BAD;
    }
    return MG_OK;
}

const char *mg_cli_value(const mg_cli *c, char letter)
{
    for (int i = c->value_count; i-- > 0;)
        if (c->values[i].letter == letter)
            return c->values[i].text;
    return NULL;
}

bool mg_cli_number(const mg_cli *c, char letter, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *out)
{
    const char *text = mg_cli_value(c, letter);
    *out = otherwise;
    if (!text)
        return true;
    if (mg_number_dec(mg_str_of(text), out) == MG_OK && *out >= least && *out <= most)
        return true;
    (void)mg_cli_wrong(c->command, "'%s' is not a number from %llu to %llu", text, (unsigned long long)least,
                       (unsigned long long)most);
    return false;
}
