/* trees.h -- gradient-boosted trees on histograms: columns cut into at most 255 bins, trees grown
 * leaf by leaf, best gain first.  Sources: Friedman 2001 (gradient boosting); Ke et al. 2017
 * (LightGBM: histograms, leaf-wise growth, categories sorted by gradient); scikit-learn's
 * HistGradientBoosting, whose settings and defaults these are.  Sums run in row order, a column
 * a thread: the same bits on any thread count.  Floor 3, train. */
#ifndef TL_TRAIN_TREES_H
#define TL_TRAIN_TREES_H
#include "tensor/forest.h"
#include "train/trainer.h"

enum { TL_BINS = 256, TL_GAP_BIN = TL_BINS - 1 }; /* the last is for what is missing */

/* Rows as numbers of bins. */
typedef struct {
    int64_t  rows, columns;
    uint8_t *bin;      /* [columns rows] */
    float   *edge;     /* [columns TL_BINS] x <= edge[k] is in bin k or one before */
    int32_t *edges;    /* [columns]; a category has none: its bin is its number */
    bool    *category; /* [columns] */
    bool    *gaps;     /* [columns] something is missing in these rows */
} tl_bins;
/* x [rows columns], NaN where missing. */
tl_status tl_bins_new(tl_ctx *ctx, const float *x, int64_t rows, const tl_schema *schema,
                      tl_bins *out);
void      tl_bins_free(tl_ctx *ctx, tl_bins *b);

/* Trees grown so far, as the forest op takes them. */
typedef struct {
    float  *node, *bits, *root;
    int64_t nodes, node_room, words, word_room, trees, tree_room;
} tl_grown;
void tl_grown_free(tl_ctx *ctx, tl_grown *g);

typedef struct tl_grower tl_grower;
tl_status tl_grower_new(tl_ctx *ctx, const tl_bins *bins, const tl_tree_settings *settings,
                        tl_grower **out);
void      tl_grower_free(tl_ctx *ctx, tl_grower *g);
/* One tree for these gradients [rows]; its leaves' values are added to score[rows]. */
tl_status tl_grower_grow(tl_ctx *ctx, tl_grower *g, const float *gradient,
                         const float *hessian, tl_grown *out, double *score);

/* What the best split of a leaf on one column is. */
typedef struct { double gradient, hessian; int64_t rows; } tl_bin_sum;
typedef struct {
    double   gain;
    int32_t  column, bin;                /* numbers: bins up to this one go left         */
    bool     gap_left, category;
    uint16_t set[TL_SET_WORDS];          /* categories that go left                      */
    tl_bin_sum left;
} tl_tree_split;
void tl_split_numbers(const tl_bin_sum *hist, int32_t edges, const tl_bin_sum *all,
                      const tl_tree_settings *s, tl_tree_split *best);
void tl_split_categories(const tl_bin_sum *hist, const tl_bin_sum *all,
                         const tl_tree_settings *s, tl_tree_split *best);

/* The phase of a run whose network is trees. */
tl_status tl_trees_run(tl_ctx *ctx, tl_trainer *t);
bool      tl_arch_is_trees(const tl_arch *arch);
/* What a run will take, for forecasts. */
size_t    tl_trees_bytes(const tl_run_spec *spec);
double    tl_trees_flops(const tl_run_spec *spec);
/* How many trees a round has: one a class, one for two classes. */
int64_t tl_trees_scores(const tl_dataset *d);
#endif
