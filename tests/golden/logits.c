/* logits.c -- whole networks against the numbers of their own frameworks: ResNet-20 from
 * its .th against PyTorch (resnet20_logits.json, made by
 * tools/golden/resnet20_logits.py), and the ImageNet bases by how many of 50 photographs
 * they name. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "bundle/model.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 3073, SIDE = 32, PLANE = SIDE * SIDE, CLASSES = 10 };

/* Under valgrind, which takes hours for all of them, a few pictures go the same way. */
static int64_t asked_of(int64_t pictures)
{
    return getenv("TAILOR_VALGRIND") ? TL_MIN(pictures, (int64_t)8) : pictures;
}

/* The records of one CIFAR file, as the network wants them. */
static int64_t read_cifar(tl_ctx *ctx, const char *name, int64_t most,
                          const tl_prep *prep, float **x)
{
    char        part[128];
    const char *path;
    tl_input   *in;
    uint8_t     record[RECORD], pixels[3 * PLANE];
    int64_t     n = 0;
    size_t      got;

    snprintf(part, sizeof part, "images/cifar10-lossless/%s", name);
    if (!(path = test_data(part))) return 0;
    TEST_OK(tl_input_open(ctx, path, &in));
    TEST_OK(tl_alloc_array(ctx, (size_t)most * 3 * PLANE, sizeof(float), x));
    for (; n < most; n++) {
        const tl_image image = { SIDE, SIDE, 3, pixels };
        TEST_OK(tl_read_some(ctx, in, record, sizeof record, &got));
        if (got == 0) break;
        assert_int_equal(got, sizeof record);
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < PLANE; i++) pixels[3 * i + c] = record[1 + c * PLANE + i];
        TEST_OK(tl_prep_apply(ctx, prep, &image, *x + n * 3 * PLANE));
    }
    tl_input_close(ctx, in);
    return n;
}

static tl_predictor *ask(tl_ctx *ctx, const tl_model *m, int64_t rows,
                         const tl_backend *backend)
{
    tl_predictor *p;

    TEST_OK(tl_predictor_new(ctx, m, TL_PART_WHOLE, rows, backend, NULL, TL_F32, &p));
    assert_int_equal(tl_predictor_width(p), m->arch.outputs);
    return p;
}

static int64_t best_of(const float *y, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (y[i] > y[best]) best = i;
    return best;
}

static void resnet20_gives_pytorchs_logits(void **state)
{
    static const struct { const tl_backend *backend; int64_t rows; } backends[] = {
        { &tl_backend_ref, 4 }, { &tl_backend_cpu, 100 },
    };
    tl_ctx        *ctx  = test_fresh();
    const char    *path = test_data("weights/cifar10-resnet/resnet20-12fca82f.th");
    tl_model      *m;
    json_t        *golden;
    const json_t  *rows;
    float         *x, *y, want[100 * CLASSES];

    (void)state;
    if (!path) TEST_SKIP("the shared data is absent");
    TEST_OK(
        tl_json_read(ctx, TEST_FOLDER "/golden/resnet20_logits.json", 1 << 20, &golden));
    rows = json_object_get(golden, "logits");
    for (size_t i = 0; i < 100 * CLASSES; i++)
        want[i] = (float)json_real_value(json_array_get(json_array_get(rows, i / CLASSES),
                                                        i % CLASSES));
    TEST_OK(tl_model_open(ctx, path, NULL, &m));
    assert_string_equal(m->arch.name, "resnet20");
    assert_int_equal(m->loaded.n_fresh, 0);
    assert_int_equal(m->loaded.n_unused, 0);
    assert_int_equal(read_cifar(ctx, "test_1000.bin.gz", 100, &m->prep, &x), 100);
    TEST_OK(tl_alloc(ctx, sizeof want, &y));
    for (size_t b = 0; b < TL_COUNT(backends); b++) {
        const int64_t n = backends[b].rows;
        tl_predictor *p = ask(ctx, m, n, backends[b].backend);
        TEST_OK(tl_predictor_run(ctx, p, x, n, y));
        if (test_error(y, want, n * CLASSES) > 1e-4)
            fail_msg("%s: logits are off by %g", backends[b].backend->name,
                     test_error(y, want, n * CLASSES));
        tl_predictor_free(ctx, p);
    }
    tl_free(ctx, x);
    tl_free(ctx, y);
    json_decref(golden);
    tl_model_free(ctx, m);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void resnet20_names_every_picture_as_pytorch_does(void **state)
{
    static const char *const files[] = { "test_1000.bin.gz", "train_2000.bin.gz" };
    tl_ctx       *ctx  = test_fresh();
    const char   *path = test_data("weights/cifar10-resnet/resnet20-12fca82f.th");
    tl_model     *m;
    tl_predictor *p;
    json_t       *golden;

    (void)state;
    if (!path) TEST_SKIP("the shared data is absent");
    TEST_OK(
        tl_json_read(ctx, TEST_FOLDER "/golden/resnet20_logits.json", 1 << 20, &golden));
    TEST_OK(tl_model_open(ctx, path, NULL, &m));
    p = ask(ctx, m, 64, &tl_backend_cpu);
    for (size_t f = 0; f < TL_COUNT(files); f++) {
        const char *said =
            tl_json_text(json_object_get(golden, files[f]), "predicted", "");
        float      *x, *y;
        const int64_t all = (int64_t)strlen(said), n = asked_of(all);
        assert_int_equal(read_cifar(ctx, files[f], all + 1, &m->prep, &x), all);
        TEST_OK(tl_alloc_array(ctx, (size_t)n * CLASSES, sizeof *y, &y));
        TEST_OK(tl_predictor_run(ctx, p, x, n, y));
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(best_of(y + i * CLASSES, CLASSES), said[i] - '0');
        tl_free(ctx, x);
        tl_free(ctx, y);
    }
    tl_predictor_free(ctx, p);
    tl_model_free(ctx, m);
    json_decref(golden);
}

enum { PHOTOGRAPHS = 50 };

/* How many of the 50 photographs the model names; -1 where the data is absent. */
static int count_named(tl_ctx *ctx, const char *weights)
{
    char          folder[512], path[768];
    const char   *data = test_data("images/imagenet-sample50");
    uint8_t      *table;
    size_t        bytes;
    tl_model     *m;
    tl_predictor *p;
    float        *x, *y;
    int64_t       asked = 0;
    int           right = 0;

    if (!data) return -1;
    snprintf(folder, sizeof folder, "%s", data);
    if (!(data = test_data(weights))) return -1;
    TEST_OK(tl_model_open(ctx, data, NULL, &m));
    assert_int_equal(m->arch.outputs, 1000);
    p = ask(ctx, m, 1, &tl_backend_cpu);
    TEST_OK(tl_alloc_array(ctx, (size_t)tl_shape_count(&m->arch.row), sizeof *x, &x));
    TEST_OK(tl_alloc_array(ctx, 1000, sizeof *y, &y));
    snprintf(path, sizeof path, "%s/labels.tsv", folder);
    TEST_OK(tl_file_read(ctx, path, 1 << 20, &table, &bytes));
    for (char *save, *line = strtok_r((char *)table, "\n", &save);
         line && asked < asked_of(PHOTOGRAPHS); line = strtok_r(NULL, "\n", &save)) {
        char    *tab = strchr(line, '\t');
        tl_image image;
        assert_non_null(tab);
        *tab = 0;
        if (!tl_ends_with(line, ".JPEG")) continue;
        asked++;
        snprintf(path, sizeof path, "%s/%s", folder, line);
        TEST_OK(tl_image_open(ctx, path, 3, &image));
        TEST_OK(tl_prep_apply(ctx, &m->prep, &image, x));
        TEST_OK(tl_predictor_run(ctx, p, x, 1, y));
        right += best_of(y, 1000) == strtol(tab + 1, NULL, 10);
        tl_image_free(ctx, &image);
    }
    tl_free(ctx, table);
    tl_free(ctx, x);
    tl_free(ctx, y);
    tl_predictor_free(ctx, p);
    tl_model_free(ctx, m);
    return right;
}

/* `of_50` as in its own framework, give or take one; of a few, some. */
static void names(const char *weights, int of_50)
{
    const int right = count_named(test_fresh(), weights);

    if (right < 0) TEST_SKIP("the shared data is absent");
    if (asked_of(PHOTOGRAPHS) == PHOTOGRAPHS) assert_in_range(right, of_50 - 1, of_50 + 1);
    else assert_true(right > 0);
}

static void squeezenet_names_32_of_50(void **state)
{
    (void)state;
    names("weights/squeezenet-v1.0", 32);
}

static void mobilenet_v2_names_42_of_50(void **state)
{
    (void)state;
    names("weights/mobilenet-v2-imagenet", 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet20_gives_pytorchs_logits),
        cmocka_unit_test(resnet20_names_every_picture_as_pytorch_does),
        cmocka_unit_test(squeezenet_names_32_of_50),
        cmocka_unit_test(mobilenet_v2_names_42_of_50),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
