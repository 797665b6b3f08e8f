/* support.h -- what every test program starts with. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* One world and context for the test program; counters are reset by test_fresh. */
tl_ctx *test_ctx(void);
tl_ctx *test_fresh(void);
/* A new empty folder under TMPDIR, removed by test_folder_end. */
char *test_folder(void);
void  test_folder_end(char *folder);
/* A file of the shared data ("images/mnist/..."), or NULL: then call TEST_SKIP. */
const char *test_data(const char *name);
/* Skips are named, with their reason, and counted by tools/run-tests. */
#define TEST_SKIP(reason)                                \
    do {                                                 \
        fprintf(stderr, "# skip reason: %s\n", reason);  \
        skip();                                          \
    } while (0)
#define TEST_OK(call)                                                        \
    do {                                                                     \
        const tl_status status_ = (call);                                    \
        if (status_ != TL_OK)                                                \
            fail_msg("%s: %s: %s", #call, tl_status_name(status_), test_ctx()->message); \
    } while (0)
/* Largest |a - b| over the largest |b|. */
double test_error(const float *a, const float *b, int64_t n);
#endif
