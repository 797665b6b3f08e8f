/* kept.c -- see kept.h.  Floor 3, train. */
#include "train/kept.h"
#include "core/json.h"
#include "core/machine.h"
#include "train/features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 }; /* rows between looks at the clock and the interrupt */
static const double worth_saving_s = 5.0;

typedef struct {
    tl_trainer    *t;
    const tl_kept *k;
    tl_predictor  *body;
    void          *to;         /* where it is made                  */
    int64_t        done;       /* rows                              */
    char          *folder;     /* of its own checkpoints; NULL: none */
    int64_t        generation;
} making;

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static tl_status all_rows(tl_ctx *ctx, const tl_run_spec *spec, tl_rows *out)
{
    const int64_t train = spec->train.count, all = train + spec->valid.count;
    tl_status     rc;

    *out = (tl_rows){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)all, sizeof *out->row, &out->row));
    if (train) memcpy(out->row, spec->train.row, (size_t)train * sizeof *out->row);
    if (all > train)
        memcpy(out->row + train, spec->valid.row, (size_t)(all - train) * sizeof *out->row);
    qsort(out->row, (size_t)all, sizeof *out->row, by_number);
    for (int64_t i = 0; i < all; i++)
        if (i == 0 || out->row[i] != out->row[i - 1]) out->row[out->count++] = out->row[i];
done:
    return rc;
}

static int64_t place_of(tl_rows rows, int64_t row)
{
    const int64_t *found =
        bsearch(&row, rows.row, (size_t)rows.count, sizeof *rows.row, by_number);

    return found - rows.row;
}

static bool is_text(const tl_run_spec *spec)
{
    return spec->candidate.arch.family->text;
}

static size_t bytes_of(const tl_run_spec *spec, tl_rows rows, int64_t width)
{
    if (is_text(spec)) return tl_stream_bytes(spec->cache, &rows, 1, spec->dtype, width);
    return (size_t)(rows.count * width) * sizeof(float);
}

/* Where each row is found in what is made at, or lies in, `x`. */
static tl_status lay_out(tl_ctx *ctx, const tl_run_spec *spec, void *x, tl_kept *k)
{
    const int64_t train = spec->train.count, all = train + spec->valid.count;
    tl_status     rc;

    if (is_text(spec))
        return tl_stream_new(ctx, spec->cache, k->rows, spec->dtype, k->width, x, &k->stream);
    k->x = x;
    TL_TRY(tl_alloc_array(ctx, (size_t)all, sizeof *k->at, &k->at));
    for (int64_t i = 0; i < all; i++)
        k->at[i] = place_of(k->rows,
                            i < train ? spec->train.row[i] : spec->valid.row[i - train]);
done:
    return rc;
}

static tl_status save(tl_ctx *ctx, making *m)
{
    tl_trainer      *t     = m->t;
    const double     start = tl_time_s();
    const tl_section so_far =
        tl_section_of("kept", m->to, (size_t)(m->done * m->k->width) * sizeof(float));
    json_t          *state;
    tl_status        rc;

    if (!m->folder) return TL_OK;
    state = json_object();
    rc    = tl_checkpoint_save(ctx, m->folder, t->fingerprint, m->generation++, state, &so_far, 1);
    json_decref(state);
    t->saved     = tl_time_s();
    t->save_cost = t->saved - start;
    return rc;
}

/* Rows that a checkpoint of its own holds already. */
static tl_status restore(tl_ctx *ctx, making *m)
{
    const int64_t row  = m->k->width * (int64_t)sizeof(float);
    tl_checkpoint from = { .generation = -1 };
    tl_status     rc   = TL_OK;

    if (!m->t->spec.checkpoint || is_text(&m->t->spec)) return TL_OK;
    TL_TRY(tl_path_join(ctx, m->t->spec.checkpoint, "below", &m->folder));
    TL_TRY(tl_checkpoint_open(ctx, m->folder, m->t->fingerprint, &from));
    m->generation = from.generation + 1;
    if (from.generation < 0) goto done;
    const int64_t rows = tl_checkpoint_bytes(&from, "kept") / row;
    if (rows <= 0 || rows > m->k->rows.count) goto done;
    const tl_section section = tl_section_of("kept", m->to, (size_t)(rows * row));
    TL_TRY(tl_checkpoint_take(ctx, &from, &section));
    m->done = rows;
done:
    tl_checkpoint_close(ctx, &from);
    return rc;
}

static tl_status compute(tl_ctx *ctx, making *m)
{
    const tl_run_spec *spec = &m->t->spec;
    const int64_t      all  = m->k->rows.count;
    tl_status          rc   = TL_OK;

    while (m->done < all) {
        const tl_rows piece = { m->k->rows.row + m->done,
                                TL_MIN((int64_t)PIECE, all - m->done) };
        tl_features_say(m->t, "features", m->done, all, (double)NAN);
        if (is_text(spec))
            TL_TRY(tl_predictor_stream(ctx, m->body, spec->cache, piece, &m->k->stream));
        else
            TL_TRY(tl_predictor_rows(ctx, m->body, spec->cache, piece,
                                     (float *)m->to + m->done * m->k->width));
        m->done += piece.count;
        if (m->folder && tl_trainer_save_due(m->t)) TL_TRY(save(ctx, m));
    }
    tl_features_say(m->t, "features", all, all, (double)NAN);
done:
    return rc;
}

static tl_status make(tl_ctx *ctx, making *m)
{
    tl_trainer *t  = m->t;
    tl_status   rc = compute(ctx, m);

    if (rc == TL_OK && tl_time_s() - t->saved > worth_saving_s) TL_TRY(save(ctx, m));
    if (rc == TL_ECANCEL && m->folder) {
        TL_TRY(save(ctx, m));
        TL_FAIL(TL_ECANCEL, t->spec.checkpoint,
                "interrupted, saved (tailor resume goes on)");
    }
done:
    return rc;
}

tl_status tl_kept_open(tl_ctx *ctx, tl_trainer *t, int cut, tl_kept *out)
{
    const tl_run_spec *spec = &t->spec;
    tl_kept            k    = { 0 };
    making             m    = { .t = t, .k = &k };
    double             flops;
    tl_status          rc;

    *out = k;
    TL_TRY(tl_body_of_row(ctx, spec, &t->model->arch, cut, &flops, &k.width));
    TL_TRY(all_rows(ctx, spec, &k.rows));
    if (spec->kept) { /* only read */
        TL_TRY(lay_out(ctx, spec, (void *)(uintptr_t)spec->kept, &k));
        goto done;
    }
    TL_TRY(tl_alloc(ctx, bytes_of(spec, k.rows, k.width), &k.own));
    m.to = k.own;
    TL_TRY(lay_out(ctx, spec, k.own, &k));
    TL_TRY(restore(ctx, &m));
    TL_TRY(tl_body_predictor(ctx, spec, t->model, cut, &m.body));
    const int64_t before = m.done;
    rc                   = make(ctx, &m);
    if (t->at.step == 0) /* else it is made again */
        t->at.flops += flops * (double)(m.done - before);
done:
    tl_predictor_free(ctx, m.body);
    tl_free(ctx, m.folder);
    if (rc != TL_OK) tl_kept_free(ctx, &k);
    *out = k;
    return rc;
}

void tl_kept_free(tl_ctx *ctx, tl_kept *k)
{
    tl_stream_free(ctx, &k->stream);
    tl_free(ctx, k->own);
    tl_free(ctx, k->rows.row);
    tl_free(ctx, k->at);
    *k = (tl_kept){ 0 };
}

/* The cut of a route that does nothing to the base before: the same for all that have it. */
static tl_status cut_of(tl_ctx *ctx, const tl_run_spec *spec, int *cut)
{
    const tl_route *route  = spec->candidate.route;
    tl_params      *params = NULL;
    tl_status       rc     = TL_OK;

    *cut = 0;
    if (route->start != TL_START_BASE || !route->phases) return TL_OK;
    TL_TRY(tl_arch_params(ctx, &spec->candidate.arch, &params));
    const tl_phase phase = tl_run_phase(spec, params, 0);
    if (phase.cached && !phase.pretrained) *cut = phase.from;
done:
    tl_params_free(ctx, params);
    return rc;
}

tl_status tl_run_frozen(tl_ctx *ctx, const tl_run_spec *asked, tl_frozen *out)
{
    tl_run_spec spec;
    tl_rows     rows = { 0 };
    int64_t     width;
    char        hex[65];
    tl_status   rc;

    *out = (tl_frozen){ 0 };
    TL_TRY(tl_run_settle(ctx, asked, &spec));
    TL_TRY(cut_of(ctx, &spec, &out->cut));
    if (!out->cut) goto done;
    TL_TRY(all_rows(ctx, &spec, &rows));
    TL_TRY(tl_body_of_row(ctx, &spec, &spec.candidate.arch, out->cut, &out->flops, &width));
    out->flops *= (double)rows.count;
    out->bytes = bytes_of(&spec, rows, width);
    tl_hash_bytes(rows.row, (size_t)rows.count * sizeof *rows.row, hex);
    snprintf(out->key, sizeof out->key, "below %d by %d, %s%s, %.32s", out->cut,
             (int)TL_MIN(spec.micro_batch, (int64_t)32), tl_dtype_name(spec.dtype),
             spec.candidate.hyper.adapt.nf4 ? " of nf4" : "", hex);
done:
    tl_free(ctx, rows.row);
    return rc;
}

tl_status tl_run_frozen_make(tl_ctx *ctx, const tl_run_spec *asked, const tl_frozen *f, void *to)
{
    tl_trainer t = { 0 };
    tl_kept    k = { 0 };
    making     m = { .t = &t, .k = &k, .to = to };
    tl_status  rc;

    TL_TRY(tl_run_settle(ctx, asked, &t.spec));
    t.started = t.saved = tl_time_s();
    TL_TRY(tl_trainer_model(ctx, &t.spec, &t.model));
    TL_TRY(all_rows(ctx, &t.spec, &k.rows));
    TL_TRY(tl_body_predictor(ctx, &t.spec, t.model, f->cut, &m.body));
    k.width = tl_predictor_width(m.body);
    if (bytes_of(&t.spec, k.rows, k.width) != f->bytes)
        TL_FAIL(TL_EFAIL, "features", "of block %d are of another size than thought", f->cut);
    TL_TRY(lay_out(ctx, &t.spec, to, &k));
    TL_TRY(compute(ctx, &m));
done:
    tl_predictor_free(ctx, m.body);
    tl_kept_free(ctx, &k);
    tl_model_free(ctx, t.model);
    return rc;
}
