#include "codec/h1_write.h"

#include "base/test.h"
#include "codec/h1_head.h"

static mg_arena arena;

static mg_fields read_fields(mg_str text)
{
    static const mg_h1_limits limits = {.line_most = 100, .head_most = 1000, .fields_most = 20};
    mg_h1_reader r = {0};
    mg_h1_response a = {0};
    size_t size;
    const char *why = NULL;
    mg_arena_fini(&arena);
    mg_arena_init(&arena, 1 << 20);
    CHECK_INT(mg_h1_read_response(&r, &limits, text.p, text.n, &arena, &a, &size, &why), MG_OK);
    return a.msg.fields;
}

static void prints(const mg_fields *f, const char *wanted)
{
    size_t room = mg_h1_head_room(f);
    char *to = malloc(room ? room : 1), *end = mg_h1_put_fields(to, f);
    CHECK_INT(end - to, room);
    CHECK_STR(((mg_str){to, room}), mg_str_of(wanted));
    free(to);
}

#define HEAD "HTTP/1.1 200 OK\r\n"

TEST("fields are written as they were read")
{
    mg_fields f = read_fields(MG_STR(HEAD "A: b\r\nC: \r\nServer: x y\r\n\r\n"));
    prints(&f, "A: b\r\nC: \r\nServer: x y\r\n");
}

TEST("blanks around values are not written again")
{
    mg_fields f = read_fields(MG_STR(HEAD "A:b\r\nC:  d\r\nE: f \t\r\nG:\th\r\nI:\r\nJ:   \r\n\r\n"));
    prints(&f, "A: b\r\nC: d\r\nE: f\r\nG: h\r\nI: \r\nJ: \r\n");
}

TEST("removed fields are left out, wherever they stand")
{
    for (unsigned mask = 0; mask < 16; mask++) {
        mg_fields f = read_fields(MG_STR(HEAD "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"));
        char wanted[40] = "", *at = wanted;
        for (unsigned i = 0; i < 4; i++) {
            if (mask >> i & 1)
                f.at[i].flags |= MG_FIELD_GONE;
            else
                at += snprintf(at, 10, "%c: %u\r\n", 'A' + i, i + 1);
        }
        prints(&f, wanted);
    }
}

TEST("changed and added fields are written with what they hold now")
{
    mg_fields f = read_fields(MG_STR(HEAD "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"));
    CHECK_INT(mg_fields_set(&f, MG_FIELD_OTHER, MG_STR("b"), MG_STR("two")), MG_OK);
    CHECK_INT(mg_fields_add(&f, MG_FIELD_VIA, MG_STR("via"), MG_STR("1.1 x")), MG_OK);
    f.at[2].value = MG_STR("three");
    prints(&f, "A: 1\r\nb: two\r\nC: three\r\nvia: 1.1 x\r\n");
}

TEST("a slice that was changed in place is not taken for what was read")
{
    mg_fields f = read_fields(MG_STR(HEAD "Aa: 1234\r\nB: 2\r\nC: 3\r\n\r\n"));
    f.at[0].value.n = 2;
    f.at[1].value.p = f.at[2].value.p;
    prints(&f, "Aa: 12\r\nB: 3\r\nC: 3\r\n");
    f.at[0].name.n = 1;
    prints(&f, "A: 12\r\nB: 3\r\nC: 3\r\n");
}

TEST("no fields are no bytes")
{
    mg_fields f = read_fields(MG_STR(HEAD "\r\n"));
    prints(&f, "");
}

TEST("status lines are prebuilt for registered statuses alone")
{
    CHECK_STR(mg_h1_status_line(200), MG_STR("HTTP/1.1 200 OK\r\n"));
    CHECK_STR(mg_h1_status_line(100), MG_STR("HTTP/1.1 100 Continue\r\n"));
    CHECK_STR(mg_h1_status_line(511), MG_STR("HTTP/1.1 511 Network Authentication Required\r\n"));
    CHECK(!mg_h1_status_line(99).p);
    CHECK(!mg_h1_status_line(418).p);
    CHECK(!mg_h1_status_line(512).p);
    CHECK_STR(mg_status_reason(404), MG_STR("Not Found"));
    CHECK_STR(mg_status_reason(299), MG_STR(""));
    CHECK_STR(mg_status_reason(0), MG_STR(""));
}

TEST("any status can be written, and is what the reader reads")
{
    for (unsigned status = 100; status < 600; status++) {
        char head[64], *end = mg_h1_put_status(head, status, MG_STR("Because"));
        CHECK_INT(end - head, MG_H1_STATUS_ROOM + 7);
        end = mg_h1_put(end, MG_STR("\r\n"));
        static const mg_h1_limits limits = {.line_most = 100, .head_most = 1000, .fields_most = 20};
        mg_h1_reader r = {0};
        mg_h1_response a;
        size_t size;
        const char *why;
        CHECK_INT(mg_h1_read_response(&r, &limits, head, (size_t)(end - head), &arena, &a, &size, &why), MG_OK);
        CHECK_INT(a.status, status);
        CHECK_STR(a.reason, MG_STR("Because"));
    }
}
