/* tagged.c -- see tagged.h. */
#include "support/tagged.h"

#include "core/io.h"
#include "train/texts.h"

#include <stdio.h>
#include <string.h>

static const char *const first[]  = { "anna", "ben", "clara", "david" };
static const char *const last[]   = { "stone", "rivers", "woods" };
static const char *const places[] = { "rome", "paris", "oslo", "new york" };
static const char *const deeds[]  = { "visited", "left", "liked", "saw" };

static void put(char *text, size_t room, const char *word, const char *tag)
{
    const size_t at = strlen(text);

    assert_true(at + strlen(word) + strlen(tag) + 3 < room);
    snprintf(text + at, room - at, "%s\t%s\n", word, tag);
}

/* Names of one or two words, places of one or two, other words between: a function of i. */
static void write_text(char *text, size_t room, int64_t i)
{
    put(text, room, first[i % 4], "B-PER");
    if (i % 3) put(text, room, last[i % 3], "I-PER");
    put(text, room, deeds[i / 2 % 4], "O");
    if (i * 5 % 4 == 3) {
        put(text, room, "new", "B-LOC");
        put(text, room, "york", "I-LOC");
    } else {
        put(text, room, places[i * 5 % 4], "B-LOC");
    }
    if (i % 2) put(text, room, "yesterday", "O");
    put(text, room, ".", "O");
    strcat(text, "\n");
}

static void take_rows(const tl_dataset *d, int64_t low, int64_t high, tl_rows *out)
{
    const int64_t from = d->tags->first[low], to = d->tags->first[high];

    TEST_OK(tl_alloc_array(test_ctx(), (size_t)(to - from), sizeof *out->row, &out->row));
    for (int64_t r = from; r < to; r++) out->row[out->count++] = r;
}

static void open_base(test_tagged *s, const char *net, int64_t most)
{
    tl_ctx    *ctx = test_ctx();
    tl_texter *like;

    TEST_OK(tl_scratch_text(ctx, s->dataset, net, &s->arch, &s->prep, &like));
    if (most) like->most = most;
    TEST_OK(tl_dataset_learn(ctx, s->dataset, like, s->train, &s->texter));
    tl_texter_drop(ctx, like);
    json_object_set_new(s->arch.config, "vocab_size", json_integer(s->texter->size));
    s->prep = (tl_prep){ .text = s->texter };
    TEST_OK(tl_model_new(ctx, &s->arch, &s->prep, s->dataset->class_name, 3, &s->base));
}

void test_tagged_open(test_tagged *s, int64_t texts, int64_t most, const char *net,
                      const char *route, double epochs)
{
    static char       text[1 << 17];
    tl_ctx           *ctx    = test_fresh();
    tl_candidate     *c      = &s->spec.candidate;
    tl_dataset_source source = { 0 };
    char              path[600];

    *s    = (test_tagged){ .folder = test_folder() };
    *text = 0;
    for (int64_t i = 0; i < texts; i++) write_text(text, sizeof text, i);
    snprintf(path, sizeof path, "%s/words.conll", s->folder);
    TEST_OK(tl_file_write(ctx, path, text, strlen(text)));
    source.train = path;
    TEST_OK(tl_dataset_open(ctx, &source, &s->dataset));
    assert_int_equal(s->dataset->tags->texts, texts);
    take_rows(s->dataset, 0, texts - texts / 4, &s->train);
    take_rows(s->dataset, texts - texts / 4, texts, &s->valid);
    open_base(s, net, most);
    TEST_OK(tl_cache_new(ctx, s->dataset, &s->prep, 0, &s->cache));
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &s->slab));
    s->spec = (tl_run_spec){ .cache = s->cache, .dataset = s->dataset, .train = s->train,
                             .valid = s->valid, .seed = 5, .metric = "entity-f1",
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

void test_tagged_close(test_tagged *s)
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
    *s = (test_tagged){ 0 };
}
