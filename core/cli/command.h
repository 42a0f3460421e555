/*
 * command: one command line, read by the table of the command that it names.
 *
 *      moongate run -c FILE --workers 4 --control=PATH word word
 *               └ which command: its options, how many words, what runs
 *
 * Short options are one letter ("-c FILE", "-cFILE"), long ones words ("--config FILE", "--config=FILE"); "--"
 * ends them. --help is every command's. A mistake is said on standard error with the right usage, exit status 2.
 *
 * Ownership: texts are argv's.
 */
#ifndef MG_CLI_COMMAND_H
#define MG_CLI_COMMAND_H

#include "base/str.h"

enum { MG_EXIT_DONE = 0, MG_EXIT_FAILED = 1, MG_EXIT_USAGE = 2 };
enum { MG_CLI_OPTIONS = 8, MG_CLI_VALUES = 64 };

typedef struct {
    char letter;          /* its name in the program, and on the command line unless it is an upper-case one */
    const char *name;     /* without the dashes */
    const char *value;    /* what stands behind it: "FILE"; NULL: nothing */
    const char *help;
    bool many;            /* may be given again */
    bool only_long;
} mg_cli_option;

typedef struct mg_cli mg_cli;

typedef struct {
    const char *name;
    const char *words;    /* what stands behind the options, for the usage: "METHOD URL" */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs; NULL: none */
    int least, most;      /* words; most < 0: any number */
    const mg_cli_option *options[MG_CLI_OPTIONS];
    int (*run)(const mg_cli *c);
    bool passes_on;       /* options that it does not know are words */
} mg_cli_command;

struct mg_cli {
    const mg_cli_command *command;
    char **argv;          /* of the process */
    int word_count;
    const char *words[MG_CLI_VALUES];
    int value_count;
    struct {
        char letter;
        const char *text; /* "" for an option without a value */
    } values[MG_CLI_VALUES];
};

/* Options that several commands share. */
extern const mg_cli_option mg_cli_config, mg_cli_control;

/* Reads the words behind the command's name. MG_OK; MG_EOF: help was asked for and given; MG_BAD: said what is wrong. */
mg_rc mg_cli_read(mg_cli *c, const mg_cli_command *command, int argc, char **argv) MG_MUST_CHECK;
const char *mg_cli_value(const mg_cli *c, char letter);        /* the last one given; NULL: none */
/* A number at least `least`; `otherwise` when the option was not given. false: said what is wrong. */
bool mg_cli_number(const mg_cli *c, char letter, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *out);
int mg_cli_wrong(const mg_cli_command *command, const char *format, ...) MG_PRINTF(2, 3); /* says it; MG_EXIT_USAGE */
void mg_cli_help(const mg_cli_command *command);

#endif
