/* forecast.c -- memory and FLOPs of a run from its plans, and the micro-batch that fits a
 * limit.  Nothing of the run's size is allocated: parameters are declared, not sealed, and
 * plans lay out their slab without taking it.  Floor 3, train. */
#include "train/linear.h"
#include "core/machine.h"
#include "model/pooled.h"
#include "train/histograms.h"
#include "train/neighbours.h"
#include "train/network.h"
#include "train/optim_kernels.h"
#include "train/pretrain.h"
#include "train/nearest.h"
#include "train/tfidf.h"
#include "train/trees/trees.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    LEAST_GROUP   = 8,
    LBFGS_VECTORS = 24,
    SOLVE_CALLS   = 300 /* of the loss, over all penalties: what was seen on real data */
};
/* What no allocation of ours shows: the program with its libraries, and what oneDNN holds of each
 * product (code and buffers; ResNet-20 and MobileNetV2 show 0.25 MiB each). */
static const size_t PROCESS_BYTES = (size_t)12 << 20, PRODUCT_BYTES = (size_t)256 << 10;
/* Graphs, plans, lists of rows and the like of the smallest networks. */
static const size_t BOOKS_BYTES = (size_t)96 << 10;

typedef struct {
    tl_params *params;     /* declared only */
    size_t     plan_bytes; /* of the largest plan seen */
    double     train_flops, forward_flops; /* of one row */
    int64_t    width;      /* of the features */
    int64_t    row_floats;
    int32_t    products;   /* of all graphs */
    int64_t    cut_floats; /* of a row that enters the part above a cut; 0: none         */
    size_t     held_bytes; /* of all rows that do                                        */
} sketch;

static size_t floats(int64_t n)
{
    return (size_t)n * sizeof(float);
}

/* Batches that are read to be predicted. */
static size_t asked_bytes(const tl_run_spec *spec, const sketch *k)
{
    const int64_t rows = TL_MIN(spec->micro_batch, (int64_t)32);

    return floats(tl_loader_slots(rows, k->row_floats) * rows * k->row_floats);
}

static tl_status plan_bytes(tl_ctx *ctx, const tl_run_spec *spec, const tl_graph *g,
                            sketch *k)
{
    tl_slab  *slab = NULL; /* its own, never taken: what others planned before does not count */
    tl_plan  *plan = NULL;
    tl_status rc;

    TL_TRY(tl_slab_new(ctx, spec->backend, &slab));
    TL_TRY(tl_plan_new(ctx, g, spec->backend, slab, &plan));
    k->plan_bytes = TL_MAX(k->plan_bytes, tl_plan_bytes(plan));
done:
    tl_plan_free(ctx, plan);
    tl_slab_free(ctx, slab);
    return rc;
}

/* The graph that predicts: declares every parameter on the way. */
static tl_status sketch_forward(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                                sketch *k)
{
    const int64_t rows = TL_MIN(spec->micro_batch, (int64_t)32);
    const bool    words = spec->dataset->task->words;
    tl_graph *g   = NULL;
    tl_net    net = { .ctx = ctx, .params = k->params, .dtype = spec->dtype };
    tl_built  built;
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &g));
    net.g = g;
    if (arch->family->text) net.sequences = rows * tl_cache_texts(spec->cache);
    TL_TRY(tl_arch_build(&net, arch,
                         arch->family->text ? tl_tokens_room(tl_run_tokens(spec, rows)) : rows,
                         words ? TL_PART_LOSS : TL_PART_WHOLE, &built));
    k->forward_flops = tl_graph_flops(g) / (double)rows;
    k->products += tl_graph_products(g);
    k->row_floats    = tl_shape_count(tl_graph_shape(g, built.x)) / rows;
    if (built.features && arch->ask == TL_ASK_TOKENS)
        k->width = tl_graph_shape(g, built.features)->dim[1];
    else if (built.features)
        k->width = tl_shape_count(tl_graph_shape(g, built.features)) / rows;
    rc = plan_bytes(ctx, spec, g, k);
done:
    tl_graph_free(ctx, g);
    return rc;
}

/* Filling in masked patches: body and decoder, their gradients and moments, batches. */
static tl_status sketch_masked(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                               sketch *k, size_t *bytes, tl_run_need *out)
{
    const tl_phase phase = { .which = TL_TRAIN_ALL, .masked = true };
    const int64_t  rows = spec->micro_batch, batch = spec->candidate.hyper.batch;
    const double   seen = tl_pretrain_steps(spec) * (double)batch;
    tl_graph      *g      = NULL;
    tl_params     *params = NULL;
    tl_stepper     tensors = { 0 };
    tl_status      rc;

    TL_TRY(tl_graph_new(ctx, &g));
    TL_TRY(tl_params_new(ctx, &params));
    TL_TRY(tl_train_graph(ctx, spec, arch, params, &phase, rows, g, &tensors));
    k->products += tl_graph_products(g);
    TL_TRY(plan_bytes(ctx, spec, g, k));
    const int64_t row    = k->row_floats, copies = 4 + (batch > rows);
    const int64_t pixels = tensors.units * arch->row.dim[2];
    *bytes = floats(copies * params->floats + tl_loader_slots(batch, row) * batch * row +
                    batch * (row + pixels + 2 * tensors.units));
    out->flops += seen * tl_graph_flops(g) / (double)rows;
    out->rows += seen;
done:
    tl_graph_free(ctx, g);
    tl_params_free(ctx, params);
    return rc;
}

/* What lies below a cut, asked once for every row. */
static tl_status sketch_below(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                              int cut, sketch *k, double *flops)
{
    const int64_t rows    = TL_MIN(spec->micro_batch, (int64_t)32);
    const tl_rows lists[] = { spec->train, spec->valid };
    const bool    text    = arch->family->text;
    const int64_t units   = text ? tl_tokens_room(tl_run_tokens(spec, rows)) : rows;
    tl_graph *g   = NULL;
    tl_net    net = { .ctx = ctx, .params = k->params, .dtype = spec->dtype, .cut = cut };
    tl_built  built;
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &g));
    net.g = g;
    if (text) net.sequences = rows;
    TL_TRY(tl_arch_build(&net, arch, units, TL_PART_BELOW, &built));
    *flops              = tl_graph_flops(g) / (double)rows;
    const int64_t width = tl_shape_count(tl_graph_shape(g, built.features)) / units;
    k->held_bytes = (size_t)(spec->train.count + spec->valid.count) * 2 * sizeof(int64_t);
    if (text) k->held_bytes += tl_stream_bytes(spec->cache, lists, 2, spec->dtype, width);
    else k->held_bytes += floats(width * (spec->train.count + spec->valid.count));
    if (!text) k->cut_floats = width;
    k->products += tl_graph_products(g);
    rc            = plan_bytes(ctx, spec, g, k);
done:
    tl_graph_free(ctx, g);
    return rc;
}

/* `tokens`: of text, that the plan has room for; else 0. */
static tl_status sketch_steps(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                              const tl_phase *phase, int64_t tokens, sketch *k)
{
    tl_graph  *g       = NULL;
    tl_stepper tensors = { .tokens = tokens };
    tl_status  rc;

    TL_TRY(tl_graph_new(ctx, &g));
    tl_train_select(k->params, phase, &spec->candidate.hyper);
    TL_TRY(tl_train_graph(ctx, spec, arch, k->params, phase, spec->micro_batch, g,
                          &tensors));
    k->train_flops = tl_graph_flops(g) / (double)spec->micro_batch;
    k->products += tl_graph_products(g);
    rc = plan_bytes(ctx, spec, g, k);
done:
    tl_graph_free(ctx, g);
    return rc;
}

/* Memory goes by the longest rows, time by the average. */
static tl_status sketch_training(tl_ctx *ctx, const tl_run_spec *spec,
                                 const tl_arch *arch, const tl_phase *phase, sketch *k)
{
    const int64_t rows = spec->micro_batch;
    tl_status     rc;

    if (!arch->family->text) return sketch_steps(ctx, spec, arch, phase, 0, k);
    TL_TRY(sketch_steps(ctx, spec, arch, phase,
                        tl_tokens_room(tl_run_most_tokens(ctx, spec, rows)), k));
    TL_TRY(sketch_steps(ctx, spec, arch, phase, tl_tokens_room(tl_run_tokens(spec, rows)), k));
done:
    return rc;
}

/* Of each shape an optimiser by matrix makes products of: what they read, and their plans. */
static size_t product_floats(const tl_optimizer *o, const tl_span *span, int32_t spans)
{
    size_t bytes = 0, most = 0;

    for (int32_t i = 0; i < spans && o->prepare; i++) {
        const int64_t r = TL_MIN(span[i].rows, span[i].cols);
        if (!tl_optim_by_matrix(o, &span[i])) continue;
        bool seen = false;
        for (int32_t j = 0; j < i; j++)
            seen |= tl_optim_by_matrix(o, &span[j]) && span[j].count == span[i].count &&
                    TL_MIN(span[j].rows, span[j].cols) == r;
        if (!seen) bytes += floats(span[i].count);
        most = TL_MAX(most, floats(4 * span[i].count + 3 * r * r));
    }
    return bytes + most;
}

/* Gradients, moments, batches: what a phase of steps holds beside parameters and plans. */
static tl_status loop_bytes(tl_ctx *ctx, const tl_run_spec *spec, const sketch *k,
                            size_t *out)
{
    const tl_hyper     *h = &spec->candidate.hyper;
    const tl_optimizer *o = tl_optimizer_find(h->optimizer);
    const int64_t       copies = 1 + (h->batch > spec->micro_batch);
    tl_span  *span;
    int32_t   spans;
    int64_t   grad, m, v;
    tl_status rc =
        tl_params_spans(ctx, k->params, o->matrix != NULL, &span, &spans, &grad);

    if (rc != TL_OK) return rc;
    tl_optim_layout(o, span, spans, &m, &v);
    const size_t products = product_floats(o, span, spans);
    tl_free(ctx, span);
    const int64_t row  = k->cut_floats ? k->cut_floats : k->row_floats;
    const bool origin = h->anchor > 0.0 || h->anchor_head > 0.0 || h->average > 0.0;
    *out = floats(copies * grad + m + v) + products + k->held_bytes +
           floats(tl_loader_slots(h->batch, row) * h->batch * row) +
           asked_bytes(spec, k) +
           floats((origin + (h->ema > 0.0)) * k->params->floats) +
           (tl_hyper_mixes(h) ? floats(h->batch * (row + spec->dataset->classes)) : 0);
    return TL_OK;
}

static size_t solve_bytes(const tl_run_spec *spec, const sketch *k)
{
    const int64_t rows    = spec->train.count + spec->valid.count,
                  classes = spec->dataset->classes;
    const int64_t n    = classes * (k->width + 1);

    return floats(rows * k->width) + asked_bytes(spec, k) +
           (size_t)(LBFGS_VECTORS + 2) * (size_t)n * sizeof(double) + floats(2 * n) +
           floats(3 * TL_MIN(spec->train.count, (int64_t)2048) * classes);
}

/* Of its schedule, the middle outcome: the best epoch may be any as likely as another, and patience
 * ends it so many epochs later. */
static double likely_share(const tl_run_spec *spec, double epochs)
{
    const double patience = spec->candidate.hyper.patience / fmax(1.0, epochs);

    if (!(patience > 0.0) || patience >= 1.0) return 1.0;
    return fmin(1.0, 0.5 + patience);
}

static tl_status forecast_phase(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                                const tl_phase *phase, bool later, sketch *k, size_t *bytes,
                                tl_run_need *out)
{
    const double rows  = (double)tl_run_units(spec, spec->train),
                 valid = (double)tl_run_units(spec, spec->valid);
    tl_status    rc    = TL_OK;

    if (tl_arch_is_trees(arch)) {
        *bytes = tl_trees_bytes(spec);
        out->flops += tl_trees_flops(spec);
        return TL_OK;
    }
    if (tl_arch_is_tfidf(arch)) {
        *bytes = tl_tfidf_bytes(spec);
        out->flops += tl_tfidf_flops(spec);
        return TL_OK;
    }
    if (tl_nearest_route(&spec->candidate)) {
        const double passes = spec->features ? 0.0 : rows + valid;
        *bytes = tl_nearest_bytes(spec, k->width, k->params->floats);
        out->flops += passes * k->forward_flops + tl_nearest_flops(spec, k->width);
        out->rows += passes / 3.0;
        return TL_OK;
    }
    if (phase->solve) {
        const double passes = spec->features ? 0.0 : rows + valid;
        *bytes = solve_bytes(spec, k);
        const double solve = SOLVE_CALLS * 6.0 * (double)spec->train.count *
                             (double)(k->width * spec->dataset->classes);
        out->flops += passes * k->forward_flops + solve;
        out->solve_flops += solve;
        out->rows += passes / 3.0;
        return TL_OK;
    }
    const tl_length length = tl_loop_length(spec, phase, NULL);
    const int64_t   steps  = spec->most_steps > 0 ? TL_MIN(spec->most_steps, length.steps)
                                                  : length.steps;
    const double    looks  = (double)tl_loop_looks(spec, &length, steps, later);
    const double    visits =
        fmin((double)(steps * spec->candidate.hyper.batch), length.epochs * rows);
    double        below    = 0.0;
    k->cut_floats          = 0;
    k->held_bytes          = 0;
    if (phase->cached) TL_TRY(sketch_below(ctx, spec, arch, phase->from, k, &below));
    size_t before = 0;
    if (phase->pretrained && !arch->family->text)
        TL_TRY(sketch_masked(ctx, spec, arch, k, &before, out));
    TL_TRY(sketch_training(ctx, spec, arch, phase, k));
    TL_TRY(loop_bytes(ctx, spec, k, bytes));
    *bytes = TL_MAX(*bytes, before);
    const double look_flops  = looks * valid * (k->forward_flops - below);
    const double steps_flops = visits * k->train_flops + look_flops;
    out->flops += steps_flops + (rows + valid) * below;
    out->look_flops += look_flops;
    out->looks += looks;
    out->kept_flops += (rows + valid) * below;
    out->spared_flops += (1.0 - likely_share(spec, length.epochs)) * steps_flops;
    out->rows += visits + looks * valid / 3.0;
done:
    return rc;
}

static void settle_groups(const tl_params *params, tl_run_spec *spec)
{
    if (tl_run_groups(spec, params))
        spec->micro_batch = spec->candidate.hyper.batch / spec->candidate.hyper.shards;
}

/* A run beside this one's own parameters. */
static void add_work(tl_run_need *need, const tl_run_need *first, size_t beside)
{
    need->flops += first->flops;
    need->look_flops += first->look_flops;
    need->looks += first->looks;
    need->solve_flops += first->solve_flops;
    need->spared_flops += first->spared_flops;
    need->rows += first->rows;
    need->peak_bytes    = TL_MAX(need->peak_bytes, first->peak_bytes + beside);
    need->process_bytes = TL_MAX(need->process_bytes, first->process_bytes);
}

/* A run that comes first, a teacher's or one without labels, beside this run's own parameters. */
static tl_status forecast_before(tl_ctx *ctx, const tl_run_spec *before, size_t beside,
                                 tl_run_need *need)
{
    tl_run_need first;
    tl_status   rc;

    TL_TRY(tl_run_forecast(ctx, before, &first));
    add_work(need, &first, beside);
done:
    return rc;
}

/* What the solved baseline's rivals need, one after the other. */
static tl_status forecast_rivals(tl_ctx *ctx, const tl_run_spec *spec, const sketch *k,
                                 tl_shape row, size_t beside, tl_run_need *need)
{
    tl_histograms h;
    tl_run_need   first = { 0 };
    tl_status     rc;

    need->flops += tl_neighbours_flops(spec, k->width);
    TL_TRY(tl_histograms_new(ctx, spec, row, &h));
    if (h.spec.candidate.route) rc = tl_run_forecast(ctx, &h.spec, &first);
    tl_histograms_free(ctx, &h);
    TL_TRY(rc);
    add_work(need, &first, beside);
done:
    return rc;
}

tl_status tl_run_forecast(tl_ctx *ctx, const tl_run_spec *asked, tl_run_need *out)
{
    tl_run_spec     spec;
    const tl_route *route = asked->candidate.route;
    tl_arch         arch;
    sketch          k    = { 0 };
    size_t          most = 0, bytes;
    tl_run_spec     before;
    tl_words_lesson lesson;
    tl_learnt       learnt = { 0 };
    tl_run_need     need   = { 0 };
    tl_status       rc;

    *out = need;
    TL_TRY(tl_run_settle(ctx, asked, &spec));
    arch = route->needs_base && !route->own_net && !tl_arch_is_pooled(&spec.candidate.arch)
               ? spec.candidate.base->arch
               : spec.candidate.arch;
    arch.row         = spec.candidate.arch.row;
    arch.adapt       = spec.candidate.arch.adapt;
    arch.source_head = spec.candidate.keep_head && arch.source_head;
    arch.ask         = spec.candidate.arch.ask;
    if (!spec.dataset->task->words) {
        arch.outputs = spec.dataset->classes;
        arch.ask     = tl_arch_is_tfidf(&arch) ? TL_ASK_CLASSES
                                               : tl_ask_of_task(spec.dataset->task);
    }
    TL_TRY(tl_params_new(ctx, &k.params));
    TL_TRY(sketch_forward(ctx, &spec, &arch, &k));
    settle_groups(k.params, &spec);
    TL_TRY(tl_learnt_of(ctx, &spec, k.params, &learnt));
    const bool rivals = route->finish && tl_route_is_baseline(route) &&
                        !spec.dataset->schema && !spec.dataset->task->text;
    for (int i = 0; i < tl_run_phases(&spec, k.params); i++) {
        const tl_phase phase = tl_run_phase(&spec, k.params, i);
        TL_TRY(forecast_phase(ctx, &spec, &arch, &phase, i > 0, &k, &bytes, &need));
        most = TL_MAX(most, bytes);
    }
    if (spec.candidate.hyper.adapt.nf4) /* merged in full, and packed in f32 to be asked */
        most = TL_MAX(most, floats(2 * tl_params_numel(k.params, false)));
    else if (spec.candidate.hyper.adapt.kind) /* merged, beside what is merged */
        most = TL_MAX(most, floats(tl_params_numel(k.params, false)));
    else if (rivals)
        most = TL_MAX(most, tl_neighbours_bytes(&spec, k.width));
    const size_t  taken   = tl_slab_bytes(spec.slab);
    const tl_rows lists[] = { spec.train, spec.valid };
    most += tl_cache_will_take(spec.cache, lists, 2, spec.candidate.hyper.augment);
    if (spec.candidate.base && !spec.candidate.base->arch.adapt.nf4)
        most += k.params->packed_bytes;
    const size_t beside = floats(k.params->floats) + learnt.bytes;
    need.peak_bytes     = atomic_load(&ctx->world->now_bytes) + beside + most +
                      (k.plan_bytes > taken ? k.plan_bytes - taken : 0);
    need.process_bytes = PROCESS_BYTES + (size_t)k.products * PRODUCT_BYTES;
    need.peak_bytes += need.process_bytes + BOOKS_BYTES;
    if (rivals) TL_TRY(forecast_rivals(ctx, &spec, &k, arch.row, beside, &need));
    if (route->teacher) {
        TL_TRY(tl_teach_spec(ctx, &spec, &before));
        TL_TRY(forecast_before(ctx, &before, beside, &need));
    }
    if (route->phase[0].pretrained && arch.family->text) {
        tl_pretrain_words_ask(&spec, &lesson);
        TL_TRY(forecast_before(ctx, &lesson.spec, beside, &need));
    }
    *out = need;
done:
    tl_learnt_free(ctx, &learnt);
    tl_params_free(ctx, k.params);
    return rc;
}

tl_status tl_run_keep_what_fits(tl_ctx *ctx, tl_run_spec *spec)
{
    const size_t room = tl_machine_memory_bytes() / 5 * 4;
    tl_run_need  need;
    tl_status    rc = TL_OK;

    if (!tl_hyper_keeps(&spec->candidate.hyper)) return TL_OK;
    TL_TRY(tl_run_forecast(ctx, spec, &need));
    if (need.peak_bytes > room) spec->candidate.hyper.cached = false;
done:
    return rc;
}

/* The next smaller thing to try, from pieces of `whole` rows; false: there is none. */
static bool shrink(tl_run_spec *spec, bool groups, int64_t whole)
{
    tl_hyper     *h     = &spec->candidate.hyper;
    const int64_t shard = h->batch / h->shards;

    if (tl_hyper_keeps(h)) { /* frozen blocks run every step then */
        h->cached = false;
        return true;
    }

    if (groups) {
        int64_t shards = h->shards + 1;
        while (shards <= h->batch && h->batch % shards) shards++;
        if (h->batch / shards < LEAST_GROUP) return false;
        h->shards         = shards;
        spec->micro_batch = h->batch / shards;
        return true;
    }
    if (spec->micro_batch > 1) {
        do spec->micro_batch--;
        while (shard % spec->micro_batch);
        return true;
    }
    if (spec->recompute) return false;
    spec->recompute   = true; /* dearer than small pieces: the last resort */
    spec->micro_batch = whole;
    return true;
}

static int64_t group_rows(const tl_run_spec *spec)
{
    return spec->candidate.hyper.batch / spec->candidate.hyper.shards;
}

tl_status tl_run_fit_memory(tl_ctx *ctx, tl_run_spec *spec, size_t limit_bytes,
                            char said[200])
{
    tl_run_spec one    = *spec;
    tl_params  *params = NULL;
    tl_run_need need;
    tl_status   rc;

    *said = 0;
    TL_TRY(tl_run_settle(ctx, spec, &one));
    TL_TRY(tl_arch_params(ctx, &one.candidate.arch, &params));
    const int64_t wanted = group_rows(&one), whole = one.micro_batch;
    for (;;) {
        TL_TRY(tl_run_forecast(ctx, &one, &need));
        if (need.peak_bytes <= limit_bytes) break;
        if (!shrink(&one, tl_run_groups(&one, params), whole))
            TL_FAIL(TL_ELIMIT, "--memory",
                    "%s needs at least %zu MiB, %zu MiB are allowed (raise "
                    "--memory)",
                    one.candidate.route->name, (need.peak_bytes >> 20) + 1,
                    limit_bytes >> 20);
    }
    if (group_rows(&one) < wanted)
        snprintf(said, 200,
                 "--memory leaves room for batch norm statistics over %" PRId64
                 " rows instead of %" PRId64 ", which may change the result (raise it to "
                 "keep them)",
                 group_rows(&one), wanted);
    else if (one.recompute && !spec->recompute)
        snprintf(said, 200,
                 "--memory leaves no room for what blocks make: they are computed again in the "
                 "backward pass, a third more work (raise it to spare that)");
    spec->micro_batch            = one.micro_batch;
    spec->recompute              = one.recompute;
    spec->candidate.hyper.batch  = one.candidate.hyper.batch;
    spec->candidate.hyper.shards = one.candidate.hyper.shards;
    spec->candidate.hyper.cached = one.candidate.hyper.cached;
done:
    tl_params_free(ctx, params);
    return rc;
}
