/* predict.c -- a model ready to be asked: its graph built for so many rows, planned and
 * bound once, run many times.  Floor 3, bundle. */
#include "bundle/model.h"

#include <string.h>

struct tl_predictor {
    const tl_backend *backend;
    tl_graph         *graph;
    tl_plan          *plan;
    tl_slab          *own_slab; /* NULL: the caller's */
    tl_tensor         x, y;
    int64_t           rows, row_floats, width;
    float            *x_host;   /* [rows row_floats], zeros behind; owned */
    void             *x_device; /* on the backend; x_host where shared */
    float            *y_host;   /* [rows width]; NULL where memory is shared; owned */
    const tl_params  *params;   /* borrowed */
    void             *values;   /* on the backend; NULL where shared; owned */
};

/* Each parameter and state of the graph to its place in the store's block. */
static tl_status bind_params(tl_ctx *ctx, tl_predictor *p)
{
    float    *block = p->values ? p->values : p->params->value;
    tl_status rc    = TL_OK;

    for (tl_tensor t = 1; t <= tl_graph_tensors(p->graph); t++) {
        const tl_tensor_info *info = tl_graph_info(p->graph, t);
        const tl_param       *param;
        if (info->kind != TL_PARAM && info->kind != TL_STATE) continue;
        param = tl_params_find(p->params, info->name);
        if (!param) TL_FAIL(TL_EUSAGE, info->name, "is not among the model's parameters");
        TL_TRY(tl_plan_bind(ctx, p->plan, t, block + param->at));
    }
done:
    return rc;
}

static tl_status upload(tl_ctx *ctx, tl_predictor *p)
{
    if (!p->values) return TL_OK;
    return p->backend->to_device(ctx, p->values, p->params->value,
                                 (size_t)p->params->floats * sizeof(float));
}

/* Input and output buffers; on a device also a copy of the parameters. */
static tl_status make_buffers(tl_ctx *ctx, tl_predictor *p)
{
    const size_t x_bytes = (size_t)(p->rows * p->row_floats) * sizeof(float);
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, x_bytes, &p->x_host));
    p->x_device = p->x_host;
    if (!p->backend->host_memory) {
        TL_TRY(
            tl_alloc_array(ctx, (size_t)(p->rows * p->width), sizeof(float), &p->y_host));
        p->x_device = NULL;
        TL_TRY(p->backend->alloc(ctx, x_bytes, &p->x_device));
        TL_TRY(p->backend->alloc(ctx, (size_t)p->params->floats * sizeof(float),
                                 &p->values));
        TL_TRY(upload(ctx, p));
    }
    TL_TRY(tl_plan_bind(ctx, p->plan, p->x, p->x_device));
    TL_TRY(bind_params(ctx, p));
done:
    return rc;
}

tl_status tl_predictor_new(tl_ctx *ctx, const tl_model *model, tl_part part, int64_t rows,
                           const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                           tl_predictor **out)
{
    return tl_predictor_cut(ctx, model, part, 0, rows, backend, slab, dtype, out);
}

tl_status tl_predictor_cut(tl_ctx *ctx, const tl_model *model, tl_part part, int cut,
                           int64_t rows, const tl_backend *backend, tl_slab *slab,
                           tl_dtype dtype, tl_predictor **out)
{
    tl_predictor *p   = NULL;
    tl_net        net = {
               .ctx = ctx, .params = model->params, .dtype = dtype, .cut = cut
    };
    tl_built      built;
    tl_status     rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *p, &p));
    p->backend = backend;
    p->params  = model->params;
    p->rows    = rows;
    TL_TRY(tl_graph_new(ctx, &p->graph));
    net.g = p->graph;
    TL_TRY(tl_arch_build(&net, &model->arch, rows, part, &built));
    p->x          = built.x;
    p->y          = built.logits ? built.logits : built.features;
    p->row_floats = tl_shape_count(tl_graph_shape(p->graph, p->x)) / rows;
    p->width      = tl_shape_count(tl_graph_shape(p->graph, p->y)) / rows;
    if (!slab) {
        TL_TRY(tl_slab_new(ctx, backend, &p->own_slab));
        slab = p->own_slab;
    }
    TL_TRY(tl_plan_new(ctx, p->graph, backend, slab, &p->plan));
    TL_TRY(make_buffers(ctx, p));
    *out = p;
    p    = NULL;
done:
    tl_predictor_free(ctx, p);
    return rc;
}

void tl_predictor_free(tl_ctx *ctx, tl_predictor *p)
{
    if (!p) return;
    tl_plan_free(ctx, p->plan);
    tl_slab_free(ctx, p->own_slab);
    tl_graph_free(ctx, p->graph);
    if (!p->backend->host_memory) {
        p->backend->free(ctx, p->x_device);
        p->backend->free(ctx, p->values);
    }
    tl_free(ctx, p->x_host);
    tl_free(ctx, p->y_host);
    tl_free(ctx, p);
}

tl_status tl_predictor_weights_changed(tl_ctx *ctx, tl_predictor *p)
{
    tl_plan_weights_changed(p->plan);
    return upload(ctx, p);
}

int64_t tl_predictor_width(const tl_predictor *p)
{
    return p->width;
}

int64_t tl_predictor_row(const tl_predictor *p)
{
    return p->row_floats;
}

/* One run of the plan; the rows beyond `rows` hold zeros. */
static tl_status run_batch(tl_ctx *ctx, tl_predictor *p, const float *x, int64_t rows,
                           float *y)
{
    const size_t x_floats = (size_t)(rows * p->row_floats),
                 y_floats = (size_t)(rows * p->width);
    const float *made;
    tl_status    rc;

    memcpy(p->x_host, x, x_floats * sizeof *x);
    memset(p->x_host + x_floats, 0,
           ((size_t)(p->rows * p->row_floats) - x_floats) * sizeof *x);
    if (p->x_device != p->x_host)
        TL_TRY(p->backend->to_device(ctx, p->x_device, p->x_host,
                                     (size_t)(p->rows * p->row_floats) * sizeof *x));
    TL_TRY(tl_plan_run(ctx, p->plan, (tl_tick){ 0 }));
    made = tl_plan_data(p->plan, p->y);
    if (p->y_host) {
        TL_TRY(p->backend->to_host(ctx, p->y_host, made, y_floats * sizeof *y));
        made = p->y_host;
    }
    memcpy(y, made, y_floats * sizeof *y);
done:
    return rc;
}

tl_status tl_predictor_run(tl_ctx *ctx, tl_predictor *p, const float *x, int64_t rows,
                           float *y)
{
    tl_status rc = TL_OK;

    for (int64_t at = 0; at < rows && rc == TL_OK; at += p->rows)
        rc = run_batch(ctx, p, x + at * p->row_floats, TL_MIN(p->rows, rows - at),
                       y + at * p->width);
    return rc;
}

tl_status tl_predictor_rows(tl_ctx *ctx, tl_predictor *p, tl_cache *cache, tl_rows rows,
                            float *y)
{
    const tl_loader_spec spec   = { .cache = cache, .rows = rows, .batch = p->rows };
    tl_loader           *loader = NULL;
    const tl_batch      *batch;
    tl_status            rc;

    TL_TRY(tl_loader_new(ctx, &spec, &loader));
    for (int64_t done = 0; done < rows.count; done += batch->rows) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
        TL_TRY(tl_loader_next(ctx, loader, &batch));
        if (batch->rows == 0) TL_FAIL(TL_EFAIL, "predict", "the data ended early");
        TL_TRY(run_batch(ctx, p, batch->x, batch->rows, y + done * p->width));
    }
done:
    tl_loader_free(ctx, loader);
    return rc;
}
