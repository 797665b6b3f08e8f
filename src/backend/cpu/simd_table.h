/* simd_table.h -- all bodies and the table of them; included by each simd_*.c, which names the
 * table.  Floor 1, backend/cpu. */
#include "backend/cpu/body_attend.h"
#include "backend/cpu/body_depthwise.h"
#include "backend/cpu/body_dropout.h"
#include "backend/cpu/body_gemm.h"
#include "backend/cpu/body_loss.h"
#include "backend/cpu/body_norm.h"
#include "backend/cpu/body_pairs.h"
#include "backend/cpu/body_pointwise.h"
#include "backend/cpu/body_pool.h"
#include "backend/cpu/body_rms.h"
#include "backend/cpu/body_rope.h"
#include "backend/cpu/body_rows.h"
#include "backend/cpu/body_token_loss.h"
#include "backend/cpu/simd.h"

const tl_simd SIMD_TABLE = {
    .name            = SIMD_NAME,
    .lanes           = VL,
    .act             = body_act,
    .act_grad        = body_act_grad,
    .add             = body_add,
    .mul             = body_mul,
    .scale           = body_scale,
    .clear_far       = body_clear_far,
    .cast            = body_cast,
    .dropout         = body_dropout,
    .glu             = body_glu,
    .glu_grad        = body_glu_grad,
    .rope            = body_rope,
    .stats           = body_stats,
    .affine          = body_affine,
    .norm_sums       = body_norm_sums,
    .norm_apply      = body_norm_apply,
    .column_sums     = body_column_sums,
    .layer_norm      = body_layer_norm,
    .layer_norm_grad = body_layer_norm_grad,
    .rms_norm        = body_rms_norm,
    .rms_norm_grad   = body_rms_norm_grad,
    .softmax         = body_softmax,
    .softmax_grad    = body_softmax_grad,
    .loss            = body_loss,
    .loss_grad       = body_loss_grad,
    .max_pool        = body_max_pool,
    .max_pool_grad   = body_max_pool_grad,
    .avg_pool        = body_avg_pool,
    .avg_pool_grad   = body_avg_pool_grad,
    .depthwise       = body_depthwise,
    .depthwise_dx    = body_depthwise_dx,
    .depthwise_dw    = body_depthwise_dw,
    .dot             = body_dot,
    .outer           = body_outer,
    .outer_tiles     = body_outer_tiles,
    .turn            = body_turn,
    .pair            = body_pair,
    .turn_halves     = body_turn_halves,
    .attend          = body_attend,
    .attend_grad     = body_attend_grad,
    .token_loss      = body_token_loss,
    .token_loss_dw   = body_token_loss_dw,
    .token_loss_dx   = body_token_loss_dx,
    .token_sum       = body_token_sum,
    .token_pull      = body_token_pull,
    .fma_loop        = body_fma_loop,
};
