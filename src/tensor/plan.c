/* plan.c -- binding and running a plan.  The slab is taken before the first node of the first
 * run; after that one, running allocates nothing.  Floor 1, tensor. */
#include "core/machine.h"
#include "tensor/plan_inside.h"
#include "tensor/layout.h"

#include <math.h>
#include <string.h>

static void leave_slab(tl_plan *plan)
{
    if (!plan->slab) return;
    for (tl_plan **p = &plan->slab->plans; *p; p = &(*p)->next)
        if (*p == plan) {
            *p = plan->next;
            break;
        }
}

void tl_plan_free(tl_ctx *ctx, tl_plan *plan)
{
    if (!plan) return;
    for (int32_t i = 0; i < plan->steps; i++) {
        tl_step *s = &plan->step[i];
        if (s->ready && s->kernel->release) s->kernel->release(ctx, &s->call);
    }
    leave_slab(plan);
    if (plan->own_slab) tl_slab_free(ctx, plan->slab);
    tl_free(ctx, plan->wanted);
    tl_free(ctx, plan->constant);
    tl_free(ctx, plan->store_at);
    tl_free(ctx, plan->store);
    tl_free(ctx, plan->step);
    tl_free(ctx, plan->ended);
    tl_free(ctx, plan);
}

static bool is_kept(const tl_plan *plan, int32_t s)
{
    return plan->store[s].into == s && plan->store[s].kept;
}

static size_t rounded(size_t bytes)
{
    return (bytes + TL_SLAB_ALIGN - 1) / TL_SLAB_ALIGN * TL_SLAB_ALIGN;
}

size_t tl_plan_bytes(const tl_plan *plan)
{
    size_t bytes = plan->value_bytes + plan->held_bytes;

    for (int32_t s = 0; s < plan->stores; s++)
        if (is_kept(plan, s) && !plan->store[s].gradient && !plan->store[s].bound)
            bytes += rounded(plan->store[s].bytes);
    return bytes;
}

tl_status tl_plan_bind(tl_ctx *ctx, tl_plan *plan, tl_tensor t, void *data)
{
    const tl_tensor_info *info = tl_graph_info(plan->g, t);
    const int32_t         s    = t >= 1 && t <= plan->tensors ? tl_plan_store(plan, t) : -1;

    if (t < 1 || t > plan->tensors || (info->kind == TL_VALUE && !info->keep))
        return tl_fail(ctx, TL_EUSAGE, "plan", "tensor %d cannot be bound (inputs, parameters, "
                       "states and kept outputs can)", t);
    if (s < 0 || plan->store[s].bound == data) return TL_OK; /* s < 0: nobody reads it */
    plan->store[s].bound = data;
    plan->dirty          = true;
    if (info->kind == TL_PARAM) plan->weights_changed = true;
    return TL_OK;
}

static void *place_of(const tl_plan *plan, tl_tensor t)
{
    const int32_t      at = t ? tl_plan_store(plan, t) : -1;
    const tl_store_of *s  = at >= 0 ? &plan->store[at] : NULL;

    if (!s) return NULL;
    if (s->bound || s->fixed) return s->bound;
    return plan->slab->base ? (char *)plan->slab->base + s->at : NULL;
}

void *tl_plan_data(tl_plan *plan, tl_tensor t)
{
    const tl_tensor_info *info = tl_graph_info(plan->g, t);

    if (t < 1 || t > plan->tensors || (info->kind == TL_VALUE && !info->keep)) return NULL;
    return place_of(plan, t);
}

void tl_plan_weights_changed(tl_plan *plan)
{
    plan->weights_changed = true;
}

/* Kept outputs that are not bound get a place behind the values. */
static void place_kept(tl_plan *plan)
{
    plan->kept_bytes = 0;
    for (int32_t s = 0; s < plan->stores; s++) {
        if (!is_kept(plan, s) || plan->store[s].bound) continue;
        plan->store[s].at = plan->value_bytes + plan->kept_bytes;
        plan->kept_bytes += rounded(plan->store[s].bytes);
    }
}

static tl_status all_bound(tl_ctx *ctx, const tl_plan *plan)
{
    for (int32_t i = 0; i < plan->stores; i++) {
        const tl_store_of *s = &plan->store[i];
        if (s->into != i || !s->fixed || s->bound) continue;
        const char *name = tl_graph_info(plan->g, s->fixed)->name;
        return tl_fail(ctx, TL_EUSAGE, "plan", "'%s' is not bound (tl_plan_bind it before the run)",
                       name ? name : "an input");
    }
    return TL_OK;
}

static void point_views(tl_plan *plan)
{
    for (int32_t i = 0; i < plan->steps; i++) {
        tl_step       *s = &plan->step[i];
        const tl_node *n = s->call.node;
        for (int k = 0; k < n->n_in; k++) s->call.in[k].data = place_of(plan, n->in[k]);
        for (int k = 0; k < n->n_out; k++)
            s->call.out[k].data = s->call.wanted >> k & 1 ? place_of(plan, n->out[k]) : NULL;
        s->call.shelf = plan->slab->shelf;
        s->call.work = s->work_bytes ? (char *)plan->slab->base + s->work_at : NULL;
    }
}

static tl_status make_ready(tl_ctx *ctx, tl_plan *plan)
{
    tl_status rc;

    if (plan->dirty) {
        TL_TRY(all_bound(ctx, plan));
        place_kept(plan);
    }
    TL_TRY(tl_slab_ready(ctx, plan->slab));
    if (plan->dirty || plan->seen_base != plan->slab->base) point_views(plan);
    plan->seen_base = plan->slab->base;
    plan->dirty     = false;
    if (plan->told_changed != plan->weights_changed)
        for (int32_t i = 0; i < plan->steps; i++)
            plan->step[i].call.weights_changed = plan->weights_changed;
    plan->told_changed = plan->weights_changed;
done:
    return rc;
}

static tl_status run_step(tl_ctx *ctx, const tl_step *s)
{
    if (s->kernel) return s->kernel->run(ctx, &s->call);
    s->call.node->op->ref(&s->call);
    return TL_OK;
}

static tl_status run_timed(tl_ctx *ctx, tl_step *s)
{
    const double    start = tl_time_s();
    const tl_status rc    = run_step(ctx, s);

    s->seconds += tl_time_s() - start;
    s->calls++;
    return rc;
}

static bool stop_at_once(const tl_ctx *ctx)
{
    return atomic_load_explicit(&ctx->world->cancel, memory_order_relaxed) >= 2;
}

tl_status tl_plan_run(tl_ctx *ctx, tl_plan *plan, tl_tick tick)
{
    const unsigned long mode = tl_float_flush();   /* also of threads that a library starts */
    tl_status           rc;

    TL_TRY(make_ready(ctx, plan));
    plan->tick = tick;
    for (int32_t i = 0; i < plan->steps; i++) {
        if (stop_at_once(ctx)) TL_FAIL(TL_ECANCEL, "", "interrupted");
        if (plan->step[i].once && !plan->weights_changed) continue;
        TL_TRY(plan->profile ? run_timed(ctx, &plan->step[i]) : run_step(ctx, &plan->step[i]));
    }
    plan->weights_changed = false;
done:
    tl_float_mode(mode);
    return rc;
}

static tl_status has_nan(tl_ctx *ctx, const tl_plan *plan, const tl_view *v, bool *found)
{
    enum { PIECE = 1024 };
    float        piece[PIECE];
    const size_t size  = tl_dtype_bytes(v->dtype);
    const size_t count = (size_t)tl_shape_count(&v->shape);

    *found = false;
    if (!v->data || (v->dtype != TL_F32 && v->dtype != TL_BF16)) return TL_OK;
    for (size_t at = 0; at < count && !*found; at += PIECE) {
        const size_t    n  = TL_MIN(count - at, (size_t)PIECE);
        const tl_view   p  = { .data = piece, .dtype = v->dtype };
        const tl_status rc = plan->backend->to_host(ctx, piece, (char *)v->data + at * size,
                                                    n * size);
        if (rc != TL_OK) return rc;
        for (size_t i = 0; i < n; i++) *found |= !isfinite(tl_view_get(&p, (int64_t)i));
    }
    return TL_OK;
}

tl_status tl_plan_find_nan(tl_ctx *ctx, tl_plan *plan, tl_tick tick, const tl_node **out)
{
    tl_status rc;
    bool      found = false;

    *out = NULL;
    TL_TRY(make_ready(ctx, plan));
    plan->tick = tick;
    for (int32_t i = 0; i < plan->steps && !found; i++) {
        const tl_step *s = &plan->step[i];
        TL_TRY(run_step(ctx, s));
        for (int k = 0; k < s->call.node->n_out && !found; k++)
            TL_TRY(has_nan(ctx, plan, &s->call.out[k], &found));
        if (found) *out = s->call.node;
    }
done:
    return rc;
}

void tl_plan_profile(tl_plan *plan, bool on)
{
    plan->profile = on;
}

static double view_bytes(const tl_view *v)
{
    return (double)tl_shape_count(&v->shape) * (double)tl_dtype_bytes(v->dtype);
}

static double bytes_moved(const tl_call *c)
{
    double bytes = 0.0;

    for (int k = 0; k < c->node->n_in; k++)
        if (c->node->in[k]) bytes += view_bytes(&c->in[k]);
    for (int k = 0; k < c->node->n_out; k++)
        if (c->wanted >> k & 1) bytes += view_bytes(&c->out[k]);
    return bytes;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One row for an op in a layer. */
size_t tl_plan_profile_rows(const tl_plan *plan, tl_op_time *rows, size_t most)
{
    size_t count = 0;

    for (int32_t i = 0; i < plan->steps; i++) {
        const tl_step *s  = &plan->step[i];
        const tl_node *n  = s->call.node;
        size_t         at = 0;
        while (at < count && !(rows[at].op == n->op->name && same_name(rows[at].layer, n->layer)))
            at++;
        if (s->calls == 0 || at == most) continue;
        if (at == count) rows[count++] = (tl_op_time){ .op = n->op->name, .layer = n->layer };
        rows[at].calls += s->calls;
        rows[at].seconds += s->seconds;
        rows[at].bytes += (double)s->calls * bytes_moved(&s->call);
        if (n->op->flops) rows[at].flops += (double)s->calls * n->op->flops(plan->g, n);
    }
    return count;
}
