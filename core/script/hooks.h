/*
 * hooks: the script floor's filling of the exchange's slots: runs the hooks of a phase one after the other.
 *
 *      run(x, phase) ─► hook 1 ─► hook 2 ─► … ─► DONE
 *                          │         └─ returned something ─► ANSWER
 *                          └─ waits ─► WAIT … mg_exchange_wake ─► run(x, phase) goes on inside hook 1
 *
 * pull: a piece was given ─► MG_HOOK_ANSWER, ask again when there is room; the body is over ─► MG_HOOK_DONE.
 */
#ifndef MG_SCRIPT_HOOKS_H
#define MG_SCRIPT_HOOKS_H

#include "exchange/phase.h"

extern const mg_hooks mg_hooks_of_scripts;

#endif
