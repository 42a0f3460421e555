#include "codec/h1_chunked.h"

#include "base/test.h"

struct outcome {
    mg_rc rc;
    size_t used;
    char body[4096];
    size_t n;
    const char *why;
};

/* Decodes the text as it comes in pieces of `piece` bytes, each a copy of exactly its size. */
static struct outcome decode_pieces(mg_str text, size_t piece)
{
    struct outcome o = {.rc = MG_AGAIN};
    mg_h1_chunked c = {0};
    for (size_t at = 0; at < text.n && o.rc == MG_AGAIN; at += piece) {
        size_t n = MG_MIN(piece, text.n - at), done = 0;
        char *copy = memcpy(malloc(n), text.p + at, n);
        do {
            size_t used;
            mg_str data;
            o.rc = mg_h1_chunked_step(&c, copy + done, n - done, &used, &data, &o.why);
            MG_BUG_UNLESS(!data.n || (data.p >= copy + done && data.p + data.n <= copy + done + used));
            MG_BUG_UNLESS(o.n + data.n <= sizeof o.body);
            if (data.n)
                memcpy(o.body + o.n, data.p, data.n);
            o.n += data.n;
            o.used += used;
            done += used;
        } while (o.rc == MG_OK);
        CHECK(o.rc != MG_AGAIN || done == n);
        free(copy);
    }
    return o;
}

/* The same for pieces of each size. */
static struct outcome decode(mg_str text)
{
    struct outcome whole = decode_pieces(text, text.n ? text.n : 1);
    for (size_t piece = 1; piece < MG_MIN(text.n, (size_t)40); piece++) {
        struct outcome o = decode_pieces(text, piece);
        CHECK_INT(o.rc, whole.rc);
        CHECK_INT(o.used, whole.used);
        CHECK_INT(o.n, whole.n);
        CHECK(!memcmp(o.body, whole.body, o.n));
        CHECK(o.rc >= 0 || o.why == whole.why);
    }
    return whole;
}

static void decodes(const char *text, const char *body)
{
    struct outcome o = decode(mg_str_of(text));
    CHECK_FOR(o.rc == MG_EOF, text);
    CHECK_STR(((mg_str){o.body, o.n}), mg_str_of(body));
}

static void bad(const char *text)
{
    struct outcome o = decode(mg_str_of(text));
    CHECK_FOR(o.rc == MG_BAD, text);
    CHECK(o.why && o.why[0]);
}

TEST("chunks are joined and the trailer section is left")
{
    struct outcome o = decode(MG_STR("5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"));
    CHECK_INT(o.rc, MG_EOF);
    CHECK_STR(((mg_str){o.body, o.n}), MG_STR("hello!"));
    CHECK_INT(o.used, 19);
}

TEST("an empty body is one last chunk")
{
    decodes("0\r\n", "");
    decodes("000\r\n", "");
}

TEST("sizes are hexadecimal in either letter case")
{
    decodes("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n", "01234567890123456789");
    decodes("00002\r\nab\r\n0\r\n", "ab");
}

TEST("data may hold line ends and sizes")
{
    decodes("7\r\n\r\n0\r\n\r\n\r\n0\r\n", "\r\n0\r\n\r\n");
}

TEST("a body that is not whole is waited for")
{
    CHECK_INT(decode(MG_STR("5\r\nhel")).rc, MG_AGAIN);
    CHECK_INT(decode(MG_STR("5\r\nhello")).rc, MG_AGAIN);
    CHECK_INT(decode(MG_STR("5\r\nhello\r\n")).rc, MG_AGAIN);
    CHECK_INT(decode(MG_STR("0\r")).rc, MG_AGAIN);
}

TEST("a size is refused unless it is plain hexadecimal (RFC 9112 section 7.1)")
{
    bad("\r\n");
    bad("g\r\n");
    bad("+5\r\n");
    bad("-5\r\n");
    bad("0x5\r\n");
    bad(" 5\r\n");
    bad("5 \r\n");
    bad("5\t\r\n");
    bad("5_0\r\n");
    bad(";a\r\n");
}

TEST("a size that could overflow is refused")
{
    CHECK_INT(decode(MG_STR("fffffffffffffff\r\n")).rc, MG_AGAIN);
    bad("1000000000000000");
    bad("0000000000000001");
    bad("ffffffffffffffff");
}

TEST("the size line and the data end in CR LF exactly (RFC 9112 section 7.1)")
{
    bad("5\nhello\r\n");
    bad("5\r\rhello");
    bad("5\rhello");
    bad("5\r\nhello\n");
    bad("5\r\nhello\r\r");
    bad("5\r\nhello!");
    bad("5\r\nhelloo\r\n");
    bad("0\n");
}

TEST("extensions are passed over when their grammar holds (RFC 9112 section 7.1.1)")
{
    decodes("2;a\r\nab\r\n0;b\r\n", "ab");
    decodes("2;a=b;c=d\r\nab\r\n0\r\n", "ab");
    decodes("2;a=\"b;c\\\"\\\\ \t\xff\";d\r\nab\r\n0\r\n", "ab");
    decodes("2;a=\"\"\r\nab\r\n0\r\n", "ab");
}

TEST("malformed extensions are refused")
{
    bad("2;\r\n");
    bad("2;;a\r\n");
    bad("2; a\r\n");
    bad("2 ;a\r\n");
    bad("2;a=\r\n");
    bad("2;a=;b\r\n");
    bad("2;a =b\r\n");
    bad("2;a=b c\r\n");
    bad("2;a=\"b\"c\r\n");
    bad("2;a=\"b\r\n");
    bad("2;a=\"b\nc\"\r\n");
    bad("2;a=\"b\\\r\n");
    bad("2;a\n");
    bad("2;a=b=c\r\n");
    bad("2;=b\r\n");
}

TEST("NUL and control bytes in an extension are refused")
{
    CHECK_INT(decode(MG_STR("2;a\0b\r\n")).rc, MG_BAD);
    CHECK_INT(decode(MG_STR("2;a=\"\0\"\r\n")).rc, MG_BAD);
    CHECK_INT(decode(MG_STR("2;a=\"\x7f\"\r\n")).rc, MG_BAD);
}

TEST("a size line past its limit is refused")
{
    char text[MG_H1_CHUNK_LINE + 8] = "0;";
    memset(text + 2, 'a', sizeof text - 2);
    memcpy(text + MG_H1_CHUNK_LINE, "\r\n", 2);
    CHECK_INT(decode_pieces((mg_str){text, sizeof text}, 100).rc, MG_EOF);
    memset(text + 2, 'a', sizeof text - 2);
    memcpy(text + MG_H1_CHUNK_LINE + 1, "\r\n", 2);
    CHECK_INT(decode_pieces((mg_str){text, sizeof text}, 100).rc, MG_BAD);
}

TEST("extensions that outweigh the data are refused")
{
    mg_h1_chunked c = {0};
    char chunk[300] = "1;";
    mg_rc rc = MG_OK;
    size_t sent = 0;
    memset(chunk + 2, 'a', sizeof chunk - 2);
    memcpy(chunk + sizeof chunk - 5, "\r\nx\r\n", 5);
    for (; rc >= 0 && sent < 1 << 20; sent += sizeof chunk) {
        size_t at = 0, used;
        mg_str data;
        const char *why;
        do {
            rc = mg_h1_chunked_step(&c, chunk + at, sizeof chunk - at, &used, &data, &why);
            at += used;
        } while (rc == MG_OK);
    }
    CHECK_INT(rc, MG_BAD);
    CHECK(sent > MG_H1_CHUNK_EXCESS && sent < 2 * MG_H1_CHUNK_EXCESS);
}

TEST("single bytes in chunks of their own are fine for ever")
{
    mg_h1_chunked c = {0};
    for (int i = 0; i < 100000; i++) {
        size_t used;
        mg_str data;
        const char *why;
        CHECK_INT(mg_h1_chunked_step(&c, "1\r\nx", 4, &used, &data, &why), MG_AGAIN);
        CHECK_INT(data.n, 1);
        CHECK_INT(mg_h1_chunked_step(&c, "\r\n", 2, &used, &data, &why), MG_AGAIN);
    }
}

TEST("a written chunk head is what the decoder reads")
{
    static const uint64_t sizes[] = {1, 15, 16, 255, 65536, ((uint64_t)1 << 60) - 1};
    for (size_t i = 0; i < MG_COUNT(sizes); i++) {
        char head[18];
        mg_h1_chunked c = {0};
        size_t n = mg_h1_chunk_head(sizes[i], head), used;
        mg_str data;
        const char *why;
        CHECK_INT(mg_h1_chunked_step(&c, head, n, &used, &data, &why), MG_AGAIN);
        CHECK_INT(c.left, sizes[i]);
    }
    char head[18];
    CHECK_INT(mg_h1_chunk_head(UINT64_MAX, head), 18);
    CHECK_STR(((mg_str){head, mg_h1_chunk_head(26, head)}), MG_STR("1a\r\n"));
}
