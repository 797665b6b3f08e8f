/* sentences.c -- see sentences.h. */
#include "support/sentences.h"

#include "core/io.h"
#include "train/texts.h"

#include <stdio.h>
#include <string.h>

static const char *const things[] = { "film", "plot", "cast", "song", "story", "scene" };
static const char *const praise[] = { "warm", "bright", "lovely", "moving" };
static const char *const blame[]  = { "dull", "cold", "empty", "tired" };

/* A function of i alone; words of a kind follow each other so that they can be learnt. */
static void write_rows(test_sentences *s, int64_t rows, char path[600])
{
    char   text[1 << 16];
    size_t at = (size_t)snprintf(text, sizeof text, "text,label\n");

    for (int64_t i = 0; i < rows; i++) {
        const bool               good = i * 7 % 4 < 2;
        const char *const *const say  = good ? praise : blame;
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "the %s is %s and the %s is %s,%s\n", things[i % 6], say[i % 4],
                               things[i * 5 % 6], say[(i / 4) % 4], good ? "good" : "bad");
        assert_true(at + 100 < sizeof text);
    }
    snprintf(path, 600, "%s/rows.csv", s->folder);
    TEST_OK(tl_file_write(test_ctx(), path, text, at));
}

static void take_rows(tl_rows *out, int64_t from, int64_t count)
{
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)count, sizeof *out->row, &out->row));
    for (int64_t i = 0; i < count; i++) out->row[i] = from + i;
    out->count = count;
}

static void open_base(test_sentences *s, const char *net)
{
    tl_ctx    *ctx = test_ctx();
    tl_texter *like;

    TEST_OK(tl_scratch_text(ctx, s->dataset, net, &s->arch, &s->prep, &like));
    TEST_OK(tl_dataset_learn(ctx, s->dataset, like, s->train, &s->texter));
    tl_texter_drop(ctx, like);
    json_object_set_new(s->arch.config, "vocab_size", json_integer(s->texter->size));
    s->prep = (tl_prep){ .text = s->texter };
    TEST_OK(tl_model_new(ctx, &s->arch, &s->prep, s->dataset->class_name, 3, &s->base));
}

void test_sentences_open(test_sentences *s, int64_t rows, const char *net, const char *route,
                         double epochs)
{
    tl_dataset_source source = { 0 };
    tl_candidate     *c      = &s->spec.candidate;
    tl_ctx           *ctx    = test_fresh();
    char              path[600];

    *s = (test_sentences){ .folder = test_folder() };
    write_rows(s, rows, path);
    source.train = path;
    TEST_OK(tl_dataset_open(ctx, &source, &s->dataset));
    assert_int_equal(s->dataset->rows, rows);
    take_rows(&s->train, 0, rows - rows / 4);
    take_rows(&s->valid, rows - rows / 4, rows / 4);
    open_base(s, net);
    TEST_OK(tl_cache_new(ctx, s->dataset, &s->prep, 0, &s->cache));
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &s->slab));
    s->spec = (tl_run_spec){ .cache = s->cache, .dataset = s->dataset, .train = s->train,
                             .valid = s->valid, .seed = 5, .metric = "accuracy",
                             .backend = &tl_backend_ref, .slab = s->slab, .dtype = TL_F32 };
    c->route = tl_route_find(route);
    c->base  = c->route->needs_base ? s->base : NULL;
    c->arch  = s->arch;
    c->prep  = s->prep;
    TEST_OK(tl_route_defaults(ctx, c->route, &s->arch, s->train.count, &c->hyper));
    c->hyper.epochs      = epochs;
    c->hyper.least_steps = 0;
    c->hyper.batch       = 4;
}

void test_sentences_close(test_sentences *s)
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
    *s = (test_sentences){ 0 };
}
