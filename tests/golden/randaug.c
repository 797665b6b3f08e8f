/* randaug.c -- RandAugment's operations pixel by pixel against torchvision's, CutMix's boxes, and
 * what a mixed batch is made of (tests/golden/randaug.json, made by tools/golden/randaug.py). */
#include "core/json.h"
#include "data/mix.h"
#include "data/prep.h"
#include "data/randaug.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1024 };

static json_t *golden(void)
{
    json_t *value = NULL;

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/golden/randaug.json", 1 << 20, &value));
    return value;
}

static int64_t bytes_of(const char *hex, uint8_t *out)
{
    int64_t n = 0;

    for (; hex[0] && hex[1]; hex += 2) {
        const char pair[3] = { hex[0], hex[1], 0 };
        assert_true(n < MOST);
        out[n++] = (uint8_t)strtol(pair, NULL, 16);
    }
    return n;
}

static tl_image picture_of(const json_t *file, int64_t i, uint8_t *data)
{
    const json_t *p = json_array_get(json_object_get(file, "picture"), (size_t)i);

    bytes_of(tl_json_text(p, "data", ""), data);
    return (tl_image){ tl_json_int(p, "height", 0), tl_json_int(p, "width", 0),
                       tl_json_int(p, "channels", 0), data };
}

static tl_rand_op op_named(const char *name)
{
    for (int op = 0; op < TL_RAND_OPS; op++)
        if (strcmp(tl_rand_op_name((tl_rand_op)op), name) == 0) return (tl_rand_op)op;
    fail_msg("no op %s", name);
    return TL_RAND_OPS;
}

static void every_operation(void **state)
{
    json_t *file = golden(), *c;
    bool    seen[TL_RAND_OPS] = { false };
    size_t  i;

    (void)state;
    json_array_foreach(json_object_get(file, "case"), i, c) {
        uint8_t          data[MOST], want[MOST], got[MOST];
        const tl_image   in = picture_of(file, tl_json_int(c, "picture", 0), data);
        const tl_rand_op op = op_named(tl_json_text(c, "op", ""));
        const double     m  = tl_rand_magnitude(op, (int)tl_json_int(c, "strength", 0),
                                                tl_json_bool(c, "negative", false), &in);
        const int64_t    n  = bytes_of(tl_json_text(c, "out", ""), want);
        int64_t          off = 0;
        assert_true(fabs(m - tl_json_number(c, "magnitude", NAN)) < 1e-4);
        assert_int_equal(n, in.height * in.width * in.channels);
        tl_rand_op_apply(op, m, &in, got);
        for (int64_t k = 0; k < n; k++) off += got[k] != want[k];
        if (off) fail_msg("%s at %g: %d of %d bytes differ", tl_rand_op_name(op), m, (int)off,
                          (int)n);
        seen[op] = true;
    }
    for (int op = 0; op < TL_RAND_OPS; op++) assert_true(seen[op]);
    json_decref(file);
}

static void boxes(void **state)
{
    json_t *file = golden(), *c;
    size_t  i;

    (void)state;
    json_array_foreach(json_object_get(file, "box"), i, c) {
        const json_t    *want = json_object_get(c, "box");
        const tl_mix_box b    = tl_mix_box_of(
            tl_json_number(c, "share", 0.0), tl_json_int(c, "height", 0),
            tl_json_int(c, "width", 0), tl_json_int(c, "row", 0), tl_json_int(c, "column", 0));
        const int64_t got[] = { b.top, b.left, b.bottom, b.right };
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(got[k], json_integer_value(json_array_get(want, k)));
    }
    assert_int_equal(i, 5);
    json_decref(file);
}

/* Mean 1/2 and variance 1 / (4 (2 a + 1)) of Beta(a, a). */
static void shares_are_beta(void **state)
{
    static const double alpha[] = { 0.2, 1.0, 4.0 };
    enum { N = 4000 };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(alpha); i++) {
        const double want = 1.0 / (4.0 * (2.0 * alpha[i] + 1.0));
        double       sum = 0.0, square = 0.0;
        for (uint64_t k = 0; k < N; k++) {
            const double s = tl_mix_share(alpha[i], 7, k);
            assert_true(s >= 0.0 && s <= 1.0);
            sum += s;
            square += (s - 0.5) * (s - 0.5);
        }
        assert_true(fabs(sum / N - 0.5) < 4.0 * sqrt(want / N));
        assert_true(fabs(square / N / want - 1.0) < 0.08);
    }
    assert_true(tl_mix_share(0.4, 7, 3) == tl_mix_share(0.4, 7, 3));
    assert_true(tl_mix_share(0.4, 7, 3) != tl_mix_share(0.4, 8, 3));
}

/* Row r and the row before it in the proportion that the labels say; pictures or boxes. */
static void a_mixed_batch(void **state)
{
    enum { CAP = 5, ROWS = 4, H = 6, W = 7, C = 2, ROW = H * W * C, CLASSES = 3 };
    static float          x[CAP * ROW], target[CAP * CLASSES];
    const tl_mix_settings how[] = { { 0.4, 0.0 }, { 0.0, 1.0 }, { 0.4, 1.0 } };
    tl_batch              b;
    bool                  boxed = false, blended = false;

    (void)state;
    TEST_OK(tl_batch_new(test_ctx(), CAP, TL_SHAPE(H, W, C), true, 0, &b));
    b.rows = ROWS;
    for (int i = 0; i < ROWS * ROW; i++) b.x[i] = (float)(i / ROW * 1000 + i % ROW);
    for (int r = 0; r < ROWS; r++) b.label[r] = r % CLASSES;
    for (uint64_t number = 0; number < 60; number++) {
        const tl_mix_settings *m = &how[number % 3];
        tl_mix(&b, m, 11, number, CLASSES, x, target);
        for (int r = 0; r < ROWS; r++) {
            const int before = (r + ROWS - 1) % ROWS;
            double    own    = (double)target[r * CLASSES + b.label[r]], all = 0.0, moved = 0.0;
            bool      whole = true;
            for (int k = 0; k < CLASSES; k++) all += (double)target[r * CLASSES + k];
            assert_true(fabs(all - 1.0) < 1e-6);
            if (b.label[r] == b.label[before]) continue;
            for (int i = 0; i < ROW; i++) {
                const double a = (double)b.x[r * ROW + i], c = (double)b.x[before * ROW + i],
                             y = (double)x[r * ROW + i];
                const double share = (y - c) / (a - c);
                whole &= share < 1e-6 || share > 1.0 - 1e-6;
                moved += share;
            }
            assert_true(fabs(moved / ROW - own) < 1e-4); /* the labels' share is the pixels' */
            if (m->mixup == 0.0) assert_true(whole);
            boxed |= whole && own > 0.01 && own < 0.99;
            blended |= !whole;
        }
        for (int i = ROWS * CLASSES; i < CAP * CLASSES; i++) assert_true(target[i] == 0.0f);
    }
    assert_true(boxed && blended);
    tl_batch_free(test_ctx(), &b);
}

/* Through the loader's door: the same twice, another epoch another picture. */
static void randaugment_is_a_function(void **state)
{
    uint8_t    data[20 * 20 * 3];
    tl_image   in = { 20, 20, 3, data };
    tl_prep    prep;
    tl_augment a;
    float      x[3][16 * 16 * 3];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    assert_true(tl_prep_named("cifar", &prep));
    prep.height = prep.width = 16;
    prep.channels            = 3;
    assert_true(tl_augment_named("randaugment", &a) && a.ops == 2 && a.strength == 9);
    for (int i = 0; i < 3; i++)
        TEST_OK(tl_augment_apply(test_ctx(), &prep, &a, 5, i / 2, 3, &in, x[i]));
    assert_memory_equal(x[0], x[1], sizeof x[0]);
    assert_true(memcmp(x[0], x[2], sizeof x[0]) != 0);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(boxes),
        cmocka_unit_test(shares_are_beta),
        cmocka_unit_test(a_mixed_batch),
        cmocka_unit_test(randaugment_is_a_function),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
