/*
 * plan: what a checked configuration asks of the process around the requests: users, listeners, logs.
 *
 *      configuration ─► worker or checker: a generation (everything)
 *                    └► master: this plan only, as lines of text through a pipe
 *
 * The master never runs configuration code: it forks a checker that loads all of it, and reads the plan
 * that the checker prints. A line is "key value…", values percent-encoded, so that any byte may be in
 * them; unknown keys are refused, since both ends are one program.
 *
 * Ownership: all texts and lists lie in the plan's arena; mg_plan_fini gives it back. Texts end with NUL.
 */
#ifndef MG_SCRIPT_PLAN_H
#define MG_SCRIPT_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"

typedef struct {
    const char *bind;   /* "127.0.0.1:8080", "[::]:80", "unix:/absolute/path": as mg_addr_parse reads it */
    int backlog;
    unsigned mode;      /* of a UNIX socket's file */
    bool v6_only;
} mg_plan_listener;

typedef struct {
    const char *name;
    uint64_t bytes;
} mg_plan_dict;

typedef enum { MG_PLAN_LOG_OFF, MG_PLAN_LOG_COMBINED, MG_PLAN_LOG_JSON, MG_PLAN_LOG_SCRIPT } mg_plan_log;

typedef struct {
    mg_arena arena;
    const char *config;       /* the file as it was named */
    int workers;              /* 0: one per core */
    const char *control;      /* path of the control socket; NULL: none */
    const char *user, *group; /* NULL: unchanged */
    const char *pid_file;     /* NULL: none */
    struct { mg_log_level level; const char *path; } error_log;   /* path NULL: standard error */
    struct { mg_plan_log format; const char *path; } access_log;  /* path NULL: standard output */
    mg_plan_listener *listeners;
    uint32_t listener_count;
    mg_plan_dict *dicts;
    uint32_t dict_count;
    struct {
        const char **nameservers; /* "1.2.3.4:53"; count 0: the system's */
        uint32_t nameserver_count, attempts;
        int64_t timeout_ms, min_ttl_ms, max_ttl_ms;
        const char *hosts_file;   /* NULL: none */
    } resolver;
    int64_t drain_ms;
    uint32_t generations;     /* alive at once at most */
    uint32_t connections;     /* of clients, per worker */
} mg_plan;

void mg_plan_init(mg_plan *p);  /* empty, nothing listens */
void mg_plan_fini(mg_plan *p);

/* The plan as text, NUL-terminated, in `arena`. */
mg_str mg_plan_print(const mg_plan *p, mg_arena *arena);
/* Reads what mg_plan_print wrote into an initialised plan. MG_BAD: the line that was not understood is in err. */
mg_rc mg_plan_parse(mg_plan *p, mg_str text, mg_err *err) MG_MUST_CHECK;

#endif
