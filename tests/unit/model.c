/* model.c -- models saved, opened, copied, given another head; what a cut or changed
 * directory says. */
#include "support/support.h"
#include "bundle/model.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *const names[3] = { "cat", "dog", "emu" };

static tl_model *sample(tl_ctx *ctx, const char *arch_text, uint64_t seed)
{
    tl_arch   arch;
    tl_prep   prep;
    tl_model *m;

    TEST_OK(tl_arch_parse(ctx, arch_text, TL_SHAPE(32, 32, 3), 3, &arch));
    TEST_OK(tl_model_default_prep(ctx, &arch, &prep));
    TEST_OK(tl_model_new(ctx, &arch, &prep, names, seed, &m));
    tl_arch_free(ctx, &arch);
    return m;
}

/* Logits of two rows of made-up pixels. */
static void ask(tl_ctx *ctx, const tl_model *m, float y[6])
{
    tl_predictor *p;
    float        *x;

    TEST_OK(tl_alloc_array(ctx, 2 * 32 * 32 * 3, sizeof *x, &x));
    for (int i = 0; i < 2 * 32 * 32 * 3; i++) x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    TEST_OK(
        tl_predictor_new(ctx, m, TL_PART_WHOLE, 1, &tl_backend_ref, NULL, TL_F32, &p));
    TEST_OK(tl_predictor_run(ctx, p, x, 2, y));
    tl_predictor_free(ctx, p);
    tl_free(ctx, x);
}

static char *in(tl_ctx *ctx, const char *folder, const char *name)
{
    char *path;

    TEST_OK(tl_path_join(ctx, folder, name, &path));
    return path;
}

static void remove_from(tl_ctx *ctx, const char *folder, const char *name)
{
    char *path = in(ctx, folder, name);

    assert_int_equal(remove(path), 0);
    tl_free(ctx, path);
}

static void same_params(const tl_params *a, const tl_params *b)
{
    assert_int_equal(a->floats, b->floats);
    assert_memory_equal(a->value, b->value, (size_t)a->floats * sizeof *a->value);
}

static void a_saved_model_opens_as_it_was(void **state)
{
    static const char *const archs[] = { "conv 4 3 relu, pool 2, dense 5 relu",
                                         "resnet20", "mlp:8" };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(archs); i++) {
        char     *top   = test_folder();
        tl_model *m     = sample(ctx, archs[i], 7), *back;
        json_t   *extra = json_pack("{s:{s:f}}", "metrics", "accuracy", 0.5);
        float     y[6], z[6];
        TEST_OK(tl_model_save(ctx, m, extra, top));
        TEST_OK(tl_model_open(ctx, top, NULL, &back));
        same_params(m->params, back->params);
        assert_string_equal(back->class_name[2], "emu");
        assert_int_equal(back->loaded.n_fresh + back->loaded.n_unused, 0);
        assert_memory_equal(&m->prep, &back->prep, sizeof m->prep);
        assert_true(json_equal(back->provenance, extra));
        ask(ctx, m, y);
        ask(ctx, back, z);
        assert_memory_equal(y, z, sizeof y);
        assert_true(y[0] != y[1]);
        json_decref(extra);
        tl_model_free(ctx, m);
        tl_model_free(ctx, back);
        test_folder_end(top);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void config_or_names_alone_will_do(void **state)
{
    tl_ctx   *ctx = test_fresh();
    char     *top = test_folder(), *from, *to;
    tl_model *m   = sample(ctx, "resnet20", 7), *back;

    (void)state;
    TEST_OK(tl_model_save(ctx, m, NULL, top));
    remove_from(ctx, top, "tailor.json");
    TEST_OK(tl_model_open(ctx, top, NULL, &back));
    same_params(m->params, back->params);
    assert_string_equal(back->class_name[1], "dog");
    tl_model_free(ctx, back);

    from = in(ctx, top, "model.safetensors");
    to   = in(ctx, top, "other.safetensors");
    assert_int_equal(rename(from, to), 0);
    TEST_OK(tl_model_open(ctx, to, NULL, &back));      /* bare: by its tensors' names */
    same_params(m->params, back->params);
    assert_null(back->class_name);
    assert_int_equal(back->arch.outputs, 3);
    tl_model_free(ctx, back);
    TEST_OK(tl_model_open(ctx, to, "resnet20", &back));
    tl_model_free(ctx, back);
    assert_int_equal(tl_model_open(ctx, to, "resnet32", &back), TL_EDATA);
    assert_non_null(strstr(ctx->message, "has no tensor for layer1.3.conv1.weight"));
    assert_int_equal(tl_model_open(ctx, to, "resnet_20x", &back), TL_EUSAGE);
    tl_free(ctx, from);
    tl_free(ctx, to);
    tl_model_free(ctx, m);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void changed_weights_are_noticed(void **state)
{
    tl_ctx   *ctx = test_fresh();
    char     *top = test_folder(), *path;
    tl_model *m   = sample(ctx, "mlp:8", 7), *back;
    uint8_t  *data;
    size_t    bytes;

    (void)state;
    TEST_OK(tl_model_save(ctx, m, NULL, top));
    path = in(ctx, top, "model.safetensors");
    TEST_OK(tl_file_read(ctx, path, 1 << 24, &data, &bytes));
    data[bytes - 1] ^= 1;
    TEST_OK(tl_file_write(ctx, path, data, bytes));
    assert_int_equal(tl_model_open(ctx, top, NULL, &back), TL_EDATA);
    assert_non_null(strstr(ctx->message, "not those tailor.json describes"));
    tl_free(ctx, data);
    tl_free(ctx, path);
    tl_model_free(ctx, m);
    test_folder_end(top);
}

/* Saving over an older model, cut off at the n-th write: the old one, the new one, or a
 * plain error; never a mixture. */
static void a_cut_save_is_never_a_mixture(void **state)
{
    tl_ctx   *ctx = test_fresh();
    tl_model *old = sample(ctx, "mlp:8", 1), *new = sample(ctx, "mlp:8", 2), *back;
    bool      done = false;

    (void)state;
    for (int64_t n = 1; !done && n < 100; n++) {
        char *top = test_folder();
        TEST_OK(tl_model_save(ctx, old, NULL, top));
        ctx->world->fault_write = n;
        const tl_status rc = tl_model_save(ctx, new, NULL, top);
        done = ctx->world->fault_write > 0;
        ctx->world->fault_write = 0;
        assert_int_equal(rc == TL_OK, done);
        if (tl_model_open(ctx, top, NULL, &back) == TL_OK) {
            same_params(back->params, memcmp(back->params->value, old->params->value, 64)
                                          ? new->params : old->params);
            tl_model_free(ctx, back);
        } else {
            assert_non_null(strstr(ctx->message, "not those tailor.json describes"));
        }
        test_folder_end(top);
    }
    assert_true(done);
    tl_model_free(ctx, old);
    tl_model_free(ctx, new);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void another_head_keeps_the_body(void **state)
{
    static char *const two[] = { "yes", "no" };
    tl_ctx   *ctx = test_fresh();
    tl_model *m   = sample(ctx, "resnet20", 7), *a, *b, *c;
    int       head = 0;

    (void)state;
    TEST_OK(tl_model_with_head(ctx, m, 2, two, -1.0, 1, &a));
    TEST_OK(tl_model_with_head(ctx, m, 2, two, -1.0, 2, &b));
    TEST_OK(tl_model_copy(ctx, a, &c));
    same_params(a->params, c->params);
    assert_string_equal(c->class_name[1], "no");
    for (int32_t i = 0; i < a->params->count; i++) {
        const tl_param *p     = &a->params->param[i];
        const size_t    bytes = (size_t)p->count * sizeof(float);
        const float    *va    = tl_params_value(a->params, p);
        if (!p->head) {
            assert_memory_equal(
                va, tl_params_value(m->params, tl_params_find(m->params, p->name)),
                bytes);
            continue;
        }
        head++;
        assert_int_equal(p->shape.dim[0], 2);
        assert_true(p->shape.ndim == 1 ||
                    memcmp(va, tl_params_value(b->params, p), bytes) != 0);
    }
    assert_int_equal(head, 2);
    tl_model_free(ctx, a);
    tl_model_free(ctx, b);
    tl_model_free(ctx, c);
    tl_model_free(ctx, m);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The n-th allocation, or the n-th read, fails: that error, and nothing left behind. */
static void opening_fails_cleanly(void **state)
{
    tl_ctx   *ctx = test_fresh();
    char     *top = test_folder();
    tl_model *m   = sample(ctx, "mlp:8", 7), *back;
    size_t    before;

    (void)state;
    TEST_OK(tl_model_save(ctx, m, NULL, top));
    before = ctx->world->now_bytes;
    for (int kind = 0; kind < 2; kind++) {
        _Atomic int64_t *fault =
            kind ? &ctx->world->fault_read : &ctx->world->fault_alloc;
        bool             done  = false;
        for (int64_t n = 1; !done && n < 3000; n++) {
            *fault = n;
            const tl_status rc = tl_model_open(ctx, top, NULL, &back);
            done   = *fault > 0;
            *fault = 0;
            assert_int_equal(rc, done ? TL_OK : kind ? TL_EIO : TL_ENOMEM);
            tl_model_free(ctx, back);
            assert_int_equal(ctx->world->now_bytes, before);
        }
        assert_true(done);
    }
    tl_model_free(ctx, m);
    test_folder_end(top);
}

static void the_shared_bases_say_who_they_are(void **state)
{
    static const struct { const char *path, *arch; int64_t side, outputs; } known[] = {
        { "weights/squeezenet-v1.0", "squeezenet", 227, 1000 },
        { "weights/mobilenet-v2-imagenet", "mobilenet", 224, 1000 },
        { "weights/cifar10-resnet/resnet20-12fca82f.th", "resnet20", 32, 10 },
        { "weights/cifar10-resnet/resnet56-4bfd9763.th", "resnet56", 32, 10 },
    };
    tl_ctx     *ctx = test_fresh();
    const char *path;
    tl_model   *m;

    (void)state;
    if (!test_data("weights")) TEST_SKIP("the shared data is absent");
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        path = test_data(known[i].path);
        TEST_OK(tl_model_open(ctx, path, NULL, &m));
        assert_non_null(strstr(m->arch.name, known[i].arch));
        assert_int_equal(m->arch.row.dim[0], known[i].side);
        assert_int_equal(m->prep.height, known[i].side);
        assert_int_equal(m->arch.outputs, known[i].outputs);
        assert_int_equal(m->loaded.n_fresh + m->loaded.n_unused, 0);
        assert_int_equal(m->class_name != NULL, i == 1);
        assert_int_equal(m->prep.bgr, i == 0);
        tl_model_free(ctx, m);
    }
    assert_int_equal(tl_model_open(ctx, test_data("weights/cifar10-resnet"), NULL, &m),
                     TL_EDATA);
    assert_non_null(strstr(ctx->message, "resnet20-12fca82f.th, resnet56-4bfd9763.th"));
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_model_opens_as_it_was),
        cmocka_unit_test(config_or_names_alone_will_do),
        cmocka_unit_test(changed_weights_are_noticed),
        cmocka_unit_test(a_cut_save_is_never_a_mixture),
        cmocka_unit_test(another_head_keeps_the_body),
        cmocka_unit_test(opening_fails_cleanly),
        cmocka_unit_test(the_shared_bases_say_who_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
