/* stats.c -- the decision's rules on small made-up scores. */
#include "support/support.h"
#include "core/rand.h"
#include "study/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 400, SEEDS = 3, MOST = 3 };

static tl_ctx *fresh(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

/* Candidate c is right where a row's own draw is below accuracy[c], shaken by the
 * seed. */
static void fill(float *score, const double *accuracy, int candidates)
{
    for (int c = 0; c < candidates; c++)
        for (int s = 0; s < SEEDS; s++)
            for (int r = 0; r < ROWS; r++) {
                const double row = tl_rand_uniform(1, 1, (uint64_t)r);
                const double shake =
                    tl_rand_uniform(1, 2, (uint64_t)((c * SEEDS + s) * ROWS + r));
                score[(c * SEEDS + s) * ROWS + r] = 0.9 * row + 0.1 * shake < accuracy[c];
            }
}

static tl_scores scores_of(const float *score, int candidates)
{
    return (tl_scores){ .candidates = candidates,
                        .seeds      = SEEDS,
                        .rows       = ROWS,
                        .score      = score,
                        .margin     = 0.01,
                        .seed       = 5 };
}

static void a_clear_winner_is_better(void **state)
{
    const double accuracy[] = { 0.6, 0.9, 0.75 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 3);
    tl_decision  d;

    (void)state;
    fill(score, accuracy, 3);
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_BETTER);
    assert_int_equal(d.winner, 1);
    assert_int_equal(d.runner_up, 2);
    assert_true(d.difference.low > 0.0 && d.p < 0.05 && d.confidence > 0.99);
    assert_true(d.detectable > 0.0 && d.detectable < 0.15);
    assert_true(d.test[1].low < d.test[1].mean && d.test[1].mean < d.test[1].high);
    tl_decision_free(test_ctx(), &d);
}

static void few_seeds_or_a_reversal_are_undecided(void **state)
{
    const double accuracy[] = { 0.6, 0.9, 0.75 }, valid[] = { NAN, 0.8, 0.81 };
    const int    few[] = { 3, 2, 3 }, one[] = { 1, 1, 1 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 3);
    tl_decision  d;

    (void)state;
    fill(score, accuracy, 3);
    s.seeds_of = few;
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_int_equal(d.winner, 1);
    assert_non_null(strstr(d.why, "fewer than 3 seeds"));
    tl_decision_free(test_ctx(), &d);
    s.seeds_of = one;
    TEST_OK(tl_decide(test_ctx(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_true(isnan(d.confidence) && isnan(d.detectable));
    tl_decision_free(test_ctx(), &d);
    s.seeds_of = NULL;
    s.valid    = valid;
    TEST_OK(tl_decide(test_ctx(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_true(d.reversed);
    assert_non_null(strstr(d.why, "validation"));
    tl_decision_free(test_ctx(), &d);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void the_cheapest_of_the_tied_wins(void **state)
{
    const double accuracy[] = { 0.8, 0.8, 0.4 }, inference[] = { 5.0, 2.0, 1.0 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 3);
    tl_decision  d;

    (void)state;
    fill(score, accuracy, 3);
    s.inference_cost = inference;
    s.margin         = 0.08;
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_TIE);
    assert_int_equal(d.winner, 1);
    tl_decision_free(test_ctx(), &d);
    s.margin =
        0.001; /* too narrow to be shown: the cheapest not shown worse, undecided */
    TEST_OK(tl_decide(test_ctx(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_int_equal(d.winner, 1);
    assert_true(strlen(d.why) > 40);
    tl_decision_free(test_ctx(), &d);
}

/* Of errors the words give the error's own difference, not that of the scores turned round. */
static void differences_of_errors_are_said_as_errors(void **state)
{
    float       score[2 * SEEDS * ROWS];
    tl_scores   s = scores_of(score, 2);
    tl_decision d;
    double      low, high;

    (void)state;
    for (int i = 0; i < 2 * SEEDS * ROWS; i++) /* the first errs by 0.02 less, noisily */
        score[i] =
            -(1.0f + (i < SEEDS * ROWS ? 0.0f : 0.02f) + 3.0f * (float)sin(7.0 * i));
    s.plain = true;
    s.lower = true;
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_int_equal(d.winner, 0);
    const char *at = strstr(d.why, "may lie between ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "may lie between %lf and %lf", &low, &high), 2);
    assert_true(low < 0.0 && high > low && fabs(low) > fabs(high));
    assert_true(fabs(low + d.difference.high) < 0.01 * fabs(low));
    assert_true(fabs(high + d.difference.low) < 0.01 * fabs(low));
    assert_non_null(strstr(d.why, "below 0: less error"));
    tl_decision_free(test_ctx(), &d);
}

static void macro_f1_is_the_mean_that_is_tested(void **state)
{
    enum { N = 300, K = 3 };
    int32_t     label[N], predicted[2 * SEEDS * N];
    tl_scores   s = { .candidates = 2,
                      .seeds      = SEEDS,
                      .rows       = N,
                      .label      = label,
                      .predicted  = predicted,
                      .classes    = K,
                      .margin     = 0.01 };
    tl_decision d;

    (void)state;
    for (int i = 0; i < N; i++) label[i] = i % 20 == 0 ? 2 : i % 2;
    for (int i = 0; i < 2 * SEEDS * N; i++) {
        const bool wrong =
            tl_rand_uniform(3, 3, (uint64_t)i) < (i < SEEDS * N ? 0.1 : 0.4);
        predicted[i] = wrong ? (label[i % N] + 1) % K : label[i % N];
    }
    TEST_OK(tl_decide(fresh(), &s, &d));
    double mean = 0.0;
    for (int k = 0; k < SEEDS; k++)
        mean += tl_macro_f1(label, predicted + k * N, N, K) / SEEDS;
    assert_true(fabs(d.test[0].mean - mean) < 1e-6);
    assert_int_equal(d.outcome, TL_BETTER);
    assert_int_equal(d.winner, 0);
    tl_decision_free(test_ctx(), &d);
    predicted[7] = K;
    assert_int_equal(tl_decide(test_ctx(), &s, &d), TL_EUSAGE);
}

static void one_candidate_and_perfect_scores(void **state)
{
    const double accuracy[] = { 1.0 };
    float        score[SEEDS * ROWS];
    tl_scores    s = scores_of(score, 1);
    tl_decision  d;

    (void)state;
    fill(score, accuracy, 1);
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_int_equal(d.runner_up, -1);
    assert_true(d.test[0].high > 0.999999 && d.test[0].low > 0.98 && d.test[0].low < 1.0);
    assert_true(isnan(d.difference.mean));
    tl_decision_free(test_ctx(), &d);
    s.rows = 0;
    assert_int_equal(tl_decide(test_ctx(), &s, &d), TL_EUSAGE);
}

/* n for 80 % power at z = 2.8 differences' standard errors, where seeds add nothing. */
static void what_is_detectable_follows_the_formula(void **state)
{
    (void)state;
    assert_true(fabs(tl_detectable(10000, 3, 0.1, 0.0, 1) - 2.8 * sqrt(0.1 / 10000)) <
                1e-4);
    assert_true(tl_detectable(400, 3, 0.1, 0.01, 1) >
                tl_detectable(400, 8, 0.1, 0.01, 1));
    assert_true(tl_detectable(400, 3, 0.1, 0.0, 4) > tl_detectable(400, 3, 0.1, 0.0, 1));
    assert_true(isnan(tl_detectable(400, 1, 0.1, 0.0, 1)));
}

static void discordance_counts_rows_with_one_right(void **state)
{
    const int32_t label[] = { 0, 1, 2, 0, 1 }, a[] = { 0, 1, 1, 2, 0 };
    const int32_t b[] = { 0, 0, 2, 1, 0 }; /* both right, a, b, both wrong twice */

    (void)state;
    assert_true(fabs(tl_discordance(label, a, b, 5) - 0.4) < 1e-15);
    assert_true(tl_discordance(label, a, a, 5) == 0.0);
    assert_true(isnan(tl_discordance(label, a, b, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_winner_is_better),
        cmocka_unit_test(few_seeds_or_a_reversal_are_undecided),
        cmocka_unit_test(the_cheapest_of_the_tied_wins),
        cmocka_unit_test(differences_of_errors_are_said_as_errors),
        cmocka_unit_test(macro_f1_is_the_mean_that_is_tested),
        cmocka_unit_test(one_candidate_and_perfect_scores),
        cmocka_unit_test(what_is_detectable_follows_the_formula),
        cmocka_unit_test(discordance_counts_rows_with_one_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
