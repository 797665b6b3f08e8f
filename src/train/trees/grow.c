/* grow.c -- one tree: the leaf whose split gains most is parted, until there are enough.  The
 * smaller child's histograms are summed, the other's are what is left of the parent's.
 * Floor 3, train. */
#include "core/par.h"
#include "train/trees/trees.h"

#include <string.h>

enum { FEW_ROWS = 512 }; /* not worth a second thread */

typedef struct {
    int64_t       low, high; /* rows order[low .. high) */
    tl_bin_sum    all;
    tl_bin_sum   *hist;      /* [columns TL_BINS]; NULL once it is no leaf */
    tl_tree_split best;
    int64_t       node;
} leaf;

struct tl_grower {
    const tl_bins    *bins;
    tl_tree_settings  s;
    int64_t          *order, *other; /* [rows] */
    tl_bin_sum       *hists;         /* of all leaves */
    leaf             *leaf;          /* [leaves] */
    tl_tree_split    *column_best;   /* [columns] */
    const float      *gradient, *hessian;
    const leaf       *working;       /* of the parallel loops */
};

static int64_t hist_cells(const tl_grower *g)
{
    return g->bins->columns * TL_BINS;
}

tl_status tl_grower_new(tl_ctx *ctx, const tl_bins *bins, const tl_tree_settings *settings,
                        tl_grower **out)
{
    const size_t rows = (size_t)bins->rows, leaves = (size_t)settings->leaves;
    tl_grower   *g    = NULL;
    tl_status    rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *g, &g));
    g->bins = bins;
    g->s    = *settings;
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *g->order, &g->order));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *g->other, &g->other));
    TL_TRY(tl_alloc_array(ctx, leaves, sizeof *g->leaf, &g->leaf));
    TL_TRY(tl_alloc_array(ctx, (size_t)bins->columns, sizeof *g->column_best,
                          &g->column_best));
    TL_TRY(tl_alloc_array(ctx, leaves * (size_t)hist_cells(g), sizeof *g->hists, &g->hists));
    *out = g;
    g    = NULL;
done:
    tl_grower_free(ctx, g);
    return rc;
}

void tl_grower_free(tl_ctx *ctx, tl_grower *g)
{
    if (!g) return;
    tl_free(ctx, g->order);
    tl_free(ctx, g->other);
    tl_free(ctx, g->hists);
    tl_free(ctx, g->leaf);
    tl_free(ctx, g->column_best);
    tl_free(ctx, g);
}

static void sum_columns(void *arg, int64_t low, int64_t high)
{
    const tl_grower *g = arg;
    const leaf      *l = g->working;

    for (int64_t c = low; c < high; c++) {
        const uint8_t *bin  = g->bins->bin + c * g->bins->rows;
        tl_bin_sum    *hist = l->hist + c * TL_BINS;
        memset(hist, 0, TL_BINS * sizeof *hist);
        for (int64_t i = l->low; i < l->high; i++) {
            const int64_t r = g->order[i];
            tl_bin_sum   *h = &hist[bin[r]];
            h->gradient += (double)g->gradient[r];
            h->hessian += (double)g->hessian[r];
            h->rows++;
        }
    }
}

static void split_columns(void *arg, int64_t low, int64_t high)
{
    tl_grower  *g = arg;
    const leaf *l = g->working;

    for (int64_t c = low; c < high; c++) {
        const tl_bin_sum *hist = l->hist + c * TL_BINS;
        tl_tree_split    *best = &g->column_best[c];
        *best                  = (tl_tree_split){ 0 };
        if (g->bins->category[c]) tl_split_categories(hist, &l->all, &g->s, best);
        else tl_split_numbers(hist, g->bins->edges[c], &l->all, &g->s, best);
    }
}

static int threads_for(const tl_ctx *ctx, const leaf *l)
{
    return l->high - l->low < FEW_ROWS ? 1 : ctx->world->threads;
}

static void find_split(const tl_ctx *ctx, tl_grower *g, leaf *l)
{
    l->best = (tl_tree_split){ 0 };
    if (l->all.rows < 2 * g->s.least_rows) return;
    g->working = l;
    tl_par_for(threads_for(ctx, l), g->bins->columns, 1, split_columns, g);
    for (int64_t c = 0; c < g->bins->columns; c++)
        if (g->column_best[c].gain > l->best.gain) {
            l->best        = g->column_best[c];
            l->best.column = (int32_t)c;
        }
}

static void sum_leaf(const tl_ctx *ctx, tl_grower *g, leaf *l)
{
    g->working = l;
    tl_par_for(threads_for(ctx, l), g->bins->columns, 1, sum_columns, g);
}

static bool goes_left(const tl_tree_split *s, uint8_t bin)
{
    if (s->category) return s->set[bin / TL_SET_BITS] >> (bin % TL_SET_BITS) & 1;
    return bin == TL_GAP_BIN ? s->gap_left : bin <= s->bin;
}

/* Rows keep their order on both sides. */
static int64_t part_rows(tl_grower *g, const leaf *l)
{
    const uint8_t *bin  = g->bins->bin + l->best.column * g->bins->rows;
    int64_t        left = l->low, right = 0;

    for (int64_t i = l->low; i < l->high; i++) {
        const int64_t r = g->order[i];
        if (goes_left(&l->best, bin[r])) g->order[left++] = r;
        else g->other[right++] = r;
    }
    memcpy(g->order + left, g->other, (size_t)right * sizeof *g->order);
    return left;
}

static tl_status more_room(tl_ctx *ctx, float **block, int64_t *room, int64_t need)
{
    tl_status rc = TL_OK;

    if (need <= *room) return TL_OK;
    rc = tl_realloc(ctx, (size_t)(2 * need + 1024) * sizeof **block, block);
    if (rc == TL_OK) *room = 2 * need + 1024;
    return rc;
}

void tl_grown_free(tl_ctx *ctx, tl_grown *g)
{
    tl_free(ctx, g->node);
    tl_free(ctx, g->bits);
    tl_free(ctx, g->root);
    *g = (tl_grown){ 0 };
}

static tl_status add_node(tl_ctx *ctx, tl_grown *out, int64_t *at)
{
    tl_status rc = more_room(ctx, &out->node, &out->node_room,
                             (out->nodes + 1) * TL_NODE_FIELDS);

    if (rc != TL_OK) return rc;
    *at     = out->nodes++;
    float *n = out->node + *at * TL_NODE_FIELDS;
    memset(n, 0, TL_NODE_FIELDS * sizeof *n);
    n[TL_NODE_COLUMN] = -1.0f;
    return TL_OK;
}

/* The leaf's node becomes a fork with two new leaves. */
static tl_status write_fork(tl_ctx *ctx, const tl_grower *g, const leaf *l, tl_grown *out,
                            int64_t *left, int64_t *right)
{
    const tl_tree_split *s = &l->best;
    tl_status            rc;

    TL_TRY(add_node(ctx, out, left));
    TL_TRY(add_node(ctx, out, right));
    float *n             = out->node + l->node * TL_NODE_FIELDS;
    n[TL_NODE_COLUMN]    = (float)s->column;
    n[TL_NODE_LEFT]      = (float)*left;
    n[TL_NODE_RIGHT]     = (float)*right;
    n[TL_NODE_GAP_LEFT]  = s->gap_left ? 1.0f : 0.0f;
    n[TL_NODE_CATEGORY]  = s->category ? 1.0f : 0.0f;
    if (!s->category) {
        const float *edge = g->bins->edge + s->column * TL_BINS;
        n[TL_NODE_VALUE]  = s->bin < g->bins->edges[s->column] ? edge[s->bin] : INFINITY;
        return TL_OK;
    }
    n[TL_NODE_VALUE] = (float)out->words;
    TL_TRY(more_room(ctx, &out->bits, &out->word_room, out->words + TL_SET_WORDS));
    for (int w = 0; w < TL_SET_WORDS; w++) out->bits[out->words++] = (float)s->set[w];
done:
    return rc;
}

/* Parts leaf `at`: its left half stays there, the right one is leaf `fresh`. */
static tl_status part_leaf(tl_ctx *ctx, tl_grower *g, int64_t at, int64_t fresh,
                           tl_grown *out)
{
    leaf     *l = &g->leaf[at], *r = &g->leaf[fresh];
    const int64_t cells = hist_cells(g);
    const tl_bin_sum left = l->best.left;
    int64_t   left_node, right_node;
    tl_status rc;

    TL_TRY(write_fork(ctx, g, l, out, &left_node, &right_node));
    const int64_t cut = part_rows(g, l);
    *r = (leaf){ .low = cut, .high = l->high, .hist = g->hists + fresh * cells,
                 .node = right_node };
    r->all = (tl_bin_sum){ l->all.gradient - left.gradient, l->all.hessian - left.hessian,
                           l->all.rows - left.rows };
    l->high = cut;
    l->node = left_node;
    l->all  = left;
    if (l->all.rows < r->all.rows) { /* the smaller is summed into the fresh room */
        tl_bin_sum *parent = l->hist;
        l->hist = r->hist;
        r->hist = parent;
    }
    leaf *small = l->all.rows < r->all.rows ? l : r, *large = small == l ? r : l;
    sum_leaf(ctx, g, small);
    for (int64_t i = 0; i < cells; i++) {
        large->hist[i].gradient -= small->hist[i].gradient;
        large->hist[i].hessian -= small->hist[i].hessian;
        large->hist[i].rows -= small->hist[i].rows;
    }
    find_split(ctx, g, l);
    find_split(ctx, g, r);
done:
    return rc;
}

static void start_tree(const tl_ctx *ctx, tl_grower *g, int64_t node)
{
    leaf *root = &g->leaf[0];

    *root = (leaf){ .high = g->bins->rows, .hist = g->hists, .node = node };
    for (int64_t r = 0; r < g->bins->rows; r++) {
        g->order[r] = r;
        root->all.gradient += (double)g->gradient[r];
        root->all.hessian += (double)g->hessian[r];
    }
    root->all.rows = g->bins->rows;
    sum_leaf(ctx, g, root);
    find_split(ctx, g, root);
}

static int64_t best_leaf(const tl_grower *g, int64_t leaves)
{
    int64_t best = -1;

    for (int64_t i = 0; i < leaves; i++)
        if (g->leaf[i].best.gain > 0.0 &&
            (best < 0 || g->leaf[i].best.gain > g->leaf[best].best.gain))
            best = i;
    return best;
}

tl_status tl_grower_grow(tl_ctx *ctx, tl_grower *g, const float *gradient,
                         const float *hessian, tl_grown *out, double *score)
{
    int64_t   node, leaves = 1, at;
    tl_status rc;

    g->gradient = gradient;
    g->hessian  = hessian;
    TL_TRY(more_room(ctx, &out->root, &out->tree_room, out->trees + 1));
    TL_TRY(add_node(ctx, out, &node));
    out->root[out->trees++] = (float)node;
    start_tree(ctx, g, node);
    while (leaves < g->s.leaves && (at = best_leaf(g, leaves)) >= 0)
        TL_TRY(part_leaf(ctx, g, at, leaves++, out));
    for (int64_t i = 0; i < leaves; i++) {
        const leaf *l = &g->leaf[i];
        const float v = (float)(-g->s.rate * l->all.gradient / (l->all.hessian + g->s.l2 + 1e-15));
        out->node[l->node * TL_NODE_FIELDS + TL_NODE_VALUE] = v;
        for (int64_t k = l->low; k < l->high; k++) score[g->order[k]] += (double)v;
    }
done:
    return rc;
}
