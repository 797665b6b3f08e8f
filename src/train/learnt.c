/* learnt.c -- see learnt.h.  Floor 3, train. */
#include "train/learnt.h"

#include "train/trainer.h"

#include <string.h>

/* Where the block's next parameter begins; what is packed has no place in the block. */
static int64_t end_of(const tl_params *params, int32_t i)
{
    while (++i < params->count)
        if (!params->param[i].packed) return params->param[i].at;
    return params->floats;
}

/* The gap behind a parameter holds zeros and goes along, so that neighbours are one piece. */
static void add(tl_learnt *l, const tl_params *params, int32_t i)
{
    const size_t at    = (size_t)params->param[i].at * sizeof(float);
    const size_t bytes = (size_t)end_of(params, i) * sizeof(float) - at;
    tl_piece    *last  = l->pieces ? &l->piece[l->pieces - 1] : NULL;

    if (last && last->at + last->bytes == at) last->bytes += bytes;
    else l->piece[l->pieces++] = (tl_piece){ at, bytes };
    l->bytes += bytes;
}

/* Of one phase; pretraining goes through all of the body, whatever is trained after it. */
static void mark(const tl_run_spec *spec, tl_params *params, int phase, bool *moves)
{
    const tl_phase p = tl_run_phase(spec, params, phase);

    tl_train_select(params, &p, &spec->candidate.hyper);
    for (int32_t i = 0; i < params->count; i++)
        moves[i] |= p.pretrained || params->param[i].trainable ||
                    params->param[i].role == TL_ROLE_STATE;
}

tl_status tl_learnt_of(tl_ctx *ctx, const tl_run_spec *spec, tl_params *params, tl_learnt *out)
{
    bool     *moves = NULL;
    tl_status rc;

    *out = (tl_learnt){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)params->count, sizeof *moves, &moves));
    TL_TRY(tl_alloc_array(ctx, (size_t)params->count, sizeof *out->piece, &out->piece));
    for (int i = 0; i < tl_run_phases(spec, params); i++) mark(spec, params, i, moves);
    for (int32_t i = 0; i < params->count; i++)
        if (moves[i] && !params->param[i].packed) add(out, params, i);
done:
    tl_free(ctx, moves);
    return rc;
}

tl_status tl_learnt_whole(tl_ctx *ctx, const tl_params *params, tl_learnt *out)
{
    tl_status rc;

    *out = (tl_learnt){ 0 };
    TL_TRY(tl_alloc(ctx, sizeof *out->piece, &out->piece));
    out->pieces   = 1;
    out->bytes    = (size_t)params->floats * sizeof(float);
    out->piece[0] = (tl_piece){ 0, out->bytes };
done:
    return rc;
}

void tl_learnt_free(tl_ctx *ctx, tl_learnt *l)
{
    tl_free(ctx, l->piece);
    *l = (tl_learnt){ 0 };
}

void tl_learnt_keep(const tl_learnt *l, const float *block, void *copy)
{
    const uint8_t *from = (const uint8_t *)block;
    uint8_t       *to   = copy;

    for (size_t i = 0; i < l->pieces; to += l->piece[i++].bytes)
        memcpy(to, from + l->piece[i].at, l->piece[i].bytes);
}

void tl_learnt_give(const tl_learnt *l, const void *copy, float *block)
{
    const uint8_t *from = copy;
    uint8_t       *to   = (uint8_t *)block;

    for (size_t i = 0; i < l->pieces; from += l->piece[i++].bytes)
        memcpy(to + l->piece[i].at, from, l->piece[i].bytes);
}
