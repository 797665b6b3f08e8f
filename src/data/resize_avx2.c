/* resize_avx2.c -- the resize passes for AVX2.  Floor 2, data. */
#define PASSES tl_resize_avx2
#include "data/resize_passes.h"
