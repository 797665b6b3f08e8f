/* labels.c -- confident learning on probabilities whose truth is known: what was flipped is
 * found, what is right is left alone; and as cleanlab counts it on a small case by hand. */
#include "support/support.h"
#include "core/rand.h"
#include "study/labels.h"

#include <math.h>
#include <string.h>

enum { ROWS = 2000, CLASSES = 4 };

/* A model that is nearly always right, whatever the label says. */
static void draw(double flips, float *p, int32_t *label, bool *bad)
{
    for (int r = 0; r < ROWS; r++) {
        const uint64_t i     = (uint64_t)r;
        const int32_t  truth = (int32_t)tl_rand_below(4, 1, i, CLASSES);
        double         sum   = 0.0, e[CLASSES];
        bad[r]   = tl_rand_uniform(4, 2, i) < flips;
        label[r] = bad[r] ? (int32_t)((truth + 1 + (int32_t)tl_rand_below(4, 3, i, CLASSES - 1)) %
                                      CLASSES)
                          : truth;
        for (int c = 0; c < CLASSES; c++) {
            e[c] = exp(1.2 * tl_rand_normal(4, 10 + (uint64_t)c, i) + (c == truth ? 5.0 : 0.0));
            sum += e[c];
        }
        for (int c = 0; c < CLASSES; c++) p[r * CLASSES + c] = (float)(e[c] / sum);
    }
}

static void planted_flips_are_found(void **state)
{
    static const double rates[] = { 0.05, 0.1, 0.2 };
    static float        p[ROWS * CLASSES];
    static int32_t      label[ROWS];
    static bool         bad[ROWS];

    (void)state;
    for (size_t k = 0; k < TL_COUNT(rates); k++) {
        tl_label_audit a;
        int            planted = 0, hits = 0;
        draw(rates[k], p, label, bad);
        TEST_OK(tl_labels_audit(test_ctx(), p, label, ROWS, CLASSES, false, &a));
        for (int r = 0; r < ROWS; r++) planted += bad[r];
        for (int64_t i = 0; i < a.count; i++) hits += bad[a.suspect[i].row];
        print_message("# %.0f %%: planted %d, found %d, of them planted %d, noise %.3f\n",
                      100.0 * rates[k], planted, (int)a.count, hits, a.noise);
        assert_true(hits >= 0.85 * planted && hits >= 0.7 * (double)a.count);
        assert_true(fabs(a.noise - rates[k]) < 0.04);
        const int64_t counted = a.count;
        tl_label_audit_free(test_ctx(), &a);
        TEST_OK(tl_labels_audit(test_ctx(), p, label, ROWS, CLASSES, true, &a));
        assert_true(a.count >= counted);
        assert_true(a.count >= llround(a.noise * ROWS)); /* as the joint says, and the plain ones */
        hits = 0;
        for (int64_t i = 0; i < a.count; i++) hits += bad[a.suspect[i].row];
        assert_true(hits >= 0.9 * planted && hits >= 0.8 * (double)a.count);
        for (int64_t i = 1; i < a.count; i++)
            assert_true(a.suspect[i - 1].own <= a.suspect[i].own);
        assert_true(bad[a.suspect[0].row]); /* the worst first */
        tl_label_audit_free(test_ctx(), &a);
    }
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Class 0 is usually said with 0.7, class 1 with 0.6: row 4, labelled 0 and said 1 with 0.9, is
 * the one that the joint has off its diagonal. */
static void the_joint_is_counted_and_its_rows_named(void **state)
{
    static const float   p[]     = { 0.9f, 0.1f, 0.9f, 0.1f, 0.9f, 0.1f, 0.8f, 0.2f,
                                     0.1f, 0.9f, 0.2f, 0.8f, 0.3f, 0.7f, 0.9f, 0.1f };
    static const int32_t label[] = { 0, 0, 0, 0, 0, 1, 1, 1 };
    tl_label_audit       a;

    (void)state;
    TEST_OK(tl_labels_audit(test_ctx(), p, label, 8, 2, false, &a));
    assert_int_equal(a.joint[0] + a.joint[1], 5); /* rows sum to the given labels */
    assert_int_equal(a.joint[2] + a.joint[3], 3);
    assert_int_equal(a.joint[1], 1);
    assert_int_equal(a.joint[2], 1);
    assert_int_equal(a.count, 2);
    assert_true(fabs(a.noise - 0.25) < 1e-12);
    for (int i = 0; i < 2; i++) {
        const tl_suspect *x = &a.suspect[i];
        assert_true(x->row == 4 || x->row == 7);
        assert_int_equal(x->given, label[x->row]);
        assert_int_equal(x->likely, 1 - label[x->row]);
    }
    tl_label_audit_free(test_ctx(), &a);
}

/* Where nothing was flipped and the model is sure, nothing is suspected. */
static void right_labels_are_left_alone(void **state)
{
    static float   p[ROWS * CLASSES];
    static int32_t label[ROWS];
    tl_label_audit a;

    (void)state;
    for (int r = 0; r < ROWS; r++) {
        label[r] = r % CLASSES;
        for (int c = 0; c < CLASSES; c++)
            p[r * CLASSES + c] = c == label[r] ? 0.7f + 0.01f * (float)(r % 7) : 0.08f;
    }
    TEST_OK(tl_labels_audit(test_ctx(), p, label, ROWS, CLASSES, false, &a));
    assert_int_equal(a.count, 0);
    assert_true(a.noise == 0.0);
    tl_label_audit_free(test_ctx(), &a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_flips_are_found),
        cmocka_unit_test(the_joint_is_counted_and_its_rows_named),
        cmocka_unit_test(right_labels_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
