/* two_samples.h -- do two lots of rows come from the same source?  Over arrays only.  Floor 4,
 * study.  Sources: Kolmogorov 1933 and Smirnov 1939, the limit of whose statistic Stephens 1970
 * corrects for few rows; Pearson 1900; Cramer 1946 (his V); the incomplete gamma function by DLMF
 * 8.11.4 and 8.9.2, by Lentz's method. */
#ifndef TL_STUDY_TWO_SAMPLES_H
#define TL_STUDY_TWO_SAMPLES_H
#include "core/core.h"

typedef struct {
    double statistic; /* of numbers the largest distance of the two shares below a value; of
                         categories chi squared                                              */
    double effect;    /* 0: alike .. 1: nothing in common.  Of numbers the statistic, of
                         categories Cramer's V                                               */
    double p;         /* 1 where there is nothing to compare                                 */
} tl_two_samples;

/* Kolmogorov and Smirnov's test of numbers; NaN are left out.  Both arrays are sorted. */
tl_two_samples tl_two_numbers(double *a, int64_t n, double *b, int64_t m);
/* Pearson's test of counts [levels] of two lots; levels that would be expected under five times
 * are taken together. */
tl_two_samples tl_two_counts(const int64_t *a, const int64_t *b, int64_t levels);

double tl_kolmogorov_tail(double x);             /* P(K > x)                                 */
double tl_chi_squared_tail(double x, double df); /* P(chi squared of df > x); NaN for df <= 0 */
#endif
