/* The public library: errors, data from arrays, scores against numbers worked out by hand, fit,
 * evaluate and predict in one process, interruption. */
#include "support/support.h"

#include "api/handles.h"
#include "core/io.h"
#include "support/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void errors_have_one_line(void **state)
{
    tailor      *t = tailor_new();
    tailor_data *d = NULL;

    (void)state;
    assert_non_null(t);
    assert_string_equal(tailor_error(t), "");
    assert_int_equal(tailor_set_precision(t, "f64"), TAILOR_USAGE);
    assert_string_equal(tailor_error(t), "precision: \"f64\" is not known (auto, f32 or bf16)");
    assert_int_equal(tailor_set_precision(t, "f32"), TAILOR_OK);
    assert_string_equal(tailor_error(t), "");
    assert_int_equal(tailor_set_threads(t, -1), TAILOR_USAGE);
    assert_int_equal(tailor_data_open(t, "./no-such-data", NULL, &d), TAILOR_BAD_DATA);
    assert_null(d);
    assert_non_null(strstr(tailor_error(t), "no-such-data"));
    assert_null(strchr(tailor_error(t), '\n'));
    tailor_free(t);
}

static void lists_have_names_and_words(void **state)
{
    static const char *const kinds[] = { "route", "action", "action-with-base", "optimizer",
                                         "schedule", "family" };
    const char              *doc;

    (void)state;
    for (size_t k = 0; k < TL_COUNT(kinds); k++) {
        size_t n = 0;
        while (tailor_known(kinds[k], n, &doc)) {
            assert_true(doc && *doc);
            n++;
        }
        assert_true(n >= 3);
    }
    assert_null(tailor_known("colour", 0, &doc));
}

static void holds(const char *name, const char *text)
{
    char    path[512], why[512] = "";
    json_t *schema, *value;

    snprintf(path, sizeof path, "%s/../schemas/%s.schema.json", TEST_FOLDER, name);
    TEST_OK(tl_json_read(test_ctx(), path, (size_t)1 << 20, &schema));
    TEST_OK(tl_json_parse(test_ctx(), name, text, strlen(text), &value));
    if (!test_schema(schema, value, why, sizeof why)) fail_msg("%s: %s", name, why);
    json_decref(schema);
    json_decref(value);
}

static void doctor_holds_its_schema(void **state)
{
    tailor *t    = tailor_new();
    char   *json = NULL;

    (void)state;
    assert_int_equal(tailor_doctor(t, &json), TAILOR_OK);
    holds("doctor", json);
    tailor_text_free(t, json);
    tailor_free(t);
}

/* Each line of a prediction; the second picture is none. */
static int on_line(void *user, const char *json)
{
    holds("predict", json);
    ++*(int *)user;
    return 0;
}

static void predict_lines(tailor *t, const tailor_model *m)
{
    char       *folder  = test_folder(), good[600], bad[600];
    uint8_t     cells[28 * 28] = { 0 }, *png = NULL;
    tl_image    image = { 28, 28, 1, cells };
    size_t      bytes;
    int         lines = 0;

    snprintf(good, sizeof good, "%s/good.png", folder);
    snprintf(bad, sizeof bad, "%s/bad.png", folder);
    TEST_OK(tl_image_write_png(test_ctx(), &image, &png, &bytes));
    TEST_OK(tl_file_write(test_ctx(), good, png, bytes));
    TEST_OK(tl_file_write(test_ctx(), bad, png, bytes / 2));
    tl_free(test_ctx(), png);
    assert_int_equal(tailor_predict(t, m, (const char *const[]){ good, bad, good }, 3,
                                    on_line, &lines),
                     TAILOR_BAD_DATA);
    assert_int_equal(lines, 3);
    test_folder_end(folder);
}

/* Four pictures of 2 x 1, classes 0 1 2 1. */
static const uint8_t pixels[8] = { 0, 10, 20, 30, 40, 50, 60, 70 };
static const int32_t labels[4] = { 0, 1, 2, 1 };

static void arrays_become_data(void **state)
{
    tailor      *t = tailor_new();
    tailor_data *d = NULL;
    tl_image     image;

    (void)state;
    assert_int_equal(tailor_data_from_arrays(t, pixels, labels, 4, 2, 1, 1, 3, &d), TAILOR_OK);
    assert_int_equal(tailor_data_rows(d), 4);
    assert_int_equal(tailor_data_classes(d), 3);
    assert_string_equal(tailor_data_class_name(d, 2), "2");
    assert_null(tailor_data_class_name(d, 3));
    assert_int_equal(d->set->read(&t->ctx, d->set, 1, 3, &image), TL_OK);
    assert_memory_equal(image.data, ((const uint8_t[]){ 20, 20, 20, 30, 30, 30 }), 6);
    tl_image_free(&t->ctx, &image);
    tailor_data_free(t, d);
    assert_int_equal(tailor_data_from_arrays(t, pixels, labels, 4, 2, 1, 1, 2, &d),
                     TAILOR_BAD_DATA);
    assert_null(d);
    assert_int_equal(tailor_data_from_arrays(t, pixels, labels, 4, 2, 1, 2, 3, &d),
                     TAILOR_USAGE);
    assert_int_equal(t->world.now_bytes, 0);
    tailor_free(t);
}

static void every_failing_allocation_of_arrays(void **state)
{
    tailor       *t = tailor_new();
    tailor_data  *d = NULL;
    tailor_status status;
    int64_t       n = 0;

    (void)state;
    do {
        t->world.fault_alloc = ++n;
        status               = tailor_data_from_arrays(t, pixels, labels, 4, 2, 1, 1, 3, &d);
        if (status != TAILOR_OK) {
            assert_int_equal(status, TAILOR_LIMIT);
            assert_null(d);
            assert_int_equal(t->world.now_bytes, 0);
        }
    } while (status != TAILOR_OK);
    assert_true(n > 5);
    t->world.fault_alloc = 0;
    tailor_data_free(t, d);
    tailor_free(t);
}

/* 8 of 10 right.  Wilson's interval by hand: (0.4902, 0.9433).  F1: class 0: 2*4/(5+4) = 8/9,
 * class 1: 2*3/(3+4) = 6/7, class 2: 2*1/(2+2) = 1/2. */
static void scores_are_those_worked_out_by_hand(void **state)
{
    int32_t        label[10]     = { 0, 0, 0, 0, 0, 1, 1, 1, 2, 2 };
    int32_t        predicted[10] = { 0, 0, 0, 0, 2, 1, 1, 1, 1, 2 };
    double         loss[10]      = { 1, 1, 1, 1, 1, 2, 2, 2, 2, 2 };
    const tl_answers a = { .rows = 10, .classes = 3, .label = label, .predicted = predicted,
                           .loss = loss };
    tailor_metrics m;

    (void)state;
    TEST_OK(tl_api_measure(test_fresh(), &a, &m));
    assert_int_equal(m.rows, 10);
    assert_true(fabs(m.accuracy - 0.8) < 1e-12);
    assert_true(fabs(m.accuracy_low - 0.4902) < 1e-4);
    assert_true(fabs(m.accuracy_high - 0.9433) < 1e-4);
    assert_true(fabs(m.macro_f1 - (8.0 / 9.0 + 6.0 / 7.0 + 0.5) / 3.0) < 1e-12);
    assert_true(m.macro_f1_low < m.macro_f1 && m.macro_f1 < m.macro_f1_high);
    assert_true(fabs(m.loss - 1.5) < 1e-12);
    /* All ten right: it may be luck still; Wilson's lower bound by hand: 10 / (10 + 1.96^2). */
    memcpy(predicted, label, sizeof label);
    TEST_OK(tl_api_measure(test_fresh(), &a, &m));
    assert_true(m.macro_f1 == 1.0 && m.macro_f1_high == 1.0);
    assert_true(fabs(m.macro_f1_low - 0.7225) < 1e-4);
}

static int stop_at_once(void *user, const tailor_progress *p)
{
    (void)p;
    ++*(int *)user;
    return 1;
}

static tailor_model *new_model(tailor *t, const tailor_data *d)
{
    tailor_model *m = NULL;

    assert_int_equal(tailor_model_new(t, "dense 16 relu", d, 1, &m), TAILOR_OK);
    return m;
}

static void fits_evaluates_and_interrupts(void **state)
{
    tailor                  *t       = tailor_new();
    tailor_data             *d       = NULL;
    tailor_model            *m;
    char                    *json    = NULL;
    int                      reports = 0;
    tailor_metrics           fitted, all;
    const tailor_fit_options options = { .optimizer = "adam", .lr = 0.005, .epochs = 6,
        .seed = 3,
                                         .batch_size = 16 };

    (void)state;
    assert_int_equal(tailor_data_demo(t, 1200, 1, &d), TAILOR_OK);
    m = new_model(t, d);
    assert_int_equal(tailor_model_parameters(m), 784 * 16 + 16 + 16 * 10 + 10);
    if (tailor_fit(t, m, d, &options, &json) != TAILOR_OK) fail_msg("%s", tailor_error(t));
    holds("train", json);
    assert_non_null(strstr(json, "\"test\""));
    tailor_text_free(t, json);
    assert_int_equal(tailor_evaluate(t, m, d, "test", &fitted, NULL), TAILOR_OK);
    assert_int_equal(tailor_evaluate(t, m, d, NULL, &all, &json), TAILOR_OK);
    assert_int_equal(all.rows, 1200);
    assert_true(fitted.rows < 1200 && fitted.accuracy > 0.3);
    holds("evaluate", json);
    predict_lines(t, m);
    tailor_text_free(t, json);
    assert_int_equal(tailor_evaluate(t, m, d, "some", &all, NULL), TAILOR_USAGE);
    tailor_on_progress(t, stop_at_once, &reports);
    assert_int_equal(tailor_fit(t, m, d, &options, NULL), TAILOR_INTERRUPTED);
    assert_true(reports >= 1);
    tailor_model_free(t, m);
    tailor_data_free(t, d);
    assert_int_equal(t->world.now_bytes, 0);
    tailor_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_one_line),
        cmocka_unit_test(doctor_holds_its_schema),
        cmocka_unit_test(lists_have_names_and_words),
        cmocka_unit_test(arrays_become_data),
        cmocka_unit_test(every_failing_allocation_of_arrays),
        cmocka_unit_test(scores_are_those_worked_out_by_hand),
        cmocka_unit_test(fits_evaluates_and_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
