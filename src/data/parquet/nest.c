/* nest.c -- lists, maps and structs put together again from the levels of their columns, as JSON.
 * Source: Melnik et al. 2010, "Dremel", section 4.3 and appendix; parquet-format's LogicalTypes.md
 * on lists and maps.  Floor 2, data. */
#include "data/parquet/inside.h"

#include <string.h>

/* Where each column of the node stands.  A fault is kept; what does not end is cut by `limit`. */
typedef struct {
    const tl_pq_file *f;
    const tl_pq_leaf *leaf; /* of leaf number `first` and on */
    int64_t           first;
    int64_t          *at;
    const char       *texts;
    size_t            limit;
    tl_text          *to;
    bool              bad, over;
} walk;

static bool stopped(const walk *w)
{
    return w->bad || w->over || w->to->status != TL_OK;
}

static int def_of(walk *w, int64_t node)
{
    const int64_t k = w->f->node[node].leaf - w->first;

    if (w->at[k] < w->leaf[k].count) return w->leaf[k].def[w->at[k]];
    w->bad = true;
    return 0;
}

/* 0 behind the last value, as at the next row. */
static int rep_of(const walk *w, int64_t node)
{
    const int64_t k = w->f->node[node].leaf - w->first;

    return w->at[k] < w->leaf[k].count ? w->leaf[k].rep[w->at[k]] : 0;
}

static int64_t leaves_end(const walk *w, int64_t node)
{
    const int64_t next = w->f->node[node].end;

    return next < w->f->nodes ? w->f->node[next].leaf : w->f->leaves;
}

/* What is not there stands as one entry in every column below. */
static void pass(walk *w, int64_t node)
{
    for (int64_t k = w->f->node[node].leaf; k < leaves_end(w, node); k++)
        if (w->at[k - w->first]++ >= w->leaf[k - w->first].count) w->bad = true;
}

static bool is_null(walk *w, int64_t node)
{
    const tl_pq_node *n = &w->f->node[node];

    return n->repetition == TL_PQ_OPTIONAL && def_of(w, node) < n->max_def;
}

static void put_node(walk *w, int64_t node);
static void put_content(walk *w, int64_t node);

static void put_leaf(walk *w, int64_t node)
{
    const int64_t k = w->f->node[node].leaf - w->first;
    uint32_t      cell;

    if (def_of(w, node) < w->f->node[node].max_def) w->bad = true;
    if (w->bad) return;
    cell = w->leaf[k].cell[w->at[k]++];
    tl_text_add(w->to, cell ? w->texts + cell : "null");
    if (w->to->bytes > w->limit) w->over = true;
}

/* Nulls are left out, as a writer that knows no columns would. */
static void put_struct(walk *w, int64_t node)
{
    const char *between = "";

    tl_text_add(w->to, "{");
    for (int64_t i = node + 1; i < w->f->node[node].end && !stopped(w); i = w->f->node[i].end) {
        if (is_null(w, i)) {
            pass(w, i);
            continue;
        }
        tl_text_add(w->to, between);
        tl_pq_quote(w->to, w->f->node[i].name, strlen(w->f->node[i].name));
        tl_text_add(w->to, ":");
        put_node(w, i);
        between = ",";
    }
    tl_text_add(w->to, "}");
}

/* `"key":value`; a key that is no text becomes one. */
static void put_pair(walk *w, int64_t node)
{
    const int64_t key = node + 1, value = w->f->node[key].end;
    const bool    text = w->f->node[key].meaning && w->f->node[key].meaning->quoted;

    if (!text) tl_text_add(w->to, "\"");
    put_node(w, key);
    if (!text) tl_text_add(w->to, "\"");
    tl_text_add(w->to, ":");
    put_node(w, value);
}

/* The members of a repeated node, between brackets. */
static void put_members(walk *w, int64_t node, const char *brackets,
                        void (*put)(walk *w, int64_t node), int64_t of)
{
    const tl_pq_node *n = &w->f->node[node];

    tl_text_add_bytes(w->to, brackets, 1);
    if (def_of(w, node) < n->max_def) {
        pass(w, node);
    } else {
        for (bool more = true; more && !stopped(w);) {
            put(w, of);
            more = rep_of(w, node) == n->max_rep;
            if (more) tl_text_add(w->to, ",");
        }
    }
    tl_text_add_bytes(w->to, brackets + 1, 1);
}

/* Of a list's repeated group: the one thing in it, or (older writers) the group itself. */
static bool wraps_one(const tl_pq_file *f, int64_t list, int64_t repeated)
{
    const tl_pq_node *r = &f->node[repeated];
    const size_t      n = strlen(f->node[list].name);

    return r->group && f->node[repeated + 1].end == r->end && strcmp(r->name, "array") != 0 &&
           (strncmp(r->name, f->node[list].name, n) != 0 || strcmp(r->name + n, "_tuple") != 0);
}

/* What the group is to be written as: lists and maps that do not keep to their form are structs,
 * and a map of keys alone is a list. */
static tl_pq_grouping form_of(const tl_pq_file *f, int64_t node)
{
    const tl_pq_node *n = &f->node[node], *r = n + 1;

    if (n->grouping == TL_PQ_PLAIN_GROUP || r->end != n->end || r->repetition != TL_PQ_REPEATED)
        return TL_PQ_PLAIN_GROUP;
    if (n->grouping == TL_PQ_LIST) return TL_PQ_LIST;
    if (!r->group || r[1].group || r[1].repetition == TL_PQ_REPEATED) return TL_PQ_PLAIN_GROUP;
    if (r[1].end == r->end) return TL_PQ_LIST;
    return f->node[r[1].end].end == r->end ? TL_PQ_MAP : TL_PQ_PLAIN_GROUP;
}

static void put_content(walk *w, int64_t node)
{
    const tl_pq_grouping form = w->f->node[node].group ? form_of(w->f, node) : TL_PQ_PLAIN_GROUP;

    if (!w->f->node[node].group) put_leaf(w, node);
    else if (form == TL_PQ_PLAIN_GROUP) put_struct(w, node);
    else if (form == TL_PQ_MAP) put_members(w, node + 1, "{}", put_pair, node + 1);
    else if (wraps_one(w->f, node, node + 1))
        put_members(w, node + 1, "[]", put_node, node + 2);
    else put_members(w, node + 1, "[]", put_content, node + 1);
}

static void put_node(walk *w, int64_t node)
{
    if (stopped(w)) return;
    if (w->f->node[node].repetition == TL_PQ_REPEATED)
        put_members(w, node, "[]", put_content, node);
    else if (!is_null(w, node)) put_content(w, node);
    else {
        tl_text_add(w->to, "null");
        pass(w, node);
    }
}

/* A row begins in every column of the node, or ends in all of them. */
static bool all_begin(const walk *w, int64_t node, bool ended)
{
    for (int64_t k = w->first; k < leaves_end(w, node); k++) {
        const tl_pq_leaf *l  = &w->leaf[k - w->first];
        const int64_t     at = w->at[k - w->first];
        if (ended ? at != l->count : at >= l->count || l->rep[at] != 0) return false;
    }
    return true;
}

tl_status tl_pq_nest(tl_ctx *ctx, const tl_pq_file *f, int64_t node, const tl_pq_leaf *leaf,
                     const char *texts, int64_t rows, size_t limit, tl_text *to, uint32_t *cell,
                     int64_t stride)
{
    walk w = { .f = f, .leaf = leaf, .first = f->node[node].leaf, .texts = texts,
               .limit = TL_MIN(limit, (size_t)UINT32_MAX), .to = to };
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(leaves_end(&w, node) - w.first), sizeof *w.at, &w.at));
    for (int64_t r = 0; r < rows && !stopped(&w); r++) {
        if (!all_begin(&w, node, false)) w.bad = true;
        else if (is_null(&w, node)) pass(&w, node);
        else {
            cell[r * stride] = (uint32_t)to->bytes;
            put_node(&w, node);
            tl_text_add_bytes(to, "", 1);
        }
    }
    TL_TRY(to->status);
    if (w.over)
        TL_FAIL(TL_ELIMIT, f->path, "its texts are over %zu bytes (raise --memory, or give a part "
                "of it)", w.limit);
    if (w.bad || !all_begin(&w, node, true))
        rc = tl_pq_fail(ctx, f, 0, "the levels of column \"%.80s\" do not fit together (write the "
                        "file again)", f->node[node].name);
done:
    tl_free(ctx, w.at);
    return rc;
}
