/* settle.c -- what a run is asked: checked, and its sizes brought to those of the data.
 * Floor 3, train. */
#include "train/tfidf.h"
#include "train/trainer.h"
#include "train/trees/trees.h"

#include <string.h>

/* The largest divisor of n that is at most `most`. */
static int64_t divisor(int64_t n, int64_t most)
{
    int64_t d = TL_MAX((int64_t)1, TL_MIN(n, most));

    while (n % d) d--;
    return d;
}

tl_status tl_route_takes_words(tl_ctx *ctx, const tl_route *route)
{
    bool classes = route->own_net || route->teacher;

    for (int i = 0; i < route->phases; i++)
        classes |= route->phase[i].solve || route->phase[i].taught ||
                   route->phase[i].pretrained;
    if (!classes) return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, route->name,
                   "is for classes, not for language models (take scratch, full or lora)");
}

/* A language model is trained in steps, by routes that keep its head. */
static tl_status check_words(tl_ctx *ctx, const tl_run_spec *spec)
{
    const tl_route *route = spec->candidate.route;
    const tl_hyper *h     = &spec->candidate.hyper;
    tl_status       rc    = TL_OK;

    if (!tl_arch_words(&spec->candidate.arch))
        TL_FAIL(TL_EUSAGE, spec->candidate.arch.name,
                "is asked for classes, and the data are texts to go on with (take gpt2 or bert)");
    TL_TRY(tl_route_takes_words(ctx, route));
    if (tl_run_asking(spec, 0).hidden && tl_run_asking(spec, 0).mask < 0)
        TL_FAIL(TL_EDATA, spec->candidate.arch.name, "its tokenizer has no mask token (take a "
                "BERT's, or a model of next words)");
    if (tl_hyper_augments(h) || h->class_weights || h->balanced)
        TL_FAIL(TL_EUSAGE, "augment", "augmentation and class weights are for classes (leave them "
                "out)");
done:
    return rc;
}

/* Words with a tag each. */
static tl_status check_tags(tl_ctx *ctx, const tl_run_spec *spec)
{
    const tl_candidate *c = &spec->candidate;
    tl_status           rc = TL_OK;

    if (c->route->teacher || c->route->phase[0].pretrained)
        TL_FAIL(TL_EUSAGE, c->route->name, "is for whole texts, and the data ask for a tag a word "
                "(take full, lora, partial or scratch)");
    if (c->hyper.balanced || tl_hyper_mixes(&c->hyper))
        TL_FAIL(TL_EUSAGE, c->route->name, "balanced and mixup are for rows of their own, and "
                "words come in texts (leave them out)");
    if (!tl_arch_is_tfidf(&c->arch) &&
        (!c->arch.family->class_of || !c->arch.family->class_of(&c->arch)))
        TL_FAIL(TL_EUSAGE, c->arch.name, "has no head for tags of words (take bert, roberta, "
                "distilbert, gpt2 or llama)");
done:
    return rc;
}

/* What routes and settings of pictures do not do to text, and which data a network takes. */
static tl_status check_text(tl_ctx *ctx, const tl_run_spec *spec)
{
    if (!spec->candidate.prep.text != !spec->dataset->task->text)
        return tl_fail(ctx, TL_EDATA, spec->dataset->path,
                       "holds %s, and the model takes %s (give data like its own)",
                       spec->dataset->task->rows, tl_prep_task(&spec->candidate.prep)->rows);
    if (!spec->dataset->task->text) return TL_OK;
    if (spec->dataset->task->words) return check_words(ctx, spec);
    if (spec->dataset->task->tags && check_tags(ctx, spec) != TL_OK) return ctx->status;
    if (tl_hyper_augments(&spec->candidate.hyper))
        return tl_fail(ctx, TL_EUSAGE, "augment",
                       "mixup, cutmix, erase and augmentation are for pictures (leave them out)");
    return TL_OK;
}

static tl_status check_spec(tl_ctx *ctx, const tl_run_spec *spec)
{
    const tl_hyper *h  = &spec->candidate.hyper;
    const char     *metric;
    tl_status       rc = TL_OK;

    if (spec->train.count < 1)
        TL_FAIL(TL_EDATA, "train", "no rows to train on (give more data)");
    if (spec->valid.count < 1)
        TL_FAIL(TL_EDATA, "valid", "no rows to validate on (give more data)");
    TL_TRY(tl_metric_named(ctx, spec->dataset->task, spec->metric, &metric));
    if (h->batch < 1 || h->shards < 1 || h->batch % h->shards)
        TL_FAIL(TL_EUSAGE, "shards",
                "a batch of %lld rows cannot be %lld equal parts (change --batch-size)",
                (long long)h->batch, (long long)h->shards);
    if (!tl_optimizer_find(h->optimizer) || !tl_schedule_find(h->schedule))
        TL_FAIL(TL_EUSAGE, "optimizer",
                "%s with %s is not known (see `tailor help train`)", h->optimizer,
                h->schedule);
    if (spec->dataset->task->numbers &&
        (spec->candidate.route->teacher || tl_hyper_mixes(h) || h->balanced))
        TL_FAIL(TL_EUSAGE, spec->candidate.route->name,
                "distill, mixup, cutmix and balanced are for classes, and the target is a "
                "number (leave them out)");
    if (tl_task_has_marks(spec->dataset->task) &&
        (spec->candidate.route->teacher || tl_hyper_mixes(h) || h->balanced ||
         h->class_weights || h->smoothing > 0.0))
        TL_FAIL(TL_EUSAGE, spec->candidate.route->name,
                "distill, mixup, cutmix, balanced, class weights and label smoothing are for "
                "one class of several (leave them out)");
    if (spec->candidate.route->teacher && tl_hyper_mixes(h))
        TL_FAIL(TL_EUSAGE, "mixup", "a teacher's answers are for whole pictures (leave it out)");
    TL_TRY(check_text(ctx, spec));
    if (spec->candidate.route->needs_base && !spec->candidate.base)
        TL_FAIL(TL_EUSAGE, spec->candidate.route->name, "needs a base (give --base)");
    if (spec->candidate.base && spec->candidate.base->arch.adapt.nf4 && !h->adapt.nf4)
        TL_FAIL(TL_EUSAGE, spec->candidate.route->name,
                "the base was brought to four bits by a run before (open it again)");
    if (h->adapt.kind != TL_ADAPT_NONE && spec->candidate.base->arch.adapt.kind)
        TL_FAIL(TL_EUSAGE, spec->candidate.route->name,
                "the base holds adapters already (give the base they were trained from)");
done:
    return rc;
}

/* As many rows as have no more tokens than one plan is to take. */
static int64_t rows_of_text(tl_ctx *ctx, const tl_run_spec *spec, int64_t shard)
{
    enum { MOST_TOKENS = 8192 };
    int64_t rows = spec->micro_batch;

    while (rows > 1 && tl_run_most_tokens(ctx, spec, rows) > MOST_TOKENS)
        rows = divisor(shard, rows - 1);
    return rows;
}

/* A batch has no more rows than there are; shards keep their size as far as they can. */
tl_status tl_run_settle(tl_ctx *ctx, const tl_run_spec *asked, tl_run_spec *out)
{
    tl_hyper       *h;
    int64_t         shard;
    tl_status rc = check_spec(ctx, asked);

    *out = *asked;
    if (rc != TL_OK || (rc = tl_run_adapters(ctx, out)) != TL_OK) return rc;
    h     = &out->candidate.hyper;
    shard = h->batch / h->shards;
    const int64_t units = tl_run_units(out, out->train);
    if (h->batch > units) {
        h->shards = TL_MAX((int64_t)1, units / shard);
        shard     = TL_MIN(shard, units);
        h->batch  = h->shards * shard;
    }
    out->micro_batch = out->micro_batch > 0 ? divisor(shard, out->micro_batch) : shard;
    if (out->dataset->task->text)
        out->micro_batch = rows_of_text(ctx, out, shard);
    if (out->checkpoint_every_s <= 0.0) out->checkpoint_every_s = 30.0;
    return TL_OK;
}
