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
#endif
