/* nf4.h -- numbers in four bits: one of 16 levels, where a normal distribution's mass lies, times
 * the largest magnitude of the block of 64 that the number belongs to.  These scales, less their
 * mean, are kept in eight bits of a dynamic type over blocks of 256 (double quantisation): 4.13
 * bits a number in all.
 * Source: Dettmers et al. 2023, "QLoRA", arXiv:2305.14314, section 3 and appendix E; the layout of
 * codes and the dynamic type are those of bitsandbytes.  Floor 1, tensor. */
#ifndef TL_TENSOR_NF4_H
#define TL_TENSOR_NF4_H
#include <stddef.h>
#include <stdint.h>

enum { TL_NF4_BLOCK = 64, TL_NF4_GROUP = 256 /* scales */ };

/* Bytes of `count` numbers, count >= 1: codes, two in a byte, the first in the upper half; a byte
 * for each block; a float for each group of blocks, and the mean of the scales. */
size_t tl_nf4_bytes(int64_t count);
/* x [count], finite, into the tl_nf4_bytes(count) bytes of `to`, aligned to 4. */
void   tl_nf4_pack(const float *x, int64_t count, void *to);
/* Numbers [from, end) of `count` packed ones. */
void   tl_nf4_unpack(const void *packed, int64_t count, int64_t from, int64_t end, float *out);
/* Number i alone. */
float  tl_nf4_get(const void *packed, int64_t count, int64_t i);
#endif
