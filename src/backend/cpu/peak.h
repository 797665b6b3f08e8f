/* peak.h -- what this machine can do at most, measured: products in f32 and bf16, memory.  For
 * `tailor doctor` and the benchmark; nothing is tuned by it.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_PEAK_H
#define TL_BACKEND_CPU_PEAK_H
#include "core/core.h"

typedef struct {
    double
        f32_gflops; /* the higher of a loop of multiply-adds and a product of matrices */
    double
        bf16_gflops; /* a product of matrices; 0 where the CPU has no bf16 products     */
    double
        memory_gb_s; /* bytes moved a second by y = a + b on arrays far beyond caches   */
} tl_peak;

/* Takes about a second.  On world->threads threads. */
tl_status tl_cpu_peak(tl_ctx *ctx, tl_peak *out);
#endif
