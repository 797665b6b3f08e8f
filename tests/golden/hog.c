/* hog.c -- histograms of oriented gradients against tools/golden/hog.py's, to rounding. */
#include "core/json.h"
#include "support/support.h"
#include "tensor/hog.h"

#include <stdlib.h>

static float *floats_of(const json_t *list)
{
    float *x = calloc(json_array_size(list) + 1, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < json_array_size(list); i++)
        x[i] = (float)json_number_value(json_array_get(list, i));
    return x;
}

static void numpys_histograms(void **state)
{
    json_t *golden, *c;
    size_t  i;

    (void)state;
    TEST_OK(tl_json_read(test_fresh(), TEST_FOLDER "/golden/hog.json", 1 << 20, &golden));
    json_array_foreach(json_object_get(golden, "cases"), i, c)
    {
        const json_t *want = json_object_get(c, "hog");
        const tl_hog  h    = { tl_json_int(c, "height", 0), tl_json_int(c, "width", 0),
                               tl_json_int(c, "channels", 0), tl_json_int(c, "cell", 0) };
        float *x = floats_of(json_object_get(c, "picture")), *theirs = floats_of(want);
        float *ours = calloc(json_array_size(want), sizeof *ours);
        assert_int_equal(tl_hog_width(&h), json_array_size(want));
        tl_hog_row(&h, x, ours);
        assert_true(test_error(ours, theirs, tl_hog_width(&h)) < 1e-5);
        free(x);
        free(theirs);
        free(ours);
    }
    assert_int_equal(i, 3);
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numpys_histograms) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
