#include "os/process.h"

#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- users ---- */

static bool is_number(const char *text, unsigned *out)
{
    uint64_t n;
    if (mg_number_dec(mg_str_of(text), &n) != MG_OK || n >= UINT32_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

typedef struct {
    const char *name; /* NULL when the user is a number that nobody bears */
    uid_t uid;
    gid_t gid;
} identity;

static mg_rc find_identity(const char *user, const char *group, identity *out, mg_err *err)
{
    unsigned number;
    bool numeric = is_number(user, &number);
    const struct passwd *pw = numeric ? getpwuid(number) : getpwnam(user);
    if (!pw && !numeric)
        return mg_err_set(err, "there is no user '%s'", user);
    if (!pw && !group)
        return mg_err_set(err, "user %s has no entry, so a group must be said as well", user);
    *out = (identity){pw ? pw->pw_name : NULL, pw ? pw->pw_uid : number, pw ? pw->pw_gid : 0};
    if (!group)
        return MG_OK;
    const struct group *gr = is_number(group, &number) ? NULL : getgrnam(group);
    if (!gr && !is_number(group, &number))
        return mg_err_set(err, "there is no group '%s'", group);
    out->gid = gr ? gr->gr_gid : number;
    return MG_OK;
}

mg_rc mg_process_become(const char *user, const char *group, mg_err *err)
{
    identity who;
    if (!user)
        return MG_OK;
    if (find_identity(user, group, &who, err) != MG_OK)
        return MG_FAIL;
    if (geteuid() != 0) {
        if (geteuid() == who.uid)
            return MG_OK;
        return mg_err_set(err, "only root can become user '%s'", user);
    }
    int rc = who.name ? initgroups(who.name, who.gid) : setgroups(1, &who.gid);
    if (rc != 0 || setresgid(who.gid, who.gid, who.gid) != 0 || setresuid(who.uid, who.uid, who.uid) != 0)
        return mg_err_set(err, "cannot become user '%s': %s", user, strerror(errno));
    if (who.uid != 0) {
        MG_BUG_UNLESS(setuid(0) != 0 && geteuid() == who.uid);
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    return MG_OK;
}

/* ---- limits ---- */

void mg_process_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t mg_process_files_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

/* ---- the title ---- */

extern char **environ;
static char *title_room; /* where the kernel laid argv, and environ behind it */
static size_t title_size;

static void move_strings(char **strings, const char **end)
{
    for (int i = 0; strings[i]; i++) {
        if (*end == strings[i])
            *end = strings[i] + strlen(strings[i]) + 1;
        strings[i] = mg_strdup(strings[i]);
    }
}

void mg_process_title_init(int argc, char **argv)
{
    if (argc < 1 || title_room)
        return;
    const char *end = argv[0];
    title_room = argv[0];
    move_strings(argv, &end);
    size_t count = 0;
    while (environ[count])
        count++;
    char **moved = mg_zalloc((count + 1) * sizeof *moved);
    memcpy(moved, environ, count * sizeof *moved);
    move_strings(moved, &end);
    environ = moved;
    program_invocation_name = argv[0];
    const char *slash = strrchr(argv[0], '/');
    program_invocation_short_name = slash ? argv[0] + (slash - argv[0]) + 1 : argv[0];
    title_size = (size_t)(end - title_room);
}

void mg_process_title(const char *title)
{
    if (!title_room)
        return;
    size_t n = MG_MIN(strlen(title), title_size - 1);
    memcpy(title_room, title, n);
    memset(title_room + n, 0, title_size - n);
}

/* ---- the one who started us ---- */

void mg_process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    bool abstract = path[0] == '@';
    if (abstract)
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
    (void)close(fd);
}

void mg_process_die_with_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        (void)kill(getpid(), SIGKILL);
}

/* ---- the pid file ---- */

static int pid_fd = -1;
static pid_t pid_owner; /* a forked child has the descriptor too, but neither lock nor file is its own */
static char *pid_path;

/* Opens and locks; -1 with errno, EAGAIN when another holds it. Its pid is then in *holder. */
static int open_locked(const char *path, pid_t *holder)
{
    struct stat opened, named;
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
            return -1;
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_SETLK, &lock) != 0) {
            if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
                *holder = lock.l_pid;
            (void)close(fd);
            errno = EAGAIN;
            return -1;
        }
        /* Its last owner may have removed it between our open and our lock. */
        if (fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
            opened.st_dev == named.st_dev)
            return fd;
        (void)close(fd);
    }
}

mg_rc mg_process_pid_file(const char *path, mg_err *err)
{
    MG_BUG_UNLESS(pid_fd < 0);
    pid_t holder = 0;
    int fd = open_locked(path, &holder);
    if (fd < 0 && errno == EAGAIN)
        return mg_err_set(err, "%s: process %d runs already", path, (int)holder);
    if (fd < 0)
        return mg_err_set(err, "cannot write %s: %s", path, strerror(errno));
    char text[MG_NUMBER_ROOM + 1];
    size_t n = mg_number_print((uint64_t)getpid(), text);
    text[n++] = '\n';
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, n, 0) != (ssize_t)n) {
        (void)mg_err_set(err, "cannot write %s: %s", path, strerror(errno));
        (void)close(fd);
        return MG_FAIL;
    }
    pid_fd = fd;
    pid_owner = getpid();
    pid_path = mg_strdup(path);
    return MG_OK;
}

void mg_process_pid_file_drop(void)
{
    if (pid_fd < 0)
        return;
    if (pid_owner == getpid())
        (void)unlink(pid_path);
    (void)close(pid_fd);
    mg_free(pid_path);
    pid_path = NULL;
    pid_fd = -1;
}

/* ---- what the machine gives ---- */

/* A small file of the kernel, NUL-terminated; false when it is not there. */
static bool read_small(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, to, room - 1);
    (void)close(fd);
    to[MG_MAX(n, 0)] = '\0';
    return n > 0;
}

/* The next decimal number of a small file; false when there is none. */
static bool next_number(const char **at, uint64_t *out)
{
    mg_str word = {*at, strcspn(*at, " \n")};
    *at = word.p + word.n + strspn(word.p + word.n, " \n");
    return mg_number_dec(word, out) == MG_OK;
}

/* cgroup v2 "cpu.max": "QUOTA PERIOD" in microseconds, or "max PERIOD". 0: no bound. */
static int quota_of(const char *folder)
{
    char path[PATH_MAX + 32], text[64];
    const char *at = text;
    uint64_t quota, period;
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder);
    if (!read_small(path, text, sizeof text) || !next_number(&at, &quota) || !next_number(&at, &period) || !period)
        return 0;
    return (int)MG_MIN(quota / period + (quota % period != 0), (uint64_t)CPU_SETSIZE);
}

/* The tightest quota from our cgroup up to the root; 0: none. */
static int quota_cpus(void)
{
    char text[PATH_MAX];
    if (!read_small("/proc/self/cgroup", text, sizeof text) || strncmp(text, "0::/", 4) != 0)
        return 0;
    char *folder = text + 3;
    folder[strcspn(folder, "\n")] = '\0';
    int least = 0;
    for (;;) {
        int cpus = quota_of(folder);
        if (cpus && (!least || cpus < least))
            least = cpus;
        char *slash = strrchr(folder, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

int mg_process_cpus(void)
{
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = quota_cpus();
    if (quota && quota < cpus)
        cpus = quota;
    return MG_MAX(cpus, 1);
}

mg_rc mg_process_pin(int cpu)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0)
        return MG_FAIL;
    int skip = cpu % CPU_COUNT(&allowed);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &allowed) && skip-- == 0) {
            CPU_SET(i, &one);
            break;
        }
    }
    return sched_setaffinity(0, sizeof one, &one) == 0 ? MG_OK : MG_FAIL;
}

uint64_t mg_process_rss_bytes(void)
{
    char text[256];
    const char *at = text;
    uint64_t size, resident;
    if (!read_small("/proc/self/statm", text, sizeof text) || !next_number(&at, &size) || !next_number(&at, &resident))
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
