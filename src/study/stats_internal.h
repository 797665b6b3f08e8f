/* stats_internal.h -- what the files of the statistics share.  Floor 4, study. */
#ifndef TL_STUDY_STATS_INTERNAL_H
#define TL_STUDY_STATS_INTERNAL_H
#include "study/stats.h"

/* The values the statistics run on, whose mean over rows is the metric. */
typedef struct {
    const tl_scores *s;
    const float     *value; /* as tl_scores.score */
    float           *owned; /* value when it was made here */
    double prior; /* what seeds are taken to add before they are seen, in units of
                               the rows' own share; see stats_pair.c */
} tl_study_values;

/* A difference of two candidates over their common seeds, or one candidate (b = -1). */
typedef struct {
    double mean, variance, df;
    double rows_part, seeds_part; /* of the variance */
    int    seeds;
} tl_pair;

tl_status tl_study_values_make(tl_ctx *ctx, const tl_scores *s, tl_study_values *out);
void      tl_study_values_free(tl_ctx *ctx, tl_study_values *v);
int       tl_study_seeds(const tl_scores *s, int candidate);
double    tl_study_mean(const tl_study_values *v, int candidate);
tl_pair   tl_study_pair(const tl_study_values *v, int a, int b);
double    tl_pair_p(const tl_pair *pair); /* two-sided */
double    tl_pair_half(const tl_pair *pair,
                       double         alpha); /* half of the 1 - alpha interval */

/* `reference` against every other by Holm 1979: p corrected, and by how much it was. */
typedef struct {
    tl_pair pair;
    double  p, factor;
} tl_rival;
tl_status tl_study_rivals(tl_ctx *ctx, const tl_study_values *v, int reference,
                          tl_rival *rival);

/* P(winner within the margin of the best), rows and seeds drawn again (Owen 2007). */
tl_status tl_study_confidence(tl_ctx *ctx, const tl_study_values *v, int winner,
                              double *out);
#endif
