/*
 * exchange: one request and its answer, from the head to the last byte and the log line.
 *
 *   REWRITE ─► ROUTE ─► ACCESS ─► ACT ─┬─► DIAL ─► AWAIT ─┬─► RESPONSE ─► RELAY ─► LOG ─► (gone)
 *      │         │         │           │    SEND   TAKE   │  (hooks on the heads, each try)
 *      │         │         │           ├─► HANDLER ───────┤                │
 *      │         │         │           └─► reply, redirect┘             TUNNEL
 *      └─────────┴─────────┴── answer by a hook, error ─► FAILED ─► RESPONSE
 *
 * The table in exchange.c is the machine: one row per stage with its function, its patience, and where it
 * may lead. drive() runs stages until one waits; whatever may end the wait calls mg_exchange_wake() or
 * arrives through a side. Both directions move on their own: the request body streams up (pump_up) from the
 * moment the origin is there until it ends, whatever the answer does; the answer streams down (pump_down).
 *
 * The answer has one shape whoever makes it: head in `res`, body from the origin's side, from memory
 * (`answer.body`) or pulled from a script.
 *
 * Ownership: the exchange lies in the arena of its client side, and dies with it (finish()). It holds its
 * generation. Nothing outlives finish(): timers, dials and hooks are cancelled there.
 */
#ifndef MG_EXCHANGE_EXCHANGE_H
#define MG_EXCHANGE_EXCHANGE_H

#include "exchange/generation.h"
#include "exchange/router.h"
#include "http/h1_client.h"
#include "http/h1_server.h"
#include "upstream/dial.h"

typedef enum {
    MG_STAGE_REWRITE, MG_STAGE_ROUTE, MG_STAGE_ACCESS, MG_STAGE_ACT, MG_STAGE_HANDLER, MG_STAGE_DIAL, MG_STAGE_SEND,
    MG_STAGE_AWAIT, MG_STAGE_TAKE, MG_STAGE_FAILED, MG_STAGE_RESPONSE, MG_STAGE_RELAY, MG_STAGE_TUNNEL, MG_STAGE_LOG, MG_STAGE_GONE, MG_STAGE_COUNT
} mg_stage;

/* Why an exchange ended; the names stand in the access log. */
#define MG_ENDS(X) \
    X(DONE, "done") X(CLIENT_GONE, "client_gone") X(CLIENT_HEAD_LATE, "client_header_timeout") \
    X(CLIENT_LATE, "client_body_timeout") \
    X(CLIENT_WRITE_LATE, "client_write_timeout") X(CLIENT_SLOW, "client_too_slow") X(CLIENT_BAD, "bad_request") \
    X(ORIGIN_CONNECT, "connect_failed") X(ORIGIN_CONNECT_LATE, "connect_timeout") X(ORIGIN_RESET, "origin_reset") \
    X(ORIGIN_LATE, "response_timeout") X(ORIGIN_BODY_LATE, "origin_body_timeout") X(ORIGIN_BAD, "bad_answer") \
    X(ORIGIN_TRUNCATED, "origin_truncated") X(NO_PEER, "no_server") X(TUNNEL_LATE, "tunnel_timeout") \
    X(REQUEST_LATE, "request_timeout") X(SCRIPT, "script_error") X(SCRIPT_LATE, "script_timeout") \
    X(LIMIT, "limit") X(STOPPED, "stopped") X(REFUSED, "refused")

typedef enum {
#define MG_END_ENUM(id, name) MG_END_##id,
    MG_ENDS(MG_END_ENUM)
#undef MG_END_ENUM
    MG_END_COUNT
} mg_end;

const char *mg_end_name(mg_end e);
const char *mg_stage_name(mg_stage s);

struct mg_exchange {
    mg_stage stage;
    uint8_t end;                  /* mg_end */
    mg_generation *gen;           /* held */
    mg_arena *arena;              /* the client side's */
    mg_side *client, *origin;     /* origin: NULL when there is none (any more) */
    mg_route *route;              /* never NULL after ROUTE: a site's `none` when nothing matched */
    mg_site *site;                /* may be NULL */

    /* The request as it stands now (hooks may change it until it is sent). */
    struct {
        mg_method method;
        mg_str method_name, scheme, host /* without port, lower case */, authority, path /* normalised */, raw_path, query;
        mg_str target;            /* as it came */
        mg_fields *fields;
        int64_t content_length;
        uint8_t minor, major;
        bool has_body, wants_upgrade, expect_continue, path_changed;
        mg_str id;                /* request id; p == NULL until somebody asks or sets it */
    } req;
    mg_addr peer;                 /* who the socket says the client is */
    mg_addr client_addr;          /* who the client is, with trusted proxies believed */
    mg_str client_ip;             /* printed */
    mg_router_search *search;

    /* The answer as it stands now. */
    mg_response_head res;
    bool res_known;               /* res is filled */
    bool res_from_origin;
    struct {
        mg_chain body;            /* of an own answer; what a script had collected of an origin's */
        bool pull;                /* more is to be pulled from the script */
        bool whole;               /* body is complete */
        bool by_script;           /* a hook gave it */
    } answer;
    struct {
        int status;               /* 0: no failure */
        const char *error;        /* RFC 9209 error type for Proxy-Status: "connection_refused", … */
        const char *detail;       /* static or arena; for log */
    } failure;

    /* Upstream. */
    mg_upstream *upstream;
    mg_dial dial;
    mg_peer *peer_now;            /* of this try, or the last one; NULL: none yet */
    mg_peer *redial;              /* next try: this one; on a fresh connection when it is the same again */
    bool peer_held;               /* counted as active there */
    uint64_t tried;
    uint32_t tries;
    bool body_sent_up;            /* body bytes have been moved to an origin: no other try */
    bool up_done, down_done;
    bool up_given_up;             /* the origin takes no more; the rest of the upload is thrown away */
    bool continue_sent;
    bool close_client;            /* the client connection must not be reused */
    bool tunnel;
    bool is_internal_error;       /* the answer is the proxy's own error */
    bool failed_ran, response_failed; /* hooks that are not to run again */
    bool up_broken;               /* the upload broke, and that has been dealt with */
    bool refused;                 /* the head was not valid: there is no request */
    bool settled;                 /* numbers are counted, the origin is let go */
    bool log_is_over;             /* a log hook that waits is not waited for */
    mg_stats_row *worker_stats;

    mg_request_head *up;          /* the head for the origin, while SEND's hooks may change it */
    struct mg_filter *filters[2]; /* by mg_flow; NULL: the body passes untouched */

    /* A whole body that a script asked for (mg_exchange_hold_body). */
    mg_chain held;
    uint64_t held_most;
    uint8_t hold;                 /* 0: no; 1: being collected; 2: complete; 3: over the limit; 4: broken */
    bool holds_answer;            /* a hook waits for the whole body of the answer */
    uint64_t answer_most;         /* how much it would take */

    /* Scripts. */
    void *script;                 /* the script floor's slot for this exchange; NULL: none yet */
    uint8_t hook_waits;           /* the phase that waits, +1; 0: none */
    bool hook_ready;              /* what it waited for is there */

    /* Waits. */
    mg_deadline deadline;         /* of the stage */
    mg_deadline total;            /* of the whole exchange */
    mg_later wake, wake_filter;
    mg_later again;               /* bytes are left that had no room a moment ago */
    uint8_t waiting_for;          /* names the deadline when it passes */
    bool driving, drive_again;
    bool gone_watch;              /* the client closed its sending side: the answer must begin soon */
    uint64_t wait_mark;           /* bytes moved when the deadline was armed */

    /* Splicing, one pipe per direction; NULL: not. */
    struct mg_pipe *pipe_up, *pipe_down;
    mg_block *res_head;           /* held: the slices of `res` */
    struct { mg_arena arena; mg_block *head; } kept; /* of the client side, when it is let go before the log hooks */

    /* Numbers for the log, microseconds on the monotonic clock; 0: did not happen. */
    struct {
        int64_t began, routed, dialled, connected, response_head, response_sent, ended;
    } at;
    uint64_t bytes_up, bytes_down; /* body bytes from and to the client; whole when the log is written */
    mg_link link;                 /* in the worker's list of exchanges */
};

/* What exchanges need of their worker. One per process. */
typedef struct {
    mg_generation *current;       /* new exchanges begin in it */
    mg_pool *pool;
    mg_link exchanges;            /* all under way */
    uint32_t count;
    void (*on_end)(mg_exchange *x); /* after the log; may be NULL */
    mg_stats_beat *beat;          /* may be NULL */
} mg_exchange_world;
extern mg_exchange_world mg_world;
void mg_exchange_world_init(mg_pool *pool);

/* For mg_h1_server_settings. */
void mg_exchange_on_request(mg_side *client);
void mg_exchange_on_refused(mg_side *client, int status, const char *why);
/* Fill connection settings from a generation's limits and timeouts. */
void mg_exchange_settings(mg_h1_server_settings *s, const mg_generation *g);

/* A hook's wait is over (or anything else wants a look): drive soon, in a turn of its own. */
void mg_exchange_wake(mg_exchange *x);

/* ---- what hooks may do (called by the script floor while a hook runs) ---- */

/* Make this the answer: status, then fields, then body. Any earlier answer is forgotten. */
void mg_exchange_answer(mg_exchange *x, int status);
mg_rc mg_exchange_answer_field(mg_exchange *x, mg_str name, mg_str value) MG_MUST_CHECK; /* copied; MG_BAD, MG_LIMIT */
void mg_exchange_answer_body(mg_exchange *x, mg_str bytes); /* appends, copied */
void mg_exchange_answer_pull(mg_exchange *x);               /* the rest comes through hooks->pull */
/* Collect the whole request body (at most `most` bytes): MG_OK it is in x->held; MG_AGAIN: wait; MG_LIMIT: larger;
 * MG_GONE: the client ended half-way. It is still sent on to the origin afterwards. */
mg_rc mg_exchange_hold_body(mg_exchange *x, uint64_t most) MG_MUST_CHECK;
/* Collect the whole body of the answer (upstream_response, response): MG_OK it is in x->answer.body; MG_AGAIN: wait;
 * MG_LIMIT: larger; MG_GONE: the origin ended half-way; MG_BAD: a script gives it piece by piece. It is sent on all
 * the same afterwards, whatever came of it. */
mg_rc mg_exchange_hold_answer(mg_exchange *x, uint64_t most) MG_MUST_CHECK;
/* Choose another upstream by name (rewrite, access). MG_BAD: no such upstream. */
mg_rc mg_exchange_choose_upstream(mg_exchange *x, mg_str name) MG_MUST_CHECK;
/* Change parts of the request; values are copied and checked. MG_BAD with *why. */
mg_rc mg_exchange_set_path(mg_exchange *x, mg_str path, const char **why) MG_MUST_CHECK;   /* normalised */
mg_rc mg_exchange_set_query(mg_exchange *x, mg_str query, const char **why) MG_MUST_CHECK; /* p == NULL: none */
mg_rc mg_exchange_set_method(mg_exchange *x, mg_str method, const char **why) MG_MUST_CHECK;
mg_rc mg_exchange_set_host(mg_exchange *x, mg_str host, const char **why) MG_MUST_CHECK;
mg_str mg_exchange_request_id(mg_exchange *x);  /* made at the first call: 32 hex digits */
mg_str mg_exchange_client_ip(mg_exchange *x);   /* printed once */

/* End all that are under way (a stop that waits no longer). */
void mg_exchange_stop_all(void);
void mg_exchange_stop_of(const mg_generation *g); /* those of one generation; NULL: of all */

#endif
