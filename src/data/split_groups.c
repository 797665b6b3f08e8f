/* split_groups.c -- parts of rows that come in groups: groups are few and large, so that classes
 * cannot be met one by one.  The largest group first, each goes where it brings the classes'
 * shares nearest to what was asked.  Source: the idea of scikit-learn's StratifiedGroupKFold.
 * Floor 2, data. */
#include "core/rand.h"
#include "data/hold.h"

#include <stdlib.h>

typedef struct {
    int64_t unit, position;
} member;
typedef struct {
    int64_t at, rows, place; /* place: in an order that was drawn */
} unit;

typedef struct {
    const tl_dataset *d;
    const tl_rows    *rows;
    member           *m;     /* [rows] sorted by unit           */
    unit             *u;
    int64_t           units;
    int64_t          *order; /* [units] as drawn                */
    double           *have;  /* [parts classes] rows so far     */
    double           *whole; /* [classes] of all                */
    double           *mine;  /* [classes] of the unit at hand   */
} sorting;

static int by_unit_then_position(const void *a, const void *b)
{
    const member *x = a, *y = b;

    if (x->unit != y->unit) return x->unit < y->unit ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static int by_size_then_place(const void *a, const void *b)
{
    const unit *x = a, *y = b;

    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void gather(sorting *s, const int64_t *unit_of, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < s->rows->count; i++) {
        s->m[i] = (member){ unit_of[s->rows->row[i]], i };
        s->whole[s->d->label[s->rows->row[i]]] += 1.0;
    }
    qsort(s->m, (size_t)s->rows->count, sizeof *s->m, by_unit_then_position);
    for (int64_t i = 0; i < s->rows->count; i++) {
        if (i == 0 || s->m[i].unit != s->m[i - 1].unit) {
            s->order[s->units] = s->units;
            s->u[s->units++]   = (unit){ i, 0, 0 };
        }
        s->u[s->units - 1].rows++;
    }
    tl_rand_shuffle(seed, stream, s->order, s->units);
    for (int64_t k = 0; k < s->units; k++) s->u[s->order[k]].place = k;
    qsort(s->u, (size_t)s->units, sizeof *s->u, by_size_then_place);
}

/* How much nearer (below 0) the unit brings a part to its share of every class. */
static double change(const sorting *s, int part, double share)
{
    const int64_t n   = s->d->classes;
    double        sum = 0.0;

    for (int64_t c = 0; c < n; c++) {
        if (s->mine[c] == 0.0) continue;
        const double before = s->have[part * n + c] / s->whole[c] - share;
        const double after  = before + s->mine[c] / s->whole[c];
        sum += after * after - before * before;
    }
    return sum / share;
}

static void place(sorting *s, const unit *u, const double *share, int parts, int8_t *out)
{
    const int64_t n    = s->d->classes;
    int           best = 0;

    for (int64_t c = 0; c < n; c++) s->mine[c] = 0.0;
    for (int64_t i = u->at; i < u->at + u->rows; i++)
        s->mine[s->d->label[s->rows->row[s->m[i].position]]] += 1.0;
    for (int p = 1; p < parts; p++)
        if (change(s, p, share[p]) < change(s, best, share[best])) best = p;
    for (int64_t c = 0; c < n; c++) s->have[best * n + c] += s->mine[c];
    for (int64_t i = u->at; i < u->at + u->rows; i++) out[s->m[i].position] = (int8_t)best;
}

tl_status tl_split_groups(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows,
                          const double *share, int parts, uint64_t seed, uint64_t stream,
                          int8_t *out)
{
    const size_t n       = (size_t)rows->count, classes = (size_t)d->classes;
    sorting      s       = { .d = d, .rows = rows };
    int64_t     *unit_of = NULL;
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *unit_of, &unit_of));
    TL_TRY(tl_dataset_units(ctx, d, unit_of));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s.m, &s.m));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s.u, &s.u));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s.order, &s.order));
    TL_TRY(tl_alloc_array(ctx, (size_t)parts * classes, sizeof *s.have, &s.have));
    TL_TRY(tl_alloc_array(ctx, classes, sizeof *s.whole, &s.whole));
    TL_TRY(tl_alloc_array(ctx, classes, sizeof *s.mine, &s.mine));
    gather(&s, unit_of, seed, stream);
    if (s.units < parts)
        TL_FAIL(TL_EDATA, d->path,
                "%" PRId64 " groups are too few for %d parts (name a --group column with more "
                "values)",
                s.units, parts);
    for (int64_t k = 0; k < s.units; k++) place(&s, &s.u[k], share, parts, out);
done:
    tl_free(ctx, unit_of);
    tl_free(ctx, s.m);
    tl_free(ctx, s.u);
    tl_free(ctx, s.order);
    tl_free(ctx, s.have);
    tl_free(ctx, s.whole);
    tl_free(ctx, s.mine);
    return rc;
}
