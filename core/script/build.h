/*
 * build: from the checked configuration, a Lua table, to a generation's settings, upstreams, sites and routes.
 *
 *      plan (moongate.plan, and `set` numbers) ─► mg_generation: arena, upstreams, router
 *
 * The table is what lua/moongate/boot.lua made of the plan: sites, routes and the plan itself name in `set`
 * which of the hook sets (hookset.h) is theirs. Called in protected mode: memory errors of Lua may pass
 * through, and what was built until then is freed with the generation.
 */
#ifndef MG_SCRIPT_BUILD_H
#define MG_SCRIPT_BUILD_H

#include "script/script.h"
#include "script/state.h"

/* Fills the script's generation from the plan at that place of the stack; the script's hook sets have been
 * read already. Returns how many mistakes were told. */
int mg_build_generation(mg_script *s, int plan, const mg_script_source *source);

#endif
