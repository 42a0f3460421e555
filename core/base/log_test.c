#include "base/log.h"

#include "base/test.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static int reader = -1, writer = -1;

static void open_pipe(mg_log_level level)
{
    int ends[2];
    MG_BUG_UNLESS(pipe(ends) == 0);
    reader = ends[0];
    writer = ends[1];
    mg_log_open(writer, level);
    mg_log_name("");
}

static void close_pipe(void)
{
    mg_log_open(STDERR_FILENO, MG_LOG_INFO);
    close(reader);
    close(writer);
}

/* What lies in the pipe now, with NUL behind it. */
static size_t drain(char *to, size_t room)
{
    size_t n = 0;
    struct pollfd p = {.fd = reader, .events = POLLIN};
    while (n + 1 < room && poll(&p, 1, 0) == 1) {
        ssize_t got = read(reader, to + n, room - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    to[n] = '\0';
    return n;
}

TEST("a line has time, level, name and text")
{
    char text[256];
    open_pipe(MG_LOG_INFO);
    mg_log_name("worker 2");
    mg_warn("port %d", 80);
    drain(text, sizeof text);
    CHECK(text[4] == '-' && text[10] == 'T' && text[23] == 'Z');
    CHECK_FOR(strcmp(text + 24, " warn  worker 2: port 80\n") == 0, text);
    close_pipe();
}

TEST("lines below the threshold are not written")
{
    char text[256];
    open_pipe(MG_LOG_WARN);
    mg_info("no");
    mg_debug("no");
    CHECK_INT(drain(text, sizeof text), 0);
    mg_error("yes");
    CHECK(drain(text, sizeof text) > 0);
    mg_log_open(writer, MG_LOG_OFF);
    mg_error("no");
    CHECK_INT(drain(text, sizeof text), 0);
    close_pipe();
}

TEST("control bytes cannot forge a line")
{
    char text[512];
    open_pipe(MG_LOG_INFO);
    mg_info("a\r\nb\tc\x1b[0m\x7f");
    size_t n = drain(text, sizeof text);
    CHECK(strchr(text, '\n') == text + n - 1);
    CHECK_FOR(strstr(text, "a\\x0d | b c\\x1b[0m\\x7f\n") != NULL, text);
    close_pipe();
}

TEST("a line that is too long is cut and still ends")
{
    static char text[2 * MG_LOG_LINE + 1], big[2 * MG_LOG_LINE];
    memset(big, 'x', sizeof big - 1);
    open_pipe(MG_LOG_INFO);
    mg_info("%s", big);
    size_t n = drain(text, sizeof text);
    CHECK(n > MG_LOG_LINE / 2 && n <= MG_LOG_LINE + 256);
    CHECK(n && text[n - 1] == '\n');
    close_pipe();
}

TEST("nobody waits for a reader who does not read, and what was lost is counted and told")
{
    static char text[2 * MG_LOG_BACKLOG];
    static char line[1000];
    memset(line, 'x', sizeof line - 1);
    open_pipe(MG_LOG_INFO);
    uint64_t before = mg_log_lost();
    alarm(20); /* waiting for ever would be the fault that this test looks for */
    for (int i = 0; i < 1000; i++)
        mg_info("%s", line);
    CHECK(mg_log_lost() > before);
    size_t n = 0;
    for (int i = 0; i < 1000; i++) {
        n += drain(text, sizeof text);
        mg_log_flush();
    }
    alarm(0);
    CHECK(n > MG_LOG_BACKLOG / 2);
    mg_info("after");
    drain(text, sizeof text);
    CHECK_FOR(strstr(text, "log lines were lost") != NULL, text);
    CHECK(strstr(text, "after\n") != NULL);
    close_pipe();
}

TEST("the names of levels are read")
{
    mg_log_level level = MG_LOG_OFF;
    CHECK(mg_log_parse_level(MG_STR("debug"), &level) == MG_OK && level == MG_LOG_DEBUG);
    CHECK(mg_log_parse_level(MG_STR("info"), &level) == MG_OK && level == MG_LOG_INFO);
    CHECK(mg_log_parse_level(MG_STR("warn"), &level) == MG_OK && level == MG_LOG_WARN);
    CHECK(mg_log_parse_level(MG_STR("error"), &level) == MG_OK && level == MG_LOG_ERROR);
    CHECK_INT(mg_log_parse_level(MG_STR("info "), &level), MG_BAD);
    CHECK_INT(mg_log_parse_level(MG_STR("loud"), &level), MG_BAD);
}

TEST("a log file is appended to, and begun anew under its name after it was moved away")
{
    char folder[] = "/tmp/moongate-log-test-XXXXXX", path[64], moved[64], text[256];
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/log", folder);
    (void)snprintf(moved, sizeof moved, "%s/old", folder);
    CHECK_INT(mg_log_open_file(path, MG_LOG_INFO), MG_OK);
    mg_info("one");
    CHECK_INT(rename(path, moved), 0);
    mg_info("two");
    CHECK_INT(mg_log_reopen(), MG_OK);
    mg_info("three");
    mg_log_open(STDERR_FILENO, MG_LOG_INFO);
    reader = open(moved, O_RDONLY);
    drain(text, sizeof text);
    CHECK(strstr(text, "one\n") && strstr(text, "two\n") && !strstr(text, "three"));
    close(reader);
    reader = open(path, O_RDONLY);
    drain(text, sizeof text);
    CHECK(strstr(text, "three\n") && !strstr(text, "two"));
    close(reader);
    unlink(path);
    unlink(moved);
    rmdir(folder);
}

TEST("a log file that cannot be opened leaves the old log in place")
{
    char text[256];
    open_pipe(MG_LOG_INFO);
    CHECK_INT(mg_log_open_file("/nonexistent/folder/log", MG_LOG_INFO), MG_FAIL);
    mg_info("still here");
    CHECK(drain(text, sizeof text) > 0);
    close_pipe();
}
