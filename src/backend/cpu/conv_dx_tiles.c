/* conv_dx_tiles.c -- gradients of convolutions in pixels, where these are few and the weights many,
 * in bf16 on tiles: one product, along taps of the window, of the output's gradients that a pixel
 * meets with the weights turned.  Pixels a stride apart are reached through the same taps and by no
 * others, so that each such comb of pixels is a product of its own.  (oneDNN 2.6 takes two and a
 * half times as long for 512 to 512 channels, 3x3, on 4x4, and with strides longer.)  Weights in
 * training are turned and laid out in each step.  Floor 1, backend/cpu. */
#include "backend/cpu/taps.h"
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

#include <string.h>

enum { DY, W };
enum {
    LEAST_WEIGHTS = 1 << 20, /* with fewer oneDNN's are as fast, ...             */
    LEAST_STRIDED = 1 << 18, /* ... which is slower with strides ...             */
    MOST_STRIDED  = 8192,    /* ... of so many pixels of a comb at most          */
    LEAST_CHANNEL = 64,
    MOST_TAPS     = 49,
    MET_BYTES     = 4 << 20, /* of what pixels met, gathered before the next are     */
    SQUARE        = 16       /* of weights that are turned at once                   */
};

/* Pixels of dx a stride apart from the first, of all pictures, and what they meet. */
typedef struct {
    int64_t    first[2], size[2], rows; /* at least one pixel of each picture */
    int64_t    taps, tap[MOST_TAPS];
    tl_meeting met[MOST_TAPS];
} comb;

typedef struct {
    const tl_tiles          *tiles;
    const tl_call           *call;
    const tl_conv_grad_attr *a;
    int64_t         outs, ins, taps;
    comb            c;
    int64_t         line, at_once, at; /* of `met`: values of a pixel, pixels, the first one  */
    tl_tile_product p;
    int64_t         columns;           /* of the product that are made at once                */
    float          *turned, *picked;   /* [ins taps outs], and of the comb's taps             */
    uint16_t       *laid, *met, *made; /* those for tiles; [at_once line]; [at_once ins]      */
    char           *room;
} job;

/* Taps that lead from pixels of the comb to some pixel, not only to padding. */
static int64_t taps_of_axis(const job *j, int axis, int64_t first, int64_t *tap)
{
    const tl_conv_attr *c    = &j->a->conv;
    const int64_t       size = j->a->shape.dim[1 + axis];
    const int64_t       outs = j->call->in[DY].shape.dim[1 + axis];
    int64_t             n    = 0;

    for (int64_t k = 0; k < j->call->in[W].shape.dim[2 + axis]; k++)
        if ((first + c->pad[axis] - k * c->dilation[axis]) % c->stride[axis] == 0 &&
            tl_tap_lives(k, size, outs, c->stride[axis], c->dilation[axis], c->pad[axis]))
            tap[n++] = k;
    return n;
}

static int64_t shift_of(const job *j, int axis, int64_t first, int64_t tap)
{
    const tl_conv_attr *c = &j->a->conv;

    return (first + c->pad[axis] - tap * c->dilation[axis]) / c->stride[axis];
}

/* Along an axis: not more than pixels. */
static int64_t combs_of_axis(const job *j, int axis)
{
    return TL_MIN((int64_t)j->a->conv.stride[axis], j->a->shape.dim[1 + axis]);
}
static int64_t combs_of(const job *j)
{
    return combs_of_axis(j, 0) * combs_of_axis(j, 1);
}

static comb comb_of(const job *j, int64_t which)
{
    const tl_shape *x = &j->a->shape, *dy = &j->call->in[DY].shape;
    const int64_t   across = combs_of_axis(j, 1);
    comb            c      = { .first = { which / across, which % across } };
    int64_t         tap[2][MOST_TAPS], count[2];

    for (int k = 0; k < 2; k++) {
        c.size[k] = tl_units_of(x->dim[1 + k] - c.first[k], j->a->conv.stride[k]);
        count[k]  = taps_of_axis(j, k, c.first[k], tap[k]);
    }
    c.rows = x->dim[0] * c.size[0] * c.size[1];
    for (int64_t y = 0; y < count[0]; y++)
        for (int64_t z = 0; z < count[1]; z++, c.taps++) {
            c.tap[c.taps] = tap[0][y] * j->call->in[W].shape.dim[3] + tap[1][z];
            c.met[c.taps] = (tl_meeting){ .own   = { c.size[0], c.size[1] },
                                          .other = { dy->dim[1], dy->dim[2] },
                                          .step  = { 1, 1 },
                                          .shift = { shift_of(j, 0, c.first[0], tap[0][y]),
                                                     shift_of(j, 1, c.first[1], tap[1][z]) } };
        }
    return c;
}

/* Lines that are far from multiples of what the first cache holds in one place. */
static int64_t line_of(int64_t deep)
{
    return deep + (deep % 512 == 480 ? 64 : 32);
}

/* The comb that is next, and its product. */
static void take_comb(job *j, int64_t which)
{
    j->c             = comb_of(j, which);
    const int64_t k  = TL_MAX(1, j->c.taps) * j->outs; /* none: no product is made */
    j->line          = line_of(k);
    j->at_once       = TL_MAX(1, MET_BYTES / (j->line * (int64_t)sizeof *j->met) / 32) * 32;
    j->at_once       = TL_MIN(j->at_once, tl_units_of(j->c.rows, 32) * 32);
    j->p             = (tl_tile_product){ .m        = TL_MIN(j->at_once, j->c.rows),
                                          .n        = j->ins,
                                          .k        = k,
                                          .a        = j->met,
                                          .a_line   = j->line,
                                          .b_turned = true,
                                          .laid     = j->laid,
                                          .c        = j->made,
                                          .c_bf     = true };
    j->columns = j->tiles->product_columns(&j->p, j->call->threads);
}

/* Are the comb's taps all of the window, in their order? */
static bool takes_all_taps(const job *j)
{
    return j->c.taps == j->taps;
}

static size_t room_bytes(const job *j)
{
    return tl_padded(j->tiles->product_bytes(&j->p, j->columns));
}

/* With every part in its place; *bytes: of them all. */
static job job_of(const tl_call *call, const tl_tiles *tiles, size_t *bytes)
{
    const tl_shape *w  = &call->in[W].shape;
    char           *at = call->work;
    size_t          picked = 0, met = 0, made = 0, laid = 0, room = 0;
    job             j  = { .tiles = tiles,
                           .call  = call,
                           .a     = call->node->attr,
                           .outs  = w->dim[0],
                           .ins   = w->dim[1],
                           .taps  = w->dim[2] * w->dim[3] };
    const size_t    line = (size_t)(j.ins * j.outs) * sizeof(float); /* of one tap */

    for (int64_t c = 0; c < combs_of(&j); c++) {
        take_comb(&j, c);
        if (!takes_all_taps(&j)) picked = TL_MAX(picked, tl_padded((size_t)j.c.taps * line));
        if (combs_of(&j) > 1)
            made = TL_MAX(made, tl_padded((size_t)(j.at_once * j.ins) * sizeof *j.made));
        met  = TL_MAX(met, tl_padded((size_t)(j.at_once * j.line) * sizeof *j.met));
        laid = TL_MAX(laid, tl_padded(tiles->laid_bytes(j.ins, j.p.k)));
        room = TL_MAX(room, room_bytes(&j));
    }
    j.turned = (void *)at, at += tl_padded((size_t)j.taps * line);
    j.picked = (void *)at, at += picked;
    j.laid   = (void *)at, at += laid;
    j.met    = (void *)at, at += met;
    j.made   = (void *)at, at += made;
    j.room   = at;
    *bytes   = (size_t)(at - (char *)call->work) + room * (size_t)tl_workers(call->threads);
    return j;
}

static bool suits(const tl_call *call, const tl_tiles *tiles)
{
    const tl_conv_grad_attr *a       = call->node->attr;
    const tl_shape          *w       = &call->in[W].shape;
    const int64_t            strides = (int64_t)a->conv.stride[0] * a->conv.stride[1];
    const int64_t            most    = strides > 1 ? MOST_STRIDED : tiles->conv_dx_rows;

    return tl_is_bf(&call->in[DY]) && !(call->constant >> W & 1) && a->conv.groups == 1 &&
           w->dim[2] * w->dim[3] <= MOST_TAPS &&
           tl_shape_count(w) >= (strides > 1 ? LEAST_STRIDED : LEAST_WEIGHTS) &&
           TL_MIN(w->dim[0], w->dim[1]) >= LEAST_CHANNEL &&
           tl_shape_count(&a->shape) / w->dim[1] <= most * strides;
}

static tl_status dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tiles *tiles = tl_tiles_best();

    (void)ctx;
    (void)g;
    if (!tiles || !suits(call, tiles)) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tiles;
    (void)job_of(call, tiles, work_bytes);
    return TL_OK;
}

static void turn_weights(void *arg, int64_t low, int64_t high)
{
    const job    *j     = arg;
    const int64_t lines = j->ins * j->taps;

    tl_simd_best()->turn(j->outs, lines, j->call->in[W].data, j->turned, low * SQUARE,
                                 TL_MIN(high * SQUARE, lines));
}

static void lay_weights(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    j->tiles->lay(takes_all_taps(j) ? j->turned : j->picked, j->ins, j->p.k, low, high, j->laid);
}

static void pick_taps(void *arg, int64_t low, int64_t high)
{
    const job   *j    = arg;
    const size_t size = (size_t)j->outs * sizeof(float);

    for (int64_t i = low; i < high; i++)
        for (int64_t t = 0; t < j->c.taps; t++)
            memcpy(j->picked + (i * j->c.taps + t) * j->outs,
                   j->turned + (i * j->taps + j->c.tap[t]) * j->outs, size);
}

static void gather(void *arg, int64_t low, int64_t high)
{
    const job   *j    = arg;
    const size_t size = (size_t)j->outs * sizeof *j->met;

    for (int64_t t = 0; t < j->c.taps; t++)
        for (int64_t r = low; r < high; r++) {
            uint16_t     *to = j->met + r * j->line + t * j->outs;
            const int64_t at = tl_meets(&j->c.met[t], j->at + r);
            if (at < 0) memset(to, 0, size);
            else memcpy(to, tl_place(&j->call->in[DY], at * j->outs), size);
        }
}

static void some_channels(const void *arg, int64_t at, void *room)
{
    const job    *j = arg;
    const int64_t c = at * j->columns;

    j->tiles->product(&j->p, c, TL_MIN(j->columns, j->ins - c), room);
}

/* Pixels of the comb to their places in dx. */
static void scatter(void *arg, int64_t low, int64_t high)
{
    const job      *j    = arg;
    const tl_shape *x    = &j->a->shape;
    const size_t    size = (size_t)j->ins * sizeof *j->made;

    for (int64_t r = low; r < high; r++) {
        const int64_t row = (j->at + r) / j->c.size[1];
        const int64_t y   = j->c.first[0] + row % j->c.size[0] * j->a->conv.stride[0];
        const int64_t z   = j->c.first[1] + (j->at + r) % j->c.size[1] * j->a->conv.stride[1];
        const int64_t to  = (row / j->c.size[0] * x->dim[1] + y) * x->dim[2] + z;
        if (j->c.taps) memcpy(tl_place(&j->call->out[0], to * j->ins), j->made + r * j->ins, size);
        else memset(tl_place(&j->call->out[0], to * j->ins), 0, size);
    }
}

/* Pixels [at, at + p.m) of the comb. */
static void make_pixels(job *j)
{
    const int      threads = j->call->threads;
    const tl_units units   = { .unit       = some_channels,
                               .job        = j,
                               .units      = tl_units_of(j->ins, j->columns),
                               .threads    = threads,
                               .room       = j->room,
                               .room_bytes = room_bytes(j) };
    const bool     in_place = combs_of(j) == 1;

    if (in_place) j->p.c = tl_place(&j->call->out[0], j->at * j->ins);
    if (j->c.taps) tl_par_for(threads, j->p.m, 1, gather, j);
    if (j->c.taps) tl_units_run(&units);
    if (!in_place) tl_par_for(threads, j->p.m, 1, scatter, j);
}

static tl_status dx_run(tl_ctx *ctx, const tl_call *call)
{
    size_t bytes;
    job    j = job_of(call, call->state, &bytes);

    (void)ctx;
    tl_par_for(call->threads, tl_units_of(j.ins * j.taps, SQUARE), 1, turn_weights, &j);
    for (int64_t c = 0; c < combs_of(&j); c++) {
        take_comb(&j, c);
        if (!j.c.taps && combs_of(&j) == 1) tl_clear(&call->out[0]);
        if (j.c.taps && !takes_all_taps(&j))
            tl_par_for(call->threads, j.ins, 1, pick_taps, &j);
        if (j.c.taps) tl_par_for(call->threads, j.tiles->laid_rows(j.ins), 1, lay_weights, &j);
        for (j.at = 0; j.at < j.c.rows; j.at += j.at_once) {
            j.p.m = TL_MIN(j.at_once, j.c.rows - j.at);
            make_pixels(&j);
        }
    }
    return TL_OK;
}

static const tl_kernel kernels[] = { { "conv_dx", dx_prepare, dx_run, NULL } };
const tl_kernel_list   tl_cpu_conv_dx_tiles = { kernels, TL_COUNT(kernels) };
