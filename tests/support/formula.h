/* formula.h -- weights and inputs that a test and the script that made its golden numbers both draw
 * from a tensor's name, and the two numbers by which a gradient is compared. */
#ifndef TEST_SUPPORT_FORMULA_H
#define TEST_SUPPORT_FORMULA_H
#include "core/json.h"

#include <stdint.h>

/* Element i of tensor `name`, in [-1, 1) and exact in f32. */
float  test_formula(const char *name, int64_t i);
/* Of probes {name: [norm, product with the formula of "probe:name"]}: |ours - theirs| over the
 * norm theirs has; `least` keeps a gradient that is zero but for rounding from counting. */
double test_probe_error(const json_t *want, const char *name, const float *got, int64_t n,
                        double least);
double test_largest_norm(const json_t *probes);
#endif
