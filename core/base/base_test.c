#include "base/base.h"

#include "base/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST("a broken promise says which and where, and ends the process")
{
    int ends[2], status = 0;
    char text[4096] = "";
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        int one = 1;
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        MG_BUG_UNLESS(one == 2);
        _exit(0);
    }
    close(ends[1]);
    (void)!read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(!(WIFEXITED(status) && WEXITSTATUS(status) == 0));
    CHECK_FOR(strstr(text, "base_test.c") && strstr(text, "one == 2"), text);
}

TEST("a kept promise costs nothing but the look")
{
    int looks = 0;
    MG_BUG_UNLESS(++looks == 1);
    CHECK_INT(looks, 1);
}

TEST("an owner is found from its member")
{
    struct owner {
        int before;
        long member;
    } o = {0};
    CHECK(MG_OWNER(&o.member, struct owner, member) == &o);
}

TEST("memory is zeroed, grown and copied as asked")
{
    char *zeroed = mg_zalloc(100);
    for (int i = 0; i < 100; i++)
        CHECK_INT(zeroed[i], 0);
    memcpy(zeroed, "abc", 4);
    zeroed = mg_realloc(zeroed, 100000);
    CHECK(!strcmp(zeroed, "abc"));
    char *copy = mg_strdup(zeroed);
    CHECK(!strcmp(copy, "abc") && copy != zeroed);
    mg_free(copy);
    mg_free(zeroed);
    mg_free(NULL);
}
