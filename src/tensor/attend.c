/* attend.c -- see attend.h.  Floor 1, tensor. */
#include "tensor/attend.h"

#include "core/rand.h"

tl_sequences tl_sequences_of(const tl_view *offsets, const tl_view *key_offsets,
                             int64_t length, int64_t rows, int64_t keys)
{
    tl_sequences w = { .rows = rows, .keys = keys };

    w.offset     = offsets->data;
    w.key_offset = key_offsets->data;
    if (w.offset) w.count = offsets->shape.dim[0] - 1;
    else w.count = length ? rows / length : 1;
    return w;
}

/* Up to offset `to`, but neither backward nor past the end. */
static int64_t forward(int64_t from, int64_t to, int64_t end)
{
    return TL_MIN(TL_MAX(from, to), end);
}

bool tl_sequences_next(tl_sequences *w, tl_sequence *out)
{
    const int64_t s = w->at++;

    if (s >= w->count) return false;
    if (!w->offset) {
        *out = (tl_sequence){ s * (w->rows / w->count), (s + 1) * (w->rows / w->count),
                              s * (w->keys / w->count), (s + 1) * (w->keys / w->count) };
        return true;
    }
    out->q     = forward(w->q, w->offset[s], w->rows);
    out->q_end = w->q = forward(out->q, w->offset[s + 1], w->rows);
    if (!w->key_offset) {
        out->k     = out->q;
        out->k_end = out->q_end;
        return true;
    }
    out->k     = forward(w->k, w->key_offset[s], w->keys);
    out->k_end = w->k = forward(out->k, w->key_offset[s + 1], w->keys);
    return true;
}

tl_heads tl_heads_of(const tl_attention_attr *a, const tl_shape *q, const tl_shape *k)
{
    tl_heads h = { .heads = a->heads, .kv = a->kv_heads, .rows = q->dim[0],
                   .keys = (k ? k : q)->dim[0], .q_step = q->dim[1],
                   .k_step = (k ? k : q)->dim[1] };

    if (k) {
        h.d = h.q_step / h.heads;
        return h;
    }
    h.d    = h.q_step / (h.heads + 2 * h.kv);
    h.k_at = h.heads * h.d;
    h.v_at = h.k_at + h.kv * h.d;
    return h;
}

tl_drop tl_drop_of(const tl_attention_attr *a, const tl_tick *tick)
{
    tl_drop  d       = { .scale = 1.0f };
    uint32_t lane[4] = { 0 };

    if (!(a->dropout > 0.0f)) return d;
    tl_rand_block(tick->seed, TL_STREAM(TL_STREAM_DROPOUT, a->stream),
                  tl_dropout_index(tick->step, 0), lane);
    d.row   = (uint64_t)lane[1] << 32 | lane[0];
    d.key   = (uint64_t)lane[3] << 32 | lane[2];
    d.bound = tl_dropout_bound(a->dropout);
    d.scale = (float)(1.0 / (1.0 - (double)a->dropout));
    return d;
}
