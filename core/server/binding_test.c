#include "server/binding.h"

#include "base/test.h"
#include "os/socket.h"

#include <fcntl.h>
#include <unistd.h>

static mg_plan_listener listeners[4];
static mg_plan plan = {.listeners = listeners};

static const mg_plan *plan_of(const char *a, const char *b, const char *c)
{
    const char *const all[] = {a, b, c};
    plan.listener_count = 0;
    for (int i = 0; i < 3 && all[i]; i++)
        listeners[plan.listener_count++] = (mg_plan_listener){.bind = all[i], .mode = 0600, .v6_only = true};
    return &plan;
}

static bool is_open(int fd)
{
    return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

TEST("each worker has a socket of its own on the port that the kernel chose for the first")
{
    mg_bindings b;
    mg_err err;
    mg_addr first, second;
    REQUIRE(mg_bindings_make(&b, plan_of("127.0.0.1:0", NULL, NULL), NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&b, 2, &err) == MG_OK);
    CHECK(b.at[0].fds[0] != b.at[0].fds[1]);
    CHECK(mg_socket_local(b.at[0].fds[0], &first) == MG_OK && mg_socket_local(b.at[0].fds[1], &second) == MG_OK);
    CHECK(mg_addr_eq(&first, &second));
    CHECK(mg_addr_port(&first) != 0);
    CHECK_INT(b.at[0].fds[2], -1);
    mg_bindings_close(&b, true);
}

TEST("a UNIX socket is one for all workers, and its file goes with it")
{
    mg_bindings b;
    mg_err err;
    char folder[] = "binding-test-XXXXXX", bind[96], path[64];
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/run/x.sock", folder);
    snprintf(bind, sizeof bind, "unix:%s", path);
    REQUIRE(mg_bindings_make(&b, plan_of(bind, NULL, NULL), NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&b, 3, &err) == MG_OK);
    CHECK(b.at[0].shared);
    CHECK_INT(mg_binding_fd(&b.at[0], 0), mg_binding_fd(&b.at[0], 2));
    CHECK(access(path, F_OK) == 0);
    mg_bindings_close(&b, true);
    CHECK(access(path, F_OK) != 0);
    snprintf(path, sizeof path, "%s/run", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
}

TEST("a set that is kept lends what stays, opens what came, and closes what went")
{
    mg_bindings living, new;
    mg_err err;
    REQUIRE(mg_bindings_make(&living, plan_of("127.0.0.1:0", "[::1]:0", NULL), NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&living, 1, &err) == MG_OK);
    int stays = living.at[0].fds[0], goes = living.at[1].fds[0];
    uint32_t id = living.at[0].id;
    REQUIRE(mg_bindings_make(&new, plan_of("127.0.0.2:0", "127.0.0.1:0", NULL), &living, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&new, 1, &err) == MG_OK);
    CHECK(new.at[1].lent && !new.at[0].lent);
    CHECK_INT(new.at[1].fds[0], stays);
    CHECK_INT(new.at[1].id, id);
    CHECK(new.at[0].id != id);
    mg_bindings_keep(&living, &new);
    CHECK_INT(living.count, 2);
    CHECK(is_open(stays));
    CHECK(!is_open(goes));
    mg_bindings_close(&living, true);
}

TEST("a set that is dropped closes only what was new")
{
    mg_bindings living, new;
    mg_err err;
    REQUIRE(mg_bindings_make(&living, plan_of("127.0.0.1:0", NULL, NULL), NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&living, 1, &err) == MG_OK);
    REQUIRE(mg_bindings_make(&new, plan_of("127.0.0.1:0", "[::1]:0", NULL), &living, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&new, 1, &err) == MG_OK);
    int fresh = new.at[1].fds[0];
    mg_bindings_drop(&new);
    CHECK(is_open(living.at[0].fds[0]));
    CHECK(!is_open(fresh));
    mg_bindings_close(&living, true);
}

TEST("listeners at port 0 keep their ports, each its own")
{
    mg_bindings living, new;
    mg_err err;
    const mg_plan *two = plan_of("127.0.0.1:0", "127.0.0.1:0", NULL);
    REQUIRE(mg_bindings_make(&living, two, NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&living, 1, &err) == MG_OK);
    REQUIRE(mg_bindings_make(&new, two, &living, &err) == MG_OK);
    for (int i = 0; i < 2; i++)
        CHECK_STR(mg_str_of(new.at[i].address), mg_str_of(living.at[i].address));
    CHECK(strcmp(new.at[0].address, new.at[1].address) != 0);
    mg_bindings_drop(&new);
    mg_bindings_close(&living, true);
}

TEST("an address that is taken is said, and nothing stays open")
{
    mg_bindings first, second;
    mg_err err;
    REQUIRE(mg_bindings_make(&first, plan_of("127.0.0.1:0", NULL, NULL), NULL, &err) == MG_OK);
    mg_listen_options alone = {0};
    mg_addr real;
    first.at[0].fds[0] = mg_socket_listen(&first.at[0].addr, &alone, &real, &err);
    char bind[MG_ADDR_ROOM];
    (void)mg_addr_print(&real, bind);
    REQUIRE(mg_bindings_make(&second, plan_of(bind, NULL, NULL), NULL, &err) == MG_OK);
    CHECK_INT(mg_bindings_open(&second, 2, &err), MG_FAIL);
    CHECK(strstr(err.text, bind) && strstr(err.text, "in use"));
    mg_bindings_drop(&second);
    mg_bindings_close(&first, false);
}

TEST("what is printed for another process is understood there, and what it does not want is closed")
{
    mg_bindings old, new;
    mg_err err;
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    REQUIRE(mg_bindings_make(&old, plan_of("127.0.0.1:0", "[::1]:0", NULL), NULL, &err) == MG_OK);
    REQUIRE(mg_bindings_open(&old, 2, &err) == MG_OK);
    mg_str text = mg_bindings_print(&old, &arena);
    REQUIRE(mg_bindings_make(&new, plan_of("127.0.0.1:0", NULL, NULL), NULL, &err) == MG_OK);
    mg_bindings_inherit(&new, 1, text);
    CHECK_INT(new.at[0].fds[0], old.at[0].fds[0]);
    CHECK_INT(new.at[0].fds[1], -1);
    CHECK_STR(mg_str_of(new.at[0].address), mg_str_of(old.at[0].address));
    CHECK(is_open(new.at[0].fds[0]));
    CHECK(!is_open(old.at[0].fds[1]) && !is_open(old.at[1].fds[0]) && !is_open(old.at[1].fds[1]));
    mg_bindings_inherit(&new, 1, MG_STR("nonsense|12|x y z|"));
    mg_bindings_close(&new, false);
    for (uint32_t i = 0; i < old.count; i++)
        for (int w = 0; w < 2; w++)
            old.at[i].fds[w] = -1; /* they were handed over */
    mg_bindings_close(&old, false);
    mg_arena_fini(&arena);
}
