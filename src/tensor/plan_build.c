/* plan_build.c -- a graph made ready: which nodes are needed, which tensors share memory, which
 * kernels run, and where everything lies.  Floor 1, tensor. */
#include "tensor/graph_inside.h"
#include "tensor/layout.h"
#include "tensor/plan_inside.h"

#include <string.h>

int32_t tl_plan_store(const tl_plan *plan, tl_tensor t)
{
    int32_t s = plan->store_at[t];

    while (s >= 0 && plan->store[s].into != s) s = plan->store[s].into;
    return s;
}

static size_t bytes_of(const tl_tensor_info *t)
{
    return (size_t)tl_shape_count(&t->shape) * tl_dtype_bytes(t->dtype);
}

static bool node_wanted(const tl_plan *plan, const tl_node *n)
{
    for (int k = 0; k < n->n_out; k++)
        if (plan->wanted[n->out[k]]) return true;
    return false;
}

/* From kept tensors back: a gradient that nobody asked for is not computed. */
static void mark_wanted(tl_plan *plan)
{
    for (tl_tensor t = 1; t <= plan->tensors; t++)
        plan->wanted[t] = tl_graph_info(plan->g, t)->keep;
    for (int32_t i = plan->nodes - 1; i >= 0; i--) {
        const tl_node *n = tl_graph_node(plan->g, i);
        if (!node_wanted(plan, n)) continue;
        for (int k = 0; k < n->n_in; k++) plan->wanted[n->in[k]] = true;
    }
    plan->wanted[0] = false;
}

static void add_store(tl_plan *plan, tl_tensor t, int32_t node)
{
    const tl_tensor_info *info = tl_graph_info(plan->g, t);
    const int32_t         s    = plan->stores++;

    plan->store_at[t] = s;
    plan->store[s]    = (tl_store_of){ .into = s, .first = node, .last = node,
                                       .bytes = bytes_of(info),
                                       .fixed = info->kind == TL_VALUE ? 0 : t };
}

static void keep_in_store(tl_plan *plan, tl_tensor t)
{
    tl_store_of *s = &plan->store[plan->store_at[t]];

    if (!tl_graph_info(plan->g, t)->keep || s->fixed) return;
    s->kept = t;
    s->last = plan->nodes;
}

/* A reshape may share its input's memory unless both must outlive the run apart. */
static bool may_alias(const tl_plan *plan, const tl_node *n)
{
    const tl_store_of *s = &plan->store[plan->store_at[n->in[0]]];

    if (!n->op->alias) return false;
    return !tl_graph_info(plan->g, n->out[0])->keep || (!s->fixed && !s->kept);
}

/* Every wanted tensor gets a store, alive to its last use. */
static void make_stores(tl_plan *plan)
{
    for (tl_tensor t = 0; t <= plan->tensors; t++) plan->store_at[t] = -1;
    for (tl_tensor t = 1; t <= plan->tensors; t++)
        if (plan->wanted[t] && tl_graph_info(plan->g, t)->kind != TL_VALUE) add_store(plan, t, -1);
    for (int32_t i = 0; i < plan->nodes; i++) {
        const tl_node *n = tl_graph_node(plan->g, i);
        if (!node_wanted(plan, n)) continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) {
                tl_store_of *s = &plan->store[plan->store_at[n->in[k]]];
                s->last = TL_MAX(s->last, i);
            }
        for (int k = 0; k < n->n_out; k++) {
            const tl_tensor t = n->out[k];
            if (!plan->wanted[t]) continue;
            if (may_alias(plan, n)) plan->store_at[t] = plan->store_at[n->in[0]];
            else add_store(plan, t, i);
            keep_in_store(plan, t);
        }
    }
}

static bool runs(const tl_plan *plan, const tl_node *n)
{
    if (!node_wanted(plan, n)) return false;
    return !n->op->alias || plan->store_at[n->out[0]] != plan->store_at[n->in[0]];
}

/* Bytes alone do not tell: half as many f32 as bf16 take the same room. */
static bool same_elements(const tl_plan *plan, tl_tensor a, tl_tensor b)
{
    const tl_tensor_info *x = tl_graph_info(plan->g, a), *y = tl_graph_info(plan->g, b);

    return x->dtype == y->dtype && tl_shape_count(&x->shape) == tl_shape_count(&y->shape);
}

static bool may_replace(const tl_plan *plan, const tl_node *n, int32_t i, int k)
{
    const int32_t at = n->in[k] ? tl_plan_store(plan, n->in[k]) : -1;

    if (at < 0 || !(n->op->inplace >> k & 1)) return false;
    const tl_store_of *in = &plan->store[at];
    if (in->fixed || in->kept || in->last != i || !same_elements(plan, n->in[k], n->out[0]))
        return false;
    for (int j = 0; j < n->n_in; j++)
        if (!(n->op->inplace >> j & 1) && n->in[j] && tl_plan_store(plan, n->in[j]) == at)
            return false;
    return true;
}

/* Output 0 takes the place of an input that nobody needs afterwards. */
static void merge_in_place(tl_plan *plan)
{
    for (int32_t i = 0; i < plan->nodes; i++) {
        const tl_node *n = tl_graph_node(plan->g, i);
        if (!n->op->inplace || !runs(plan, n) || !plan->wanted[n->out[0]]) continue;
        for (int k = 0; k < n->n_in; k++) {
            if (!may_replace(plan, n, i, k)) continue;
            const int32_t from = tl_plan_store(plan, n->out[0]);
            tl_store_of  *in   = &plan->store[tl_plan_store(plan, n->in[k])];
            in->last           = TL_MAX(in->last, plan->store[from].last);
            in->kept           = plan->store[from].kept;
            plan->store[from].into = (int32_t)(in - plan->store);
            break;
        }
    }
}

static void mark_gradients(tl_plan *plan)
{
    for (tl_tensor t = 1; t <= plan->tensors; t++) {
        const tl_tensor d = tl_graph_gradient(plan->g, t);
        if (tl_graph_info(plan->g, t)->kind != TL_PARAM || !d || !plan->wanted[d]) continue;
        plan->store[tl_plan_store(plan, d)].gradient = true;
    }
}

static tl_view view_of(const tl_plan *plan, tl_tensor t)
{
    const tl_tensor_info *info = tl_graph_info(plan->g, t);

    return (tl_view){ .data = NULL, .dtype = info->dtype, .shape = info->shape };
}

/* What no step before takes from the shelf already. */
static size_t copy_bytes(const tl_plan *plan, const tl_step *s)
{
    for (const tl_step *o = plan->step; o < s; o++)
        if (o->call.copy_bytes && o->call.copy_form == s->call.copy_form &&
            o->call.node->in[1] == s->call.node->in[1])
            return 0;
    return s->call.copy_bytes;
}

/* The first kernel that takes this node; a refusal without a message asks the next. */
static tl_status choose_kernel(tl_ctx *ctx, tl_plan *plan, tl_step *s)
{
    const char      *op = s->call.node->op->name;
    const tl_kernel *k;

    for (size_t i = 0; (k = plan->backend->kernel_at(i)) != NULL; i++) {
        tl_status rc = TL_OK;
        if (strcmp(k->op, op) != 0) continue;
        s->call.held_bytes = 0;
        s->call.holds      = 0;
        s->call.ends       = 0;
        s->call.copy_bytes = 0;
        s->work_bytes      = 0;
        ctx->message[0]    = '\0';
        if (k->prepare) rc = k->prepare(ctx, plan->g, &s->call, &s->work_bytes);
        if (rc == TL_EUSAGE && !ctx->message[0]) continue;
        if (rc != TL_OK) return rc;
        s->kernel = k;
        s->ready  = true;
        plan->held_bytes += s->call.held_bytes + copy_bytes(plan, s);
        return TL_OK;
    }
    s->work_bytes = 0;
    s->call.holds = 0;
    s->call.ends  = 0;
    if (plan->backend->host_memory) return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, plan->backend->name, "has no kernel for %s (use --backend cpu)",
                   op);
}

/* Handing a piece of a small run to another thread costs more than it saves, and far more where
 * other programs hold the cores: such a plan stays on one. */
static int threads_for(const tl_ctx *ctx, const tl_graph *g)
{
    const double flops = tl_graph_flops(g);

    return flops > 0.0 && flops < ctx->world->small_flops ? 1 : ctx->world->threads;
}

static tl_status make_steps(tl_ctx *ctx, tl_plan *plan)
{
    const int threads = threads_for(ctx, plan->g);

    for (int32_t i = 0; i < plan->nodes; i++) {
        const tl_node *n = tl_graph_node(plan->g, i);
        if (!runs(plan, n)) continue;
        tl_step *s      = &plan->step[plan->steps++];
        s->call.node    = n;
        s->call.tick    = &plan->tick;
        s->call.threads = threads;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) {
                s->call.in[k] = view_of(plan, n->in[k]);
                s->call.constant |= (unsigned)plan->constant[n->in[k]] << k;
            }
        for (int k = 0; k < n->n_out; k++) {
            s->call.out[k] = view_of(plan, n->out[k]);
            if (plan->wanted[n->out[k]]) s->call.wanted |= 1u << k;
        }
        const tl_status rc = choose_kernel(ctx, plan, s);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}

static int32_t node_index(const tl_plan *plan, const tl_step *s)
{
    return tl_graph_info(plan->g, s->call.node->out[0])->node;
}

/* Values and scratch in one slab; kept outputs behind it, as far as they are not bound. */
static tl_status lay_out(tl_ctx *ctx, tl_plan *plan)
{
    tl_status rc;
    tl_block *block = NULL;
    int32_t   count = 0;

    TL_TRY(tl_alloc_array(ctx, (size_t)(plan->stores + plan->steps), sizeof *block, &block));
    for (int32_t i = 0; i < plan->stores; i++) {
        const tl_store_of *s = &plan->store[i];
        if (s->into == i && !s->fixed && !s->kept)
            block[count++] = (tl_block){ s->first, s->last, s->bytes, 0 };
    }
    for (int32_t i = 0; i < plan->steps; i++) {
        const int32_t at = node_index(plan, &plan->step[i]);
        if (plan->step[i].work_bytes)
            block[count++] = (tl_block){ at, at, plan->step[i].work_bytes, 0 };
    }
    TL_TRY(tl_layout(ctx, block, count, &plan->value_bytes, &plan->least_bytes));
    count = 0;
    for (int32_t i = 0; i < plan->stores; i++) {
        tl_store_of *s = &plan->store[i];
        if (s->into == i && !s->fixed && !s->kept) s->at = block[count++].at;
    }
    for (int32_t i = 0; i < plan->steps; i++)
        if (plan->step[i].work_bytes) plan->step[i].work_at = block[count++].at;
done:
    tl_free(ctx, block);
    return rc;
}

static int32_t count_nodes(const tl_graph *g)
{
    int32_t n = 0;

    while (tl_graph_node(g, n)) n++;
    return n;
}

static tl_status take_slab(tl_ctx *ctx, tl_plan *plan, tl_slab *slab)
{
    tl_status rc = TL_OK;

    plan->own_slab = !slab;
    if (!slab) rc = tl_slab_new(ctx, plan->backend, &slab);
    if (rc != TL_OK) return rc;
    plan->slab  = slab;
    plan->next  = slab->plans;
    slab->plans = plan;
    return TL_OK;
}

tl_status tl_plan_new(tl_ctx *ctx, const tl_graph *g, const tl_backend *backend, tl_slab *slab,
                      tl_plan **out)
{
    tl_status rc;
    tl_plan  *p = NULL;

    *out = NULL;
    TL_TRY(tl_graph_status(g));
    TL_TRY(tl_alloc(ctx, sizeof *p, &p));
    *p = (tl_plan){ .ctx = ctx, .g = g, .backend = backend, .nodes = count_nodes(g),
                    .tensors = tl_graph_tensors(g), .dirty = true, .weights_changed = true };
    TL_TRY(tl_alloc_array(ctx, (size_t)p->tensors + 1, sizeof *p->wanted, &p->wanted));
    TL_TRY(tl_alloc_array(ctx, (size_t)p->tensors + 1, sizeof *p->constant, &p->constant));
    TL_TRY(tl_alloc_array(ctx, (size_t)p->tensors + 1, sizeof *p->store_at, &p->store_at));
    TL_TRY(tl_alloc_array(ctx, (size_t)p->tensors + 1, sizeof *p->store, &p->store));
    TL_TRY(tl_alloc_array(ctx, (size_t)p->nodes, sizeof *p->step, &p->step));
    mark_wanted(p);
    make_stores(p);
    merge_in_place(p);
    mark_gradients(p);
    tl_plan_mark_constant(p);
    TL_TRY(make_steps(ctx, p));
    TL_TRY(tl_plan_mark_once(ctx, p));
    TL_TRY(tl_plan_join_ends(ctx, p));
    TL_TRY(lay_out(ctx, p));
    TL_TRY(take_slab(ctx, p, slab));
    *out = p;
    p    = NULL;
done:
    tl_plan_free(ctx, p);
    return rc;
}
