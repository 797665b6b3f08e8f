/* kernels.h -- what the kernel files of this room share: their lists, and how a kernel finds
 * its loops, rows and pieces.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_KERNELS_H
#define TL_BACKEND_CPU_KERNELS_H
#include "backend/cpu/simd.h"
#include "core/par.h"
#include "tensor/attrs.h"
#include "tensor/backend.h"

#include <string.h>

/* Each file of kernels gives one list; cpu.c joins them in this order of preference. */
typedef struct {
    const tl_kernel *kernel;
    size_t           count;
} tl_kernel_list;
extern const tl_kernel_list tl_cpu_small, tl_cpu_onednn, tl_cpu_conv_dw, tl_cpu_dense,
    tl_cpu_conv, tl_cpu_pointwise, tl_cpu_norms, tl_cpu_group_norm, tl_cpu_attention,
    tl_cpu_rows, tl_cpu_forest, tl_cpu_hog, tl_cpu_pools, tl_cpu_moves, tl_cpu_tokens,
    tl_cpu_token_loss, tl_cpu_lora_norm, tl_cpu_tiles, tl_cpu_sgemm, tl_cpu_small_token_loss,
    tl_cpu_token_loss_onednn, tl_cpu_token_loss_tiles, tl_cpu_nf4,
    tl_cpu_sequence_pool, tl_cpu_conv_dw_tiles, tl_cpu_conv_dw_window,
    tl_cpu_conv_dx_tiles;

enum {
    TL_PIECE = 4096
}; /* elements of a flat piece: the unit that work is cut into      */

/* prepare of kernels that need nothing but their loops: state is the table, not owned. */
tl_status tl_cpu_ready(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes);
static inline const tl_simd *tl_loops(const tl_call *call)
{
    return call->state;
}

/* In prepare: f32 or bf16?  A kernel that sees another type passes (TL_EUSAGE). */
static inline bool tl_is_real(const tl_view *v)
{
    return v->dtype == TL_F32 || v->dtype == TL_BF16;
}
static inline bool tl_is_bf(const tl_view *v)
{
    return v->dtype == TL_BF16;
}
static inline int64_t tl_count(const tl_view *v)
{
    return tl_shape_count(&v->shape);
}
static inline int64_t tl_columns(const tl_view *v) /* of the last axis */
{
    return v->shape.ndim ? v->shape.dim[v->shape.ndim - 1] : 1;
}
static inline int64_t tl_rows(const tl_view *v) /* of everything before it */
{
    return tl_count(v) / tl_columns(v);
}
/* Is input 1 a parameter that no run of this plan changes?  Then its copy may lie on the shelf. */
static inline bool tl_is_frozen_weight(const tl_graph *g, const tl_call *call)
{
    return call->constant >> 1 & 1 && tl_graph_info(g, call->node->in[1])->kind == TL_PARAM;
}
/* In run: *copy (NULL before the first) is one of input 1 as prepare asked for it; *stale: it is
 * to be made (again) from the weights as they are now. */
tl_status tl_weights_copy(tl_ctx *ctx, const tl_call *call, tl_copy **copy, bool *stale);
/* Address of element i; NULL stays NULL. */
static inline void *tl_place(const tl_view *v, int64_t i)
{
    return v->data ? (char *)v->data + (size_t)i * tl_dtype_bytes(v->dtype) : NULL;
}
static inline void tl_clear(const tl_view *v) /* where it is wanted */
{
    if (v->data) memset(v->data, 0, (size_t)tl_count(v) * tl_dtype_bytes(v->dtype));
}
static inline size_t tl_padded(size_t bytes) /* to whole cache lines */
{
    return (bytes + 63) / 64 * 64;
}

/* Rows are summed in pieces of tl_piece_rows(c) whatever the threads; the pieces' sums are
 * then added in order. */
static inline int64_t tl_piece_rows(int64_t c)
{
    return TL_MAX(16, TL_MIN(1024, 65536 / TL_MAX(c, 1) / 4 * 4));
}
static inline int64_t tl_pieces(int64_t rows, int64_t c)
{
    return (rows + tl_piece_rows(c) - 1) / tl_piece_rows(c);
}
/* Column sums of x (times z where given) into out[c]; work: tl_column_work(rows, c) bytes. */
size_t tl_column_work(int64_t rows, int64_t c);
void   tl_column_sums(const tl_simd *loops, int threads, int64_t rows, int64_t c,
                      const tl_view *x, const tl_view *z, void *work, float *out);
/* out[j] = sum over pieces p of part[p * stride + j], in double, pieces in order. */
void tl_add_pieces(int threads, int64_t pieces, int64_t stride, int64_t c,
                   const float *part, float *out);
#endif
