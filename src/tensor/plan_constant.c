/* plan_constant.c -- what follows from frozen weights alone need not be computed in every run: a
 * node whose inputs are constant, and whose readers keep a packed copy of what it makes, runs
 * only after weights changed.  Its output then lies in the slab like any other, for that run.
 * Floor 1, tensor. */
#include "tensor/plan_inside.h"

/* Batch norms list their statistics as written whatever their mode: the careful side. */
static void unmark_written(tl_plan *plan)
{
    for (int32_t i = 0; i < plan->nodes; i++) {
        const tl_node *n = tl_graph_node(plan->g, i);
        for (int k = 0; k < n->n_in; k++)
            if (n->op->writes >> k & 1) plan->constant[n->in[k]] = false;
    }
}

static bool follows_from_constants(const tl_plan *plan, const tl_node *n)
{
    if (n->op->reads_tick || n->op->writes || n->op->again) return false;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] && !plan->constant[n->in[k]]) return false;
    return true;
}

void tl_plan_mark_constant(tl_plan *plan)
{
    for (tl_tensor t = 1; t <= plan->tensors; t++) {
        const tl_kind kind = tl_graph_info(plan->g, t)->kind;
        plan->constant[t]  = kind == TL_STATE ||
                            (kind == TL_PARAM && !tl_graph_gradient(plan->g, t));
    }
    unmark_written(plan);
    for (int32_t i = 0; i < plan->nodes; i++) {
        const tl_node *n = tl_graph_node(plan->g, i);
        const bool     c = follows_from_constants(plan, n);
        for (int k = 0; k < n->n_out; k++) plan->constant[n->out[k]] = c;
    }
}

/* Tensors that some reader wants in every run. */
static void mark_read(const tl_plan *plan, bool *read)
{
    for (int32_t i = 0, s = 0; i < plan->nodes; i++) {
        const tl_node *n    = tl_graph_node(plan->g, i);
        const bool     runs = s < plan->steps && plan->step[s].call.node == n;
        bool           used = runs;
        for (int k = 0; k < n->n_out; k++) used |= plan->wanted[n->out[k]];
        for (int k = 0; k < n->n_in && used; k++)
            if (!runs || !(plan->step[s].call.holds >> k & 1)) read[n->in[k]] = true;
        s += runs;
    }
}

tl_status tl_plan_mark_once(tl_ctx *ctx, tl_plan *plan)
{
    bool           *read;
    const tl_status rc = tl_alloc_array(ctx, (size_t)plan->tensors + 1, sizeof *read, &read);

    if (rc != TL_OK) return rc;
    mark_read(plan, read);
    for (int32_t i = 0; i < plan->steps; i++) {
        const tl_node *n = plan->step[i].call.node;
        plan->step[i].once = true;
        for (int k = 0; k < n->n_out; k++) {
            const tl_tensor t = n->out[k];
            plan->step[i].once &= plan->constant[t] && !read[t] && !tl_graph_info(plan->g, t)->keep;
        }
    }
    tl_free(ctx, read);
    return TL_OK;
}
