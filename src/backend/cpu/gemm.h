/* gemm.h -- products on our own loops, cut into threads.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_GEMM_H
#define TL_BACKEND_CPU_GEMM_H
#include "backend/cpu/simd.h"

void tl_gemm_dot(const tl_simd *loops, const tl_gemm *g, int threads);
/* Long sums are taken in pieces of TL_SUM_ROWS steps where c is f32. */
void tl_gemm_outer(const tl_simd *loops, const tl_gemm *g, int threads);
enum { TL_SUM_ROWS = 2048 };
#endif
