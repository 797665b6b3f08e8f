/* rank.c -- one pass of every base over some training rows, then scores of its features: a
 * cross-validated head, nearest neighbours, H-score, LogME, and, of a head that the base came
 * with, LEEP and NCE; beside them the blind rule, which takes the largest.  The cross-validated
 * head's order counts: it is the one with an interval.  Floor 4, study.
 * Source: research notes 3.3; Garbas 2024 (TransformerRanker). */
#include "study/rank.h"
#include "core/machine.h"
#include "core/rand.h"
#include "study/base_distance.h"
#include "study/transfer.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, ROWS_OF_CLASS = 20, ROWS_MOST = 2000, FOLDS = 5, NEIGHBOURS = 5, DRAWS = 500 };

typedef struct {
    double   probe, knn, hscore, logme, leep, nce, ms_per_row;
    double   rank, rank_low, rank_high, blind;
    int64_t  parameters;
    uint8_t *right; /* [rows] the head's, out of fold */
    json_t  *distance; /* of the data from it (base_distance.h) */
} score;

typedef struct {
    tl_study  s;
    tl_rows   rows, valid;
    int8_t   *fold;
    int32_t  *label;
    score    *score; /* [entries] */
} ranking;

static double share(const uint8_t *right, int64_t rows)
{
    double sum = 0.0;

    for (int64_t i = 0; i < rows; i++) sum += right[i];
    return sum / (double)rows;
}

/* A score that cannot be had is unknown, no failure of the whole. */
static tl_status or_unknown(tl_status rc, double *value)
{
    if (rc != TL_ENAN) return rc;
    *value = NAN;
    return TL_OK;
}

/* From the places of all rows to one behind the other; the rows ascend. */
static void gather(float *value, tl_rows rows, int64_t width)
{
    for (int64_t i = 0; i < rows.count; i++)
        memmove(value + i * width, value + rows.row[i] * width, (size_t)width * sizeof *value);
}

/* The base came with a head that tells one of several classes. */
static bool has_own_classes(const tl_model *base)
{
    return base->arch.outputs >= 2 && base->arch.ask == TL_ASK_CLASSES && !base->task->numbers &&
           !tl_task_has_marks(base->task) && base->loaded.n_fresh == 0;
}

static tl_status score_own_head(tl_ctx *ctx, ranking *r, const tl_run_spec *spec, score *x)
{
    const tl_model *base  = spec->candidate.base;
    const int64_t   n     = r->rows.count;
    tl_predictor   *whole = NULL;
    float          *p     = NULL;
    tl_status       rc    = TL_OK;

    x->leep = x->nce = NAN;
    if (!has_own_classes(base)) return TL_OK;
    TL_TRY(tl_predictor_new(ctx, base, TL_PART_WHOLE, 32, spec->backend, spec->slab,
                            spec->dtype, &whole));
    const int64_t sources = tl_predictor_width(whole);
    TL_TRY(tl_alloc_array(ctx, (size_t)(n * sources), sizeof *p, &p));
    TL_TRY(tl_predictor_rows(ctx, whole, spec->cache, r->rows, p));
    tl_model_answer(base, p, n);
    const tl_sourced f = { p, r->label, n, sources, r->s.data->classes };
    TL_TRY(tl_transfer_source(ctx, &f, &x->leep, &x->nce));
done:
    tl_predictor_free(ctx, whole);
    tl_free(ctx, p);
    return rc;
}

static tl_status score_base(tl_ctx *ctx, ranking *r, int i)
{
    tl_entry   *e     = &r->s.entry[i];
    score      *x     = &r->score[i];
    float      *value = NULL;
    uint8_t    *near  = NULL;
    tl_run_spec spec;
    tl_status   rc;

    const int64_t width = tl_arch_features(ctx, &e->c.arch), n = r->rows.count;
    if (width < 1) return ctx->status;
    tl_study_say(&r->s, "%s: features of %" PRId64 " rows", e->label, n);
    TL_TRY(tl_alloc_array(ctx, (size_t)(r->s.data->rows * width), sizeof *value, &value));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *near, &near));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *x->right, &x->right));
    TL_TRY(tl_study_spec(ctx, &r->s, e, &spec));
    spec.train = spec.valid = r->rows;
    const double before = tl_time_s();
    TL_TRY(tl_run_features(ctx, &spec, r->rows, value));
    gather(value, r->rows, width);
    x->ms_per_row = 1e3 * (tl_time_s() - before) / (double)n;
    x->parameters = tl_params_numel(e->c.base->params, false);

    const tl_features f = { value, r->label, n, width, r->s.data->classes };
    TL_TRY(tl_transfer_probe(ctx, &f, r->fold, FOLDS, r->s.backend, r->s.slab, x->right));
    TL_TRY(tl_transfer_knn(ctx, &f, NEIGHBOURS, near));
    TL_TRY(or_unknown(tl_transfer_hscore(ctx, &f, &x->hscore), &x->hscore));
    TL_TRY(or_unknown(tl_transfer_logme(ctx, &f, &x->logme), &x->logme));
    TL_TRY(score_own_head(ctx, r, &spec, x));
    TL_TRY(tl_base_distance(ctx, &r->s, e, r->rows, false, &x->distance));
    x->probe = share(x->right, n);
    x->knn   = share(near, n);
done:
    tl_free(ctx, value);
    tl_free(ctx, near);
    return rc;
}

/* 1 is the best; those that are even share the mean of their places. */
static void places(const double *value, int n, double *place)
{
    for (int i = 0; i < n; i++) {
        double ahead = 0.0, even = 0.0;
        for (int k = 0; k < n; k++) {
            ahead += value[k] > value[i];
            even += k != i && !(value[k] > value[i]) && !(value[k] < value[i]);
        }
        place[i] = 1.0 + ahead + 0.5 * even;
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How far the order of the heads may be luck: rows are drawn again for all bases alike. */
static tl_status draw_ranks(tl_ctx *ctx, ranking *r)
{
    const int64_t n     = r->rows.count;
    const int     bases = r->s.entries;
    double       *value = NULL, *place = NULL, *drawn = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)bases, sizeof *value, &value));
    TL_TRY(tl_alloc_array(ctx, (size_t)bases, sizeof *place, &place));
    TL_TRY(tl_alloc_array(ctx, (size_t)bases, DRAWS * sizeof *drawn, &drawn));
    for (uint64_t d = 0; d < DRAWS; d++) {
        memset(value, 0, (size_t)bases * sizeof *value);
        for (uint64_t k = 0; k < (uint64_t)n; k++) {
            const uint64_t row =
                tl_rand_below(r->s.q->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 4),
                              d * (uint64_t)n + k, (uint64_t)n);
            for (int i = 0; i < bases; i++) value[i] += r->score[i].right[row];
        }
        places(value, bases, place);
        for (int i = 0; i < bases; i++) drawn[(size_t)i * DRAWS + d] = place[i];
    }
    for (int i = 0; i < bases; i++) {
        qsort(drawn + (size_t)i * DRAWS, DRAWS, sizeof *drawn, by_value);
        r->score[i].rank_low  = drawn[(size_t)i * DRAWS + DRAWS / 40];
        r->score[i].rank_high = drawn[(size_t)i * DRAWS + DRAWS - 1 - DRAWS / 40];
        value[i]              = r->score[i].probe;
    }
    places(value, bases, place);
    for (int i = 0; i < bases; i++) {
        r->score[i].rank = place[i];
        value[i]         = (double)r->score[i].parameters;
    }
    places(value, bases, place);
    for (int i = 0; i < bases; i++) r->score[i].blind = place[i];
done:
    tl_free(ctx, value);
    tl_free(ctx, place);
    tl_free(ctx, drawn);
    return rc;
}

static double value_of(const ranking *r, size_t member, int i)
{
    return *(const double *)(const void *)((const char *)&r->score[i] + member);
}

/* Kendall's tau of a score's order with the heads'; NaN where all are even. */
static double agreement(const ranking *r, size_t member, int unused)
{
    double sum = 0.0, pairs = 0.0;

    (void)unused;
    for (int i = 0; i < r->s.entries; i++)
        for (int k = 0; k < i; k++) {
            const double a = value_of(r, member, i) - value_of(r, member, k),
                         b = r->score[i].probe - r->score[k].probe;
            if (!isfinite(a)) return NAN;
            sum += (double)((a > 0.0) - (a < 0.0)) * (double)((b > 0.0) - (b < 0.0));
            pairs += 1.0;
        }
    return pairs > 0.0 ? sum / pairs : NAN;
}

/* The scores under their names, as `told` has them. */
static json_t *scores_json(const ranking *r, double (*told)(const ranking *, size_t, int), int i)
{
    static const struct { const char *name; size_t member; } scores[] = {
        { "knn", offsetof(score, knn) },     { "hscore", offsetof(score, hscore) },
        { "logme", offsetof(score, logme) }, { "leep", offsetof(score, leep) },
        { "nce", offsetof(score, nce) },
    };
    json_t *value = json_object();

    for (size_t k = 0; k < TL_COUNT(scores); k++)
        json_object_set_new(value, scores[k].name,
                            tl_json_real(told(r, scores[k].member, i)));
    return value;
}

static json_t *base_json(const ranking *r, int i)
{
    const score      *x  = &r->score[i];
    const tl_entry   *e  = &r->s.entry[i];
    const double      n  = (double)r->rows.count;
    const tl_interval ci = tl_wilson(x->probe * n, n, 0.95);
    json_t           *value =
        json_pack("{s:s, s:s, s:I, s:f, s:[f, f], s:f, s:{s:f, s:[f, f]}, s:f}", "base",
                  e->c.base->path, "family", e->c.base->arch.name, "parameters",
                  (json_int_t)x->parameters, "rank", x->rank, "rank_ci95", x->rank_low,
                  x->rank_high, "blind_rank", x->blind, "probe", "mean", x->probe, "ci95",
                  ci.low, ci.high, "ms_per_row", x->ms_per_row);
    json_t *scores = scores_json(r, value_of, i);

    json_object_set(value, "distance", x->distance);
    json_object_update(value, scores);
    json_decref(scores);
    return value;
}

static json_t *result_json(const ranking *r)
{
    json_t *bases = json_array();

    for (double place = 1.0; place <= r->s.entries; place += 0.5)
        for (int i = 0; i < r->s.entries; i++)
            if (fabs(r->score[i].rank - place) < 0.1)
                json_array_append_new(bases, base_json(r, i));
    return json_pack("{s:{s:s, s:I, s:I}, s:o, s:o}", "data", "path", r->s.data->path, "rows",
                     (json_int_t)r->rows.count, "classes", (json_int_t)r->s.data->classes,
                     "bases", bases, "agreement", scores_json(r, agreement, 0));
}

static tl_status take_rows(tl_ctx *ctx, ranking *r)
{
    const tl_study *s     = &r->s;
    const int64_t   most  = s->q->train_limit > 0 ? s->q->train_limit : ROWS_MOST;
    const int64_t   limit = TL_MIN(most, TL_MAX((int64_t)ROWS, ROWS_OF_CLASS * s->data->classes));
    tl_status       rc;

    TL_TRY(tl_split_repeat(ctx, s->data, &s->slice[0].rest, s->q->seed, 0, s->valid_share,
                           limit, &r->rows, &r->valid));
    TL_TRY(tl_alloc_array(ctx, (size_t)r->rows.count, sizeof *r->fold, &r->fold));
    TL_TRY(tl_alloc_array(ctx, (size_t)r->rows.count, sizeof *r->label, &r->label));
    TL_TRY(tl_split_folds(ctx, s->data, &r->rows, FOLDS, s->q->seed, r->fold));
    for (int64_t i = 0; i < r->rows.count; i++)
        r->label[i] = s->data->label[r->rows.row[i]];
done:
    return rc;
}

static tl_status open_all(tl_ctx *ctx, ranking *r)
{
    tl_study *s = &r->s;
    tl_status rc;

    if (!s->q->base || !s->q->base[0])
        TL_FAIL(TL_EUSAGE, "--base", "is missing (give two or more: --base A --base B)");
    TL_TRY(tl_slab_new(ctx, s->backend, &s->slab));
    TL_TRY(tl_study_open_data(ctx, s));
    if (!tl_task_of_one_class(s->data->task))
        TL_FAIL(TL_EUSAGE, s->data->path, "does not ask for one of several classes (bases "
                                          "are ranked for these; try tailor compare)");
    TL_TRY(tl_study_precision(ctx, s));
    TL_TRY(tl_study_open_bases(ctx, s));
    TL_TRY(tl_study_list(ctx, s));
    TL_TRY(take_rows(ctx, r));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->entries, sizeof *r->score, &r->score));
done:
    return rc;
}

tl_status tl_rank(tl_ctx *ctx, const tl_question *q, json_t **out)
{
    static const char *const probe[] = { "probe", NULL };
    tl_question              asked   = *q;
    ranking                  r = { .s = { .q = &asked, .detectable = NAN } };
    tl_status                rc;

    *out          = NULL;
    asked.routes  = probe;
    asked.metric  = "accuracy";
    r.s.warnings  = json_array();
    r.s.backend   = tl_study_backend();
    TL_TRY(open_all(ctx, &r));
    for (int i = 0; i < r.s.entries; i++) TL_TRY(score_base(ctx, &r, i));
    TL_TRY(draw_ranks(ctx, &r));
    *out = result_json(&r);
    if (!*out) TL_FAIL(TL_ENOMEM, "rank", "no memory for the result");
done:
    for (int i = 0; r.score && i < r.s.entries; i++) {
        json_decref(r.score[i].distance);
        tl_free(ctx, r.score[i].right);
    }
    tl_free(ctx, r.score);
    tl_free(ctx, r.fold);
    tl_free(ctx, r.label);
    tl_free(ctx, r.rows.row);
    tl_free(ctx, r.valid.row);
    tl_study_close_candidates(ctx, &r.s);
    tl_study_close_data(ctx, &r.s);
    tl_slab_free(ctx, r.s.slab);
    json_decref(r.s.warnings);
    return rc;
}
