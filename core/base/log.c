#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

mg_log_level mg_log_threshold = MG_LOG_INFO;

static int log_fd = STDERR_FILENO;
static bool own_fd;
static char log_path[1024];
static char log_who[64];
static char *backlog; /* taken at the first line that would block */
static size_t backlog_used;
static uint64_t lost, lost_told;

static const char *const level_names[] = {"debug", "info ", "warn ", "error"};

mg_rc mg_log_parse_level(mg_str name, mg_log_level *out)
{
    for (size_t i = 0; i < MG_COUNT(level_names); i++)
        if (mg_str_eq(name, mg_str_of(i == 1 ? "info" : i == 2 ? "warn" : level_names[i]))) {
            *out = (mg_log_level)i;
            return MG_OK;
        }
    return MG_BAD;
}

static void use(int fd, bool ours, mg_log_level level)
{
    if (own_fd)
        close(log_fd);
    log_fd = fd;
    own_fd = ours;
    mg_log_threshold = level;
}

void mg_log_open(int fd, mg_log_level level)
{
    log_path[0] = '\0';
    use(fd, false, level);
}

mg_rc mg_log_open_file(const char *path, mg_log_level level)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0)
        return MG_FAIL;
    if (path != log_path)
        (void)snprintf(log_path, sizeof log_path, "%s", path);
    use(fd, true, level);
    return MG_OK;
}

mg_rc mg_log_reopen(void)
{
    return log_path[0] ? mg_log_open_file(log_path, mg_log_threshold) : MG_OK;
}

void mg_log_name(const char *who)
{
    (void)snprintf(log_who, sizeof log_who, "%s", who);
}

uint64_t mg_log_lost(void)
{
    return lost;
}

/* stderr may be shared with a shell, so it is not made non-blocking: ask whether a write would wait. */
static bool would_wait(void)
{
    struct pollfd p = {.fd = log_fd, .events = POLLOUT};
    return !own_fd && poll(&p, 1, 0) == 0;
}

/* Bytes that need no second try. A pipe that poll calls ready has room for PIPE_BUF bytes and waits for more;
 * a reader that is gone for good wants nothing kept. */
static size_t put(const char *p, size_t n)
{
    size_t done = 0;
    while (done < n && !would_wait()) {
        ssize_t wrote = write(log_fd, p + done, own_fd ? n - done : MG_MIN(n - done, (size_t)PIPE_BUF));
        if (wrote >= 0)
            done += (size_t)wrote;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return n;
    }
    return done;
}

static void keep(const char *p, size_t n)
{
    if (!backlog)
        backlog = mg_alloc(MG_LOG_BACKLOG);
    if (n > MG_LOG_BACKLOG - backlog_used) {
        lost++;
        return;
    }
    memcpy(backlog + backlog_used, p, n);
    backlog_used += n;
}

void mg_log_flush(void)
{
    if (backlog_used) {
        size_t done = put(backlog, backlog_used);
        memmove(backlog, backlog + done, backlog_used - done);
        backlog_used -= done;
    }
}

static void put_line(const char *p, size_t n)
{
    mg_log_flush();
    size_t done = backlog_used ? 0 : put(p, n);
    if (done < n)
        keep(p + done, n - done);
}

/* Control bytes become \xNN (line feeds of a traceback become " | "): one line stays one line. */
static size_t escape(const char *from, size_t n, char *to, size_t room)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at + 5 < room; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '\n') {
            memcpy(to + at, " | ", 3);
            at += 3;
        } else if (c == '\t') {
            to[at++] = ' ';
        } else if (c < 0x20 || c == 0x7f) {
            at += (size_t)snprintf(to + at, room - at, "\\x%02x", c);
        } else {
            to[at++] = (char)c;
        }
    }
    return at;
}

static size_t print_head(char *line, size_t room, mg_log_level level)
{
    char when[MG_CLOCK_ISO_ROOM];
    mg_clock_print_iso(mg_clock_wall_ms(), when);
    int n = snprintf(line, room, "%s %s %s%s", when, level_names[level], log_who, log_who[0] ? ": " : "");
    return n < 0 ? 0 : (size_t)n;
}

void mg_log_write(mg_log_level level, const char *format, ...)
{
    if (level < mg_log_threshold || level >= MG_LOG_OFF)
        return;
    char text[MG_LOG_LINE], line[MG_LOG_LINE + 256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    if (lost != lost_told && !backlog_used) {
        size_t told = print_head(line, sizeof line, MG_LOG_WARN);
        told += (size_t)snprintf(line + told, sizeof line - told, "%llu log lines were lost: the reader is too slow\n",
                                 (unsigned long long)(lost - lost_told));
        lost_told = lost;
        put_line(line, told);
    }
    size_t at = print_head(line, sizeof line, level);
    at += escape(text, MG_MIN((size_t)n, sizeof text - 1), line + at, sizeof line - at - 1);
    line[at++] = '\n';
    put_line(line, at);
}
