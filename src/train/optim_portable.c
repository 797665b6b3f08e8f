/* optim_portable.c -- optimiser loops in plain C, and which set this CPU runs.  Floor 3. */
#define KERNELS tl_optim_portable
#include "train/optim_body.h"

#include "core/machine.h"

const tl_optim_kernels *tl_optim_chosen(void)
{
#if (defined __x86_64__ || defined _M_X64) && !defined TAILOR_PORTABLE
    const tl_isa isa = tl_machine_isa();

    if (isa >= TL_ISA_AVX512 && isa <= TL_ISA_AMX) return &tl_optim_avx512;
    if (isa == TL_ISA_AVX2) return &tl_optim_avx2;
#endif
    return &tl_optim_portable;
}
