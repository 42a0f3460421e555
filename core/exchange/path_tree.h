/*
 * path_tree: the paths of routes as trees of segments, and the walk over what fits a path.
 *
 *      "/users/me"            (root) ─┬─ users ─┬─ me
 *      "/users/:id/files/[*]"         │         └─ :id ─── files     its `rests`
 *      "/[*]"                         └ its `rests`
 *
 * A node has at most one child for any text (":name") and any number of literal children. The literal
 * children of all nodes of all trees lie in one hash table, keyed by parent and segment: a step down costs
 * one look-up however many brothers there are, and a node without children costs nothing but itself.
 *
 * The walk visits every node whose segments fit the beginning of the path, literal before ":name", each
 * once; where it stands is a node and an offset, so it needs no memory and can be continued at any time.
 * Without parameters what it visits is one line down. With them it is never more than the nodes that fit.
 *
 * Ownership: nodes lie in the arena given; the table is given back by mg_path_tree_fini.
 */
#ifndef MG_EXCHANGE_PATH_TREE_H
#define MG_EXCHANGE_PATH_TREE_H

#include "base/arena.h"

enum { MG_PATH_DEPTH_MOST = 64 }; /* segments of a route's path */

typedef struct mg_rule mg_rule; /* what stands at a node: the router's */

typedef struct mg_path_node mg_path_node;
struct mg_path_node {
    mg_path_node *parent, *param; /* param: the child for any non-empty segment */
    mg_str segment;               /* of a literal one */
    uint64_t salt;                /* tells its children's keys from those of others */
    uint32_t literals, depth;
    bool is_param;
    mg_rule *ends, *rests;        /* for a path that ends here, and for one that goes on with "/" */
};

typedef struct {
    struct mg_path_edge *edges;
    size_t size, count;
    uint64_t salts;
    mg_arena *arena;
} mg_path_tree;

/* Where a walk stands: [0, at) of the path has been walked. at == path.n: it ends here; else path.p[at] is "/". */
typedef struct {
    const mg_path_node *node; /* NULL: nowhere (before the beginning, after the end) */
    size_t at;
} mg_path_walk;

void mg_path_tree_init(mg_path_tree *t, mg_arena *arena);
void mg_path_tree_fini(mg_path_tree *t);
void mg_path_tree_root(mg_path_tree *t, mg_path_node *root); /* a new tree */

mg_path_node *mg_path_tree_find(const mg_path_tree *t, const mg_path_node *parent, mg_str segment); /* literal; or NULL */
mg_path_node *mg_path_tree_add(mg_path_tree *t, mg_path_node *parent, mg_str segment); /* found or made; borrows segment */
mg_path_node *mg_path_tree_add_param(mg_path_tree *t, mg_path_node *parent);

/* The next node that fits, none deeper than `deepest`; false at the end. Begin at the root with at 0 (the path
 * begins with "/"), which itself has been visited then. */
bool mg_path_walk_next(const mg_path_tree *t, mg_path_walk *w, mg_str path, uint32_t deepest);

#endif
