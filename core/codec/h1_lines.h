/*
 * h1_lines: field lines up to the empty line, for heads and trailer sections alike (RFC 9112 section 5).
 *
 *      host: x CR LF │ accept: y CR LF │ CR LF │
 *      ^ reader->line        ^ reader->scanned  ^ after MG_OK both stand here
 *
 * The lines are read from left to right and a fault is reported at the first byte that cannot belong to
 * any valid section, so the same bytes give the same result however they were split. Each byte is looked
 * at once, plus once more when a section that came in pieces is complete and its fields are stored.
 *
 * Used by h1_head.c alone. Ownership: none; the fields go to the mg_fields given.
 */
#ifndef MG_CODEC_H1_LINES_H
#define MG_CODEC_H1_LINES_H

#include "codec/h1_head.h"

/* What mg_h1_reader.part may be. The first ones belong to h1_head.c. */
enum { MG_H1_START, MG_H1_METHOD, MG_H1_TARGET, MG_H1_VERSION, MG_H1_REASON, MG_H1_NAME, MG_H1_VALUE };

typedef struct {
    mg_h1_reader *at;
    const char *buf;
    uint32_t size; /* bytes of buf that may be looked at: never past the limit of the section */
    uint32_t fields_most;
    mg_fields *fields; /* where fields go, or NULL: only check */
    const char *why;
} mg_h1_lines;

/* From part MG_H1_NAME or MG_H1_VALUE on. MG_AGAIN: all `size` bytes are fine so far. */
mg_rc mg_h1_lines_read(mg_h1_lines *l) MG_MUST_CHECK;

/* Notes where to go on; always MG_AGAIN. */
static inline mg_rc mg_h1_lines_pause(mg_h1_lines *l, const char *line, const char *scanned, uint8_t part)
{
    l->at->line = (uint32_t)(line - l->buf);
    l->at->scanned = (uint32_t)(scanned - l->buf);
    l->at->part = part;
    return MG_AGAIN;
}

static inline mg_rc mg_h1_lines_refuse(mg_h1_lines *l, const char *why)
{
    l->why = why;
    return MG_BAD;
}

/*
 * The end of a line, of which *p is the first byte that the grammar before it does not allow. MG_OK: p is
 * at CR LF. MG_AGAIN: it may still become one. A lone CR or LF is never a line end: RFC 9112 section 2.2
 * would let a recipient take a bare LF for one, but parsers that differ there are how requests are smuggled.
 */
static inline mg_rc mg_h1_lines_end(mg_h1_lines *l, const char *p)
{
    const char *end = l->buf + l->size;
    if (p == end)
        return MG_AGAIN;
    if (MG_UNLIKELY(*p != '\r'))
        return mg_h1_lines_refuse(l, *p == '\n' ? "a line ends in LF without CR" : "a control byte in a line");
    if (p + 1 == end)
        return MG_AGAIN;
    if (MG_UNLIKELY(p[1] != '\n'))
        return mg_h1_lines_refuse(l, "CR without LF");
    return MG_OK;
}

#endif
