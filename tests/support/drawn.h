/* drawn.h -- a small dataset of drawn pictures, in memory: stripes whose direction and
 * width say the class, with noise.  And a run over it, ready to be asked. */
#ifndef TESTS_DRAWN_H
#define TESTS_DRAWN_H
#include "support/support.h"
#include "train/run.h"

typedef struct {
    tl_dataset *dataset;
    tl_prep     prep;
    tl_cache   *cache;
    tl_slab    *slab;
    tl_rows     train, valid;
    tl_run_spec spec;       /* of these; the candidate's arch is owned by the fixture */
} test_drawn;

/* `rows` pictures of side x side x channels; the last quarter validates.  The run is `route`
 * (without base) of the network `arch` on the ref backend with that route's defaults. */
void test_drawn_open(test_drawn *p, int64_t rows, int64_t classes, int64_t side,
                        int64_t channels, const char *arch, const char *route);
void test_drawn_close(test_drawn *p); /* checks that no memory is left */
#endif
