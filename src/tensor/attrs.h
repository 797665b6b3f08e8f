/* attrs.h -- every op: its inputs, outputs and attributes.  What a kernel is written against.
 *
 * Notation.  `a` is the activations' dtype (f32 or bf16, that of the first input where nothing
 * else is said); everything else is f32 unless I32 or U8 is said.  `?` is an optional input (0
 * in the node, data NULL in the call).  ANY output may have data NULL: nobody wants it, do not
 * compute it.  Output 0 may lie exactly on the inputs named after "in place:", so a kernel reads
 * element i of those before it writes element i (row i for softmax and the like).  No other
 * overlap happens.  Buffers of the slab are aligned to 64 bytes, bound ones to at least 16.
 * Gradient ops OVERWRITE their outputs: contributions are summed by `add` nodes.  Pictures
 * are [n h w c].  Floor 1, tensor. */
#ifndef TL_TENSOR_ATTRS_H
#define TL_TENSOR_ATTRS_H
#include "tensor/ops.h"

/* ---- products --------------------------------------------------------------------------
 * dense       in  x a[.. in], w [out in], b? [out]                  out y a[.. out]
 *             tl_act_attr: y = act(x w^T + b); act is tl_act_from_output
 * dense_dx    in  dy a[.. out], w [out in]                          out dx a[.. in]
 *             no attributes
 * dense_dw    in  dy a[.. out], x? a[.. in]                         out dw [out in], db [out]
 *             tl_shape_attr: dw's shape.  x is absent where only db is wanted.
 * (The gradient rule of a fused activation emits act_grad on y first; dy here is after it.)
 *
 * conv        in  x a[n h w c], w [o c/groups kh kw], b? [o]        out y a[n oh ow o]
 *             tl_conv_attr, with the zeros of stride, dilation, groups already made 1
 * conv_dx     in  dy a[n oh ow o], w                                out dx a[n h w c]
 *             tl_conv_grad_attr: shape is dx's
 * conv_dw     in  dy a[n oh ow o], x? a[n h w c]           out dw [o c/groups kh kw], db [o]
 *             tl_conv_grad_attr: shape is dw's.  x is absent where only db is wanted. */
typedef struct { tl_activation act; } tl_act_attr;
typedef struct { tl_shape shape; } tl_shape_attr;
typedef struct { tl_conv_attr conv; tl_shape shape; } tl_conv_grad_attr;
/* Along one axis: does this tap of the window ever meet a pixel, or only padding? */
static inline bool tl_tap_lives(int64_t tap, int64_t size, int64_t outs, int stride, int dilation,
                                int before)
{
    for (int64_t o = 0; o < outs; o++) {
        const int64_t at = o * stride - before + tap * dilation;
        if (at >= 0 && at < size) return true;
    }
    return false;
}

/* ---- pooling ---------------------------------------------------------------------------
 * max_pool    in  x a[n h w c]                       out y a[n oh ow c], at U8[n oh ow c]
 *             tl_pool_attr.  `at` is the place of the maximum in its window, row * kernel[1] +
 *             column, the first one in row-major order on ties; a NaN counts as the maximum.
 *             I32 instead of U8 where kernel[0] * kernel[1] > 256.  Padding never wins.
 * max_pool_grad  in dy a[n oh ow c], at              out dx a[n h w c]     tl_pool_grad_attr
 * avg_pool    in  x                                  out y                 tl_pool_attr
 *             divisor: pixels of the window inside the picture; with count_padding those inside
 *             the picture or its padding (a ceil-mode overhang is never counted)
 * avg_pool_grad  in dy                               out dx                tl_pool_grad_attr
 * global_avg_pool  in x a[n h w c]   out y a[n c]    no attributes
 * global_avg_pool_grad  in dy a[n c] out dx          tl_shape_attr: dx's shape
 * global_max_pool  in x  out y a[n c], at I32[n c] (row * w + column)      no attributes
 * global_max_pool_grad  in dy a[n c], at  out dx     tl_shape_attr: dx's shape
 * In pool attributes a stride of 0 has already been made the kernel's size. */
typedef struct { tl_pool_attr pool; tl_shape shape; /* of dx */ } tl_pool_grad_attr;

/* ---- norms -----------------------------------------------------------------------------
 * batch_norm  in  x a[.. c], gamma [c], beta [c], mean [c], var [c], residual? a[.. c]
 *             out y a[.. c], save_mean [c], save_invstd [c]
 *             tl_batch_norm_attr.  batch: statistics over all but the last axis; mean and var
 *             (bound states) move: r = (1 - momentum) r + momentum s, s of var unbiased (n - 1);
 *             save_mean, save_invstd = 1 / sqrt(biased var + eps) are for the gradient (both
 *             may be NULL).  Not batch: mean and var are only read; the saves are NULL.
 *             in place: x, residual
 * batch_norm_grad  in dy a[.. c], x? a[.. c], gamma [c], y? a[.. c], mean [c], scale [c]
 *             out dx a[.. c], dgamma [c], dbeta [c], dresidual a[.. c]
 *             tl_batch_norm_attr.  g = dy * slope(act, y) (y present only where act is not none).
 *             batch: mean, scale are save_mean, save_invstd; xhat = (x - mean) * scale;
 *               dx = gamma * scale * (g - sum(g) / n - xhat * sum(g * xhat) / n)
 *             not batch: mean, scale are the running mean and VARIANCE; dx = gamma * g /
 *               sqrt(var + eps); x is absent where dgamma is not wanted.
 *             dgamma = sum(g * xhat), dbeta = sum(g), dresidual = g (wanted only with act).
 *             in place: dy, x
 * fold_weight in  w [o ...], gamma [o], var [o]      out w * gamma / sqrt(var + eps)
 *             tl_norm_attr.  Appended with fold_bias by tl_batch_norm instead of batch_norm
 *             where a convolution made x and nothing of it trains: conv then has the norm in
 *             its weights, which are constant (see tl_call) though not parameters.
 * fold_bias   in  gamma, beta, mean, var, b? [o]     out beta + (b - mean) gamma / sqrt(var + eps)
 * layer_norm  in  x a[.. c], gamma [c], beta [c]     out y a[.. c], save_mean [rows],
 *             save_invstd [rows]; rows = count / c   tl_norm_attr       in place: x
 * layer_norm_grad  in dy, x, gamma, save_mean, save_invstd
 *             out dx, dgamma [c], dbeta [c]          tl_norm_attr       in place: dy, x
 * group_norm  in  x a[n .. c], gamma [c], beta [c]   out y, save_mean [n groups],
 *             save_invstd [n groups]; a group is c/groups neighbouring channels of one picture
 *             tl_norm_attr                           in place: x
 * group_norm_grad  as layer_norm_grad                in place: dy, x
 * Variances are biased but for the running one.
 * rms_norm    in  x a[.. c], gamma [c]               out y a[.. c] = x invrms (gamma + plus),
 *             save_invrms [rows]                     tl_rms_norm_attr   in place: x
 *             invrms = 1 / sqrt(mean of x^2 + eps)
 * rms_norm_grad  in dy, x, gamma, save_invrms        out dx, dgamma [c]
 *             tl_rms_norm_attr                       in place: dy, x */
typedef struct { float eps; int groups; /* of group_norm; 0 in layer_norm */ } tl_norm_attr;
typedef struct { float eps, plus; /* 1 where a weight of 0 changes nothing (Gemma) */ }
    tl_rms_norm_attr;

/* ---- attention over packed sequences ----------------------------------------------------
 * Rows are tokens; sequence s has rows [offsets[s], offsets[s + 1]), taken as far as they lie in
 * the tensor and go forward (attend.h): any numbers are safe, rows of no sequence make zeros.
 * attention   in  q a[tq heads*d], k? a[tk kv*d], v? a[tk kv*d], offsets? I32[n + 1],
 *             key_offsets? I32[n + 1]
 *             out y a[tq heads*d], lse [tq heads]    tl_attention_attr
 *             Without k and v, q holds all three side by side: a[t (heads + 2 kv)*d].  Without
 *             offsets all sequences have attr.length rows.  key_offsets say where k and v have
 *             their own rows (a cache, learned rows in front): the last query then stands at
 *             the last key.  Head h reads key and value head h / (heads / kv).
 *             y = softmax(cap(scale q k^T)) v over the keys a query sees, cap(s) = softcap *
 *             tanh(s / softcap); lse: log of the sum of exponentials; a query that sees no key
 *             makes y 0, lse 0.  Dropout (attend.h) takes from the softmax what it put out: lse
 *             is of all keys, and y, what is left times 1 / (1 - dropout), as the gradient wants:
 *             sum(dy y) is the sum over keys of probability times its gradient with it, too.
 * attention_grad  in dy, q, k?, v?, y, lse, offsets?, key_offsets?
 *             out dq, dk, dv as q, k, v (dk, dv never wanted where k, v are absent)
 *             tl_attention_attr
 * rope_angles in  position I32[t]                    out cos [t half], sin [t half]
 *             tl_rope_angles_attr: of position * inverse[i] (rounded to f32, as the models were
 *             trained), times factor
 * rope        in  x a[t w], cos [t half], sin [t half]   out y a[t w]  tl_rope_attr  in place: x
 *             turns pair i of each of the first `heads` heads (of `dim` values) by angle i: the
 *             values i and i + half, or where `interleaved` 2i and 2i + 1.  Other values stay.
 *             Its own gradient, with `back` the other way.
 * sequence_pool  in x a[t d], offsets I32[n + 1]     out y a[n d]      tl_pool_rows_attr
 *             each sequence's first or last row, or the mean of its rows; 0 of an empty one
 * sequence_pool_grad  in dy a[n d], offsets          out dx a[t d]     tl_pool_rows_grad_attr */
typedef struct { bool back; tl_rope_spec spec; } tl_rope_attr;
typedef struct { tl_pooling kind; } tl_pool_rows_attr;
typedef struct { tl_pooling kind; tl_shape shape; /* of dx */ } tl_pool_rows_grad_attr;

/* ---- pointwise -------------------------------------------------------------------------
 * act         in  x                                  out y              tl_act_attr   in place: x
 * act_grad    in  dy, s                              out dx = dy * slope
 *             tl_act_grad_attr: s is y where from_output, else x        in place: dy, s
 * dropout     in  x                                  out y              tl_dropout_attr
 *             also its own gradient (dx = dropout(dy)); tl_dropout_keep below; in place: x
 * glu         in  gate a[.. n], up? a[.. n]          out y a[.. n] = act(gate) * up
 *             Without up, gate is a[.. 2n] and holds both side by side.        tl_act_attr
 * glu_grad    in  dy a[.. n], gate, up?              out dgate, dup as gate, up (dup never
 *             wanted where up is absent)             tl_act_attr
 * add         in  a a[..], b (same shape, or a tail of a's: repeats over leading axes; a's dtype
 *             or f32)                                out y = act(a + b) tl_act_attr
 *             in place: a, b
 * mul         in  a a[..], b (as add)                out y = a * b      in place: a, b
 * scale       in  x                                  out y = x * factor tl_scale_attr in place: x
 * lora_norm   in  w [out in], a [r in], b [out r]    out [out]: 1 / length of each row of
 *             w + factor * b a, 0 where that is 0    tl_scale_attr
 * nf4         in  packed U8[tl_nf4_bytes of the shape]   out w f32[shape], made anew for each
 *             reader (tl_op.again)                   tl_shape_attr: w's shape
 * nf4_rows    in  packed U8, ids I32[..]             out y f32[.. d], as embedding of the table
 *             [v d] that is packed                   tl_shape_attr: the table's shape
 * cast        in  x                                  out y of attr's dtype (f32, bf16) tl_cast_attr
 * fill        no inputs                              out y              tl_fill_attr */
typedef struct { tl_activation act; bool from_output; } tl_act_grad_attr;
typedef struct { float p; uint64_t stream; } tl_dropout_attr;
typedef struct { float factor; } tl_scale_attr;
typedef struct { tl_dtype dtype; } tl_cast_attr;
typedef struct { tl_shape shape; tl_dtype dtype; float value; } tl_fill_attr;

/* Element i of a dropout is kept where lane i % 4 of
 *   tl_rand_block(tick.seed, TL_STREAM(TL_STREAM_DROPOUT, attr.stream), index, lanes)
 * with index = tl_dropout_index(tick.step, i) is >= tl_dropout_bound(p); it is then multiplied
 * by (float)(1 / (1 - (double)p)). */
static inline uint64_t tl_dropout_index(uint64_t step, int64_t i)
{
    return (step << 40) + (uint64_t)i / 4;
}
static inline uint32_t tl_dropout_bound(float p)
{
    return (uint32_t)((double)p * 4294967296.0);
}

/* ---- softmax and losses ----------------------------------------------------------------
 * softmax     in  x a[.. c]                          out y              in place: x
 * softmax_grad  in dy, y       out dx = y (dy - sum(dy y))              in place: dy, y
 * log_softmax in  x a[.. c]                          out y              in place: x
 * log_softmax_grad  in dy, y   out dx = dy - exp(y) sum(dy)             in place: dy, y
 * cross_entropy  in logits a[.. c], target, weight [rows], class_weight? [c]; rows = count / c
 *             out loss (scalar), loss_r [rows]       tl_cross_entropy_attr
 *             target I32 [rows]: class numbers; one outside 0..c-1 makes the row count nothing
 *             (loss_r 0).  target f32 [.. c]: soft.  Each class weighs
 *             q_c = class_weight_c * ((1 - smoothing) * target_c + smoothing / classes);
 *             loss_r = -sum(q_c * log_softmax_c), not weighted by weight; loss = sum(weight_r *
 *             loss_r), skipping rows of weight 0 (their logits may be anything).
 * cross_entropy_grad  in logits, target, weight, class_weight?, dloss (scalar)
 *             out dlogits a[.. c] = dloss * weight_r * (softmax_c * sum(q) - q_c); 0 in rows
 *             that do not count                      tl_cross_entropy_attr    in place: logits
 * token_loss  in  x a[rows d], w [words d], b? [words], target I32 [rows], weight [rows]
 *             out loss (scalar), loss_r [rows], lse [rows], slopes a[rows tl_slope_columns(words)]
 *             tl_token_loss_attr
 *             cross_entropy of x w^T + b, or of cap * tanh of that / cap; a row whose target is
 *             outside or whose weight is 0 makes loss_r and lse 0.  slopes: d loss_r / d score of
 *             the rows that count, in their order, one behind the other; 0 behind them and behind
 *             the last word
 * token_loss_grad  in x, w, b?, target, weight, dloss (scalar), lse, slopes?
 *             out dx a[rows d], dw [words d], db [words]             tl_token_loss_attr
 * mse, mae, huber  in x a[rows cols], target [rows cols], weight [rows]
 *             out loss (scalar) = sum(weight_r * loss_r), loss_r [rows] = mean over columns
 *             tl_huber_attr for huber, none for the others
 * mse_grad, mae_grad, huber_grad  in x, target, weight, dloss (scalar)   out dx a
 *             slope of |e| at 0 is 0                                     in place: x
 * Only output 0 of a loss carries a gradient. */
typedef struct { float smoothing; } tl_cross_entropy_attr;
typedef struct { float cap; /* 0: none */ } tl_token_loss_attr;
static inline int64_t tl_slope_columns(int64_t words) /* whole tiles along k (tiles.h) */
{
    return (words + 31) / 32 * 32;
}
typedef struct { float delta; } tl_huber_attr;

/* ---- shapes ----------------------------------------------------------------------------
 * reshape     in  x any dtype   out y, an alias of x in a plan: no kernel runs    tl_shape_attr
 * concat      in  x0 .. xn-1    out y                                        tl_axis_attr
 * slice       in  x             out y: start, start + step, ...              tl_slice_attr
 * slice_grad  in  dy            out dx: zero elsewhere                       tl_slice_grad_attr
 * transpose   in  x             out y: axis i of y is axis order[i] of x     tl_transpose_attr
 * pad         in  x             out y: zeros around                          tl_pad_attr
 * crop        in  dy            out dx: the inverse of pad                   tl_pad_attr
 * embedding   in  table a[v d], ids I32[..]  out y a[.. d]; an id outside 0..v-1 gives zeros
 * embedding_grad  in dy a[.. d], ids, sum? a[v d]  out dtable a[v d] [+ sum]; ids outside are
 *             skipped                                       tl_shape_attr    in place: sum
 * front_rows  in  x a[t w], front f32[v w], offsets I32[n + 1] (attend.h)   out y a[t + n v, w]:
 *             before each sequence of x the rows of front; sequence s begins at offset s + s v
 * front_rows_grad  in dy, offsets   out dx a[t w], dfront f32[v w]   tl_shape_attr: front's shape
 * count_on    in  x I32[n]          out y I32[n] = x + start + step * place  tl_count_on_attr
 * vote        in  scores f32[n e], classes f32[e]   out y f32[n c]: log((votes + 1/c) / (k + 1))
 *             for the k best entries after `skip`; the first between equals; `near`: the scores are
 *             cosines, and the k votes are shared out by 1 / (1 - score), at most 1e6
 *                                                                            tl_vote_attr
 * forest      in  x f32[n d], node f32[m 6], bits f32[w], root f32[t], base f32[s]  out y f32[n s]
 *             (tensor/forest.h)
 * hog         in  x f32[n h w c]   out y f32[n, features] (tensor/hog.h)         tl_hog_attr
 * reduce_sum, reduce_mean  in x    out y: the axis goes away                 tl_axis_attr
 * reduce_max  in  x    out y, at I32 (index on the axis, first on ties)      tl_axis_attr
 * reduce_max_grad  in dy, at  out dx                                         tl_broadcast_attr
 * broadcast   in  x    out y: a new axis of `count`, values * scale          tl_broadcast_attr
 * sum_tail    in  x a[.. tail], z? a[.. tail]  out y[tail] = sum over leading axes of x, or of
 *             x * z                                                          tl_sum_tail_attr */
typedef struct { int axis; } tl_axis_attr;
typedef struct { int axis; int64_t start, count, step; } tl_slice_attr;
typedef struct { tl_slice_attr slice; tl_shape shape; /* of dx */ } tl_slice_grad_attr;
typedef struct { int order[TL_DIMS]; } tl_transpose_attr;
typedef struct { int64_t before[TL_DIMS], after[TL_DIMS]; } tl_pad_attr;
typedef struct { int axis; int64_t count; float scale; } tl_broadcast_attr;
typedef struct { int64_t start, step; } tl_count_on_attr;
typedef struct { tl_shape shape; tl_dtype dtype; } tl_sum_tail_attr;
#endif
