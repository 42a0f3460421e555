/*
 * answer: from what a hook returned to the exchange's answer.
 *
 *      { status = 401, headers = { ["x-a"] = "1", ["set-cookie"] = { "a=1", "b=2" } }, body = "no\n" }
 *      "text" (200)      404 (no body)      { body = function() return piece or nil end }
 *
 * Read raw, so nothing of the script runs here. A text without a content type is text/plain.
 */
#ifndef MG_SCRIPT_ANSWER_H
#define MG_SCRIPT_ANSWER_H

#include "script/slot.h"

/* The value on top of the runner's thread becomes the answer of the slot's exchange; a body that is a
 * function becomes slot->pull. false: it is not an answer, *wrong says why (good until the next call). */
bool mg_answer_give(mg_slot *slot, const char **wrong);

#endif
