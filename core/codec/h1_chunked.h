/*
 * h1_chunked: the chunked transfer coding, byte stream to body pieces (RFC 9112 section 7.1).
 *
 *      1a ;ext=1 CR LF │ 26 bytes │ CR LF │ 0 CR LF │ trailers… CR LF
 *        size            data               last      read by mg_h1_read_trailers
 *
 * The decoder is a few numbers; it keeps no bytes. Feed it what is there; it says how many bytes it used
 * and which run of them is data. Strict: hexadecimal size without sign or blanks, at most 15 digits,
 * extensions checked by grammar and at most MG_H1_CHUNK_LINE bytes, CR LF exactly. A body whose lines
 * outweigh its data by more than MG_H1_CHUNK_EXCESS bytes is refused as well: it is sent to cost work.
 */
#ifndef MG_CODEC_H1_CHUNKED_H
#define MG_CODEC_H1_CHUNKED_H

#include "base/str.h"

enum {
    MG_H1_CHUNK_LINE = 1024,       /* most bytes of a chunk-size line with its extensions, without CR LF */
    MG_H1_CHUNK_EXCESS = 16 * 1024 /* most bytes by which size lines, less 16 each, may exceed the data */
};

typedef struct {
    uint64_t left; /* data bytes of this chunk still to come */
    uint8_t state; /* all zero: before the first size */
    uint8_t digits;
    uint16_t line;   /* bytes of the size line so far */
    uint32_t excess; /* bytes of size lines that data has not made up for */
} mg_h1_chunked;

/*
 * One step over [p, p+n): *used bytes were taken, *data is the run of body bytes among them (maybe empty).
 * MG_OK: call again while bytes remain. MG_AGAIN: all used, more must come. MG_EOF: the last chunk's size
 * line has been read: the trailer section starts at p + *used. MG_BAD: not valid; *why says what.
 */
mg_rc mg_h1_chunked_step(mg_h1_chunked *c, const char *p, size_t n, size_t *used, mg_str *data,
                         const char **why) MG_MUST_CHECK;

/* "1a\r\n" into to (at least 18 bytes); bytes written. The data and CR LF follow. */
size_t mg_h1_chunk_head(uint64_t size, char *to);

#endif
