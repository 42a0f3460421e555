#include "os/addr.h"

#include "base/test.h"

#include <arpa/inet.h>
#include <sys/un.h>

static const char *printed(const mg_addr *a)
{
    static char text[MG_ADDR_ROOM];
    size_t n = mg_addr_print(a, text);
    CHECK_INT(n, strlen(text));
    return text;
}

static const char *ip(const mg_addr *a)
{
    static char text[MG_ADDR_ROOM];
    size_t n = mg_addr_print_ip(a, text);
    CHECK_INT(n, strlen(text));
    return text;
}

TEST("addresses are printed as they were written")
{
    static const char *const texts[] = {"1.2.3.4:80",    "0.0.0.0:0",          "255.255.255.255:65535", "[::1]:80",
                                        "[fd00::a]:443", "[::ffff:1.2.3.4]:9", "unix:/run/x.sock",      "unix:x"};
    for (size_t i = 0; i < MG_COUNT(texts); i++) {
        mg_addr a;
        CHECK_FOR(mg_addr_parse(texts[i], &a) == MG_OK, texts[i]);
        CHECK_STR(mg_str_of(printed(&a)), mg_str_of(texts[i]));
    }
}

TEST("a star or nothing before the port means all IPv4 addresses")
{
    mg_addr a;
    CHECK(mg_addr_parse("*:80", &a) == MG_OK);
    CHECK_STR(mg_str_of(printed(&a)), MG_STR("0.0.0.0:80"));
    CHECK(mg_addr_parse(":8080", &a) == MG_OK);
    CHECK_STR(mg_str_of(printed(&a)), MG_STR("0.0.0.0:8080"));
}

TEST("what is no address in numbers is refused")
{
    static const char *const texts[] = {"",
                                        "1.2.3.4",
                                        "1.2.3.4:",
                                        "1.2.3.4:x",
                                        "1.2.3.4:65536",
                                        "1.2.3.4:-1",
                                        "1.2.3.4:+1",
                                        "1.2.3.4: 80",
                                        "1.2.3:80",
                                        "01.2.3.4:80",
                                        "256.1.1.1:80",
                                        "name:80",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]80",
                                        "[::1:80",
                                        "[]:80",
                                        "[1.2.3.4]:80",
                                        "[::1]:",
                                        "[:::1]:80",
                                        "unix:",
                                        "1.2.3.4:000080",
                                        "[::1%]:80",
                                        "[::1%nosuchif0]:80",
                                        "1.2.3.4%1:80"};
    for (size_t i = 0; i < MG_COUNT(texts); i++) {
        mg_addr a;
        CHECK_FOR(mg_addr_parse(texts[i], &a) == MG_BAD, texts[i]);
        CHECK_FOR(a.u.family == AF_UNSPEC, texts[i]);
    }
    char path[256] = "unix:/";
    mg_addr a;
    memset(path + 6, 'x', MG_ADDR_PATH_MOST - 1);
    CHECK(mg_addr_parse(path, &a) == MG_OK);
    path[5 + MG_ADDR_PATH_MOST] = 'x';
    CHECK(mg_addr_parse(path, &a) == MG_BAD);
}

TEST("a host and its port are taken apart without being looked up")
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {{"example.com:80", "example.com", 80}, {"[::1]:443", "::1", 443}, {":1", "", 1}, {"a:0", "a", 0}};
    for (size_t i = 0; i < MG_COUNT(cases); i++) {
        mg_str host;
        uint16_t port;
        CHECK_FOR(mg_addr_split(mg_str_of(cases[i].text), &host, &port) == MG_OK, cases[i].text);
        CHECK_STR(host, mg_str_of(cases[i].host));
        CHECK_INT(port, cases[i].port);
    }
    mg_str host;
    uint16_t port;
    CHECK(mg_addr_split(MG_STR("example.com"), &host, &port) == MG_BAD);
    CHECK(mg_addr_split(MG_STR("a:b:80"), &host, &port) == MG_BAD);
}

TEST("link-local addresses keep their zone")
{
    mg_addr a, b;
    CHECK(mg_addr_parse("[fe80::1%1]:80", &a) == MG_OK && a.u.v6.sin6_scope_id == 1);
    CHECK(mg_addr_parse(printed(&a), &b) == MG_OK && mg_addr_eq(&a, &b));
}

TEST("an IPv4-mapped address is printed as IPv4 when only the address is asked for")
{
    mg_addr a;
    CHECK(mg_addr_parse_ip(MG_STR("::ffff:10.1.2.3"), &a) == MG_OK);
    CHECK_STR(mg_str_of(ip(&a)), MG_STR("10.1.2.3"));
    CHECK(mg_addr_parse("unix:/x", &a) == MG_OK);
    CHECK_STR(mg_str_of(ip(&a)), MG_STR("unix"));
    CHECK(mg_addr_parse_ip(MG_STR("[fd00::1]"), &a) == MG_OK);
    CHECK_STR(mg_str_of(ip(&a)), MG_STR("fd00::1"));
}

TEST("addresses are equal in family, address and port or path")
{
    static const char *const texts[] = {"1.2.3.4:80", "1.2.3.4:81", "1.2.3.5:80", "[::1]:80",
                                        "[::2]:80",   "unix:/a",    "unix:/b"};
    for (size_t i = 0; i < MG_COUNT(texts); i++)
        for (size_t j = 0; j < MG_COUNT(texts); j++) {
            mg_addr a, b;
            CHECK(mg_addr_parse(texts[i], &a) == MG_OK && mg_addr_parse(texts[j], &b) == MG_OK);
            CHECK_FOR(mg_addr_eq(&a, &b) == (i == j), texts[i]);
        }
}

TEST("what the kernel is given comes back the same")
{
    struct sockaddr_storage sa;
    mg_addr a, b;
    CHECK(mg_addr_parse("[fd00::7]:70", &a) == MG_OK);
    CHECK_INT(mg_addr_sockaddr(&a, &sa), sizeof(struct sockaddr_in6));
    mg_addr_from(&b, (struct sockaddr *)&sa);
    CHECK(mg_addr_eq(&a, &b));
    CHECK(mg_addr_parse("unix:/run/s", &a) == MG_OK);
    CHECK_INT(mg_addr_sockaddr(&a, &sa), offsetof(struct sockaddr_un, sun_path) + 7);
}

static bool has(const mg_cidrs *c, const char *text)
{
    mg_addr a;
    return mg_addr_parse_ip(mg_str_of(text), &a) == MG_OK && mg_cidrs_has(c, &a);
}

static mg_cidrs *set_of(const char *list)
{
    mg_cidrs *c = mg_cidrs_new();
    mg_str rest = mg_str_of(list), item;
    mg_err err;
    while (mg_str_next_item(&rest, &item))
        if (mg_cidrs_add(c, item, &err) != MG_OK)
            CHECK_STR(mg_str_of(err.text), MG_STR(""));
    return c;
}

TEST("a set of networks holds their first and last address and not those beside them")
{
    mg_cidrs *c = set_of("10.0.0.0/8, 192.168.1.128/25, 1.2.3.4, fd00::/8, 2001:db8::5");
    static const char *const in[] = {"10.0.0.0",
                                     "10.255.255.255",
                                     "192.168.1.128",
                                     "192.168.1.255",
                                     "1.2.3.4",
                                     "fd00::",
                                     "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                     "2001:db8::5",
                                     "::ffff:10.0.0.1"};
    static const char *const out[] = {
        "9.255.255.255", "11.0.0.0", "192.168.1.127", "192.168.2.0", "1.2.3.3", "1.2.3.5",
        "fc00::",        "fe00::",   "2001:db8::4",   "2001:db8::6", "::1",     "::ffff:11.0.0.0"};
    for (size_t i = 0; i < MG_COUNT(in); i++)
        CHECK_FOR(has(c, in[i]), in[i]);
    for (size_t i = 0; i < MG_COUNT(out); i++)
        CHECK_FOR(!has(c, out[i]), out[i]);
    mg_cidrs_free(c);
}

TEST("all of IPv6 does not hold IPv4, and mapped networks count as IPv4")
{
    mg_cidrs *c = set_of("::/0");
    CHECK(has(c, "::") && has(c, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    CHECK(!has(c, "1.2.3.4") && !has(c, "::ffff:1.2.3.4"));
    mg_cidrs_free(c);
    c = set_of("::ffff:10.0.0.0/104");
    CHECK(has(c, "10.9.9.9") && !has(c, "11.0.0.0"));
    mg_cidrs_free(c);
    c = set_of("0.0.0.0/0");
    CHECK(has(c, "255.255.255.255") && has(c, "0.0.0.0") && !has(c, "::1"));
    mg_cidrs_free(c);
}

TEST("UNIX peers are in a set only when it says so, and nobody is in no set")
{
    mg_addr local;
    CHECK(mg_addr_parse("unix:/x", &local) == MG_OK);
    mg_cidrs *c = set_of("10.0.0.0/8");
    CHECK(!mg_cidrs_has(c, &local));
    mg_err err;
    CHECK(mg_cidrs_add(c, MG_STR("unix"), &err) == MG_OK && mg_cidrs_has(c, &local));
    CHECK(!mg_cidrs_has(NULL, &local));
    mg_cidrs_free(c);
}

TEST("a wrong network is refused with what would be right")
{
    static const struct {
        const char *cidr, *sentence;
    } cases[] = {
        {"10.0.0.1/8", "'10.0.0.1/8' has bits set behind its prefix; did you mean '10.0.0.0/8'?"},
        {"fd00::1/8", "'fd00::1/8' has bits set behind its prefix; did you mean 'fd00::/8'?"},
        {"::ffff:10.0.0.1/104", "'::ffff:10.0.0.1/104' has bits set behind its prefix; did you mean '10.0.0.0/8'?"},
        {"10.0.0.0/33", "'10.0.0.0/33': the prefix is a number from 0 to 32"},
        {"::/129", "'::/129': the prefix is a number from 0 to 128"},
        {"10.0.0.0/", "'10.0.0.0/': the prefix is a number from 0 to 32"},
        {"10.0.0/8", "'10.0.0/8' is not a network like 10.0.0.0/8 or fd00::/8"},
        {"", "'' is not a network like 10.0.0.0/8 or fd00::/8"},
    };
    mg_cidrs *c = mg_cidrs_new();
    for (size_t i = 0; i < MG_COUNT(cases); i++) {
        mg_err err = {""};
        CHECK(mg_cidrs_add(c, mg_str_of(cases[i].cidr), &err) == MG_FAIL);
        CHECK_STR(mg_str_of(err.text), mg_str_of(cases[i].sentence));
    }
    mg_cidrs_free(c);
}

TEST("a set agrees with a search through all its networks, whatever they are")
{
    enum { NETWORKS = 60, ROUNDS = 40, QUESTIONS = 500 };
    unsigned random = 7;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t from[NETWORKS], to[NETWORKS];
        mg_cidrs *c = mg_cidrs_new();
        for (int i = 0; i < NETWORKS; i++) {
            unsigned prefix = 8 + (unsigned)rand_r(&random) % 25;
            uint32_t behind = prefix == 32 ? 0 : UINT32_MAX >> prefix;
            from[i] = ((uint32_t)rand_r(&random) << 8 | ((uint32_t)rand_r(&random) & 255)) & 0x0affffff & ~behind;
            to[i] = from[i] | behind;
            char text[64];
            struct in_addr a = {htonl(from[i])};
            (void)snprintf(text, sizeof text, "%s/%u", inet_ntoa(a), prefix);
            mg_err err;
            CHECK_FOR(mg_cidrs_add(c, mg_str_of(text), &err) == MG_OK, text);
        }
        for (int q = 0; q < QUESTIONS; q++) {
            uint32_t n = q % 3 == 0   ? from[q % NETWORKS] - 1
                         : q % 3 == 1 ? to[q % NETWORKS] + 1
                                      : ((uint32_t)rand_r(&random) << 8) & 0x0affffff;
            bool expected = false;
            for (int i = 0; i < NETWORKS; i++)
                expected |= from[i] <= n && n <= to[i];
            mg_addr a = {.u.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(n)}};
            CHECK_FOR(mg_cidrs_has(c, &a) == expected, ip(&a));
        }
        mg_cidrs_free(c);
    }
}
