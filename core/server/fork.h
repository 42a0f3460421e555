/*
 * fork: a child in which no signal runs a handler of the master.
 *
 * All signals are blocked around the fork. The parent gets its mask back; the child leaves behind what is the
 * master's, then takes signals as it likes them (mg_fork_take_signals).
 */
#ifndef MG_SERVER_FORK_H
#define MG_SERVER_FORK_H

#include "base/base.h"

pid_t mg_fork(void);            /* as fork */
void mg_fork_take_signals(void); /* in the child: none is blocked any more */

#endif
