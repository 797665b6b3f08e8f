/* optim_avx512.c -- optimiser loops for AVX-512.  Floor 3, train. */
#define KERNELS tl_optim_avx512
#include "train/optim_body.h"
