/* network.c -- see network.h.  Floor 3, train. */
#include "train/network.h"
#include "train/pooled.h"
#include "train/texts.h"

#include <string.h>

bool tl_route_is_baseline(const tl_route *route)
{
    return strcmp(route->decision, "baseline") == 0;
}

tl_status tl_base_network(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, tl_candidate *c)
{
    const tl_status rc = tl_arch_copy(ctx, &base->arch, &c->arch);

    c->prep = base->prep;
    if (rc != TL_OK) return rc;
    c->arch.outputs     = d->classes;
    c->arch.source_head = false;
    c->arch.ask         = tl_ask_of_task(d->task);
    return TL_OK;
}

/* The base's network, or its vectors. */
static tl_status network_of_base(tl_ctx *ctx, const tl_dataset *d, const tl_model *base,
                                 tl_candidate *c, tl_texter **texter)
{
    bool      vectors = false;
    tl_status rc      = TL_OK;

    if (c->route->vectors) TL_TRY(tl_pooled_asked(ctx, d, base, &vectors));
    if (vectors)
        TL_TRY(tl_pooled_text(ctx, d, base, "text-pooled", &c->arch, &c->prep, texter));
    else TL_TRY(tl_base_network(ctx, d, base, c));
done:
    return rc;
}

tl_status tl_route_network(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, tl_candidate *c,
                           tl_schema **columns, tl_texter **texter, bool *made)
{
    const bool baseline = tl_route_is_baseline(c->route);

    *columns = NULL;
    *texter  = NULL;
    *made    = true;
    if (base && (baseline || c->route->needs_base)) c->base = base;
    if (baseline && d->schema) return tl_baseline_table(ctx, d, &c->arch, &c->prep, columns);
    if (baseline && base)
        return tl_pooled_text(ctx, d, base, "text-knn", &c->arch, &c->prep, texter);
    if (baseline && d->text) return tl_baseline_text(ctx, d, &c->arch, &c->prep, texter);
    *made = !baseline && base;
    if (!*made) return TL_OK;
    if (c->route->own_net)
        return tl_student(ctx, &base->arch, &base->prep, d->classes, &c->arch, &c->prep);
    return network_of_base(ctx, d, base, c, texter);
}
