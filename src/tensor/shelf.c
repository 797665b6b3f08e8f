/* shelf.c -- see shelf.h.  Floor 1, tensor. */
#include "tensor/shelf.h"

struct tl_shelf {
    tl_copy *copies;
};

tl_status tl_shelf_new(tl_ctx *ctx, tl_shelf **out)
{
    return tl_alloc(ctx, sizeof **out, out);
}

void tl_shelf_free(tl_ctx *ctx, tl_shelf *shelf)
{
    if (!shelf) return;
    for (tl_copy *c = shelf->copies; c; c = c->next) c->shelf = NULL;
    tl_free(ctx, shelf);
}

tl_status tl_copy_take(tl_ctx *ctx, tl_shelf *shelf, const void *of, uint64_t form, size_t bytes,
                       tl_copy **out)
{
    tl_copy  *c = shelf->copies;
    tl_status rc;

    while (c && (c->of != of || c->form != form || c->bytes != bytes)) c = c->next;
    *out = c;
    if (c) {
        c->hands++;
        return TL_OK;
    }
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    TL_TRY(tl_alloc(ctx, bytes, &c->data));
    c->of          = of;
    c->form        = form;
    c->bytes       = bytes;
    c->fresh       = true;
    c->hands       = 1;
    c->shelf       = shelf;
    c->next        = shelf->copies;
    shelf->copies  = c;
    *out           = c;
    c              = NULL;
done:
    tl_free(ctx, c);
    return rc;
}

void tl_copy_drop(tl_ctx *ctx, tl_copy *copy)
{
    if (!copy || --copy->hands > 0) return;
    for (tl_copy **p = copy->shelf ? &copy->shelf->copies : NULL; p && *p; p = &(*p)->next)
        if (*p == copy) {
            *p = copy->next;
            break;
        }
    tl_free(ctx, copy->data);
    tl_free(ctx, copy);
}
