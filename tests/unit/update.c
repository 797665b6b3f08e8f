/* update.c -- a model in use and new data: the head keeps its rows, old and new rows
 * join under its classes, weights are averaged, and an interrupted update goes on to
 * the same verdict. */
#include "support/drawn.h"
#include "support/pictures.h"
#include "support/schema.h"
#include "core/io.h"
#include "core/text.h"
#include "data/strokes.h"
#include "study/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *in(const char *folder, const char *name)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    return path;
}

/* Of every family's way to end: a linear head, a convolution (SqueezeNet's own head). */
static void more_classes_keep_the_rows_of_the_old(const char *words, int64_t side)
{
    static char *const names[] = { "a", "b", "c", "d", "e" };
    tl_ctx            *ctx     = test_fresh();
    tl_arch            arch;
    tl_prep            prep;
    tl_model          *base, *wide;
    bool               grew = false;

    TEST_OK(tl_arch_parse(ctx, words, TL_SHAPE(side, side, 3), 3, &arch));
    arch.source_head = true;
    assert_true(tl_prep_named("unit", &prep));
    prep.height = prep.width = side;
    TEST_OK(tl_model_new(ctx, &arch, &prep, names, 3, &base));
    TEST_OK(tl_model_with_classes(ctx, base, 5, names, -1.0, 4, &wide));
    assert_int_equal(wide->arch.outputs, 5);
    assert_string_equal(wide->class_name[4], "e");
    for (int32_t i = 0; i < base->params->count; i++) {
        const tl_param *p = &base->params->param[i],
                       *q = tl_params_find(wide->params, p->name);
        const float *was  = tl_params_value(base->params, p),
                    *is   = tl_params_value(wide->params, q);
        assert_memory_equal(is, was, (size_t)p->count * sizeof(float));
        if (q->count == p->count) continue;
        grew = true;
        assert_true(p->head);
        assert_int_equal(q->count * 3, p->count * 5);
        for (int64_t k = p->count; p->role == TL_ROLE_WEIGHT && k < q->count; k++)
            assert_true(is[k] != was[k - p->count]); /* drawn, not copied */
    }
    assert_true(grew);
    assert_int_equal(
        tl_model_with_classes(ctx, wide, 4, names, -1.0, 4, &(tl_model *){ 0 }),
        TL_EDATA); /* a head cannot shrink */
    tl_model_free(ctx, base);
    tl_model_free(ctx, wide);
    tl_arch_free(ctx, &arch);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void heads_keep_their_rows(void **state)
{
    (void)state;
    more_classes_keep_the_rows_of_the_old("conv 4 3 relu, dense 6 relu", 8);
    more_classes_keep_the_rows_of_the_old("squeezenet1_1", 64);
    more_classes_keep_the_rows_of_the_old("resnet20", 16);
}

/* The classes of a model come first, whether a row has them or not; rows know where
 * they are from, and each side hashes as it does alone. */
static void old_and_new_join_under_the_models_classes(void **state)
{
    static char *const own[] = { "class1", "gone", "class0" };
    tl_ctx            *ctx   = test_fresh();
    char              *top = test_folder(), *a = in(top, "a"), *b = in(top, "b");
    tl_dataset        *both, *alone;
    tl_rows            side = { 0 };
    char               hex[2][65];

    (void)state;
    test_class_folders(a, 3, 4, 8); /* class0, class1, class2 */
    test_class_folders(b, 2, 6, 8);
    TEST_OK(tl_dataset_open(
        ctx,
        &(tl_dataset_source){ .train = a, .old = b, .class_name = own, .classes = 3 },
        &both));
    static const char *const names[] = { "class1", "gone", "class0", "class2" };
    assert_int_equal(both->classes, 4);
    for (int c = 0; c < 4; c++) assert_string_equal(both->class_name[c], names[c]);
    assert_int_equal(both->rows, 24);
    for (int old = 0; old < 2; old++) {
        TEST_OK(tl_alloc_array(ctx, 24, sizeof *side.row, &side.row));
        side.count = 0;
        for (int64_t i = 0; i < both->rows; i++)
            if (both->old[i] == old) side.row[side.count++] = i;
        assert_int_equal(side.count, 12);
        TEST_OK(
            tl_dataset_open(ctx, &(tl_dataset_source){ .train = old ? b : a }, &alone));
        TEST_OK(tl_dataset_hash_rows(ctx, both, side, hex[0]));
        TEST_OK(tl_dataset_hash(ctx, alone, hex[1]));
        assert_string_equal(hex[0], hex[1]);
        for (int64_t i = 0; i < 12; i++)
            assert_string_equal(both->class_name[both->label[side.row[i]]],
                                alone->class_name[alone->label[i]]);
        tl_dataset_close(ctx, alone);
        tl_free(ctx, side.row);
    }
    tl_dataset_close(ctx, both);
    tl_free(ctx, a);
    tl_free(ctx, b);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* None of what was learnt is the base, all of it is `full`, half of it the mean of
 * both. */
static void averages_lie_between(void **state)
{
    static const double share[] = { 0.0, 1.0, 0.5 };
    test_drawn          p;
    tl_run_result       base, full, mean;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 120, 3, 8, 1, "conv 4 3, norm batch, relu, pool 2", "scratch");
    tl_candidate *c      = &p.spec.candidate;
    c->hyper.least_steps = 30, c->hyper.epochs = 4.0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &base));
    c->base      = base.model;
    c->keep_head = true;
    c->route     = tl_update_find("full");
    c->route->defaults(&c->hyper, &c->arch, p.train.count);
    c->hyper.least_steps = 0, c->hyper.epochs = 3.0;
    p.spec.seed++;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &full));
    c->route = tl_update_find("average");
    for (int k = 0; k < 3; k++) {
        c->hyper.average = share[k];
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &mean));
        const tl_params *w     = mean.model->params;
        bool             moved = false;
        for (int64_t i = 0; i < w->floats; i++) {
            const double was = (double)base.model->params->value[i],
                         is  = (double)full.model->params->value[i];
            moved            = moved || was != is;
            /* asked for nothing of an average, the route is `full` */
            const double wish = k == 2 ? 0.5 * was + 0.5 * is : is;
            assert_true(w->value[i] == (float)wish);
        }
        assert_true(moved);
        tl_run_result_free(test_ctx(), &mean);
    }
    tl_run_result_free(test_ctx(), &base);
    tl_run_result_free(test_ctx(), &full);
    test_drawn_close(&p);
}

typedef struct {
    int64_t lines, stop_at;
} listener;

static void on_progress(void *user, const tl_progress *p)
{
    listener *l = user;

    (void)p;
    if (++l->lines == l->stop_at) test_ctx()->world->cancel = 1;
}

static tl_question question(const char *model, const char *data, const char *old,
                            const char *out, listener *l)
{
    static const char *const routes[]   = { "full", "replay", "shrink", NULL };
    static const char *const settings[] = { "epochs=3", "least_steps=10", "batch=32",
                                            "optim.lr=0.002", NULL };
    return (tl_question){
        .data      = { .train = data, .old = old, .limit_bytes = (size_t)256 << 20 },
        .model     = model,
        .routes    = routes,
        .budget_s  = 600.0,
        .margin    = NAN,
        .forget    = NAN,
        .seed      = 7,
        .seeds     = 3,
        .precision = "f32",
        .overrides = settings,
        .out       = out,
        .progress  = on_progress,
        .user      = l
    };
}

/* A model of the digits 0 to 9 on strokes; best/ of it. */
static void make_model(const char *data, const char *out)
{
    static const char *const routes[]   = { "scratch", NULL };
    static const char *const settings[] = { "epochs=6", "least_steps=60", "batch=32",
                                            NULL };
    listener                 l          = { 0 };
    tl_question              q          = question(NULL, data, NULL, out, &l);
    json_t                  *verdict;

    q.base_arch = "dense 24 relu";
    q.routes    = routes;
    q.overrides = settings;
    q.seeds     = 1;
    TEST_OK(tl_compare(test_ctx(), &q, &verdict));
    json_decref(verdict);
}

static char *comparable(const json_t *verdict)
{
    json_t *copy = json_deep_copy(verdict), *c;
    size_t  i;

    json_object_del(copy, "budget");
    json_array_foreach(json_object_get(copy, "candidates"), i, c)
    {
        json_object_del(c, "cost");
        json_object_del(c, "forecast");
        json_object_del(json_object_get(c, "inference"), "ms_per_row");
    }
    char *text = json_dumps(copy, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(copy);
    return text;
}

static void holds_to_its_schema(const json_t *verdict)
{
    json_t *schema;
    char    why[400];

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/update.schema.json",
                         1 << 20, &schema));
    if (!test_schema(schema, verdict, why, sizeof why)) fail_msg("verdict.json%s", why);
    json_t *bad = json_deep_copy(verdict); /* the check itself can fail */
    json_object_set_new(bad, "decision", json_string("baseline"));
    assert_false(test_schema(schema, bad, why, sizeof why));
    json_decref(bad);
    json_decref(schema);
}

static void check_candidates(const json_t *verdict)
{
    json_t *c;
    size_t  i;

    assert_int_equal(json_array_size(json_object_get(verdict, "candidates")), 4);
    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
    {
        const bool kept = strcmp(tl_json_text(c, "route", ""), "keep") == 0;
        assert_int_equal(kept, i == 0);
        assert_true(tl_json_number(json_object_get(c, "test"), "mean", -1.0) >= 0.0);
        assert_true(tl_json_number(json_object_get(c, "old"), "mean", -1.0) >= 0.0);
        assert_int_equal(kept, json_is_null(json_object_get(c, "gain")));
        if (kept) continue;
        const double kept_test = tl_json_number(
            json_object_get(json_array_get(json_object_get(verdict, "candidates"), 0),
                            "test"),
            "mean", NAN);
        const double mine = tl_json_number(json_object_get(c, "test"), "mean", NAN);
        if (tl_json_int(c, "seeds", 0) == 3) /* as many as the model as it is */
            assert_true(fabs(tl_json_number(json_object_get(c, "gain"), "mean", NAN) -
                             (mine - kept_test)) < 1e-9);
    }
}

static void an_interrupted_update_goes_on_to_the_same_verdict(void **state)
{
    tl_ctx   *ctx = test_fresh();
    char     *top = test_folder(), *old = in(top, "old"), *new = in(top, "new");
    char     *made = in(top, "made"), *best = in(made, "best");
    char     *straight = in(top, "straight"), *broken = in(top, "broken");
    listener  l = { 0 }, stopping = { .stop_at = 5 };
    json_t   *one, *two           = NULL;
    tl_status rc    = TL_ECANCEL;
    int       stops = 0;

    (void)state;
    ctx->world->threads = 1;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 4, 200, 100, old));
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 150, 60, new));
    make_model(old, made);
    tl_question q = question(best, new, old, straight, &l),
                r = question(best, new, old, broken, &stopping);
    TEST_OK(tl_compare(ctx, &q, &one));
    holds_to_its_schema(one);
    check_candidates(one);
    assert_false(tl_json_bool(json_object_get(one, "old"), "unsure", true));
    assert_int_equal(tl_json_int(json_object_get(one, "old"), "test", 0), 100);
    while (rc == TL_ECANCEL && stops < 100) {
        ctx->world->cancel = 0;
        stopping.lines     = 0;
        stopping.stop_at += 3;
        rc = tl_compare(ctx, &r, &two);
        stops += rc == TL_ECANCEL;
    }
    ctx->world->cancel = 0;
    if (rc != TL_OK) fail_msg("%s", ctx->message);
    assert_true(stops >= 2);
    char *a = comparable(one), *b = comparable(two);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(one);
    json_decref(two);
    tl_free(ctx, old);
    tl_free(ctx, new);
    tl_free(ctx, made);
    tl_free(ctx, best);
    tl_free(ctx, straight);
    tl_free(ctx, broken);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_keep_their_rows),
        cmocka_unit_test(old_and_new_join_under_the_models_classes),
        cmocka_unit_test(averages_lie_between),
        cmocka_unit_test(an_interrupted_update_goes_on_to_the_same_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
