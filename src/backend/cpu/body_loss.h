/* body_loss.h -- cross-entropy over rows of c classes, and its gradient.  Each class weighs
 * q_j = class_weight_j * ((1 - smoothing) * t_j + smoothing / c), t one-hot or soft.
 * Bodies of simd.h's table.  Source: attrs.h, cross_entropy.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_LOSS_H
#define TL_BACKEND_CPU_BODY_LOSS_H
#include "backend/cpu/body_rows.h"
#include "backend/cpu/simd.h"

/* q of columns [j, j + VL) of row r; 0 past the end. */
VEC vf class_weights(const tl_loss *k, int64_t r, int64_t j)
{
    const int64_t left = k->c - j;
    vf            t, q;

    if (k->soft)
        t = take(k->soft, r * k->c + j, left, false);
    else
        t = vf_if(vi_lanes() == vi_all((int32_t)(k->label[r] - j)), vf_all(1.0f),
                  vf_all(0.0f));
    q = vf_fma(t, vf_all(1.0f - k->smoothing), vf_all(k->smoothing / (float)k->c));
    q = k->class_weight ? q * take(k->class_weight, j, left, false) : q;
    return left >= VL ? q
                      : vf_if(vi_lanes() < vi_all((int32_t)left), q, vf_all(0.0f));
}
VEC bool row_counts(const tl_loss *k, int64_t r)
{
    return k->weight[r] != 0.0f && (k->soft || (k->label[r] >= 0 && k->label[r] < k->c));
}

VEC void loss_loop(const tl_loss *k, int64_t low, int64_t high, float *loss, bool bf)
{
    for (int64_t r = low; r < high; r++) {
        vf sum  = vf_all(0.0f);
        loss[r] = 0.0f;
        if (!row_counts(k, r)) continue;
        const float top     = row_top(r * k->c, k->c, k->logits, bf);
        const float log_sum = logf(row_exp_sum(r * k->c, k->c, k->logits, bf, top));
        for (int64_t j = 0; j < k->c; j += VL) {
            const vf q = class_weights(k, r, j);
            const vf p = (take(k->logits, r * k->c + j, k->c - j, bf) - top) - log_sum;
            /* an infinite logit of a class without weight must not make 0 * inf */
            sum -= vf_if(q == 0.0f, q, q * p);
        }
        loss[r] = vf_sum(sum);
    }
}
static void body_loss(const tl_loss *k, int64_t low, int64_t high, float *loss, bool bf)
{
    if (bf)
        loss_loop(k, low, high, loss, true);
    else
        loss_loop(k, low, high, loss, false);
}

VEC void loss_grad_loop(const tl_loss *k, int64_t low, int64_t high, float dloss,
                        void *dx, bool bf)
{
    for (int64_t r = low; r < high; r++) {
        const int64_t at  = r * k->c;
        const bool    on  = row_counts(k, r);
        const float   f   = dloss * k->weight[r];
        const float   top = on ? row_top(at, k->c, k->logits, bf) : 0.0f;
        const float scale = on ? 1.0f / row_exp_sum(at, k->c, k->logits, bf, top) : 0.0f;
        vf          total = vf_all(0.0f);
        for (int64_t j = 0; on && j < k->c; j += VL) total += class_weights(k, r, j);
        const float q_sum = vf_sum(total);
        for (int64_t j = 0; j < k->c; j += VL) {
            const vf p = vf_exp(take(k->logits, at + j, k->c - j, bf) - top) * scale;
            const vf g = on ? (p * q_sum - class_weights(k, r, j)) * f : vf_all(0.0f);
            give(dx, at + j, g, k->c - j, bf);
        }
    }
}
static void body_loss_grad(const tl_loss *k, int64_t low, int64_t high, float dloss,
                           void *dx, bool bf)
{
    if (bf)
        loss_grad_loop(k, low, high, dloss, dx, true);
    else
        loss_grad_loop(k, low, high, dloss, dx, false);
}
#endif
