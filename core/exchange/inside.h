/*
 * inside: what the files of the exchange tell each other. Not for other floors.
 *
 *      exchange.c   the machine: stages, waits, beginning and end
 *      begin.c      where exchanges come from, and the world they live in
 *      waits.c      what is waited for, how long, and what a late answer means
 *      request.c    what a head says: target, host, who the client is; and changes to it
 *      forward.c    heads made for the next hop: hop-by-hop fields off, Via and Forwarded on
 *      origin.c     picking, dialling, waiting for an answer, trying again
 *      relay.c      bodies up and down, whole bodies for scripts, tunnels
 *      filter.c     bodies through body hooks
 *      splice.c     long plain bodies from descriptor to descriptor
 *      answer.c     answers of our own: replies, redirects, errors
 */
#ifndef MG_EXCHANGE_INSIDE_H
#define MG_EXCHANGE_INSIDE_H

#include "exchange/exchange.h"

/* What the deadline of an exchange stands for at the moment. */
typedef enum { MG_WAIT_NOTHING, MG_WAIT_SCRIPT, MG_WAIT_CLIENT_BODY, MG_WAIT_RESPONSE, MG_WAIT_BODY, MG_WAIT_TUNNEL } mg_wait;

/* exchange.c */
void mg_exchange_go(mg_exchange *x, mg_stage next); /* the only place where the stage changes */
void mg_exchange_drive(mg_exchange *x);
void mg_exchange_on_wake(mg_later *l);
void mg_exchange_on_wake_filter(mg_later *l);
void mg_exchange_on_again(mg_later *l);
void mg_exchange_cut(mg_exchange *x, mg_end why);   /* no answer can be given any more: to the log */
mg_hook_result mg_exchange_hook(mg_exchange *x, mg_phase phase);
void mg_exchange_end_hook(mg_exchange *x);          /* a hook that waits is forgotten */

/* waits.c */
void mg_exchange_arm_patience(mg_exchange *x);
void mg_exchange_wait_is_over(mg_exchange *x); /* what a script waited for is there: its next wait is another one */
void mg_exchange_on_late(mg_deadline *d);
void mg_exchange_on_total(mg_deadline *d);

/* request.c */
mg_rc mg_exchange_read_target(mg_exchange *x, const char **why) MG_MUST_CHECK;
void mg_exchange_find_client(mg_exchange *x);

/* forward.c */
mg_rc mg_exchange_request_head(mg_exchange *x, mg_request_head *out) MG_MUST_CHECK; /* MG_LIMIT: does not fit */
mg_rc mg_exchange_clean_response(mg_exchange *x) MG_MUST_CHECK; /* x->res as the client shall see it */
/* ":name" and "*" of the pattern are what the route's path matched. MG_LIMIT: no memory. */
mg_rc mg_exchange_fill_in(mg_exchange *x, mg_str pattern, mg_str *out) MG_MUST_CHECK;
bool mg_exchange_upgrade_is_allowed(const mg_exchange *x, mg_str *protocol);

/* origin.c */
void mg_exchange_run_dial(mg_exchange *x);
void mg_exchange_run_send(mg_exchange *x);
void mg_exchange_run_await(mg_exchange *x);
void mg_exchange_run_take(mg_exchange *x);
void mg_exchange_on_dialled(mg_dial *d);
void mg_exchange_drop_origin(mg_exchange *x, bool clean);
/* The try failed: another one (true, stage DIAL) or not (false: the caller fails the exchange). */
bool mg_exchange_try_again(mg_exchange *x, mg_end why, bool nothing_sent);

/* relay.c */
void mg_exchange_pull_answer(mg_exchange *x);        /* more of an own answer into answer.body */
void mg_exchange_pump_up(mg_exchange *x);            /* what can go goes, onto the wire */
void mg_exchange_pump_down(mg_exchange *x);
void mg_exchange_collect(mg_exchange *x);            /* a whole body for a script */
void mg_exchange_run_relay(mg_exchange *x);
void mg_exchange_run_tunnel(mg_exchange *x);

/* filter.c */
void mg_exchange_filter_down(mg_exchange *x);
void mg_exchange_filter_up(mg_exchange *x);
void mg_exchange_close_filters(mg_exchange *x);
bool mg_exchange_filter_is_at_work(const mg_exchange *x); /* some hook waits for neither bytes nor room */

/* splice.c */
bool mg_exchange_is_long(mg_side *from);             /* what is still to come is worth it */
/* True while the direction is in the hands of the splicer. */
bool mg_exchange_splice(mg_side *from, mg_side *to, struct mg_pipe **pipe);
/* The sides move their bytes themselves again; what is in the pipe is lost. Harmless when *pipe is NULL. */
void mg_exchange_unsplice(mg_side *from, mg_side *to, struct mg_pipe **pipe);
void mg_exchange_free_pipes(void);

/* answer.c */
void mg_exchange_fail(mg_exchange *x, int status, mg_end why, const char *error, const char *detail); /* to FAILED */
void mg_exchange_make_error(mg_exchange *x);         /* the answer for x->failure */
void mg_exchange_reply(mg_exchange *x);
mg_rc mg_exchange_redirect(mg_exchange *x) MG_MUST_CHECK; /* MG_LIMIT: no memory */
void mg_exchange_send_answer_head(mg_exchange *x);

#endif
