/*
 * client: asks a running moongate through its control socket: one request, waits for the answer.
 */
#ifndef MG_CLI_CLIENT_H
#define MG_CLI_CLIENT_H

#include "base/err.h"
#include "base/str.h"

enum { MG_CLIENT_MS = 120000, MG_CLIENT_ANSWER_MOST = 256 * 1024 * 1024 };

typedef struct {
    int status;
    char *bytes;  /* of the whole answer */
    mg_str body;  /* in `bytes` */
} mg_client_answer;

/* `accept`: the kind of answer that is wanted. MG_FAIL: nobody answered, with the sentence. */
mg_rc mg_client_ask(const char *socket_path, const char *method, const char *path, const char *accept,
                    mg_client_answer *out, mg_err *err) MG_MUST_CHECK;
void mg_client_answer_fini(mg_client_answer *a);

#endif
