#include "exchange/world_test.h"

#include <sys/stat.h>

/* ---- a file -------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/moongate-access-XXXXXX";
static char path[64], text[8192];

static void open_file(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    MG_BUG_UNLESS(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/access.log", folder);
    open_world();
}

static void close_file(void)
{
    char other[80];
    close_world();
    (void)snprintf(other, sizeof other, "%s.1", path);
    (void)unlink(other);
    (void)unlink(path);
    (void)rmdir(folder);
}

static mg_access_log *open_log(mg_access_log_format format)
{
    mg_err err;
    mg_access_log *l = mg_access_log_open(path, format, &err);
    MG_BUG_UNLESS(l);
    return l;
}

static const char *contents(const char *of)
{
    int fd = open(of, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    text[MG_MAX(n, 0)] = '\0';
    return text;
}

/* ---- lines of exchanges -------------------------------------------------------------------------- */

static mg_hook_result names_itself(mg_exchange *x)
{
    (void)mg_exchange_request_id(x);
    return MG_HOOK_DONE;
}

/* The line that this request leaves, answered by a reply with two bytes. */
static const char *line_for(mg_access_log_format format, const char *request)
{
    wire c;
    open_file();
    world.gen->access_log = open_log(format);
    mg_route *r = route_to("/*", MG_ACTION_REPLY);
    r->reply.status = 201;
    r->reply.body = MG_STR("ok");
    hook(r, MG_PHASE_ACCESS, names_itself);
    connect_client(&c);
    say(&c, request);
    CHECK(ended(1));
    settle();
    (void)contents(path);
    hang_up(&c);
    mg_access_log_close(world.gen->access_log);
    close_file();
    return text;
}

TEST("the combined format has address, time, request, status, bytes, referer, agent, end and microseconds")
{
    char request[40], agent[40], end[40];
    int year, status, bytes;
    long took;
    const char *line = line_for(MG_ACCESS_LOG_COMBINED, "GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8 (x)\r\n\r\n");
    int n = sscanf(line, "192.0.2.1 - - [%*2d/%*3s/%d:%*2d:%*2d:%*2d +0000] \"%39[^\"]\" %d %d \"-\" \"%39[^\"]\" %39s %ld\n",
                   &year, request, &status, &bytes, agent, end, &took);
    CHECK_INT(n, 7);
    CHECK(year >= 2024 && took >= 0 && took < 5000000);
    CHECK_STR(mg_str_of(request), MG_STR("GET /a?b HTTP/1.1"));
    CHECK_INT(status, 201);
    CHECK_INT(bytes, 2);
    CHECK_STR(mg_str_of(agent), MG_STR("curl/8 (x)"));
    CHECK_STR(mg_str_of(end), MG_STR("done"));
}

TEST("what a client sends cannot forge a line or end a quoted text")
{
    const char *line = line_for(MG_ACCESS_LOG_COMBINED,
                                "GET /a\"b HTTP/1.1\r\nHost: h\r\nReferer: a\"b\\c\r\nUser-Agent: a\tb\r\n\r\n");
    CHECK(strstr(line, "\"GET /a\\\"b HTTP/1.1\" ") || strstr(line, " 400 "));
    CHECK(strstr(line, " \"a\\\"b\\\\c\" \"a\\x09b\" ") != NULL);
    CHECK(strchr(line, '\n') == line + strlen(line) - 1);
}

TEST("the JSON format is one object a line, with what is known and nothing of what is not")
{
    const char *line = line_for(MG_ACCESS_LOG_JSON, "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: \"\xc3\xa9\"\t\\\r\n\r\n");
    static const char *const parts[] = {
        "{\"time\":\"20", "\"client_ip\":\"192.0.2.1\"", "\"method\":\"GET\"", "\"host\":\"h\"", "\"target\":\"/a\"",
        "\"status\":201", "\"bytes_in\":0", "\"bytes_out\":2", "\"duration_us\":", "\"end\":\"done\"", "\"site\":\"default\"",
        "\"route\":\"/*\"", "\"id\":\"", "\"user_agent\":\"\\\"\\u00c3\\u00a9\\\"\\u0009\\\\\"", "\"generation\":1}\n"};
    for (size_t i = 0; i < MG_COUNT(parts); i++)
        CHECK_FOR(strstr(line, parts[i]) != NULL, parts[i]);
    static const char *const absent[] = {"referer", "upstream", "server", "tries", "error", "detail", "connect_us"};
    for (size_t i = 0; i < MG_COUNT(absent); i++)
        CHECK_FOR(!strstr(line, absent[i]), absent[i]);
}

TEST("a request that was refused before it was one has its line as well")
{
    const char *line = line_for(MG_ACCESS_LOG_JSON, "\x01");
    CHECK(strstr(line, "\"method\":\"-\",\"target\":\"-\",\"status\":400,") != NULL);
    CHECK(strstr(line, "\"end\":\"bad_request\",\"error\":\"http_request_error\",\"detail\":\"") != NULL);
}

TEST("a script's log gets no lines but those that the script writes, each of them one line")
{
    open_file();
    mg_access_log *l = open_log(MG_ACCESS_LOG_SCRIPT);
    mg_access_log_exchange(l, NULL);
    mg_access_log_write(l, MG_STR("one"));
    mg_access_log_write(l, MG_STR("two\nthree\r"));
    mg_access_log_write(l, MG_STR(""));
    mg_access_log_close(l);
    CHECK_STR(mg_str_of(contents(path)), MG_STR("one\ntwo\\x0athree\\x0d\n\n"));
    close_file();
}

/* ---- writing ------------------------------------------------------------------------------------- */

TEST("lines are written together, at the end of the turn they came in")
{
    open_file();
    mg_access_log *l = open_log(MG_ACCESS_LOG_SCRIPT);
    mg_access_log_write(l, MG_STR("one"));
    mg_access_log_write(l, MG_STR("two"));
    CHECK_STR(mg_str_of(contents(path)), MG_STR(""));
    settle();
    CHECK_STR(mg_str_of(contents(path)), MG_STR("one\ntwo\n"));
    mg_access_log_close(l);
    close_file();
}

TEST("logs of one path and format are one, until the last who opened it has closed it")
{
    open_file();
    mg_access_log *first = open_log(MG_ACCESS_LOG_SCRIPT), *second = open_log(MG_ACCESS_LOG_SCRIPT);
    mg_access_log *other = open_log(MG_ACCESS_LOG_JSON);
    CHECK(first == second && first != other);
    mg_access_log_close(first);
    mg_access_log_write(second, MG_STR("still here"));
    mg_access_log_flush_all();
    CHECK_STR(mg_str_of(contents(path)), MG_STR("still here\n"));
    mg_access_log_close(second);
    mg_access_log_close(other);
    mg_access_log_close(NULL);
    close_file();
}

TEST("after the file was moved away, opening it again begins a new one and loses no line")
{
    char old[80];
    open_file();
    mg_access_log *l = open_log(MG_ACCESS_LOG_SCRIPT);
    mg_access_log_write(l, MG_STR("one"));
    mg_access_log_flush_all();
    mg_access_log_write(l, MG_STR("two"));
    (void)snprintf(old, sizeof old, "%s.1", path);
    CHECK(rename(path, old) == 0);
    mg_access_log_reopen_all();
    mg_access_log_write(l, MG_STR("three"));
    mg_access_log_flush_all();
    CHECK_STR(mg_str_of(contents(old)), MG_STR("one\ntwo\n"));
    CHECK_STR(mg_str_of(contents(path)), MG_STR("three\n"));
    mg_access_log_close(l);
    close_file();
}

TEST("a file that cannot be opened is refused with its name, and one that cannot be opened again stays open")
{
    mg_err err;
    open_file();
    CHECK(!mg_access_log_open("/nowhere/at/all.log", MG_ACCESS_LOG_JSON, &err));
    CHECK(strstr(err.text, "/nowhere/at/all.log") != NULL);
    mg_access_log *l = open_log(MG_ACCESS_LOG_SCRIPT);
    char old[80];
    (void)snprintf(old, sizeof old, "%s.1", path);
    CHECK(rename(path, old) == 0 && mkdir(path, 0700) == 0);
    mg_access_log_reopen_all();
    mg_access_log_write(l, MG_STR("one"));
    mg_access_log_close(l);
    CHECK_STR(mg_str_of(contents(old)), MG_STR("one\n"));
    (void)rmdir(path);
    close_file();
}

TEST("a reader that is too slow costs whole lines, counted, never requests and never more memory than the backlog")
{
    enum { LINES = 60000, LINE = 40 };
    open_file();
    CHECK(mkfifo(path, 0600) == 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    mg_access_log *l = open_log(MG_ACCESS_LOG_SCRIPT);
    uint64_t before = mg_access_log_lost();
    for (int i = 0; i < LINES; i++) {
        char line[LINE];
        (void)snprintf(line, sizeof line, "line %033d.", i);
        mg_access_log_write(l, (mg_str){line, LINE - 1});
    }
    uint64_t lost = mg_access_log_lost() - before;
    CHECK(lost > 0 && lost < LINES - MG_ACCESS_LOG_BACKLOG / LINE / 2);
    static char bytes[LINES * LINE];
    size_t came = 0;
    for (ssize_t n = 1; n > 0; came += (size_t)MG_MAX(n, 0)) {
        mg_access_log_flush(l);
        n = read(reader, bytes + came, sizeof bytes - came);
    }
    CHECK_INT(came, (LINES - lost) * LINE);
    for (size_t at = 0, last = 0; at < came; at += LINE) {
        size_t number = (size_t)strtoul(bytes + at + 5, NULL, 10);
        if (!CHECK(memcmp(bytes + at, "line ", 5) == 0 && bytes[at + LINE - 1] == '\n' && number >= last))
            break;
        last = number + 1;
    }
    mg_access_log_write(l, MG_STR("and on it goes"));
    mg_access_log_flush(l);
    CHECK_INT(read(reader, bytes, sizeof bytes), 15);
    mg_access_log_close(l);
    (void)close(reader);
    close_file();
}
