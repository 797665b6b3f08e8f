/* curve.h -- how the answer changes with the amount of data: a law for each route's error,
 * where two of them cross, and what pretraining is worth in examples.  Over arrays only, so
 * that simulations can hold it to its promises.  Floor 4, study.
 * Sources: Mahmood 2022, arXiv:2207.01725 (power laws, and their limits); Hernandez 2021,
 * arXiv:2102.01293 (effective data transferred); Owen 2007 (rows drawn for all alike). */
#ifndef TL_STUDY_CURVE_H
#define TL_STUDY_CURVE_H
#include "study/stats.h"

enum { TL_CURVE_SIZES = 8, TL_CURVE_ROUTES = 4, TL_CURVE_TIMES = 4 };
/* Times the rows at hand that people ask about; beyond the last nothing is said. */
extern const double tl_curve_times[TL_CURVE_TIMES]; /* 1, 2, 5, 10 */

/* error(n) = c + a n^-b, a and c at least 0, b in [0.02, 2] */
typedef struct {
    double a, b, c;
} tl_power_law;
/* Weighted least squares; `count` of at least 2, with 2 or 3 sizes c is 0. */
tl_power_law tl_power_fit(const double *n, const double *error, const double *weight,
                          int count);
double       tl_power_at(const tl_power_law *law, double n);
/* The n at which the law reaches `error`; INFINITY where it never does. */
double tl_power_inverse(const tl_power_law *law, double error);

/* Test scores of a route trained on so many rows: score[(repeat * test_rows) + row], more
 * is better. */
typedef struct {
    int64_t      rows;
    int          repeats;
    const float *score; /* borrowed */
} tl_curve_cell;

typedef struct {
    int           cells; /* ascending rows; at least 3 for a law */
    tl_curve_cell cell[TL_CURVE_SIZES];
} tl_curve_route;

typedef struct {
    int                   routes; /* at most TL_CURVE_ROUTES */
    const tl_curve_route *route;
    int64_t               test_rows;
    int64_t               now;     /* training rows at hand                              */
    double                top;     /* error = top - mean score: 1 of shares, 0 of numbers */
    double                margin;  /* a law may miss by it                               */
    double                seed_sd; /* assumed where no size has two repeats              */
    int                   base, scratch; /* whose crossing is asked; -1: none            */
    uint64_t              seed;
    int                   draws; /* of the bootstrap; 0: 500 */
} tl_curve_data;

typedef struct {
    tl_interval  point[TL_CURVE_SIZES]; /* mean score of each cell                        */
    tl_power_law law;
    tl_interval  missed; /* of the largest size: foretold from the others minus measured  */
    bool         found;  /* the law foretells the largest size; else nothing is drawn from it */
    tl_interval  gain;   /* in score, of 1,000 more rows; NaN where no law was found      */
} tl_curve_fit;

/* In training rows.  Unknown is NaN, INFINITY is beyond ten times the rows at hand. */
typedef struct {
    tl_curve_fit fit[TL_CURVE_ROUTES];
    tl_interval  crossover; /* where scratch reaches the base's route; mean is the median  */
    tl_interval  worth;     /* more examples that scratch would need to be as good now     */
    double       ahead[TL_CURVE_TIMES]; /* P(base's route better) at tl_curve_times        */
} tl_curve_result;
tl_status tl_curve_read(tl_ctx *ctx, const tl_curve_data *d, tl_curve_result *out);
#endif
