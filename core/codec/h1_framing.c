#include "codec/h1_framing.h"

#include "base/number.h"
#include "codec/scan.h"

static mg_rc refuse(int code, const char *sentence, int *status, const char **why)
{
    *status = code;
    *why = sentence;
    return MG_BAD;
}

static bool has_second(const mg_fields *f, const mg_field *first)
{
    return mg_fields_find_slow(f, first->id, (uint32_t)(first - f->at) + 1) != NULL;
}

/*
 * RFC 9110 section 8.6 lets a recipient collapse a list of identical values; RFC 9112 section 6.3 has all
 * others refused. Here a list and a repeated field are refused whatever they hold: nobody needs them, and
 * one parser in a row that takes the first of two values is enough for smuggling.
 */
static mg_rc read_length(mg_h1_message *m, int *status, const char **why)
{
    const mg_field *at = mg_fields_find(&m->fields, MG_FIELD_CONTENT_LENGTH);
    uint64_t length;
    if (!at)
        return MG_OK;
    if (has_second(&m->fields, at))
        return refuse(400, "more than one Content-Length", status, why);
    if (mg_number_dec(at->value, &length) != MG_OK)
        return refuse(400, "Content-Length is not a plain number below 2^63", status, why);
    m->content_length = (int64_t)length;
    return MG_OK;
}

/* transfer-coding = token *( OWS ";" OWS parameter ), RFC 9112 section 7; what follows ";" is not looked at,
 * since a coding with parameters is refused either way. */
static bool is_coding(mg_str s)
{
    const char *end = s.p + s.n, *p = mg_scan_class(s.p, end, MG_BYTE_TOKEN);
    mg_str rest = mg_str_trim((mg_str){p, (size_t)(end - p)});
    return p > s.p && (!rest.n || rest.p[0] == ';');
}

static mg_str cut_element(mg_str *rest, bool *last)
{
    ptrdiff_t comma = mg_str_find(*rest, ',');
    size_t n = comma < 0 ? rest->n : (size_t)comma;
    mg_str element = mg_str_trim((mg_str){rest->p, n});
    *last = comma < 0;
    rest->p += n + (comma >= 0);
    rest->n -= n + (comma >= 0);
    return element;
}

/*
 * RFC 9112 section 6.3: a request whose final coding is not chunked has no length and must be answered 400.
 * Section 6.1: chunked stands once; a coding that the server does not know is answered 501. We know none
 * but chunked. Empty elements, which lists may have (RFC 9110 section 5.6.1.2), are refused as well: "chunked,"
 * is the classic disguise. Returns 0 when v is exactly chunked.
 */
static int judge_codings(mg_str v)
{
    bool chunked = false, last;
    unsigned count = 0;
    do {
        mg_str element = cut_element(&v, &last);
        if (chunked || !is_coding(element))
            return 400;
        chunked = mg_str_eq_nocase(element, MG_STR("chunked"));
        count++;
    } while (!last);
    return !chunked ? 400 : count > 1 ? 501 : 0;
}

static mg_rc read_coding(mg_h1_message *m, int *status, const char **why)
{
    const mg_field *at = mg_fields_find(&m->fields, MG_FIELD_TRANSFER_ENCODING);
    if (!at)
        return MG_OK;
    /* RFC 9112 section 6.1: in HTTP/1.0 the field means faulty framing. */
    if (m->minor == 0)
        return refuse(400, "Transfer-Encoding in HTTP/1.0", status, why);
    /* RFC 9112 section 6.3: "ought to be handled as an error". */
    if (m->content_length >= 0)
        return refuse(400, "Transfer-Encoding beside Content-Length", status, why);
    if (has_second(&m->fields, at))
        return refuse(400, "more than one Transfer-Encoding", status, why);
    int code = judge_codings(at->value);
    if (code == 501)
        return refuse(501, "a transfer coding beside chunked", status, why);
    if (code)
        return refuse(400, "Transfer-Encoding is not exactly chunked", status, why);
    m->chunked = true;
    return MG_OK;
}

struct options {
    bool close, keep_alive, upgrade;
};

/* RFC 9110 section 7.6.1: connection-option = token. What is not a token could not name a field anyway,
 * but would be cut differently by those who look for quotes. */
static bool read_options(mg_str list, struct options *o)
{
    bool last;
    do {
        mg_str option = cut_element(&list, &last);
        if (mg_str_eq_nocase(option, MG_STR("keep-alive")))
            o->keep_alive = true;
        else if (mg_str_eq_nocase(option, MG_STR("close")))
            o->close = true;
        else if (mg_str_eq_nocase(option, MG_STR("upgrade")))
            o->upgrade = true;
        else if (!mg_bytes_are(option, MG_BYTE_TOKEN))
            return false;
    } while (!last);
    return true;
}

static mg_rc read_connection(mg_h1_message *m, int *status, const char **why)
{
    struct options o = {0};
    const mg_field *at = mg_fields_find(&m->fields, MG_FIELD_CONNECTION);
    for (; at; at = mg_fields_find_slow(&m->fields, MG_FIELD_CONNECTION, (uint32_t)(at - m->fields.at) + 1))
        if (!read_options(at->value, &o))
            return refuse(400, "Connection is not a list of tokens", status, why);
    /* RFC 9112 section 9.3: 1.1 persists unless closed, 1.0 only where both say so. */
    m->keep_alive = !o.close && (m->minor || o.keep_alive);
    /* RFC 9110 section 7.8: an Upgrade that 1.0 brings is ignored; one that Connection does not name is not
     * meant for the next recipient. */
    m->upgrade = m->minor && o.upgrade && mg_fields_find(&m->fields, MG_FIELD_UPGRADE);
    return MG_OK;
}

mg_rc mg_h1_framing_read(mg_h1_message *m, int *status, const char **why)
{
    m->content_length = -1;
    m->chunked = false;
    mg_rc rc = read_length(m, status, why);
    if (rc == MG_OK)
        rc = read_coding(m, status, why);
    return rc == MG_OK ? read_connection(m, status, why) : rc;
}
