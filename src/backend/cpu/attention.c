/* attention.c -- attention over packed sequences, forward a block of queries of one head at a time,
 * backward a sequence and a head of keys at a time.  What a piece computes does not depend on
 * which thread takes it.  Floor 1, backend/cpu. */
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

#include <string.h>

enum { Q, K, V, OFFSETS, DY = 0, GQ, GK, GV, Y, LSE, GOFFSETS };
static const int64_t small_work = 1 << 16; /* multiply-adds worth no second thread */

/* The call's work: sequences, blocks before each, rooms of the workers, dq where it is bf16. */
typedef struct {
    const tl_simd  *loops;
    const tl_tiles *tiles; /* NULL: by loops; else there are no loops */
    tl_attend       t;
    tl_sequence    *seq;
    int64_t *before; /* [count + 1] forward: blocks of queries before each sequence */
    int64_t  count, rows;
    tl_units units;
    tl_view  dq; /* backward: where bf16 gradients go from t.dq; else data NULL */
} job;

static int64_t sequences_most(const tl_call *call, int q, int offsets)
{
    const tl_attention_attr *a = call->node->attr;

    if (call->in[offsets].shape.ndim == 1) return call->in[offsets].shape.dim[0] - 1;
    return a->length ? call->in[q].shape.dim[0] / a->length : 1;
}

static tl_heads heads_of(const tl_call *call, int q)
{
    return tl_heads_of(call->node->attr, &call->in[q].shape,
                       call->node->in[q + 1] ? &call->in[q + 1].shape : NULL);
}

/* What prepare chose and keeps as the call's state: these, or the table of loops. */
static const tl_tiles *tiles_of(const tl_call *call)
{
    return tl_tiles_of(call->state);
}

static size_t room_floats(const tl_tiles *tiles, const tl_heads *h, bool backward)
{
    const size_t d = (size_t)h->d, rows = TL_ATTEND_ROWS, keys = TL_ATTEND_KEYS;

    if (tiles) return tiles->attend_room(h->d, backward) / sizeof(float);
    if (backward) return 5 * keys * d + 2 * rows * d + 2 * rows * keys;
    return 2 * rows * d + 2 * keys * d + rows * keys + 2 * rows;
}

static bool is_backward(const tl_call *call)
{
    return call->node->n_in == TL_MOST_IN;
}

/* Bytes of the sequences' part. */
static size_t list_bytes(int64_t count)
{
    return tl_padded((size_t)count * sizeof(tl_sequence)) +
           tl_padded((size_t)(count + 1) * sizeof(int64_t));
}

static tl_status attend_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                size_t *work_bytes)
{
    const bool      back = is_backward(call);
    const int       q    = back ? GQ : Q;
    const tl_heads  h    = heads_of(call, q);
    const tl_status rc   = tl_cpu_ready(ctx, g, call, work_bytes);

    if (tl_is_bf(&call->in[q]) && tl_tiles_best())
        call->state = (void *)(uintptr_t)tl_tiles_best();
    *work_bytes =
        list_bytes(sequences_most(call, q, back ? GOFFSETS : OFFSETS)) +
        tl_padded(room_floats(tiles_of(call), &h, back) * sizeof(float)) *
            (size_t)tl_workers(call->threads);
    if (back && tl_is_bf(&call->in[GQ]))
        *work_bytes += tl_padded((size_t)(h.rows * h.heads * h.d) * sizeof(float));
    return rc;
}

/* Sequences and, in `before`, how many pieces of `rows` queries come before each. */
static void list_sequences(job *j, tl_sequences walk, int64_t rows)
{
    tl_sequence s;

    j->before[0] = 0;
    for (j->count = 0; tl_sequences_next(&walk, &s); j->count++) {
        j->seq[j->count]        = s;
        j->before[j->count + 1] = j->before[j->count] + (s.q_end - s.q + rows - 1) / rows;
    }
}

static job job_of(const tl_call *call, int q, int offsets)
{
    job           j     = { .tiles = tiles_of(call) };
    const bool    apart = call->in[q + 1].data != NULL;
    const int64_t most  = sequences_most(call, q, offsets);
    char         *work  = call->work;

    if (!j.tiles) j.loops = tl_loops(call);
    j.t           = (tl_attend){ .a  = call->node->attr,
                                 .h  = heads_of(call, q),
                                 .q  = call->in[q].data,
                                 .k  = call->in[apart ? q + 1 : q].data,
                                 .v  = call->in[apart ? q + 2 : q].data,
                                 .bf = tl_is_bf(&call->in[q]) };
    j.t.drop      = tl_drop_of(j.t.a, call->tick);
    j.seq         = (void *)work;
    j.before      = (void *)(work + tl_padded((size_t)most * sizeof *j.seq));
    j.rows        = j.tiles ? j.tiles->attend_rows : TL_ATTEND_ROWS;
    j.units       = (tl_units){
              .threads    = call->threads,
              .room       = work + list_bytes(most),
              .room_bytes = tl_padded(room_floats(j.tiles, &j.t.h, is_backward(call)) *
                                      sizeof(float)),
    };
    list_sequences(&j,
                   tl_sequences_of(&call->in[offsets], &call->in[offsets + 1],
                                   j.t.a->length, j.t.h.rows, j.t.h.keys),
                   j.rows);
    return j;
}

/* The sequence that holds block `at`. */
static int64_t sequence_of(const job *j, int64_t at)
{
    int64_t low = 0, high = j->count;

    while (high - low > 1) {
        const int64_t mid = (low + high) / 2;
        if (j->before[mid] <= at)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The heads of one block of rows, which lie side by side, follow each other. */
static void attend_unit(const void *arg, int64_t unit, void *room)
{
    const job    *j     = arg;
    const int64_t heads = j->t.h.heads, at = unit / heads, s = sequence_of(j, at);
    const int64_t first = (at - j->before[s]) * j->rows;

    if (j->tiles)
        j->tiles->attend(&j->t, &j->seq[s], first, unit % heads, room);
    else
        j->loops->attend(&j->t, &j->seq[s], first, unit % heads, room);
}

static void grad_unit(const void *arg, int64_t unit, void *room)
{
    const job         *j = arg;
    const tl_sequence *s = &j->seq[unit / j->t.h.kv];

    if (j->tiles)
        j->tiles->attend_grad(&j->t, s, unit % j->t.h.kv, room);
    else
        j->loops->attend_grad(&j->t, s, unit % j->t.h.kv, room);
}

static void run_units(job *j, int64_t units, void (*unit)(const void *, int64_t, void *))
{
    int64_t work = 0;

    for (int64_t s = 0; s < j->count; s++)
        work += (j->seq[s].q_end - j->seq[s].q) * (j->seq[s].k_end - j->seq[s].k);
    if (work * j->t.h.heads * j->t.h.d < small_work) j->units.threads = 1;
    j->units.job   = j;
    j->units.unit  = unit;
    j->units.units = units;
    tl_units_run(&j->units);
}

/* Rows of queries, or of keys, that belong to no sequence: kernels write all others. */
static void clear_gaps(const job *j, bool keys, void *rows, size_t bytes)
{
    const int64_t end = keys ? j->t.h.keys : j->t.h.rows;
    int64_t       at  = 0;

    for (int64_t i = 0; i <= j->count && rows; i++) {
        const tl_sequence s    = i < j->count ? j->seq[i] : (tl_sequence){ end, end, end, end };
        const int64_t     next = keys ? s.k : s.q;
        if (next > at)
            memset((char *)rows + (size_t)at * bytes, 0, (size_t)(next - at) * bytes);
        at = TL_MAX(at, keys ? s.k_end : s.q_end);
    }
}
static void clear_gaps_of(const job *j, bool keys, const tl_view *v)
{
    clear_gaps(j, keys, v->data, (size_t)tl_columns(v) * tl_dtype_bytes(v->dtype));
}

static tl_status attention_run(tl_ctx *ctx, const tl_call *call)
{
    job j = job_of(call, Q, OFFSETS);

    (void)ctx;
    j.t.y   = call->out[0].data;
    j.t.lse = call->out[1].data;
    clear_gaps_of(&j, false, &call->out[0]);
    clear_gaps_of(&j, false, &call->out[1]);
    run_units(&j, j.before[j.count] * j.t.h.heads, attend_unit);
    return TL_OK;
}

static void narrow_rows(void *arg, int64_t low, int64_t high)
{
    const job    *j     = arg;
    const int64_t width = j->t.h.heads * j->t.h.d;

    for (int64_t r = low; r < high; r++)
        j->loops->cast(width, j->t.dq + r * width, false,
                       tl_place(&j->dq, r * j->t.h.q_step), true);
}

static tl_status attention_grad_run(tl_ctx *ctx, const tl_call *call)
{
    job        j     = job_of(call, GQ, GOFFSETS);
    const bool apart = call->in[GK].data != NULL;

    (void)ctx;
    clear_gaps_of(&j, false, &call->out[0]);
    for (int k = 1; k < 3; k++) {
        if (apart) clear_gaps_of(&j, true, &call->out[k]);
        else tl_clear(&call->out[k]);
    }
    j.t.dy      = call->in[DY].data;
    j.t.y       = call->in[Y].data;
    j.t.lse     = call->in[LSE].data;
    j.t.dk      = call->out[apart ? 1 : 0].data;
    j.t.dv      = call->out[apart ? 2 : 0].data;
    j.t.dq      = call->out[0].data;
    j.t.dq_step = j.t.h.q_step;
    if (j.t.bf && call->out[0].data) {
        j.t.dq = (void *)(j.units.room + j.units.room_bytes * (size_t)tl_workers(call->threads));
        j.t.dq_step = j.t.h.heads * j.t.h.d;
        j.t.dq_out  = call->out[0].data;
        if (!j.tiles) j.dq = call->out[0];
        if (!j.tiles) clear_gaps(&j, false, j.t.dq, (size_t)j.t.dq_step * sizeof(float));
    }
    run_units(&j, j.count * j.t.h.kv, grad_unit);
    if (j.dq.data)
        tl_par_for(call->threads, j.t.h.rows, TL_MAX(1, 4 * TL_PIECE / j.t.dq_step),
                   narrow_rows, &j);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "attention", attend_prepare, attention_run, NULL },
    { "attention_grad", attend_prepare, attention_grad_run, NULL },
};
const tl_kernel_list tl_cpu_attention = { kernels, TL_COUNT(kernels) };
