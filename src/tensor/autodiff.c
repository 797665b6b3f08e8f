/* autodiff.c -- reverse-mode differentiation: appends gradient nodes, from the loss down, only
 * where a trainable parameter lies upstream.  A segment's nodes are appended once more before its
 * gradients, which then read these: what the first ones made is free after the forward pass.
 * Source: Chen et al. 2016, arXiv:1604.06174 (segments).  Floor 1, tensor. */
#include "tensor/attrs.h"
#include "tensor/graph_inside.h"

/* The node that makes `more` adds it to the sum itself, where it can and is the newest. */
static bool adds_itself(tl_graph *g, tl_tensor sum, tl_tensor more)
{
    const int32_t at = g->info[more]->node;

    if (at < 0 || at != g->nodes - 1 || g->info[sum]->dtype != g->info[more]->dtype) return false;
    tl_node *n = g->node[at];
    if (!n->op->adds_to || n->in[n->op->adds_to] || n->out[0] != more) return false;
    n->in[n->op->adds_to] = sum;
    return true;
}

/* One more contribution to the gradient of t. */
static void contribute(tl_graph *g, tl_tensor t, tl_tensor more)
{
    tl_tensor *sum = &g->gradient[t];

    *sum = *sum && !adds_itself(g, *sum, more) ? tl_add(g, *sum, more, TL_ACT_NONE) : more;
}

/* Node n as its gradient reads it: the one that was made again, where it was. */
static const tl_node *as_read(const tl_graph *g, const tl_node *n, const tl_tensor *again)
{
    const tl_tensor t = again[n->out[0]];

    return t ? g->node[g->info[t]->node] : n;
}

static void node_backward(tl_graph *g, const tl_node *n, const tl_tensor *again)
{
    tl_tensor dy[TL_MOST_OUT] = { 0 }, dx[TL_MOST_IN] = { 0 };

    if (!n->op->grad || !g->info[n->out[0]]->needs_grad) return;
    for (int k = 0; k < n->n_out; k++) dy[k] = g->gradient[n->out[k]];
    if (!dy[0]) return;
    g->layer = n->layer;
    n->op->grad(g, as_read(g, n, again), dy, dx);
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

/* Something in it trains, and it writes nothing that a second time would change. */
static bool may_be_made_again(const tl_graph *g, int32_t from, int32_t end)
{
    bool trains = false;

    for (int32_t i = from; i < end; i++) {
        if (g->node[i]->op->writes) return false;
        trains |= g->info[g->node[i]->out[0]]->needs_grad;
    }
    return trains;
}

/* Nodes [from, end) once more; again[t] is what stands for t from here on. */
static void make_again(tl_graph *g, int32_t from, int32_t end, tl_tensor *again)
{
    for (int32_t i = from; i < end && g->status == TL_OK; i++) {
        const tl_node *n = g->node[i];
        tl_tensor      in[TL_MOST_IN];
        for (int k = 0; k < n->n_in; k++) in[k] = again[n->in[k]] ? again[n->in[k]] : n->in[k];
        g->layer              = n->layer;
        const tl_tensor first = tl_graph_apply(g, n->op, n->n_in, in, n->attr, n->attr_bytes);
        if (first) g->node[g->nodes - 1]->again = true;
        for (int k = 0; first && k < n->n_out; k++) {
            again[n->out[k]] = tl_graph_out(g, first, k);
            g->info[again[n->out[k]]]->needs_grad = g->info[n->out[k]]->needs_grad;
        }
    }
}

/* Gradients of the nodes below `top` and of it, segment by segment where there are any. */
static void nodes_backward(tl_graph *g, int32_t top, tl_tensor *again)
{
    int32_t s = g->segments - 1; /* held: its gradients follow at once */

    for (int32_t i = top; i >= 0 && g->status == TL_OK; i--) {
        for (; s >= 0 && i < g->segment[s]; s--)
            if (s > 0 && i >= g->segment[s - 1] && may_be_made_again(g, g->segment[s - 1], i + 1))
                make_again(g, g->segment[s - 1], i + 1, again);
        node_backward(g, g->node[i], again);
    }
}

void tl_graph_backward(tl_graph *g, tl_tensor loss)
{
    const int32_t tensors = g->tensors;
    tl_tensor    *again   = NULL;

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
    g->status = tl_alloc_array(g->ctx, (size_t)g->gradients, sizeof *again, &again);
    if (g->status != TL_OK) return;
    g->in_backward    = true;
    g->gradient[loss] = tl_fill(g, g->info[loss]->shape, g->info[loss]->dtype, 1.0f);
    nodes_backward(g, g->info[loss]->node, again);
    for (tl_tensor t = 1; t <= tensors && g->status == TL_OK; t++)
        if (g->info[t]->kind == TL_PARAM && g->info[t]->trainable) finish_param(g, t);
    g->in_backward = false;
    tl_free(g->ctx, again);
}

tl_tensor tl_graph_gradient(const tl_graph *g, tl_tensor t)
{
    return g->gradient && t >= 1 && t < g->gradients ? g->gradient[t] : 0;
}
