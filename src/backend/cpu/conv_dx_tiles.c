/* conv_dx_tiles.c -- gradients of convolutions in pixels, where these are few and the weights many,
 * in bf16 on tiles: one product, along all taps of the window, of the output's gradients that a
 * pixel meets with the weights turned.  (oneDNN 2.6 takes two and a half times as long for 512 to
 * 512 channels, 3x3.)  Weights in training are turned and laid out in each step.
 * Floor 1, backend/cpu. */
#include "backend/cpu/taps.h"
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

#include <string.h>

enum { DY, W };
enum {
    MOST_ROWS     = 8192,    /* pixels of dx in all: with more ... */
    LEAST_WEIGHTS = 1 << 20, /* ... or fewer weights, oneDNN's are as fast           */
    LEAST_CHANNEL = 64,
    MET_BYTES     = 4 << 20, /* of what pixels met, gathered before the next are     */
    SQUARE        = 16       /* of weights that are turned at once                   */
};

typedef struct {
    const tl_tiles          *tiles;
    const tl_call           *call;
    const tl_conv_grad_attr *a;
    int64_t                  rows, outs, ins, taps, deep, line; /* line: of `met` */
    float                   *turned;  /* [ins taps outs]      */
    uint16_t                *laid;    /* the same for tiles   */
    uint16_t                *met;     /* [at_once line]       */
    char                    *room;
    int64_t                  at_once, first; /* pixels of `met`; which comes first    */
    tl_tile_product          p;
    int64_t                  columns; /* that are made at once */
} job;

/* Lines that are far from multiples of what the first cache holds in one place. */
static int64_t line_of(int64_t deep)
{
    return deep + (deep % 512 == 480 ? 64 : 32);
}

static job job_of(const tl_call *call, const tl_tiles *tiles)
{
    const tl_shape *w = &call->in[W].shape;
    char           *at = call->work;
    job             j  = { .tiles = tiles,
                           .call  = call,
                           .a     = call->node->attr,
                           .outs  = w->dim[0],
                           .ins   = w->dim[1],
                           .taps  = w->dim[2] * w->dim[3] };

    j.rows   = tl_shape_count(&j.a->shape) / j.ins;
    j.deep   = j.taps * j.outs;
    j.line   = line_of(j.deep);
    j.at_once = TL_MAX(1, MET_BYTES / (j.line * (int64_t)sizeof *j.met) / 32) * 32;
    j.turned = (void *)at;
    at += tl_padded((size_t)(j.ins * j.deep) * sizeof(float));
    j.laid = (void *)at;
    at += tl_padded(tiles->laid_bytes(j.ins, j.deep));
    j.met = (void *)at;
    at += tl_padded((size_t)(j.at_once * j.line) * sizeof(uint16_t));
    j.room = at;
    j.p    = (tl_tile_product){ .m        = j.at_once,
                                .n        = j.ins,
                                .k        = j.deep,
                                .a        = j.met,
                                .a_line   = j.line,
                                .b_turned = true,
                                .laid     = j.laid,
                                .c_bf     = true };
    j.columns = tiles->product_columns(&j.p, call->threads);
    return j;
}

static size_t room_bytes(const job *j)
{
    return tl_padded(j->tiles->product_bytes(&j->p, j->columns));
}

static bool suits(const tl_call *call)
{
    const tl_conv_grad_attr *a = call->node->attr;
    const tl_shape          *w = &call->in[W].shape;

    return tl_is_bf(&call->in[DY]) && !(call->constant >> W & 1) && a->conv.groups == 1 &&
           a->conv.stride[0] == 1 && a->conv.stride[1] == 1 &&
           tl_shape_count(w) >= LEAST_WEIGHTS && TL_MIN(w->dim[0], w->dim[1]) >= LEAST_CHANNEL &&
           tl_shape_count(&a->shape) / w->dim[1] <= MOST_ROWS;
}

static tl_status dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tiles *tiles = tl_tiles_best();

    (void)ctx;
    (void)g;
    if (!tiles || !suits(call)) return TL_EUSAGE;
    const job j = job_of(call, tiles);
    call->state = (void *)(uintptr_t)tiles;
    *work_bytes = (size_t)(j.room - (char *)call->work) +
                  room_bytes(&j) * (size_t)tl_workers(call->threads);
    return TL_OK;
}

static void turn_weights(void *arg, int64_t low, int64_t high)
{
    const job    *j     = arg;
    const int64_t lines = j->ins * j->taps;

    tl_simd_at(TL_ISA_AMX)->turn(j->outs, lines, j->call->in[W].data, j->turned, low * SQUARE,
                                 TL_MIN(high * SQUARE, lines));
}

static void lay_weights(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    j->tiles->lay(j->turned, j->ins, j->deep, low, high, j->laid);
}

/* Of dy what a pixel met through this tap of its window. */
static tl_meeting meeting_of(const job *j, int64_t tap)
{
    const tl_conv_attr *c  = &j->a->conv;
    const tl_shape     *x  = &j->a->shape, *dy = &j->call->in[DY].shape, *w = &j->call->in[W].shape;

    return (tl_meeting){
        .own   = { x->dim[1], x->dim[2] },
        .other = { dy->dim[1], dy->dim[2] },
        .step  = { 1, 1 },
        .shift = { c->pad[0] - tap / w->dim[3] * c->dilation[0],
                   c->pad[1] - tap % w->dim[3] * c->dilation[1] },
    };
}

static void gather(void *arg, int64_t low, int64_t high)
{
    const job   *j    = arg;
    const size_t size = (size_t)j->outs * sizeof *j->met;

    for (int64_t tap = 0; tap < j->taps; tap++) {
        const tl_meeting m = meeting_of(j, tap);
        for (int64_t r = low; r < high; r++) {
            uint16_t     *to = j->met + r * j->line + tap * j->outs;
            const int64_t at = tl_meets(&m, j->first + r);
            if (at < 0) memset(to, 0, size);
            else memcpy(to, tl_place(&j->call->in[DY], at * j->outs), size);
        }
    }
}

static void some_channels(const void *arg, int64_t at, void *room)
{
    const job    *j = arg;
    const int64_t c = at * j->columns;

    j->tiles->product(&j->p, c, TL_MIN(j->columns, j->ins - c), room);
}

static tl_status dx_run(tl_ctx *ctx, const tl_call *call)
{
    job            j     = job_of(call, call->state);
    const tl_units units = { .unit       = some_channels,
                             .job        = &j,
                             .units      = tl_units_of(j.ins, j.columns),
                             .threads    = call->threads,
                             .room       = j.room,
                             .room_bytes = room_bytes(&j) };

    (void)ctx;
    tl_par_for(call->threads, tl_units_of(j.ins * j.taps, SQUARE), 1, turn_weights, &j);
    tl_par_for(call->threads, j.tiles->laid_rows(j.ins), 1, lay_weights, &j);
    for (j.first = 0; j.first < j.rows; j.first += j.at_once) {
        j.p.m = TL_MIN(j.at_once, j.rows - j.first);
        j.p.c = tl_place(&call->out[0], j.first * j.ins);
        tl_par_for(call->threads, j.p.m, 1, gather, &j);
        tl_units_run(&units);
    }
    return TL_OK;
}

static const tl_kernel kernels[] = { { "conv_dx", dx_prepare, dx_run, NULL } };
const tl_kernel_list   tl_cpu_conv_dx_tiles = { kernels, TL_COUNT(kernels) };
