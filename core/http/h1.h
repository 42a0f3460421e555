/*
 * h1: what both ends of HTTP/1 share: one connection's bytes in and out, framing decoded and encoded.
 *
 *      socket ─read─► block [ … at │ unread │ room ] ─decode─► side.in
 *      socket ◄write─ out ◄─encode─ send_head, send_body, send_end
 *
 * The connection reads once per readiness: into one block while a head is awaited, into several while a
 * long body comes. What is not decoded yet (the next pipelined head) stays in the block, which is given
 * back when it is empty. Embedded in h1_server and h1_client, which say through `kind` what heads mean.
 *
 * Sending and receiving fail apart: when the other side takes no more, what it has already answered can
 * still be read.
 */
#ifndef MG_HTTP_H1_H
#define MG_HTTP_H1_H

#include "codec/h1_chunked.h"
#include "http/side.h"
#include "os/loop.h"
#include "transport/transport.h"

typedef enum { MG_H1_NONE, MG_H1_LENGTH, MG_H1_CHUNKED, MG_H1_TRAILERS, MG_H1_UNTIL_CLOSE, MG_H1_RAW } mg_h1_framing;

typedef struct mg_h1 mg_h1;

typedef struct {
    /* Bytes, an end, room or a break: go on. The last thing done with c. */
    void (*advance)(mg_h1 *c);
    void (*late)(mg_h1 *c);        /* its deadline passed */
} mg_h1_kind;

struct mg_h1 {
    mg_side side;
    const mg_h1_kind *kind;
    mg_transport transport;
    mg_io io;
    mg_deadline deadline;
    mg_block *block;               /* unread input is [at, used); NULL: none */
    uint32_t at;
    uint32_t min_rate;
    uint64_t in_left, out_left;    /* LENGTH: bytes to go */
    mg_chain out;
    mg_h1_reader reader;
    mg_h1_chunked chunked;
    int64_t write_mark;            /* what the other side had taken at the last look at the rate */
    uint32_t buffer, write_ms;
    uint8_t in_framing, out_framing;
    bool eof;                      /* the other side ended its direction */
    bool paused;                   /* reading is paused */
    bool full;                     /* the last read filled all its room: there is more */
};

void mg_h1_init(mg_h1 *c, const mg_h1_kind *kind, const mg_side_ops *ops, int fd);
void mg_h1_fini(mg_h1 *c);                       /* closes */
void mg_h1_begin(mg_h1 *c, mg_arena *arena);     /* a new pair of messages */
void mg_h1_rest(mg_h1 *c);                       /* between messages: gives buffers back */

mg_str mg_h1_unread(const mg_h1 *c);
void mg_h1_ate(mg_h1 *c, size_t n);              /* n bytes of the unread input are done with */
void mg_h1_ate_head(mg_h1 *c, size_t n);         /* the same, and slices into them stay good until mg_h1_rest */
/* Read what is there (room for a head of head_most bytes); true when anything changed. */
bool mg_h1_receive(mg_h1 *c, uint32_t head_most);
/* Unread input into side.in, as framed. Sets got. */
void mg_h1_decode(mg_h1 *c, const mg_h1_limits *limits);
void mg_h1_break_in(mg_h1 *c, mg_broke how, const char *why);
bool mg_h1_end_reading(mg_h1 *c, mg_rc rc);        /* a read said EOF or GONE: what that means; false for AGAIN */
void mg_h1_break_out(mg_h1 *c, mg_broke how);
void mg_h1_wait_for_room(mg_h1 *c);               /* the other side takes nothing now: be told when it does */
bool mg_h1_write_out(mg_h1 *c);                  /* true when all is out */
/* The deadline for writing passed: whether too little has been taken since; then `out` is broken. */
bool mg_h1_is_too_slow(mg_h1 *c);
void mg_h1_listen(mg_h1 *c);                     /* recompute what is waited for */

/* The side operations that are the same at both ends. */
void mg_h1_side_body(mg_side *s, mg_chain *from, size_t n);
void mg_h1_side_end(mg_side *s, const mg_fields *trailers);
void mg_h1_side_flush(mg_side *s);
void mg_h1_side_took(mg_side *s);
size_t mg_h1_side_room(const mg_side *s);
void mg_h1_side_become_tunnel(mg_side *s);
int mg_h1_side_splice_in(mg_side *s, uint64_t *left);
int mg_h1_side_splice_out(mg_side *s, uint64_t *left);
void mg_h1_side_spliced_in(mg_side *s, uint64_t n, mg_rc rc);
void mg_h1_side_spliced_out(mg_side *s, uint64_t n, mg_rc rc);
void mg_h1_side_pause(mg_side *s, bool paused);

/* Those of mg_side_ops that both ends share. */
#define MG_H1_SHARED_OPS \
    .send_body = mg_h1_side_body, .send_end = mg_h1_side_end, .flush = mg_h1_side_flush, .took = mg_h1_side_took, \
    .room = mg_h1_side_room, .become_tunnel = mg_h1_side_become_tunnel, .splice_in = mg_h1_side_splice_in, \
    .splice_out = mg_h1_side_splice_out, .spliced_in = mg_h1_side_spliced_in, \
    .spliced_out = mg_h1_side_spliced_out, .pause = mg_h1_side_pause

#define MG_H1_OF_SIDE(s) MG_OWNER(s, mg_h1, side)

#endif
