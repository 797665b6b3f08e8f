/* onednn_dnnl.c -- the only file that talks to oneDNN.  Each tl_dnn is one primitive with a
 * reorder of its weights where the layout it prefers is not the plain one.  Scratchpads are
 * the caller's.  Source: oneDNN's C API, 2.6 and 3.x (onednn_versions.h).
 * Floor 1, backend/cpu. */
#include "backend/cpu/onednn.h"
#include "backend/cpu/onednn_versions.h"
#include "tensor/attrs.h"
#include "core/par.h"

#include <stdio.h>
#include <string.h>

struct tl_dnn {
    dnnl_engine_t    engine;
    dnnl_stream_t    stream;
    dnnl_primitive_t main, pack;          /* pack: NULL where plain is what it wants  */
    dnnl_memory_t    a, dy, w, bias, out; /* NULL where there is none                 */
    dnnl_memory_t    plain; /* the weights in plain order, other end of pack */
    dnnl_memory_t    scratch, pack_scratch;
    int              arg_a, arg_dy, arg_w, arg_out;
    bool             makes_w;             /* TL_DNN_DW: pack runs after main          */
    size_t           live_at, dead_bytes; /* of plain weights: where the taps that are
                                                  used start, bytes to clear when made     */
    size_t           scratch_bytes, packed_bytes;
    void            *packed; /* of frozen weights; else in scratch       */
    bool             have_packed;
    uint64_t         form;   /* of lent ones; 0: none are                */
};

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* What oneDNN said, as ours.  Unimplemented is an answer, not a failure. */
static tl_status said(tl_ctx *ctx, dnnl_status_t s, const char *what)
{
    if (s == dnnl_success) return TL_OK;
    if (s == dnnl_unimplemented) return TL_EUSAGE;
    if (s == dnnl_out_of_memory)
        return tl_fail(ctx, TL_ENOMEM, "oneDNN", "no memory for %s (use a smaller batch)",
                       what);
    return tl_fail(ctx, TL_EFAIL, "oneDNN",
                   "%s gave status %d (set ONEDNN_VERBOSE=1 to see why)", what, (int)s);
}
#define ASK(call, what)                                                                  \
    do {                                                                                 \
        rc = said(ctx, (call), (what));                                                  \
        if (rc != TL_OK) goto done;                                                      \
    } while (0)

static dnnl_data_type_t type_of(tl_dtype dtype)
{
    return dtype == TL_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* Scratchpads are ours; an activation becomes a post-op. */
static tl_status make_attr(tl_ctx *ctx, tl_activation act, bool accumulate,
                           dnnl_primitive_attr_t *out)
{
    tl_status       rc;
    dnnl_post_ops_t ops  = NULL;
    dnnl_alg_kind_t kind = dnnl_eltwise_relu;
    float           a = 0.0f, b = 0.0f;

    ASK(dnnl_primitive_attr_create(out), "attributes");
    ASK(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user),
        "scratchpad");
    switch (act) {
    case TL_ACT_NONE: break;
    case TL_ACT_RELU: break;
    case TL_ACT_RELU6: kind = dnnl_eltwise_clip, b = 6.0f; break;
    case TL_ACT_TANH: kind = dnnl_eltwise_tanh; break;
    case TL_ACT_SIGMOID: kind = dnnl_eltwise_logistic; break;
    default: rc = TL_EUSAGE; goto done;
    }
    if (act == TL_ACT_NONE && !accumulate) goto done;
    ASK(dnnl_post_ops_create(&ops), "post-ops");
    if (accumulate) ASK(door_sum(ops), "a sum");
    if (act != TL_ACT_NONE) ASK(door_eltwise(ops, kind, a, b), "activation");
    ASK(dnnl_primitive_attr_set_post_ops(*out, ops), "post-ops");
done:
    if (ops) dnnl_post_ops_destroy(ops);
    return rc;
}

/* Its reference implementations are slower than ours: as good as none. */
static tl_status no_reference(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;

    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) !=
            dnnl_success ||
        !name)
        return TL_OK;
    return strncmp(name, "ref", 3) == 0 || strstr(name, ":ref") ? TL_EUSAGE : TL_OK;
}

static tl_status start(tl_ctx *ctx, int threads, tl_dnn **out)
{
    tl_status rc;

    tl_par_set_threads(threads);
    TL_TRY(tl_alloc(ctx, sizeof **out, out));
    ASK(dnnl_engine_create(&(*out)->engine, dnnl_cpu, 0), "an engine");
    ASK(dnnl_stream_create(&(*out)->stream, (*out)->engine, dnnl_stream_default_flags),
        "a stream");
done:
    return rc;
}

static tl_status remember(tl_ctx *ctx, tl_dnn *d, door_ref desc, dnnl_memory_t *out)
{
    return said(ctx, dnnl_memory_create(out, desc, d->engine, NULL), "a memory");
}

/* Bytes of the scratchpad that pd wants, and a memory for it. */
static tl_status make_scratch(tl_ctx *ctx, tl_dnn *d, dnnl_primitive_desc_t pd,
                              dnnl_memory_t *out)
{
    door_ref     desc  = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    const size_t bytes = desc ? dnnl_memory_desc_get_size(desc) : 0;

    if (bytes == 0) return TL_OK;
    d->scratch_bytes = TL_MAX(d->scratch_bytes, round_up(bytes));
    return remember(ctx, d, desc, out);
}

/* The reorder between plain weights and the layout `liked`, where they differ. */
static tl_status make_pack(tl_ctx *ctx, tl_dnn *d, door_ref plain, door_ref liked,
                           bool trained, bool lent)
{
    tl_status             rc;
    dnnl_primitive_desc_t pd   = NULL;
    dnnl_primitive_attr_t attr = NULL;

    TL_TRY(remember(ctx, d, liked, &d->w));
    if (dnnl_memory_desc_equal(plain, liked)) goto done;
    TL_TRY(remember(ctx, d, plain, &d->plain));
    TL_TRY(make_attr(ctx, TL_ACT_NONE, false, &attr));
    ASK(dnnl_reorder_primitive_desc_create(&pd, d->makes_w ? liked : plain, d->engine,
                                           d->makes_w ? plain : liked, d->engine, attr),
        "a reorder");
    TL_TRY(make_scratch(ctx, d, pd, &d->pack_scratch));
    ASK(dnnl_primitive_create(&d->pack, pd), "a reorder");
    d->packed_bytes = round_up(dnnl_memory_desc_get_size(liked));
    /* from where as well as where to: both directions of a square product like the same layout */
    d->form         = lent ? door_form(liked) * door_form(plain) : 0;
    if (!trained && !d->makes_w && !d->form)
        TL_TRY(tl_alloc(ctx, d->packed_bytes, &d->packed));
done:
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return rc;
}

static size_t work_of(const tl_dnn *d)
{
    return d->scratch_bytes + (d->packed || d->form ? 0 : d->packed_bytes);
}

static tl_status product_descs(tl_ctx *ctx, const tl_dnn_product *p,
                               dnnl_memory_desc_t d[5])
{
    tl_status         rc;
    const dnnl_dims_t am = { p->m, p->k }, bm = { p->k, p->n }, cm = { p->m, p->n },
                      vm  = { 1, p->n };
    const int64_t     line = p->a_line ? p->a_line : p->a_transposed ? p->m : p->k;
    const dnnl_dims_t as   = { p->a_transposed ? 1 : line, p->a_transposed ? line : 1 };
    const dnnl_dims_t bs  = { p->b_transposed ? 1 : p->n, p->b_transposed ? p->k : 1 };
    const bool        any = p->pack || (p->b == TL_F32 && p->a == TL_BF16);

    ASK(door_strided(&d[0], 2, am, type_of(p->a), as), "a shape");
    if (p->paired)
        ASK(door_tagged(&d[1], 2, bm, type_of(p->b), dnnl_BA16a64b2a), "a shape");
    else
        ASK(door_strided(&d[1], 2, bm, type_of(p->b), bs), "a shape");
    if (p->paired)
        ASK(door_tagged(&d[2], 2, bm, type_of(p->b), dnnl_BA16a64b2a), "a shape");
    else if (any)
        ASK(door_tagged(&d[2], 2, bm, type_of(p->a), dnnl_format_tag_any), "a shape");
    else
        ASK(door_strided(&d[2], 2, bm, type_of(p->b), bs), "a shape");
    ASK(door_tagged(&d[3], 2, cm, type_of(p->c), dnnl_ab), "a shape");
    ASK(door_tagged(&d[4], 2, vm, dnnl_f32, dnnl_ab), "a shape");
done:
    return rc;
}

size_t tl_dnn_paired_bytes(int64_t k, int64_t n)
{
    return (size_t)((k + 31) / 32 * 32 * ((n + 63) / 64 * 64)) * sizeof(uint16_t);
}

tl_status tl_dnn_product_new(tl_ctx *ctx, const tl_dnn_product *p, int threads,
                             tl_dnn **out, size_t *work_bytes)
{
    tl_status             rc;
    tl_dnn               *d    = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd   = NULL;
    dnnl_memory_desc_t    desc[5]; /* a, plain b, b as liked, c, bias */

    memset(desc, 0, sizeof desc);
    *out        = NULL;
    *work_bytes = 0;
    TL_TRY(start(ctx, threads, &d));
    TL_TRY(product_descs(ctx, p, desc));
    TL_TRY(make_attr(ctx, p->act, p->accumulate, &attr));
    ASK(door_product(&pd, d->engine, door_see(&desc[0]), door_see(&desc[2]),
                     p->bias ? door_see(&desc[4]) : NULL, door_see(&desc[3]), attr),
        "a product");
    TL_TRY(no_reference(pd));
    TL_TRY(remember(ctx, d, door_see(&desc[0]), &d->a));
    TL_TRY(remember(ctx, d, door_see(&desc[3]), &d->out));
    if (p->bias) TL_TRY(remember(ctx, d, door_see(&desc[4]), &d->bias));
    TL_TRY(make_pack(ctx, d, door_see(&desc[1]),
                     dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                     p->trained, p->lent && !p->trained));
    TL_TRY(make_scratch(ctx, d, pd, &d->scratch));
    ASK(dnnl_primitive_create(&d->main, pd), "a product");
    d->arg_a = DNNL_ARG_SRC, d->arg_w = DNNL_ARG_WEIGHTS, d->arg_out = DNNL_ARG_DST;
    *work_bytes = work_of(d);
    *out        = d;
    d           = NULL;
done:
    for (size_t i = 0; i < TL_COUNT(desc); i++) door_end(&desc[i]);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    tl_dnn_free(ctx, d);
    return rc;
}

/* One axis of a window: kernel taps that only ever meet padding are left out.  On a 1x1 picture
 * eight of a 3x3 kernel's nine taps are such. */
typedef struct {
    int64_t kernel, first, before, after;
} axis;

static axis live_axis(const tl_dnn_conv *c, int which)
{
    const int64_t size = c->x.dim[1 + which], outs = c->y.dim[1 + which];
    const int     stride = c->conv.stride[which], step = c->conv.dilation[which];
    const int     pad = c->conv.pad[which];
    axis          a   = { c->w.dim[2 + which], 0, pad, c->conv.pad[2 + which] };

    while (a.kernel > 1 && a.before >= step &&
           !tl_tap_lives(a.first, size, outs, stride, step, pad))
        a.first++, a.kernel--, a.before -= step;
    while (a.kernel > 1 && a.after >= step &&
           !tl_tap_lives(a.first + a.kernel - 1, size, outs, stride, step, pad))
        a.kernel--, a.after -= step;
    return a;
}

enum { X, Y, PLAIN_W, LIKED_W, HINT_W, BIAS, CONV_DESCS };

static tl_status conv_descs(tl_ctx *ctx, const tl_dnn_conv *c, const axis live[2],
                            dnnl_memory_desc_t d[CONV_DESCS])
{
    tl_status         rc;
    const int64_t     kh = live[0].kernel, kw = live[1].kernel;
    const int64_t    *x = c->x.dim, *w = c->w.dim, *y = c->y.dim, g = c->conv.groups;
    const bool        grouped = g > 1;
    const int         wn      = grouped ? 5 : 4;
    const dnnl_dims_t xd = { x[0], x[3], x[1], x[2] }, yd = { y[0], y[3], y[1], y[2] },
                      bd   = { w[0] };
    const dnnl_dims_t w5   = { g, w[0] / g, w[1], kh, kw };
    const dnnl_dims_t s5   = { w[0] / g * w[1] * w[2] * w[3], w[1] * w[2] * w[3],
                               w[2] * w[3], w[3], 1 };
    const dnnl_dims_t w4   = { w[0], w[1], kh, kw };
    const int64_t    *wd   = grouped ? w5 : w4;
    dnnl_data_type_t  type = type_of(c->dtype),
                     wtype = c->way == TL_DNN_DW ? dnnl_f32 : type;

    ASK(door_tagged(&d[X], 4, xd, type, dnnl_nhwc), "a shape");
    ASK(door_tagged(&d[Y], 4, yd, type, dnnl_nhwc), "a shape");
    ASK(door_strided(&d[PLAIN_W], wn, wd, dnnl_f32, grouped ? s5 : s5 + 1), "a shape");
    ASK(door_tagged(&d[LIKED_W], wn, wd, wtype, dnnl_format_tag_any), "a shape");
    ASK(door_tagged(&d[HINT_W], wn, wd, type, dnnl_format_tag_any), "a shape");
    ASK(door_tagged(&d[BIAS], 1, bd, dnnl_f32, dnnl_a), "a shape");
done:
    return rc;
}

static door_window window_of(const tl_conv_attr *c, const axis live[2])
{
    return (door_window){ .stride   = { c->stride[0], c->stride[1] },
                          .dilation = { c->dilation[0] - 1, c->dilation[1] - 1 },
                          .before   = { live[0].before, live[1].before },
                          .after    = { live[0].after, live[1].after } };
}

/* The primitive descriptor of the way asked for; backward ones want a forward one as a hint. */
static tl_status conv_pd(tl_ctx *ctx, const tl_dnn *e, const tl_dnn_conv *c,
                         const axis live[2], const dnnl_memory_desc_t *d,
                         dnnl_primitive_desc_t *pd)
{
    tl_status         rc;
    const door_window k = window_of(&c->conv, live);
    const door_ref    x = door_see(&d[X]), y = door_see(&d[Y]), w = door_see(&d[LIKED_W]);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;

    TL_TRY(make_attr(ctx, c->way == TL_DNN_FORWARD ? c->conv.act : TL_ACT_NONE, false,
                     &attr));
    if (c->way == TL_DNN_FORWARD) {
        ASK(door_forward(pd, e->engine, x, w, c->bias ? door_see(&d[BIAS]) : NULL, y, &k,
                         attr),
            "a convolution");
    } else {
        ASK(door_forward(&hint, e->engine, x, door_see(&d[HINT_W]), NULL, y, &k, attr),
            "a convolution");
        if (c->way == TL_DNN_DX)
            ASK(door_dx(pd, e->engine, x, w, y, &k, hint, attr), "conv_dx");
        else
            ASK(door_dw(pd, e->engine, x, w, y, &k, hint, attr), "conv_dw");
    }
    rc = no_reference(*pd);
done:
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return rc;
}

static tl_status conv_memories(tl_ctx *ctx, tl_dnn *d, const tl_dnn_conv *c,
                               const dnnl_memory_desc_t *desc, dnnl_primitive_desc_t pd)
{
    tl_status      rc;
    const bool     dw = c->way == TL_DNN_DW;
    const door_ref x = door_see(&desc[X]), y = door_see(&desc[Y]);

    d->makes_w = dw;
    TL_TRY(remember(ctx, d, c->way == TL_DNN_DX ? y : x, &d->a));
    if (dw)
        TL_TRY(remember(ctx, d, y, &d->dy));
    else
        TL_TRY(remember(ctx, d, c->way == TL_DNN_DX ? x : y, &d->out));
    if (c->bias) TL_TRY(remember(ctx, d, door_see(&desc[BIAS]), &d->bias));
    TL_TRY(make_pack(ctx, d, door_see(&desc[PLAIN_W]),
                     dnnl_primitive_desc_query_md(
                         pd, dw ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0),
                     c->trained, false));
    TL_TRY(make_scratch(ctx, d, pd, &d->scratch));
    d->arg_a   = c->way == TL_DNN_DX ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC;
    d->arg_dy  = DNNL_ARG_DIFF_DST;
    d->arg_w   = dw ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
    d->arg_out = c->way == TL_DNN_DX ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST;
done:
    return rc;
}

tl_status tl_dnn_conv_new(tl_ctx *ctx, const tl_dnn_conv *c, int threads, tl_dnn **out,
                          size_t *work_bytes)
{
    tl_status             rc;
    tl_dnn               *d  = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t    desc[CONV_DESCS];
    const axis            live[2] = { live_axis(c, 0), live_axis(c, 1) };

    memset(desc, 0, sizeof desc);
    *out        = NULL;
    *work_bytes = 0;
    TL_TRY(start(ctx, threads, &d));
    TL_TRY(conv_descs(ctx, c, live, desc));
    TL_TRY(conv_pd(ctx, d, c, live, desc, &pd));
    d->live_at = (size_t)(live[0].first * c->w.dim[3] + live[1].first) * sizeof(float);
    if (live[0].kernel < c->w.dim[2] || live[1].kernel < c->w.dim[3])
        d->dead_bytes = (size_t)tl_shape_count(&c->w) * sizeof(float);
    TL_TRY(conv_memories(ctx, d, c, desc, pd));
    ASK(dnnl_primitive_create(&d->main, pd), "a convolution");
    *work_bytes = work_of(d);
    *out        = d;
    d           = NULL;
done:
    for (size_t i = 0; i < TL_COUNT(desc); i++) door_end(&desc[i]);
    if (pd) dnnl_primitive_desc_destroy(pd);
    tl_dnn_free(ctx, d);
    return rc;
}

void tl_dnn_free(tl_ctx *ctx, tl_dnn *d)
{
    if (!d) return;
    const dnnl_memory_t memories[] = { d->a,   d->dy,    d->w,       d->bias,
                                       d->out, d->plain, d->scratch, d->pack_scratch };

    for (size_t i = 0; i < TL_COUNT(memories); i++)
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    if (d->main) dnnl_primitive_destroy(d->main);
    if (d->pack) dnnl_primitive_destroy(d->pack);
    if (d->stream) dnnl_stream_destroy(d->stream);
    if (d->engine) dnnl_engine_destroy(d->engine);
    tl_free(ctx, d->packed);
    tl_free(ctx, d);
}

size_t tl_dnn_held_bytes(const tl_dnn *d)
{
    return d->packed ? d->packed_bytes : 0;
}

size_t tl_dnn_lent_bytes(const tl_dnn *d)
{
    return d->form ? d->packed_bytes : 0;
}

uint64_t tl_dnn_lent_form(const tl_dnn *d)
{
    return d->form;
}

typedef struct {
    dnnl_exec_arg_t arg[6];
    int             n;
} arguments;

static void add_argument(arguments *list, int which, dnnl_memory_t memory,
                         const void *data)
{
    if (!memory) return;
    /* the C API takes no const; inputs are only read */
    dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data);
    list->arg[list->n++] = (dnnl_exec_arg_t){ which, memory };
}

static tl_status run_pack(tl_ctx *ctx, tl_dnn *d, const void *plain, void *packed,
                          void *scratch)
{
    arguments list = { .n = 0 };

    add_argument(&list, d->makes_w ? DNNL_ARG_TO : DNNL_ARG_FROM, d->plain, plain);
    add_argument(&list, d->makes_w ? DNNL_ARG_FROM : DNNL_ARG_TO, d->w, packed);
    add_argument(&list, DNNL_ARG_SCRATCHPAD, d->pack_scratch, scratch);
    return said(ctx, dnnl_primitive_execute(d->pack, d->stream, list.n, list.arg),
                "a reorder");
}

static tl_status run_main(tl_ctx *ctx, tl_dnn *d, const tl_dnn_run_args *args,
                          const void *w)
{
    arguments list = { .n = 0 };

    add_argument(&list, d->arg_a, d->a, args->a);
    add_argument(&list, d->arg_dy, d->dy, args->dy);
    add_argument(&list, d->arg_w, d->w, w);
    add_argument(&list, DNNL_ARG_BIAS, d->bias, args->bias);
    add_argument(&list, d->arg_out, d->out, args->out);
    add_argument(&list, DNNL_ARG_SCRATCHPAD, d->scratch, args->work);
    return said(ctx, dnnl_primitive_execute(d->main, d->stream, list.n, list.arg),
                "a primitive");
}

tl_status tl_dnn_run(tl_ctx *ctx, tl_dnn *d, const tl_dnn_run_args *args)
{
    tl_status   rc;
    const char *whole  = d->makes_w ? args->out : args->w;
    const void *plain  = whole + d->live_at;
    void       *packed = d->packed ? d->packed
                         : d->form ? args->lent
                                   : (char *)args->work + d->scratch_bytes;
    const bool  kept   = d->form || (d->packed && d->have_packed);

    tl_par_set_threads(args->threads);
    if (d->makes_w && d->dead_bytes) memset(args->out, 0, d->dead_bytes);
    if (!d->pack) {
        rc = run_main(ctx, d, args, plain);
        goto done;
    }
    if (!d->makes_w && (!kept || args->weights_changed)) {
        TL_TRY(run_pack(ctx, d, plain, packed, args->work));
        d->have_packed = true;
    }
    TL_TRY(run_main(ctx, d, args, packed));
    if (d->makes_w) TL_TRY(run_pack(ctx, d, plain, packed, args->work));
done:
    return rc;
}

tl_status tl_dnn_sgemm_run(tl_ctx *ctx, const tl_dnn_sgemm *g)
{
    const int64_t line = g->a_line ? g->a_line : g->a_turns ? g->m : g->k;

    tl_par_set_threads(g->threads);
    return said(ctx,
                dnnl_sgemm(g->a_turns ? 'T' : 'N', g->b_turns ? 'T' : 'N', g->m, g->n, g->k, 1.0f,
                           g->a, line, g->b, g->b_turns ? g->k : g->n,
                           g->adds ? 1.0f : 0.0f, g->c, g->n),
                "a product");
}

char *tl_dnn_version(char buffer[32])
{
    const dnnl_version_t *v = dnnl_version();

    snprintf(buffer, 32, "%d.%d.%d", v->major, v->minor, v->patch);
    return buffer;
}
