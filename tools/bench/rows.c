/* rows.c -- the rows a case trains on, drawn at random.  Pictures come as one batch made
 * beforehand and texts as four, as the peer's do; samples are gathered from all of them. */
#include "bench.h"
#include "core/par.h"
#include "core/rand.h"

#include <string.h>

enum { TEXT_BATCHES = 4 };

static void fill(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t lane[4];
        tl_rand_block(1, TL_STREAM(TL_STREAM_TEST, 1), (uint64_t)i, lane);
        for (int64_t k = i; k < TL_MIN(i + 4, n); k++)
            x[k] = (float)(lane[k - i] >> 8) * 0x1p-24f;
    }
}

static void draw(int32_t *x, int64_t n, uint64_t stream, int64_t below)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (int32_t)tl_rand_below(1, TL_STREAM(TL_STREAM_TEST, stream), (uint64_t)i,
                                      (uint64_t)below);
}

static tl_status values_new(tl_ctx *ctx, bench_rows *r)
{
    tl_status     rc;
    const int64_t batch = r->c->batch;

    TL_TRY(tl_alloc_array(ctx, (size_t)(r->items * r->row), sizeof *r->value, &r->value));
    fill(r->value, r->items * r->row);
    if (!r->c->items) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)(batch * r->row), sizeof *r->x, &r->x));
    TL_TRY(tl_alloc_array(ctx, (size_t)batch, sizeof *r->y, &r->y));
    TL_TRY(tl_alloc_array(ctx, (size_t)r->items, sizeof *r->order, &r->order));
    for (int64_t i = 0; i < r->items; i++) r->order[i] = i;
    tl_rand_shuffle(1, TL_STREAM(TL_STREAM_ORDER, 0), r->order, r->items);
done:
    return rc;
}

static tl_status texts_new(tl_ctx *ctx, int64_t vocab, bench_rows *r)
{
    tl_status     rc;
    const int64_t batch = r->c->batch, tokens = batch * r->row;

    TL_TRY(tl_alloc_array(ctx, (size_t)(r->items * r->row), sizeof *r->id, &r->id));
    TL_TRY(tl_alloc_array(ctx, (size_t)tokens, sizeof *r->position, &r->position));
    TL_TRY(tl_alloc_array(ctx, (size_t)tokens, sizeof *r->segment, &r->segment));
    TL_TRY(tl_alloc_array(ctx, (size_t)(batch + 1), sizeof *r->offset, &r->offset));
    draw(r->id, r->items * r->row, 3, vocab);
    for (int64_t i = 0; i < r->items * r->row && r->c->words; i++)
        r->label[i] = i % r->row < r->row - 1 ? r->id[i + 1] : -1;
    for (int64_t i = 0; i < tokens; i++) r->position[i] = (int32_t)(i % r->row);
    for (int64_t i = 0; i <= batch; i++) r->offset[i] = (int32_t)(i * r->row);
done:
    return rc;
}

tl_status bench_rows_new(tl_ctx *ctx, const bench_case *c, int64_t vocab, bench_rows *out)
{
    tl_status  rc;
    bench_rows r = { .c = c, .row = tl_shape_count(&c->row) };

    r.items = c->length ? TEXT_BATCHES * c->batch : TL_MAX(c->items, c->batch);
    const int64_t each = c->words ? r.row : 1; /* targets of a row; a text's last has none */
    r.asked            = c->batch * each;
    TL_TRY(tl_alloc_array(ctx, (size_t)(r.items * each), sizeof *r.label, &r.label));
    TL_TRY(tl_alloc_array(ctx, (size_t)r.asked, sizeof *r.weight, &r.weight));
    if (!c->words) draw(r.label, r.items, 2, c->classes);
    for (int64_t i = 0; i < r.asked; i++)
        r.weight[i] = 1.0f / (float)(c->words ? c->batch * (each - 1) : c->batch);
    TL_TRY(c->length ? texts_new(ctx, vocab, &r) : values_new(ctx, &r));
done:
    *out = r;
    if (rc != TL_OK) bench_rows_free(ctx, out);
    return rc;
}

void bench_rows_free(tl_ctx *ctx, bench_rows *r)
{
    tl_free(ctx, r->value);
    tl_free(ctx, r->x);
    tl_free(ctx, r->label);
    tl_free(ctx, r->y);
    tl_free(ctx, r->order);
    tl_free(ctx, r->id);
    tl_free(ctx, r->position);
    tl_free(ctx, r->segment);
    tl_free(ctx, r->offset);
    tl_free(ctx, r->weight);
    *r = (bench_rows){ 0 };
}

typedef struct { bench_rows *r; const int64_t *at; } gathering;

static void gather(void *arg, int64_t low, int64_t high)
{
    const gathering *a = arg;
    bench_rows      *r = a->r;

    for (int64_t i = low; i < high; i++) {
        memcpy(r->x + i * r->row, r->value + a->at[i] * r->row,
               (size_t)r->row * sizeof *r->x);
        r->y[i] = r->label[a->at[i]];
    }
}

void bench_rows_batch(bench_rows *r, uint64_t step, int threads, const void **x,
                      const int32_t **y)
{
    const int64_t batch = r->c->batch;
    const int64_t at    = (int64_t)(step % (uint64_t)(r->items / batch)) * batch;

    *x = r->id ? (const void *)(r->id + at * r->row) : r->value + at * r->row;
    *y = r->label + at * (r->asked / batch);
    if (!r->order) return;
    tl_par_for(threads, batch, 64, gather, &(gathering){ r, r->order + at });
    *x = r->x;
    *y = r->y;
}
