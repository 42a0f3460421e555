#include "http/h1.h"

#include "codec/h1_write.h"
#include "os/socket.h"

enum {
    BODY_BLOCKS = 8, /* blocks filled by one read of a body */
    WRITE_IOV = 64,
    WRITE_TURNS = 8, /* writes in a row before others have their turn */
    CHUNK_LINES = 20, /* the line before a chunk and the end of it */
    COPY_MOST = 4096, /* a body piece up to this size is copied behind the head: one piece is written faster */
    CHUNK_SMALL = 1024, /* a chunk up to this size is moved behind the one before it */
    ROOM_LOW = 2048  /* less room than this in a block is not worth a read */
};

static void on_ready(mg_io *io, int events);
static void on_late(mg_deadline *d);

void mg_h1_init(mg_h1 *c, const mg_h1_kind *kind, const mg_side_ops *ops, int fd)
{
    c->kind = kind;
    c->side.ops = ops;
    c->transport = (mg_transport){.fd = fd};
    mg_io_init(&c->io, on_ready);
    mg_deadline_init(&c->deadline, on_late);
    mg_io_start(&c->io, fd, MG_READ);
}

void mg_h1_fini(mg_h1 *c)
{
    mg_deadline_disarm(&c->deadline);
    mg_io_stop(&c->io);
    mg_transport_close(&c->transport);
    mg_block_drop(c->block);
    mg_block_drop(c->side.head);
    c->block = c->side.head = NULL;
    mg_chain_fini(&c->side.in);
    mg_chain_fini(&c->out);
}

void mg_h1_begin(mg_h1 *c, mg_arena *arena)
{
    mg_side *s = &c->side;
    s->arena = arena;
    s->got = MG_GOT_NOTHING;
    s->sent = MG_SENT_NOTHING;
    s->broke = MG_BROKE_NOT;
    s->in_total = s->out_total = 0;
    s->trailers = NULL;
    s->why = NULL;
    s->will_close = s->splice_from = s->splice_to = s->heard = s->blocked = false;
    s->written = 0;
    c->in_framing = c->out_framing = MG_H1_NONE;
    c->in_left = c->out_left = 0;
    c->reader = (mg_h1_reader){0};
    c->chunked = (mg_h1_chunked){0};
}

void mg_h1_rest(mg_h1 *c)
{
    mg_chain_fini(&c->side.in);
    c->side.exchange = NULL;
    c->side.on_change = NULL;
    c->side.arena = NULL;
    c->side.trailers = NULL;
    mg_block_drop(c->side.head);
    c->side.head = NULL;
    if (c->block && c->at == c->block->used) {
        mg_block_drop(c->block);
        c->block = NULL;
    }
}

mg_str mg_h1_unread(const mg_h1 *c)
{
    return c->block ? (mg_str){c->block->data + c->at, c->block->used - c->at} : MG_STR_NONE;
}

void mg_h1_ate(mg_h1 *c, size_t n)
{
    c->at += (uint32_t)n;
    MG_BUG_UNLESS(c->at <= c->block->used);
}

void mg_h1_ate_head(mg_h1 *c, size_t n)
{
    mg_block_drop(c->side.head);
    c->side.head = mg_block_hold(c->block);
    mg_h1_ate(c, n);
}

void mg_h1_break_in(mg_h1 *c, mg_broke how, const char *why)
{
    if (c->side.got == MG_GOT_ALL || c->side.got == MG_GOT_BROKEN)
        return;
    c->side.got = MG_GOT_BROKEN;
    c->side.broke = (uint8_t)how;
    c->side.why = why;
    c->side.will_close = true;
}

void mg_h1_break_out(mg_h1 *c, mg_broke how)
{
    mg_chain_fini(&c->out);
    c->side.queued = 0;
    c->side.blocked = false;
    c->side.will_close = true;
    c->side.sent = MG_SENT_BROKEN;
    if (c->side.broke == MG_BROKE_NOT)
        c->side.broke = (uint8_t)how;
    /* Nothing waits to be written any more, but reading may go on. */
    mg_deadline_disarm(&c->deadline);
    mg_h1_listen(c);
}

/* ---- waiting ---- */

void mg_h1_listen(mg_h1 *c)
{
    int want = (c->paused || c->eof ? 0 : MG_READ) | (c->side.blocked ? MG_WRITE : 0);
    if (want != mg_io_events(&c->io))
        mg_io_start(&c->io, c->transport.fd, want);
}

static void on_ready(mg_io *io, int events)
{
    mg_h1 *c = MG_OWNER(io, mg_h1, io);
    if (events & MG_WRITE) {
        if (c->side.splice_to) {
            c->side.blocked = false;
            mg_h1_listen(c);
        } else {
            (void)mg_h1_write_out(c);
        }
    }
    c->kind->advance(c);
}

static void on_late(mg_deadline *d)
{
    mg_h1 *c = MG_OWNER(d, mg_h1, deadline);
    c->kind->late(c);
}

/* ---- reading ---- */

/* A block with room to go on reading a head: the unread part moves when its block is full. */
static bool make_room(mg_h1 *c, uint32_t head_most)
{
    if (!c->block) {
        c->block = mg_block_new(0);
        c->at = 0;
        return true;
    }
    if (mg_block_room(c->block) > 0 && (c->at == c->block->used || mg_block_room(c->block) >= ROOM_LOW))
        return true;
    size_t unread = c->block->used - c->at;
    if (unread >= (size_t)head_most + MG_H1_CHUNK_LINE)
        return false;
    mg_block *b = mg_block_new(unread < ROOM_LOW ? 0 : (size_t)head_most + MG_BLOCK_SIZE);
    memcpy(b->data, c->block->data + c->at, unread);
    b->used = (uint32_t)unread;
    mg_block_drop(c->block);
    c->block = b;
    c->at = 0;
    return true;
}

bool mg_h1_end_reading(mg_h1 *c, mg_rc rc)
{
    if (rc == MG_AGAIN)
        return false;
    c->eof = true;
    c->side.half_closed = true;
    if (rc == MG_EOF) {
        if (c->side.got == MG_GOT_HEAD && (c->in_framing == MG_H1_UNTIL_CLOSE || c->in_framing == MG_H1_RAW))
            c->side.got = MG_GOT_ALL;
        else
            mg_h1_break_in(c, MG_BROKE_CLOSED, "the connection ended before the message did");
    } else {
        mg_h1_break_in(c, MG_BROKE_RESET, "the connection was reset");
        mg_h1_break_out(c, MG_BROKE_RESET);
    }
    mg_h1_listen(c);
    return true;
}

/* Room for the next bytes of a body, never past its end: behind those that wait already, so that a body which
 * drips in fills its blocks; then in new ones. How many pieces; the blocks of all but the first. */
static int body_room(mg_h1 *c, struct iovec *iov, mg_block **blocks)
{
    uint64_t left = c->in_framing == MG_H1_LENGTH ? c->in_left : UINT64_MAX;
    size_t want = c->side.in.n < c->buffer ? c->buffer - c->side.in.n : 1;
    char *tail = mg_chain_reserve(&c->side.in, 1);
    size_t room = mg_block_room(c->side.in.last->block), sum = 0;
    int count = 0;
    do {
        room = (size_t)MG_MIN((uint64_t)room, left - sum);
        iov[count] = (struct iovec){count ? blocks[count]->data : tail, room};
        sum += room;
        count++;
        if (count == BODY_BLOCKS || sum >= left || sum >= want)
            return count;
        blocks[count] = mg_block_new(0);
        room = blocks[count]->size;
    } while (true);
}

/* A long body whose end is far: read into several blocks at once. */
static bool receive_body(mg_h1 *c)
{
    struct iovec iov[BODY_BLOCKS];
    mg_block *blocks[BODY_BLOCKS];
    size_t n;
    int count = body_room(c, iov, blocks);
    mg_rc rc = mg_transport_read(&c->transport, iov, count, &n);
    size_t rest = rc == MG_OK ? n : 0, part = MG_MIN(rest, iov[0].iov_len);
    mg_chain_wrote(&c->side.in, part);
    for (int i = 1; i < count; i++) {
        rest -= part;
        part = MG_MIN(rest, iov[i].iov_len);
        blocks[i]->used = (uint32_t)part;
        mg_chain_add_block(&c->side.in, blocks[i], blocks[i]->data, part);
        mg_block_drop(blocks[i]);
    }
    if (!c->side.in.n)
        mg_chain_fini(&c->side.in); /* the room is given back */
    c->full = false;
    if (rc != MG_OK)
        return mg_h1_end_reading(c, rc);
    c->side.in_total += n;
    if (c->in_framing == MG_H1_LENGTH && (c->in_left -= n) == 0)
        c->side.got = MG_GOT_ALL;
    return true;
}

bool mg_h1_receive(mg_h1 *c, uint32_t head_most)
{
    if (c->paused || c->eof || c->side.splice_from)
        return c->side.splice_from;
    bool in_body = c->side.got == MG_GOT_HEAD;
    if (in_body && c->side.in.n >= c->buffer) {
        c->paused = true;
        mg_h1_listen(c);
        return false;
    }
    bool plain_body = c->in_framing == MG_H1_LENGTH || c->in_framing == MG_H1_UNTIL_CLOSE || c->in_framing == MG_H1_RAW;
    if (in_body && plain_body && (!c->block || c->at == c->block->used))
        return receive_body(c);
    if (!make_room(c, head_most)) {
        c->paused = true; /* pipelined bytes wait until the exchange before them is over */
        mg_h1_listen(c);
        return false;
    }
    struct iovec iov = {c->block->data + c->block->used, mg_block_room(c->block)};
    size_t n;
    mg_rc rc = mg_transport_read(&c->transport, &iov, 1, &n);
    if (rc != MG_OK)
        return mg_h1_end_reading(c, rc);
    c->block->used += (uint32_t)n;
    c->full = mg_block_room(c->block) == 0;
    c->side.heard = true;
    return true;
}

static void decode_plain(mg_h1 *c)
{
    mg_str unread = mg_h1_unread(c);
    size_t n = c->in_framing == MG_H1_LENGTH ? (size_t)MG_MIN((uint64_t)unread.n, c->in_left) : unread.n;
    if (n) {
        mg_chain_add_block(&c->side.in, c->block, c->block->data + c->at, n);
        mg_h1_ate(c, n);
        c->side.in_total += n;
    }
    if (c->in_framing == MG_H1_LENGTH && (c->in_left -= n) == 0)
        c->side.got = MG_GOT_ALL;
}

/* Their slices lie in the block: a copy outlives it. False: there are none, or there is no memory for them. */
static bool keep_trailers(mg_h1 *c, mg_fields *fields)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        mg_str *name = &fields->at[i].name, *value = &fields->at[i].value;
        char *to = mg_arena_try(c->side.arena, name->n + value->n);
        if (!to)
            return false;
        memcpy(to, name->p, name->n);
        if (value->n)
            memcpy(to + name->n, value->p, value->n);
        *name = (mg_str){to, name->n};
        *value = (mg_str){to + name->n, value->n};
    }
    return fields->count > 0;
}

static void decode_trailers(mg_h1 *c, const mg_h1_limits *limits)
{
    mg_str unread = mg_h1_unread(c);
    size_t size;
    const char *why;
    mg_fields *fields = c->side.trailers ? c->side.trailers : mg_arena_try(c->side.arena, sizeof *fields);
    if (!fields) {
        mg_h1_break_in(c, MG_BROKE_LIMIT, "no memory for trailers");
        return;
    }
    c->side.trailers = fields;
    mg_rc rc = mg_h1_read_trailers(&c->reader, limits, unread.p, unread.n, c->side.arena, fields, &size, &why);
    if (rc == MG_OK) {
        mg_h1_ate(c, size);
        c->side.got = MG_GOT_ALL;
        if (!keep_trailers(c, fields))
            c->side.trailers = NULL;
    } else if (rc < 0) {
        c->side.trailers = NULL;
        mg_h1_break_in(c, rc == MG_LIMIT ? MG_BROKE_LIMIT : MG_BROKE_SYNTAX, why);
    }
}

/* Small chunks are moved together over the framing between them, to which nothing points any more: a slice for
 * each would take more memory than the bytes, and as many pieces to write. */
static void take_chunk(mg_h1 *c, mg_str data)
{
    const mg_slice *last = c->side.in.last;
    char *from = c->block->data + (data.p - c->block->data);
    if (last && last->block == c->block && data.n <= CHUNK_SMALL)
        from = memmove(last->p + last->n, from, data.n);
    mg_chain_add_block(&c->side.in, c->block, from, data.n);
    c->side.in_total += data.n;
}

static void decode_chunked(mg_h1 *c, const mg_h1_limits *limits)
{
    while (c->side.got == MG_GOT_HEAD && c->in_framing == MG_H1_CHUNKED) {
        mg_str unread = mg_h1_unread(c), data;
        size_t used;
        const char *why;
        if (!unread.n)
            return;
        mg_rc rc = mg_h1_chunked_step(&c->chunked, unread.p, unread.n, &used, &data, &why);
        if (rc < 0) {
            mg_h1_break_in(c, MG_BROKE_SYNTAX, why);
            return;
        }
        if (data.n)
            take_chunk(c, data);
        mg_h1_ate(c, used);
        if (rc == MG_AGAIN)
            return;
        if (rc == MG_EOF) {
            c->in_framing = MG_H1_TRAILERS;
            c->reader = (mg_h1_reader){0};
        }
    }
    if (c->side.got == MG_GOT_HEAD && c->in_framing == MG_H1_TRAILERS)
        decode_trailers(c, limits);
}

/* Chunks wait in the block, and more of them shall come to lie there. */
static bool fills_block(const mg_h1 *c)
{
    return c->side.got == MG_GOT_HEAD && c->side.in.n && mg_block_room(c->block) >= ROOM_LOW &&
           (c->in_framing == MG_H1_CHUNKED || c->in_framing == MG_H1_TRAILERS);
}

void mg_h1_decode(mg_h1 *c, const mg_h1_limits *limits)
{
    if (c->side.got != MG_GOT_HEAD)
        return;
    switch ((mg_h1_framing)c->in_framing) {
    case MG_H1_NONE:
        c->side.got = MG_GOT_ALL;
        break;
    case MG_H1_CHUNKED:
    case MG_H1_TRAILERS:
        decode_chunked(c, limits);
        break;
    case MG_H1_LENGTH:
    case MG_H1_UNTIL_CLOSE:
    case MG_H1_RAW:
        decode_plain(c);
        break;
    }
    if (c->block && c->at == c->block->used && !fills_block(c) &&
        (c->block->holds > 1 || c->side.got != MG_GOT_HEAD)) {
        mg_block_drop(c->block);
        c->block = NULL;
    }
    if (c->eof && c->side.got == MG_GOT_HEAD) {
        if (c->in_framing == MG_H1_UNTIL_CLOSE || c->in_framing == MG_H1_RAW)
            c->side.got = MG_GOT_ALL;
        else
            mg_h1_break_in(c, MG_BROKE_CLOSED, "the connection ended before the message did");
    }
}

/* ---- writing ---- */

/* Bytes that have arrived over there: the kernel takes megabytes at once for one who reads slowly. */
static int64_t taken(const mg_h1 *c)
{
    return (int64_t)c->side.written - mg_socket_unacked(c->transport.fd);
}

/* The deadline runs in windows: in each, more than min_rate bytes a second must arrive. */
static void start_window(mg_h1 *c)
{
    c->write_mark = taken(c);
    mg_deadline_arm(&c->deadline, c->write_ms);
}

void mg_h1_wait_for_room(mg_h1 *c)
{
    if (!mg_deadline_is_armed(&c->deadline))
        start_window(c);
    c->side.blocked = true;
    mg_h1_listen(c);
}

bool mg_h1_write_out(mg_h1 *c)
{
    for (int turn = 0; c->out.n && turn < WRITE_TURNS; turn++) {
        struct iovec iov[WRITE_IOV];
        size_t n;
        mg_rc rc = mg_transport_write(&c->transport, iov, mg_chain_iov(&c->out, iov, WRITE_IOV), &n);
        if (rc == MG_AGAIN)
            break;
        if (rc != MG_OK) {
            mg_h1_break_out(c, MG_BROKE_RESET);
            break;
        }
        mg_chain_eat(&c->out, n);
        c->side.written += n;
    }
    c->side.queued = c->out.n;
    if (!c->out.n) {
        if (c->side.blocked) {
            c->side.blocked = false;
            mg_deadline_disarm(&c->deadline);
            mg_h1_listen(c);
        }
        return true;
    }
    mg_h1_wait_for_room(c);
    return false;
}

bool mg_h1_is_too_slow(mg_h1 *c)
{
    int64_t owed = (int64_t)c->min_rate * (int64_t)c->write_ms / 1000, now = taken(c);
    if (now - c->write_mark > owed) {
        start_window(c);
        return false;
    }
    mg_broke how = now == c->write_mark ? MG_BROKE_LATE : MG_BROKE_SLOW;
    mg_h1_break_out(c, how);
    c->side.broke = (uint8_t)how;
    return true;
}

/* A few bytes are copied behind those that wait already: they need no block and no piece of the write of their own. */
static void add_piece(mg_h1 *c, mg_chain *from, size_t n)
{
    if (c->out.n && n <= COPY_MOST)
        mg_chain_copy_some(&c->out, from, n);
    else
        mg_chain_move_some(&c->out, from, n);
}

static void add_chunk(mg_h1 *c, mg_chain *from, size_t n)
{
    bool small = n <= COPY_MOST;
    char *head = mg_chain_reserve(&c->out, CHUNK_LINES + (small ? n : 0));
    mg_chain_wrote(&c->out, mg_h1_chunk_head(n, head));
    add_piece(c, from, n);
    if (small)
        mg_chain_add_copy(&c->out, MG_STR("\r\n"));
    else
        mg_chain_add_static(&c->out, MG_STR("\r\n"));
}

void mg_h1_side_body(mg_side *s, mg_chain *from, size_t n)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (s->sent == MG_SENT_BROKEN) {
        mg_chain_eat(from, n);
        return;
    }
    MG_BUG_UNLESS(s->sent == MG_SENT_HEAD);
    if (!n)
        return;
    s->out_total += n;
    switch ((mg_h1_framing)c->out_framing) {
    case MG_H1_NONE: /* an answer to HEAD and its like: the body stays here */
        mg_chain_eat(from, n);
        return;
    case MG_H1_LENGTH:
        if (n > c->out_left) { /* more than was told: never on the wire */
            mg_chain_eat(from, n);
            mg_h1_break_out(c, MG_BROKE_LIMIT);
            return;
        }
        c->out_left -= n;
        add_piece(c, from, n);
        break;
    case MG_H1_CHUNKED:
        add_chunk(c, from, n);
        break;
    default:
        add_piece(c, from, n);
        break;
    }
    s->queued = c->out.n;
}

void mg_h1_side_end(mg_side *s, const mg_fields *trailers)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (s->sent == MG_SENT_BROKEN)
        return;
    MG_BUG_UNLESS(s->sent == MG_SENT_HEAD);
    if (c->out_framing == MG_H1_LENGTH && c->out_left) {
        mg_h1_break_out(c, MG_BROKE_CLOSED);
        return;
    }
    if (c->out_framing == MG_H1_CHUNKED) {
        size_t room = trailers ? mg_h1_head_room(trailers) : 0;
        if (!room) {
            mg_chain_add_static(&c->out, MG_STR("0\r\n\r\n"));
        } else {
            char *start = mg_chain_reserve(&c->out, room + 5), *to = start;
            to = mg_h1_put(to, MG_STR("0\r\n"));
            to = mg_h1_put_fields(to, trailers);
            to = mg_h1_put(to, MG_STR("\r\n"));
            mg_chain_wrote(&c->out, (size_t)(to - start));
        }
    }
    if (c->out_framing == MG_H1_RAW && !c->out.n)
        mg_transport_end_writing(&c->transport);
    s->sent = MG_SENT_ALL;
    s->queued = c->out.n;
}

void mg_h1_side_flush(mg_side *s)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (c->out.n && !s->blocked)
        (void)mg_h1_write_out(c);
}

void mg_h1_side_took(mg_side *s)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (c->block && !s->in.n && c->at == c->block->used) {
        mg_block_drop(c->block);
        c->block = NULL;
    }
    if (c->paused && s->in.n < c->buffer) {
        c->paused = false;
        mg_h1_listen(c);
    }
}

size_t mg_h1_side_room(const mg_side *s)
{
    const mg_h1 *c = MG_OWNER((mg_side *)(uintptr_t)s, mg_h1, side);
    if (s->sent == MG_SENT_BROKEN)
        return SIZE_MAX;
    return c->out.n < c->buffer ? c->buffer - c->out.n : 0;
}

void mg_h1_side_become_tunnel(mg_side *s)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    c->in_framing = c->out_framing = MG_H1_RAW;
    s->got = MG_GOT_HEAD;
    s->sent = MG_SENT_HEAD;
    s->will_close = true;
    mg_h1_decode(c, NULL);
    mg_h1_side_took(s);
}
