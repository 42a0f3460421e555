#include "codec/h1_chunked.h"

#include "base/number.h"
#include "codec/scan.h"

/*
 *      SIZE ─► LINE_LF ─► DATA ─► DATA_CR ─► DATA_LF ─► SIZE
 *        └► EXT_NAME ─► EXT_VALUE ─► QUOTED … ─┘ └► LAST (size 0)
 */
enum {
    SIZE,      /* digits of the size; none yet when digits == 0 */
    EXT_START, /* behind ";" */
    EXT_NAME,
    VALUE_START, /* behind "=" */
    EXT_VALUE,
    QUOTED,
    QUOTED_PAIR, /* behind "\" */
    QUOTED_END,  /* behind the closing quote */
    LINE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LAST
};

enum { DIGITS_MOST = 15, FREE_LINE = 16 };

static mg_rc refuse(const char *sentence, const char **why)
{
    *why = sentence;
    return MG_BAD;
}

/* What may follow a whole size, extension name or extension value. RFC 9112 section 7.1.1 tolerates blanks
 * around ";" and "=" from old senders; parsers that disagree about them have been used for smuggling. */
static bool end_part(mg_h1_chunked *c, char byte)
{
    if (byte != ';' && byte != '\r')
        return false;
    c->state = byte == ';' ? EXT_START : LINE_LF;
    return true;
}

static mg_rc eat_size(mg_h1_chunked *c, char byte, const char **why)
{
    int digit = mg_hex_digit(byte);
    if (digit < 0)
        return c->digits && end_part(c, byte) ? MG_OK : refuse("a chunk size is not a plain hexadecimal number", why);
    if (c->digits == DIGITS_MOST)
        return refuse("a chunk size has too many digits", why);
    c->digits++;
    c->left = c->left << 4 | (unsigned)digit;
    return MG_OK;
}

/* chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ), RFC 9112 section 7.1.1. */
static mg_rc eat_extension(mg_h1_chunked *c, char byte, const char **why)
{
    bool fine = false, token = mg_byte_is(byte, MG_BYTE_TOKEN);
    switch (c->state) {
    case EXT_START:
        c->state = EXT_NAME;
        fine = token;
        break;
    case EXT_NAME:
        fine = token || end_part(c, byte);
        if (byte == '=') {
            c->state = VALUE_START;
            fine = true;
        }
        break;
    case VALUE_START:
        c->state = byte == '"' ? QUOTED : EXT_VALUE;
        fine = byte == '"' || token;
        break;
    case EXT_VALUE:
        fine = token || end_part(c, byte);
        break;
    case QUOTED:
        if (byte == '"' || byte == '\\')
            c->state = byte == '"' ? QUOTED_END : QUOTED_PAIR;
        fine = byte == '"' || byte == '\\' || mg_byte_is(byte, MG_BYTE_QUOTED);
        break;
    case QUOTED_PAIR:
        c->state = QUOTED;
        fine = mg_byte_is(byte, MG_BYTE_VALUE);
        break;
    default:
        fine = end_part(c, byte);
    }
    return fine ? MG_OK : refuse("a chunk extension is malformed", why);
}

/* Behind the CR of a size line. */
static mg_rc end_line(mg_h1_chunked *c, char byte, const char **why)
{
    if (byte != '\n')
        return refuse("a chunk-size line does not end in CR LF", why);
    if (c->line > FREE_LINE)
        c->excess += c->line - FREE_LINE;
    if (c->excess > MG_H1_CHUNK_EXCESS)
        return refuse("chunk extensions outweigh the data", why);
    c->excess -= (uint32_t)MG_MIN(c->excess, c->left);
    c->state = c->left ? DATA : LAST;
    return MG_OK;
}

/* One byte of what stands between data. */
static mg_rc eat_byte(mg_h1_chunked *c, char byte, const char **why)
{
    switch (c->state) {
    case DATA_CR:
    case DATA_LF:
        if (byte != (c->state == DATA_CR ? '\r' : '\n'))
            return refuse("chunk data is not followed by CR LF", why);
        *c = (mg_h1_chunked){.state = c->state == DATA_CR ? DATA_LF : SIZE, .excess = c->excess};
        return MG_OK;
    case LINE_LF:
        return end_line(c, byte, why);
    default:
        if (byte != '\r' && ++c->line > MG_H1_CHUNK_LINE)
            return refuse("a chunk-size line is too long", why);
        return c->state == SIZE ? eat_size(c, byte, why) : eat_extension(c, byte, why);
    }
}

mg_rc mg_h1_chunked_step(mg_h1_chunked *c, const char *p, size_t n, size_t *used, mg_str *data, const char **why)
{
    size_t at = 0;
    mg_rc rc = MG_OK;
    *data = MG_STR_NONE;
    while (at < n && c->state != DATA && c->state != LAST && rc == MG_OK)
        rc = eat_byte(c, p[at++], why);
    if (rc == MG_OK && c->state == DATA && at < n) {
        *data = (mg_str){p + at, (size_t)MG_MIN(c->left, n - at)};
        at += data->n;
        c->left -= data->n;
        if (!c->left)
            c->state = DATA_CR;
    }
    *used = at;
    if (rc != MG_OK)
        return rc;
    return c->state == LAST ? MG_EOF : at < n ? MG_OK : MG_AGAIN;
}

size_t mg_h1_chunk_head(uint64_t size, char *to)
{
    size_t n = mg_number_print_hex(size, to);
    to[n] = '\r';
    to[n + 1] = '\n';
    return n + 2;
}
