/* layout.c -- offline dynamic storage allocation: blocks are placed one by one, each into the
 * smallest gap that holds it among those alive with it.  No one order of placing is best, so
 * a few are tried and the smallest slab kept.  Source: Pisarchyk and Lee 2020, "Efficient
 * memory management for deep neural net inference", arXiv:2001.03288 (greedy by size).
 * Floor 1, tensor. */
#include "tensor/layout.h"

#include <stdlib.h>
#include <string.h>

static size_t rounded(size_t bytes)
{
    return (bytes + TL_SLAB_ALIGN - 1) / TL_SLAB_ALIGN * TL_SLAB_ALIGN;
}

static bool meet(const tl_block *a, const tl_block *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int64_t span_of(const tl_block *b)
{
    return (int64_t)b->last - b->first + 1;
}

/* Larger first. */
static int sign_of(double d)
{
    return d < 0 ? 1 : d > 0 ? -1 : 0;
}

static int tie(const tl_block *a, const tl_block *b)
{
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_size(const void *pa, const void *pb)
{
    const tl_block *a = *(tl_block *const *)pa, *b = *(tl_block *const *)pb;
    const int       s = sign_of((double)a->bytes - (double)b->bytes);

    return s ? s : tie(a, b);
}

static int by_span(const void *pa, const void *pb)
{
    const tl_block *a = *(tl_block *const *)pa, *b = *(tl_block *const *)pb;
    const int       s = sign_of((double)span_of(a) - (double)span_of(b));

    return s ? s : by_size(pa, pb);
}

static int by_area(const void *pa, const void *pb)
{
    const tl_block *a = *(tl_block *const *)pa, *b = *(tl_block *const *)pb;
    const int       s = sign_of((double)a->bytes * (double)span_of(a) -
                                (double)b->bytes * (double)span_of(b));

    return s ? s : tie(a, b);
}

static int by_start(const void *pa, const void *pb)
{
    return tie(*(tl_block *const *)pa, *(tl_block *const *)pb);
}

/* `placed` is sorted by place.  The smallest gap that fits; else behind the last that meets. */
static size_t best_gap(tl_block *const *placed, int32_t count, const tl_block *b)
{
    const size_t need = rounded(b->bytes);
    size_t       end = 0, best_at = 0, best_room = SIZE_MAX;

    for (int32_t i = 0; i < count; i++) {
        const tl_block *p = placed[i];

        if (!meet(p, b)) continue;
        if (p->at > end && p->at - end >= need && p->at - end < best_room) {
            best_room = p->at - end;
            best_at   = end;
        }
        end = TL_MAX(end, p->at + rounded(p->bytes));
    }
    return best_room < SIZE_MAX ? best_at : end;
}

static void insert_sorted(tl_block **placed, int32_t count, tl_block *b)
{
    int32_t i = count;

    for (; i > 0 && placed[i - 1]->at > b->at; i--) placed[i] = placed[i - 1];
    placed[i] = b;
}

static size_t place_all(tl_block **order, int32_t count, tl_block **placed)
{
    size_t total = 0;

    for (int32_t i = 0; i < count; i++) {
        order[i]->at = best_gap(placed, i, order[i]);
        insert_sorted(placed, i, order[i]);
        total = TL_MAX(total, order[i]->at + rounded(order[i]->bytes));
    }
    return total;
}

static size_t most_alive(const tl_block *block, int32_t count)
{
    size_t most = 0;

    /* the most is reached where some block starts */
    for (int32_t i = 0; i < count; i++) {
        size_t alive = 0;
        for (int32_t j = 0; j < count; j++)
            if (block[j].first <= block[i].first && block[i].first <= block[j].last)
                alive += rounded(block[j].bytes);
        most = TL_MAX(most, alive);
    }
    return most;
}

tl_status tl_layout(tl_ctx *ctx, tl_block *block, int32_t count, size_t *total, size_t *least)
{
    static int (*const orders[])(const void *, const void *) = { by_size, by_area, by_span,
                                                                  by_start };
    tl_status  rc;
    tl_block **order = NULL, **placed = NULL;
    size_t    *best = NULL;

    *total = *least = 0;
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *order, &order));
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *placed, &placed));
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *best, &best));
    *least = most_alive(block, count);
    for (size_t k = 0; k < TL_COUNT(orders) && (k == 0 || *total > *least); k++) {
        for (int32_t i = 0; i < count; i++) order[i] = &block[i];
        qsort(order, (size_t)count, sizeof *order, orders[k]);
        const size_t size = place_all(order, count, placed);
        if (k > 0 && size >= *total) continue;
        *total = size;
        for (int32_t i = 0; i < count; i++) best[i] = block[i].at;
    }
    for (int32_t i = 0; i < count; i++) block[i].at = best[i];
done:
    tl_free(ctx, order);
    tl_free(ctx, placed);
    tl_free(ctx, best);
    return rc;
}
