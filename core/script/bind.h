/*
 * bind: the C functions that the Lua library calls, as one table, "moongate.internal.native".
 *
 * Accessors exist twice: compiled Lua calls api.h through the FFI (a few nanoseconds), interpreted Lua calls
 * the twin here (the FFI would cost it hundreds). The twins also say why something was refused: they raise
 * the error at the line of the script that called the library.
 *
 * Errors travel by longjmp through these frames: none of them holds anything.
 */
#ifndef MG_SCRIPT_BIND_H
#define MG_SCRIPT_BIND_H

#include "script/state.h"

/* Pushes the table of functions. */
void mg_bind_push(lua_State *L, mg_script *s);

#endif
