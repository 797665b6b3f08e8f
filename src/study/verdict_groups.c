/* verdict_groups.c -- whom a route serves worse (--group): the score of every group, the worst of
 * each route, and whether routes from a base bring a gap along. A base has seen other data: what
 * it learned of people there comes with it (inherited bias). Floor 4, study. */
#include "study/compare_internal.h"
#include "study/stats_internal.h"

#include <math.h>
#include <string.h>

enum { LEAST_ROWS = 10, MOST_SHOWN = 40 };

/* Of a row: right (1) or not (0); of numbers how far off, turned so that more is better. */
static float value_at(const tl_study *s, const tl_judged *j, int place, int seed, int64_t row)
{
    const int64_t at = ((int64_t)place * j->most + seed) * s->test.count + row;

    if (j->said) return (float)-fabs((double)j->said[at] - j->truth[row]);
    return j->predicted[at] == j->label[row] ? 1.0f : 0.0f;
}

/* Mean of a group over rows and seeds (group -1: of all), and over rows of its squares. */
static tl_interval score_of(const tl_study *s, const tl_judged *j, int place, int group)
{
    double sum = 0.0, squares = 0.0, rows = 0.0;

    for (int64_t r = 0; r < s->test.count; r++) {
        double mean = 0.0;
        if (group >= 0 && s->data->group[s->test.row[r]] != group) continue;
        for (int k = 0; k < j->seeds[place]; k++)
            mean += (double)value_at(s, j, place, k, r) / j->seeds[place];
        sum += mean;
        squares += mean * mean;
        rows += 1.0;
    }
    if (rows < 1.0) return (tl_interval){ NAN, NAN, NAN };
    if (!j->said) return tl_wilson(sum, rows, 0.95);
    const double m = sum / rows, sd = sqrt(fmax(0.0, squares / rows - m * m));
    const double half = 1.96 * sd / sqrt(rows);
    return (tl_interval){ m, m - half, m + half };
}

static tl_status count_rows(tl_ctx *ctx, const tl_study *s, int64_t **out)
{
    const tl_status rc = tl_alloc_array(ctx, (size_t)s->data->groups, sizeof **out, out);

    for (int64_t r = 0; rc == TL_OK && r < s->test.count; r++)
        if (s->data->group[s->test.row[r]] >= 0) (*out)[s->data->group[s->test.row[r]]]++;
    return rc;
}

/* With errors the signs are turned back. */
static json_t *group_json(const tl_study *s, const tl_judged *j, int place, int group,
                          int64_t rows)
{
    tl_interval i = score_of(s, j, place, group);
    json_t     *score;

    if (j->said) i = (tl_interval){ -i.mean, -i.high, -i.low };
    score = tl_interval_json(i);
    json_object_set_new(score, "group", tl_json_name(s->data->group_name[group]));
    json_object_set_new(score, "rows", json_integer(rows));
    return score;
}

/* The group of which `bad` is largest, of those with enough rows; -1: none. */
static int worst_of(const tl_study *s, const tl_judged *j, const int64_t *rows, int a, int b)
{
    double low  = INFINITY;
    int    worst = -1;

    for (int g = 0; g < s->data->groups; g++) {
        if (rows[g] < LEAST_ROWS) continue;
        const double mean =
            0.5 * (score_of(s, j, a, g).mean + score_of(s, j, b, g).mean);
        if (mean < low) low = mean, worst = g;
    }
    return worst;
}

/* How much further group g lies below the mean of all with a than with b, over rows and seeds:
 * a row's share in that is y (1 - n / n_g) in the group and y outside. */
static tl_status gap_of(tl_ctx *ctx, const tl_study *s, const tl_judged *j, int a, int b, int g,
                        int64_t in_group, tl_interval *out)
{
    const int     place[] = { a, b };
    const int     seeds[] = { j->seeds[a], j->seeds[b] };
    const int64_t n       = s->test.count;
    float        *x       = NULL;
    tl_study_values v     = { 0 };
    tl_status     rc;

    *out = (tl_interval){ NAN, NAN, NAN };
    TL_TRY(tl_alloc_array(ctx, (size_t)(2 * j->most) * (size_t)n, sizeof *x, &x));
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < seeds[i]; k++)
            for (int64_t r = 0; r < n; r++) {
                const bool mine = s->data->group[s->test.row[r]] == g;
                const double share = mine ? 1.0 - (double)n / (double)in_group : 1.0;
                x[((int64_t)i * j->most + k) * n + r] =
                    (float)(share * (double)value_at(s, j, place[i], k, r));
            }
    const tl_scores scores = { .candidates = 2, .seeds = j->most, .seeds_of = seeds, .rows = n,
                               .score = x, .plain = true };
    TL_TRY(tl_study_values_make(ctx, &scores, &v));
    const tl_pair pair = tl_study_pair(&v, 0, 1);
    const double  half = tl_pair_half(&pair, 0.05);
    *out               = (tl_interval){ pair.mean, pair.mean - half, pair.mean + half };
done:
    tl_study_values_free(ctx, &v);
    tl_free(ctx, x);
    return rc;
}

static tl_status find_gap(tl_ctx *ctx, const tl_study *s, tl_judged *j, const int64_t *rows)
{
    const int a = tl_study_best_of(s, j, TL_FROM_BASE), b = tl_study_best_of(s, j, TL_ANEW);

    j->gap_group = -1;
    if (a < 0 || b < 0) return TL_OK;
    j->gap_group = worst_of(s, j, rows, a, b);
    if (j->gap_group < 0) return TL_OK;
    return gap_of(ctx, s, j, a, b, j->gap_group, rows[j->gap_group], &j->gap);
}

static json_t *candidate_json(const tl_study *s, const tl_judged *j, int place,
                              const int64_t *rows)
{
    json_t   *all   = json_array();
    const int worst = worst_of(s, j, rows, place, place);
    int64_t   least = 0;

    for (int shown = 0;; shown++) { /* of very many groups the largest */
        shown = 0;
        for (int g = 0; g < s->data->groups; g++) shown += rows[g] > least;
        if (shown <= MOST_SHOWN) break;
        least++;
    }
    for (int g = 0; g < s->data->groups; g++)
        if (rows[g] > least) json_array_append_new(all, group_json(s, j, place, g, rows[g]));
    return json_pack("{s:i, s:o, s:o}", "candidate", j->entry[place], "worst",
                     worst >= 0 ? group_json(s, j, place, worst, rows[worst]) : json_null(),
                     "all", all);
}

tl_status tl_study_judge_groups(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    int64_t  *rows = NULL;
    json_t   *list, *gap = json_null();
    tl_status rc;

    j->gap_group = -1;
    if (!s->data->group_column || tl_task_has_marks(s->data->task)) return TL_OK;
    TL_TRY(count_rows(ctx, s, &rows));
    TL_TRY(find_gap(ctx, s, j, rows));
    list = json_array();
    for (int i = 0; i < j->count; i++)
        json_array_append_new(list, candidate_json(s, j, i, rows));
    if (j->gap_group >= 0) {
        gap = tl_interval_json(j->gap);
        json_object_set_new(gap, "group", tl_json_name(s->data->group_name[j->gap_group]));
        json_object_set_new(gap, "base",
                            json_integer(j->entry[tl_study_best_of(s, j, TL_FROM_BASE)]));
        json_object_set_new(gap, "scratch",
                            json_integer(j->entry[tl_study_best_of(s, j, TL_ANEW)]));
    }
    j->groups = json_pack("{s:o, s:s, s:i, s:o, s:o}", "column",
                          tl_json_name(s->data->group_column), "score",
                          j->said ? "mean absolute error" : "share right", "least_rows",
                          LEAST_ROWS, "candidates", list, "gap", gap);
done:
    tl_free(ctx, rows);
    return rc;
}

static const char *say(const tl_judged *j, double value, char text[32])
{
    if (j->said) snprintf(text, 32, "%.3g", fabs(value));
    else snprintf(text, 32, "%.1f points", 100.0 * fabs(value));
    return text;
}

void tl_study_groups_words(const tl_study *s, const tl_judged *j, json_t *reasons)
{
    const json_t *one, *worst;
    size_t        i;
    char          far[32], score[32];

    json_array_foreach(json_object_get(j->groups, "candidates"), i, one)
    {
        if (tl_json_int(one, "candidate", -1) != j->entry[j->decision.winner]) continue;
        worst = json_object_get(one, "worst");
        if (json_is_null(worst)) continue;
        const double mean = tl_json_number(worst, "mean", NAN);
        if (j->said) snprintf(score, sizeof score, "an error of %.3g", mean);
        else snprintf(score, sizeof score, "%.1f %% right", 100.0 * mean);
        tl_reason(reasons, "It is worst for %s \"%.60s\": %s over %" PRId64 " test rows.",
                  s->data->group_column, tl_json_text(worst, "group", "?"), score,
                  tl_json_int(worst, "rows", 0));
    }
    if (j->gap_group < 0) return;
    const char *name = s->data->group_name[j->gap_group];
    if (j->gap.low <= 0.0 && j->gap.high >= 0.0)
        tl_reason(reasons,
                  "Routes from a base neither widen nor narrow the gap of \"%.60s\" to the rest "
                  "by more than chance explains, against scratch.",
                  name);
    else
        tl_reason(reasons, "Routes from a base %s the gap of \"%.60s\" to the mean of all by %s "
                  "against scratch%s.",
                  j->gap.mean > 0.0 ? "widen" : "narrow", name, say(j, j->gap.mean, far),
                  j->gap.mean > 0.0 ? ": the base brings it along" : "");
}
