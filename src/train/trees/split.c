/* split.c -- where one column parts a leaf best, from its histogram.  Floor 3, train. */
#include "train/trees/trees.h"

#include <stdlib.h>
#include <string.h>

static const double LEAST_HESSIAN = 1e-3;  /* of a child: scikit-learn's */
static const double SMOOTH        = 10.0;  /* a category's mean gradient leans to 0 by so much */
static const double LEAST_SUPPORT = 10.0;  /* rows of a category worth sorting */

static tl_bin_sum plus(const tl_bin_sum *a, const tl_bin_sum *b)
{
    return (tl_bin_sum){ a->gradient + b->gradient, a->hessian + b->hessian,
                         a->rows + b->rows };
}

static tl_bin_sum minus(const tl_bin_sum *a, const tl_bin_sum *b)
{
    return (tl_bin_sum){ a->gradient - b->gradient, a->hessian - b->hessian,
                         a->rows - b->rows };
}

static double worth(const tl_bin_sum *s, double l2)
{
    return s->gradient * s->gradient / (s->hessian + l2 + 1e-15);
}

/* What is gained by `left` going its own way; below 0: a child would be too small. */
static double gain_of(const tl_bin_sum *left, const tl_bin_sum *all,
                      const tl_tree_settings *s)
{
    const tl_bin_sum right = minus(all, left);

    if (left->rows < s->least_rows || right.rows < s->least_rows) return -1.0;
    if (left->hessian < LEAST_HESSIAN || right.hessian < LEAST_HESSIAN) return -1.0;
    return worth(left, s->l2) + worth(&right, s->l2) - worth(all, s->l2);
}

/* Missing values go where more is gained; where none is there, with the larger child. */
void tl_split_numbers(const tl_bin_sum *hist, int32_t edges, const tl_bin_sum *all,
                      const tl_tree_settings *s, tl_tree_split *best)
{
    const tl_bin_sum *gap  = &hist[TL_GAP_BIN];
    tl_bin_sum        left = { 0 };

    for (int32_t b = 0; b <= edges; b++) {
        left = plus(&left, &hist[b]);
        if (b == edges && gap->rows == 0) break; /* all on one side */
        const tl_bin_sum with = plus(&left, gap);
        const double     gain = gain_of(&left, all, s);
        if (gain > best->gain)
            *best = (tl_tree_split){ .gain     = gain,
                                     .bin      = b,
                                     .left     = left,
                                     .gap_left = gap->rows == 0 && 2 * left.rows > all->rows };
        if (gap->rows == 0 || b == edges) continue;
        const double other = gain_of(&with, all, s);
        if (other > best->gain)
            *best = (tl_tree_split){ .gain = other, .bin = b, .left = with, .gap_left = true };
    }
}

typedef struct { double mean; int32_t bin; } ranked;

static int by_mean(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->mean > y->mean || x->mean < y->mean) return x->mean < y->mean ? -1 : 1;
    return x->bin - y->bin;
}

/* Categories in order of their mean gradient: some from one end go left (Fisher 1958). */
void tl_split_categories(const tl_bin_sum *hist, const tl_bin_sum *all,
                         const tl_tree_settings *s, tl_tree_split *best)
{
    const double factor = (double)all->rows / (all->hessian + 1e-15);
    ranked       order[TL_BINS];
    int32_t      n = 0;

    for (int32_t b = 0; b < TL_BINS; b++) {
        if (hist[b].rows == 0 || hist[b].hessian * factor < LEAST_SUPPORT) continue;
        order[n++] = (ranked){ hist[b].gradient / (hist[b].hessian + SMOOTH), b };
    }
    qsort(order, (size_t)n, sizeof *order, by_mean);
    for (int way = 0; way < 2; way++) {
        tl_bin_sum left                = { 0 };
        uint16_t   set[TL_SET_WORDS] = { 0 };
        for (int32_t i = 0; i < (n + 1) / 2; i++) {
            const int32_t b = order[way ? n - 1 - i : i].bin;
            left            = plus(&left, &hist[b]);
            set[b / TL_SET_BITS] |= (uint16_t)(1u << (b % TL_SET_BITS));
            const double gain = gain_of(&left, all, s);
            if (!(gain > best->gain)) continue;
            *best = (tl_tree_split){ .gain = gain, .left = left, .category = true };
            memcpy(best->set, set, sizeof set);
        }
    }
}
