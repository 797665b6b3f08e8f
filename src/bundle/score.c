/* score.c -- see score.h.  One graph with room for so many tokens, filled with as many rows as fit.
 * Floor 3, bundle. */
#include "bundle/score.h"
#include "bundle/packed.h"

enum { TOKENS = 2048, MOST_ROWS = 64 };

struct tl_scorer {
    const tl_cache *cache; /* borrowed */
    tl_asking       how;
    int64_t         rows, tokens; /* of one run, at most */
    tl_slab        *slab, *own_slab;
    tl_graph       *graph;
    tl_plan        *plan;
    tl_built        built;
    tl_pack         pack;
};

static tl_status build(tl_ctx *ctx, tl_scorer *s, const tl_model *model,
                       const tl_backend *backend, tl_dtype dtype)
{
    tl_net    net = { .ctx = ctx, .params = model->params, .dtype = dtype };
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &s->graph));
    net.g         = s->graph;
    net.sequences = s->rows * tl_cache_texts(s->cache);
    net.asked     = s->how.hidden ? tl_asked_room(&s->how, s->rows, s->tokens) : 0;
    TL_TRY(tl_arch_build(&net, &model->arch, s->tokens, TL_PART_LOSS, &s->built));
    TL_TRY(tl_plan_new(ctx, s->graph, backend, s->slab, &s->plan));
    for (int32_t i = 0; i < model->params->count; i++) {
        const tl_param *p = &model->params->param[i];
        const tl_tensor t = tl_graph_find(s->graph, p->name);
        if (t) TL_TRY(tl_plan_bind(ctx, s->plan, t, tl_params_place(model->params, p)));
    }
done:
    return rc;
}

tl_status tl_scorer_new(tl_ctx *ctx, const tl_model *model, const tl_cache *cache,
                        const tl_asking *how, const tl_backend *backend, tl_slab *slab,
                        tl_dtype dtype, tl_scorer **out)
{
    const int64_t longest = tl_cache_most(cache);
    tl_scorer    *s       = NULL;
    tl_status     rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    s->cache  = cache;
    s->how    = *how;
    s->tokens = tl_tokens_room(TL_MAX(longest, TL_MIN(tl_cache_total(cache), (int64_t)TOKENS)));
    s->rows   = MOST_ROWS;
    s->slab   = slab;
    if (!slab) {
        TL_TRY(tl_slab_new(ctx, backend, &s->own_slab));
        s->slab = s->own_slab;
    }
    TL_TRY(tl_pack_reserve(ctx, s->rows * tl_cache_texts(cache), s->tokens, &s->pack));
    TL_TRY(tl_pack_reserve_asked(ctx, tl_asked_room(how, s->rows, s->tokens), longest, &s->pack));
    TL_TRY(build(ctx, s, model, backend, dtype));
    *out = s;
    s    = NULL;
done:
    tl_scorer_free(ctx, s);
    return rc;
}

void tl_scorer_free(tl_ctx *ctx, tl_scorer *s)
{
    if (!s) return;
    tl_plan_free(ctx, s->plan);
    tl_graph_free(ctx, s->graph);
    tl_slab_free(ctx, s->own_slab);
    tl_pack_free(ctx, &s->pack);
    tl_free(ctx, s);
}

void tl_scorer_weights_changed(tl_scorer *s)
{
    tl_plan_weights_changed(s->plan);
}

/* As many of the rows as one run takes. */
static int64_t fitting(const tl_scorer *s, tl_rows rows)
{
    int64_t n = 0, tokens = 0;

    for (; n < TL_MIN(s->rows, rows.count); n++) {
        tokens += tl_cache_tokens(s->cache, rows.row[n]);
        if (n > 0 && tokens > s->tokens) break;
    }
    return n;
}

/* Losses of the rows just run, in their order. */
static void take_losses(const tl_scorer *s, tl_rows rows, const float *loss, double *sum,
                        int64_t *tokens)
{
    const tl_pack *p   = &s->pack;
    int64_t        row = 0, end = tl_cache_tokens(s->cache, rows.row[0]);

    for (int64_t i = 0; i < rows.count; i++) sum[i] = 0.0, tokens[i] = 0;
    for (int64_t i = 0; i < p->asked_room; i++) {
        if (p->weight[i] == 0.0f) continue;
        while (p->picked[i] >= end) end += tl_cache_tokens(s->cache, rows.row[++row]);
        sum[row] += (double)loss[i];
        tokens[row]++;
    }
}

static tl_status run(tl_ctx *ctx, tl_scorer *s, tl_rows rows, double *sum, int64_t *tokens)
{
    const tl_word_loss *w = &s->built.words;
    tl_status           rc;

    tl_pack_rows(s->cache, rows.row, rows.count, &s->pack);
    tl_pack_ask(s->cache, rows.row, rows.count, &s->how, 1.0f, &s->pack);
    TL_TRY(tl_packed_bind(ctx, s->plan, s->built.x, &s->built.text, &s->pack));
    TL_TRY(tl_packed_bind_asked(ctx, s->plan, w, &s->pack));
    TL_TRY(tl_plan_run(ctx, s->plan, (tl_tick){ 0 }));
    take_losses(s, rows, tl_plan_data(s->plan, w->losses), sum, tokens);
done:
    return rc;
}

tl_status tl_scorer_rows(tl_ctx *ctx, tl_scorer *s, tl_rows rows, double *loss, int64_t *tokens,
                         double *row_loss, int64_t *row_tokens)
{
    double    sum[MOST_ROWS], all = 0.0;
    int64_t   count[MOST_ROWS], n, asked = 0;
    tl_status rc = TL_OK;

    for (int64_t at = 0; at < rows.count; at += n) {
        tl_rows piece = { rows.row + at, rows.count - at };
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "evaluate", "interrupted");
        n = piece.count = fitting(s, piece);
        TL_TRY(run(ctx, s, piece, sum, count));
        for (int64_t i = 0; i < n; i++) {
            all += sum[i];
            asked += count[i];
            if (row_loss) row_loss[at + i] = sum[i];
            if (row_tokens) row_tokens[at + i] = count[i];
        }
    }
    if (loss) *loss = all;
    if (tokens) *tokens = asked;
done:
    return rc;
}
