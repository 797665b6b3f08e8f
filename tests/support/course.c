/* course.c -- see course.h. */
#include "support/course.h"

#include "core/io.h"
#include "train/texts.h"

#include <stdio.h>

void test_course_data(test_course *s, const char *name, const char *text, size_t bytes)
{
    tl_ctx           *ctx    = test_fresh();
    tl_dataset_source source = { 0 };
    char              path[600];

    *s = (test_course){ .folder = test_folder() };
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    TEST_OK(tl_file_write(ctx, path, text, bytes));
    source.train = path;
    TEST_OK(tl_dataset_open(ctx, &source, &s->dataset));
}

static void open_base(test_course *s, const test_course_ask *ask)
{
    tl_ctx    *ctx = test_ctx();
    tl_texter *like;

    TEST_OK(tl_scratch_text(ctx, s->dataset, ask->net, &s->arch, &s->prep, &like));
    if (ask->most) like->most = ask->most;
    TEST_OK(tl_dataset_learn(ctx, s->dataset, like, s->train, &s->texter));
    tl_texter_drop(ctx, like);
    json_object_set_new(s->arch.config, "vocab_size", json_integer(s->texter->size));
    s->prep = (tl_prep){ .text = s->texter };
    TEST_OK(tl_model_new(ctx, &s->arch, &s->prep, s->dataset->class_name, 3, &s->base));
}

void test_course_ready(test_course *s, const test_course_ask *ask)
{
    tl_ctx       *ctx = test_ctx();
    tl_candidate *c   = &s->spec.candidate;

    open_base(s, ask);
    TEST_OK(tl_cache_new(ctx, s->dataset, &s->prep, 0, &s->cache));
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &s->slab));
    s->spec = (tl_run_spec){ .cache = s->cache, .dataset = s->dataset, .train = s->train,
                             .valid = s->valid, .seed = 5, .metric = ask->metric,
                             .backend = &tl_backend_ref, .slab = s->slab, .dtype = TL_F32 };
    c->route = tl_route_find(ask->route);
    c->base  = c->route->needs_base ? s->base : NULL;
    c->arch  = s->arch;
    c->prep  = s->prep;
    TEST_OK(tl_route_defaults(ctx, c->route, &s->arch, s->train.count, &c->hyper));
    c->hyper.epochs      = ask->epochs;
    c->hyper.least_steps = 0;
    c->hyper.batch       = 4;
}

void test_course_close(test_course *s)
{
    tl_ctx *ctx = test_ctx();

    tl_slab_free(ctx, s->slab);
    tl_cache_free(ctx, s->cache);
    tl_model_free(ctx, s->base);
    tl_texter_drop(ctx, s->texter);
    tl_arch_free(ctx, &s->arch);
    tl_free(ctx, s->train.row);
    tl_free(ctx, s->valid.row);
    tl_dataset_close(ctx, s->dataset);
    test_folder_end(s->folder);
    assert_int_equal(ctx->world->now_bytes, 0);
    *s = (test_course){ 0 };
}
