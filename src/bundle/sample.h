/* sample.h -- from a language model's scores to the next token.  In this order: penalty of what
 * was there before, temperature, top-k, top-p, min-p, as Transformers' processors.  Floor 3,
 * bundle. */
#ifndef TL_BUNDLE_SAMPLE_H
#define TL_BUNDLE_SAMPLE_H
#include "core/core.h"

typedef struct {
    double   temperature; /* 0: the likeliest token, always                                  */
    int64_t  top_k;       /* among the k likeliest; 0: all                                   */
    double   top_p;       /* among the fewest that hold this share; 0 and 1: all             */
    double   min_p;       /* among those of at least this share of the likeliest's; 0: all   */
    double   repetition;  /* scores of tokens that were there are divided by it (multiplied
                             where negative); 0 and 1: none                                  */
    uint64_t seed;
} tl_sampling;

/* TL_EUSAGE naming what is out of range. */
tl_status tl_sampling_check(tl_ctx *ctx, const tl_sampling *s);
/* The processors on score [words], in place: what is left out becomes -INFINITY.  `past`: the
 * tokens so far.  `work`: room for `words` of it. */
typedef struct { float score; int32_t id; } tl_ranked;
void tl_sample_scores(const tl_sampling *s, const int32_t *past, int64_t count, float *score,
                      int64_t words, tl_ranked *work);
/* The likeliest token; of equals the first. */
int32_t tl_sample_best(const float *score, int64_t words);
/* A token drawn with the softmax of the scores as probabilities; u in [0, 1). */
int32_t tl_sample_draw(const float *score, int64_t words, double u);
/* The token that follows; `index` counts those drawn with this seed. */
int32_t tl_sample_next(const tl_sampling *s, const int32_t *past, int64_t count, int64_t index,
                  float *score, int64_t words, tl_ranked *work);
#endif
