/* cpu.h -- the fast backend for this machine's processor.  Products and convolutions come from
 * oneDNN (onednn.h) where it is built in, everything else from our own loops (simd.h); an op
 * that is not listed falls back to its reference kernel.  Own kernels give the same bits on
 * any number of threads; oneDNN's the same bits for the same number.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_CPU_H
#define TL_BACKEND_CPU_CPU_H
#include "tensor/backend.h"

extern const tl_backend tl_backend_cpu;
#endif
