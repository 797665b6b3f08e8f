/* budget.c -- how a budget becomes runs. */
#include "support/support.h"
#include "study/plan.h"

#include <math.h>

/* Baseline, two probes, and full and scratch of two bases. */
static const tl_plan_item items[] = {
    { .setup_s = 0.0, .work_s = 2.0, .rival = 1 },
    { .setup_s = 1.0, .work_s = 5.0, .rival = 2 },
    { .setup_s = 1.0, .work_s = 7.0, .rival = 2 },
    { .setup_s = 2.0, .work_s = 100.0, .trained = true, .rival = 4 },
    { .setup_s = 2.0, .work_s = 200.0, .trained = true, .rival = 4 },
    { .setup_s = 2.0, .work_s = 300.0, .trained = true, .anew = true, .rival = 6 },
    { .setup_s = 2.0, .work_s = 400.0, .trained = true, .anew = true, .rival = 6 },
};
enum { ITEMS = 7 };

static void a_long_budget_changes_nothing(void **state)
{
    const tl_budget_plan p = tl_plan_fit(items, ITEMS, 1e6, 2);

    (void)state;
    assert_true(p.share == 1.0 && !p.one_base && p.left_out == 0);
    assert_true(fabs(tl_plan_cost(items, ITEMS, &p, 0) - 1024.0) < 1e-9);
    assert_true(fabs(tl_plan_cost(items, ITEMS, &p, 2) - 1024.0 - 3.0 * (202.0 + 102.0)) <
                1e-9);
}

static void a_short_budget_shortens_then_chooses_then_drops(void **state)
{
    bool           skipped[ITEMS];
    tl_budget_plan p;

    (void)state;
    p = tl_plan_fit(items, ITEMS, 1600.0, 2);
    assert_true(p.share >= 0.5 && p.share < 1.0 && !p.one_base);
    p = tl_plan_fit(items, ITEMS, 900.0, 2);
    assert_true(p.one_base && p.left_out == 0 && p.share < 1.0 && p.share >= 0.3);
    tl_plan_skipped(items, ITEMS, &p, skipped);
    assert_true(skipped[3] && !skipped[4] && skipped[5] && !skipped[6]);
    assert_true(!skipped[0] && !skipped[1] && !skipped[2]);
    p = tl_plan_fit(items, ITEMS, 320.0, 2);
    assert_true(p.one_base && p.left_out == 1);
    tl_plan_skipped(items, ITEMS, &p, skipped);
    assert_true(skipped[5] && skipped[6] && !skipped[4]);
    p = tl_plan_fit(items, ITEMS, 130.0, 2);
    tl_plan_skipped(items, ITEMS, &p, skipped);
    assert_true(!skipped[4] && p.share >= 0.1 && p.share < 0.3);
    p = tl_plan_fit(items, ITEMS, 1.0, 2);
    assert_int_equal(p.left_out, 4);
}

static void mixtures_go_before_the_costliest(void **state)
{
    const tl_plan_item   three[] = { { .work_s = 100.0, .trained = true, .rival = 1 },
                                     { .work_s = 110.0, .trained = true, .extra = true },
                                     { .work_s = 300.0, .trained = true, .anew = true } };
    bool                 skipped[3];
    const tl_budget_plan p = tl_plan_fit(three, 3, 210.0, 2);

    (void)state;
    assert_int_equal(p.left_out, 1);
    tl_plan_skipped(three, 3, &p, skipped);
    assert_true(!skipped[0] && skipped[1] && !skipped[2]);
}

static void every_plan_fits_its_budget(void **state)
{
    (void)state;
    for (double budget = 60.0; budget < 3000.0; budget += 17.0) {
        const tl_budget_plan p = tl_plan_fit(items, ITEMS, budget, 2);
        assert_true(tl_plan_cost(items, ITEMS, &p, 2) <= budget + 1e-6);
        assert_true(p.share >= 0.1 && p.share <= 1.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_budget_changes_nothing),
        cmocka_unit_test(a_short_budget_shortens_then_chooses_then_drops),
        cmocka_unit_test(mixtures_go_before_the_costliest),
        cmocka_unit_test(every_plan_fits_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
