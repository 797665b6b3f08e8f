/* crossing.c -- what the smaller half of the data foretells of the larger: laws, crossing and who
 * is ahead, read by the program's own code (src/study/curve.c) from the recorded parts up to half
 * of the rows, beside what was recorded on all of them. */
#include "study.h"
#include "study/stats_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALVINGS = 5 };

typedef struct {
    theatre        *t;
    int             entry[2]; /* the base's route, scratch */
    int64_t         rows[TL_CURVE_SIZES];
    int             sizes, repeats;
    float          *said, *score;
    int32_t        *predicted;
    tl_study_values values;
} crossing;

/* The recorded run on so many training rows; the last size is all of them. */
static const json_t *run_at(const crossing *c, int entry, int size, int repeat)
{
    const int64_t all = tl_json_int(c->t->r.cell, "train", 0);

    return record_run(&c->t->r, entry, 0, repeat, c->rows[size] == all ? 0 : c->rows[size]);
}

static bool is_whole(const json_t *line)
{
    return line && !json_object_get(line, "failed");
}

/* Best on validation of half of the rows; among routes from a base, or what starts anew. */
static int best_entry(const crossing *c, bool from_base)
{
    int    best = -1;
    double top  = -INFINITY;

    for (int i = 0; i < c->t->entries; i++) {
        double     sum   = 0.0;
        const bool based = c->t->entry[i].c.route->needs_base;
        if (based != from_base ||
            (!based && strcmp(c->t->entry[i].c.route->decision, "from-scratch") != 0))
            continue;
        for (int k = 0; k < c->repeats; k++) {
            const json_t *line = run_at(c, i, c->sizes - 2, k);
            sum += is_whole(line) ? tl_study_merit(&c->t->s, tl_json_number(line, "valid", NAN))
                                  : NAN;
        }
        if (sum > top) best = i, top = sum;
    }
    return best;
}

static void find_sizes(crossing *c)
{
    const int64_t all = tl_json_int(c->t->r.cell, "train", 0);

    for (int k = HALVINGS; k >= 0; k--) {
        c->rows[c->sizes] = all >> k;
        if (is_whole(run_at(c, 0, c->sizes, 0))) c->sizes++;
    }
    while (c->sizes > 0 && is_whole(run_at(c, 0, 0, c->repeats))) c->repeats++;
}

static tl_status read_run(tl_ctx *ctx, crossing *c, int cell, int repeat, const json_t *line)
{
    theatre      *t  = c->t;
    const int64_t n  = t->rows, at = (int64_t)(cell * c->repeats + repeat) * n;
    const size_t  wide = (size_t)(n * t->data.classes);

    if (!is_whole(line))
        return tl_fail(ctx, TL_EDATA, t->q.out, "a part's run is not there (record it)");
    memset(c->said, 0, wide * sizeof *c->said);
    theatre_answers(t, line, &t->s.test, c->said);
    if (t->data.target)
        tl_study_score_numbers(&t->s, t->data.target, c->said, n, c->score + at);
    for (int64_t r = 0; !t->data.target && r < n; r++) {
        c->predicted[at + r] = tl_study_top(c->said + r * t->data.classes, t->data.classes);
        c->score[at + r]     = c->predicted[at + r] == t->data.label[r];
    }
    return TL_OK;
}

static tl_status read_values(tl_ctx *ctx, crossing *c)
{
    theatre     *t     = c->t;
    const int    cells = 2 * c->sizes;
    const size_t all   = (size_t)(cells * c->repeats) * (size_t)t->rows;
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, all, sizeof *c->score, &c->score));
    TL_TRY(tl_alloc_array(ctx, all, sizeof *c->predicted, &c->predicted));
    TL_TRY(tl_alloc_array(ctx, (size_t)(t->rows * t->data.classes), sizeof *c->said, &c->said));
    for (int cell = 0; cell < cells; cell++)
        for (int k = 0; k < c->repeats; k++)
            TL_TRY(read_run(ctx, c, cell, k, run_at(c, c->entry[cell / c->sizes],
                                                    cell % c->sizes, k)));
    const bool      f1     = strcmp(t->s.metric, "macro-f1") == 0;
    const tl_scores scores = { .candidates = cells,
                               .seeds      = c->repeats,
                               .rows       = t->rows,
                               .score      = c->score,
                               .label      = f1 ? t->data.label : NULL,
                               .predicted  = f1 ? c->predicted : NULL,
                               .classes    = (int32_t)t->data.classes,
                               .seed       = 1 };
    TL_TRY(tl_study_values_make(ctx, &scores, &c->values));
done:
    return rc;
}

/* The first `sizes` sizes, as if there were no more data than that. */
static tl_status read_curve(tl_ctx *ctx, const crossing *c, int sizes, tl_curve_result *out)
{
    const bool     share    = tl_study_metric_of(&c->t->s)->higher;
    tl_curve_route route[2] = { 0 };

    for (int i = 0; i < 2; i++)
        for (int k = 0; k < sizes; k++)
            route[i].cell[route[i].cells++] =
                (tl_curve_cell){ c->rows[k], c->repeats,
                                 c->values.value + (int64_t)((i * c->sizes + k) * c->repeats) *
                                                       c->t->rows };
    return tl_curve_read(ctx,
                         &(tl_curve_data){ .routes    = 2,
                                           .route     = route,
                                           .test_rows = c->t->rows,
                                           .now       = c->rows[sizes - 1],
                                           .top       = share ? 1.0 : 0.0,
                                           .margin    = c->t->s.margin,
                                           .seed_sd   = share ? 0.01 : c->t->s.margin,
                                           .base      = 0,
                                           .scratch   = 1,
                                           .seed      = 1 },
                         out);
}

static json_t *crossing_json(tl_interval i)
{
    return json_pack("{s:o, s:o, s:o}", "rows", tl_json_real(i.mean), "low", tl_json_real(i.low),
                     "high", tl_json_real(i.high));
}

static void print_route(const crossing *c, int i, const tl_curve_result *half,
                        const tl_curve_result *all)
{
    const int    last = c->sizes - 1;
    const bool   share = tl_study_metric_of(&c->t->s)->higher;
    const double told = (share ? 1.0 : 0.0) - tl_power_at(&half->fit[i].law,
                                                          (double)c->rows[last]);
    json_t *points = json_array();

    for (int k = 0; k <= last; k++)
        json_array_append_new(points, json_pack("[I, f]", (json_int_t)c->rows[k],
                                                all->fit[i].point[k].mean));
    json_t *line = json_pack("{s:s, s:b, s:f, s:f, s:f, s:f, s:o}", "curve",
                             c->t->entry[c->entry[i]].label, "found", (int)half->fit[i].found,
                             "told", told, "measured", all->fit[i].point[last].mean, "low",
                             all->fit[i].point[last].low, "high", all->fit[i].point[last].high,
                             "points", points);
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts(text ? text : "");
    free(text);
    json_decref(line);
}

static void print_crossing(const crossing *c, const tl_curve_result *half,
                           const tl_curve_result *all)
{
    const int last = c->sizes - 1;
    json_t   *line =
        json_pack("{s:I, s:I, s:i, s:o, s:o, s:b, s:b, s:o, s:f, s:f}", "half",
                  (json_int_t)c->rows[last - 1], "rows", (json_int_t)c->rows[last], "repeats",
                  c->repeats, "told", crossing_json(half->crossover), "read",
                  crossing_json(all->crossover), "beyond_told",
                  (int)isinf(half->crossover.mean), "beyond_read",
                  (int)isinf(all->crossover.mean), "ahead_told", tl_json_real(half->ahead[1]),
                  "ahead_by", all->fit[0].point[last].mean - all->fit[1].point[last].mean,
                  "margin", c->t->s.margin);
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));

    puts(text ? text : "");
    free(text);
    json_decref(line);
}

static tl_status cross(tl_ctx *ctx, theatre *t)
{
    crossing        c = { .t = t };
    tl_curve_result half, all;
    tl_status       rc;

    find_sizes(&c);
    if (c.sizes < 4 || c.repeats < 2)
        TL_FAIL(TL_EDATA, t->q.out, "too few parts of the rows are recorded (--curve 5)");
    c.entry[0] = best_entry(&c, true);
    c.entry[1] = best_entry(&c, false);
    if (c.entry[0] < 0 || c.entry[1] < 0)
        TL_FAIL(TL_EDATA, t->q.out, "has no route from a base beside one from scratch");
    TL_TRY(read_values(ctx, &c));
    TL_TRY(read_curve(ctx, &c, c.sizes - 1, &half));
    TL_TRY(read_curve(ctx, &c, c.sizes, &all));
    for (int i = 0; i < 2; i++) print_route(&c, i, &half, &all);
    print_crossing(&c, &half, &all);
done:
    tl_study_values_free(ctx, &c.values);
    tl_free(ctx, c.said);
    tl_free(ctx, c.score);
    tl_free(ctx, c.predicted);
    return rc;
}

tl_status study_crossing(tl_ctx *ctx, const options *o)
{
    theatre   t;
    tl_status rc;

    TL_TRY(theatre_open(ctx, o, &t));
    TL_TRY(theatre_open_study(ctx, &t, NULL, 0, 1.0));
    rc = cross(ctx, &t);
    theatre_free_study(ctx, &t.s);
done:
    theatre_close(ctx, &t);
    return rc;
}
