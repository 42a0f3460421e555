/*
 * checker: a child process that reads the configuration as a worker would, so that the master never does.
 *
 *      master ─fork─► checker: load everything, setup() of every policy ─► pipe: the plan, or the mistakes
 *        └── on_done, within MG_CHECKER_MS; a checker that takes longer is killed
 *
 * Ownership: embedded in its owner; the plan of a good answer is the checker's until taken or the next start.
 */
#ifndef MG_SERVER_CHECKER_H
#define MG_SERVER_CHECKER_H

#include "os/loop.h"
#include "script/plan.h"
#include "server/page.h"

enum { MG_CHECKER_MS = 30000, MG_CHECKER_ANSWER_MOST = 16 * 1024 * 1024 };

typedef struct mg_checker mg_checker;
struct mg_checker {
    const char *library, *config;
    const char *user, *group;  /* whom to become before anything is read; NULL: nobody else */
    void (*in_child)(void);    /* closes what is the master's alone, its loop included */
    void (*on_done)(mg_checker *c);

    bool running;
    bool good;                 /* in on_done: `plan` is filled; otherwise `mistakes` */
    mg_plan plan;
    mg_page mistakes;          /* lines */
    mg_page answer;
    pid_t pid;
    int fd;
    mg_io io;
    mg_child child;
    mg_timer late;
    int status;                /* of the child; -1 while it runs */
};

void mg_checker_init(mg_checker *c);               /* the first five fields are filled before */
void mg_checker_start(mg_checker *c, uint32_t generation); /* not while running; answers in a later turn */
void mg_checker_fini(mg_checker *c);               /* kills it when it runs; no on_done */

#endif
