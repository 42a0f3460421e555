#include "exchange/access_log.h"

#include "base/clock.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct mg_access_log {
    mg_access_log *next;
    char *path; /* NULL: standard output */
    int fd;
    uint32_t holds;
    mg_access_log_format format;
    mg_later later;
    size_t used, room;
    char *buffer;
};

static mg_access_log *logs;
static uint64_t lost;

uint64_t mg_access_log_lost(void)
{
    return lost;
}

static int open_path(const char *path)
{
    return path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640) : STDOUT_FILENO;
}

static void on_later(mg_later *later)
{
    mg_access_log_flush(MG_OWNER(later, mg_access_log, later));
}

static bool is_same_path(const mg_access_log *l, const char *path)
{
    return (!l->path && !path) || (l->path && path && strcmp(l->path, path) == 0);
}

mg_access_log *mg_access_log_open(const char *path, mg_access_log_format format, mg_err *err)
{
    for (mg_access_log *l = logs; l; l = l->next)
        if (l->format == format && is_same_path(l, path)) {
            l->holds++;
            return l;
        }
    int fd = open_path(path);
    if (fd < 0) {
        (void)mg_err_set(err, "access log %s: %s", path, strerror(errno));
        return NULL;
    }
    mg_access_log *l = mg_zalloc(sizeof *l);
    l->fd = fd;
    l->path = path ? mg_strdup(path) : NULL;
    l->format = format;
    l->holds = 1;
    mg_later_init(&l->later, on_later);
    l->next = logs;
    logs = l;
    return l;
}

void mg_access_log_close(mg_access_log *l)
{
    if (!l || --l->holds)
        return;
    mg_access_log_flush(l);
    mg_later_cancel(&l->later);
    mg_access_log **at = &logs;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (l->path)
        close(l->fd);
    mg_free(l->path);
    mg_free(l->buffer);
    mg_free(l);
}

void mg_access_log_reopen_all(void)
{
    for (mg_access_log *l = logs; l; l = l->next) {
        if (!l->path)
            continue;
        mg_access_log_flush(l);
        int fd = open_path(l->path);
        if (fd < 0)
            continue; /* the old file is better than none */
        close(l->fd);
        l->fd = fd;
    }
}

void mg_access_log_flush_all(void)
{
    for (mg_access_log *l = logs; l; l = l->next)
        mg_access_log_flush(l);
}

/* Standard output may be shared, so it is not made non-blocking: ask first. */
static bool would_wait(const mg_access_log *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    return !l->path && poll(&p, 1, 0) == 0;
}

void mg_access_log_flush(mg_access_log *l)
{
    if (!l->used)
        return;
    size_t done = 0;
    while (done < l->used && !would_wait(l)) {
        ssize_t n = write(l->fd, l->buffer + done, MG_MIN(l->used - done, (size_t)4096 * (l->path ? 64 : 1)));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            done = l->used; /* nowhere to go: a full disk must not fill memory as well */
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    memmove(l->buffer, l->buffer + done, l->used - done);
    l->used -= done;
    if (!l->used && l->room > MG_ACCESS_LOG_BUFFER) {
        mg_free(l->buffer);
        l->buffer = NULL;
        l->room = 0;
    }
}

static char *reserve(mg_access_log *l, size_t n)
{
    if (l->room - l->used < n && l->used)
        mg_access_log_flush(l);
    if (l->room - l->used < n) {
        size_t room = MG_MAX(l->room * 2, (size_t)MG_ACCESS_LOG_BUFFER);
        while (room - l->used < n)
            room *= 2;
        if (room > MG_ACCESS_LOG_BACKLOG + n) {
            lost++;
            return NULL;
        }
        l->buffer = mg_realloc(l->buffer, room);
        l->room = room;
    }
    mg_later_do(&l->later);
    return l->buffer + l->used;
}

static char *put_hex(char *to, unsigned char c, bool json)
{
    static const char digits[] = "0123456789abcdef";
    to = (char *)memcpy(to, json ? "\\u00" : "\\x", json ? 4 : 2) + (json ? 4 : 2);
    *to++ = digits[c >> 4];
    *to++ = digits[c & 15];
    return to;
}

/* Bytes that a reader of lines or of JSON must not see raw. At most 6 bytes for one. */
static char *put_escaped(char *to, mg_str s, bool json)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20 || c == 0x7f || (json && c >= 0x80)) {
            to = put_hex(to, c, json);
        } else {
            *to++ = (char)c;
        }
    }
    return to;
}

static char *put_text(char *to, const char *text)
{
    size_t n = strlen(text);
    return (char *)memcpy(to, text, n) + n;
}

static char *put_number(char *to, uint64_t n)
{
    return to + mg_number_print(n, to);
}

static mg_str header(const mg_exchange *x, mg_field_id id)
{
    return x->req.fields ? mg_fields_value(x->req.fields, id) : MG_STR_NONE;
}

static unsigned status_of(const mg_exchange *x)
{
    return x->at.response_sent ? x->res.status : 0;
}

/* "21/Nov/2026:03:40:00 +0000" */
static char *put_common_time(char *to)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static time_t printed = -1;
    static char text[64];
    time_t now = (time_t)(mg_clock_wall_ms() / 1000);
    if (now != printed) {
        struct tm t;
        gmtime_r(&now, &t);
        (void)snprintf(text, sizeof text, "%02d/%.3s/%04d:%02d:%02d:%02d +0000", t.tm_mday, months + 3 * t.tm_mon,
                       t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
        printed = now;
    }
    return put_text(to, text);
}

static char *put_quoted(char *to, mg_str s)
{
    *to++ = '"';
    to = s.n ? put_escaped(to, s, false) : put_text(to, "-");
    *to++ = '"';
    return to;
}

/* ip - - [time] "request" status bytes "referer" "agent" end microseconds */
static char *put_combined(char *to, mg_exchange *x)
{
    mg_str ip = mg_exchange_client_ip(x);
    to = put_escaped(to, ip, false);
    to = put_text(to, " - - [");
    to = put_common_time(to);
    to = put_text(to, "] \"");
    to = put_escaped(to, x->req.method_name, false);
    *to++ = ' ';
    to = put_escaped(to, x->req.target, false);
    to = put_text(to, x->req.minor == 0 ? " HTTP/1.0\" " : " HTTP/1.1\" ");
    to = put_number(to, status_of(x));
    *to++ = ' ';
    to = put_number(to, x->bytes_down);
    *to++ = ' ';
    to = put_quoted(to, header(x, MG_FIELD_REFERER));
    *to++ = ' ';
    to = put_quoted(to, header(x, MG_FIELD_USER_AGENT));
    *to++ = ' ';
    to = put_text(to, mg_end_name((mg_end)x->end));
    *to++ = ' ';
    return put_number(to, (uint64_t)(x->at.ended - x->at.began));
}

static char *put_key(char *to, const char *name)
{
    *to++ = ',';
    *to++ = '"';
    to = put_text(to, name);
    *to++ = '"';
    *to++ = ':';
    return to;
}

static char *put_pair(char *to, const char *name, mg_str value)
{
    if (!value.p)
        return to;
    to = put_key(to, name);
    *to++ = '"';
    to = put_escaped(to, value, true);
    *to++ = '"';
    return to;
}

static char *put_span(char *to, const char *name, int64_t from, int64_t until)
{
    return from && until ? put_number(put_key(to, name), (uint64_t)MG_MAX(until - from, 0)) : to;
}

static char *put_json(char *to, mg_exchange *x)
{
    char when[MG_CLOCK_ISO_ROOM];
    to = put_text(to, "{\"time\":\"");
    mg_clock_print_iso(mg_clock_wall_ms(), when);
    to = put_text(to, when);
    *to++ = '"';
    to = put_pair(to, "client_ip", mg_exchange_client_ip(x));
    to = put_pair(to, "method", x->req.method_name);
    to = put_pair(to, "host", x->req.authority);
    to = put_pair(to, "target", x->req.target);
    to = put_number(put_key(to, "status"), status_of(x));
    to = put_number(put_key(to, "bytes_in"), x->bytes_up);
    to = put_number(put_key(to, "bytes_out"), x->bytes_down);
    to = put_span(to, "duration_us", x->at.began, x->at.ended);
    to = put_span(to, "connect_us", x->at.dialled, x->at.connected);
    to = put_span(to, "response_us", x->at.connected, x->at.response_head);
    to = put_pair(to, "end", mg_str_of(mg_end_name((mg_end)x->end)));
    to = put_pair(to, "error", mg_str_of(x->failure.error));
    to = put_pair(to, "detail", mg_str_of(x->failure.detail));
    to = put_pair(to, "site", x->site ? x->site->name : MG_STR_NONE);
    to = put_pair(to, "route", x->route ? x->route->name : MG_STR_NONE);
    to = put_pair(to, "upstream", x->upstream ? x->upstream->name : MG_STR_NONE);
    to = put_pair(to, "server", x->peer_now ? x->peer_now->name : MG_STR_NONE);
    if (x->tries > 1)
        to = put_number(put_key(to, "tries"), x->tries);
    to = put_pair(to, "id", x->req.id);
    to = put_pair(to, "referer", header(x, MG_FIELD_REFERER));
    to = put_pair(to, "user_agent", header(x, MG_FIELD_USER_AGENT));
    to = put_number(put_key(to, "generation"), x->gen->id);
    *to++ = '}';
    return to;
}

static size_t text_bytes(const mg_exchange *x)
{
    mg_str route = x->route ? x->route->name : MG_STR_NONE, site = x->site ? x->site->name : MG_STR_NONE;
    return x->req.target.n + x->req.method_name.n + x->req.authority.n + x->req.id.n + route.n + site.n +
           header(x, MG_FIELD_REFERER).n + header(x, MG_FIELD_USER_AGENT).n +
           (x->upstream ? x->upstream->name.n : 0) + (x->peer_now ? x->peer_now->name.n : 0) +
           (x->failure.detail ? strlen(x->failure.detail) : 0) + MG_ADDR_ROOM;
}

void mg_access_log_exchange(mg_access_log *l, mg_exchange *x)
{
    if (!l || l->format == MG_ACCESS_LOG_SCRIPT)
        return;
    size_t room = 6 * text_bytes(x) + 1024;
    char *start = reserve(l, room);
    if (!start)
        return;
    char *to = l->format == MG_ACCESS_LOG_JSON ? put_json(start, x) : put_combined(start, x);
    *to++ = '\n';
    MG_BUG_UNLESS((size_t)(to - start) <= room);
    l->used += (size_t)(to - start);
}

void mg_access_log_write(mg_access_log *l, mg_str line)
{
    char *to = l ? reserve(l, 6 * line.n + 1) : NULL;
    if (!to)
        return;
    char *start = to;
    for (size_t i = 0; i < line.n; i++) { /* one line stays one line; anything else is the script's business */
        unsigned char c = (unsigned char)line.p[i];
        if (c == '\n' || c == '\r')
            to = put_hex(to, c, false);
        else
            *to++ = (char)c;
    }
    *to++ = '\n';
    l->used += (size_t)(to - start);
}
