/* teach.c -- a teacher's answers: the route's `teacher` trained from the base on the run's own
 * rows, then asked once for each of them; softened by the temperature they are what the student
 * learns beside the labels.  Kept beside the run's own checkpoints.
 * Source: Hinton et al. 2015, arXiv:1503.02531.  Floor 3, train. */
#include "train/features.h"
#include "train/pretrain.h"

#include <math.h>
#include <string.h>

static const size_t PICTURES_BYTES = (size_t)256 << 20;

/* image_size is the teacher's too. */
static void set_size(int64_t size, tl_candidate *c)
{
    if (size == 0 || c->arch.row.ndim != 3) return;
    c->prep.resize_short  = c->prep.resize_short * size / TL_MAX(c->prep.height, (int64_t)1);
    c->prep.height        = c->prep.width = size;
    c->arch.row.dim[0]    = c->arch.row.dim[1] = size;
}

tl_status tl_teach_spec(tl_ctx *ctx, const tl_run_spec *spec, tl_run_spec *out)
{
    const tl_hyper *h = &spec->candidate.hyper;
    tl_candidate   *c = &out->candidate;

    (void)ctx;
    *out      = *spec;
    c->route  = spec->candidate.route->teacher;
    c->arch   = c->base->arch;
    c->prep   = c->base->prep;
    c->arch.outputs     = spec->dataset->classes;
    c->arch.source_head = false;
    c->route->defaults(&c->hyper, &c->arch, spec->train.count);
    set_size(h->image_size, c);
    c->hyper.epochs      = h->teacher_epochs;
    c->hyper.least_steps = 0;
    out->micro_batch     = 0;
    out->features        = NULL;
    out->store           = NULL;
    return TL_OK;
}

static void soften(float *z, int64_t classes, double temperature)
{
    double top = -INFINITY, sum = 0.0;

    for (int64_t k = 0; k < classes; k++) top = fmax(top, (double)z[k]);
    for (int64_t k = 0; k < classes; k++) sum += exp(((double)z[k] - top) / temperature);
    for (int64_t k = 0; k < classes; k++)
        z[k] = (float)(exp(((double)z[k] - top) / temperature) / sum);
}

static tl_status ask(tl_ctx *ctx, tl_trainer *t, const tl_run_spec *spec,
                     const tl_model *teacher)
{
    const int64_t classes = spec->dataset->classes;
    tl_predictor *p       = NULL;
    tl_status     rc;

    TL_TRY(tl_predictor_new(ctx, teacher, TL_PART_WHOLE,
                            TL_MIN(t->spec.micro_batch, (int64_t)32), spec->backend,
                            spec->slab, spec->dtype, &p));
    TL_TRY(tl_predictor_rows(ctx, p, spec->cache, spec->train, t->taught));
    for (int64_t i = 0; i < spec->train.count; i++)
        soften(t->taught + i * classes, classes, t->spec.candidate.hyper.temperature);
done:
    tl_predictor_free(ctx, p);
    return rc;
}

static tl_status train_and_ask(tl_ctx *ctx, tl_trainer *t)
{
    tl_run_spec   spec;
    tl_run_result r      = { 0 };
    tl_cache     *cache  = NULL;
    char         *folder = NULL;
    tl_status     rc;

    TL_TRY(tl_teach_spec(ctx, &t->spec, &spec));
    TL_TRY(tl_cache_new(ctx, spec.dataset, &spec.candidate.prep, PICTURES_BYTES, &cache));
    spec.cache       = cache;
    spec.pause_share = 0.0; /* it is the student's */
    if (t->spec.checkpoint) {
        TL_TRY(tl_path_join(ctx, t->spec.checkpoint, "teacher", &folder));
        spec.checkpoint = folder;
    }
    TL_TRY(tl_run_train(ctx, &spec, &r));
    t->at.flops += r.flops;
    if (strcmp(r.stopped, "interrupted") == 0)
        TL_FAIL(TL_ECANCEL, "teacher", "interrupted before the student began");
    TL_TRY(ask(ctx, t, &spec, r.model));
done:
    tl_run_result_free(ctx, &r);
    tl_cache_free(ctx, cache);
    tl_free(ctx, folder);
    return rc;
}

tl_status tl_teach_run(tl_ctx *ctx, tl_trainer *t)
{
    const size_t bytes = (size_t)(t->spec.train.count * t->spec.dataset->classes) *
                         sizeof *t->taught;
    char         *folder = NULL;
    tl_checkpoint from   = { .generation = -1 };
    json_t       *state  = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc(ctx, bytes, &t->taught));
    const tl_section answers = tl_section_of("answers", t->taught, bytes);
    if (t->spec.checkpoint) {
        TL_TRY(tl_path_join(ctx, t->spec.checkpoint, "answers", &folder));
        TL_TRY(tl_checkpoint_open(ctx, folder, t->fingerprint, &from));
    }
    if (from.generation >= 0) {
        rc = tl_checkpoint_take(ctx, &from, &answers);
        t->at.flops = fmax(t->at.flops, tl_json_number(from.state, "flops", 0.0));
        goto done;
    }
    TL_TRY(train_and_ask(ctx, t));
    if (!folder) goto done;
    state = json_pack("{s:f}", "flops", t->at.flops);
    rc    = tl_checkpoint_save(ctx, folder, t->fingerprint, 0, state, &answers, 1);
done:
    json_decref(state);
    tl_checkpoint_close(ctx, &from);
    tl_free(ctx, folder);
    return rc;
}
