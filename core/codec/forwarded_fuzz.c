/*
 * forwarded_fuzz: any bytes as Forwarded, X-Forwarded-For, a node, a value to quote and an Accept field.
 *
 * Whatever the bytes: slices lie in the input, cutting ends, weights are 0 to 1000, and what was written is
 * read back as it was.
 */
#include "codec/forwarded.h"

#include "codec/accept.h"
#include "codec/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mg_str input;

static void check_slice(mg_str s)
{
    MG_BUG_UNLESS(!s.n || (s.p >= input.p && s.p + s.n <= input.p + input.n));
}

static void check_node(mg_str text)
{
    mg_str host, again;
    int port, again_port;
    mg_node_kind kind = mg_forwarded_node(text, &host, &port);
    if (kind == MG_NODE_BAD)
        return;
    check_slice(host);
    char *to = malloc(sizeof "for=" + host.n + MG_FORWARDED_NODE_ROOM);
    memcpy(to, "for=", 4);
    mg_str rest = {to, (size_t)(mg_forwarded_put_node(to + 4, host, port) - to)};
    mg_forwarded e;
    MG_BUG_UNLESS(mg_forwarded_prev(&rest, &e) && e.for_.p);
    MG_BUG_UNLESS(mg_forwarded_node(e.for_, &again, &again_port) == kind);
    MG_BUG_UNLESS(mg_str_eq(host, again) && port == again_port);
    free(to);
}

static void check_value(void)
{
    if (!mg_bytes_are(input, MG_BYTE_VALUE))
        return;
    char *to = malloc(sizeof "host=" + 2 * input.n + 2);
    memcpy(to, "host=", 5);
    mg_str rest = {to, (size_t)(mg_forwarded_put_value(to + 5, input) - to)};
    mg_forwarded e;
    MG_BUG_UNLESS(mg_forwarded_prev(&rest, &e));
    MG_BUG_UNLESS(!e.host.p || mg_str_eq(e.host, input)); /* one that needed escapes is not read */
    MG_BUG_UNLESS(!rest.n);
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    input = (mg_str){copy, size};
    mg_forwarded e;
    mg_str rest = input, node;
    for (size_t before = rest.n; mg_forwarded_prev(&rest, &e); before = rest.n) {
        MG_BUG_UNLESS(rest.n < before);
        check_slice(e.for_);
        check_slice(e.by);
        check_slice(e.host);
        check_slice(e.proto);
        check_node(e.for_);
    }
    rest = input;
    for (size_t before = rest.n; mg_forwarded_for_prev(&rest, &node); before = rest.n) {
        MG_BUG_UNLESS(rest.n < before && node.n);
        check_slice(node);
        check_node(node);
    }
    check_value();
    int weight = mg_accept_quality(input, MG_STR("application/json"));
    MG_BUG_UNLESS(weight >= 0 && weight <= 1000);
    free(copy);
    return 0;
}
