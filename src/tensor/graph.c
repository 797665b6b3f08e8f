/* graph.c -- building a graph: an arena of tensors and nodes, with a sticky error.
 * Floor 1, tensor. */
#include "tensor/graph_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 32 * 1024 };

struct tl_chunk {
    tl_chunk *next;
    size_t    used, room, pad; /* the bytes that follow start at a multiple of 16 */
};

tl_status tl_graph_new(tl_ctx *ctx, tl_graph **out)
{
    tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc == TL_OK) (*out)->ctx = ctx;
    return rc;
}

void tl_graph_free(tl_ctx *ctx, tl_graph *g)
{
    if (!g) return;
    for (tl_chunk *c = g->chunks, *next; c; c = next) {
        next = c->next;
        tl_free(ctx, c);
    }
    tl_free(ctx, g->info);
    tl_free(ctx, g->node);
    tl_free(ctx, g->live);
    tl_free(ctx, g->segment);
    tl_free(ctx, g->gradient);
    tl_free(ctx, g);
}

tl_status tl_graph_status(const tl_graph *g)
{
    return g->status;
}

tl_status tl_graph_fail(tl_graph *g, const char *format, ...)
{
    char    what[512];
    va_list args;

    if (g->status != TL_OK) return g->status;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    g->status = tl_fail(g->ctx, TL_EUSAGE, g->layer ? g->layer : "network", "%s", what);
    return g->status;
}

/* Zeroed memory that lives as long as the graph; NULL after an error. */
static void *keep_bytes(tl_graph *g, size_t bytes)
{
    tl_chunk *c = g->chunks;
    void     *p;

    bytes = (bytes + 15) / 16 * 16;
    if (g->status != TL_OK) return NULL;
    if (!c || c->room - c->used < bytes) {
        const size_t room = TL_MAX(bytes, (size_t)CHUNK);

        g->status = tl_alloc(g->ctx, sizeof *c + room, &c);
        if (g->status != TL_OK) return NULL;
        c->room   = room;
        c->next   = g->chunks;
        g->chunks = c;
    }
    p = (char *)(c + 1) + c->used;
    c->used += bytes;
    return p;
}

static const char *keep_name(tl_graph *g, const char *name)
{
    char *copy;

    if (!name) return NULL;
    copy = keep_bytes(g, strlen(name) + 1);
    if (copy) memcpy(copy, name, strlen(name) + 1);
    return copy;
}

/* Makes room for one more of an array of pointers or ids. */
static bool grow(tl_graph *g, void *array, size_t size, int32_t count, int32_t *room)
{
    const int32_t more = *room ? *room * 2 : 64;

    if (g->status != TL_OK) return false;
    if (count < *room) return true;
    if (*room > INT32_MAX / 4) return tl_graph_fail(g, "the network has too many ops"), false;
    g->status = tl_realloc(g->ctx, (size_t)more * size, array);
    if (g->status == TL_OK) *room = more;
    return g->status == TL_OK;
}

/* Counts are checked once, here: later code multiplies, and adds up bytes, freely. */
static bool sound_shape(tl_graph *g, const tl_shape *s)
{
    int64_t left = INT64_C(1) << 40;
    char    said[96];

    if (s->ndim < 0 || s->ndim > TL_DIMS)
        return tl_graph_fail(g, "a tensor has %d axes (at most %d)", s->ndim, TL_DIMS), false;
    for (int i = 0; i < s->ndim; i++) {
        if (s->dim[i] < 1)
            return tl_graph_fail(g, "a tensor has shape %s (every axis needs at least 1; is the "
                                 "picture too small for this network?)",
                                 tl_say_shape(s, said)), false;
        if (s->dim[i] > left)
            return tl_graph_fail(g, "a tensor has shape %s (over 2^40 elements; lower the sizes)",
                                 tl_say_shape(s, said)), false;
        left /= s->dim[i];
    }
    return true;
}

static tl_tensor add_tensor(tl_graph *g, const tl_tensor_info *like)
{
    tl_tensor_info *t;

    if (g->status != TL_OK || !sound_shape(g, &like->shape)) return 0;
    if (!grow(g, &g->info, sizeof *g->info, g->tensors + 1, &g->info_room)) return 0;
    if (!grow(g, &g->live, sizeof *g->live, g->tensors + 1, &g->live_room)) return 0;
    t = keep_bytes(g, sizeof *t);
    if (!t) return 0;
    *t                    = *like;
    g->info[++g->tensors] = t;
    return g->tensors;
}

tl_tensor tl_graph_input(tl_graph *g, const char *name, tl_dtype dtype, tl_shape shape)
{
    return add_tensor(g, &(tl_tensor_info){ .kind = TL_INPUT, .dtype = dtype, .shape = shape,
                                            .node = -1, .name = keep_name(g, name) });
}

tl_tensor tl_graph_param(tl_graph *g, const char *name, tl_shape shape, bool trainable)
{
    return add_tensor(g, &(tl_tensor_info){ .kind = TL_PARAM, .dtype = TL_F32, .shape = shape,
                                            .trainable = trainable, .needs_grad = trainable,
                                            .node = -1, .name = keep_name(g, name) });
}

tl_tensor tl_graph_packed(tl_graph *g, const char *name, size_t bytes)
{
    return add_tensor(g, &(tl_tensor_info){ .kind = TL_PARAM, .dtype = TL_U8,
                                            .shape = TL_SHAPE((int64_t)bytes),
                                            .node = -1, .name = keep_name(g, name) });
}

tl_tensor tl_graph_state(tl_graph *g, const char *name, tl_shape shape)
{
    return add_tensor(g, &(tl_tensor_info){ .kind = TL_STATE, .dtype = TL_F32, .shape = shape,
                                            .node = -1, .name = keep_name(g, name) });
}

void tl_graph_layer(tl_graph *g, const char *name)
{
    g->layer = keep_name(g, name);
}

void tl_graph_segment(tl_graph *g)
{
    if (!grow(g, &g->segment, sizeof *g->segment, g->segments, &g->segment_room)) return;
    g->segment[g->segments++] = g->nodes;
}

void tl_graph_keep(tl_graph *g, tl_tensor t, const char *name)
{
    if (g->status != TL_OK || t < 1 || t > g->tensors) return;
    g->info[t]->keep = true;
    if (name) g->info[t]->name = keep_name(g, name);
}

static bool sound_inputs(tl_graph *g, const tl_op *op, int n_in, const tl_tensor *in)
{
    if (n_in < op->least_in || n_in > op->most_in || n_in > TL_MOST_IN)
        return tl_graph_fail(g, "%s takes %d to %d inputs and got %d", op->name, op->least_in,
                             op->most_in, n_in), false;
    for (int i = 0; i < n_in; i++) {
        if (in[i] < 0 || in[i] > g->tensors)
            return tl_graph_fail(g, "%s got tensor %d, which is not there", op->name, in[i]), false;
        if (in[i] == 0 && !(op->optional >> i & 1))
            return tl_graph_fail(g, "%s needs its input %d", op->name, i), false;
        if (in[i] && op->writes >> i & 1 && g->info[in[i]]->kind != TL_STATE)
            return tl_graph_fail(g, "%s writes its input %d, which is no state", op->name,
                                 i), false;
    }
    return true;
}

tl_tensor tl_graph_apply(tl_graph *g, const tl_op *op, int n_in, const tl_tensor *in,
                         const void *attr, size_t attr_bytes)
{
    tl_tensor_info out[TL_MOST_OUT] = { 0 };
    tl_node       *n;
    void          *own;
    bool           needs_grad = false;

    if (g->status != TL_OK || !sound_inputs(g, op, n_in, in)) return 0;
    if (!grow(g, &g->node, sizeof *g->node, g->nodes, &g->node_room)) return 0;
    n   = keep_bytes(g, sizeof *n);
    own = attr_bytes ? keep_bytes(g, attr_bytes) : NULL;
    if (g->status != TL_OK) return 0;
    if (attr_bytes) memcpy(own, attr, attr_bytes);
    *n = (tl_node){ .op = op, .n_in = n_in, .n_out = op->n_out, .attr = own,
                    .attr_bytes = attr_bytes, .layer = g->layer };
    for (int i = 0; i < n_in; i++) {
        n->in[i] = in[i];
        needs_grad |= in[i] && g->info[in[i]]->needs_grad;
    }
    if (op->shape(g, n, out) != TL_OK || g->status != TL_OK) return 0;
    for (int k = 0; k < n->n_out; k++) {
        out[k].kind       = TL_VALUE;
        out[k].node       = g->nodes;
        out[k].out        = k;
        out[k].needs_grad = k == 0 && needs_grad && op->grad && !g->in_backward;
        n->out[k]         = add_tensor(g, &out[k]);
        if (!n->out[k]) return 0;
    }
    g->node[g->nodes++] = n;
    return n->out[0];
}

tl_tensor tl_graph_out(const tl_graph *g, tl_tensor first, int k)
{
    const tl_node *n;

    if (g->status != TL_OK || first < 1 || g->info[first]->node < 0) return 0;
    n = g->node[g->info[first]->node];
    return k < n->n_out ? n->out[k] : 0;
}

const tl_tensor_info *tl_graph_info(const tl_graph *g, tl_tensor t)
{
    static const tl_tensor_info none = { .node = -1 };

    return t >= 1 && t <= g->tensors ? g->info[t] : &none;
}

const tl_shape *tl_graph_shape(const tl_graph *g, tl_tensor t)
{
    return &tl_graph_info(g, t)->shape;
}

const tl_node *tl_graph_node(const tl_graph *g, int32_t i)
{
    return i >= 0 && i < g->nodes ? g->node[i] : NULL;
}

int32_t tl_graph_tensors(const tl_graph *g)
{
    return g->tensors;
}

tl_tensor tl_graph_find(const tl_graph *g, const char *name)
{
    for (tl_tensor t = 1; t <= g->tensors; t++)
        if (g->info[t]->name && strcmp(g->info[t]->name, name) == 0) return t;
    return 0;
}

/* Only what kept tensors need is run, so only that counts. */
int32_t tl_graph_products(const tl_graph *g)
{
    int32_t count = 0;

    for (int32_t i = 0; i < g->nodes; i++)
        count += g->node[i]->op->flops != NULL && !g->node[i]->again;
    return count;
}

double tl_graph_flops(const tl_graph *g)
{
    double sum = 0.0;

    for (tl_tensor t = 1; t <= g->tensors; t++) g->live[t] = g->info[t]->keep;
    for (int32_t i = g->nodes - 1; i >= 0; i--) {
        const tl_node *n      = g->node[i];
        bool           wanted = false;
        for (int k = 0; k < n->n_out; k++) wanted |= g->live[n->out[k]];
        for (int k = 0; k < n->n_in && wanted; k++)
            if (n->in[k]) g->live[n->in[k]] = true;
        if (wanted && n->op->flops) sum += n->op->flops(g, n);
    }
    return sum;
}

tl_ctx *tl_graph_ctx(const tl_graph *g)
{
    return g->ctx;
}
