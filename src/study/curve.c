/* curve.c -- laws and their uncertainty: test rows are drawn again for all sizes and routes
 * alike, seeds are drawn from how much they were seen to move a mean.  Floor 4, study. */
#include "study/curve.h"
#include "core/par.h"
#include "core/rand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double tl_curve_times[TL_CURVE_TIMES] = { 1.0, 2.0, 5.0, 10.0 };

enum { DRAWS = 500, BATCH = 32, SCAN = 160, MORE_ROWS = 1000, PRIOR_DF = 4 };
static const double REACH = 10.0; /* times the rows at hand: nothing is said beyond */

/* What one draw of rows and seeds says.  Draw -1 is the data as they are. */
typedef struct {
    double mean[TL_CURVE_ROUTES][TL_CURVE_SIZES];
    double missed[TL_CURVE_ROUTES], gain[TL_CURVE_ROUTES];
    double crossover, worth, ahead[TL_CURVE_TIMES];
} drawn;

typedef struct {
    const tl_curve_data *d;
    double               mean[TL_CURVE_ROUTES][TL_CURVE_SIZES];
    double               row_variance[TL_CURVE_ROUTES][TL_CURVE_SIZES]; /* of a mean */
    double               seed_sd[TL_CURVE_ROUTES][TL_CURVE_SIZES];      /* of one seed */
    float               *weight; /* [BATCH test_rows] */
    drawn               *draw;   /* [draws] */
    int64_t              first;
} reading;

static double mean_of(const tl_curve_cell *c, int64_t rows, const float *weight)
{
    double sum = 0.0;

    for (int k = 0; k < c->repeats; k++) {
        const float *x = c->score + (int64_t)k * rows;
        if (weight)
            for (int64_t r = 0; r < rows; r++) sum += (double)(weight[r] * x[r]);
        else
            for (int64_t r = 0; r < rows; r++) sum += (double)x[r];
    }
    return sum / ((double)rows * c->repeats);
}

/* Squares of the seeds' means around their cell's, and their degrees of freedom. */
static double spread_of(const tl_curve_cell *c, int64_t rows, double mean)
{
    double sum = 0.0;

    for (int k = 0; k < c->repeats; k++) {
        const tl_curve_cell one = { c->rows, 1, c->score + (int64_t)k * rows };
        const double        e   = mean_of(&one, rows, NULL) - mean;
        sum += e * e;
    }
    return sum;
}

/* One repeat's scores vary from row to row; over repeats that part is shared. */
static double variance_of(const tl_curve_cell *c, int64_t rows, double mean)
{
    double sum = 0.0;

    for (int64_t r = 0; r < rows; r++) {
        double x = 0.0;
        for (int k = 0; k < c->repeats; k++) x += (double)c->score[(int64_t)k * rows + r];
        x = x / c->repeats - mean;
        sum += x * x;
    }
    return sum / ((double)rows * (double)TL_MAX(rows - 1, (int64_t)1));
}

/* A size's own spread of seeds, drawn toward that of all sizes (Smyth 2004). */
static void measure(reading *r)
{
    const tl_curve_data *d = r->d;
    double               squares = 0.0, own[TL_CURVE_ROUTES][TL_CURVE_SIZES];
    int                  df = 0;

    for (int i = 0; i < d->routes; i++)
        for (int j = 0; j < d->route[i].cells; j++) {
            const tl_curve_cell *c = &d->route[i].cell[j];
            r->mean[i][j]          = mean_of(c, d->test_rows, NULL);
            r->row_variance[i][j]  = variance_of(c, d->test_rows, r->mean[i][j]);
            own[i][j]              = spread_of(c, d->test_rows, r->mean[i][j]);
            squares += own[i][j];
            df += c->repeats - 1;
        }
    const double all = df > 0 ? squares / df : d->seed_sd * d->seed_sd;
    for (int i = 0; i < d->routes; i++)
        for (int j = 0; j < d->route[i].cells; j++)
            r->seed_sd[i][j] = sqrt((own[i][j] + PRIOR_DF * all) /
                                    (d->route[i].cell[j].repeats - 1 + PRIOR_DF));
}

static void fit(const reading *r, const double *mean, int route, int cells, tl_power_law *law)
{
    const tl_curve_route *of = &r->d->route[route];
    double                n[TL_CURVE_SIZES], error[TL_CURVE_SIZES], weight[TL_CURVE_SIZES];

    for (int j = 0; j < cells; j++) {
        const double sd = r->seed_sd[route][j];
        n[j]            = (double)of->cell[j].rows;
        error[j]        = fmax(0.0, r->d->top - mean[j]);
        weight[j] =
            1.0 / (sd * sd / of->cell[j].repeats + r->row_variance[route][j] + 1e-12);
    }
    *law = tl_power_fit(n, error, weight, cells);
}

/* The least n, from the smallest measured on, at which scratch is no worse. */
static double crossing(const tl_power_law *base, const tl_power_law *scratch, double from,
                       double to)
{
    double low = from;

    for (int i = 0; i <= SCAN; i++) {
        const double n = from * pow(to / from, (double)i / SCAN);
        if (tl_power_at(scratch, n) > tl_power_at(base, n)) {
            low = n;
            continue;
        }
        double high = n;
        for (int k = 0; k < 40 && i > 0; k++) {
            const double mid = sqrt(low * high);
            if (tl_power_at(scratch, mid) > tl_power_at(base, mid)) low = mid;
            else high = mid;
        }
        return high;
    }
    return INFINITY;
}

static void compare_laws(const tl_curve_data *d, const tl_power_law *law, drawn *x)
{
    const tl_power_law *base = &law[d->base], *scratch = &law[d->scratch];
    const double        now = (double)d->now;
    const double        from = (double)TL_MAX(d->route[d->base].cell[0].rows,
                                              d->route[d->scratch].cell[0].rows);
    const double        same = tl_power_inverse(scratch, tl_power_at(base, now));

    x->crossover = crossing(base, scratch, from, REACH * now);
    x->worth     = same > REACH * now ? INFINITY : fmax(0.0, same - now);
    for (int t = 0; t < TL_CURVE_TIMES; t++) {
        const double n = now * tl_curve_times[t];
        x->ahead[t]    = tl_power_at(base, n) < tl_power_at(scratch, n);
    }
}

static void read_draw(const reading *r, drawn *x)
{
    const tl_curve_data *d = r->d;
    tl_power_law         law[TL_CURVE_ROUTES] = { 0 }, before;

    for (int i = 0; i < d->routes; i++) {
        const int cells = d->route[i].cells, last = cells - 1;
        if (cells < 3) continue;
        fit(r, x->mean[i], i, cells, &law[i]);
        fit(r, x->mean[i], i, last, &before);
        x->missed[i] = d->top - tl_power_at(&before, (double)d->route[i].cell[last].rows) -
                       x->mean[i][last];
        x->gain[i] = tl_power_at(&law[i], (double)d->now) -
                     tl_power_at(&law[i], (double)d->now + MORE_ROWS);
    }
    if (d->base >= 0 && d->scratch >= 0 && d->route[d->base].cells > 2 &&
        d->route[d->scratch].cells > 2)
        compare_laws(d, law, x);
}

static void draw_some(void *arg, int64_t low, int64_t high)
{
    reading             *r = arg;
    const tl_curve_data *d = r->d;

    for (int64_t b = low; b < high; b++) {
        const int64_t draw   = r->first + b;
        float        *weight = r->weight + b * d->test_rows;
        drawn        *x      = &r->draw[draw];
        uint64_t      normal = (uint64_t)draw * TL_CURVE_ROUTES * TL_CURVE_SIZES;
        memset(weight, 0, (size_t)d->test_rows * sizeof *weight);
        for (int64_t row = 0; row < d->test_rows; row++) {
            const uint64_t at = (uint64_t)draw * (uint64_t)d->test_rows + (uint64_t)row;
            weight[tl_rand_below(d->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 2), at,
                                 (uint64_t)d->test_rows)] += 1.0f;
        }
        for (int i = 0; i < d->routes; i++)
            for (int j = 0; j < d->route[i].cells; j++) {
                const tl_curve_cell *c = &d->route[i].cell[j];
                x->mean[i][j] =
                    mean_of(c, d->test_rows, weight) +
                    r->seed_sd[i][j] / sqrt(c->repeats) *
                        tl_rand_normal(d->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 3), normal++);
            }
        read_draw(r, x);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The quantile between draws; where one side is INFINITY it is that. */
static double quantile(const double *sorted, int64_t n, double p)
{
    const double  at  = p * (double)(n - 1);
    const int64_t low = (int64_t)at;
    const double  a = sorted[low], b = sorted[TL_MIN(low + 1, n - 1)];

    return isinf(a) || isinf(b) ? (at - (double)low < 0.5 ? a : b)
                                : a + (at - (double)low) * (b - a);
}

/* Of the first draw's member in all draws: its median and 95 %. */
static tl_interval summary(const reading *r, int64_t draws, const double *member, double *room)
{
    const size_t offset = (size_t)((const char *)member - (const char *)r->draw);

    for (int64_t i = 0; i < draws; i++)
        memcpy(&room[i], (const char *)&r->draw[i] + offset, sizeof *room);
    qsort(room, (size_t)draws, sizeof *room, by_value);
    return (tl_interval){ quantile(room, draws, 0.5), quantile(room, draws, 0.025),
                          quantile(room, draws, 0.975) };
}

static void summarise(const reading *r, int64_t draws, double *room, tl_curve_result *out)
{
    const tl_curve_data *d       = r->d;
    const tl_interval    unknown = { NAN, NAN, NAN };

    for (int i = 0; i < d->routes; i++) {
        tl_curve_fit *f = &out->fit[i];
        for (int j = 0; j < d->route[i].cells; j++) {
            f->point[j]      = summary(r, draws, &r->draw->mean[i][j], room);
            f->point[j].mean = r->mean[i][j];
        }
        f->missed = f->gain = unknown;
        if (d->route[i].cells < 3) continue;
        fit(r, r->mean[i], i, d->route[i].cells, &f->law);
        f->missed = summary(r, draws, &r->draw->missed[i], room);
        f->found  = (f->missed.low <= 0.0 && f->missed.high >= 0.0) ||
                   fabs(f->missed.mean) <= d->margin;
        if (f->found) f->gain = summary(r, draws, &r->draw->gain[i], room);
    }
    out->crossover = out->worth = unknown;
    for (int t = 0; t < TL_CURVE_TIMES; t++) out->ahead[t] = NAN;
    if (d->base < 0 || d->scratch < 0 || !out->fit[d->base].found ||
        !out->fit[d->scratch].found)
        return;
    out->crossover = summary(r, draws, &r->draw->crossover, room);
    out->worth     = summary(r, draws, &r->draw->worth, room);
    for (int t = 0; t < TL_CURVE_TIMES; t++) {
        double sum = 0.0;
        for (int64_t i = 0; i < draws; i++) sum += r->draw[i].ahead[t];
        out->ahead[t] = sum / (double)draws;
    }
}

tl_status tl_curve_read(tl_ctx *ctx, const tl_curve_data *d, tl_curve_result *out)
{
    tl_status     rc;
    reading       r     = { .d = d };
    double       *room  = NULL;
    const int64_t draws = d->draws > 0 ? d->draws : DRAWS;

    *out = (tl_curve_result){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)d->test_rows, BATCH * sizeof *r.weight, &r.weight));
    TL_TRY(tl_alloc_array(ctx, (size_t)draws, sizeof *r.draw, &r.draw));
    TL_TRY(tl_alloc_array(ctx, (size_t)draws, sizeof *room, &room));
    measure(&r);
    for (r.first = 0; r.first < draws; r.first += BATCH)
        tl_par_for(ctx->world->threads, TL_MIN((int64_t)BATCH, draws - r.first), 1, draw_some,
                   &r);
    summarise(&r, draws, room, out);
done:
    tl_free(ctx, r.weight);
    tl_free(ctx, r.draw);
    tl_free(ctx, room);
    return rc;
}
