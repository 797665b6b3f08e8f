/* optim_avx2.c -- optimiser loops for AVX2.  Floor 3, train. */
#define KERNELS tl_optim_avx2
#include "train/optim_body.h"
