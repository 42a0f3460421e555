#include "base/list.h"

#include "base/test.h"

struct owner {
    int value;
    mg_link link;
};

static int read_all(mg_link *head)
{
    int digits = 0;
    MG_LIST_EACH(l, head)
    digits = digits * 10 + MG_OWNER(l, struct owner, link)->value;
    return digits;
}

TEST("a list keeps its order: appended at the tail, pushed at the front")
{
    mg_link head;
    struct owner a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    mg_list_init(&head);
    CHECK(mg_list_is_empty(&head));
    mg_list_append(&head, &a.link);
    mg_list_append(&head, &b.link);
    mg_list_push(&head, &c.link);
    CHECK_INT(read_all(&head), 312);
}

TEST("a link may be cut twice")
{
    mg_link head;
    struct owner a = {.value = 1}, b = {.value = 2};
    mg_list_init(&head);
    mg_list_append(&head, &a.link);
    mg_list_append(&head, &b.link);
    mg_list_cut(&a.link);
    mg_list_cut(&a.link);
    CHECK_INT(read_all(&head), 2);
    CHECK(mg_list_is_empty(&a.link));
}

TEST("the safe walk may cut what it stands on")
{
    mg_link head;
    struct owner all[5];
    mg_list_init(&head);
    for (int i = 0; i < 5; i++) {
        all[i].value = i;
        mg_list_append(&head, &all[i].link);
    }
    MG_LIST_EACH_SAFE(l, after, &head)
    if (MG_OWNER(l, struct owner, link)->value % 2)
        mg_list_cut(l);
    CHECK_INT(read_all(&head), 24);
}
