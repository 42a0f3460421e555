#include "http/h1_client.h"

#include "base/number.h"
#include "codec/h1_write.h"
#include "http/h1.h"
#include "os/socket.h"

enum { HEAD_ROOM = 96 }; /* HTTP/1.1, framing, the end */

struct mg_h1_client {
    mg_h1 h1;
    mg_link link;               /* the pool's */
    mg_h1_limits limits;
    mg_response_head response;
    mg_arena interim;           /* of heads behind the first: each takes the room of the one before it */
    void (*on_idle)(mg_h1_client *c, void *arg);
    void *idle_arg;
    void (*on_gone)(mg_h1_client *c, void *arg);
    void *gone_arg;
    uint32_t requests;
    uint8_t method;
    bool busy, had_interim;
    bool keep_alive;            /* what the answer's head says */
};

#define CLIENT_OF_H1(c) MG_OWNER(c, mg_h1_client, h1)
#define CLIENT_OF_SIDE(s) CLIENT_OF_H1(MG_H1_OF_SIDE(s))

static const mg_h1_kind kind;
static const mg_side_ops ops;

mg_h1_client *mg_h1_client_new(int fd)
{
    mg_h1_client *c = mg_zalloc(sizeof *c);
    mg_list_init(&c->link);
    mg_h1_init(&c->h1, &kind, &ops, fd);
    mg_arena_init(&c->interim, SIZE_MAX / 2); /* the limits of one head are bound enough */
    return c;
}

static void free_client(mg_h1_client *c)
{
    mg_list_cut(&c->link);
    mg_arena_fini(&c->interim);
    mg_h1_fini(&c->h1);
    mg_free(c);
}

void mg_h1_client_close(mg_h1_client *c)
{
    MG_BUG_UNLESS(!c->busy);
    free_client(c);
}

mg_side *mg_h1_client_begin(mg_h1_client *c, const mg_h1_client_options *o, mg_arena *arena, mg_method method)
{
    MG_BUG_UNLESS(!c->busy);
    c->busy = true;
    c->requests++;
    c->method = (uint8_t)method;
    c->limits = o->limits;
    c->keep_alive = c->had_interim = false;
    mg_h1_begin(&c->h1, arena);
    c->h1.buffer = (uint32_t)o->buffer;
    c->h1.min_rate = o->min_rate;
    c->h1.write_ms = (uint32_t)o->write_ms;
    mg_deadline_disarm(&c->h1.deadline);
    return &c->h1.side;
}

const mg_response_head *mg_h1_client_response(const mg_side *s)
{
    return &CLIENT_OF_SIDE((mg_side *)(uintptr_t)s)->response;
}

/* RFC 9112 section 6.3. */
static void frame_answer(mg_h1_client *c, const mg_h1_response *r)
{
    mg_h1 *h = &c->h1;
    bool none = c->method == MG_METHOD_HEAD || r->status < 200 || r->status == 204 || r->status == 304;
    h->in_left = 0;
    if (none || r->msg.content_length == 0)
        h->in_framing = MG_H1_NONE;
    else if (r->msg.chunked)
        h->in_framing = MG_H1_CHUNKED;
    else if (r->msg.content_length > 0) {
        h->in_framing = MG_H1_LENGTH;
        h->in_left = (uint64_t)r->msg.content_length;
    } else
        h->in_framing = MG_H1_UNTIL_CLOSE;
    c->response = (mg_response_head){
        .status = r->status,
        .reason = r->reason,
        .fields = r->msg.fields,
        .content_length = r->msg.content_length,
        .has_body = !none,
        .minor = r->msg.minor,
    };
    c->keep_alive = r->msg.keep_alive;
}

/* A final head behind interim ones belongs to the exchange like any other. */
static mg_rc keep_fields(mg_h1_client *c, mg_fields *f)
{
    mg_arena *arena = c->h1.side.arena;
    mg_field *at = mg_arena_try(arena, f->count * sizeof *at);
    if (!at)
        return MG_LIMIT;
    if (f->count)
        memcpy(at, f->at, f->count * sizeof *at);
    f->at = at;
    f->room = f->count;
    f->arena = arena;
    return MG_OK;
}

static mg_rc parse_head(mg_h1_client *c, mg_str unread, mg_h1_response *r, size_t *size, const char **why)
{
    mg_h1 *h = &c->h1;
    if (!c->had_interim)
        return mg_h1_read_response(&h->reader, &c->limits, unread.p, unread.n, h->side.arena, r, size, why);
    mg_arena_fini(&c->interim);
    mg_rc rc = mg_h1_read_response(&h->reader, &c->limits, unread.p, unread.n, &c->interim, r, size, why);
    if (rc != MG_OK || (r->status < 200 && r->status != 101))
        return rc;
    *why = "the answer's fields need more memory than one exchange may have";
    return keep_fields(c, &r->msg.fields);
}

static void read_head(mg_h1_client *c)
{
    mg_h1 *h = &c->h1;
    mg_str unread = mg_h1_unread(h);
    mg_h1_response r;
    size_t size;
    const char *why = "";
    if (h->side.got != MG_GOT_NOTHING || !unread.n)
        return;
    mg_rc rc = parse_head(c, unread, &r, &size, &why);
    if (rc == MG_AGAIN)
        return;
    if (rc < 0) {
        mg_h1_break_in(h, rc == MG_LIMIT ? MG_BROKE_LIMIT : MG_BROKE_SYNTAX, why);
        return;
    }
    mg_h1_ate_head(h, size);
    frame_answer(c, &r);
    h->reader = (mg_h1_reader){0};
    h->side.got = MG_GOT_HEAD;
    if (r.status >= 200)
        mg_h1_decode(h, &c->limits);
}

void mg_h1_client_next_head(mg_side *s)
{
    mg_h1_client *c = CLIENT_OF_SIDE(s);
    MG_BUG_UNLESS(s->got == MG_GOT_HEAD && c->response.status < 200);
    s->got = MG_GOT_NOTHING;
    c->had_interim = true;
    read_head(c);
    if (s->got == MG_GOT_NOTHING && c->h1.eof)
        mg_h1_break_in(&c->h1, MG_BROKE_CLOSED, "the connection ended before the answer did");
}

static void advance(mg_h1 *h)
{
    mg_h1_client *c = CLIENT_OF_H1(h);
    if (!c->busy) { /* an end, or bytes that nobody asked for */
        if (c->on_gone)
            c->on_gone(c, c->gone_arg);
        free_client(c);
        return;
    }
    /* An end of the connection that came with the last bytes shows at the next read: heads come first. */
    bool changed = mg_h1_receive(h, c->limits.head_most);
    if (changed && !h->side.splice_from) {
        if (h->side.got == MG_GOT_NOTHING) {
            read_head(c);
            if (h->full && h->in_left && !h->side.splice_from) /* one write for both is cheaper than two */
                (void)mg_h1_receive(h, c->limits.head_most);
        } else if (h->side.got == MG_GOT_HEAD && c->response.status >= 200)
            mg_h1_decode(h, &c->limits);
        else if (h->side.got == MG_GOT_HEAD && h->in_framing == MG_H1_RAW)
            mg_h1_decode(h, &c->limits);
    }
    if (h->side.on_change)
        h->side.on_change(&h->side);
}

static void late(mg_h1 *h)
{
    mg_h1_client *c = CLIENT_OF_H1(h);
    if (!c->busy) {
        if (c->on_gone)
            c->on_gone(c, c->gone_arg);
        free_client(c);
        return;
    }
    if (mg_h1_is_too_slow(h) && h->side.on_change) /* the origin does not read */
        h->side.on_change(&h->side);
}

static void send_request(mg_side *s, const mg_request_head *head)
{
    mg_h1 *h = MG_H1_OF_SIDE(s);
    if (s->sent == MG_SENT_BROKEN)
        return;
    MG_BUG_UNLESS(s->sent == MG_SENT_NOTHING);
    size_t room = head->method_name.n + head->target.n + mg_h1_head_room(&head->fields) + HEAD_ROOM;
    char *start = mg_chain_reserve(&h->out, room), *to = start;
    to = mg_h1_put(to, head->method_name);
    *to++ = ' ';
    to = mg_h1_put(to, head->target);
    to = mg_h1_put(to, MG_STR(" HTTP/1.1\r\n"));
    to = mg_h1_put_fields(to, &head->fields);
    if (head->has_body && head->content_length < 0) {
        h->out_framing = MG_H1_CHUNKED;
        to = mg_h1_put(to, MG_STR("transfer-encoding: chunked\r\n"));
    } else if (head->content_length >= 0) {
        h->out_framing = MG_H1_LENGTH;
        h->out_left = (uint64_t)head->content_length;
        to = mg_h1_put(to, MG_STR("content-length: "));
        to += mg_number_print((uint64_t)head->content_length, to);
        to = mg_h1_put(to, MG_STR("\r\n"));
    } else {
        h->out_framing = MG_H1_NONE;
    }
    to = mg_h1_put(to, MG_STR("\r\n"));
    MG_BUG_UNLESS((size_t)(to - start) <= room);
    mg_chain_wrote(&h->out, (size_t)(to - start));
    s->sent = MG_SENT_HEAD;
    s->queued = h->out.n;
}

static void send_response(mg_side *s, const mg_response_head *head)
{
    (void)s, (void)head;
    MG_BUG_UNLESS(!"an origin side sends requests");
}

static bool may_live_on(const mg_h1_client *c)
{
    const mg_h1 *h = &c->h1;
    return h->side.got == MG_GOT_ALL && h->side.sent == MG_SENT_ALL && !h->out.n && c->keep_alive && !h->eof &&
           !h->side.will_close && h->in_framing != MG_H1_UNTIL_CLOSE && h->in_framing != MG_H1_RAW &&
           !mg_h1_unread(h).n && c->response.status >= 200;
}

static void release(mg_side *s, bool clean)
{
    mg_h1_client *c = CLIENT_OF_SIDE(s);
    bool live = clean && c->on_idle && may_live_on(c);
    c->busy = false;
    if (!live) {
        free_client(c);
        return;
    }
    mg_h1_rest(&c->h1);
    mg_arena_fini(&c->interim);
    c->h1.paused = false;
    mg_deadline_disarm(&c->h1.deadline);
    mg_h1_listen(&c->h1);
    c->response.fields = (mg_fields){0};
    c->on_idle(c, c->idle_arg);
}

static void abort_side(mg_side *s)
{
    mg_h1_client *c = CLIENT_OF_SIDE(s);
    mg_socket_reset_on_close(c->h1.transport.fd);
    c->busy = false;
    free_client(c);
}

static const mg_h1_kind kind = {.advance = advance, .late = late};
static const mg_side_ops ops = {
    MG_H1_SHARED_OPS,
    .send_response = send_response,
    .send_request = send_request,
    .release = release,
    .abort = abort_side,
};

void mg_h1_client_on_idle(mg_h1_client *c, void (*fn)(mg_h1_client *, void *), void *arg)
{
    c->on_idle = fn;
    c->idle_arg = arg;
}

void mg_h1_client_on_gone(mg_h1_client *c, void (*fn)(mg_h1_client *, void *), void *arg)
{
    c->on_gone = fn;
    c->gone_arg = arg;
}

uint32_t mg_h1_client_requests(const mg_h1_client *c)
{
    return c->requests;
}

mg_link *mg_h1_client_link(mg_h1_client *c)
{
    return &c->link;
}

mg_h1_client *mg_h1_client_of_link(mg_link *l)
{
    return MG_OWNER(l, mg_h1_client, link);
}

bool mg_h1_client_is_fit(mg_h1_client *c)
{
    return !c->busy && !c->h1.eof && !mg_h1_unread(&c->h1).n;
}

bool mg_h1_client_is_stale(const mg_h1_client *c)
{
    return !mg_socket_is_quiet(c->h1.transport.fd);
}

void mg_h1_client_idle_for(mg_h1_client *c, int64_t most_ms)
{
    MG_BUG_UNLESS(!c->busy);
    mg_deadline_arm(&c->h1.deadline, most_ms);
}
