/* words.c -- see words.h.  Floor 4.5, api. */
#include "api/words.h"
#include "bundle/score.h"
#include "data/corpus/corpus.h"
#include "train/stepper.h"
#include "train/words.h"

#include <math.h>
#include <string.h>

/* The mean over tokens varies as over blocks: a ratio's standard error.
 * Source: Cochran 1977, Sampling Techniques, section 6.3. */
static double error_of(const double *loss, const int64_t *tokens, int64_t n, double mean)
{
    double sum = 0.0, all = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double away = loss[i] - mean * (double)tokens[i];
        sum += away * away;
        all += (double)tokens[i];
    }
    return n > 1 && all > 0.0 ? sqrt(sum * (double)n / (double)(n - 1)) / all : (double)NAN;
}

tl_status tl_words_measure(tl_ctx *ctx, const tl_words_in *in, tl_words_score *out)
{
    const int64_t n      = in->rows.count;
    tl_scorer    *s      = NULL;
    double       *loss   = NULL, sum;
    int64_t      *tokens = NULL;
    tl_status     rc;

    *out = (tl_words_score){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *loss, &loss));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *tokens, &tokens));
    TL_TRY(tl_scorer_new(ctx, in->model, in->cache, &in->how, tl_api_backend(), NULL, in->dtype,
                         &s));
    TL_TRY(tl_scorer_rows(ctx, s, in->rows, &sum, &out->tokens, loss, tokens));
    if (!out->tokens) TL_FAIL(TL_EDATA, "text", "asks for no token (give more text)");
    out->loss = sum / (double)out->tokens;
    const double away = 1.96 * error_of(loss, tokens, n, out->loss);
    out->low  = out->loss - away;
    out->high = out->loss + away;
    out->bits_per_byte =
        in->how.hidden || !in->bytes ? (double)NAN : sum / log(2.0) / (double)in->bytes;
done:
    tl_scorer_free(ctx, s);
    tl_free(ctx, loss);
    tl_free(ctx, tokens);
    return rc;
}

static json_t *interval(double value, double low, double high)
{
    return json_pack("{s:o, s:[o,o]}", "value", tl_json_real(value), "ci95", tl_json_real(low),
                     tl_json_real(high));
}

/* The part asked for; NULL: the test part if there is one, else the training part, which is then
 * all there is. */
static tl_status find_part(tl_ctx *ctx, const tl_dataset *d, const char *name, tl_split *out)
{
    static const char *const names[] = { "train", "valid", "test" };

    *out = tl_corpus_bytes(d, TL_SPLIT_TEST) ? TL_SPLIT_TEST : TL_SPLIT_TRAIN;
    for (int k = 0; name && k < 3; k++)
        if (strcmp(names[k], name) == 0) *out = (tl_split)k;
    if (name && strcmp(name, "all") == 0 && !tl_corpus_bytes(d, TL_SPLIT_TEST) &&
        !tl_corpus_bytes(d, TL_SPLIT_VALID))
        return TL_OK;
    if (name && strcmp(names[*out], name) != 0)
        return tl_fail(ctx, TL_EUSAGE, "--split", "\"%.40s\" is not there (train, valid or test of "
                       "the text it was trained on; leave it out)", name);
    if (!tl_corpus_bytes(d, *out))
        return tl_fail(ctx, TL_EUSAGE, "--split", "%.200s has no %s part (leave it out)", d->path,
                       names[*out]);
    return TL_OK;
}

tl_status tl_words_evaluate(tailor *t, const tl_model *m, const tl_dataset *corpus,
                            const char *part, tailor_metrics *out, char **json)
{
    static const char *const said[] = { "train", "valid", "test" };
    const json_t  *h     = json_object_get(m->provenance, "hyperparameters");
    const int64_t  usual = tl_words_block(&m->arch, 0);
    const int64_t  block = tl_json_int(h, "block", usual);
    const bool     all   = !tl_corpus_bytes(corpus, TL_SPLIT_TEST) &&
                       !tl_corpus_bytes(corpus, TL_SPLIT_VALID);
    tl_ctx        *ctx   = &t->ctx;
    tl_rows        rows[3] = { { NULL, 0 } };
    tl_cache      *cache = NULL;
    tl_words_in    in    = { .model = m, .dtype = tl_api_dtype(t, m) };
    tl_words_score s;
    tl_split       k;
    tl_status      rc;

    TL_TRY(find_part(ctx, corpus, part, &k));
    in.how = tl_words_asking(&m->arch, m->prep.text, tl_json_number(h, "mask", 0.15),
                             tl_json_bool(h, "whole_words", false));
    if (in.how.hidden && in.how.mask < 0)
        TL_FAIL(TL_EDATA, m->arch.name, "its tokenizer has no mask token (give another model)");
    TL_TRY(tl_corpus_blocks(ctx, corpus, &m->prep, block > 1 ? TL_MIN(block, m->arch.row.dim[0])
                                                             : usual,
                            in.how.hidden, NULL, &cache, rows));
    in.cache = cache;
    in.rows  = rows[k];
    in.bytes = tl_corpus_bytes(corpus, k);
    TL_TRY(tl_words_measure(ctx, &in, &s));
    *out = (tailor_metrics){ .rows = s.tokens, .loss = s.loss, .accuracy = NAN, .macro_f1 = NAN,
                             .roc_auc = NAN, .rmse = NAN, .mae = NAN, .r2 = NAN };
    if (json)
        TL_TRY(tl_api_text(ctx, json_pack("{s:s, s:I, s:o, s:o, s:o}", "split",
                                          all ? "all" : said[k], "rows", (json_int_t)s.tokens,
                                          "perplexity",
                                          interval(exp(s.loss), exp(s.low), exp(s.high)), "loss",
                                          interval(s.loss, s.low, s.high), "bits_per_byte",
                                          tl_json_real(s.bits_per_byte)), json));
done:
    for (int i = 0; i < 3; i++) tl_free(ctx, rows[i].row);
    tl_cache_free(ctx, cache);
    return rc;
}
