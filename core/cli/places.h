/*
 * places: where things lie: our Lua library, the configuration, the control socket.
 *
 *      MOONGATE_LUA          the library, when set
 *      BINARY/../../lua      in the tree (build/release/moongate)
 *      BINARY/../share/moongate/lua   installed (PREFIX/bin/moongate)
 *
 * Ownership: what they return lives as long as the process.
 */
#ifndef MG_CLI_PLACES_H
#define MG_CLI_PLACES_H

#include "cli/command.h"

const char *mg_places_binary(void);                  /* absolute; "moongate" when unknown */
const char *mg_places_library(void);                 /* NULL, and said on standard error, when there is none */
/* -c, or conf/moongate.lua here, or the demo that came with the library. NULL: said why. */
const char *mg_places_config(const mg_cli *c);
bool mg_places_is_demo(const char *config);          /* it is the built-in one */
/* --control, or what the configuration says; while that cannot be read, "run/moongate.sock" beside it. */
const char *mg_places_control(const mg_cli *c);
/* For the built-in demo, whose folder is not the user's: where its control socket is. */
extern const char mg_places_demo_control[];

#endif
