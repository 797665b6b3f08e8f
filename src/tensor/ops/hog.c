/* hog.c -- histograms of oriented gradients.  It has no gradient.
 * Source: Dalal and Triggs 2005.  Floor 1, tensor. */
#include "tensor/hog.h"
#include "tensor/ops/inside.h"

static tl_status hog_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_hog_attr *a = n->attr;
    const tl_shape    *s = tl_in_shape(g, n, 0);

    if (tl_need_axes(g, n, 0, 4) != TL_OK) return TL_EUSAGE;
    if (tl_in(g, n, 0)->dtype != TL_F32)
        return tl_graph_fail(g, "hog: f32 pictures are needed");
    if (a->cell < 2 || s->dim[1] / a->cell < TL_HOG_BLOCK ||
        s->dim[2] / a->cell < TL_HOG_BLOCK || s->dim[1] / a->cell > TL_HOG_MOST_CELLS ||
        s->dim[2] / a->cell > TL_HOG_MOST_CELLS)
        return tl_graph_fail(g, "hog: cells of %lld pixels do not fit %lld x %lld",
                             (long long)a->cell, (long long)s->dim[1],
                             (long long)s->dim[2]);
    const tl_hog h = { s->dim[1], s->dim[2], s->dim[3], a->cell };
    tl_set_out(out, TL_F32, TL_SHAPE(s->dim[0], tl_hog_width(&h)));
    return TL_OK;
}

static void hog_ref(const tl_call *c)
{
    const tl_hog_attr *a   = c->node->attr;
    const tl_shape    *s   = &c->in[0].shape;
    const tl_hog       h   = { s->dim[1], s->dim[2], s->dim[3], a->cell };
    const int64_t      row = s->dim[1] * s->dim[2] * s->dim[3];

    for (int64_t r = 0; r < s->dim[0]; r++)
        tl_hog_row(&h, (const float *)c->in[0].data + r * row,
                   (float *)c->out[0].data + r * tl_hog_width(&h));
}

static const tl_sample samples[] = {
    { .label      = "grey, a rest of pixels",
      .in         = { { 4, { 2, 9, 13, 1 } } },
      .dtype      = { TL_F32 },
      .low        = 0.0,
      .high       = 1.0,
      .attr       = &(tl_hog_attr){ .cell = 4 },
      .attr_bytes = sizeof(tl_hog_attr),
      .no_grad    = 1 },
    { .label      = "colour",
      .in         = { { 4, { 3, 8, 8, 3 } } },
      .dtype      = { TL_F32 },
      .low        = 0.0,
      .high       = 1.0,
      .attr       = &(tl_hog_attr){ .cell = 3 },
      .attr_bytes = sizeof(tl_hog_attr),
      .no_grad    = 1 },
};

const tl_op tl_op_hog = {
    .name      = "hog",
    .doc       = "histograms of oriented gradients",
    .source    = "Dalal and Triggs 2005",
    .least_in  = 1,
    .most_in   = 1,
    .n_out     = 1,
    .shape     = hog_shape,
    .ref       = hog_ref,
    .samples   = samples,
    .n_samples = TL_COUNT(samples),
};

tl_tensor tl_hog_features(tl_graph *g, tl_tensor x, const tl_hog_attr *attr)
{
    return TL_APPLY(g, hog, attr, x);
}
