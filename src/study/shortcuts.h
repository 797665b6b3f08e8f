/* shortcuts.h -- does one plain fact of a row (data/attributes.h) foretell its label?  Then a model
 * may learn that fact instead of what it is meant to.  Floor 4, study.
 * Sources: Geirhos et al. 2020, "Shortcut learning in deep neural networks", arXiv:2004.07780;
 * Kish 1965 for the number of rows that weighted ones are worth; Wilson 1927; Bonferroni. */
#ifndef TL_STUDY_SHORTCUTS_H
#define TL_STUDY_SHORTCUTS_H
#include "data/attributes.h"

typedef struct {
    double  score;     /* share told right of rows that were held out, every class counted alike;
                          NaN: under 50 rows, or under two classes of ten rows each            */
    double  low, high; /* its interval                                                         */
    double  chance;    /* one over the classes                                                 */
    int64_t rows, classes;
} tl_foretold;

/* value [rows] (NaN: none), of `levels` levels, 0: numbers, which are cut into bins of as many rows
 * each; label [rows] below `classes`.  In five folds each row is given the class that is commonest
 * in its bin, by the others.  Rows of one unit share a fold; NULL: each is its own. */
tl_status tl_foretell(tl_ctx *ctx, const double *value, int64_t levels, const int32_t *label,
                      int64_t rows, int32_t classes, const int64_t *unit, double confidence,
                      tl_foretold *out);

/* Every fact held against the labels, or against the quarter in which a number lies; findings
 * where the interval, corrected for the number of facts, begins ten points above chance; for a
 * column that the model reads, where it begins at 95 %: columns are there to foretell.
 * Sets profile's `shortcuts` (profile.h). `unit` [d->rows] as above, or NULL. */
tl_status tl_shortcuts_find(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f,
                            const int64_t *unit, json_t *profile);
#endif
