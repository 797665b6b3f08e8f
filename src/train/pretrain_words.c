/* pretrain_words.c -- the body learns from the user's own texts, labels unused: hidden words, or
 * the next one, as its family is asked.  It is a run of its own on the same rows (a language
 * model's, saved beside this run's checkpoints), whose body this run then begins with.
 * Sources: Gururangan et al. 2020, arXiv:2004.10964 (task-adaptive pretraining); Howard and Ruder
 * 2018, arXiv:1801.06146.  Floor 3, train. */
#include "data/texts/pack.h"
#include "train/pretrain.h"
#include "train/words.h"

#include <math.h>
#include <string.h>

extern const tl_route tl_route_full, tl_route_scratch;

static void say(void *user, const tl_progress *p)
{
    const tl_run_spec *asked = user;
    tl_progress        told  = *p;

    told.phase = "pretrain";
    asked->progress(asked->user, &told);
}

/* Rates of a language model's on rows of the average length; a base goes on at the rates that one
 * begins with, as in the source: its head for words is often new. */
static void set_hyper(const tl_run_spec *spec, tl_candidate *c)
{
    const tl_hyper *asked = &spec->candidate.hyper;
    const double    mean  = ceil(tl_cache_average(spec->cache, spec->train));

    tl_hyper_common(&c->hyper, &c->arch, spec->train.count);
    tl_hyper_words(&c->hyper, &c->arch, true, TL_MAX((int64_t)mean, (int64_t)2));
    c->hyper.optim.weight_decay = 0.01;
    c->hyper.epochs             = asked->pretrain_epochs;
    c->hyper.least_steps        = 0;
    c->hyper.mask               = asked->mask;
    c->hyper.whole_words        = asked->whole_words;
}

void tl_pretrain_words_ask(const tl_run_spec *spec, tl_words_lesson *out)
{
    tl_candidate *c = &out->spec.candidate;

    *out = (tl_words_lesson){ .spec = *spec, .dataset = *spec->dataset };
    out->dataset.task     = &tl_task_language_modelling;
    out->route            = spec->candidate.route->start == TL_START_NEW ? tl_route_scratch
                                                                         : tl_route_full;
    out->route.name       = spec->candidate.route->name;
    out->spec.dataset     = &out->dataset;
    out->spec.metric      = "perplexity";
    out->spec.micro_batch = 0;
    out->spec.features    = NULL;
    out->spec.store       = NULL;
    out->spec.checkpoint  = NULL;
    out->spec.aside       = true;
    if (spec->progress) {
        out->spec.progress = say;
        out->spec.user     = (void *)(uintptr_t)spec;
    }
    c->route            = &out->route;
    c->keep_head        = false;
    c->arch.ask         = tl_words_ask_of(&c->arch);
    c->arch.source_head = false;
    c->arch.outputs     = tl_json_int(c->arch.config, "vocab_size", 0);
    set_hyper(spec, c);
}

tl_status tl_pretrain_words_run(tl_ctx *ctx, tl_trainer *t)
{
    tl_words_lesson lesson;
    tl_run_result   r      = { 0 };
    tl_cache       *cache  = NULL;
    char           *folder = NULL;
    tl_status       rc;

    tl_pretrain_words_ask(&t->spec, &lesson);
    TL_TRY(tl_cache_new(ctx, t->spec.dataset, &t->spec.candidate.prep, 0, &cache));
    TL_TRY(tl_cache_mark_words(ctx, cache));
    lesson.spec.cache = cache;
    if (t->spec.checkpoint) {
        TL_TRY(tl_path_join(ctx, t->spec.checkpoint, "pretrain", &folder));
        lesson.spec.checkpoint = folder;
    }
    TL_TRY(tl_run_train(ctx, &lesson.spec, &r));
    t->at.flops += r.flops;
    if (strcmp(r.stopped, "interrupted") == 0)
        TL_FAIL(TL_ECANCEL, "pretrain", "interrupted before the labels were learnt");
    tl_take_body(r.model->params, t->model->params);
    tl_log(ctx, TL_LOG_INFO, "pretrained for %lld steps without labels, loss of a token %.4g",
           (long long)r.steps_run, r.valid_loss);
done:
    tl_run_result_free(ctx, &r);
    tl_cache_free(ctx, cache);
    tl_free(ctx, folder);
    return rc;
}
