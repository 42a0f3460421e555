#include "os/file.h"

#include "base/test.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static bool fresh_folder(void)
{
    memcpy(folder, "/tmp/mg-file-XXXXXX", sizeof "/tmp/mg-file-XXXXXX");
    return mkdtemp(folder) != NULL;
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

TEST("a file is read as it was written, with a NUL behind it, and has its mode")
{
    mg_arena arena;
    mg_str got;
    mg_err err = {""};
    struct stat st;
    REQUIRE(fresh_folder());
    mg_arena_init(&arena, SIZE_MAX);
    const char *path = path_of("f");
    CHECK(mg_file_write(path, MG_STR("one\0two"), 0640, &err) == MG_OK);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(mg_file_read(path, &arena, 100, &got, &err) == MG_OK);
    CHECK_STR(got, MG_STR("one\0two"));
    CHECK(got.p[got.n] == '\0');
    CHECK(mg_file_write(path, MG_STR(""), 0600, &err) == MG_OK);
    CHECK(mg_file_read(path, &arena, 0, &got, &err) == MG_OK && got.n == 0);
    (void)unlink(path);
    CHECK(rmdir(folder) == 0); /* nothing else was left there */
    mg_arena_fini(&arena);
}

TEST("a file at its bound is read and one byte more is refused")
{
    mg_arena arena, small;
    mg_str got;
    mg_err err;
    REQUIRE(fresh_folder());
    mg_arena_init(&arena, SIZE_MAX);
    mg_arena_init(&small, 8192);
    const char *path = path_of("f");
    static char bytes[20000];
    memset(bytes, 'x', sizeof bytes);
    CHECK(mg_file_write(path, (mg_str){bytes, sizeof bytes}, 0600, &err) == MG_OK);
    CHECK(mg_file_read(path, &arena, sizeof bytes, &got, &err) == MG_OK && got.n == sizeof bytes);
    CHECK(mg_file_read(path, &arena, sizeof bytes - 1, &got, &err) == MG_LIMIT);
    CHECK(strstr(err.text, "is larger than 19999 bytes") != NULL);
    CHECK(mg_file_read(path, &small, sizeof bytes, &got, &err) == MG_LIMIT);
    (void)unlink(path);
    (void)rmdir(folder);
    mg_arena_fini(&arena);
    mg_arena_fini(&small);
}

TEST("files whose size the kernel does not tell are read whole")
{
    mg_arena arena;
    mg_str got;
    mg_err err;
    mg_arena_init(&arena, SIZE_MAX);
    CHECK(mg_file_read("/proc/self/status", &arena, 1 << 20, &got, &err) == MG_OK && got.n > 100);
    mg_arena_fini(&arena);
}

TEST("what cannot be read or written is said with its path and reason")
{
    mg_arena arena;
    mg_str got;
    mg_err err;
    mg_arena_init(&arena, SIZE_MAX);
    CHECK(mg_file_read("/nonexistent/f", &arena, 10, &got, &err) == MG_FAIL);
    CHECK_STR(mg_str_of(err.text), MG_STR("cannot read /nonexistent/f: No such file or directory"));
    CHECK(mg_file_read("/tmp", &arena, 10, &got, &err) == MG_FAIL);
    CHECK_STR(mg_str_of(err.text), MG_STR("cannot read /tmp: Is a directory"));
    CHECK(mg_file_write("/nonexistent/f", MG_STR("x"), 0600, &err) == MG_FAIL);
    CHECK_STR(mg_str_of(err.text), MG_STR("cannot write /nonexistent/f: No such file or directory"));
    mg_arena_fini(&arena);
}

TEST("a write that fails leaves the old file and nothing beside it")
{
    mg_err err;
    REQUIRE(fresh_folder());
    const char *path = path_of("f");
    CHECK(mkdir(path, 0700) == 0); /* a folder cannot be renamed over */
    CHECK(mg_file_write(path, MG_STR("x"), 0600, &err) == MG_FAIL);
    CHECK(mg_file_exists(path));
    CHECK(rmdir(path) == 0 && rmdir(folder) == 0);
}

TEST("folders on the way are made, and those that exist are no error")
{
    mg_err err;
    REQUIRE(fresh_folder());
    const char *path = path_of("a/b/c/file");
    CHECK(mg_file_make_folders(path, &err) == MG_OK && mg_file_make_folders(path, &err) == MG_OK);
    CHECK(mg_file_exists(path_of("a/b/c")) && !mg_file_exists(path_of("a/b/c/file")));
    CHECK(mg_file_make_folders("plain", &err) == MG_OK);
    CHECK(mg_file_write(path_of("file"), MG_STR("x"), 0600, &err) == MG_OK);
    CHECK(mg_file_make_folders(path_of("file/x"), &err) == MG_FAIL);
    CHECK(strstr(err.text, "cannot make the folder") != NULL);
    (void)unlink(path_of("file"));
    (void)rmdir(path_of("a/b/c")), (void)rmdir(path_of("a/b")), (void)rmdir(path_of("a"));
    CHECK(rmdir(folder) == 0);
}

TEST("the folder of a path is what stands before its last slash")
{
    CHECK_STR(mg_file_folder(MG_STR("/a/b")), MG_STR("/a"));
    CHECK_STR(mg_file_folder(MG_STR("/a")), MG_STR("/"));
    CHECK_STR(mg_file_folder(MG_STR("a/b/c")), MG_STR("a/b"));
    CHECK_STR(mg_file_folder(MG_STR("a")), MG_STR("."));
    CHECK_STR(mg_file_folder(MG_STR("")), MG_STR("."));
}

TEST("the running binary knows where it lies")
{
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX);
    mg_str self = mg_file_self(&arena);
    CHECK(mg_str_starts(self, MG_STR("/")) && mg_str_ends(self, MG_STR("file_test")));
    mg_arena_fini(&arena);
}
