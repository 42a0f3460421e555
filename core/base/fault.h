/*
 * fault: named places where a test may make something fail.
 *
 * `if (MG_FAULT("connect")) return MG_FAIL;` costs nothing in release builds (the macro is false).
 * In debug and sanitizer builds (MG_FAULTS) the environment variable MOONGATE_FAULTS names the places
 * that fail: "connect" always, "connect=3" the third time, "connect%10" each tenth time; several
 * with commas.
 */
#ifndef MG_BASE_FAULT_H
#define MG_BASE_FAULT_H

#include "base/base.h"

#ifdef MG_FAULTS
bool mg_fault_hit(const char *name); /* counts this pass; true: fail now */
#define MG_FAULT(name) mg_fault_hit(name)
#else
#define MG_FAULT(name) false
#endif

#endif
