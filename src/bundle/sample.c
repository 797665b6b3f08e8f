/* sample.c -- see sample.h.  Sources: Keskar et al. 2019, arXiv:1909.05858 (repetition); Fan et
 * al. 2018, arXiv:1805.04833 (top-k); Holtzman et al. 2020, arXiv:1904.09751 (top-p); Nguyen et
 * al. 2024, arXiv:2407.01082 (min-p); Transformers' generation/logits_process.py.  Floor 3,
 * bundle. */
#include "bundle/sample.h"
#include "core/rand.h"

#include <math.h>
#include <stdlib.h>

tl_status tl_sampling_check(tl_ctx *ctx, const tl_sampling *s)
{
    if (!(s->temperature >= 0.0 && s->temperature <= 100.0))
        return tl_fail(ctx, TL_EUSAGE, "--temperature", "%g is not within 0 and 100 (0: always "
                       "the likeliest token; 0.7 is usual)", s->temperature);
    if (s->top_k < 0)
        return tl_fail(ctx, TL_EUSAGE, "--top-k", "is negative (0: all tokens)");
    if (!(s->top_p >= 0.0 && s->top_p <= 1.0))
        return tl_fail(ctx, TL_EUSAGE, "--top-p", "%g is not within 0 and 1 (1: all tokens)",
                       s->top_p);
    if (!(s->min_p >= 0.0 && s->min_p <= 1.0))
        return tl_fail(ctx, TL_EUSAGE, "--min-p", "%g is not within 0 and 1 (0: all tokens)",
                       s->min_p);
    if (!(s->repetition >= 0.0 && s->repetition <= 100.0))
        return tl_fail(ctx, TL_EUSAGE, "--repetition-penalty",
                       "%g is not within 0 and 100 (1: none; 1.1 is usual)", s->repetition);
    return TL_OK;
}

/* Each token once, however often it was there: its new score is made of the old one. */
static void penalise(double penalty, const int32_t *past, int64_t count, float *score,
                     int64_t words, tl_ranked *work)
{
    for (int64_t i = 0; i < words; i++) work[i].id = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t id = past[i];
        if (id < 0 || id >= words || work[id].id) continue;
        work[id].id = 1;
        score[id] = score[id] < 0.0f ? score[id] * (float)penalty : score[id] / (float)penalty;
    }
}

/* Highest first; of equals the first in the vocabulary. */
static int by_score(const void *a, const void *b)
{
    const tl_ranked *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static void rank(const float *score, int64_t words, tl_ranked *work)
{
    for (int64_t i = 0; i < words; i++) work[i] = (tl_ranked){ score[i], (int32_t)i };
    qsort(work, (size_t)words, sizeof *work, by_score);
}

/* What scores less than the k-th goes; equals of the k-th stay. */
static void keep_best(int64_t k, float *score, int64_t words, const tl_ranked *work)
{
    if (k >= words) return;
    for (int64_t i = 0; i < words; i++)
        if (score[i] < work[k - 1].score) score[i] = -INFINITY;
}

/* From the least likely on, as long as what goes holds at most 1 - p. */
static void keep_share(double p, float *score, int64_t words, const tl_ranked *work)
{
    double all = 0.0, gone = 0.0;

    for (int64_t i = 0; i < words; i++) all += exp((double)work[i].score - (double)work[0].score);
    for (int64_t i = words - 1; i > 0; i--) {
        gone += exp((double)work[i].score - (double)work[0].score) / all;
        if (gone > 1.0 - p) break;
        score[work[i].id] = -INFINITY;
    }
}

static void keep_near(double share, float *score, int64_t words)
{
    const float best = score[tl_sample_best(score, words)];

    for (int64_t i = 0; i < words; i++)
        if (exp((double)score[i] - (double)best) < share) score[i] = -INFINITY;
}

void tl_sample_scores(const tl_sampling *s, const int32_t *past, int64_t count, float *score,
                      int64_t words, tl_ranked *work)
{
    if (s->repetition > 0.0 && s->repetition != 1.0)
        penalise(s->repetition, past, count, score, words, work);
    if (s->temperature > 0.0 && s->temperature != 1.0)
        for (int64_t i = 0; i < words; i++) score[i] /= (float)s->temperature;
    if (s->top_k > 0) {
        rank(score, words, work);
        keep_best(s->top_k, score, words, work);
    }
    if (s->top_p > 0.0 && s->top_p < 1.0) {
        rank(score, words, work);
        keep_share(s->top_p, score, words, work);
    }
    if (s->min_p > 0.0) keep_near(s->min_p, score, words);
}

int32_t tl_sample_best(const float *score, int64_t words)
{
    int64_t best = 0;

    for (int64_t i = 1; i < words; i++)
        if (score[i] > score[best]) best = i;
    return (int32_t)best;
}

int32_t tl_sample_draw(const float *score, int64_t words, double u)
{
    const int32_t best = tl_sample_best(score, words);
    const double  top  = (double)score[best];
    double        all = 0.0, sum = 0.0;

    for (int64_t i = 0; i < words; i++) all += exp((double)score[i] - top);
    for (int64_t i = 0; i < words; i++) {
        sum += exp((double)score[i] - top);
        if (sum > u * all) return (int32_t)i;
    }
    return best; /* rounding, or scores that are no numbers */
}

int32_t tl_sample_next(const tl_sampling *s, const int32_t *past, int64_t count, int64_t index,
                  float *score, int64_t words, tl_ranked *work)
{
    tl_sample_scores(s, past, count, score, words, work);
    if (s->temperature == 0.0) return tl_sample_best(score, words);
    return tl_sample_draw(score, words,
                          tl_rand_uniform(s->seed, TL_STREAM(TL_STREAM_TOKEN, 0),
                                          (uint64_t)index));
}
