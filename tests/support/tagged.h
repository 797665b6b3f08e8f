/* tagged.h -- a small set of sentences whose words have tags that the words say, with a base for
 * them and a run. */
#ifndef TESTS_TAGGED_H
#define TESTS_TAGGED_H
#include "support/support.h"
#include "train/run.h"

typedef struct {
    char       *folder;
    tl_dataset *dataset;
    tl_arch     arch;
    tl_prep     prep;
    tl_texter  *texter;
    tl_model   *base;
    tl_cache   *cache;
    tl_slab    *slab;
    tl_rows     train, valid; /* words of the first three quarters of the sentences; the rest */
    tl_run_spec spec;
} test_tagged;

/* `texts` sentences; texts of more than `most` tokens go by windows (0: 512). */
void test_tagged_open(test_tagged *s, int64_t texts, int64_t most, const char *net,
                      const char *route, double epochs);
void test_tagged_close(test_tagged *s);
#endif
