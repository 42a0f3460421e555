#include "server/messages.h"

#include "base/test.h"
#include "os/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* One end, and what it heard. */
typedef struct {
    mg_channel channel;
    unsigned count, wanted;
    uint32_t last_number;
    bool in_order, gone;
    mg_say say;
    char text[MG_CHANNEL_TEXT + 1];
    size_t text_n;
    int fd;
} end;

static void on_message(mg_channel *c, const mg_message *m)
{
    end *e = MG_OWNER(c, end, channel);
    e->in_order &= m->number == e->last_number + 1;
    e->last_number = m->number;
    e->say = m->say;
    e->text_n = m->text.n;
    memcpy(e->text, m->text.p, m->text.n + 1); /* with its NUL */
    mg_socket_close(e->fd);
    e->fd = m->fd;
    if (++e->count == e->wanted)
        mg_loop_stop();
}

static void on_gone(mg_channel *c)
{
    MG_OWNER(c, end, channel)->gone = true;
    mg_loop_stop();
}

static void open_pair(end *a, end *b)
{
    int fds[2];
    MG_BUG_UNLESS(mg_loop_open() == MG_OK && mg_channel_pair(fds) == MG_OK);
    *a = *b = (end){.in_order = true, .fd = -1};
    mg_channel_init(&a->channel, fds[0], on_message, on_gone);
    mg_channel_init(&b->channel, fds[1], on_message, on_gone);
}

static void close_pair(end *a, end *b)
{
    mg_socket_close(a->fd);
    mg_socket_close(b->fd);
    mg_channel_fini(&a->channel);
    mg_channel_fini(&b->channel);
    mg_loop_close();
}

static end a, b;

TEST("a message arrives with its kind, number and text")
{
    open_pair(&a, &b);
    b.wanted = 1;
    mg_channel_send(&a.channel, MG_SAY_MISTAKE, 1, MG_STR("conf.lua:3: no"), -1);
    mg_loop_run();
    CHECK_INT(b.say, MG_SAY_MISTAKE);
    CHECK_STR(((mg_str){b.text, b.text_n}), MG_STR("conf.lua:3: no"));
    CHECK_INT(b.text[b.text_n], '\0');
    CHECK_INT(b.fd, -1);
    close_pair(&a, &b);
}

TEST("a descriptor that travels is the receiver's own, and names the same file")
{
    struct stat ours, theirs;
    open_pair(&a, &b);
    b.wanted = 1;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    mg_channel_send(&a.channel, MG_SAY_LISTEN, 1, MG_STR_NONE, fd);
    mg_loop_run();
    CHECK(b.fd >= 0 && b.fd != fd);
    CHECK(fstat(fd, &ours) == 0 && fstat(b.fd, &theirs) == 0 && ours.st_ino == theirs.st_ino);
    CHECK(fcntl(b.fd, F_GETFD) & FD_CLOEXEC);
    mg_socket_close(fd);
    close_pair(&a, &b);
}

TEST("more than the socket takes is queued, and arrives whole and in order, descriptors included")
{
    open_pair(&a, &b);
    char text[4000];
    memset(text, 'x', sizeof text);
    b.wanted = 3000;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (unsigned i = 1; i <= b.wanted; i++)
        mg_channel_send(&a.channel, MG_SAY_REPORT, i, (mg_str){text, sizeof text}, i % 100 == 0 ? fd : -1);
    mg_socket_close(fd);
    CHECK(a.channel.queued > 0);
    mg_loop_run();
    CHECK_INT(b.count, 3000);
    CHECK(b.in_order);
    CHECK_INT(b.text_n, sizeof text);
    CHECK(b.fd >= 0 && fcntl(b.fd, F_GETFD) >= 0);
    CHECK_INT(a.channel.queued, 0);
    close_pair(&a, &b);
}

TEST("a text that is too long is cut")
{
    open_pair(&a, &b);
    static char text[MG_CHANNEL_TEXT + 100];
    memset(text, 'y', sizeof text);
    b.wanted = 1;
    mg_channel_send(&a.channel, MG_SAY_MISTAKE, 1, (mg_str){text, sizeof text}, -1);
    mg_loop_run();
    CHECK_INT(b.text_n, MG_CHANNEL_TEXT);
    close_pair(&a, &b);
}

TEST("what was said before the other side went is still heard, then that it is gone")
{
    open_pair(&a, &b);
    for (unsigned i = 1; i <= 100; i++)
        mg_channel_send(&a.channel, MG_SAY_REPORT, i, MG_STR("x"), -1);
    mg_channel_fini(&a.channel);
    mg_loop_run();
    CHECK_INT(b.count, 100);
    CHECK(b.gone);
    close_pair(&a, &b);
}

TEST("sending to who is gone is forgotten")
{
    open_pair(&a, &b);
    mg_channel_fini(&b.channel);
    for (unsigned i = 0; i < 100; i++)
        mg_channel_send(&a.channel, MG_SAY_ASK, i, MG_STR_NONE, -1);
    mg_loop_run();
    CHECK(a.gone);
    mg_channel_send(&a.channel, MG_SAY_ASK, 1, MG_STR_NONE, -1);
    close_pair(&a, &b);
}

TEST("a process that ends can wait until all is sent, and who outlives it can hear the last of it")
{
    open_pair(&a, &b);
    for (unsigned i = 1; i <= 50; i++)
        mg_channel_send(&a.channel, MG_SAY_MISTAKE, i, MG_STR("x"), -1);
    mg_channel_flush(&a.channel, 1000);
    CHECK_INT(a.channel.queued, 0);
    mg_channel_fini(&a.channel);
    mg_channel_drain(&b.channel);
    CHECK_INT(b.count, 50);
    CHECK(!b.gone);
    close_pair(&a, &b);
}
