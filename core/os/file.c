#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_for_reading(const char *path, struct stat *st, mg_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (fstat(fd, st) == 0 && !S_ISDIR(st->st_mode))
            return fd;
        (void)close(fd);
        errno = EISDIR;
    }
    (void)mg_err_set(err, "cannot read %s: %s", path, strerror(errno));
    return -1;
}

/* Reads until the end or until room is full; -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t room)
{
    size_t n = 0;
    while (n < room) {
        ssize_t got = read(fd, to + n, room - n);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        n += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)n;
}

/* The size that stat tells is a guess: files under /proc say 0, and a file may grow while it is read. */
static mg_rc read_into(int fd, size_t guess, size_t most, char **out, size_t *n)
{
    size_t room = MG_MIN(guess, most) + 1;
    char *bytes = mg_alloc(room);
    *out = bytes;
    *n = 0;
    for (;;) {
        ssize_t got = read_all(fd, bytes + *n, room - *n);
        if (got < 0)
            return MG_FAIL;
        *n += (size_t)got;
        if (*n < room)
            return MG_OK;
        if (room > most)
            return MG_LIMIT;
        room = MG_MIN(room * 2 + 4096, most + 1);
        *out = bytes = mg_realloc(bytes, room);
    }
}

mg_rc mg_file_read(const char *path, mg_arena *arena, size_t most, mg_str *out, mg_err *err)
{
    struct stat st;
    char *bytes;
    size_t n;
    most = MG_MIN(most, (size_t)SSIZE_MAX - 1);
    int fd = open_for_reading(path, &st, err);
    if (fd < 0)
        return MG_FAIL;
    mg_rc rc = read_into(fd, st.st_size > 0 ? (size_t)st.st_size : 0, most, &bytes, &n);
    if (rc == MG_FAIL)
        (void)mg_err_set(err, "cannot read %s: %s", path, strerror(errno));
    if (rc == MG_LIMIT)
        (void)mg_err_set(err, "%s is larger than %zu bytes", path, most);
    char *copy = rc == MG_OK ? mg_arena_try(arena, n + 1) : NULL;
    if (copy) {
        memcpy(copy, bytes, n);
        copy[n] = '\0';
        *out = (mg_str){copy, n};
    } else if (rc == MG_OK) {
        (void)mg_err_set(err, "%s is larger than the memory left for it", path);
        rc = MG_LIMIT;
    }
    mg_free(bytes);
    (void)close(fd);
    return rc;
}

static bool write_all(int fd, mg_str bytes)
{
    while (bytes.n) {
        ssize_t done = write(fd, bytes.p, bytes.n);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0)
            bytes = (mg_str){bytes.p + done, bytes.n - (size_t)done};
    }
    return true;
}

/* A rename is on the disk when its folder is. Not every file system can sync a folder; then so be it. */
static void sync_folder(const char *path)
{
    mg_str folder = mg_file_folder(mg_str_of(path));
    char name[PATH_MAX];
    if (folder.n >= sizeof name)
        return;
    memcpy(name, folder.p, folder.n);
    name[folder.n] = '\0';
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

mg_rc mg_file_write(const char *path, mg_str bytes, unsigned mode, mg_err *err)
{
    char beside[PATH_MAX];
    int n = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof beside)
        return mg_err_set(err, "cannot write %s: %s", path, strerror(ENAMETOOLONG));
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return mg_err_set(err, "cannot write %s: %s", path, strerror(errno));
    bool good = fchmod(fd, mode) == 0 && write_all(fd, bytes) && fsync(fd) == 0 && rename(beside, path) == 0;
    int why = errno;
    (void)close(fd);
    if (!good) {
        (void)unlink(beside);
        return mg_err_set(err, "cannot write %s: %s", path, strerror(why));
    }
    sync_folder(path);
    return MG_OK;
}

mg_rc mg_file_make_folders(const char *path, mg_err *err)
{
    char name[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof name)
        return mg_err_set(err, "cannot make the folders of %s: %s", path, strerror(ENAMETOOLONG));
    memcpy(name, path, n + 1);
    for (char *slash = strchr(name + (n > 0), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct stat st;
        if (mkdir(name, 0755) != 0 && !(errno == EEXIST && stat(name, &st) == 0 && S_ISDIR(st.st_mode)))
            return mg_err_set(err, "cannot make the folder %s: %s", name, strerror(errno));
        *slash = '/';
    }
    return MG_OK;
}

mg_str mg_file_folder(mg_str path)
{
    size_t n = path.n;
    while (n && path.p[n - 1] != '/')
        n--;
    if (n == 0)
        return MG_STR(".");
    return (mg_str){path.p, n > 1 ? n - 1 : 1};
}

bool mg_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

mg_str mg_file_self(mg_arena *arena)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || (size_t)n == sizeof path)
        return mg_arena_copy(arena, MG_STR(""));
    mg_str self = {path, (size_t)n};
    /* The kernel says so when a new binary was put in place of ours: that one is what an upgrade starts. */
    if (mg_str_ends(self, MG_STR(" (deleted)")))
        self.n -= sizeof " (deleted)" - 1;
    return mg_arena_copy(arena, self);
}
