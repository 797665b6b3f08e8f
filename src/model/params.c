/* params.c -- the parameter store: declaring, sealing, and what the optimiser walks over.
 * Floor 2, model. */
#include "model/params.h"
#include "tensor/nf4.h"

#include <assert.h>
#include <string.h>

/* Parameters start at multiples of this many floats: one cache line, one AVX-512 register. */
enum { ALIGN_FLOATS = 16 };
/* More than any network that fits a machine; keeps every sum of counts far from overflow. */
static const int64_t most_floats = (int64_t)1 << 40;

static int64_t aligned(int64_t count)
{
    return (count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

tl_status tl_params_new(tl_ctx *ctx, tl_params **out)
{
    return tl_alloc(ctx, sizeof **out, out);
}

static tl_packed *packed_hold(tl_packed *p)
{
    if (p) atomic_fetch_add(&p->holders, 1);
    return p;
}

static void packed_drop(tl_ctx *ctx, tl_packed *p)
{
    if (!p || atomic_fetch_sub(&p->holders, 1) > 1) return;
    tl_free(ctx, p->data);
    tl_free(ctx, p);
}

static tl_status packed_new(tl_ctx *ctx, size_t bytes, tl_packed **out)
{
    tl_packed *p = NULL;
    tl_status  rc;

    TL_TRY(tl_alloc(ctx, sizeof *p, &p));
    p->holders = 1;
    p->bytes   = bytes;
    TL_TRY(tl_alloc(ctx, bytes, &p->data));
    *out = p;
    p    = NULL;
done:
    packed_drop(ctx, p);
    return rc;
}

void tl_params_free(tl_ctx *ctx, tl_params *params)
{
    if (!params) return;
    packed_drop(ctx, params->packed);
    for (int32_t i = 0; i < params->count; i++) tl_free(ctx, params->param[i].name);
    tl_free(ctx, params->param);
    tl_free(ctx, params->value);
    tl_free(ctx, params);
}

tl_param *tl_params_find(const tl_params *params, const char *name)
{
    for (int32_t i = 0; i < params->count; i++)
        if (strcmp(params->param[i].name, name) == 0) return &params->param[i];
    return NULL;
}

/* Product of the dimensions, or -1 when it is out of range. */
static int64_t counted(const tl_shape *shape)
{
    int64_t count = 1;

    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > most_floats / count) return -1;
        count *= shape->dim[i];
    }
    return count;
}

static tl_status append(tl_ctx *ctx, tl_params *params, const tl_param *like,
                        tl_param **out)
{
    tl_status     rc;
    const int64_t count = counted(&like->shape);
    tl_param     *p;

    if (count < 0 || params->floats > most_floats - aligned(count))
        TL_FAIL(TL_ELIMIT, like->name,
                "the network is far too large (make its layers smaller)");
    if (params->count == params->room) {
        const int32_t room = TL_MAX(64, 2 * params->room);
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *params->param, &params->param));
        params->room = room;
    }
    p  = &params->param[params->count];
    *p = *like;
    TL_TRY(tl_strdup(ctx, like->name, &p->name));
    p->trainable = p->role != TL_ROLE_STATE && !p->packed;
    p->lr_scale  = 1.0f;
    p->at        = p->packed ? (int64_t)params->packed_bytes : params->floats;
    p->count     = count;
    if (p->packed) params->packed_bytes += (tl_nf4_bytes(count) + 63) / 64 * 64;
    else params->floats += aligned(count);
    params->count++;
    *out = p;
done:
    return rc;
}

tl_status tl_params_declare(tl_ctx *ctx, tl_params *params, const tl_param *like,
                            tl_param **out)
{
    tl_param *old = tl_params_find(params, like->name);
    char      here[96], there[96];

    *out = NULL;
    if (!old && !params->sealed) return append(ctx, params, like, out);
    if (!old)
        return tl_fail(ctx, TL_EUSAGE, like->name,
                       "this network holds no such parameter");
    if (!tl_shape_equal(&old->shape, &like->shape))
        return tl_fail(ctx, TL_EUSAGE, like->name, "is %s here and %s in the network",
                       tl_say_shape(&like->shape, here),
                       tl_say_shape(&old->shape, there));
    *out = old;
    return TL_OK;
}

bool tl_params_have_state(const tl_params *params)
{
    for (int32_t i = 0; i < params->count; i++)
        if (params->param[i].role == TL_ROLE_STATE) return true;
    return false;
}

tl_status tl_params_seal(tl_ctx *ctx, tl_params *params)
{
    tl_status rc = tl_alloc_array(ctx, (size_t)TL_MAX(params->floats, (int64_t)1),
                                  sizeof *params->value, &params->value);

    if (rc == TL_OK) params->sealed = true;
    return rc;
}

float *tl_params_value(const tl_params *params, const tl_param *p)
{
    assert(!p->packed);
    return params->value + p->at;
}

void *tl_params_place(const tl_params *params, const tl_param *p)
{
    if (!p->packed) return params->value + p->at;
    return params->packed ? params->packed->data + p->at : NULL;
}

void tl_params_read(const tl_params *params, const tl_param *p, float *to)
{
    if (p->packed) tl_nf4_unpack(tl_params_place(params, p), p->count, 0, p->count, to);
    else memcpy(to, tl_params_value(params, p), (size_t)p->count * sizeof *to);
}

tl_status tl_params_write(tl_ctx *ctx, tl_params *params, const tl_param *p, const float *from)
{
    tl_status rc = TL_OK;

    if (!p->packed) {
        memcpy(tl_params_value(params, p), from, (size_t)p->count * sizeof *from);
        return TL_OK;
    }
    if (!params->packed) TL_TRY(packed_new(ctx, params->packed_bytes, &params->packed));
    tl_nf4_pack(from, p->count, tl_params_place(params, p));
done:
    return rc;
}

/* Do the packed parameters of both lie alike? */
static bool packed_alike(const tl_params *a, const tl_params *b)
{
    if (a->packed_bytes != b->packed_bytes) return false;
    for (int32_t i = 0; i < a->count; i++) {
        const tl_param *p = &a->param[i], *q = p->packed ? tl_params_find(b, p->name) : NULL;
        if (p->packed && (!q || !q->packed || q->at != p->at || q->count != p->count))
            return false;
    }
    return true;
}

tl_status tl_params_take(tl_ctx *ctx, tl_params *to, const tl_param *p, const tl_params *from,
                         const tl_param *q)
{
    tl_status rc = TL_OK;

    if (!q->packed) return tl_params_write(ctx, to, p, tl_params_value(from, q));
    if (!p->packed) {
        tl_params_read(from, q, tl_params_value(to, p));
        return TL_OK;
    }
    if (!to->packed && packed_alike(to, from)) to->packed = packed_hold(from->packed);
    if (to->packed == from->packed) return TL_OK;
    if (!to->packed) TL_TRY(packed_new(ctx, to->packed_bytes, &to->packed));
    memcpy(tl_params_place(to, p), tl_params_place(from, q), tl_nf4_bytes(p->count));
done:
    return rc;
}

int64_t tl_params_numel(const tl_params *params, bool trainable_only)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (p->role != TL_ROLE_STATE && (p->trainable || !trainable_only))
            sum += p->count;
    }
    return sum;
}

tl_status tl_params_copy(tl_ctx *ctx, const tl_params *from, tl_params **out)
{
    tl_status  rc;
    tl_params *to = NULL;
    tl_param  *made;

    *out = NULL;
    TL_TRY(tl_params_new(ctx, &to));
    for (int32_t i = 0; i < from->count; i++) {
        TL_TRY(append(ctx, to, &from->param[i], &made));
        made->trainable = from->param[i].trainable;
        made->lr_scale  = from->param[i].lr_scale;
    }
    if (from->sealed) {
        TL_TRY(tl_params_seal(ctx, to));
        memcpy(to->value, from->value, (size_t)from->floats * sizeof *from->value);
        to->packed = packed_hold(from->packed);
    }
    *out = to;
    to   = NULL;
done:
    tl_params_free(ctx, to);
    return rc;
}

static bool trained(const tl_param *p)
{
    return p->trainable && p->role != TL_ROLE_STATE && !p->packed;
}

static bool decays(const tl_param *p)
{
    return p->role == TL_ROLE_WEIGHT || p->role == TL_ROLE_EMBED;
}

int64_t tl_params_grad_at(const tl_params *params, const tl_param *p)
{
    int64_t at = 0;

    if (!trained(p)) return -1;
    for (const tl_param *q = params->param; q < p; q++)
        if (trained(q)) at += aligned(q->count);
    return at;
}

static tl_span span_of(const tl_param *p, int64_t grad_at)
{
    const int64_t rows = decays(p) && p->shape.ndim > 1 ? p->shape.dim[0] : 1;

    return (tl_span){ .at       = p->at,
                      .grad_at  = grad_at,
                      .count    = p->count,
                      .lr_scale = p->lr_scale,
                      .decay    = decays(p),
                      .rows     = rows,
                      .cols     = p->count / rows,
                      .head     = p->head };
}

/* Neighbours with one rate and one decay rule become one span, over the zero gap between. */
tl_status tl_params_spans(tl_ctx *ctx, const tl_params *params, bool apart,
                          tl_span **spans, int32_t *count, int64_t *grad_floats)
{
    tl_status rc;
    tl_span  *made = NULL;
    int32_t   n = 0;
    int64_t   grad_at = 0;

    *spans = NULL;
    *count = 0;
    *grad_floats = 0;
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(params->count, 1), sizeof *made, &made));
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (!trained(p)) continue;
        tl_span *last = n ? &made[n - 1] : NULL;
        if (!apart && last && last->at + aligned(last->count) == p->at &&
            last->lr_scale == p->lr_scale && last->decay == decays(p))
            last->count = p->at + p->count - last->at;
        else
            made[n++] = span_of(p, grad_at);
        if (!apart) made[n - 1].rows = 1, made[n - 1].cols = made[n - 1].count;
        grad_at += aligned(p->count);
    }
    *spans       = made;
    *count       = n;
    *grad_floats = grad_at;
done:
    return rc;
}
