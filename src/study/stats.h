/* stats.h -- the statistics of the verdict, over arrays only, so that simulations can
 * hold them to their promises. Floor 4, study. Sources: research notes 3.6;
 * Bouthillier 2021; Satterthwaite 1946; Hsu 1984 (multiple comparisons with the best);
 * Dunnett 1955 (the largest of many t); Lan and DeMets 1983 (looks fixed beforehand); Smyth
 * 2004 (moderated variances); Jordan 2023 (how little seeds move a route's true quality);
 * Liang and Zeger 1986 (clusters as units); Wilson 1927. */
#ifndef TL_STUDY_STATS_H
#define TL_STUDY_STATS_H
#include "core/core.h"
#include "core/normal.h"

/* Scores of every candidate: score[(c * seeds + s) * rows + r], higher is better (1 or
 * 0 for right or wrong), the same rows and paired seeds for all; seeds may be 1. */
typedef struct {
    int            candidates, seeds;
    const int     *seeds_of; /* [candidates] how many of `seeds` are there; NULL: all */
    int64_t        rows;
    const float   *score;     /* NULL with macro-F1 */
    const int32_t *label;     /* [rows] for macro-F1; else NULL */
    const int32_t *predicted; /* same layout as score, for macro-F1; else NULL */
    int32_t        classes;
    const double  *inference_cost,
        *training_cost;  /* [candidates]: order among the tied */
    const double *valid; /* [candidates] mean validation metric of finalists, NaN for the
                                 others; `better` needs test to keep its best; NULL */
    double        margin;
    uint64_t      seed;       /* of the bootstrap */
    int           bootstraps; /* 0: 1,024 */
    bool          plain;       /* scores are no shares: no bounds, and said as they are      */
    bool          lower; /* scores are the negative of an error: it is said as it is  */
    int           least_seeds; /* seeds needed before `better` may be said; 0: 4 */
    const int32_t *cluster;    /* [rows] rows of one number are one unit; NULL: each row is */
    double         level;      /* of this look, all comparisons together; 0: 0.05           */
} tl_scores;

typedef struct {
    double mean, low, high;
} tl_interval; /* NaN where unknown */

typedef struct {
    enum { TL_BETTER, TL_TIE, TL_UNDECIDED } outcome;
    int          winner, runner_up; /* runner_up -1 when there is one candidate */
    tl_interval  difference;        /* winner minus runner-up, 95 %, corrected */
    double       p;                 /* of that difference, two-sided, corrected: for the number
                                       of others, and for the looks; below 0.05 it counts   */
    double       confidence;        /* bootstrap P(winner within the margin of the best);
                                            NaN with one seed: its share is not known */
    double       detectable; /* difference found with 80 % power, as measured */
    bool         reversed;   /* test put another finalist first than validation */
    bool         first;      /* the winner has the best mean on test            */
    tl_interval *test;       /* [candidates] mean over seeds, 95 %; owned */
    bool         futile;     /* undecided, and twelve seeds would hardly change that */
    char         why[512];   /* in words */
} tl_decision;
tl_status tl_decide(tl_ctx *ctx, const tl_scores *s, tl_decision *out);
void      tl_decision_free(tl_ctx *ctx, tl_decision *d);
/* Scores that are negatives of errors are turned back into errors. */
void      tl_decision_turn(tl_decision *d, int candidates);

/* Before anything runs: difference found with 80 % power on `rows` test rows and
 * `seeds`, when two routes disagree on a share `discordance` of rows and a route's
 * quality varies by seed_sd from seed to seed. NaN with fewer than 2 seeds. */
double      tl_detectable(int64_t rows, int seeds, double discordance, double seed_sd,
                          int comparisons);
/* Looks at `count` rising times in (0, 1], the last of them 1: the level of each, two-sided,
 * such that chance alone crosses any of them with `alpha`; spent as O'Brien and Fleming's
 * boundary would. `first`: looks before it spend nothing and have level 0. */
enum { TL_MOST_LOOKS = 8 };
void        tl_look_levels(const double *time, int count, int first, double alpha,
                           double *level);
/* How far probabilities can be believed, at a temperature (1: as they are): expected calibration
 * error over 15 bins of the likeliest class, Brier's score over all classes, mean log loss. */
typedef struct {
    double temperature, ece, brier, log_loss;
} tl_calibration;
tl_calibration tl_calibrate(const float *probability, const int32_t *label, int64_t rows,
                            int32_t classes, double temperature);
/* The temperature of least log loss on these rows, 0.05 to 20. */
double tl_temperature(const float *probability, const int32_t *label, int64_t rows,
                      int32_t classes);
/* Exact test of McNemar 1947: of the rows where one of two models alone is right, `a` are the
 * first's and `b` the second's; two-sided. */
double      tl_mcnemar(int64_t a, int64_t b);
tl_interval tl_wilson(double successes, double n, double confidence);
tl_interval tl_mean_t(const double *x, int n, double confidence);
double      tl_student_quantile(double p, double df), tl_student_cdf(double t, double df);

/* Area under the ROC curve of class 1's scores against class 0's, ties a half each; NaN where
 * one of them has no row.  95 % interval: the areas that lie within 1.96 of their own errors
 * (Hanley and McNeil 1982) of it, so that a full area has a lower bound, too (Newcombe 2006). */
tl_status tl_roc_auc(tl_ctx *ctx, const float *score, const int32_t *label, int64_t rows,
                     tl_interval *out);
/* scikit-learn's average_precision_score of scores and labels `step` apart; NaN where no row has
 * the label. */
tl_status tl_average_precision(tl_ctx *ctx, const float *score, const uint8_t *has,
                               int64_t step, int64_t rows, double *out);
/* scikit-learn's definitions, zero-division 0. */
double tl_accuracy(const int32_t *label, const int32_t *predicted, int64_t rows);
/* Share of the rows where exactly one of two is right. */
double tl_discordance(const int32_t *label, const int32_t *a, const int32_t *b,
                      int64_t rows);
double tl_macro_f1(const int32_t *label, const int32_t *predicted, int64_t rows,
                   int32_t classes);
#endif
