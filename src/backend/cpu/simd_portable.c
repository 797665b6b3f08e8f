/* simd_portable.c -- the inner loops for this instruction set (the file's name gives the flags).
 * Floor 1, backend/cpu. */
#define SIMD_TABLE tl_simd_portable
#define SIMD_NAME "portable"
#include "backend/cpu/simd_table.h"
