/*
 * h1_head: the head of an HTTP/1.0 or 1.1 message, read strictly and incrementally (RFC 9112).
 *
 *      GET /a HTTP/1.1 CR LF │ host: x CR LF │ accept: y CR LF │ CR LF │ body…
 *      └── line by line: a line is parsed once, when its LF has come ──┘      ^ head_size
 *
 * The reader looks at bytes [0, n) of one contiguous buffer; more bytes may come, and the buffer may
 * move between calls (slices are made only in the call that completes the head, from offsets). Whatever
 * the split, the same bytes give the same result: a fault is reported at the first byte that cannot
 * belong to any valid head.
 *
 * What is refused is in h1_head.c, each rule beside its source. After any refusal the connection must
 * be closed: what follows cannot be framed.
 */
#ifndef MG_CODEC_H1_HEAD_H
#define MG_CODEC_H1_HEAD_H

#include "codec/fields.h"
#include "codec/uri.h"

typedef enum {
    MG_METHOD_OTHER,
    MG_METHOD_GET,
    MG_METHOD_HEAD,
    MG_METHOD_POST,
    MG_METHOD_PUT,
    MG_METHOD_DELETE,
    MG_METHOD_OPTIONS,
    MG_METHOD_PATCH,
    MG_METHOD_CONNECT,
    MG_METHOD_TRACE
} mg_method;

mg_method mg_method_of(mg_str name);       /* case-sensitive, RFC 9110 section 9.1 */
bool mg_method_is_safe(mg_method m);       /* GET HEAD OPTIONS TRACE */
bool mg_method_is_idempotent(mg_method m); /* the safe ones, PUT and DELETE */

typedef struct {
    uint32_t line_most;   /* bytes of the first line without its CR LF: past it 414 */
    uint32_t head_most;   /* bytes of the whole head: past it 431 */
    uint32_t fields_most; /* field lines: past it 431 */
} mg_h1_limits;

/* Beyond limits.fields_most there is room for this many fields that we and scripts add. */
enum { MG_H1_FIELDS_OWN = 64 };

/* What both kinds of head have. content_length: -1 when there is none. */
typedef struct {
    mg_fields fields;
    int64_t content_length;
    uint8_t minor;   /* HTTP/1.minor: 0, or 1 for all later ones (RFC 9110 section 2.5) */
    bool chunked;    /* Transfer-Encoding: chunked, and nothing else */
    bool keep_alive; /* what version and Connection say (RFC 9112 section 9.3) */
    bool upgrade;    /* 1.1, Connection names upgrade and Upgrade is present */
} mg_h1_message;

typedef struct {
    mg_h1_message msg;
    mg_method method;
    mg_str method_name;
    mg_str target;        /* as it came */
    mg_target uri;        /* the target taken apart; its form fits the method ("OPTIONS http://a": path "*") */
    mg_str host;          /* Host field's value (1.1: exactly one), or of the absolute form; p == NULL: none (1.0) */
    bool expect_continue; /* Expect: 100-continue, in 1.1 */
} mg_h1_request;

typedef struct {
    mg_h1_message msg;
    uint16_t status; /* 100..599 */
    mg_str reason;   /* may be empty */
} mg_h1_response;

/* Where the reader is between calls. All zero: at the start. */
typedef struct {
    uint32_t line;    /* offset of the line that is not complete yet */
    uint32_t scanned; /* bytes that have been looked at and need no second look */
    uint16_t lines;   /* complete field lines so far */
    uint8_t part;     /* what is expected at `scanned` */
    uint8_t blank;    /* empty lines skipped before a request */
} mg_h1_reader;

/*
 * MG_AGAIN: not whole yet. MG_OK: *out is filled (fields in `arena`, slices into buf), *head_size bytes
 * were the head. MG_BAD or MG_LIMIT: refuse; *status says with what (400 414 417 431 501 505; for answers
 * it is always 502) and *why is a short static sentence for the log. MG_LIMIT is also what a full arena gives.
 * Empty lines (CR LF) before a request line are skipped, at most two (RFC 9112 section 2.2).
 */
mg_rc mg_h1_read_request(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                         mg_h1_request *out, size_t *head_size, int *status, const char **why) MG_MUST_CHECK;
mg_rc mg_h1_read_response(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                          mg_h1_response *out, size_t *head_size, const char **why) MG_MUST_CHECK;

/* A trailer section: field lines up to the empty line; forbidden fields (framing, routing, authentication,
 * RFC 9110 section 6.5.1) are MG_BAD. `n` bytes from the first trailer byte on. */
mg_rc mg_h1_read_trailers(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                          mg_fields *out, size_t *size, const char **why) MG_MUST_CHECK;

#endif
