/* decoder.c -- masked pictures and the light decoder that fills them in: one linear layer from
 * each cell of the body's last map to the pixels below it, the loss on masked pixels alone.
 * Sources: Xie et al. 2022 (SimMIM), arXiv:2111.09886; for convolutional bodies Tian et al.
 * 2023 (SparK), arXiv:2301.03580.  Floor 3, train. */
#include "core/rand.h"
#include "train/pretrain.h"

#include <string.h>

enum { PATCHES = 8, LEAST_PATCH = 2, MOST_PATCHES = 64 * 64 };

/* What the decoder reads, as [rows * cells, width]: the body's last map; of a transformer the
 * tokens of its patches, behind those that stand for the whole picture; of a body without
 * either, its features. */
static tl_tensor last_map(tl_net *net, tl_tensor features, int64_t rows, int64_t map[2])
{
    const tl_node *node;
    tl_tensor      grid = 0, tokens = 0;

    for (int32_t i = 0; (node = tl_graph_node(net->g, i)); i++) {
        const tl_tensor t     = node->out[0];
        const tl_shape *shape = tl_graph_shape(net->g, t);
        if (!tl_graph_info(net->g, t)->needs_grad || shape->dim[0] != rows) continue;
        if (shape->ndim == 4) grid = t, tokens = 0;
        if (shape->ndim == 3) tokens = t;
    }
    map[0] = map[1] = 1;
    if (!grid) return features;
    map[0]              = tl_net_dim(net, grid, 1);
    map[1]              = tl_net_dim(net, grid, 2);
    const int64_t cells = map[0] * map[1];
    const int64_t extra = tokens ? tl_net_dim(net, tokens, 1) - cells : -1;
    if (extra > 0) tokens = tl_slice(net->g, tokens, 1, extra, cells, 1);
    if (extra >= 0) grid = tokens;
    return tl_reshape(net->g, grid, TL_SHAPE(rows * cells, tl_net_dim(net, grid, -1)));
}

tl_status tl_decoder_build(tl_net *net, const tl_arch *arch, int64_t rows, tl_stepper *out,
                           tl_decoder *decoder)
{
    tl_ctx       *ctx = net->ctx;
    const int64_t h = arch->row.dim[0], w = arch->row.dim[1], c = arch->row.dim[2];
    tl_decoder    d   = { 0 };
    tl_built      built;
    tl_tensor     map;
    tl_status     rc;

    if (arch->row.ndim != 3)
        TL_FAIL(TL_EUSAGE, arch->name,
                "only pictures can be masked and filled in (take another route)");
    TL_TRY(tl_arch_build(net, arch, rows, TL_PART_BODY, &built));
    map       = last_map(net, built.features, rows, d.map);
    d.cell[0] = (h + d.map[0] - 1) / d.map[0];
    d.cell[1] = (w + d.map[1] - 1) / d.map[1];
    d.units   = d.map[0] * d.cell[0] * d.map[1] * d.cell[1];
    if (tl_graph_info(net->g, map)->dtype != TL_F32) map = tl_cast(net->g, map, TL_F32);
    map = tl_net_linear(net, "decoder", map, d.cell[0] * d.cell[1] * c, true, TL_ACT_NONE,
                        TL_INIT_GLOROT_UNIFORM);
    map = tl_reshape(net->g, map, TL_SHAPE(rows * d.units, c));
    out->x      = built.x;
    out->target = tl_graph_input(net->g, "target", TL_F32, TL_SHAPE(rows * d.units, c));
    out->weight = tl_graph_input(net->g, "weight", TL_F32, TL_SHAPE(rows * d.units));
    out->units  = d.units;
    tl_graph_layer(net->g, "loss");
    out->loss = tl_mse(net->g, map, out->target, out->weight);
    *decoder  = d;
    rc        = net->status != TL_OK ? net->status : tl_graph_status(net->g);
done:
    return rc;
}

tl_status tl_decoder_params(tl_ctx *ctx, const tl_arch *arch, tl_params **out)
{
    tl_net     net = { .ctx = ctx, .training = true, .dtype = TL_F32 };
    tl_stepper tensors;
    tl_decoder d;
    tl_graph  *g      = NULL;
    tl_params *params = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_graph_new(ctx, &g));
    TL_TRY(tl_params_new(ctx, &params));
    net.g      = g;
    net.params = params;
    TL_TRY(tl_decoder_build(&net, arch, 1, &tensors, &d));
    TL_TRY(tl_params_seal(ctx, params));
    *out   = params;
    params = NULL;
done:
    tl_graph_free(ctx, g);
    tl_params_free(ctx, params);
    return rc;
}

typedef struct { int64_t side, down, across; } patches;

static patches patches_of(int64_t h, int64_t w)
{
    patches p;

    p.side   = TL_MAX(TL_MIN(h, w) / PATCHES, (int64_t)LEAST_PATCH);
    while ((h + p.side - 1) / p.side * ((w + p.side - 1) / p.side) > MOST_PATCHES) p.side++;
    p.down   = (h + p.side - 1) / p.side;
    p.across = (w + p.side - 1) / p.side;
    return p;
}

static void draw_mask(const patches *p, double share, uint64_t seed, int64_t epoch,
                      int64_t index, bool *hidden)
{
    const int64_t n    = p->down * p->across;
    const int64_t want = TL_MAX((int64_t)(share * (double)n), (int64_t)1);
    int64_t       order[MOST_PATCHES];

    for (int64_t i = 0; i < n; i++) order[i] = i, hidden[i] = false;
    tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_MASK, (uint64_t)(epoch << 32 | index)), order,
                    n);
    for (int64_t i = 0; i < want; i++) hidden[order[i]] = true;
}

static void mask_row(const tl_decoder *d, const tl_shape *s, const patches *p,
                     const bool *hidden, const float *from, float *x, float *target,
                     float *weight)
{
    const int64_t h = s->dim[1], w = s->dim[2], c = s->dim[3];

    memcpy(x, from, (size_t)(h * w * c) * sizeof *x);
    for (int64_t y = 0; y < h; y++)
        for (int64_t i = 0; i < w; i++) {
            const int64_t cell = (y / d->cell[0]) * d->map[1] + i / d->cell[1];
            const int64_t unit =
                (cell * d->cell[0] + y % d->cell[0]) * d->cell[1] + i % d->cell[1];
            memcpy(target + unit * c, from + (y * w + i) * c, (size_t)c * sizeof *x);
            if (!hidden[y / p->side * p->across + i / p->side]) continue;
            weight[unit] = 1.0f;
            memset(x + (y * w + i) * c, 0, (size_t)c * sizeof *x);
        }
}

void tl_mask_batch(const tl_decoder *d, const tl_batch *in, double mask, uint64_t seed,
                   int64_t epoch, float *x, float *target, float *weight)
{
    const int64_t row = tl_shape_count(&in->x_shape) / in->capacity, c = in->x_shape.dim[3];
    const patches p   = patches_of(in->x_shape.dim[1], in->x_shape.dim[2]);
    bool          hidden[MOST_PATCHES];

    memset(x, 0, (size_t)(in->capacity * row) * sizeof *x);
    memset(target, 0, (size_t)(in->capacity * d->units * c) * sizeof *target);
    memset(weight, 0, (size_t)(in->capacity * d->units) * sizeof *weight);
    for (int64_t r = 0; r < in->rows; r++) {
        draw_mask(&p, mask, seed, epoch, in->index[r], hidden);
        mask_row(d, &in->x_shape, &p, hidden, in->x + r * row, x + r * row,
                 target + r * d->units * c, weight + r * d->units);
    }
}
