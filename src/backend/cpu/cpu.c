/* cpu.c -- the record of the cpu backend and what its kernels share.  Floor 1, backend/cpu. */
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"

#include <string.h>

static const tl_kernel_list *const lists[] = {
#ifndef TAILOR_PORTABLE
    &tl_cpu_small,      &tl_cpu_tiles,     &tl_cpu_sgemm,     &tl_cpu_conv_dx_tiles,
    &tl_cpu_onednn,     &tl_cpu_conv_dw_window, &tl_cpu_conv_dw_tiles, &tl_cpu_conv_dw,
    &tl_cpu_small_token_loss, &tl_cpu_token_loss_tiles, &tl_cpu_token_loss_onednn,
#endif
    &tl_cpu_dense,      &tl_cpu_conv,      &tl_cpu_pointwise, &tl_cpu_norms,
    &tl_cpu_group_norm, &tl_cpu_rows,      &tl_cpu_forest,    &tl_cpu_hog,
    &tl_cpu_pools,      &tl_cpu_moves,     &tl_cpu_tokens,    &tl_cpu_attention,
    &tl_cpu_token_loss, &tl_cpu_lora_norm,  &tl_cpu_nf4,
    &tl_cpu_sequence_pool,
};

static const tl_kernel *kernel_at(size_t i)
{
    for (size_t k = 0; k < TL_COUNT(lists); k++) {
        if (i < lists[k]->count) return &lists[k]->kernel[i];
        i -= lists[k]->count;
    }
    return NULL;
}

static tl_status host_alloc(tl_ctx *ctx, size_t bytes, void **out)
{
    return tl_alloc(ctx, bytes, out);
}

static void host_free(tl_ctx *ctx, void *block)
{
    tl_free(ctx, block);
}

static tl_status host_copy(tl_ctx *ctx, void *to, const void *from, size_t bytes)
{
    (void)ctx;
    memcpy(to, from, bytes);
    return TL_OK;
}

const tl_backend tl_backend_cpu = {
    .name        = "cpu",
    .doc         = "this machine's processor: oneDNN and own vector loops, all cores",
    .kernel_at   = kernel_at,
    .alloc       = host_alloc,
    .free        = host_free,
    .to_device   = host_copy,
    .to_host     = host_copy,
    .host_memory = true,
};

tl_status tl_weights_copy(tl_ctx *ctx, const tl_call *call, tl_copy **copy, bool *stale)
{
    const void *w  = call->in[1].data;
    tl_status   rc = TL_OK;

    if (*copy && (*copy)->of != w) {
        tl_copy_drop(ctx, *copy);
        *copy = NULL;
    }
    if (!*copy)
        TL_TRY(tl_copy_take(ctx, call->shelf, w, call->copy_form, call->copy_bytes, copy));
    *stale = (*copy)->fresh || call->weights_changed;
done:
    return rc;
}

tl_status tl_cpu_ready(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    *work_bytes = 0;
    for (int i = 0; i < call->node->n_in; i++)
        if (i == 0 && !tl_is_real(&call->in[i])) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tl_simd_best();
    return TL_OK;
}

typedef struct {
    const tl_simd *loops;
    const tl_view *x, *z;
    int64_t        rows, c;
    float         *part;
} columns;

static void column_pieces(void *arg, int64_t low, int64_t high)
{
    const columns *k     = arg;
    const int64_t  piece = tl_piece_rows(k->c);

    for (int64_t p = low; p < high; p++)
        k->loops->column_sums(TL_MIN(piece, k->rows - p * piece), k->c,
                              tl_place(k->x, p * piece * k->c),
                              k->z ? tl_place(k->z, p * piece * k->c) : NULL,
                              tl_is_bf(k->x), k->part + p * k->c);
}

size_t tl_column_work(int64_t rows, int64_t c)
{
    return (size_t)(tl_pieces(rows, c) * c) * sizeof(float);
}

void tl_column_sums(const tl_simd *loops, int threads, int64_t rows, int64_t c,
                    const tl_view *x, const tl_view *z, void *work, float *out)
{
    columns       k      = { loops, x, z, rows, c, work };
    const int64_t pieces = tl_pieces(rows, c);

    if (pieces == 1) k.part = out;
    tl_par_for(threads, pieces, 1, column_pieces, &k);
    if (pieces > 1) tl_add_pieces(threads, pieces, c, c, work, out);
}

typedef struct {
    int64_t      pieces, stride;
    const float *part;
    float       *out;
} adding;

static void add_columns(void *arg, int64_t low, int64_t high)
{
    const adding *k = arg;

    for (int64_t j = low; j < high; j++) {
        double sum = 0.0;
        for (int64_t p = 0; p < k->pieces; p++) sum += (double)k->part[p * k->stride + j];
        k->out[j] = (float)sum;
    }
}

void tl_add_pieces(int threads, int64_t pieces, int64_t stride, int64_t c,
                   const float *part, float *out)
{
    adding k = { pieces, stride, part, out };

    tl_par_for(threads, c, TL_MAX(16, 16384 / pieces), add_columns, &k);
}
