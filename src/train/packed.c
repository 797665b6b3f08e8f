/* packed.c -- steps on packed text: the rows of a part, one after another, in a plan with room
 * for about so many tokens.  Plans are made as batches ask for them and kept.  Floor 3, train. */
#include "bundle/packed.h"
#include "train/stepper.h"

#include <math.h>

int64_t tl_run_tokens(const tl_run_spec *spec, int64_t rows)
{
    return (int64_t)ceil(tl_cache_average(spec->cache, spec->train) * (double)rows);
}

int64_t tl_run_most_tokens(tl_ctx *ctx, const tl_run_spec *spec, int64_t rows)
{
    return tl_cache_longest(ctx, spec->cache, spec->train, rows);
}

/* The stepper's own graph is that of shape i from here on. */
static void take(tl_stepper *s, int i)
{
    const tl_step_shape *a = &s->shape[i];

    s->tokens = a->tokens;
    s->g      = a->g;
    s->plan   = a->plan;
    s->taught = a->taught;
    s->x      = a->x;
    s->label  = a->label;
    s->target = a->target;
    s->weight = a->weight;
    s->loss   = a->loss;
    s->logits = a->logits;
    s->text   = a->text;
    s->words  = a->words;
    s->flops  = a->flops;
}

static tl_status add(tl_ctx *ctx, tl_stepper *s, int64_t tokens)
{
    const tl_run_spec *spec  = s->spec;
    tl_stepper         built = { .tokens = tokens };
    tl_step_shape     *a;
    tl_status          rc;

    TL_TRY(tl_realloc(ctx, (size_t)(s->shapes + 1) * sizeof *s->shape, &s->shape));
    a  = &s->shape[s->shapes];
    *a = (tl_step_shape){ .tokens = tokens };
    s->shapes++;
    TL_TRY(tl_graph_new(ctx, &a->g));
    TL_TRY(tl_train_graph(ctx, spec, &s->model->arch, s->model->params, &s->phase, s->rows, a->g,
                          &built));
    TL_TRY(tl_plan_new(ctx, a->g, spec->backend, spec->slab, &a->plan));
    a->taught = built.taught;
    a->x      = built.x;
    a->label  = built.label;
    a->target = built.target;
    a->weight = built.weight;
    a->loss   = built.loss;
    a->logits = built.logits;
    a->text   = built.text;
    a->words  = built.words;
    a->flops  = tl_graph_flops(a->g);
    s->units  = built.units;
done:
    return rc;
}

tl_status tl_stepper_use(tl_ctx *ctx, tl_stepper *s, int64_t tokens)
{
    const int64_t room = tl_tokens_room(tokens);
    int           i    = 0;
    tl_status     rc   = TL_OK;

    if (s->tokens == room) return TL_OK;
    while (i < s->shapes && s->shape[i].tokens != room) i++;
    const bool made = i == s->shapes;
    if (made) TL_TRY(add(ctx, s, room));
    take(s, i);
    if (made && s->part) TL_TRY(tl_stepper_bind(ctx, s)); /* the first is bound by its opener */
done:
    return rc;
}

tl_status tl_stepper_pack(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t at)
{
    const int64_t rows   = TL_MAX((int64_t)0, TL_MIN(s->rows, batch->rows - at));
    int64_t       tokens = 0;
    tl_status     rc;

    for (int64_t i = 0; i < rows; i++)
        tokens += tl_cache_tokens(s->spec->cache, batch->index[at + i]);
    TL_TRY(tl_stepper_use(ctx, s, tokens));
    if (s->stream) s->pack.token_bytes = s->stream->token_bytes;
    TL_TRY(tl_pack_reserve(ctx, s->rows * tl_cache_texts(s->spec->cache), s->tokens, &s->pack));
    tl_pack_rows(s->spec->cache, batch->index + at, rows, &s->pack);
    if (s->stream)
        tl_pack_stream(s->stream, s->spec->cache, batch->index + at, NULL, rows, &s->pack);
    TL_TRY(tl_packed_bind(ctx, s->plan, s->x, &s->text, &s->pack));
    if (s->counts) {
        TL_TRY(tl_pack_reserve_asked(ctx, s->tokens, 1, &s->pack));
        tl_pack_tags(s->spec->cache, batch->index + at, rows, s->spec->dataset->label, s->counts,
                     &s->pack);
        for (int64_t i = 0; i < s->pack.asked_room; i++)
            s->pack.weight[i] *= (float)s->word_weight;
        TL_TRY(tl_plan_bind(ctx, s->plan, s->label, s->pack.target));
        TL_TRY(tl_plan_bind(ctx, s->plan, s->weight, s->pack.weight));
    }
    if (!s->words.target) goto done;
    TL_TRY(tl_pack_reserve_asked(ctx, tl_asked_room(&s->asking, s->rows, s->tokens), 1, &s->pack));
    tl_pack_ask(s->spec->cache, batch->index + at, rows, &s->asking, (float)s->word_weight,
                &s->pack);
    TL_TRY(tl_packed_bind_asked(ctx, s->plan, &s->words, &s->pack));
done:
    return rc;
}

tl_asking tl_words_asking(const tl_arch *arch, const tl_texter *t, double share, bool whole)
{
    if (arch->ask != TL_ASK_MASKED) return (tl_asking){ 0 };
    return (tl_asking){ .hidden = true,
                        .whole  = whole,
                        .share  = share,
                        .mask   = t->learns ? 0 : tl_tokenizer_special(t->tokenizer, "mask"),
                        .size   = (int32_t)t->size };
}

tl_asking tl_run_asking(const tl_run_spec *spec, uint64_t draw)
{
    const tl_candidate *c   = &spec->candidate;
    tl_asking           how = tl_words_asking(&c->arch, c->prep.text, c->hyper.mask,
                                              c->hyper.whole_words);

    how.seed = draw ? spec->seed : 0;
    how.draw = draw;
    return how;
}

tl_status tl_stepper_ask(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                         int64_t *asked)
{
    const tl_cache *cache = s->spec->cache;
    tl_status       rc;

    *asked    = 0;
    s->asking = tl_run_asking(s->spec, (uint64_t)(s->earlier + step + 1));
    TL_TRY(tl_pack_reserve_asked(ctx, 1, tl_cache_most(cache), &s->pack));
    for (int64_t i = 0; i < batch->rows; i++)
        *asked += tl_pack_asked(cache, batch->index[i], &s->asking, &s->pack);
    s->word_weight = *asked ? 1.0 / (double)*asked : 0.0;
done:
    return rc;
}

/* Calls `call` for each word that the batch's windows ask and training has. */
static double each_word(const tl_stepper *s, const tl_batch *batch, int64_t at, int64_t rows,
                        void (*call)(void *arg, int64_t row, int64_t place), void *arg,
                        int64_t *count)
{
    const tl_cache *cache = s->spec->cache;
    const int32_t  *label = s->spec->dataset->label;
    double          sum   = 0.0;

    for (int64_t r = 0; r < rows; r++) {
        int64_t low, high;
        if (batch->index[at + r] < 0) continue;
        tl_cache_words(cache, batch->index[at + r], &low, &high);
        for (int64_t k = low; k < high; k++) {
            bool          own;
            const int32_t token = tl_cache_token(cache, k, &own);
            if (!own || s->counts[k] == 0.0f) continue;
            sum += (double)s->counts[k] *
                   (s->class_weight ? (double)s->class_weight[label[k]] : 1.0);
            ++*count;
            if (call) call(arg, k, s->pack.offset[r] + token);
        }
    }
    return sum;
}

/* As PyTorch's mean over the tokens whose label is not ignored. */
int64_t tl_stepper_weigh_tags(tl_stepper *s, const tl_batch *batch)
{
    int64_t      count = 0;
    const double sum   = each_word(s, batch, 0, batch->rows, NULL, NULL, &count);

    s->word_weight = sum > 0.0 ? 1.0 / sum : 0.0;
    return count;
}

typedef struct { tl_stepper *s; tl_tally *tally; const float *logits; } counting;

static void count_word(void *arg, int64_t row, int64_t place)
{
    const counting *c = arg;

    tl_tally_at(c->tally, c->s->spec->dataset, row);
    tl_tally_count(c->tally, c->logits + place * c->tally->classes,
                   c->s->spec->dataset->label[row], 0.0);
}

void tl_stepper_count_tags(tl_stepper *s, const tl_batch *batch, int64_t at, tl_tally *tally)
{
    const int64_t rows  = TL_MAX((int64_t)0, TL_MIN(s->rows, batch->rows - at));
    counting      c     = { s, tally, tl_plan_data(s->plan, s->logits) };
    int64_t       count = 0;

    each_word(s, batch, at, rows, count_word, &c, &count);
    tl_tally_at(tally, s->spec->dataset, -1);
}
