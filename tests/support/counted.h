/* counted.h -- a backend with one op by ref and its runs counted, wherever they stand (features,
 * steps, evaluations); at a chosen one the training is interrupted. */
#ifndef TESTS_COUNTED_H
#define TESTS_COUNTED_H
#include "backend/cpu/cpu.h"

extern int64_t test_runs, test_stop_at; /* so far; 0: never interrupted */

/* Counts this op from 0, without interruption; the others run by `over`.  One at a time. */
const tl_backend *test_counted(const tl_backend *over, const char *op);
#endif
