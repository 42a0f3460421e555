/*
 * refusal: what api.c says to the C side of the bridge and not to Lua.
 */
#ifndef MG_SCRIPT_REFUSAL_H
#define MG_SCRIPT_REFUSAL_H

#include "codec/fields.h"
#include "script/slot.h"

/* Why the last call of api.h was refused: a sentence, good until the next call. */
const char *mg_refusal(void);
/* Whether a field frames the message or belongs to the hop, so that only the proxy writes it
 * (RFC 9110 section 7.6.1). */
bool mg_refusal_is_own_field(mg_field_id id);

/* The fields of a message (MG_MESSAGE_ of api.h) as hooks of this phase see them; NULL: there is no such message.
 * The request must go on. */
mg_fields *mg_api_fields(const mg_slot *slot, int message);

#endif
