#include "os/process.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static bool fresh_folder(void)
{
    memcpy(folder, "/tmp/mg-process-XXXXXX", sizeof "/tmp/mg-process-XXXXXX");
    return mkdtemp(folder) != NULL;
}

static const char *path_of(const char *name)
{
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Runs fn in a child; its result is the exit status, -1 when it was killed. */
static int in_child(int (*fn)(void))
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int become_nobody(void)
{
    mg_err err;
    if (mg_process_become("nobody", NULL, &err) != MG_OK)
        return 1;
    return geteuid() != 0 && getegid() != 0 && setuid(0) != 0 && setgid(0) != 0 ? 0 : 2;
}

static int become_numbers(void)
{
    mg_err err;
    if (mg_process_become("54321", "54322", &err) != MG_OK)
        return 1;
    gid_t groups[8];
    return getuid() == 54321 && getgid() == 54322 && getgroups(8, groups) == 1 && groups[0] == 54322 ? 0 : 2;
}

TEST("root is dropped for good")
{
    if (geteuid() != 0)
        return;
    CHECK_INT(in_child(become_nobody), 0);
    CHECK_INT(in_child(become_numbers), 0);
}

TEST("a user or group that does not exist is refused by name")
{
    mg_err err;
    CHECK(mg_process_become("no-such-user-here", NULL, &err) == MG_FAIL);
    CHECK_STR(mg_str_of(err.text), MG_STR("there is no user 'no-such-user-here'"));
    CHECK(mg_process_become("root", "no-such-group", &err) == MG_FAIL);
    CHECK_STR(mg_str_of(err.text), MG_STR("there is no group 'no-such-group'"));
    CHECK(mg_process_become("54321", NULL, &err) == MG_FAIL);
    CHECK(mg_process_become(NULL, NULL, &err) == MG_OK);
}

static int hold_pid_file(void)
{
    mg_err err;
    return mg_process_pid_file(path_of("pid"), &err) == MG_OK ? 0 : 1;
}

static int drop_in_child(void)
{
    mg_process_pid_file_drop();
    return access(path_of("pid"), F_OK) == 0 ? 0 : 1;
}

TEST("a pid file is refused while its writer lives, also to its children's end, and free after")
{
    mg_err err;
    char text[32] = "", wanted[32];
    REQUIRE(fresh_folder());
    CHECK(mg_process_pid_file(path_of("pid"), &err) == MG_OK);
    int fd = open(path_of("pid"), O_RDONLY);
    (void)snprintf(wanted, sizeof wanted, "%d\n", (int)getpid());
    pid_t pid = fork(); /* reads in a child: closing the file here would give up the lock */
    if (pid == 0)
        _exit(read(fd, text, sizeof text) == (ssize_t)strlen(wanted) && memcmp(text, wanted, strlen(wanted)) == 0 ? 0
                                                                                                                  : 1);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_INT(in_child(drop_in_child), 0); /* a child's end is not ours */
    mg_process_pid_file_drop();
    CHECK(access(path_of("pid"), F_OK) != 0);
    CHECK_INT(in_child(hold_pid_file), 0);
    CHECK(mg_process_pid_file(path_of("pid"), &err) == MG_OK); /* the last one ended without dropping it */
    mg_process_pid_file_drop();
    (void)close(fd);
    CHECK(rmdir(folder) == 0);
}

static int try_pid_file(void)
{
    /* The parent's descriptor is forgotten, as in a process started anew. */
    mg_process_pid_file_drop();
    mg_err err;
    if (mg_process_pid_file(path_of("pid"), &err) == MG_OK)
        return 1;
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "%s: process %d runs already", path_of("pid"), (int)getppid());
    return strcmp(err.text, wanted) == 0 ? 0 : 2;
}

TEST("a second process is told which one runs already")
{
    mg_err err;
    REQUIRE(fresh_folder());
    CHECK(mg_process_pid_file(path_of("pid"), &err) == MG_OK);
    CHECK_INT(in_child(try_pid_file), 0);
    mg_process_pid_file_drop();
    CHECK(rmdir(folder) == 0);
}

TEST("readiness is told to whoever waits for it")
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char got[64];
    REQUIRE(fresh_folder());
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path_of("notify"));
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    mg_process_notify("READY=1\n"); /* nobody waits: nothing happens */
    CHECK(setenv("NOTIFY_SOCKET", at.sun_path, 1) == 0);
    mg_process_notify("READY=1\nSTATUS=here\n");
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    CHECK_STR(((mg_str){got, (size_t)MG_MAX(n, 0)}), MG_STR("READY=1\nSTATUS=here\n"));
    CHECK(unsetenv("NOTIFY_SOCKET") == 0);
    (void)close(fd);
    (void)unlink(path_of("notify"));
    CHECK(rmdir(folder) == 0);
}

static int die_as_orphan(void)
{
    mg_process_die_with_parent(getpid()); /* that is not our parent: it is gone */
    return 0;
}

static int stay_with_parent(void)
{
    mg_process_die_with_parent(getppid());
    return 0;
}

TEST("a child whose parent went before it could say so dies as well")
{
    CHECK_INT(in_child(die_as_orphan), -1);
    CHECK_INT(in_child(stay_with_parent), 0);
}

TEST("a child dies when its parent does")
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t me = getpid();
        if (fork() == 0) {
            mg_process_die_with_parent(me);
            (void)close(ends[0]);
            (void)!write(ends[1], "r", 1);
            for (;;)
                (void)pause();
        }
        for (;;)
            (void)pause();
    }
    char byte;
    (void)close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK(kill(parent, SIGKILL) == 0 && waitpid(parent, NULL, 0) == parent);
    CHECK_INT(read(ends[0], &byte, 1), 0); /* the end comes when the grandchild is gone as well */
    (void)close(ends[0]);
}

static int pin_each(void)
{
    cpu_set_t set;
    int all = mg_process_cpus();
    for (int i = 0; i < 2 * all; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            bool one =
                mg_process_pin(i) == MG_OK && sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1;
            _exit(one && mg_process_cpus() == 1 ? 0 : 1);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
    }
    return 0;
}

TEST("a process can be pinned to each CPU it has, going round")
{
    CHECK(mg_process_cpus() >= 1);
    CHECK_INT(in_child(pin_each), 0);
}

static int raise_limit(void)
{
    mg_process_raise_files();
    return mg_process_files_limit() >= 256 ? 0 : 1;
}

TEST("the limit of open files goes up and memory is counted")
{
    CHECK_INT(in_child(raise_limit), 0);
    CHECK(mg_process_rss_bytes() > 100 * 1024);
}

TEST("a title takes the place of argv, which stays readable, and never more than its room")
{
    /* Laid out by hand as the kernel does. */
    static char block[] = "moongate\0run\0behind";
    static char *argv[] = {block, block + 9, NULL};
    mg_process_title_init(2, argv);
    mg_process_title("moongate: master");
    CHECK_STR(mg_str_of(argv[0]), MG_STR("moongate"));
    CHECK_STR(mg_str_of(argv[1]), MG_STR("run"));
    CHECK(memcmp(block, "moongate: ma\0behind", 19) == 0);
    mg_process_title("m");
    CHECK(memcmp(block, "m\0\0\0\0\0\0\0\0\0\0\0\0behind", 19) == 0);
    CHECK(getenv("PATH") != NULL);
}
