/*
 * process: what a daemon asks of its kernel: users, limits, titles, readiness.
 */
#ifndef MG_OS_PROCESS_H
#define MG_OS_PROCESS_H

#include "base/err.h"

/* Drops root for good (groups, user, no new privileges); NULL user: nothing. Names or numbers; NULL group:
 * the user's own. Without root it succeeds only when this user runs us already. */
mg_rc mg_process_become(const char *user, const char *group, mg_err *err) MG_MUST_CHECK;
void mg_process_raise_files(void); /* RLIMIT_NOFILE soft limit up to the hard one */
uint64_t mg_process_files_limit(void);
/* Once, before anything else: the strings of argv and environ are moved, argv[i] and environ follow. */
void mg_process_title_init(int argc, char **argv);
void mg_process_title(const char *title);  /* what ps shows; cut to the room there is */
void mg_process_notify(const char *state); /* sd_notify: "READY=1\n…"; nothing without NOTIFY_SOCKET */
/* SIGKILL when the parent is gone, also when it went before this call. After mg_process_become, which
 * makes the kernel forget. */
void mg_process_die_with_parent(pid_t parent);
mg_rc mg_process_pin(int cpu) MG_MUST_CHECK; /* to the cpu-th CPU of those we may use, from 0, going round */
/* Written, and locked for as long as this process lives (children do not inherit the lock): refused while
 * another holds it. One pid file per process. */
mg_rc mg_process_pid_file(const char *path, mg_err *err) MG_MUST_CHECK;
void mg_process_pid_file_drop(void); /* removed and unlocked, for our end or for who replaces us */
int mg_process_cpus(void);           /* CPUs that we may use, by affinity and cgroup quota; at least 1 */
uint64_t mg_process_rss_bytes(void);

#endif
