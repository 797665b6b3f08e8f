/* attend.h -- what every attention kernel asks first: which rows belong together, which keys a
 * query sees, and where heads lie.  Floor 1, tensor. */
#ifndef TL_TENSOR_ATTEND_H
#define TL_TENSOR_ATTEND_H
#include "tensor/attrs.h"
#include "tensor/op.h"

enum { TL_MOST_HEAD = 512 }; /* values of one head */

/* One sequence: its queries and its keys, [row, end). */
typedef struct { int64_t q, q_end, k, k_end; } tl_sequence;

/* A walk over the sequences of a call. */
typedef struct {
    const int32_t *offset, *key_offset; /* NULL: all of one length / the queries' own */
    int64_t        count, rows, keys;   /* sequences; rows there are                  */
    int64_t        at, q, k;            /* the next one, and where it may begin       */
} tl_sequences;

tl_sequences tl_sequences_of(const tl_view *offsets, const tl_view *key_offsets,
                             int64_t length, int64_t rows, int64_t keys);
bool         tl_sequences_next(tl_sequences *walk, tl_sequence *out);

/* Where heads lie: element of row r, head h of q is q[r * q_step + h * d]; of k
 * k[r * k_step + k_at + h * d], of v the same from v_at.  `k` NULL: q holds all three. */
typedef struct {
    int64_t heads, kv, d, rows, keys, q_step, k_step, k_at, v_at;
} tl_heads;
tl_heads tl_heads_of(const tl_attention_attr *a, const tl_shape *q, const tl_shape *k);

/* Keys [*low, *high) of the sequence that its query i sees; empty where low >= high. */
static inline void tl_keys_seen(const tl_attention_attr *a, const tl_sequence *s, int64_t i,
                                int64_t *low, int64_t *high)
{
    const int64_t keys = s->k_end - s->k, place = i + keys - (s->q_end - s->q);

    *low  = a->before < 0 || place < a->before ? 0 : place - a->before;
    *high = a->after < 0 || place + a->after + 1 > keys ? keys : place + a->after + 1;
}

/* Dropout of probabilities.  That of row `row` (a query's, times heads, plus the head) and key
 * `key` (its row) is kept where tl_drop_number of their words is >= bound.  Within a row these
 * numbers are as independent as SplitMix64's are; the rows' are members, drawn anew each, of the
 * family x -> x times + plus (mod 2^32), whose upper bits agree by chance only.  A product and a
 * sum each, in any order: rows and keys may lie along a vector.
 * Sources: Srivastava et al. 2014; Steele, Lea and Flood 2014 (SplitMix64); Dietzfelbinger 1996,
 * "Universal hashing and k-wise independent random variables via integer arithmetic". */
typedef struct {
    uint64_t row, key; /* what their words are drawn from */
    uint32_t bound;    /* 0: nothing is dropped           */
    float    scale;    /* of what is kept; 1 then         */
} tl_drop;
typedef struct { uint32_t times, plus; } tl_drop_row;
tl_drop tl_drop_of(const tl_attention_attr *a, const tl_tick *tick);

static inline uint64_t tl_drop_word(uint64_t from, int64_t i) /* SplitMix64's number i */
{
    uint64_t z = from + ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline tl_drop_row tl_drop_row_of(const tl_drop *d, int64_t row)
{
    const uint64_t word = tl_drop_word(d->row, row);

    return (tl_drop_row){ (uint32_t)(word >> 32) | 1u, (uint32_t)word };
}
static inline uint32_t tl_drop_key(const tl_drop *d, int64_t key)
{
    return (uint32_t)(tl_drop_word(d->key, key) >> 32);
}
static inline uint32_t tl_drop_number(tl_drop_row row, uint32_t key)
{
    return key * row.times + row.plus;
}
#endif
