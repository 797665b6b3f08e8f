/* simd_avx512bf16.c -- the inner loops for this instruction set (the file's name gives the flags).
 * Floor 1, backend/cpu. */
#define SIMD_TABLE tl_simd_avx512bf16
#define SIMD_NAME "avx512bf16"
#include "backend/cpu/simd_table.h"
