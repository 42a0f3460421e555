#include "server/survey.h"

static mg_link under_way = {&under_way, &under_way};
static uint32_t last_number;

static void look(mg_survey *s)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        if (s->asked[i])
            return;
    mg_list_cut(&s->link);
    mg_timer_stop(&s->late);
    mg_later_do(&s->done);
}

static void on_late(mg_timer *t)
{
    mg_survey *s = MG_OWNER(t, mg_survey, late);
    memset(s->asked, 0, sizeof s->asked);
    look(s);
}

static void on_later(mg_later *l)
{
    mg_survey *s = MG_OWNER(l, mg_survey, done);
    s->on_done(s);
}

void mg_survey_start(mg_survey *s, mg_crew *crew, void (*on_done)(mg_survey *))
{
    *s = (mg_survey){.number = ++last_number, .on_done = on_done};
    mg_list_init(&s->link);
    mg_list_append(&under_way, &s->link);
    mg_timer_init(&s->late, on_late);
    mg_later_init(&s->done, on_later);
    mg_timer_start(&s->late, MG_SURVEY_MS);
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_member *m = &crew->at[i];
        s->asked[i] = m->state == MG_CREW_SERVING || m->state == MG_CREW_LEAVING;
        if (s->asked[i])
            mg_channel_send(&m->channel, MG_SAY_ASK, s->number, MG_STR_NONE, -1);
    }
    look(s);
}

void mg_survey_fini(mg_survey *s)
{
    if (!s->number)
        return;
    mg_list_cut(&s->link);
    mg_timer_stop(&s->late);
    mg_later_cancel(&s->done);
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        mg_page_fini(&s->said[i]);
    s->number = 0;
}

bool mg_survey_heed(const mg_member *m, const mg_message *message)
{
    if (message->say != MG_SAY_REPORT && message->say != MG_SAY_TOLD)
        return false;
    MG_LIST_EACH_SAFE(l, after, &under_way) {
        mg_survey *s = MG_OWNER(l, mg_survey, link);
        if (s->number != message->number || !s->asked[m->index])
            continue;
        if (message->say == MG_SAY_REPORT) {
            mg_page_put(&s->said[m->index], message->text);
        } else {
            s->asked[m->index] = false;
            look(s);
        }
    }
    return true;
}

void mg_survey_member_died(const mg_member *m)
{
    MG_LIST_EACH_SAFE(l, after, &under_way) {
        mg_survey *s = MG_OWNER(l, mg_survey, link);
        s->asked[m->index] = false;
        look(s);
    }
}

bool mg_survey_line(mg_str *rest, mg_str *line)
{
    if (!rest->n)
        return false;
    ptrdiff_t end = mg_str_find(*rest, '\n');
    size_t n = end < 0 ? rest->n : (size_t)end;
    *line = (mg_str){rest->p, n};
    size_t used = end < 0 ? n : n + 1;
    *rest = (mg_str){rest->p + used, rest->n - used};
    return true;
}
