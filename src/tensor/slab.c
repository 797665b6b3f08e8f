/* slab.c -- the memory that several plans take in turn.  Floor 1, tensor. */
#include "tensor/plan_inside.h"

tl_status tl_slab_new(tl_ctx *ctx, const tl_backend *backend, tl_slab **out)
{
    tl_slab  *slab = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *slab, &slab));
    slab->ctx     = ctx;
    slab->backend = backend;
    TL_TRY(tl_shelf_new(ctx, &slab->shelf));
    *out = slab;
    slab = NULL;
done:
    tl_slab_free(ctx, slab);
    return rc;
}

void tl_slab_free(tl_ctx *ctx, tl_slab *slab)
{
    if (!slab) return;
    for (tl_plan *p = slab->plans; p; p = p->next) p->slab = NULL;
    if (slab->base) slab->backend->free(ctx, slab->base);
    tl_shelf_free(ctx, slab->shelf);
    tl_free(ctx, slab);
}

static size_t need_of(const tl_slab *slab)
{
    size_t need = 0;

    for (const tl_plan *p = slab->plans; p; p = p->next)
        need = TL_MAX(need, p->value_bytes + p->kept_bytes);
    return need;
}

size_t tl_slab_bytes(const tl_slab *slab)
{
    return TL_MAX(need_of(slab), slab->room);
}

tl_status tl_slab_ready(tl_ctx *ctx, tl_slab *slab)
{
    const size_t need = TL_MAX(need_of(slab), (size_t)1);
    tl_status    rc;

    if (slab->base && slab->room >= need) return TL_OK;
    if (slab->base) slab->backend->free(ctx, slab->base);
    slab->base = NULL;
    slab->room = 0;
    rc = slab->backend->alloc(ctx, need, &slab->base);
    if (rc == TL_OK) slab->room = need;
    return rc;
}
