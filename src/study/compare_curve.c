/* compare_curve.c -- how the answer changes with the amount of data: the routes that matter run
 * again on nested parts of the training rows, smaller by halves.  Settings are each route's own
 * for so many rows, with the rate that was chosen on all of them; validation rows stay the same.
 * Floor 4, study. */
#include "core/text.h"
#include "study/compare_jobs.h"
#include "study/stats_internal.h"
#include "train/network.h"

#include <math.h>
#include <string.h>

enum { HALVINGS = 4, LEAST_SIZES = 3, LEAST_ROWS = 24, ROWS_OF_CLASS = 4 };

static const double SEED_SD = 0.01; /* where no part has run twice */

/* The best on validation of those that `may` be taken; -1: none ran. */
static int best_entry(const tl_study *s, bool (*may)(const tl_entry *e))
{
    int best = -1;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        const double    v = tl_study_merit(s, tl_study_valid_mean(s, i));
        if (e->status || !isfinite(v) || (may && !may(e))) continue;
        if (best < 0 || v > tl_study_merit(s, tl_study_valid_mean(s, best))) best = i;
    }
    return best;
}

static bool is_from_base(const tl_entry *e)
{
    return e->c.route->needs_base;
}

static bool is_anew(const tl_entry *e)
{
    return strcmp(e->c.route->decision, "from-scratch") == 0;
}

static bool is_baseline(const tl_entry *e)
{
    return tl_route_is_baseline(e->c.route);
}

static int add_route(tl_study *s, int entry)
{
    if (entry < 0) return -1;
    for (int i = 0; i < s->curve.routes; i++)
        if (s->curve.entry[i] == entry) return i;
    s->curve.entry[s->curve.routes] = entry;
    return s->curve.routes++;
}

/* Halves of halves, while every class keeps some rows. */
static void choose_sizes(tl_study *s)
{
    const int64_t least = TL_MAX((int64_t)LEAST_ROWS, ROWS_OF_CLASS * s->data->classes);
    int           halvings = 0;

    while (halvings < HALVINGS && s->train_rows >> (halvings + 1) >= least) halvings++;
    if (halvings + 1 < LEAST_SIZES) return;
    s->curve.sizes = halvings + 1;
    for (int i = 0; i <= halvings; i++) s->curve.rows[i] = s->train_rows >> (halvings - i);
}

static void choose_routes(tl_study *s)
{
    s->curve.routes  = 0;
    s->curve.base    = add_route(s, best_entry(s, is_from_base));
    s->curve.scratch = add_route(s, best_entry(s, is_anew));
    add_route(s, best_entry(s, NULL));
    add_route(s, best_entry(s, is_baseline));
}

/* Of one more repeat of every part. */
static tl_status cost_of_draw(tl_ctx *ctx, tl_study *s, double *out)
{
    tl_status rc = TL_OK;
    double    one;

    *out = 0.0;
    for (int i = 0; i < s->curve.routes; i++)
        for (int k = 0; k < s->curve.sizes - 1; k++) {
            TL_TRY(tl_study_part_seconds(ctx, s, &s->entry[s->curve.entry[i]],
                                         s->curve.rows[k], &one));
            *out += one;
        }
done:
    return rc;
}

/* All routes where that is affordable; else the two whose crossing is asked, or the first. */
static tl_status plan_curve(tl_ctx *ctx, tl_study *s)
{
    const double left = tl_study_left(s);
    double       cost = INFINITY;
    tl_status    rc   = TL_OK;

    choose_routes(s);
    choose_sizes(s);
    if (s->curve.routes == 0) s->curve.sizes = 0;
    if (s->curve.sizes == 0) return TL_OK;
    TL_TRY(cost_of_draw(ctx, s, &cost));
    if (cost > left) {
        s->curve.routes = s->curve.base >= 0 && s->curve.scratch >= 0 ? 2 : 1;
        TL_TRY(cost_of_draw(ctx, s, &cost));
    }
done:
    s->curve.too_dear = cost > left;
    if (cost > left) s->curve.sizes = s->curve.routes = 0;
    return rc;
}

int tl_study_part_repeats(const tl_study *s, int candidate, int64_t rows)
{
    int repeats = 0;

    if (rows == s->train_rows)
        return tl_study_repeats(s, candidate, s->entry[candidate].chosen);
    for (; repeats < TL_STUDY_SEEDS; repeats++)
        for (int fold = 0; fold < tl_study_slices(s); fold++)
            if (!tl_study_find_part(s, candidate, repeats, fold, rows))
                return repeats;
    return repeats;
}

/* Every part of every route once; what is there already is not made again. */
static tl_status run_parts(tl_ctx *ctx, tl_study *s, int draw)
{
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    for (int i = 0; i < s->curve.routes; i++)
        for (int k = 0; k < s->curve.sizes - 1; k++) {
            const int entry = s->curve.entry[i];
            if (tl_study_part_repeats(s, entry, s->curve.rows[k]) > draw) continue;
            TL_TRY(tl_study_want_part(ctx, s, &jobs, entry, draw, s->curve.rows[k]));
        }
    rc = tl_study_run_jobs(ctx, s, &jobs);
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

void tl_study_curve_anew(tl_study *s, int candidate)
{
    for (int i = 0; i < s->curve.routes; i++)
        if (s->curve.entry[i] == candidate) s->curve.draws = 0;
}

tl_status tl_study_curve(tl_ctx *ctx, tl_study *s, int draws)
{
    tl_status rc = TL_OK;
    double    cost;

    if (s->update.model || s->tape) return TL_OK; /* its question is another one */
    if (s->curve.sizes == 0) TL_TRY(plan_curve(ctx, s));
    if (s->curve.sizes == 0) return TL_OK;
    for (int draw = s->curve.draws; draw < draws; draw++) {
        TL_TRY(cost_of_draw(ctx, s, &cost));
        s->curve.too_dear = draw == 0 && cost > tl_study_left(s);
        if (cost > tl_study_left(s)) break;
        if (draw == 0)
            tl_study_say(s, "learning curve: %d %s on parts of the rows", s->curve.routes,
                         tl_plural(s->curve.routes, "route", "routes"));
        TL_TRY(run_parts(ctx, s, draw));
        s->curve.draws = draw + 1;
    }
done:
    return rc;
}

/* The rows' scores of every cell, in the order of routes and sizes. */
typedef struct {
    int32_t        *predicted;
    float          *said, *score;
    int            *repeats;
    int             cells, most;
    tl_study_values values;
    tl_curve_route  route[TL_CURVE_ROUTES];
} reading;

static tl_status read_cells(tl_ctx *ctx, const tl_study *s, const tl_judged *j, reading *r)
{
    const int64_t rows = s->test.count;
    tl_status     rc   = TL_OK;

    for (int i = 0, cell = 0; i < s->curve.routes; i++)
        for (int k = 0; k < s->curve.sizes; k++, cell++) {
            const int64_t n = s->curve.rows[k] == s->train_rows ? 0 : s->curve.rows[k];
            for (int repeat = 0; repeat < r->repeats[cell]; repeat++) {
                const int64_t at = (int64_t)(cell * r->most + repeat) * rows;
                if (j->score) {
                    TL_TRY(tl_study_score_marks(ctx, s, s->curve.entry[i], repeat, n,
                                                r->predicted + at, r->score + at));
                    continue;
                }
                TL_TRY(tl_study_answers(ctx, s, s->curve.entry[i], repeat, n,
                                        r->predicted + at, r->said ? r->said + at : NULL));
                if (r->said)
                    tl_study_score_numbers(s, j->truth, r->said + at, rows, r->score + at);
                else
                    for (int64_t row = 0; row < rows; row++)
                        r->score[at + row] = r->predicted[at + row] == j->label[row];
            }
        }
done:
    return rc;
}

static tl_status open_reading(tl_ctx *ctx, const tl_study *s, const tl_judged *j, reading *r)
{
    const size_t rows = (size_t)s->test.count;
    tl_status    rc;

    r->cells = s->curve.routes * s->curve.sizes;
    TL_TRY(tl_alloc_array(ctx, (size_t)r->cells, sizeof *r->repeats, &r->repeats));
    for (int i = 0, cell = 0; i < s->curve.routes; i++)
        for (int k = 0; k < s->curve.sizes; k++, cell++) {
            r->repeats[cell] =
                tl_study_part_repeats(s, s->curve.entry[i], s->curve.rows[k]);
            r->most = TL_MAX(r->most, r->repeats[cell]);
        }
    const size_t all = (size_t)r->cells * (size_t)TL_MAX(1, r->most) * rows;
    TL_TRY(tl_alloc_array(ctx, all, sizeof *r->predicted, &r->predicted));
    TL_TRY(tl_alloc_array(ctx, all, sizeof *r->score, &r->score));
    if (j->truth) TL_TRY(tl_alloc_array(ctx, all, sizeof *r->said, &r->said));
done:
    return rc;
}

/* Cells that failed are left out: the law is of those that are there. */
static void lay_out(const tl_study *s, reading *r)
{
    const int64_t stride = (int64_t)r->most * s->test.count;

    for (int i = 0, cell = 0; i < s->curve.routes; i++)
        for (int k = 0; k < s->curve.sizes; k++, cell++)
            if (r->repeats[cell] > 0)
                r->route[i].cell[r->route[i].cells++] =
                    (tl_curve_cell){ s->curve.rows[k], r->repeats[cell],
                                     r->values.value + cell * stride };
}

tl_status tl_study_read_curve(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    tl_status rc = TL_OK;
    reading   r  = { 0 };

    if (s->curve.draws == 0) s->curve.sizes = s->curve.routes = 0;
    if (s->curve.sizes == 0) return TL_OK;
    TL_TRY(open_reading(ctx, s, j, &r));
    TL_TRY(read_cells(ctx, s, j, &r));
    const bool      f1     = strcmp(s->metric, "macro-f1") == 0 && !s->data->task->several;
    const tl_scores scores = { .candidates = r.cells,
                               .seeds      = r.most,
                               .seeds_of   = r.repeats,
                               .rows       = s->test.count,
                               .score      = r.score,
                               .label      = f1 ? j->label : NULL,
                               .predicted  = f1 ? r.predicted : NULL,
                               .classes    = (int32_t)s->data->classes,
                               .seed       = s->q->seed };
    TL_TRY(tl_study_values_make(ctx, &scores, &r.values));
    lay_out(s, &r);
    const bool          share = tl_study_metric_of(s)->higher; /* accuracy, F1, R2: 1 is all */
    const tl_curve_data data  = { .routes    = s->curve.routes,
                                  .route     = r.route,
                                  .test_rows = s->test.count,
                                  .now       = s->train_rows,
                                  .top       = share ? 1.0 : 0.0,
                                  .margin    = s->margin,
                                  .seed_sd   = share ? SEED_SD : s->margin,
                                  .base      = s->curve.base,
                                  .scratch   = s->curve.scratch,
                                  .seed      = s->q->seed };
    TL_TRY(tl_curve_read(ctx, &data, &j->curve));
done:
    tl_study_values_free(ctx, &r.values);
    tl_free(ctx, r.predicted);
    tl_free(ctx, r.said);
    tl_free(ctx, r.score);
    tl_free(ctx, r.repeats);
    return rc;
}
