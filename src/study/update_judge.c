/* update_judge.c -- every candidate of an update beside the model as it is, on the new
 * test rows and on the old ones, and which of them the verdict is between (update.h
 * says how).  That the ways which beat the model are looked for only once validation's
 * choice has beaten it keeps the chance of acting for nothing at 5 % (a gatekeeper:
 * Westfall and Krishen 2001).  Floor 4, study. */
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double ALPHA = 0.05;

tl_status tl_update_ask_old(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                            const tl_model *model, tl_cache *cache)
{
    const tl_rows test   = s->update.test;
    float        *answer = NULL;
    tl_status     rc;

    TL_TRY(tl_study_ask(ctx, s, model, cache, test, &answer));
    TL_TRY(tl_store_put_blob(ctx, s->store, run->id, "old", answer,
                             (size_t)(test.count * s->data->classes) * sizeof *answer));
done:
    tl_free(ctx, answer);
    return rc;
}

/* One or two entries on one list of rows. */
typedef struct {
    tl_rows  rows;
    bool     old;
    int      entry[2], count, seeds[2], most;
    int32_t *label, *predicted;
    double  *truth;
    float   *said, *score;
} pair;

static tl_status read_one(tl_ctx *ctx, const tl_study *s, const pair *p, int i,
                          int repeat)
{
    const int     entry = p->entry[i];
    const int64_t at    = (int64_t)(i * p->most + repeat) * p->rows.count;
    float        *said  = p->said ? p->said + at : NULL;

    if (!p->old)
        return tl_study_answers(ctx, s, entry, repeat, 0, p->predicted + at, said);
    /* With folds, of the model of the first one. */
    return tl_study_read_answers(
        ctx, s, tl_study_find(s, entry, s->entry[entry].chosen, repeat, 0), "old",
        p->rows.count, p->predicted + at, said);
}

static tl_status read_pair(tl_ctx *ctx, const tl_study *s, pair *p)
{
    const int64_t rows = p->rows.count;
    tl_status     rc;

    for (int i = 0; i < p->count; i++) {
        p->seeds[i] = tl_study_repeats(s, p->entry[i], s->entry[p->entry[i]].chosen);
        p->most     = TL_MAX(p->most, p->seeds[i]);
    }
    const size_t cells = (size_t)(p->count * p->most) * (size_t)rows;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *p->label, &p->label));
    TL_TRY(tl_alloc_array(ctx, cells, sizeof *p->predicted, &p->predicted));
    TL_TRY(tl_alloc_array(ctx, cells, sizeof *p->score, &p->score));
    if (s->data->target) {
        TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *p->truth, &p->truth));
        TL_TRY(tl_alloc_array(ctx, cells, sizeof *p->said, &p->said));
    }
    for (int64_t r = 0; r < rows; r++) {
        p->label[r] = s->data->label[p->rows.row[r]];
        if (p->truth) p->truth[r] = s->data->target[p->rows.row[r]];
    }
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->seeds[i]; k++) TL_TRY(read_one(ctx, s, p, i, k));
    for (int i = 0; i < p->count * p->most; i++)
        if (p->said)
            tl_study_score_numbers(s, p->truth, p->said + i * rows, rows,
                                   p->score + i * rows);
        else
            for (int64_t r = 0; r < rows; r++)
                p->score[i * rows + r] = p->predicted[i * rows + r] == p->label[r];
done:
    return rc;
}

static tl_interval times(tl_interval i, double sign)
{
    return sign > 0.0 ? i : (tl_interval){ -i.mean, -i.high, -i.low };
}

/* The first entry's score, and what it adds to the second's: by the metric's own sign. */
static tl_status decide_pair(tl_ctx *ctx, const tl_study *s, const pair *p,
                             tl_interval *own, tl_interval *gap, double *chance)
{
    const bool       f1     = strcmp(s->metric, "macro-f1") == 0;
    const tl_metric *m      = tl_study_metric_of(s);
    const double     sign   = m->higher ? 1.0 : -1.0;
    const tl_scores  scores = { .candidates = p->count,
                                .seeds      = p->most,
                                .seeds_of   = p->seeds,
                                .rows       = p->rows.count,
                                .score      = p->score,
                                .label      = f1 ? p->label : NULL,
                                .predicted  = f1 ? p->predicted : NULL,
                                .classes    = (int32_t)s->data->classes,
                                .margin     = s->margin,
                                .plain      = !m->percent,
                                .lower      = !m->higher,
                                .seed       = s->q->seed };
    tl_decision      d      = { 0 };
    tl_status        rc;

    TL_TRY(tl_decide(ctx, &scores, &d));
    *own = times(d.test[0], sign);
    if (p->count < 2) goto done;
    *gap    = times(d.difference, d.winner == 0 ? sign : -sign);
    *chance = d.p;
done:
    tl_decision_free(ctx, &d);
    return rc;
}

static tl_status beside_kept(tl_ctx *ctx, const tl_study *s, int entry, bool old,
                             tl_interval *own, tl_interval *gap, double *chance)
{
    const int kept = tl_update_kept(s);
    pair      p    = { .rows  = old ? s->update.test : s->test,
                       .old   = old,
                       .entry = { entry, kept },
                       .count = entry == kept ? 1 : 2 };
    tl_status rc;

    TL_TRY(read_pair(ctx, s, &p));
    TL_TRY(decide_pair(ctx, s, &p, own, gap, chance));
done:
    tl_free(ctx, p.label);
    tl_free(ctx, p.predicted);
    tl_free(ctx, p.truth);
    tl_free(ctx, p.said);
    tl_free(ctx, p.score);
    return rc;
}

/* Put out only where the 95 % interval of the loss lies beyond what may be lost. */
static void hold_to_old(tl_study *s, int entry)
{
    tl_update_result *r = &s->update.result[entry];
    tl_entry         *e = &s->entry[entry];
    char              gap[2][32], why[300];
    const size_t      told = strlen(e->why);
    const double      least_loss =
        -fmax(tl_study_merit(s, r->change.low), tl_study_merit(s, r->change.high));

    r->forgets = least_loss > s->update.forget;
    if (!r->forgets) return;
    snprintf(why, sizeof why,
             "It forgets: %s worse on the old data than the model as it is, and more "
             "than %s is "
             "too much (--forget).",
             tl_study_gap(s, fabs(r->change.mean), gap[0]),
             tl_study_gap(s, s->update.forget, gap[1]));
    snprintf(e->why + told, sizeof e->why - told, "%s%s", told ? " " : "", why);
    e->barred = true;
    tl_study_warn(s, "%s cannot win: %s", e->label, why);
}

bool tl_update_beats(const tl_study *s, int entry)
{
    const tl_update_result *r = &s->update.result[entry];

    return r->gain_p < ALPHA && tl_study_merit(s, r->gain.mean) > 0.0;
}

/* Validation's choice of what may win; -1: nothing may but the model as it is. */
static int choose_change(const tl_study *s)
{
    int best = -1;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        if (e->status || e->barred || !e->finalist || tl_entry_is_kept(e)) continue;
        if (best < 0 || tl_study_merit(s, tl_study_valid_mean(s, i)) >
                            tl_study_merit(s, tl_study_valid_mean(s, best)))
            best = i;
    }
    return best;
}

static void choose_judged(tl_study *s)
{
    const int  kept = tl_update_kept(s), chosen = choose_change(s);
    const bool acts =
        chosen >= 0 && (tl_update_beats(s, chosen) || s->entry[kept].barred);
    int count = 0;

    for (int i = 0; i < s->entries; i++) {
        tl_entry *e = &s->entry[i];
        e->aside    = i != chosen && (i == kept ? acts : !acts || !tl_update_beats(s, i));
        count += !e->aside && !e->barred && !e->status;
    }
    if (count < 2) s->entry[kept].aside = false;
}

tl_status tl_update_judge(tl_ctx *ctx, tl_study *s)
{
    static const tl_interval none = { NAN, NAN, NAN };
    tl_status                rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->entries, sizeof *s->update.result,
                          &s->update.result));
    for (int i = 0; i < s->entries; i++) {
        tl_update_result *r = &s->update.result[i];
        tl_entry         *e = &s->entry[i];
        *r = (tl_update_result){ none, none, none, none, NAN, NAN, false };
        if (e->status || tl_study_repeats(s, i, e->chosen) == 0) continue;
        TL_TRY(beside_kept(ctx, s, i, false, &r->test, &r->gain, &r->gain_p));
        if (s->update.test.count == 0) continue;
        TL_TRY(beside_kept(ctx, s, i, true, &r->old, &r->change, &r->change_p));
        if (i != tl_update_kept(s)) hold_to_old(s, i);
    }
    choose_judged(s);
done:
    return rc;
}
