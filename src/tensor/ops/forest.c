/* forest.c -- rows through trees: what gradient-boosted trees answer.  It has no gradient.
 * Source: Friedman 2001.  Floor 1, tensor. */
#include "tensor/forest.h"
#include "tensor/ops/inside.h"

enum { X, NODE, BITS, ROOT, BASE };

static tl_status forest_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    for (int i = X; i <= BASE; i++)
        if (tl_in(g, n, i)->dtype != TL_F32)
            return tl_graph_fail(g, "forest: f32 rows, nodes, bits, roots and bases are needed");
    if (tl_need_axes(g, n, X, 2) != TL_OK || tl_need_axes(g, n, NODE, 2) != TL_OK)
        return TL_EUSAGE;
    for (int i = BITS; i <= BASE; i++)
        if (tl_need_axes(g, n, i, 1) != TL_OK) return TL_EUSAGE;
    if (tl_in_shape(g, n, NODE)->dim[1] != TL_NODE_FIELDS)
        return tl_graph_fail(g, "forest: a node has %d fields", TL_NODE_FIELDS);
    tl_set_out(out, TL_F32,
               TL_SHAPE(tl_in_shape(g, n, X)->dim[0], tl_in_shape(g, n, BASE)->dim[0]));
    return TL_OK;
}

static void forest_ref(const tl_call *c)
{
    const tl_forest f = { .node    = c->in[NODE].data,
                          .bits    = c->in[BITS].data,
                          .nodes   = c->in[NODE].shape.dim[0],
                          .words   = c->in[BITS].shape.dim[0],
                          .columns = c->in[X].shape.dim[1] };
    const int64_t   scores = c->in[BASE].shape.dim[0];

    for (int64_t r = 0; r < c->in[X].shape.dim[0]; r++)
        tl_forest_row(&f, c->in[ROOT].data, c->in[ROOT].shape.dim[0], c->in[BASE].data, scores,
                      (const float *)c->in[X].data + r * f.columns,
                      (float *)c->out[0].data + r * scores);
}

/* Drawn numbers are trees too: most places are no node's, and such a way ends. */
static const tl_sample samples[] = {
    { .label = "drawn",
      .in    = { { 2, { 7, 3 } }, { 2, { 9, TL_NODE_FIELDS } }, { 1, { 32 } }, { 1, { 4 } },
                 { 1, { 2 } } },
      .dtype = { TL_F32, TL_F32, TL_F32, TL_F32, TL_F32 }, .low = -2.0, .high = 8.0,
      .no_grad = 31 },
};

const tl_op tl_op_forest = {
    .name = "forest", .doc = "the summed leaves of trees that rows reach",
    .source = "Friedman 2001", .least_in = 5, .most_in = 5, .n_out = 1,
    .shape = forest_shape, .ref = forest_ref, .samples = samples, .n_samples = TL_COUNT(samples),
};

tl_tensor tl_forest_scores(tl_graph *g, tl_tensor x, tl_tensor node, tl_tensor bits,
                           tl_tensor root, tl_tensor base)
{
    return TL_APPLY_BARE(g, forest, x, node, bits, root, base);
}
