/* course.h -- what a test of texts trains on: labelled texts in a folder of their own, a network
 * that begins anew with its learnt vocabulary, and a run.  sentences.h and tagged.h open one. */
#ifndef TESTS_COURSE_H
#define TESTS_COURSE_H
#include "support/support.h"
#include "train/run.h"

typedef struct {
    char       *folder;
    tl_dataset *dataset;
    tl_arch     arch;     /* of the base                                                   */
    tl_prep     prep;
    tl_texter  *texter;   /* learnt from the training rows; held by prep and base           */
    tl_model   *base;
    tl_cache   *cache;
    tl_slab    *slab;
    tl_rows     train, valid;
    tl_run_spec spec;     /* of these, on the ref backend; the candidate's arch is the base's */
} test_course;

typedef struct {
    const char *net;    /* the base's network                                        */
    int64_t     most;   /* tokens of a row, those above go by windows; 0: the default */
    const char *metric, *route;
    double      epochs; /* in batches of 4; else the route's own settings            */
} test_course_ask;

/* A folder with this file in it and nothing else, and the data opened from there. */
void test_course_data(test_course *s, const char *name, const char *text, size_t bytes);
/* The rest, once train and valid are set. */
void test_course_ready(test_course *s, const test_course_ask *ask);
void test_course_close(test_course *s); /* checks that no memory is left */
#endif
