/* sentences.h -- a small set of labelled sentences whose words say the class, with a base for
 * them: a network of text that begins anew, and its learnt vocabulary. */
#ifndef TESTS_SENTENCES_H
#define TESTS_SENTENCES_H
#include "support/support.h"
#include "train/run.h"

typedef struct {
    char       *folder;
    tl_dataset *dataset;
    tl_arch     arch;     /* of the base                                                   */
    tl_prep     prep;
    tl_texter  *texter;   /* learnt from all rows; held by prep and base                    */
    tl_model   *base;
    tl_cache   *cache;
    tl_slab    *slab;
    tl_rows     train, valid;
    tl_run_spec spec;     /* of these, on the ref backend; the candidate's arch is the base's */
} test_sentences;

/* `rows` sentences of two classes, the last quarter validates; `net` is the base's network.  The
 * run is `route` with that route's defaults, for `epochs` epochs in batches of 4. */
void test_sentences_open(test_sentences *s, int64_t rows, const char *net, const char *route,
                         double epochs);
void test_sentences_close(test_sentences *s); /* checks that no memory is left */
#endif
