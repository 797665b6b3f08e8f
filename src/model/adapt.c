/* adapt.c -- see adapt.h: names, targets, starting values, merging.  Floor 2, model. */
#include "model/adapt.h"

#include "core/text.h"
#include "model/config.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256, MOST_RANK = 4096 };

static const char *const kinds[TL_ADAPTS] = { "none", "lora", "dora", "ia3",
                                              "bottleneck", "prefix" };

/* Where the papers put them, by the names families give their layers.  PEFT's table for (IA)3
 * counts the end of the attention of BERT as the end of a feed-forward part, too. */
static const char ends_feed_forward[] =
    "output.dense,mlp.c_proj,down_proj,ffn.lin2,mlp.Wo";
static const char ia3_targets[]   = "key,value,k_proj,v_proj,k_lin,v_lin,c_attn,Wqkv,"
                                    "output.dense,mlp.c_proj,down_proj,ffn.lin2,mlp.Wo";
static const char ends_sublayer[] = "output.dense,attn.c_proj,o_proj,out_lin,attn.Wo,"
                                    "mlp.c_proj,down_proj,ffn.lin2,mlp.Wo";

double tl_adapt_scale(const tl_adapt *a)
{
    return a->alpha / (a->rs ? sqrt((double)a->r) : (double)a->r);
}

const char *tl_adapt_name(tl_adapt_kind kind)
{
    return kinds[kind];
}

bool tl_adapt_stays(tl_adapt_kind kind)
{
    return kind == TL_ADAPT_BOTTLENECK || kind == TL_ADAPT_PREFIX;
}

int64_t tl_adapt_places(const tl_adapt *a)
{
    return a->kind == TL_ADAPT_PREFIX ? a->r : 0;
}

/* Is the layer called so, to its end behind a dot?  "*.output.dense": right behind a number. */
static bool is_called(const char *layer, const char *name, size_t bytes)
{
    const size_t all = strlen(layer), star = bytes && name[0] == '*';
    const size_t n = bytes - star;

    if (!n || n > all || strncmp(layer + all - n, name + star, n) != 0) return false;
    if (star) return n < all && isdigit((unsigned char)layer[all - n - 1]);
    return n == all || layer[all - n - 1] == '.';
}

static bool listed(const char *list, const char *layer)
{
    for (const char *at = list; *at; at += *at == ',') {
        const size_t n = strcspn(at, ",");
        if (is_called(layer, at, n)) return true;
        at += n;
    }
    return false;
}

bool tl_adapt_targets(const tl_adapt *a, const char *layer)
{
    if (a->kind == TL_ADAPT_NONE || a->kind == TL_ADAPT_PREFIX) return false;
    if (strcmp(a->targets, "all") != 0) return listed(a->targets, layer);
    if (a->kind == TL_ADAPT_IA3) return listed(ia3_targets, layer);
    return a->kind != TL_ADAPT_BOTTLENECK || listed(ends_sublayer, layer);
}

bool tl_adapt_scales_input(const char *layer)
{
    return listed(ends_feed_forward, layer);
}

json_t *tl_adapt_to_json(const tl_adapt *a)
{
    if (a->kind == TL_ADAPT_NONE) return json_null();
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:b, s:s}", "kind", kinds[a->kind], "r",
                     (json_int_t)a->r, "from", (json_int_t)a->from, "alpha", a->alpha, "dropout",
                     a->dropout, "rs", a->rs, "targets", a->targets);
}

tl_status tl_adapt_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                             tl_adapt *out)
{
    const char *kind    = tl_json_text(value, "kind", "");
    const char *targets = tl_json_text(value, "targets", "all");
    tl_adapt    a       = { 0 };
    tl_status   rc;

    *out = a;
    if (!value || json_is_null(value)) return TL_OK;
    while (a.kind < TL_ADAPTS && strcmp(kinds[a.kind], kind) != 0) a.kind++;
    if (a.kind == TL_ADAPTS)
        TL_FAIL(TL_EDATA, where,
                "an adapter \"%.40s\" is not supported (use a newer Tailor)", kind);
    TL_TRY(tl_config_int(ctx, where, value, "r", 1, MOST_RANK, 8, &a.r));
    TL_TRY(tl_config_int(ctx, where, value, "from", 0, 1 << 20, 0, &a.from));
    TL_TRY(tl_config_number(ctx, where, value, "alpha", 1e-6, 1e6, 16.0, &a.alpha));
    TL_TRY(tl_config_number(ctx, where, value, "dropout", 0.0, 0.99, 0.0, &a.dropout));
    TL_TRY(tl_config_bool(ctx, where, value, "rs", false, &a.rs));
    if (strlen(targets) >= sizeof a.targets)
        TL_FAIL(TL_EDATA, where,
                "\"targets\" are too many (name ends of layers, or \"all\")");
    snprintf(a.targets, sizeof a.targets, "%s", targets);
    *out = a;
done:
    return rc;
}

/* The parameter called as `p` is, with `end` for its own last part; NULL: none. */
static const tl_param *beside(const tl_params *params, const tl_param *p, const char *end)
{
    const char *dot = strrchr(p->name, '.');
    char        name[NAME_BYTES];

    if (!dot || snprintf(name, sizeof name, "%.*s.%s", (int)(dot - p->name), p->name,
                         end) >= NAME_BYTES)
        return NULL;
    return tl_params_find(params, name);
}

/* One product with the values of its weight, and what joined it. */
typedef struct {
    const float *w, *a, *b;
    int64_t      out, in, r;
    double       scale;
} product;

static bool product_of(const tl_adapt *how, const tl_params *params, const tl_param *w,
                       const float *value, product *out)
{
    const tl_param *a = beside(params, w, "lora_A.weight"),
                   *b = beside(params, w, "lora_B.weight");

    if (w->role != TL_ROLE_WEIGHT || w->shape.ndim != 2 || w->adapter || !a || !b)
        return false;
    *out = (product){ .w     = value,
                      .a     = tl_params_value(params, a),
                      .b     = tl_params_value(params, b),
                      .out   = w->shape.dim[0],
                      .in    = w->shape.dim[1],
                      .r     = a->shape.dim[0],
                      .scale = tl_adapt_scale(how) };
    return true;
}

/* (W + s B A)[o, i] */
static double sum_at(const product *p, int64_t o, int64_t i)
{
    double sum = 0.0;

    for (int64_t k = 0; k < p->r; k++)
        sum += (double)p->b[o * p->r + k] * (double)p->a[k * p->in + i];
    return (double)p->w[o * p->in + i] + p->scale * sum;
}

static double row_length(const product *p, int64_t o)
{
    double square = 0.0;

    for (int64_t i = 0; i < p->in; i++) {
        const double v = sum_at(p, o, i);
        square += v * v;
    }
    return sqrt(square);
}

void tl_adapt_start(const tl_adapt *a, const tl_params *params)
{
    for (int32_t i = 0; a->kind == TL_ADAPT_DORA && i < params->count; i++) {
        const tl_param *w = &params->param[i],
                       *m = beside(params, w, "lora_magnitude_vector");
        product p;
        if (!m || w->packed || !product_of(a, params, w, tl_params_value(params, w), &p)) continue;
        for (int64_t o = 0; o < p.out; o++)
            tl_params_value(params, m)[o] = (float)row_length(&p, o);
    }
}

static void merge_product(const product *p, const float *length, float *to)
{
    for (int64_t o = 0; o < p->out; o++) {
        double factor = 1.0;
        if (length) {
            const double was = row_length(p, o);
            factor           = was > 0.0 ? (double)length[o] / was : 0.0;
        }
        for (int64_t i = 0; i < p->in; i++)
            to[o * p->in + i] = (float)(factor * sum_at(p, o, i));
    }
}

/* Columns where the input is scaled, else rows and the bias with them. */
static void merge_scales(const tl_param *w, const float *l, float *to, float *bias)
{
    const int64_t out = w->shape.dim[0], in = w->shape.dim[1];
    char          layer[NAME_BYTES];

    snprintf(layer, sizeof layer, "%.*s", (int)(strrchr(w->name, '.') - w->name),
             w->name);
    const bool columns = tl_adapt_scales_input(layer);
    for (int64_t i = 0; i < w->count; i++) to[i] *= l[columns ? i % in : i / in];
    for (int64_t o = 0; bias && !columns && o < out; o++) bias[o] *= l[o];
}

tl_status tl_adapt_merge(tl_ctx *ctx, const tl_adapt *a, const tl_params *params,
                         tl_params *merged)
{
    if (tl_adapt_stays(a->kind))
        return tl_fail(ctx, TL_EUSAGE, "adapter",
                       "a %s is no product and cannot be merged (keep it)", kinds[a->kind]);
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *w = &params->param[i], *to = tl_params_find(merged, w->name),
                       *m = beside(params, w, "lora_magnitude_vector"),
                       *l = beside(params, w, "ia3_l"), *bias = beside(merged, w, "bias");
        product p;
        if (!to || w->role != TL_ROLE_WEIGHT || w->shape.ndim != 2) continue;
        if (product_of(a, params, w, tl_params_value(merged, to), &p)) /* row by row in place */
            merge_product(&p, m ? tl_params_value(params, m) : NULL,
                          tl_params_value(merged, to));
        else if (l)
            merge_scales(w, tl_params_value(params, l), tl_params_value(merged, to),
                         bias ? tl_params_value(merged, bias) : NULL);
    }
    return TL_OK;
}
