/* autodiff.c -- reverse-mode differentiation: appends gradient nodes, from the loss down, only
 * where a trainable parameter lies upstream.  Floor 1, tensor. */
#include "tensor/attrs.h"
#include "tensor/graph_inside.h"

/* One more contribution to the gradient of t. */
static void contribute(tl_graph *g, tl_tensor t, tl_tensor more)
{
    tl_tensor *sum = &g->gradient[t];

    *sum = *sum ? tl_add(g, *sum, more, TL_ACT_NONE) : more;
}

static void node_backward(tl_graph *g, const tl_node *n)
{
    tl_tensor dy[TL_MOST_OUT] = { 0 }, dx[TL_MOST_IN] = { 0 };

    if (!n->op->grad || !g->info[n->out[0]]->needs_grad) return;
    for (int k = 0; k < n->n_out; k++) dy[k] = g->gradient[n->out[k]];
    if (!dy[0]) return;
    g->layer = n->layer;
    n->op->grad(g, n, dy, dx);
    for (int i = 0; i < n->n_in && g->status == TL_OK; i++)
        if (dx[i] && n->in[i] && g->info[n->in[i]]->needs_grad) contribute(g, n->in[i], dx[i]);
}

/* A parameter's gradient is a kept f32 tensor of its own, so that it can be bound alone: one
 * that two parameters share, or that is no op's result, is copied. */
static void finish_param(tl_graph *g, tl_tensor t)
{
    tl_tensor d = g->gradient[t];

    if (!d) return;
    d = tl_cast(g, d, TL_F32);
    if (d && (g->info[d]->keep || g->info[d]->kind != TL_VALUE)) d = tl_scale(g, d, 1.0f);
    if (!d) return;
    tl_graph_keep(g, d, NULL);
    g->gradient[t] = d;
}

void tl_graph_backward(tl_graph *g, tl_tensor loss)
{
    const int32_t nodes = g->nodes, tensors = g->tensors;

    if (g->status != TL_OK) return;
    if (g->gradient) {
        tl_graph_fail(g, "its gradients were already made (one backward a graph)");
        return;
    }
    if (loss < 1 || loss > tensors || tl_shape_count(&g->info[loss]->shape) != 1) {
        tl_graph_fail(g, "gradients start at a single number");
        return;
    }
    g->gradients = tensors + 1;
    g->status = tl_alloc_array(g->ctx, (size_t)g->gradients, sizeof *g->gradient, &g->gradient);
    if (g->status != TL_OK || !g->info[loss]->needs_grad) return;
    g->in_backward    = true;
    g->gradient[loss] = tl_fill(g, g->info[loss]->shape, g->info[loss]->dtype, 1.0f);
    for (int32_t i = g->info[loss]->node; i >= 0 && i < nodes && g->status == TL_OK; i--)
        node_backward(g, g->node[i]);
    for (tl_tensor t = 1; t <= tensors && g->status == TL_OK; t++)
        if (g->info[t]->kind == TL_PARAM && g->info[t]->trainable) finish_param(g, t);
    g->in_backward = false;
}

tl_tensor tl_graph_gradient(const tl_graph *g, tl_tensor t)
{
    return g->gradient && t >= 1 && t < g->gradients ? g->gradient[t] : 0;
}
