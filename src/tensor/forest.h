/* forest.h -- trees as numbers in flat arrays, and a row's way down one of them.  A node is
 * TL_NODE_FIELDS floats: its column (below 0: a leaf), the threshold (a leaf: its value; of a
 * category: its first word of `bits`), the places of the left and right child, 1 where a missing
 * value goes left, 1 where the column is a category.  Left: x <= threshold, or the bit of the
 * category's number is set, 16 a word.  Children come after their parent, which is checked on
 * the way: arrays from a file can neither loop nor leave their bounds.  Floor 1, tensor. */
#ifndef TL_TENSOR_FOREST_H
#define TL_TENSOR_FOREST_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { TL_NODE_COLUMN, TL_NODE_VALUE, TL_NODE_LEFT, TL_NODE_RIGHT, TL_NODE_GAP_LEFT,
       TL_NODE_CATEGORY, TL_NODE_FIELDS, TL_SET_WORDS = 16, TL_SET_BITS = 16 };

typedef struct {
    const float *node, *bits; /* [nodes TL_NODE_FIELDS], [words] */
    int64_t      nodes, words, columns;
} tl_forest;

static inline bool tl_forest_goes_left(const tl_forest *f, const float *n, float v)
{
    if (!(n[TL_NODE_CATEGORY] > 0.0f))
        return isnan(v) ? n[TL_NODE_GAP_LEFT] > 0.0f : v <= n[TL_NODE_VALUE];
    if (!(v >= 0.0f && v < TL_SET_WORDS * TL_SET_BITS)) v = 0.0f;
    const float word = n[TL_NODE_VALUE] + floorf(v / TL_SET_BITS);
    if (!(word >= 0.0f && word < (float)f->words)) return false;
    const float set = f->bits[(int64_t)word];
    return set >= 0.0f && set < 65536.0f && ((int32_t)set >> ((int32_t)v % TL_SET_BITS) & 1);
}

/* The value of the leaf that a row x [columns] reaches from node `at`. */
static inline float tl_forest_leaf(const tl_forest *f, int64_t at, const float *x)
{
    for (;;) {
        const float *n = f->node + at * TL_NODE_FIELDS;
        if (!(n[TL_NODE_COLUMN] >= 0.0f && n[TL_NODE_COLUMN] < (float)f->columns))
            return n[TL_NODE_VALUE];
        const bool  left = tl_forest_goes_left(f, n, x[(int64_t)n[TL_NODE_COLUMN]]);
        const float next = n[left ? TL_NODE_LEFT : TL_NODE_RIGHT];
        if (!(next >= 0.0f && next < (float)f->nodes) || (int64_t)next <= at) return 0.0f;
        at = (int64_t)next;
    }
}

/* y [scores] = base + the leaves' values, tree t adding to score t % scores, in double. */
static inline void tl_forest_row(const tl_forest *f, const float *root, int64_t trees,
                                 const float *base, int64_t scores, const float *x, float *y)
{
    for (int64_t k = 0; k < scores; k++) {
        double sum = (double)base[k];
        for (int64_t t = k; t < trees; t += scores)
            if (root[t] >= 0.0f && root[t] < (float)f->nodes)
                sum += (double)tl_forest_leaf(f, (int64_t)root[t], x);
        y[k] = (float)sum;
    }
}
#endif
