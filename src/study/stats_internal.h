/* stats_internal.h -- what the files of the statistics share.  Floor 4, study. */
#ifndef TL_STUDY_STATS_INTERNAL_H
#define TL_STUDY_STATS_INTERNAL_H
#include "study/stats.h"

/* Mean squares over units, seeds and the rest of a difference, each divided by the units, so
 * that they are variances of a mean over units. */
typedef struct {
    double mean, rows, seeds, rest;
    int    k;
} tl_mean_squares;

/* The values the statistics run on, whose mean over units is the metric; a unit is a row, or a
 * cluster of rows. */
typedef struct {
    const tl_scores *s;
    int64_t          units;
    const float     *value; /* as tl_scores.score, units in the place of rows */
    float           *owned[2]; /* of F1, and of clusters */
    tl_mean_squares *squares;  /* [candidates * candidates] of all pairs a < b */
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
/* stats_pair.c: all pairs' squares and the prior, from the values. */
tl_status tl_study_pairs(tl_ctx *ctx, tl_study_values *v);
int       tl_study_seeds(const tl_scores *s, int candidate);
double    tl_study_mean(const tl_study_values *v, int candidate);
tl_pair   tl_study_pair(const tl_study_values *v, int a, int b);
double    tl_pair_p(const tl_pair *pair); /* two-sided */
double    tl_pair_half(const tl_pair *pair,
                       double         alpha); /* half of the 1 - alpha interval */

/* `reference` against every other, all at once: p corrected, and the level at which its own
 * interval excludes zero when p says so. See stats_many.c. */
typedef struct {
    tl_pair pair;
    double  p, level;
} tl_rival;
tl_status tl_study_rivals(tl_ctx *ctx, const tl_study_values *v, int reference,
                          tl_rival *rival);

/* P(winner within the margin of the best), rows and seeds drawn again (Owen 2007). */
tl_status tl_study_confidence(tl_ctx *ctx, const tl_study_values *v, int winner,
                              double *out);
#endif
