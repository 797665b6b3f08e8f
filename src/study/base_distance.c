/* base_distance.c -- see base_distance.h.  Floor 4, study. */
#include "study/base_distance.h"
#include "core/rand.h"
#include "study/distance.h"
#include "study/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ROWS = 256, MOST_TEXTS = 500, LEAST_ROWS = 32, DRAWS = 199 };

/* Chosen on the table of docs/data.md: data of a base's own kind lie far below. */
static const double FAR_FIRST = 0.3, FAR_BROKEN = 0.10, FAR_UNKNOWN = 0.02;

/* So many of the rows, drawn, in an order that has nothing to do with their labels. */
static tl_status draw(tl_ctx *ctx, uint64_t seed, tl_rows from, int64_t most, tl_rows *out)
{
    tl_status rc;

    *out = (tl_rows){ NULL, TL_MIN(from.count, most) };
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(from.count, (int64_t)1), sizeof *out->row,
                          &out->row));
    memcpy(out->row, from.row, (size_t)from.count * sizeof *out->row);
    tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_SPLIT, 96), out->row, from.count);
done:
    return rc;
}

/* Borrowed, but at the candidate's input size. */
static tl_model base_of(const tl_entry *e)
{
    tl_model base = *e->c.base;

    base.arch.row = e->c.arch.row;
    base.prep     = e->c.prep;
    return base;
}

static tl_status add_norms(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_cache *cache,
                           tl_rows rows, json_t *out, char *why, size_t room)
{
    const tl_model   base = base_of(e);
    tl_norm_distance d;
    tl_status        rc;

    TL_TRY(tl_distance_norms(ctx, &base, cache, rows, s->backend, s->slab, &d));
    if (d.layers == 0) goto done;
    json_object_set_new(out, "norms",
                        json_pack("{s:I, s:I, s:o, s:o, s:o}", "rows", (json_int_t)d.rows, "layers",
                                  (json_int_t)d.layers, "shift", tl_json_real(d.shift), "kl",
                                  tl_json_real(d.kl), "first", tl_json_real(d.first)));
    if (d.first >= FAR_FIRST)
        snprintf(why, room,
                 "its first layer sees other brightness, colours and edges than in the pictures it "
                 "was trained on (a divergence of %.2f; %.1f and more is far)",
                 d.first, FAR_FIRST);
done:
    return rc;
}

static tl_status add_tokenizer(tl_ctx *ctx, const tl_study *s, const tl_tokenizer *t, tl_rows rows,
                               json_t *out, char *why, size_t room)
{
    const tl_string english = { tl_plain_english, strlen(tl_plain_english) };
    tl_string      *text    = NULL;
    tl_fragments    got, plain;
    tl_status       rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(2 * rows.count), sizeof *text, &text));
    for (int64_t i = 0; i < rows.count; i++) tl_dataset_text(s->data, rows.row[i], text + 2 * i);
    TL_TRY(tl_distance_fragments(ctx, t, text, 2 * rows.count, &got));
    TL_TRY(tl_distance_fragments(ctx, t, &english, 1, &plain));
    json_object_set_new(out, "tokenizer",
                        json_pack("{s:I, s:f, s:f, s:f, s:{s:f, s:f}}", "texts",
                                  (json_int_t)rows.count, "tokens_per_word", got.tokens_per_word,
                                  "broken", got.broken, "unknown", got.unknown, "english",
                                  "tokens_per_word", plain.tokens_per_word, "broken",
                                  plain.broken));
    if (got.unknown >= FAR_UNKNOWN)
        snprintf(why, room,
                 "its tokenizer does not know %.1f %% of what the texts are cut into: that part is "
                 "lost on it", 100.0 * got.unknown);
    else if (got.broken >= plain.broken + FAR_BROKEN)
        snprintf(why, room,
                 "its tokenizer cuts %.0f %% of the words into crumbs (four pieces or more; of "
                 "plain English %.0f %%), %.1f tokens a word: it has hardly read such texts",
                 100.0 * got.broken, 100.0 * plain.broken, got.tokens_per_word);
done:
    tl_free(ctx, text);
    return rc;
}

static tl_status add_drift(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_cache *cache,
                           tl_rows train, tl_rows test, json_t *out)
{
    const int64_t     classes = TL_MAX(s->data->classes, (int64_t)2);
    const tl_model    base    = base_of(e);
    tl_model         *m    = NULL;
    tl_predictor     *body = NULL;
    float            *a = NULL, *b = NULL;
    double            frechet;
    tl_mmd            mmd;
    tl_status         rc;

    TL_TRY(tl_model_with_head(ctx, &base, classes, NULL, -1.0, 1, &m));
    TL_TRY(tl_predictor_new(ctx, m, TL_PART_BODY, 32, s->backend, s->slab, TL_F32, &body));
    const int64_t width = tl_predictor_width(body);
    TL_TRY(tl_alloc_array(ctx, (size_t)(train.count * width), sizeof *a, &a));
    TL_TRY(tl_alloc_array(ctx, (size_t)(test.count * width), sizeof *b, &b));
    TL_TRY(tl_predictor_rows(ctx, body, cache, train, a));
    TL_TRY(tl_predictor_rows(ctx, body, cache, test, b));
    TL_TRY(tl_distance_mmd(ctx, a, train.count, b, test.count, width, DRAWS, s->q->seed, &mmd));
    rc = tl_distance_frechet(ctx, a, train.count, b, test.count, width, &frechet);
    if (rc == TL_ENAN) frechet = (double)NAN;
    else TL_TRY(rc);
    rc = TL_OK;
    json_object_set_new(out, "drift",
                        json_pack("{s:[I, I], s:o, s:o, s:f}", "rows", (json_int_t)train.count,
                                  (json_int_t)test.count, "frechet", tl_json_real(frechet), "mmd2",
                                  tl_json_real(mmd.mmd2), "p", mmd.p));
done:
    tl_predictor_free(ctx, body);
    tl_model_free(ctx, m);
    tl_free(ctx, a);
    tl_free(ctx, b);
    return rc;
}

static tl_status test_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows *out)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row));
    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] == TL_SPLIT_TEST) out->row[out->count++] = i;
done:
    return rc;
}

tl_status tl_base_distance(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_rows rows, bool parts,
                           json_t **out)
{
    const tl_texter *texter    = e->c.base->prep.text;
    tl_rows          some      = { 0 }, test = { 0 }, tested = { 0 };
    char             why[400]  = "";
    json_t          *value     = json_pack("{s:s, s:n, s:n, s:n}", "base", e->c.base->path, "norms",
                                           "tokenizer", "drift");
    tl_run_spec      spec;
    tl_status        rc;

    *out = NULL;
    if (!value) TL_FAIL(TL_ENOMEM, "base", "no memory for its distance");
    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    if (s->data->text && texter && texter->tokenizer) {
        TL_TRY(draw(ctx, s->q->seed, rows, MOST_TEXTS, &some));
        TL_TRY(add_tokenizer(ctx, s, texter->tokenizer, some, value, why, sizeof why));
        some.count = TL_MIN(some.count, (int64_t)MOST_ROWS);
    } else {
        TL_TRY(draw(ctx, s->q->seed, rows, MOST_ROWS, &some));
        if (!s->data->schema)
            TL_TRY(add_norms(ctx, s, e, spec.cache, some, value, why, sizeof why));
    }
    if (parts) TL_TRY(test_rows(ctx, s->data, &test));
    if (some.count >= LEAST_ROWS && test.count >= LEAST_ROWS && !s->data->schema) {
        TL_TRY(draw(ctx, s->q->seed, test, MOST_ROWS, &tested));
        TL_TRY(add_drift(ctx, s, e, spec.cache, some, tested, value));
    }
    json_object_set_new(value, "far", json_boolean(*why != 0));
    json_object_set_new(value, "why", *why ? json_string(why) : json_null());
    *out  = value;
    value = NULL;
done:
    json_decref(value);
    tl_free(ctx, some.row);
    tl_free(ctx, test.row);
    tl_free(ctx, tested.row);
    return rc;
}

void tl_base_distance_say(const json_t *distance, json_t *profile)
{
    const json_t *drift = json_object_get(distance, "drift");
    const char   *base  = tl_json_text(distance, "base", "?");
    const double  p     = tl_json_number(drift, "p", 1.0);

    if (tl_json_bool(distance, "far", false))
        tl_profile_say(profile, "warning",
                       "a base that was trained on such data may do better, and so may scratch; "
                       "this one may serve all the same: only comparing them tells",
                       "the data lies far from the base %s: %s", base,
                       tl_json_text(distance, "why", ""));
    if (p < 0.01)
        tl_profile_say(profile, "warning",
                       "the scores say how the model does on data such as the test part; look at "
                       "some rows of both parts",
                       "through the eyes of the base %s the test part differs from the training "
                       "part (permutation test of features: p = %.3f)", base, p);
}
