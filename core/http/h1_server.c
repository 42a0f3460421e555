#include "http/h1_server.h"

#include "base/clock.h"
#include "base/number.h"
#include "codec/h1_write.h"
#include "http/h1.h"
#include "os/socket.h"

enum {
    LINGER_BYTES = 256 * 1024,
    BLANK_BYTES = 4, /* two empty lines */
    HEAD_ROOM = 192 /* a registered status line, content-length or transfer-encoding, connection, the end */
};

typedef enum { IDLE, HEAD, BUSY, LINGER } phase;

struct mg_h1_server {
    mg_h1 h1;
    mg_link link;               /* in the settings' idle or busy list */
    mg_h1_server_settings *settings;
    void *owner;
    mg_request_head *request;   /* in the arena */
    mg_arena arena;             /* of the exchange under way; no pages while idle */
    int64_t began_us;
    mg_addr peer;
    uint32_t requests;
    uint8_t phase;
    bool keep_alive;            /* what the request's head says */
    bool awaits_continue;
    bool refused;
};

#define SERVER_OF_H1(c) MG_OWNER(c, mg_h1_server, h1)
#define SERVER_OF_SIDE(s) SERVER_OF_H1(MG_H1_OF_SIDE(s))

static const mg_h1_kind kind;
static const mg_side_ops ops;


static void become(mg_h1_server *c, phase next)
{
    bool was_idle = c->phase == IDLE, is_idle = next == IDLE;
    c->phase = (uint8_t)next;
    if (was_idle != is_idle) {
        mg_list_cut(&c->link);
        mg_list_append(is_idle ? &c->settings->idle_list : &c->settings->busy_list, &c->link);
    }
}

static void close_now(mg_h1_server *c)
{
    if (c->settings->on_closed)
        c->settings->on_closed(c);
    mg_list_cut(&c->link);
    c->settings->open--;
    mg_h1_fini(&c->h1);
    mg_arena_fini(&c->arena);
    mg_free(c);
}

mg_h1_server *mg_h1_server_new(int fd, const mg_addr *peer, mg_h1_server_settings *settings, void *owner)
{
    mg_h1_server *c = mg_zalloc(sizeof *c);
    c->settings = settings;
    c->owner = owner;
    c->peer = *peer;
    mg_h1_init(&c->h1, &kind, &ops, fd);
    c->h1.buffer = (uint32_t)settings->buffer;
    c->phase = IDLE;
    mg_list_init(&c->link);
    mg_list_append(&settings->idle_list, &c->link);
    settings->accepted++;
    settings->open++;
    /* A client that connects and says nothing has as long as one that has begun a head. */
    mg_deadline_arm(&c->h1.deadline, settings->header_ms);
    return c;
}

/* ---- heads ---- */

static void fill_request(mg_request_head *to, const mg_h1_request *from)
{
    *to = (mg_request_head){
        .method = from->method,
        .method_name = from->method_name,
        .target = from->target,
        .authority = from->host,
        .fields = from->msg.fields,
        .content_length = from->msg.content_length,
        .major = 1,
        .minor = from->msg.minor,
        .has_body = from->msg.chunked || from->msg.content_length > 0,
        .expect_continue = from->expect_continue,
        .wants_upgrade = from->msg.upgrade,
    };
}

static void begin(mg_h1_server *c)
{
    become(c, HEAD);
    mg_arena_init(&c->arena, c->settings->arena_most);
    mg_h1_begin(&c->h1, &c->arena);
    c->h1.buffer = (uint32_t)c->settings->buffer;
    c->h1.min_rate = c->settings->min_rate;
    c->h1.write_ms = (uint32_t)c->settings->write_ms;
    c->request = NULL;
    c->refused = c->awaits_continue = c->keep_alive = false;
    c->began_us = mg_clock_us();
    /* From the first byte of a head on, the whole head must come in time; bytes do not extend it. */
    mg_deadline_arm(&c->h1.deadline, c->settings->header_ms);
}

static void busy(mg_h1_server *c)
{
    become(c, BUSY);
    c->requests++;
    mg_deadline_disarm(&c->h1.deadline);
}

static void refuse(mg_h1_server *c, int status, const char *why)
{
    busy(c);
    c->refused = true;
    c->h1.side.got = MG_GOT_BROKEN;
    c->h1.side.broke = status == 408 ? MG_BROKE_LATE : MG_BROKE_SYNTAX;
    c->h1.side.will_close = true;
    c->h1.side.why = why;
    c->settings->on_refused(&c->h1.side, status, why);
}

static void head_came(mg_h1_server *c, const mg_h1_request *r, size_t size)
{
    c->request = mg_arena_try(&c->arena, sizeof *c->request);
    if (!c->request) {
        refuse(c, 431, "the head needs more memory than one exchange may have");
        return;
    }
    mg_h1_ate_head(&c->h1, size);
    fill_request(c->request, r);
    busy(c);
    mg_h1 *h = &c->h1;
    h->side.got = MG_GOT_HEAD;
    h->in_framing = r->msg.chunked ? MG_H1_CHUNKED : r->msg.content_length > 0 ? MG_H1_LENGTH : MG_H1_NONE;
    h->in_left = r->msg.content_length > 0 ? (uint64_t)r->msg.content_length : 0;
    c->keep_alive = r->msg.keep_alive;
    c->awaits_continue = r->expect_continue && c->request->has_body;
    h->side.will_close = !c->keep_alive || c->settings->draining ||
                         c->requests >= c->settings->keepalive_requests;
    mg_h1_decode(h, &c->settings->limits);
    c->settings->on_request(&h->side);
}

static void read_head(mg_h1_server *c)
{
    mg_str unread = mg_h1_unread(&c->h1);
    mg_h1_request r;
    size_t size;
    int status = 400;
    const char *why = "";
    mg_rc rc = mg_h1_read_request(&c->h1.reader, &c->settings->limits, unread.p, unread.n, &c->arena, &r, &size, &status, &why);
    if (rc == MG_OK)
        head_came(c, &r, size);
    else if (rc < 0)
        refuse(c, status, why);
    else if (c->h1.eof)
        close_now(c); /* half a head, and no more will come */
}

/* Connections whose next head came together with the request before it. */
static void on_later(mg_later *l)
{
    mg_h1_server_settings *s = MG_OWNER(l, mg_h1_server_settings, later);
    mg_link due;
    mg_list_init(&due);
    MG_LIST_EACH_SAFE(at, after, &s->ready_list) {
        mg_list_cut(at);
        mg_list_append(&due, at);
    }
    while (!mg_list_is_empty(&due)) {
        mg_h1_server *c = MG_OWNER(due.next, mg_h1_server, link);
        mg_list_cut(&c->link);
        mg_list_append(&s->busy_list, &c->link);
        if (c->phase == HEAD)
            read_head(c);
    }
}

void mg_h1_server_settings_init(mg_h1_server_settings *s)
{
    *s = (mg_h1_server_settings){0};
    mg_list_init(&s->idle_list);
    mg_list_init(&s->busy_list);
    mg_list_init(&s->ready_list);
    mg_later_init(&s->later, on_later);
}

/* More has come than the blank lines that are allowed before a head. */
static bool has_begun(const mg_h1_server *c)
{
    mg_str unread = mg_h1_unread(&c->h1);
    if (unread.n > BLANK_BYTES)
        return true;
    for (size_t i = 0; i < unread.n; i++)
        if (unread.p[i] != "\r\n"[i % 2])
            return true;
    return false;
}

/* Blank lines after a body that some clients send are no head yet: an idle connection stays idle. */
static void advance_quiet(mg_h1_server *c)
{
    if (c->phase == IDLE) {
        if (!has_begun(c)) {
            if (c->h1.eof)
                close_now(c);
            return;
        }
        begin(c);
    }
    read_head(c);
}

static void throw_away(mg_h1_server *c)
{
    size_t came = mg_h1_unread(&c->h1).n + c->h1.side.in.n;
    c->h1.in_left -= MG_MIN((uint64_t)came, c->h1.in_left);
    mg_chain_fini(&c->h1.side.in);
    mg_block_drop(c->h1.block);
    c->h1.block = NULL;
    if (c->h1.eof || !c->h1.in_left)
        close_now(c);
}

static void advance(mg_h1 *h)
{
    mg_h1_server *c = SERVER_OF_H1(h);
    bool changed = mg_h1_receive(h, c->settings->limits.head_most);
    switch ((phase)c->phase) {
    case IDLE:
    case HEAD:
        if (changed)
            advance_quiet(c);
        return;
    case LINGER:
        throw_away(c);
        return;
    case BUSY:
        if (changed && !h->side.splice_from)
            mg_h1_decode(h, &c->settings->limits);
        if (h->side.got == MG_GOT_BROKEN && c->awaits_continue)
            c->awaits_continue = false;
        if (h->side.on_change)
            h->side.on_change(&h->side);
        return;
    }
}

static void late(mg_h1 *h)
{
    mg_h1_server *c = SERVER_OF_H1(h);
    switch ((phase)c->phase) {
    case IDLE:
    case LINGER:
        close_now(c);
        return;
    case HEAD:
        refuse(c, 408, "the head did not come in time");
        return;
    case BUSY: /* the client reads too slowly */
        if (mg_h1_is_too_slow(h) && h->side.on_change)
            h->side.on_change(&h->side);
        return;
    }
}

/* ---- what the exchange asks for ---- */

static const mg_str close_line = {"connection: close\r\n", 19};
static const mg_str keep_line = {"connection: keep-alive\r\n", 24};
static const mg_str chunked_line = {"transfer-encoding: chunked\r\n", 28};

static void choose_framing(mg_h1_server *c, const mg_response_head *head)
{
    mg_h1 *h = &c->h1;
    if (!head->has_body) {
        h->out_framing = MG_H1_NONE;
    } else if (head->content_length >= 0) {
        h->out_framing = MG_H1_LENGTH;
        h->out_left = (uint64_t)head->content_length;
    } else if (c->request && c->request->minor >= 1) {
        h->out_framing = MG_H1_CHUNKED;
    } else {
        h->out_framing = MG_H1_UNTIL_CLOSE;
        h->side.will_close = true;
    }
}

/* A content-length that is told: by the body, or for HEAD and 304 as the origin told it (RFC 9110 section 8.6). */
static bool tells_length(const mg_response_head *head)
{
    return head->content_length >= 0 && head->status >= 200 && head->status != 204;
}

/* The client has ended its direction, and no pipelined request waits behind this one. */
static bool is_last(const mg_h1_server *c)
{
    return c->h1.eof && (c->h1.side.got != MG_GOT_ALL || !mg_h1_unread(&c->h1).n);
}

static void send_response(mg_side *s, const mg_response_head *head)
{
    mg_h1_server *c = SERVER_OF_SIDE(s);
    mg_h1 *h = &c->h1;
    if (s->sent == MG_SENT_BROKEN)
        return;
    MG_BUG_UNLESS(s->sent == MG_SENT_NOTHING);
    bool final = head->status >= 200 || head->status == 101;
    if (final) {
        choose_framing(c, head);
        bool awaited = c->awaits_continue && s->got != MG_GOT_ALL; /* whether that body comes is not known */
        if (awaited || s->got == MG_GOT_BROKEN || c->settings->draining || is_last(c))
            s->will_close = true;
        s->sent = MG_SENT_HEAD;
    } else if (head->status == 100) {
        c->awaits_continue = false;
    }
    size_t room = MG_H1_STATUS_ROOM + head->reason.n + mg_h1_head_room(&head->fields) + HEAD_ROOM;
    char *start = mg_chain_reserve(&h->out, room), *to = start;
    mg_str line = head->reason.n ? MG_STR_NONE : mg_h1_status_line(head->status);
    mg_str known = mg_h1_status_line(head->status);
    if (known.p && (!head->reason.n || mg_str_eq(head->reason, mg_status_reason(head->status))))
        line = known;
    to = line.p ? mg_h1_put(to, line) : mg_h1_put_status(to, head->status, head->reason);
    to = mg_h1_put_fields(to, &head->fields);
    if (final && tells_length(head)) {
        to = mg_h1_put(to, MG_STR("content-length: "));
        to += mg_number_print((uint64_t)head->content_length, to);
        to = mg_h1_put(to, MG_STR("\r\n"));
    } else if (final && h->out_framing == MG_H1_CHUNKED) {
        to = mg_h1_put(to, chunked_line);
    }
    if (final && head->status != 101) {
        if (s->will_close)
            to = mg_h1_put(to, close_line);
        else if (c->request && c->request->minor == 0)
            to = mg_h1_put(to, keep_line);
    }
    to = mg_h1_put(to, MG_STR("\r\n"));
    MG_BUG_UNLESS((size_t)(to - start) <= room);
    mg_chain_wrote(&h->out, (size_t)(to - start));
    s->queued = h->out.n;
}

static void send_request(mg_side *s, const mg_request_head *head)
{
    (void)s, (void)head;
    MG_BUG_UNLESS(!"a client side sends answers");
}

static void to_idle(mg_h1_server *c)
{
    mg_h1 *h = &c->h1;
    mg_h1_rest(h);
    mg_arena_fini(&c->arena);
    c->request = NULL;
    h->paused = false;
    become(c, IDLE);
    mg_deadline_arm(&h->deadline, c->settings->idle_ms);
    mg_h1_listen(h);
    if (has_begun(c)) { /* the next request is here already: in a turn of its own, so that no stack grows */
        begin(c);
        mg_list_cut(&c->link);
        mg_list_append(&c->settings->ready_list, &c->link);
        mg_later_do(&c->settings->later);
    } else if (h->eof || c->settings->draining) {
        close_now(c);
    }
}

static void to_linger(mg_h1_server *c)
{
    mg_h1 *h = &c->h1;
    mg_h1_rest(h);
    mg_block_drop(h->block);
    h->block = NULL;
    mg_arena_fini(&c->arena);
    c->request = NULL;
    become(c, LINGER);
    h->in_framing = MG_H1_RAW;
    h->side.got = MG_GOT_ALL;
    h->in_left = LINGER_BYTES; /* as much is thrown away, no more */
    mg_transport_end_writing(&h->transport);
    mg_deadline_arm(&h->deadline, c->settings->linger_ms);
    h->paused = false;
    mg_h1_listen(h);
}

static void release(mg_side *s, bool clean)
{
    mg_h1_server *c = SERVER_OF_SIDE(s);
    bool answered = s->sent == MG_SENT_ALL && !c->h1.out.n;
    if (!clean || !answered || is_last(c)) {
        if (answered && !c->h1.eof) {
            to_linger(c);
            return;
        }
        /* An answer whose end is the end of the connection must not look whole. */
        if (!answered && c->h1.out_framing == MG_H1_UNTIL_CLOSE)
            mg_socket_reset_on_close(c->h1.transport.fd);
        close_now(c);
    } else if (s->will_close || s->got != MG_GOT_ALL) {
        /* A client that would have gone on may have sent its next request already: a reset would meet the answer. */
        if (c->h1.eof || (s->got == MG_GOT_ALL && !mg_h1_unread(&c->h1).n && !c->keep_alive))
            close_now(c);
        else
            to_linger(c);
    } else {
        to_idle(c);
    }
}

static void abort_side(mg_side *s)
{
    mg_h1_server *c = SERVER_OF_SIDE(s);
    mg_socket_reset_on_close(c->h1.transport.fd);
    close_now(c);
}

static void take_arena(mg_side *s, mg_arena *to)
{
    mg_h1_server *c = SERVER_OF_SIDE(s);
    *to = c->arena;
    mg_arena_init(&c->arena, c->settings->arena_most);
    s->arena = &c->arena;
    c->request = NULL;
    s->trailers = NULL;
}

static const mg_h1_kind kind = {.advance = advance, .late = late};
static const mg_side_ops ops = {
    MG_H1_SHARED_OPS,
    .send_response = send_response,
    .send_request = send_request,
    .release = release,
    .abort = abort_side,
    .take_arena = take_arena,
};

void mg_h1_server_close_idle(mg_h1_server_settings *settings)
{
    MG_LIST_EACH_SAFE(l, after, &settings->idle_list)
        close_now(MG_OWNER(l, mg_h1_server, link));
}

void mg_h1_server_close_all(mg_h1_server_settings *settings)
{
    mg_h1_server_close_idle(settings);
    mg_link *lists[] = {&settings->busy_list, &settings->ready_list};
    for (size_t i = 0; i < MG_COUNT(lists); i++) {
        MG_LIST_EACH_SAFE(l, after, lists[i]) {
            mg_h1_server *c = MG_OWNER(l, mg_h1_server, link);
            if (c->phase != BUSY) /* an exchange ends its own connection */
                close_now(c);
        }
    }
}

const mg_request_head *mg_h1_server_request(const mg_side *s)
{
    return SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->request;
}

mg_request_head *mg_h1_server_request_mut(mg_side *s)
{
    return SERVER_OF_SIDE(s)->request;
}

const mg_addr *mg_h1_server_peer(const mg_side *s)
{
    return &SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->peer;
}

int mg_h1_server_fd(const mg_side *s)
{
    return SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->h1.transport.fd;
}

void *mg_h1_server_owner(const mg_side *s)
{
    return SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->owner;
}

mg_h1_server_settings *mg_h1_server_settings_of(const mg_side *s)
{
    return SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->settings;
}

int64_t mg_h1_server_began_us(const mg_side *s)
{
    return SERVER_OF_SIDE((mg_side *)(uintptr_t)s)->began_us;
}

void mg_h1_server_continue(mg_side *s)
{
    mg_h1_server *c = SERVER_OF_SIDE(s);
    if (!c->awaits_continue || s->sent != MG_SENT_NOTHING || s->in_total)
        return;
    c->awaits_continue = false;
    mg_chain_add_static(&c->h1.out, MG_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    s->queued = c->h1.out.n;
    mg_h1_side_flush(s);
}
