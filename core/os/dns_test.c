#include "os/dns.h"

#include "base/clock.h"
#include "base/test.h"
#include "os/file.h"
#include "os/name_server_test.h"

#include <unistd.h>

/* ---- the asking side ---- */

static mg_dns *dns;
static mg_timer guard;
static char hosts_path[64];

static void on_guard(mg_timer *t)
{
    bool waited_in_vain = true;
    (void)t;
    CHECK(!waited_in_vain);
    mg_loop_stop();
}

static void open_all(const mg_dns_config *base)
{
    char at[32];
    mg_err err = {""};
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
    open_server();
    mg_timer_init(&guard, on_guard);
    mg_timer_start(&guard, 10000);
    (void)snprintf(at, sizeof at, "127.0.0.1:%u", server.port);
    mg_dns_config c = base ? *base : (mg_dns_config){0};
    c.nameservers = at;
    c.timeout_ms = c.timeout_ms ? c.timeout_ms : 500;
    c.hosts_file = c.hosts_file ? c.hosts_file : "";
    dns = mg_dns_open(&c, &err);
    CHECK_STR(mg_str_of(err.text), MG_STR(""));
    MG_BUG_UNLESS(dns);
}

static void close_all(void)
{
    mg_dns_close(dns);
    dns = NULL;
    close_server();
    mg_timer_stop(&guard);
    mg_loop_close();
}

/* A question and what came of it, in words: "10.0.0.1 10.0.0.2 fd00::1" or "!no such name". */
typedef struct {
    mg_dns_query q;
    char said[4096];
    int64_t ttl_ms;
    int calls;
    bool at_once;
    void (*then)(mg_dns_query *q); /* what the callback does besides */
} asked;

static int waited; /* callbacks that are still to come before the loop stops */

static void write_down(asked *a, const mg_dns_answer *answer_of)
{
    size_t n = 0;
    a->said[0] = '\0';
    a->ttl_ms = answer_of->ttl_ms;
    if (answer_of->error) {
        CHECK_INT(answer_of->count, 0);
        (void)snprintf(a->said, sizeof a->said, "!%s", answer_of->error);
        return;
    }
    for (int i = 0; i < answer_of->count; i++) {
        if (i)
            a->said[n++] = ' ';
        CHECK_INT(mg_addr_port(&answer_of->addrs[i]), 0);
        n += mg_addr_print_ip(&answer_of->addrs[i], a->said + n);
    }
}

static void on_answer(mg_dns_query *q, const mg_dns_answer *answer_of)
{
    asked *a = MG_OWNER(q, asked, q);
    a->calls++;
    write_down(a, answer_of);
    if (a->then)
        a->then(q);
    if (--waited == 0)
        mg_loop_stop();
}

static void begin(asked *a, const char *name)
{
    mg_dns_answer now;
    void (*then)(mg_dns_query *) = a->then;
    memset(a, 0, sizeof *a);
    a->then = then;
    a->q.on_answer = on_answer;
    a->at_once = mg_dns_ask(dns, mg_str_of(name), &a->q, &now);
    if (a->at_once)
        write_down(a, &now);
    else
        waited++;
}

static const char *ask(const char *name)
{
    static asked a;
    waited = 0;
    a.then = NULL;
    begin(&a, name);
    if (!a.at_once)
        mg_loop_run();
    CHECK_INT(a.calls, !a.at_once);
    return a.said;
}

#define CHECK_ASK(name, wanted) CHECK_STR(mg_str_of(ask(name)), MG_STR(wanted))

/* ---- the tests ---- */

TEST("a name has its IPv4 addresses first and its IPv6 addresses behind them")
{
    open_all(NULL);
    CHECK_ASK("two.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_ASK("only4.test", "10.0.0.1 10.0.0.2");
    CHECK_ASK("only6.test", "fd00::1");
    CHECK_INT(server.asked_a, 3);
    CHECK_INT(server.asked_aaaa, 3);
    close_all();
}

TEST("digits are answered at once, in one turn as often as asked")
{
    open_all(NULL);
    mg_dns_query q = {0};
    mg_dns_answer one, two, three;
    char text[MG_ADDR_ROOM];
    CHECK(mg_dns_ask(dns, MG_STR("127.0.0.1"), &q, &one) && one.count == 1);
    CHECK(mg_dns_ask(dns, MG_STR("[fd00::5]"), &q, &two) && two.count == 1);
    CHECK(mg_dns_ask(dns, MG_STR("::1"), &q, &three) && three.count == 1);
    (void)mg_addr_print_ip(one.addrs, text);
    CHECK_STR(mg_str_of(text), MG_STR("127.0.0.1"));
    (void)mg_addr_print_ip(two.addrs, text);
    CHECK_STR(mg_str_of(text), MG_STR("fd00::5"));
    mg_dns_cancel(&q);
    CHECK_INT(server.asked_a, 0);
    close_all();
}

TEST("what cannot be a name is refused at once")
{
    open_all(NULL);
    static const char *const names[] = {"",    ".",   "..",  "a..b",          ".a",
                                        "a b", "a/b", "a\n", "\xc3\xa4.test", "1.2.3.4:80"};
    for (size_t i = 0; i < MG_COUNT(names); i++)
        CHECK_STR(mg_str_of(ask(names[i])), MG_STR("!not a name"));
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[254] = '\0';
    CHECK_STR(mg_str_of(ask(longest)), MG_STR("!not a name"));
    longest[64] = '.', longest[70] = '\0'; /* a label of 64 is one too many (RFC 1035 section 2.3.4) */
    CHECK_STR(mg_str_of(ask(longest)), MG_STR("!not a name"));
    CHECK_INT(server.asked_a, 0);
    close_all();
}

TEST("an answer is kept, whatever the letter case and the last dot, until its TTL is over")
{
    mg_dns_config c = {.min_ttl_ms = 1, .max_ttl_ms = 30};
    open_all(&c);
    CHECK_ASK("Keep.Test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_ASK("keep.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_ASK("KEEP.test.", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_INT(server.asked_a, 1);
    int64_t until = mg_clock_precise_us() + 5000000;
    while (server.asked_a == 1 && mg_clock_precise_us() < until) {
        mg_clock_update();
        CHECK_ASK("keep.test", "10.0.0.1 10.0.0.2 fd00::1");
    }
    CHECK_INT(server.asked_a, 2);
    close_all();
}

TEST("the TTL is the shortest of all records, within the bounds of the configuration")
{
    mg_dns_config c = {.min_ttl_ms = 2000, .max_ttl_ms = 100000};
    asked a = {0};
    static const struct {
        const char *name;
        int64_t ttl_ms;
    } cases[] = {{"zero.test", 2000}, {"long.test", 100000}, {"plain.test", 60000}, {"alias.test", 5000}};
    open_all(&c);
    for (size_t i = 0; i < MG_COUNT(cases); i++) {
        begin(&a, cases[i].name);
        mg_loop_run();
        CHECK_FOR(a.ttl_ms <= cases[i].ttl_ms && a.ttl_ms > cases[i].ttl_ms - 1000, cases[i].name);
    }
    CHECK_STR(mg_str_of(a.said), MG_STR("10.0.0.9 fd00::9"));
    close_all();
}

TEST("a name that does not exist is remembered as such for a while")
{
    open_all(NULL);
    CHECK_ASK("none.test", "!no such name");
    CHECK_ASK("none.test", "!no such name");
    CHECK_INT(server.asked_a, 1);
    CHECK_ASK("empty.test", "!the name has no address");
    CHECK_ASK("empty.test", "!the name has no address");
    CHECK_INT(server.asked_a, 2);
    close_all();
}

TEST("a server that fails or refuses is an error, remembered for a moment")
{
    mg_dns_config c = {.attempts = 1};
    open_all(&c);
    CHECK_ASK("fail.test", "!the name servers fail");
    CHECK_ASK("refuse.test", "!the name servers fail");
    int so_far = server.asked_a;
    CHECK_ASK("fail.test", "!the name servers fail");
    CHECK_INT(server.asked_a, so_far);
    close_all();
}

TEST("silence and garbage end in a timeout after the tries that were asked for")
{
    mg_dns_config c = {.timeout_ms = 20, .attempts = 3};
    open_all(&c);
    int64_t start = mg_clock_precise_us();
    CHECK_ASK("silent.test", "!timeout");
    CHECK_INT(server.asked_a, 3);
    CHECK(mg_clock_precise_us() - start >= (20 + 40 + 80 - 3) * 1000);
    CHECK_ASK("garbage.test", "!timeout");
    CHECK_INT(server.asked_a, 6);
    close_all();
}

TEST("a server that is not there is an error at once")
{
    open_all(NULL);
    mg_io_stop(&server.udp);
    mg_socket_close(server.udp_fd);
    server.udp_fd = -1;
    CHECK_ASK("gone.test", "!the name servers fail");
    close_all();
}

TEST("a truncated answer is asked for again over TCP")
{
    open_all(NULL);
    CHECK_ASK("trunc.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_INT(server.over_tcp, 2);
    close_all();
}

TEST("of very many addresses the first are taken")
{
    asked a = {0};
    open_all(NULL);
    begin(&a, "many.test");
    mg_loop_run();
    int spaces = 0;
    for (const char *p = a.said; *p; p++)
        spaces += *p == ' ';
    CHECK_INT(spaces + 1, MG_DNS_ADDRS_MOST);
    CHECK(mg_str_starts(mg_str_of(a.said), MG_STR("10.0.0.0 10.0.0.1 ")));
    close_all();
}

TEST("who asks for a name that is being asked for shares the query")
{
    enum { ASKERS = 20 };
    static asked all[ASKERS];
    open_all(NULL);
    waited = 0;
    for (int i = 0; i < ASKERS; i++)
        begin(&all[i], i % 2 ? "shared.test" : "SHARED.test");
    mg_loop_run();
    for (int i = 0; i < ASKERS; i++) {
        CHECK_INT(all[i].calls, 1);
        CHECK_STR(mg_str_of(all[i].said), MG_STR("10.0.0.1 10.0.0.2 fd00::1"));
    }
    CHECK_INT(server.asked_a, 1);
    close_all();
}

static asked one, two, three;

static void cancel_two(mg_dns_query *q)
{
    (void)q;
    mg_dns_cancel(&two.q);
    waited--;
}

TEST("one who is called back may cancel another who waits for the same answer")
{
    open_all(NULL);
    waited = 0;
    one.then = cancel_two;
    begin(&one, "c.test");
    begin(&two, "c.test");
    begin(&three, "c.test");
    mg_loop_run();
    CHECK_INT(one.calls, 1);
    CHECK_INT(two.calls, 0);
    CHECK_INT(three.calls, 1);
    mg_dns_cancel(&two.q);
    mg_dns_cancel(&one.q);
    one.then = NULL;
    close_all();
}

TEST("a cancelled question's answer still fills the cache")
{
    open_all(NULL);
    waited = 0;
    begin(&one, "fill.test");
    mg_dns_cancel(&one.q);
    CHECK_ASK("other.test", "10.0.0.1 10.0.0.2 fd00::1"); /* asked behind it, so answered behind it */
    waited = 0;
    begin(&two, "fill.test");
    CHECK(two.at_once);
    CHECK_INT(one.calls, 0);
    CHECK_INT(server.asked_a, 2);
    close_all();
}

static void ask_more(mg_dns_query *q)
{
    (void)q;
    begin(&two, "more.test");
    begin(&three, "first.test"); /* the very name whose answer is being told */
}

TEST("one who is called back may ask again, and has the same answer at once")
{
    open_all(NULL);
    waited = 0;
    one.then = ask_more;
    begin(&one, "first.test");
    mg_loop_run();
    one.then = NULL;
    CHECK(three.at_once && !two.at_once);
    CHECK_INT(two.calls, 1);
    CHECK_STR(mg_str_of(two.said), MG_STR("10.0.0.1 10.0.0.2 fd00::1"));
    CHECK_STR(mg_str_of(three.said), MG_STR("10.0.0.1 10.0.0.2 fd00::1"));
    CHECK_INT(server.asked_a, 2);
    close_all();
}

TEST("closing with questions under way tells each of them")
{
    open_all(NULL);
    waited = 0;
    begin(&one, "silent1.test");
    begin(&two, "silent1.test");
    begin(&three, "silent2.test");
    mg_dns_cancel(&two.q);
    mg_dns_close(dns);
    dns = NULL;
    CHECK_STR(mg_str_of(one.said), MG_STR("!resolver closed"));
    CHECK_STR(mg_str_of(three.said), MG_STR("!resolver closed"));
    CHECK_INT(two.calls, 0);
    close_all();
}

static void close_resolver(mg_dns_query *q)
{
    (void)q;
    mg_dns *d = dns;
    dns = NULL;
    mg_dns_answer now;
    mg_dns_query late = {.on_answer = on_answer};
    mg_dns_close(d);
    CHECK(mg_dns_ask(d, MG_STR("late.test"), &late, &now) && now.error);
}

TEST("one who is called back may close the resolver, and the others are still told")
{
    open_all(NULL);
    waited = 0;
    one.then = close_resolver;
    begin(&one, "x.test");
    begin(&two, "x.test");
    begin(&three, "silent.test");
    mg_loop_run();
    one.then = NULL;
    CHECK_STR(mg_str_of(one.said), MG_STR("10.0.0.1 10.0.0.2 fd00::1"));
    CHECK_STR(mg_str_of(two.said), MG_STR("10.0.0.1 10.0.0.2 fd00::1"));
    CHECK_STR(mg_str_of(three.said), MG_STR("!resolver closed"));
    close_all();
}

TEST("the cache is bounded and forgets the name that was not asked for longest")
{
    char name[32];
    open_all(NULL);
    for (int i = 0; i < MG_DNS_NAMES; i++) {
        (void)snprintf(name, sizeof name, "n%d.test", i);
        CHECK_FOR(ask(name)[0] == '1', name);
    }
    CHECK_INT(server.asked_a, MG_DNS_NAMES);
    CHECK_ASK("n0.test", "10.0.0.1 10.0.0.2 fd00::1"); /* in use again, so n1 is the oldest now */
    CHECK_INT(server.asked_a, MG_DNS_NAMES);
    CHECK_ASK("onemore.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_ASK("n0.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_INT(server.asked_a, MG_DNS_NAMES + 1);
    CHECK_ASK("n1.test", "10.0.0.1 10.0.0.2 fd00::1");
    CHECK_INT(server.asked_a, MG_DNS_NAMES + 2);
    close_all();
}

TEST("an answer from the cache stays good through the turn when its name is pushed out")
{
    char name[32], text[MG_ADDR_ROOM];
    open_all(NULL);
    for (int i = 0; i < MG_DNS_NAMES; i++) {
        (void)snprintf(name, sizeof name, "n%d.test", i);
        CHECK_FOR(ask(name)[0] == '1', name);
    }
    mg_dns_query q = {0};
    mg_dns_answer now;
    CHECK(mg_dns_ask(dns, MG_STR("n0.test"), &q, &now) && now.count == 3);
    static asked more[MG_DNS_NAMES];
    waited = 0;
    for (int i = 0; i < MG_DNS_NAMES; i++) {
        (void)snprintf(name, sizeof name, "m%d.test", i);
        begin(&more[i], name);
    }
    begin(&one, "toomany.test");
    CHECK_STR(mg_str_of(one.said), MG_STR("!too many names are being asked for"));
    (void)mg_addr_print_ip(&now.addrs[2], text);
    CHECK_STR(mg_str_of(text), MG_STR("fd00::1"));
    mg_dns_close(dns);
    dns = NULL;
    close_all();
}

static void write_hosts(const char *text)
{
    mg_err err;
    CHECK(mg_file_write(hosts_path, mg_str_of(text), 0600, &err) == MG_OK);
}

TEST("the hosts file is answered from at once, IPv4 first, and read anew when it changed")
{
    (void)snprintf(hosts_path, sizeof hosts_path, "/tmp/mg-hosts-%d", (int)getpid());
    write_hosts("# comment\n"
                "fd00::7\tdb db.internal # more\n"
                "10.7.7.7  DB   other\n"
                "not-an-address broken\n"
                "10.7.7.7 db\r\n"
                "10.7.7.8 last");
    mg_dns_config c = {.hosts_file = hosts_path};
    open_all(&c);
    CHECK_ASK("db", "10.7.7.7 fd00::7");
    CHECK_ASK("Db.Internal", "fd00::7");
    CHECK_ASK("last", "10.7.7.8");
    CHECK_ASK("broken", "10.0.0.1 10.0.0.2 fd00::1"); /* from the server */
    CHECK_INT(server.asked_a, 1);
    write_hosts("10.8.8.8 db added\n");
    int64_t until = mg_clock_precise_us() + 5000000;
    while (strcmp(ask("db"), "10.8.8.8") != 0 && mg_clock_precise_us() < until)
        mg_clock_update();
    CHECK_ASK("db", "10.8.8.8");
    CHECK_ASK("added", "10.8.8.8");
    CHECK(unlink(hosts_path) == 0);
    close_all();
}

TEST("localhost needs neither file nor server")
{
    open_all(NULL);
    CHECK_ASK("localhost", "127.0.0.1 ::1");
    CHECK_ASK("web.localhost.", "127.0.0.1 ::1");
    CHECK_INT(server.asked_a, 0);
    close_all();
}

TEST("name servers that are none are refused with a sentence")
{
    mg_err err = {""};
    mg_dns_config c = {.nameservers = "not a server"};
    CHECK(mg_loop_open() == MG_OK);
    CHECK(mg_dns_open(&c, &err) == NULL);
    CHECK(mg_str_starts(mg_str_of(err.text), MG_STR("resolver: name servers 'not a server': ")));
    mg_loop_close();
}
