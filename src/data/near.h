/* near.h -- rows that are nearly the same: a picture stored again or made brighter, a text with
 * a word changed.  Floor 2, data.
 * Sources: Charikar 2002 (signs of random projections); Broder 1997 (shingles and their smallest
 * hashes); Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", ch. 3 (bands). */
#ifndef TL_DATA_NEAR_H
#define TL_DATA_NEAR_H
#include "data/dataset.h"

typedef struct {
    int64_t a, b;     /* rows, a < b */
    double  likeness; /* cosine of pictures, shared shingles of texts; 1: the same */
} tl_near_pair;

/* Pairs of rows that are nearly, but not exactly, the same, the likest first; each row stands as
 * `b` at most once, beside the lowest row it is near to.  Of tables, and of over 256 million
 * pixels, *known is false.  A damaged picture is near to none. */
tl_status tl_dataset_near(tl_ctx *ctx, const tl_dataset *d, bool *known, tl_near_pair **pair,
                          int64_t *count);
#endif
