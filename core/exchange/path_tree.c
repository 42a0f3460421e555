#include "exchange/path_tree.h"

#include "base/map.h"

typedef struct mg_path_edge {
    uint64_t hash;
    mg_path_node *to; /* NULL: empty */
} edge;

static const uint64_t SALT_STEP = 0x9e3779b97f4a7c15u;

void mg_path_tree_init(mg_path_tree *t, mg_arena *arena)
{
    *t = (mg_path_tree){.arena = arena};
}

void mg_path_tree_fini(mg_path_tree *t)
{
    mg_free(t->edges);
    *t = (mg_path_tree){0};
}

void mg_path_tree_root(mg_path_tree *t, mg_path_node *root)
{
    *root = (mg_path_node){.salt = t->salts += SALT_STEP};
}

static uint64_t hash_of(const mg_path_node *parent, mg_str segment)
{
    return mg_hash(segment) + parent->salt;
}

/* The slot that holds the child, or the empty one where it belongs. */
static edge *slot_of(const mg_path_tree *t, uint64_t hash, const mg_path_node *parent, mg_str segment)
{
    size_t mask = t->size - 1, i = hash & mask;
    for (; t->edges[i].to; i = (i + 1) & mask) {
        const edge *e = &t->edges[i];
        if (e->hash == hash && e->to->parent == parent && mg_str_eq(e->to->segment, segment))
            break;
    }
    return &t->edges[i];
}

mg_path_node *mg_path_tree_find(const mg_path_tree *t, const mg_path_node *parent, mg_str segment)
{
    if (!parent->literals)
        return NULL;
    return slot_of(t, hash_of(parent, segment), parent, segment)->to;
}

static void grow(mg_path_tree *t)
{
    size_t size = t->size;
    edge *old = t->edges;
    t->size = size ? size * 2 : 16;
    t->edges = mg_zalloc(t->size * sizeof *t->edges);
    for (size_t i = 0; i < size; i++) {
        size_t to = old[i].hash & (t->size - 1);
        if (!old[i].to)
            continue;
        while (t->edges[to].to)
            to = (to + 1) & (t->size - 1);
        t->edges[to] = old[i];
    }
    mg_free(old);
}

static mg_path_node *make_node(mg_path_tree *t, mg_path_node *parent)
{
    mg_path_node *n = mg_arena_zalloc(t->arena, sizeof *n);
    n->parent = parent;
    n->depth = parent->depth + 1;
    n->salt = t->salts += SALT_STEP;
    return n;
}

mg_path_node *mg_path_tree_add(mg_path_tree *t, mg_path_node *parent, mg_str segment)
{
    if ((t->count + 1) * 2 > t->size)
        grow(t);
    uint64_t hash = hash_of(parent, segment);
    edge *e = slot_of(t, hash, parent, segment);
    if (e->to)
        return e->to;
    mg_path_node *n = make_node(t, parent);
    n->segment = segment;
    *e = (edge){hash, n};
    t->count++;
    parent->literals++;
    return n;
}

mg_path_node *mg_path_tree_add_param(mg_path_tree *t, mg_path_node *parent)
{
    if (!parent->param) {
        parent->param = make_node(t, parent);
        parent->param->is_param = true;
    }
    return parent->param;
}

static size_t segment_end(mg_str path, size_t from)
{
    const char *slash = memchr(path.p + from, '/', path.n - from);
    return slash ? (size_t)(slash - path.p) : path.n;
}

static bool step_down(const mg_path_tree *t, mg_path_walk *w, mg_str path)
{
    const mg_path_node *node = w->node;
    if (w->at == path.n || !(node->literals || node->param))
        return false;
    size_t from = w->at + 1, end = segment_end(path, from);
    const mg_path_node *child = mg_path_tree_find(t, node, (mg_str){path.p + from, end - from});
    if (!child && end > from)
        child = node->param;
    if (!child)
        return false;
    *w = (mg_path_walk){child, end};
    return true;
}

/* Up until there is a ":name" brother that was not visited yet; false: the root is reached. */
static bool step_aside(mg_path_walk *w, mg_str path)
{
    while (w->node->parent) {
        const mg_path_node *node = w->node, *parent = node->parent;
        size_t length = node->segment.n;
        if (!node->is_param && parent->param && length) {
            w->node = parent->param;
            return true;
        }
        if (node->is_param) {
            const char *slash = memrchr(path.p, '/', w->at);
            length = w->at - (size_t)(slash - path.p) - 1;
        }
        *w = (mg_path_walk){parent, w->at - length - 1};
    }
    return false;
}

bool mg_path_walk_next(const mg_path_tree *t, mg_path_walk *w, mg_str path, uint32_t deepest)
{
    return (w->node->depth < deepest && step_down(t, w, path)) || step_aside(w, path);
}
