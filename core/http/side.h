/*
 * side: where the two machines meet. A connection offers a side for each request it carries; an exchange
 * holds a client side and, when it proxies, an origin side, and never learns the HTTP version.
 *
 *      client ⇄ [ connection ]─side─[ exchange ]─side─[ connection ] ⇄ origin
 *                               in ─►            ─► out
 *                              out ◄─            ◄─ in
 *
 * Incoming: the connection decodes into `in` (body bytes, framing gone) and moves `got` forward; the
 * exchange takes bytes from `in` and says mg_side_took, upon which the connection may read on: it never
 * holds more than `in_most`. Outgoing: the exchange sends a head, body bytes, an end; the connection
 * encodes them into its own queue, and mg_side_flush writes. mg_side_room is how much more the exchange
 * should hand over: the queue is never filled past it, which is the whole of the backpressure.
 *
 * The connection calls on_change after anything happened (bytes, an end, room, a break); never from inside
 * a call that the exchange makes, except that a break found while flushing shows in `got`/`sent` at once.
 *
 * Ownership: a side belongs to its connection. The exchange gives it back with mg_side_release, and must
 * not touch it afterwards. Heads and their fields live in the arena of the exchange.
 */
#ifndef MG_HTTP_SIDE_H
#define MG_HTTP_SIDE_H

#include "base/arena.h"
#include "base/chain.h"
#include "codec/fields.h"
#include "codec/h1_head.h"
#include "os/addr.h"

/* How far the incoming message is. In this order; BROKEN may follow any but DONE. */
typedef enum { MG_GOT_NOTHING, MG_GOT_HEAD, MG_GOT_ALL, MG_GOT_BROKEN } mg_got;
/* How far the outgoing message is, as far as the exchange handed it over. */
typedef enum { MG_SENT_NOTHING, MG_SENT_HEAD, MG_SENT_ALL, MG_SENT_BROKEN } mg_sent;

/* Why a side broke. */
typedef enum {
    MG_BROKE_NOT, MG_BROKE_CLOSED /* ended before its message did */, MG_BROKE_RESET, MG_BROKE_SYNTAX, MG_BROKE_LATE,
    MG_BROKE_SLOW /* below the minimum rate */, MG_BROKE_LIMIT
} mg_broke;

typedef struct {
    mg_method method;
    mg_str method_name;
    mg_str target;       /* as it is on the wire */
    mg_str authority;    /* Host or :authority; p == NULL: none */
    mg_fields fields;
    int64_t content_length; /* -1: not told */
    uint8_t major, minor;
    bool has_body;       /* a body (maybe empty) is framed */
    bool expect_continue;
    bool wants_upgrade;  /* asks for a protocol change with Upgrade */
} mg_request_head;

typedef struct {
    uint16_t status;
    mg_str reason;
    mg_fields fields;
    int64_t content_length; /* -1: not told */
    bool has_body;          /* false: by status or method there is none, whatever content_length says */
    uint8_t minor;
} mg_response_head;

typedef struct mg_side mg_side;

typedef struct {
    /* Client sides of exchanges: an answer's head; 1xx (but 101) leave `sent` at NOTHING. */
    void (*send_response)(mg_side *s, const mg_response_head *head);
    /* Origin sides: a request's head. */
    void (*send_request)(mg_side *s, const mg_request_head *head);
    void (*send_body)(mg_side *s, mg_chain *from, size_t n); /* moves n bytes off `from` */
    void (*send_end)(mg_side *s, const mg_fields *trailers); /* NULL: none. Fewer bytes than told: breaks */
    void (*flush)(mg_side *s);
    void (*took)(mg_side *s);        /* bytes were taken from `in`: read on */
    size_t (*room)(const mg_side *s); /* bytes that may be handed over now */
    /* After a 101: bytes pass unframed both ways: what came is in `in`, send_body sends raw. got ALL: EOF. */
    void (*become_tunnel)(mg_side *s);
    /* The exchange is done with the side. clean: both messages ended; the connection lives on if it can. */
    void (*release)(mg_side *s, bool clean);
    void (*abort)(mg_side *s);       /* release at once, by reset: what was begun must not look complete */
    /* The arena, and with it all heads, goes over to the exchange, which may outlive its release (log hooks). */
    void (*take_arena)(mg_side *s, mg_arena *to);
    /* A descriptor to splice from or to, or -1 when framing or a layer forbids it now. */
    int (*splice_in)(mg_side *s, uint64_t *left);  /* body bytes still to come, none of them in `in` */
    int (*splice_out)(mg_side *s, uint64_t *left); /* body bytes still to go, none of them queued */
    /* While splice_from (splice_to) is set the connection reads (writes) nothing itself: readiness is on_change. */
    void (*spliced_in)(mg_side *s, uint64_t n, mg_rc rc);  /* n bytes went past; then OK, AGAIN, EOF or GONE */
    void (*spliced_out)(mg_side *s, uint64_t n, mg_rc rc); /* the same; AGAIN: tell when there is room */
    void (*pause)(mg_side *s, bool paused);                /* whether arriving bytes are to be told */
} mg_side_ops;

struct mg_side {
    const mg_side_ops *ops;
    void (*on_change)(mg_side *s); /* the exchange's */
    void *exchange;
    mg_chain in;
    uint64_t in_total, out_total; /* body bytes so far: arrived, handed over */
    size_t queued;                /* bytes handed over and not written yet (heads and framing included) */
    uint8_t got, sent, broke;     /* mg_got, mg_sent, mg_broke */
    bool will_close;              /* the connection ends after this exchange */
    bool half_closed;             /* the other side will send no more on this connection */
    bool splice_from, splice_to;  /* the exchange moves these bytes from descriptor to descriptor */
    bool blocked;                 /* what is queued could not be written yet */
    bool heard;                   /* any byte of the incoming message has arrived */
    uint64_t written;             /* bytes of the outgoing message that went onto the wire */
    mg_block *head;               /* holds the slices of the head that was read last */
    mg_fields *trailers;          /* of the incoming message, in the arena; NULL: none */
    mg_arena *arena;
    const char *why;              /* static sentence when broken */
};

static inline void mg_side_flush(mg_side *s) { s->ops->flush(s); }
static inline void mg_side_took(mg_side *s) { s->ops->took(s); }
static inline size_t mg_side_room(const mg_side *s) { return s->ops->room(s); }

#endif
