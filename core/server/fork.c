#include "server/fork.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

pid_t mg_fork(void)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)fflush(NULL); /* what is not written yet would be written twice */
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

void mg_fork_take_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}
