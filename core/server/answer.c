#include "server/answer.h"

#include "codec/h1_write.h"
#include "server/inside.h"
#include "server/metrics.h"
#include "server/status.h"
#include "server/table.h"

#include <unistd.h>

static const char JSON[] = "application/json", TEXT[] = "text/plain; charset=utf-8";

struct mg_answer_kind {
    const char *path, *method, *allow;
    void (*begin)(mg_answer *a);
    /* After a survey; `text` for people, NULL: the same. */
    void (*write)(const mg_master *m, const mg_survey *s, mg_page *to);
    const char *type;
    void (*text)(const mg_master *m, const mg_survey *s, mg_page *to);
};

static void finish(mg_answer *a, int status, const char *type)
{
    a->status = status;
    a->type = type;
    a->on_ready(a);
}

static void put_text(mg_page *to, const char *text)
{
    mg_page_put(to, mg_str_of(text));
    mg_page_trim(to, '\n');
    mg_page_put(to, MG_STR("\n"));
}

static void text_problem(mg_answer *a, int status, const char *title, const char *detail)
{
    if (detail && status != 422)
        mg_page_print(&a->body, "%s: ", title);
    put_text(&a->body, detail ? detail : title);
    a->status = status;
    a->type = TEXT;
}

void mg_answer_problem(mg_answer *a, int status, const char *title, const char *detail)
{
    if (a->as_text) {
        text_problem(a, status, title, detail);
        return;
    }
    mg_page_print(&a->body, "{\"status\":%d,\"title\":", status);
    mg_page_json(&a->body, mg_str_of(title));
    if (detail) {
        mg_page_put(&a->body, MG_STR(",\"detail\":"));
        mg_page_json(&a->body, mg_str_of(detail));
    }
    mg_page_put(&a->body, MG_STR("}\n"));
    a->status = status;
    a->type = "application/problem+json";
}

/* ---- pages that ask the workers ---- */

static void on_survey(mg_survey *s)
{
    mg_answer *a = MG_OWNER(s, mg_answer, survey);
    bool text = a->as_text && a->kind->text;
    (text ? a->kind->text : a->kind->write)(a->master, s, &a->body);
    finish(a, 200, text ? TEXT : a->kind->type);
}

static void begin_survey(mg_answer *a)
{
    mg_survey_start(&a->survey, &a->master->crew, on_survey);
}

/* ---- reload ---- */

static void put_lines(mg_page *to, const char *lines)
{
    mg_str left = mg_str_of(lines), line;
    while (mg_survey_line(&left, &line)) {
        mg_page_json(to, line);
        mg_page_put(to, MG_STR(","));
    }
    mg_page_trim(to, ',');
}

static void on_reloaded(mg_reload_wait *w, uint32_t generation, const char *mistakes)
{
    mg_answer *a = MG_OWNER(w, mg_answer, reload);
    a->waits_reload = false;
    if (!mistakes) {
        mg_page_print(&a->body, a->as_text ? "generation %u is in service\n" : "{\"generation\":%u}\n", generation);
        finish(a, 200, a->as_text ? TEXT : JSON);
        return;
    }
    mg_answer_problem(a, 422, "the reload was refused", mistakes);
    if (a->as_text) {
        finish(a, 422, TEXT);
        return;
    }
    mg_page_trim(&a->body, '\n');
    mg_page_trim(&a->body, '}');
    mg_page_print(&a->body, ",\"generation\":%u,\"errors\":[", a->master->generation);
    put_lines(&a->body, mistakes);
    mg_page_put(&a->body, MG_STR("]}\n"));
    finish(a, 422, a->type);
}

static void begin_reload(mg_answer *a)
{
    a->reload.on_done = on_reloaded;
    a->waits_reload = true;
    mg_reload_ask(&a->master->reload, &a->reload);
}

/* ---- upgrade, stop, quit ---- */

static void on_upgraded(mg_upgrade_wait *w, pid_t pid, const char *why)
{
    mg_answer *a = MG_OWNER(w, mg_answer, upgrade);
    a->waits_upgrade = false;
    if (why) {
        mg_answer_problem(a, 500, "the upgrade failed", why);
        finish(a, 500, a->type);
        return;
    }
    mg_page_print(&a->body, a->as_text ? "process %d took over\n" : "{\"pid\":%d}\n", (int)pid);
    finish(a, 200, a->as_text ? TEXT : JSON);
}

static void begin_upgrade(mg_answer *a)
{
    a->upgrade.on_done = on_upgraded;
    a->waits_upgrade = true;
    mg_upgrade_ask(&a->master->upgrade, &a->upgrade);
}

static void quit(mg_master *m)
{
    mg_master_drain(m, false);
}

static void say_ending(mg_answer *a, void (*after)(mg_master *))
{
    a->after = after;
    if (!a->as_text)
        mg_page_print(&a->body, "{\"pid\":%d}\n", (int)getpid());
    finish(a, 202, a->as_text ? TEXT : JSON);
}

static void begin_stop(mg_answer *a)
{
    say_ending(a, mg_master_stop);
}

static void begin_quit(mg_answer *a)
{
    say_ending(a, quit);
}

/* ---- which page ---- */

static const mg_answer_kind kinds[] = {
    {"/v1/status", "GET", "GET, HEAD", begin_survey, mg_status_write, JSON, mg_table_write},
    {"/v1/generations", "GET", "GET, HEAD", begin_survey, mg_status_write_generations, JSON, NULL},
    {"/v1/upstreams", "GET", "GET, HEAD", begin_survey, mg_status_write_upstreams, JSON, NULL},
    {"/metrics", "GET", "GET, HEAD", begin_survey, mg_metrics_write, "text/plain; version=0.0.4; charset=utf-8",
     NULL},
    {"/v1/reload", "POST", "POST", begin_reload, NULL, NULL, NULL},
    {"/v1/upgrade", "POST", "POST", begin_upgrade, NULL, NULL, NULL},
    {"/v1/stop", "POST", "POST", begin_stop, NULL, NULL, NULL},
    {"/v1/quit", "POST", "POST", begin_quit, NULL, NULL, NULL},
};

const mg_answer_kind *mg_answer_find(mg_str path, const char **allow)
{
    for (size_t i = 0; i < MG_COUNT(kinds); i++)
        if (mg_str_eq(path, mg_str_of(kinds[i].path))) {
            *allow = kinds[i].allow;
            return &kinds[i];
        }
    return NULL;
}

bool mg_answer_takes(const mg_answer_kind *kind, mg_str method)
{
    return mg_str_has_token(mg_str_of(kind->allow), method);
}

void mg_answer_begin(mg_answer *a, mg_master *m, const mg_answer_kind *kind, void (*on_ready)(mg_answer *))
{
    a->master = m;
    a->kind = kind;
    a->on_ready = on_ready;
    kind->begin(a);
}

void mg_answer_fini(mg_answer *a)
{
    if (a->waits_reload)
        mg_reload_forget(&a->reload);
    if (a->waits_upgrade)
        mg_upgrade_forget(&a->upgrade);
    mg_survey_fini(&a->survey);
    mg_page_fini(&a->body);
}
