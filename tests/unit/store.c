/* store.c -- the run store and its event files. */
#include "core/io.h"
#include "support/support.h"
#include "train/events.h"
#include "train/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void crc32c_known_values(void **state)
{
    uint8_t zero[32] = { 0 };

    (void)state; /* RFC 3720, appendix B.4 */
    assert_int_equal(tl_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(tl_crc32c(zero, 32), 0x8a9136aau);
}

static tl_curve_point point_at(int64_t step)
{
    return (tl_curve_point){ .epoch        = step / 10,
                             .step         = step,
                             .train_loss   = 1.0 / (double)step,
                             .train_metric = NAN,
                             .valid_loss   = 2.0,
                             .valid_metric = 0.5,
                             .lr           = 0.1,
                             .seconds      = (double)step };
}

static char *event_file(const char *folder)
{
    static char path[1024];
    char        events[512];
    tl_names    runs, files;

    snprintf(events, sizeof events, "%s/events", folder);
    TEST_OK(tl_folder_list(test_ctx(), events, &runs));
    assert_int_equal(runs.count, 1);
    snprintf(path, sizeof path, "%s/%s", events, runs.name[0]);
    TEST_OK(tl_folder_list(test_ctx(), path, &files));
    assert_int_equal(files.count, 1);
    snprintf(path, sizeof path, "%s/%s/%s", events, runs.name[0], files.name[0]);
    tl_names_free(test_ctx(), &runs);
    tl_names_free(test_ctx(), &files);
    return path;
}

static void keeps_runs_and_points(void **state)
{
    char           *folder = test_folder();
    tl_store       *s;
    int64_t         id, again, count;
    bool            done;
    json_t         *result, *settings = json_pack("{s:f}", "lr", 0.1);
    tl_curve_point *points;

    (void)state;
    test_fresh();
    TEST_OK(tl_store_open(test_ctx(), folder, &s));
    TEST_OK(tl_store_run(test_ctx(), s, "full of a/b", 3, "all", settings, &id, &done,
                         &result));
    assert_false(done);
    assert_null(result);
    for (int64_t step = 10; step <= 50; step += 10)
        TEST_OK(tl_store_point(test_ctx(), s, id,
                               &(tl_curve_point){ .epoch      = point_at(step).epoch,
                                                  .step       = step,
                                                  .train_loss = point_at(step).train_loss,
                                                  .train_metric = NAN }));
    const int64_t whole = tl_file_bytes(event_file(folder));
    TEST_OK(tl_store_cut(test_ctx(), s, id, 30));
    assert_true(tl_file_bytes(event_file(folder)) < whole);
    tl_store_close(test_ctx(), s);

    TEST_OK(tl_store_open(test_ctx(), folder, &s));
    TEST_OK(tl_store_run(test_ctx(), s, "full of a/b", 3, "all", settings, &again, &done,
                         &result));
    assert_int_equal(again, id);
    TEST_OK(tl_store_points(test_ctx(), s, id, &points, &count));
    assert_int_equal(count, 3);
    assert_true(points[2].step == 30 && isnan(points[0].train_metric) != 0);
    tl_free(test_ctx(), points);
    for (int64_t step = 40; step <= 50; step += 10)
        TEST_OK(tl_store_point(test_ctx(), s, id,
                               &(tl_curve_point){ .epoch      = point_at(step).epoch,
                                                  .step       = step,
                                                  .train_loss = point_at(step).train_loss,
                                                  .train_metric = NAN }));
    assert_int_equal(tl_file_bytes(event_file(folder)), whole);
    TEST_OK(tl_store_end(test_ctx(), s, id, "done", settings));
    TEST_OK(tl_store_run(test_ctx(), s, "full of a/b", 3, "all", settings, &again, &done,
                         &result));
    assert_true(done && json_equal(result, settings));
    json_decref(result);
    json_decref(settings);
    tl_store_close(test_ctx(), s);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    test_folder_end(folder);
}

static void keeps_settings_and_blobs(void **state)
{
    static const float logits[] = { 1.5f, -2.0f, 0.25f };
    char     *folder = test_folder();
    tl_store *s;
    json_t   *value = json_pack("{s:[i,i]}", "plan", 1, 2), *got, *list;
    int64_t   id;
    bool      done;
    void     *data;
    size_t    bytes;

    (void)state;
    test_fresh();
    TEST_OK(tl_store_open(test_ctx(), folder, &s));
    TEST_OK(tl_store_get(test_ctx(), s, "plan", &got));
    assert_null(got);
    TEST_OK(tl_store_set(test_ctx(), s, "plan", value));
    TEST_OK(tl_store_get(test_ctx(), s, "plan", &got));
    assert_true(json_equal(got, value) != 0);
    json_decref(got);
    TEST_OK(tl_store_run(test_ctx(), s, "probe", UINT64_MAX, "n=500", NULL, &id, &done,
                         &got));
    TEST_OK(tl_store_put_blob(test_ctx(), s, id, "test", logits, sizeof logits));
    TEST_OK(tl_store_get_blob(test_ctx(), s, id, "valid", &data, &bytes));
    assert_null(data);
    TEST_OK(tl_store_get_blob(test_ctx(), s, id, "test", &data, &bytes));
    assert_int_equal(bytes, sizeof logits);
    assert_memory_equal(data, logits, sizeof logits);
    tl_free(test_ctx(), data);
    TEST_OK(tl_store_list(test_ctx(), s, &list));
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(tl_json_text(json_array_get(list, 0), "status", ""), "running");
    json_decref(list);
    json_decref(value);
    tl_store_close(test_ctx(), s);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    test_folder_end(folder);
}

static void a_broken_file_is_said(void **state)
{
    char     *folder = test_folder(), path[512];
    tl_store *s;

    (void)state;
    snprintf(path, sizeof path, "%s/runs.db", folder);
    TEST_OK(tl_file_write(test_fresh(), path,
                          "this is no database, whatever its name says...", 46));
    assert_int_equal(tl_store_open(test_ctx(), folder, &s), TL_EDATA);
    assert_null(s);
    assert_non_null(strstr(test_ctx()->message, "runs.db"));
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_known_values),
        cmocka_unit_test(keeps_runs_and_points),
        cmocka_unit_test(keeps_settings_and_blobs),
        cmocka_unit_test(a_broken_file_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
