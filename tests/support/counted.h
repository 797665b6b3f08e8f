/* counted.h -- the cpu backend with one op by ref and its runs counted; at a chosen one the run is
 * interrupted. */
#ifndef TESTS_COUNTED_H
#define TESTS_COUNTED_H
#include "backend/cpu/cpu.h"

extern int64_t test_runs, test_stop_at; /* so far; 0: never interrupted */

/* Counts this op from 0, without interruption; one at a time. */
const tl_backend *test_counted(const char *op);
#endif
