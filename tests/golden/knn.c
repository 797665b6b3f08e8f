/* knn.c -- nearest neighbours as scikit-learn finds them: shares of the votes, of asked rows and
 * of the training rows with each left out; of pictures each has one vote, of vectors of texts they
 * vote by nearness. */
#include "backend/cpu/cpu.h"
#include "bundle/model.h"
#include "core/json.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static json_t *golden;

static int64_t size(const char *key)
{
    return tl_json_int(golden, key, 0);
}

static void fill(float *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
}

static float *value(const tl_model *m, const char *name)
{
    return tl_params_value(m->params, tl_params_find(m->params, name));
}

static tl_model *model_of(int64_t k, bool leave_out)
{
    const int64_t d      = size("side") * size("side"), rows = size("rows");
    json_t       *config = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "model_type", "knn", "num_labels",
        (json_int_t)size("classes"), "neighbours", (json_int_t)k, "rows", (json_int_t)rows,
        "image_size", (json_int_t)size("side"), "num_channels", (json_int_t)1, "leave_out",
        (json_int_t)leave_out);
    tl_prep   prep = { .height = size("side"), .width = size("side"), .channels = 1 };
    tl_arch   arch;
    tl_model *m;

    TEST_OK(tl_arch_from_config(test_ctx(), "golden", config, &arch));
    TEST_OK(tl_model_new(test_ctx(), &arch, &prep, NULL, 0, &m));
    fill(value(m, "neighbours.weight"), json_object_get(golden, "x"));
    fill(value(m, "neighbours.class"), json_object_get(golden, "label"));
    for (int64_t i = 0; i < rows; i++) {
        const float *v   = value(m, "neighbours.weight") + i * d;
        double       sum = 0.0;
        for (int64_t j = 0; j < d; j++) sum += (double)v[j] * (double)v[j];
        value(m, "neighbours.bias")[i] = (float)(-0.5 * sum);
    }
    tl_arch_free(test_ctx(), &arch);
    json_decref(config);
    return m;
}

/* Of vectors of texts: only its head is asked, whatever the network within. */
static tl_model *near_model_of(int64_t k, bool leave_out)
{
    const int64_t d      = size("side") * size("side"), rows = size("rows");
    json_t       *config = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:{s:s, s:I, s:[i], s:{s:I, s:i, s:i, s:i, s:i, s:i}}}",
        "model_type", "text-knn", "num_labels", (json_int_t)size("classes"), "neighbours",
        (json_int_t)k, "rows", (json_int_t)rows, "leave_out", (json_int_t)leave_out, "network",
        "family", "bert", "outputs", (json_int_t)2, "row", 8, "config", "hidden_size",
        (json_int_t)d, "num_attention_heads", 2, "num_hidden_layers", 1, "intermediate_size", 8,
        "vocab_size", 8, "max_position_embeddings", 8);
    tl_prep   prep = { 0 };
    tl_arch   arch;
    tl_model *m;

    TEST_OK(tl_arch_from_config(test_ctx(), "golden", config, &arch));
    TEST_OK(tl_model_new(test_ctx(), &arch, &prep, NULL, 0, &m));
    fill(value(m, "neighbours.weight"), json_object_get(golden, "x"));
    fill(value(m, "neighbours.class"), json_object_get(golden, "label"));
    for (int64_t i = 0; i < rows; i++) {
        float *v   = value(m, "neighbours.weight") + i * d;
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++) sum += (double)v[j] * (double)v[j];
        for (int64_t j = 0; j < d; j++) v[j] = (float)((double)v[j] / sqrt(sum));
    }
    tl_arch_free(test_ctx(), &arch);
    json_decref(config);
    return m;
}

/* Every class begins with 1 / classes of a vote: what is left is scikit-learn's share. */
static void check(int64_t k, bool leave_out, bool near, const json_t *asked, int64_t rows,
                  const json_t *share, const tl_backend *backend)
{
    const int64_t classes = size("classes");
    tl_model     *m = (near ? near_model_of : model_of)(k, leave_out);
    tl_predictor *p;
    float        *x, *y;

    TEST_OK(tl_alloc_array(test_ctx(), json_array_size(asked), sizeof *x, &x));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)(rows * classes), sizeof *y, &y));
    fill(x, asked);
    TEST_OK(tl_predictor_new(test_ctx(), m, near ? TL_PART_HEAD : TL_PART_WHOLE, 7, backend, NULL,
                             TL_F32, &p));
    TEST_OK(tl_predictor_run(test_ctx(), p, x, rows, y));
    for (int64_t i = 0; i < rows * classes; i++) {
        const double votes = exp((double)y[i]) * (double)(k + 1) - 1.0 / (double)classes;
        const double want  = json_number_value(json_array_get(share, (size_t)i));
        assert_true(fabs(votes / (double)k - want) < 1e-5);
    }
    tl_predictor_free(test_ctx(), p);
    tl_free(test_ctx(), x);
    tl_free(test_ctx(), y);
    tl_model_free(test_ctx(), m);
}

static void votes_are_scikit_learns(void **state)
{
    const tl_backend *const backend[] = { &tl_backend_ref, &tl_backend_cpu };
    static const char *const cases[] = { "case", "near" };
    json_t                 *c;
    size_t                  i;

    (void)state;
    TEST_OK(tl_json_read(test_fresh(), TEST_FOLDER "/golden/knn.json", 1 << 20, &golden));
    for (int way = 0; way < 4; way++) {
        const json_t *list = json_object_get(golden, cases[way / 2]);
        assert_true(json_array_size(list) == 4);
        json_array_foreach(list, i, c)
        {
            const int64_t k = tl_json_int(c, "k", 0);
            check(k, false, way / 2, json_object_get(golden, "q"), size("asked"),
                  json_object_get(c, "share"), backend[way % 2]);
            check(k, true, way / 2, json_object_get(golden, "x"), size("rows"),
                  json_object_get(c, "left_out"), backend[way % 2]);
        }
    }
    json_decref(golden);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(votes_are_scikit_learns) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
