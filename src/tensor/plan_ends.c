/* plan_ends.c -- an activation that stands behind a layer whose sums nobody else reads becomes the
 * layer's end, where the kernel can: it need not write and read them first.  With gradients the
 * sums are read again, so that this concerns frozen layers and runs without a gradient.
 * Floor 1, tensor. */
#include "tensor/attrs.h"
#include "tensor/plan_inside.h"

#include <string.h>

struct tl_plan_ended {
    tl_node     node; /* the layer's, but for ... */
    tl_act_attr attr; /* ... what it ends with    */
};

static bool is_op(const tl_step *s, const char *name)
{
    return strcmp(s->call.node->op->name, name) == 0;
}

static tl_activation act_of(const tl_step *s)
{
    return ((const tl_act_attr *)s->call.node->attr)->act;
}

static bool reads(const tl_plan *plan, const tl_step *s, int32_t store)
{
    for (int k = 0; k < s->call.node->n_in; k++)
        if (s->call.node->in[k] && tl_plan_store(plan, s->call.node->in[k]) == store) return true;
    return false;
}

static bool writes(const tl_plan *plan, const tl_step *s, int32_t store)
{
    for (int k = 0; k < s->call.node->n_out; k++)
        if (plan->wanted[s->call.node->out[k]] &&
            tl_plan_store(plan, s->call.node->out[k]) == store)
            return true;
    return false;
}

/* The dense layer that step `act` may become the end of, in whose memory it works already; NULL:
 * none.  Whoever reads the sums in between, be it through a reshape, keeps them apart. */
static tl_step *layer_of(const tl_plan *plan, const tl_step *act)
{
    const int32_t store = tl_plan_store(plan, act->call.node->in[0]);

    if (act->once || tl_plan_store(plan, act->call.node->out[0]) != store) return NULL;
    for (int64_t i = act - plan->step; i-- > 0;) {
        tl_step *s = &plan->step[i];
        if (reads(plan, s, store)) return NULL;
        if (!writes(plan, s, store)) continue;
        return is_op(s, "dense") && !s->once && act_of(s) == TL_ACT_NONE &&
                       s->call.ends >> act_of(act) & 1
                   ? s
                   : NULL;
    }
    return NULL;
}

static void drop_step(tl_ctx *ctx, tl_plan *plan, tl_step *s)
{
    if (s->ready && s->kernel->release) s->kernel->release(ctx, &s->call);
    plan->steps--;
    memmove(s, s + 1, (size_t)(plan->step + plan->steps - s) * sizeof *s);
}

tl_status tl_plan_join_ends(tl_ctx *ctx, tl_plan *plan)
{
    tl_status rc;
    size_t    count = 0;

    for (int32_t i = 0; i < plan->steps; i++) count += is_op(&plan->step[i], "act");
    TL_TRY(tl_alloc_array(ctx, count, sizeof *plan->ended, &plan->ended));
    count = 0;
    for (int32_t i = 1; i < plan->steps; i++) {
        tl_step *act   = &plan->step[i];
        tl_step *layer = is_op(act, "act") ? layer_of(plan, act) : NULL;
        if (!layer) continue;
        struct tl_plan_ended *e = &plan->ended[count++];
        e->node          = *layer->call.node;
        e->attr.act      = act_of(act);
        e->node.attr     = &e->attr;
        layer->call.node = &e->node;
        drop_step(ctx, plan, act);
        i--;
    }
done:
    return rc;
}
