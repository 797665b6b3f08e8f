/* vote.c -- the classes of the best-scored entries: what k nearest neighbours answer.  It has
 * no gradient.  Source: Cover and Hart 1967; uniform votes, or by
 * nearness (Dudani 1976), as scikit-learn's KNeighborsClassifier.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

static tl_status vote_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_vote_attr *a = n->attr;
    const tl_shape     *s = tl_in_shape(g, n, 0);

    if (tl_need_axes(g, n, 0, 2) != TL_OK) return TL_EUSAGE;
    if (tl_need_vector(g, n, 1, s->dim[1]) != TL_OK) return TL_EUSAGE;
    if (tl_in(g, n, 0)->dtype != TL_F32 || tl_in(g, n, 1)->dtype != TL_F32)
        return tl_graph_fail(g, "vote: f32 scores and classes are needed");
    if (a->k < 1 || a->k > TL_MOST_VOTES || a->skip < 0 || a->classes < 1 ||
        a->k + a->skip > s->dim[1])
        return tl_graph_fail(g, "vote: %lld votes of %lld entries", (long long)a->k,
                             (long long)s->dim[1]);
    tl_set_out(out, TL_F32, TL_SHAPE(s->dim[0], a->classes));
    return TL_OK;
}

/* The `most` best of a row, best first; between equals the first. */
static void best_of(const tl_view *score, int64_t row, int64_t entries, int64_t most,
                    int64_t *best)
{
    const int64_t at    = row * entries;
    int64_t       count = 0;

    for (int64_t i = 0; i < entries; i++) {
        const double x = tl_get(score, at + i);
        int64_t      k = count;
        if (count == most && !(x > tl_get(score, at + best[most - 1]))) continue;
        if (count == most) k--;
        else count++;
        for (; k > 0 && x > tl_get(score, at + best[k - 1]); k--) best[k] = best[k - 1];
        best[k] = i;
    }
}

/* What the i-th of the best has of the k votes. */
static double vote_of(const tl_call *c, int64_t row, const int64_t *best, int64_t i)
{
    const tl_vote_attr *a   = c->node->attr;
    const int64_t       at  = row * c->in[0].shape.dim[1];
    double              all = 0.0;

    if (!a->near) return 1.0;
    for (int64_t k = a->skip; k < a->k + a->skip; k++)
        all += 1.0 / fmax(1e-6, 1.0 - tl_get(&c->in[0], at + best[k]));
    return (double)a->k / fmax(1e-6, 1.0 - tl_get(&c->in[0], at + best[i])) / all;
}

/* Every class begins with 1 / classes of a vote, so that no share is zero. */
static void vote_ref(const tl_call *c)
{
    const tl_vote_attr *a       = c->node->attr;
    const int64_t       entries = c->in[0].shape.dim[1], classes = a->classes;
    int64_t             best[TL_MOST_VOTES + 1];

    for (int64_t r = 0; r < c->in[0].shape.dim[0]; r++) {
        best_of(&c->in[0], r, entries, a->k + a->skip, best);
        for (int64_t y = 0; y < classes; y++) {
            double votes = 1.0 / (double)classes;
            for (int64_t k = a->skip; k < a->k + a->skip; k++)
                if (tl_get(&c->in[1], best[k]) == (double)y) votes += vote_of(c, r, best, k);
            tl_set(&c->out[0], r * classes + y, log(votes / (double)(a->k + 1)));
        }
    }
}

static const tl_sample samples[] = {
    { .label = "3 of 7", .in = { { 2, { 4, 7 } }, { 1, { 7 } } },
      .dtype = { TL_F32, TL_F32 }, .low = -2.0, .high = 2.0,
      .attr = &(tl_vote_attr){ .k = 3, .classes = 3 }, .attr_bytes = sizeof(tl_vote_attr),
      .no_grad = 3 },
    { .label = "the best left out", .in = { { 2, { 5, 4 } }, { 1, { 4 } } },
      .dtype = { TL_F32, TL_F32 }, .low = -2.0, .high = 2.0,
      .attr = &(tl_vote_attr){ .k = 2, .skip = 1, .classes = 2 },
      .attr_bytes = sizeof(tl_vote_attr), .no_grad = 3 },
    { .label = "shared by nearness", .in = { { 2, { 6, 9 } }, { 1, { 9 } } },
      .dtype = { TL_F32, TL_F32 }, .low = -1.0, .high = 1.0,
      .attr = &(tl_vote_attr){ .k = 4, .classes = 3, .near = true },
      .attr_bytes = sizeof(tl_vote_attr), .no_grad = 3 },
};

const tl_op tl_op_vote = {
    .name = "vote", .doc = "log share of each class among the best-scored entries",
    .source = "Cover and Hart 1967", .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = vote_shape, .ref = vote_ref, .samples = samples, .n_samples = TL_COUNT(samples),
};

tl_tensor tl_vote(tl_graph *g, tl_tensor scores, tl_tensor classes, const tl_vote_attr *attr)
{
    return TL_APPLY(g, vote, attr, scores, classes);
}
