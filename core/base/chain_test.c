#include "base/chain.h"

#include "base/test.h"

static mg_str all_of(const mg_chain *c)
{
    static char text[1 << 18];
    MG_BUG_UNLESS(c->n <= sizeof text);
    return (mg_str){text, mg_chain_copy_out(c, text, sizeof text)};
}

/* The sums that a chain keeps agree with its links. */
static void check_whole(const mg_chain *c)
{
    size_t n = 0;
    const mg_slice *last = NULL;
    for (const mg_slice *s = c->first; s; s = s->next) {
        n += s->n;
        last = s;
    }
    CHECK_INT(c->n, n);
    CHECK(c->last == last);
}

TEST("an empty chain holds nothing and can be ended")
{
    mg_chain c = {0};
    struct iovec iov[2];
    CHECK(mg_chain_is_empty(&c));
    CHECK_INT(mg_chain_iov(&c, iov, 2), 0);
    mg_chain_eat(&c, 0);
    mg_chain_fini(&c);
}

TEST("copied bytes come out in order, however many blocks they fill")
{
    mg_chain c = {0};
    static char big[3 * MG_BLOCK_SIZE];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    mg_chain_add_copy(&c, MG_STR("abc"));
    mg_chain_add_copy(&c, (mg_str){big, sizeof big});
    check_whole(&c);
    CHECK_INT(c.n, sizeof big + 3);
    mg_chain_eat(&c, 3);
    CHECK_STR(all_of(&c), ((mg_str){big, sizeof big}));
    mg_chain_fini(&c);
    CHECK_INT(mg_block_count(), 0);
}

TEST("static bytes are not copied")
{
    mg_chain c = {0};
    mg_str s = MG_STR("static");
    struct iovec iov[1];
    mg_chain_add_static(&c, s);
    CHECK_INT(mg_chain_iov(&c, iov, 1), 1);
    CHECK(iov[0].iov_base == s.p);
    mg_chain_fini(&c);
}

TEST("slices of a block that follow each other become one, and the block lives while one is left")
{
    mg_chain c = {0};
    mg_block *b = mg_block_new(0);
    memcpy(b->data, "abcdef", 6);
    b->used = 6;
    mg_chain_add_block(&c, b, b->data, 2);
    mg_chain_add_block(&c, b, b->data + 2, 2);
    CHECK(c.first == c.last);
    mg_chain_add_block(&c, b, b->data + 5, 1);
    CHECK(c.first != c.last);
    mg_block_drop(b);
    CHECK_STR(all_of(&c), MG_STR("abcdf"));
    CHECK_INT(mg_block_count(), 1);
    mg_chain_eat(&c, 4);
    CHECK_INT(mg_block_count(), 1);
    mg_chain_eat(&c, 1);
    CHECK_INT(mg_block_count(), 0);
    check_whole(&c);
}

TEST("all of a chain moves behind another")
{
    mg_chain a = {0}, b = {0};
    mg_chain_add_copy(&a, MG_STR("one "));
    mg_chain_add_copy(&b, MG_STR("two"));
    mg_chain_move(&a, &b);
    CHECK(mg_chain_is_empty(&b) && !b.first);
    CHECK_STR(all_of(&a), MG_STR("one two"));
    mg_chain_move(&a, &b);
    CHECK_INT(a.n, 7);
    mg_chain_move(&b, &a);
    CHECK_STR(all_of(&b), MG_STR("one two"));
    check_whole(&b);
    mg_chain_fini(&b);
}

TEST("any number of bytes can be moved or eaten, and the rest stays in order")
{
    mg_str text = MG_STR("abcdefghij");
    for (size_t n = 0; n <= text.n; n++) {
        mg_chain from = {0}, to = {0};
        mg_chain_add_static(&from, (mg_str){text.p, 3});
        mg_chain_add_copy(&from, (mg_str){text.p + 3, 4});
        mg_chain_add_static(&from, (mg_str){text.p + 7, 3});
        mg_chain_move_some(&to, &from, n);
        check_whole(&from);
        check_whole(&to);
        CHECK_STR(all_of(&to), ((mg_str){text.p, n}));
        CHECK_STR(all_of(&from), ((mg_str){text.p + n, text.n - n}));
        mg_chain_eat(&from, from.n / 2);
        check_whole(&from);
        mg_chain_fini(&from);
        mg_chain_fini(&to);
    }
    CHECK_INT(mg_block_count(), 0);
}

TEST("reserved room is contiguous and takes what is written into it")
{
    mg_chain c = {0};
    memcpy(mg_chain_reserve(&c, 5), "hello", 5);
    mg_chain_wrote(&c, 5);
    memcpy(mg_chain_reserve(&c, 2 * MG_BLOCK_SIZE), " world", 6);
    mg_chain_wrote(&c, 6);
    CHECK_STR(all_of(&c), MG_STR("hello world"));
    check_whole(&c);
    mg_chain_fini(&c);
}

TEST("room that was reserved and not used leaves no bytes behind")
{
    mg_chain c = {0};
    struct iovec iov[4];
    mg_chain_reserve(&c, 10);
    CHECK(mg_chain_is_empty(&c));
    CHECK_INT(mg_chain_iov(&c, iov, 4), 0);
    mg_chain_add_static(&c, MG_STR("x"));
    CHECK_STR(all_of(&c), MG_STR("x"));
    mg_chain_eat(&c, 1);
    CHECK(!c.first && !c.last);
    mg_chain_fini(&c);
    CHECK_INT(mg_block_count(), 0);
}

TEST("iov and copy_out stop at what they are given")
{
    mg_chain c = {0};
    struct iovec iov[2];
    char to[4];
    mg_chain_add_static(&c, MG_STR("ab"));
    mg_chain_add_static(&c, MG_STR("cd"));
    mg_chain_add_static(&c, MG_STR("ef"));
    CHECK_INT(mg_chain_iov(&c, iov, 2), 2);
    CHECK_INT(mg_chain_copy_out(&c, to, 3), 3);
    CHECK(!memcmp(to, "abc", 3));
    mg_chain_fini(&c);
}

TEST("a block given back is used again, a large one is not kept")
{
    mg_block *b = mg_block_new(0);
    size_t usual = b->size;
    mg_block_drop(b);
    mg_block *again = mg_block_new(10);
    CHECK(again == b);
    CHECK_INT(again->used, 0);
    mg_block_drop(again);
    mg_block *large = mg_block_new(usual + 1);
    CHECK_INT(large->size, usual + 1);
    CHECK_INT(mg_block_room(large), usual + 1);
    mg_block_drop(mg_block_hold(large));
    CHECK_INT(mg_block_count(), 1);
    mg_block_drop(large);
    mg_block_drop(NULL);
    CHECK_INT(mg_block_count(), 0);
    mg_block_trim_pool();
}
