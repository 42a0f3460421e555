/*
 * h1_splice: the side operations by which an exchange moves body bytes past the connection, from descriptor
 * to descriptor, and tells it what went by.
 */
#include "http/h1.h"

int mg_h1_side_splice_in(mg_side *s, uint64_t *left)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (!mg_transport_is_plain(&c->transport) || s->got != MG_GOT_HEAD || s->in.n || mg_h1_unread(c).n || c->eof)
        return -1;
    if (c->in_framing != MG_H1_LENGTH && c->in_framing != MG_H1_UNTIL_CLOSE && c->in_framing != MG_H1_RAW)
        return -1;
    *left = c->in_framing == MG_H1_LENGTH ? c->in_left : UINT64_MAX;
    return c->transport.fd;
}

int mg_h1_side_splice_out(mg_side *s, uint64_t *left)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    if (!mg_transport_is_plain(&c->transport) || s->sent != MG_SENT_HEAD || c->out.n)
        return -1;
    if (c->out_framing != MG_H1_LENGTH && c->out_framing != MG_H1_UNTIL_CLOSE && c->out_framing != MG_H1_RAW)
        return -1;
    *left = c->out_framing == MG_H1_LENGTH ? c->out_left : UINT64_MAX;
    return c->transport.fd;
}

void mg_h1_side_spliced_in(mg_side *s, uint64_t n, mg_rc rc)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    s->in_total += n;
    if (c->in_framing == MG_H1_LENGTH && (c->in_left -= n) == 0)
        s->got = MG_GOT_ALL;
    if (rc != MG_OK)
        (void)mg_h1_end_reading(c, rc);
}

void mg_h1_side_spliced_out(mg_side *s, uint64_t n, mg_rc rc)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    s->out_total += n;
    c->side.written += n;
    if (c->out_framing == MG_H1_LENGTH)
        c->out_left -= n;
    if (rc == MG_AGAIN) {
        mg_h1_wait_for_room(c);
    } else if (rc != MG_OK) {
        mg_h1_break_out(c, MG_BROKE_RESET);
        mg_deadline_disarm(&c->deadline);
    } else {
        mg_deadline_disarm(&c->deadline);
    }
}

void mg_h1_side_pause(mg_side *s, bool paused)
{
    mg_h1 *c = MG_H1_OF_SIDE(s);
    c->paused = paused;
    mg_h1_listen(c);
}
