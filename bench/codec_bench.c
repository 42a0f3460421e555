/*
 * codec_bench: what one head, one chunk and one path cost, in nanoseconds.
 *
 *   cc -std=gnu11 -D_GNU_SOURCE -O2 -Icore -o build/codec_bench bench/codec_bench.c \
 *      $(ls core/base/[a-z]*.c core/codec/[a-z]*.c | grep -v -e _test -e _fuzz)
 *   build/codec_bench [ROUNDS]
 *
 * Each line is the best of several runs, since machines are noisy. Each head is read from memory that was
 * read before (warm), into an arena that is begun anew each time, as an exchange does.
 */
#include "codec/forwarded.h"
#include "codec/h1_chunked.h"
#include "codec/h1_head.h"
#include "codec/h1_write.h"
#include "codec/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 7 };

static const mg_h1_limits limits = {.line_most = 8192, .head_most = 32768, .fields_most = 128};
static unsigned long rounds = 200000;
static volatile size_t sink;

/* What `wrk` sends, what a browser sends (8 fields beside Host), what a page with many cookies has. */
static const mg_str small = {"GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 50};
static const char browser[] = "GET /assets/app/main.css?v=20261121 HTTP/1.1\r\n"
                              "Host: www.example.com\r\n"
                              "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
                              "Accept: text/css,*/*;q=0.1\r\n"
                              "Accept-Language: en-US,en;q=0.5\r\n"
                              "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                              "Referer: https://www.example.com/\r\n"
                              "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
                              "Connection: keep-alive\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Server: nginx/1.22.1\r\n"
                             "Date: Sat, 21 Nov 2026 03:40:00 GMT\r\n"
                             "Content-Type: text/css\r\n"
                             "Content-Length: 1024\r\n"
                             "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
                             "Connection: keep-alive\r\n"
                             "ETag: \"65f0c1a2-400\"\r\n"
                             "Accept-Ranges: bytes\r\n\r\n";

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static mg_arena arena;
static mg_fields to_write;

static void read_request(mg_str text)
{
    mg_h1_reader r = {0};
    mg_h1_request q;
    size_t size;
    int status;
    const char *why;
    mg_arena_init(&arena, 1 << 20);
    MG_BUG_UNLESS(mg_h1_read_request(&r, &limits, text.p, text.n, &arena, &q, &size, &status, &why) == MG_OK);
    sink += size;
    mg_arena_fini(&arena);
}

static void read_response(mg_str text)
{
    mg_h1_reader r = {0};
    mg_h1_response a;
    size_t size;
    const char *why;
    mg_arena_init(&arena, 1 << 20);
    MG_BUG_UNLESS(mg_h1_read_response(&r, &limits, text.p, text.n, &arena, &a, &size, &why) == MG_OK);
    sink += size;
    mg_arena_fini(&arena);
}

static void read_twice(mg_str text) /* in two pieces, so that it is checked once and stored once */
{
    mg_h1_reader r = {0};
    mg_h1_request q;
    size_t size;
    int status;
    const char *why;
    mg_arena_init(&arena, 1 << 20);
    MG_BUG_UNLESS(mg_h1_read_request(&r, &limits, text.p, text.n / 2, &arena, &q, &size, &status, &why) == MG_AGAIN);
    MG_BUG_UNLESS(mg_h1_read_request(&r, &limits, text.p, text.n, &arena, &q, &size, &status, &why) == MG_OK);
    sink += size;
    mg_arena_fini(&arena);
}

static void write_fields(mg_str text)
{
    char to[2048];
    MG_BUG_UNLESS(text.n < sizeof to && mg_h1_head_room(&to_write) < sizeof to);
    sink += (size_t)(mg_h1_put_fields(to, &to_write) - to);
}

static void normalize(mg_str path)
{
    mg_str out;
    const char *why;
    mg_arena_init(&arena, 1 << 20);
    MG_BUG_UNLESS(mg_path_normalize(path, &arena, &out, &why) == MG_OK);
    sink += out.n;
    mg_arena_fini(&arena);
}

static void decode_chunks(mg_str text)
{
    mg_h1_chunked c = {0};
    size_t at = 0, used;
    mg_str data;
    const char *why;
    mg_rc rc;
    do {
        rc = mg_h1_chunked_step(&c, text.p + at, text.n - at, &used, &data, &why);
        at += used;
        sink += data.n;
    } while (rc == MG_OK);
    MG_BUG_UNLESS(rc == MG_EOF);
}

/* Eight heads that differ in their fields, in an order that no branch predictor learns. */
static void read_mixed(mg_str text)
{
    static char heads[8][700];
    static size_t sizes[8];
    static uint32_t dice = 1;
    for (unsigned i = 0; !sizes[7]; i++) {
        int n = snprintf(
            heads[i], sizeof heads[i],
            "%s /%.*s HTTP/1.1\r\nHost: host%u.example.com\r\n%s%.*s%s%s%sX-Seq: %u\r\n%s\r\n", i % 3 ? "GET" : "HEAD",
            (int)(i * 11), "a/very/long/path/that/is/cut/at/some/length/or/other/for/each/of/them/x", i,
            i & 1 ? "Accept: */*\r\nDNT: 1\r\n" : "Accept: text/html\r\n", i & 2 ? 84 : 0,
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n",
            i & 4 ? "Accept-Encoding: gzip\r\nCookie: a=b; c=d; e=0123456789abcdef\r\n" : "",
            i & 1 ? "" : "Accept-Language: en\r\nSec-Fetch-Mode: navigate\r\n",
            i & 2 ? "Referer: https://www.example.com/a/b/c\r\n"
                  : "X-Request-Id: 0123456789\r\nAuthorization: Bearer x\r\n",
            i * 1000, i & 4 ? "Connection: keep-alive\r\n" : "Cache-Control: no-cache\r\nPragma: no-cache\r\n");
        MG_BUG_UNLESS(n > 0 && (size_t)n < sizeof heads[i]);
        sizes[i] = (size_t)n;
    }
    dice = dice * 1664525u + 1013904223u;
    unsigned i = dice >> 29;
    (void)text;
    read_request((mg_str){heads[i], sizes[i]});
}

static void measure(const char *name, void (*run)(mg_str), mg_str text)
{
    double best = 1e18;
    for (int i = 0; i < RUNS; i++) {
        double start = now_ns();
        for (unsigned long round = 0; round < rounds; round++)
            run(text);
        double each = (now_ns() - start) / (double)rounds;
        best = MG_MIN(best, each);
    }
    if (text.n)
        printf("%8.1f ns  %6.2f GB/s  %s\n", best, (double)text.n / best, name);
    else
        printf("%8.1f ns               %s\n", best, name);
}

static void measure_heads(const char *scanners)
{
    printf("-- %s scanners\n", scanners);
    measure("request, 1 field", read_request, small);
    measure("request, 8 fields of a browser", read_request, MG_STR(browser));
    measure("request, one of eight with 8 to 10 fields, in no order", read_mixed, MG_STR_NONE);
    measure("request, 8 fields, in two pieces", read_twice, MG_STR(browser));
    measure("answer, 8 fields", read_response, MG_STR(answer));
}

static void prepare_fields(bool changed)
{
    static mg_arena keep;
    mg_h1_reader r = {0};
    mg_h1_response a;
    size_t size;
    const char *why;
    mg_arena_init(&keep, 1 << 20);
    MG_BUG_UNLESS(mg_h1_read_response(&r, &limits, answer, sizeof answer - 1, &keep, &a, &size, &why) == MG_OK);
    to_write = a.msg.fields;
    for (uint32_t i = 0; changed && i < to_write.count; i++)
        to_write.at[i].flags = 0;
    if (!changed)
        (void)mg_fields_remove(&to_write, MG_FIELD_CONNECTION, MG_STR("connection"));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = strtoul(argv[1], NULL, 10);
    measure_heads("wide");
    mg_scan_use_portable(true);
    measure_heads("portable");
    mg_scan_use_portable(false);
    printf("-- writing\n");
    prepare_fields(false);
    measure("8 fields, one removed", write_fields, MG_STR(answer));
    prepare_fields(true);
    measure("8 fields, all changed", write_fields, MG_STR(answer));
    printf("-- paths and chunks\n");
    measure("a normal path", normalize, MG_STR("/assets/app/images/2026/logo.svg"));
    measure("a path to normalise", normalize, MG_STR("/assets/app/../images/%7euser/2026/logo.svg"));
    measure("3 small chunks", decode_chunks, MG_STR("5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n0\r\n"));
    return EXIT_SUCCESS;
}
