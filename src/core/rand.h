/* rand.h -- counter-based random numbers: a value is a function of (seed, stream, index), so
 * threads and resumed runs draw the same without holding state.
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10).
 * Floor 0. */
#ifndef TL_CORE_RAND_H
#define TL_CORE_RAND_H
#include <stddef.h>
#include <stdint.h>

/* Streams in use; a stream's sub-number (layer, epoch, row) goes into the high bits. */
enum { TL_STREAM_INIT = 1, TL_STREAM_ORDER, TL_STREAM_SPLIT, TL_STREAM_DROPOUT,
       TL_STREAM_AUGMENT, TL_STREAM_BOOTSTRAP, TL_STREAM_SEARCH, TL_STREAM_DATA,
       TL_STREAM_TEST, TL_STREAM_PERTURB, TL_STREAM_MIX, TL_STREAM_MASK,
       TL_STREAM_BALANCE, TL_STREAM_HIDE, TL_STREAM_TOKEN };
#define TL_STREAM(kind, number) ((uint64_t)(kind) << 56 | (uint64_t)(number))

void     tl_rand_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);
uint64_t tl_rand_u64(uint64_t seed, uint64_t stream, uint64_t index);
double   tl_rand_uniform(uint64_t seed, uint64_t stream, uint64_t index); /* [0, 1)      */
double   tl_rand_normal(uint64_t seed, uint64_t stream, uint64_t index);  /* mean 0, sd 1 */
/* 0 .. n-1, n >= 1, without bias worth naming (64-bit multiply). */
uint64_t tl_rand_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);
/* Shuffles `order` (n numbers, already filled) by Fisher and Yates. */
void     tl_rand_shuffle(uint64_t seed, uint64_t stream, int64_t *order, int64_t n);
/* FNV-1a, 64 bits, on from `hash` (TL_FNV at first): a number that bytes alike have alike. */
#define TL_FNV 0xcbf29ce484222325u
static inline uint64_t tl_fnv(uint64_t hash, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return hash;
}
#endif
