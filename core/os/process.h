/*
 * process: what a daemon asks of its kernel: users, limits, titles, readiness.
 */
#ifndef MG_OS_PROCESS_H
#define MG_OS_PROCESS_H

#include "base/err.h"

mg_rc mg_process_become(const char *user, const char *group, mg_err *err) MG_MUST_CHECK; /* drops root for good; NULL user: nothing */
void mg_process_raise_files(void);               /* RLIMIT_NOFILE soft limit up to the hard one */
uint64_t mg_process_files_limit(void);
void mg_process_title_init(int argc, char **argv); /* once, before anything else */
void mg_process_title(const char *title);          /* what ps shows; cut to the room there is */
void mg_process_notify(const char *state);       /* sd_notify: "READY=1\n…"; nothing without NOTIFY_SOCKET */
void mg_process_die_with_parent(pid_t parent);   /* SIGKILL when the parent is gone */
mg_rc mg_process_pin(int cpu) MG_MUST_CHECK;
mg_rc mg_process_pid_file(const char *path, mg_err *err) MG_MUST_CHECK; /* written; refused while another lives */
int mg_process_cpus(void);                       /* CPUs that this process may use */
uint64_t mg_process_rss_bytes(void);

#endif
