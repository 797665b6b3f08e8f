/* machine.h -- what this machine offers: cores, memory, instruction sets, time.  Floor 0.
 * cgroup limits, affinity and OMP_NUM_THREADS (a cap) are honoured. */
#ifndef TL_CORE_MACHINE_H
#define TL_CORE_MACHINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int    tl_machine_threads(void);      /* usable physical cores, >= 1                   */
size_t tl_machine_memory_bytes(void); /* RAM or the cgroup's limit, the lower          */
const char *tl_machine_cpu(void);     /* model name; "unknown" where not readable      */
size_t tl_machine_rss_bytes(void);    /* resident now; 0 where not readable            */
size_t tl_machine_rss_peak_bytes(void); /* ru_maxrss of this process                   */

typedef enum {
    TL_ISA_PORTABLE, TL_ISA_AVX2, TL_ISA_AVX512, TL_ISA_AVX512_BF16, TL_ISA_AMX, TL_ISA_NEON
} tl_isa;
tl_isa      tl_machine_isa(void);     /* the best kernels this CPU runs; TAILOR_ISA=
                                         portable|avx2|avx512|avx512-bf16 caps it
                                         (tests)                                       */
const char *tl_isa_name(tl_isa isa);
bool        tl_machine_bf16(void);    /* has bf16 dot products                         */

/* Subnormal numbers count as zero on this thread from here (moments of weights that no longer get a
 * gradient fade into them, where a step is several times slower).  Returns the mode before, for
 * tl_float_mode to put back. */
unsigned long tl_float_flush(void);
void          tl_float_mode(unsigned long mode);

double  tl_time_s(void);              /* monotonic seconds                             */
int64_t tl_time_unix(void);           /* seconds since 1970; SOURCE_DATE_EPOCH rules   */
#endif
