/* predict.c -- a model ready to be asked: its graph built for so many rows, planned and
 * bound once, run many times.  Floor 3, bundle. */
#include "bundle/model.h"
#include "bundle/packed.h"

#include <string.h>

/* Tokens of one run of packed text: what is longer goes by several runs. */
enum { MOST_TOKENS = 8192 };

/* A graph and its plan; of text one for each size that batches are rounded up to. */
typedef struct {
    int64_t        tokens; /* of text: it has room for */
    tl_graph      *graph;
    tl_plan       *plan;
    tl_tensor      x, y;
    tl_text_inputs text;
} asked;

struct tl_predictor {
    tl_net            net;      /* how its graphs are built */
    tl_part           part;
    tl_arch           arch;     /* borrowed */
    const tl_backend *backend;
    asked            *shape;
    int               shapes;
    tl_slab          *slab, *own_slab; /* own: NULL where it is the caller's */
    tl_pack           pack;
    const tl_stream  *stream;   /* of text above a cut: what stands for the ids; borrowed */
    int64_t          *list;     /* [3 rows] of packed text: what a run takes; owned */
    int64_t           rows, row_floats, width;
    float            *x_host;   /* [rows row_floats], zeros behind; owned */
    void             *x_device; /* on the backend; x_host where shared */
    float            *y_host;   /* [rows width]; NULL where memory is shared; owned */
    const tl_params  *params;   /* borrowed */
    void             *values;   /* on the backend; NULL where shared; owned */
};

/* Each parameter and state of the graph to its place in the store's block. */
static tl_status bind_params(tl_ctx *ctx, const tl_predictor *p, const asked *a)
{
    float    *block = p->values;
    tl_status rc    = TL_OK;

    for (tl_tensor t = 1; t <= tl_graph_tensors(a->graph); t++) {
        const tl_tensor_info *info = tl_graph_info(a->graph, t);
        const tl_param       *param;
        if (info->kind != TL_PARAM && info->kind != TL_STATE) continue;
        param = tl_params_find(p->params, info->name);
        if (!param) TL_FAIL(TL_EUSAGE, info->name, "is not among the model's parameters");
        if (block && param->packed)
            TL_FAIL(TL_EUSAGE, p->backend->name,
                    "takes no weights in four bits (use --backend cpu)");
        TL_TRY(tl_plan_bind(ctx, a->plan, t,
                            block ? block + param->at : tl_params_place(p->params, param)));
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
    TL_TRY(tl_plan_bind(ctx, p->shape->plan, p->shape->x, p->x_device));
    TL_TRY(bind_params(ctx, p, p->shape));
done:
    return rc;
}

static void close_shape(tl_ctx *ctx, asked *a)
{
    tl_plan_free(ctx, a->plan);
    tl_graph_free(ctx, a->graph);
}

/* A graph of so many rows, or of text so many tokens, at the list's end. */
static tl_status add_shape(tl_ctx *ctx, tl_predictor *p, int64_t tokens)
{
    const int64_t rows = tokens ? tokens : p->rows;
    asked         a    = { .tokens = tokens };
    tl_net        net  = p->net;
    tl_built      built;
    tl_status     rc;

    TL_TRY(tl_graph_new(ctx, &a.graph));
    net.ctx       = ctx;
    net.g         = a.graph;
    net.sequences = tokens ? p->rows : 0;
    TL_TRY(tl_arch_build(&net, &p->arch, rows, p->part, &built));
    a.x    = built.x;
    a.y    = built.logits ? built.logits : built.features;
    a.text = built.text;
    TL_TRY(tl_plan_new(ctx, a.graph, p->backend, p->slab, &a.plan));
    TL_TRY(tl_realloc(ctx, (size_t)(p->shapes + 1) * sizeof *p->shape, &p->shape));
    p->shape[p->shapes++] = a;
    a                     = (asked){ 0 };
done:
    close_shape(ctx, &a);
    return rc;
}

/* The head alone takes features, of text too. */
static bool is_packed(const tl_predictor *p)
{
    return p->arch.family->text && p->part != TL_PART_HEAD;
}

/* `like`: how its graphs are built. */
static tl_status make(tl_ctx *ctx, const tl_model *model, tl_net like, tl_part part, int64_t rows,
                      const tl_backend *backend, tl_slab *slab, tl_predictor **out)
{
    tl_predictor *p = NULL;
    tl_status     rc;

    *out = NULL;
    if (model->arch.family->text && tl_arch_words(&model->arch) && part != TL_PART_EMBED)
        TL_FAIL(TL_EDATA, model->path ? model->path : model->arch.name,
                "is no classifier of texts (train it with labels first: tailor train DATA --base)");
    TL_TRY(tl_alloc(ctx, sizeof *p, &p));
    p->net     = like;
    p->part    = part;
    p->arch    = model->arch;
    if (part == TL_PART_EMBED) p->arch.ask = TL_ASK_TOKENS;
    p->backend = backend;
    p->params  = model->params;
    p->rows    = rows;
    p->slab    = slab;
    if (!slab) {
        TL_TRY(tl_slab_new(ctx, backend, &p->own_slab));
        p->slab = p->own_slab;
    }
    TL_TRY(add_shape(ctx, p, is_packed(p) ? tl_tokens_room(2 * rows) : 0));
    p->row_floats = tl_shape_count(tl_graph_shape(p->shape->graph, p->shape->x)) / rows;
    const tl_shape *y = tl_graph_shape(p->shape->graph, p->shape->y);
    p->width          = is_packed(p) ? y->dim[y->ndim - 1] : tl_shape_count(y) / rows;
    if (!is_packed(p)) TL_TRY(make_buffers(ctx, p));
    else TL_TRY(bind_params(ctx, p, p->shape));
    if (is_packed(p))
        TL_TRY(tl_alloc_array(ctx, (size_t)rows, 3 * sizeof *p->list, &p->list));
    *out = p;
    p    = NULL;
done:
    tl_predictor_free(ctx, p);
    return rc;
}

tl_status tl_predictor_cut(tl_ctx *ctx, const tl_model *model, tl_part part, int cut,
                           int64_t rows, const tl_backend *backend, tl_slab *slab,
                           tl_dtype dtype, tl_predictor **out)
{
    const tl_net like = { .params = model->params, .dtype = dtype, .cut = cut };

    return make(ctx, model, like, part, rows, backend, slab, out);
}

tl_status tl_predictor_new(tl_ctx *ctx, const tl_model *model, tl_part part, int64_t rows,
                           const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                           tl_predictor **out)
{
    return tl_predictor_cut(ctx, model, part, 0, rows, backend, slab, dtype, out);
}

tl_status tl_predictor_pooled(tl_ctx *ctx, const tl_model *model, tl_pooling pool, int64_t rows,
                              const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                              tl_predictor **out)
{
    const tl_net like = { .params = model->params, .dtype = dtype, .pool = pool };

    return make(ctx, model, like, TL_PART_EMBED, rows, backend, slab, out);
}

tl_status tl_predictor_norms(tl_ctx *ctx, tl_model *model, int64_t rows, const tl_backend *backend,
                             tl_slab *slab, tl_predictor **out)
{
    const tl_net like = { .params = model->params, .dtype = TL_F32, .training = true };

    return make(ctx, model, like, TL_PART_BODY, rows, backend, slab, out);
}

void tl_predictor_free(tl_ctx *ctx, tl_predictor *p)
{
    if (!p) return;
    for (int i = 0; i < p->shapes; i++) close_shape(ctx, &p->shape[i]);
    tl_free(ctx, p->shape);
    tl_slab_free(ctx, p->own_slab);
    tl_pack_free(ctx, &p->pack);
    tl_free(ctx, p->list);
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
    for (int i = 0; i < p->shapes; i++) tl_plan_weights_changed(p->shape[i].plan);
    return upload(ctx, p);
}

void tl_predictor_feed(tl_predictor *p, const tl_stream *stream)
{
    p->stream           = stream;
    p->pack.token_bytes = stream->token_bytes;
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
    TL_TRY(tl_plan_run(ctx, p->shape->plan, (tl_tick){ 0 }));
    made = tl_plan_data(p->shape->plan, p->shape->y);
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

/* The plan with room for so many tokens, made where there is none. */
static tl_status shape_for(tl_ctx *ctx, tl_predictor *p, int64_t tokens, asked **out)
{
    const int64_t room = tl_tokens_room(tokens);
    tl_status     rc   = TL_OK;

    for (int i = 0; i < p->shapes; i++)
        if (p->shape[i].tokens == room) {
            *out = &p->shape[i];
            return TL_OK;
        }
    TL_TRY(add_shape(ctx, p, room));
    *out = &p->shape[p->shapes - 1];
    TL_TRY(bind_params(ctx, p, *out));
done:
    return rc;
}

/* As many words as those of the windows that one run takes: each word's own token answers. */
static tl_status run_words(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                           int64_t *taken, float *y)
{
    int64_t  *window = p->list, tokens = 0, windows = 0, n = 0, w = -1;
    asked    *a;
    tl_status rc;

    for (; n < rows.count; n++) {
        if (tl_cache_window(cache, rows.row[n]) == w) continue;
        const int64_t more = tl_cache_tokens(cache, rows.row[n]);
        if (windows == p->rows || (windows > 0 && tokens + more > MOST_TOKENS)) break;
        window[windows++] = rows.row[n];
        w                 = tl_cache_window(cache, rows.row[n]);
        tokens += more;
    }
    TL_TRY(shape_for(ctx, p, tokens, &a));
    TL_TRY(tl_pack_reserve(ctx, p->rows, a->tokens, &p->pack));
    tl_pack_rows(cache, window, windows, &p->pack);
    TL_TRY(tl_packed_bind(ctx, a->plan, a->x, &a->text, &p->pack));
    TL_TRY(tl_plan_run(ctx, a->plan, (tl_tick){ 0 }));
    const float *made = tl_plan_data(a->plan, a->y);
    w                 = 0;
    for (int64_t i = 0; i < n; i++) {
        bool own;
        w += i > 0 && tl_cache_window(cache, rows.row[i]) !=
                          tl_cache_window(cache, rows.row[i - 1]);
        memcpy(y + i * p->width,
               made + (p->pack.offset[w] + tl_cache_token(cache, rows.row[i], &own)) * p->width,
               (size_t)p->width * sizeof *y);
    }
    *taken = n;
done:
    return rc;
}

/* What a walk over rows and their windows comes to next. */
typedef struct { int64_t row, part; } place;

/* A row's windows that are asked: all, or of a pooled text the first. */
static int64_t parts_of(const tl_predictor *p, const tl_cache *cache, int64_t row)
{
    return p->part == TL_PART_EMBED ? 1 : tl_cache_parts(cache, row);
}

static place next_place(const tl_predictor *p, const tl_cache *cache, tl_rows rows, place at)
{
    at.part++;
    if (at.part < parts_of(p, cache, rows.row[at.row])) return at;
    return (place){ at.row + 1, 0 };
}

/* Windows that one run asks: which row of the list, its number in the data, which of its windows;
 * and what was answered. */
typedef struct {
    int64_t      n, *of, *row, *part;
    const float *made;
} windows;

/* As many windows as one run takes, packed and asked. */
static tl_status ask_windows(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                             place *at, windows *out)
{
    windows   w = { 0, p->list, p->list + p->rows, p->list + 2 * p->rows, NULL };
    int64_t   tokens = 0;
    asked    *a;
    tl_status rc;

    while (w.n < p->rows && at->row < rows.count) {
        const int64_t more = tl_cache_part_tokens(cache, rows.row[at->row], at->part);
        if (w.n > 0 && tokens + more > MOST_TOKENS) break;
        w.of[w.n]     = at->row;
        w.row[w.n]    = rows.row[at->row];
        w.part[w.n++] = at->part;
        tokens += more;
        *at = next_place(p, cache, rows, *at);
    }
    TL_TRY(shape_for(ctx, p, tokens, &a));
    TL_TRY(tl_pack_reserve(ctx, p->rows, a->tokens, &p->pack));
    tl_pack_parts(cache, w.row, w.part, w.n, &p->pack);
    if (p->stream) tl_pack_stream(p->stream, cache, w.row, w.part, w.n, &p->pack);
    TL_TRY(tl_packed_bind(ctx, a->plan, a->x, &a->text, &p->pack));
    TL_TRY(tl_plan_run(ctx, a->plan, (tl_tick){ 0 }));
    w.made = tl_plan_data(a->plan, a->y);
    *out   = w;
done:
    return rc;
}

/* Each window adds its share to its row. */
static tl_status run_packed(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                            place *at, float *y)
{
    windows   w;
    tl_status rc;

    TL_TRY(ask_windows(ctx, p, cache, rows, at, &w));
    for (int64_t i = 0; i < w.n; i++) {
        const int64_t parts = parts_of(p, cache, w.row[i]);
        const float  *made  = w.made + i * p->width;
        float        *to    = y + w.of[i] * p->width;
        for (int64_t k = 0; k < p->width; k++)
            to[k] = parts == 1 ? made[k] : (w.part[i] ? to[k] : 0.0f) + made[k] / (float)parts;
    }
done:
    return rc;
}

tl_status tl_predictor_stream(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                              const tl_stream *to)
{
    windows   w;
    tl_status rc = TL_OK;

    for (place at = { 0, 0 }; at.row < rows.count;) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
        TL_TRY(ask_windows(ctx, p, cache, rows, &at, &w));
        for (int64_t i = 0; i < w.n; i++)
            tl_stream_take(to, cache, w.row[i], w.part[i],
                           w.made + p->pack.offset[i] * p->width);
    }
done:
    return rc;
}

static tl_status packed_rows(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                             float *y)
{
    const bool words = tl_cache_asks_words(cache);
    int64_t    n;
    tl_status  rc = TL_OK;

    for (place at = { 0, 0 }; at.row < rows.count;) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
        if (!words) {
            TL_TRY(run_packed(ctx, p, cache, rows, &at, y));
            continue;
        }
        TL_TRY(run_words(ctx, p, cache,
                         (tl_rows){ rows.row + at.row, rows.count - at.row }, &n,
                         y + at.row * p->width));
        at.row += n;
    }
done:
    return rc;
}

tl_status tl_predictor_rows(tl_ctx *ctx, tl_predictor *p, tl_cache *cache, tl_rows rows,
                            float *y)
{
    const tl_loader_spec spec   = { .cache = cache, .rows = rows, .batch = p->rows };
    tl_loader           *loader = NULL;
    const tl_batch      *batch;
    tl_status            rc;

    if (is_packed(p)) return packed_rows(ctx, p, cache, rows, y);
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
