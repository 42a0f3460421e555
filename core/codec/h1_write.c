#include "codec/h1_write.h"

#define STATUSES(X) \
    X(100, "Continue") \
    X(101, "Switching Protocols") \
    X(102, "Processing") \
    X(103, "Early Hints") \
    X(200, "OK") \
    X(201, "Created") \
    X(202, "Accepted") \
    X(203, "Non-Authoritative Information") \
    X(204, "No Content") \
    X(205, "Reset Content") \
    X(206, "Partial Content") \
    X(207, "Multi-Status") \
    X(208, "Already Reported") \
    X(226, "IM Used") \
    X(300, "Multiple Choices") \
    X(301, "Moved Permanently") \
    X(302, "Found") \
    X(303, "See Other") \
    X(304, "Not Modified") \
    X(305, "Use Proxy") \
    X(307, "Temporary Redirect") \
    X(308, "Permanent Redirect") \
    X(400, "Bad Request") \
    X(401, "Unauthorized") \
    X(402, "Payment Required") \
    X(403, "Forbidden") \
    X(404, "Not Found") \
    X(405, "Method Not Allowed") \
    X(406, "Not Acceptable") \
    X(407, "Proxy Authentication Required") \
    X(408, "Request Timeout") \
    X(409, "Conflict") \
    X(410, "Gone") \
    X(411, "Length Required") \
    X(412, "Precondition Failed") \
    X(413, "Content Too Large") \
    X(414, "URI Too Long") \
    X(415, "Unsupported Media Type") \
    X(416, "Range Not Satisfiable") \
    X(417, "Expectation Failed") \
    X(421, "Misdirected Request") \
    X(422, "Unprocessable Content") \
    X(423, "Locked") \
    X(424, "Failed Dependency") \
    X(425, "Too Early") \
    X(426, "Upgrade Required") \
    X(428, "Precondition Required") \
    X(429, "Too Many Requests") \
    X(431, "Request Header Fields Too Large") \
    X(451, "Unavailable For Legal Reasons") \
    X(500, "Internal Server Error") \
    X(501, "Not Implemented") \
    X(502, "Bad Gateway") \
    X(503, "Service Unavailable") \
    X(504, "Gateway Timeout") \
    X(505, "HTTP Version Not Supported") \
    X(506, "Variant Also Negotiates") \
    X(507, "Insufficient Storage") \
    X(508, "Loop Detected") \
    X(511, "Network Authentication Required")

enum { LOWEST = 100, HIGHEST = 511, BEFORE_REASON = sizeof "HTTP/1.1 200 " - 1 };

static const mg_str lines[HIGHEST - LOWEST + 1] = {
#define LINE(code, reason) \
    [code - LOWEST] = {"HTTP/1.1 " #code " " reason "\r\n", sizeof("HTTP/1.1 " #code " " reason "\r\n") - 1},
    STATUSES(LINE)
#undef LINE
};

mg_str mg_h1_status_line(unsigned status)
{
    return status >= LOWEST && status <= HIGHEST ? lines[status - LOWEST] : MG_STR_NONE;
}

mg_str mg_status_reason(unsigned status)
{
    mg_str line = mg_h1_status_line(status);
    return line.p ? (mg_str){line.p + BEFORE_REASON, line.n - BEFORE_REASON - 2} : MG_STR("");
}

char *mg_h1_put_status(char *to, unsigned status, mg_str reason)
{
    MG_BUG_UNLESS(status >= 100 && status <= 999);
    to = mg_h1_put(to, MG_STR("HTTP/1.1 "));
    *to++ = (char)('0' + status / 100);
    *to++ = (char)('0' + status / 10 % 10);
    *to++ = (char)('0' + status % 10);
    *to++ = ' ';
    to = mg_h1_put(to, reason);
    return mg_h1_put(to, MG_STR("\r\n"));
}

size_t mg_h1_head_room(const mg_fields *f)
{
    size_t room = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (!(f->at[i].flags & MG_FIELD_GONE))
            room += f->at[i].name.n + f->at[i].value.n + 4;
    return room;
}

/* Whether the field still lies as it was read: its slices may have been changed since. While they stand two
 * bytes apart they are in the block that the head was read into, where the line end follows. */
static bool is_as_read(const mg_field *f)
{
    return f->flags == MG_FIELD_AS_READ && f->value.p == f->name.p + f->name.n + 2 && f->value.p[f->value.n] == '\r';
}

char *mg_h1_put_fields(char *to, const mg_fields *f)
{
    if (!f->count)
        return to;
    const mg_field *at = f->at, *end = at + f->count;
    while (at < end) {
        if (is_as_read(at)) {
            const char *from = at->name.p, *next;
            do
                next = at->value.p + at->value.n + 2;
            while (++at < end && at->name.p == next && is_as_read(at));
            to = mg_h1_put(to, (mg_str){from, (size_t)(next - from)});
            continue;
        }
        if (!(at->flags & MG_FIELD_GONE))
            to = mg_h1_put_field(to, at->name, at->value);
        at++;
    }
    return to;
}
