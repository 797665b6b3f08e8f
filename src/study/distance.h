/* distance.h -- how far one lot of rows lies from another, or from what a base was trained on.
 * Floor 4, study.  Sources: Gretton et al. 2012, "A kernel two-sample test", JMLR 13 (MMD, with
 * the median distance as width and a permutation test); Heusel et al. 2017, arXiv:1706.08500
 * (Frechet distance of two normal distributions, Dowson and Landau 1982); Schneider et al. 2020,
 * arXiv:2006.16971 (the statistics that batch norms keep against those of new data). */
#ifndef TL_STUDY_DISTANCE_H
#define TL_STUDY_DISTANCE_H
#include "bundle/model.h"

/* Of two lots of features a [n width], b [m width], both of at least two rows. */
typedef struct {
    double mmd2; /* squared maximum mean discrepancy, unbiased, of a Gaussian kernel        */
    double p;    /* share of `draws` regroupings that lie as far apart, itself included      */
} tl_mmd;
tl_status tl_distance_mmd(tl_ctx *ctx, const float *a, int64_t n, const float *b, int64_t m,
                          int64_t width, int draws, uint64_t seed, tl_mmd *out);
/* |mean a - mean b|^2 + tr(A + B - 2 (A B)^1/2), A and B the covariances; n <= m saves time. */
tl_status tl_distance_frechet(tl_ctx *ctx, const float *a, int64_t n, const float *b, int64_t m,
                              int64_t width, double *out);

/* What a net with batch norms sees of rows against what it kept from its training. */
typedef struct {
    int64_t rows, layers; /* layers 0: it has no such norms, or there are under 32 rows      */
    double  shift; /* how far channels' means moved, in kept deviations: mean over channels,
                      then layers                                                            */
    double  kl;    /* KL(seen || kept) of normal distributions, likewise                      */
    double  first; /* ... of the first layer, which meets the pictures as they are; behind it each
                      norm puts right what it sees                                            */
} tl_norm_distance;
/* Rows are taken in the order given, 32 at once; dead channels are held to a thousandth of their
 * layer's variance. */
tl_status tl_distance_norms(tl_ctx *ctx, const tl_model *base, tl_cache *cache, tl_rows rows,
                            const tl_backend *backend, tl_slab *slab, tl_norm_distance *out);

/* How a tokenizer cuts texts.  Words are runs of letters, digits and what is not ASCII; of scripts
 * without blanks every character. */
typedef struct {
    int64_t words, tokens, characters;
    double  tokens_per_word;
    double  broken;  /* share of words in four pieces or more, of single characters in two      */
    double  unknown; /* share of tokens that stand for what it does not know                    */
} tl_fragments;
tl_status tl_distance_fragments(tl_ctx *ctx, const tl_tokenizer *t, const tl_string *text,
                                int64_t count, tl_fragments *out);
extern const char tl_plain_english[]; /* what they are held against */
#endif
