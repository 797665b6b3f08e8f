/* stats.c -- the decision's rules on small made-up scores. */
#include "support/support.h"
#include "core/rand.h"
#include "study/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 400, SEEDS = 4, MOST = 3 };

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

/* Two that no seeds could tell apart, and a third that is cheaper by the others' luck. */
static tl_decision with_a_third_at(double accuracy)
{
    const double level[] = { 0.70, 0.70, accuracy }, cost[] = { 2.0, 3.0, 1.0 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 3);
    tl_decision  d;

    for (int c = 0; c < 3; c++)
        for (int k = 0; k < SEEDS; k++)
            for (int r = 0; r < ROWS; r++) {
                const double own  = tl_rand_uniform(3, (uint64_t)c, (uint64_t)r);
                const double seed = (k % 2 ? 0.03 : -0.03) * (c == 2);
                score[(c * SEEDS + k) * ROWS + r] = own < level[c] + seed;
            }
    s.inference_cost = cost;
    s.margin         = 0.06;
    TEST_OK(tl_decide(fresh(), &s, &d));
    tl_decision_free(test_ctx(), &d);
    return d;
}

static void it_is_futile_only_where_no_name_may_change(void **state)
{
    const tl_decision far = with_a_third_at(0.40), near = with_a_third_at(0.67);

    (void)state;
    assert_int_equal(far.outcome, TL_UNDECIDED);
    assert_true(far.futile);
    assert_int_equal(near.outcome, TL_UNDECIDED);
    assert_false(near.futile);
}

static void few_seeds_or_a_reversal_are_undecided(void **state)
{
    const double accuracy[] = { 0.6, 0.9, 0.75 }, valid[] = { NAN, 0.8, 0.81 };
    const int    few[] = { 4, 3, 4 }, one[] = { 1, 1, 1 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 3);
    tl_decision  d;

    (void)state;
    fill(score, accuracy, 3);
    s.seeds_of = few;
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_int_equal(d.winner, 1);
    assert_non_null(strstr(d.why, "fewer than 4 seeds"));
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

/* Two routes that each row's own luck sets apart, by 4 points of 400 rows: not shown. */
static void fill_apart(float *score)
{
    for (int c = 0; c < 2; c++)
        for (int s = 0; s < SEEDS; s++)
            for (int r = 0; r < ROWS; r++)
                score[(c * SEEDS + s) * ROWS + r] =
                    tl_rand_uniform(3, (uint64_t)(1 + c), (uint64_t)r) < 0.5 ||
                    r < (c ? 0 : 40);
}

/* A cheaper one that too few rows could not show to be worse is not taken for that alone. */
static void undecided_takes_no_one_beyond_the_margin(void **state)
{
    const double inference[] = { 2.0, 1.0 };
    float        score[2 * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 2);
    tl_decision  d;

    (void)state;
    fill_apart(score);
    s.inference_cost = inference;
    TEST_OK(tl_decide(fresh(), &s, &d));
    const double apart = d.test[0].mean - d.test[1].mean;
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_true(apart > s.margin);
    assert_int_equal(d.winner, 0);
    tl_decision_free(test_ctx(), &d);
    assert_true(d.first);
    s.margin = 2.1 * apart; /* well inside it, and the interval within two of it: the cheaper one */
    TEST_OK(tl_decide(test_ctx(), &s, &d));
    assert_true(apart + (d.difference.high - d.difference.mean) < 2.0 * s.margin);
    assert_int_equal(d.winner, 1);
    assert_false(d.first);
    tl_decision_free(test_ctx(), &d);
}

/* Each is right where the other is wrong, but for one row of forty: nearly the same score, of which
 * so few rows say nothing. */
static void undecided_takes_no_one_who_may_cost_much(void **state)
{
    enum { FEW = ROWS / 10 };
    const double inference[] = { 2.0, 1.0 };
    float        score[2 * SEEDS * FEW];
    tl_scores    s = scores_of(score, 2);
    tl_decision  d;

    (void)state;
    for (int i = 0; i < 2 * SEEDS * FEW; i++) {
        const int c = i / (SEEDS * FEW), r = i % FEW;
        score[i]    = r % 2 == c || (r == 1 && c == 0);
    }
    s.rows           = FEW;
    s.inference_cost = inference;
    s.margin         = 0.06;
    TEST_OK(tl_decide(fresh(), &s, &d));
    assert_int_equal(d.outcome, TL_UNDECIDED);
    assert_true(d.test[0].mean - d.test[1].mean <= 0.5 * s.margin);
    assert_true(d.difference.high > 2.0 * s.margin);
    assert_int_equal(d.winner, 0);
    tl_decision_free(test_ctx(), &d);
    s.margin = 0.2; /* it may cost so much, and is still cheaper */
    TEST_OK(tl_decide(test_ctx(), &s, &d));
    assert_int_equal(d.winner, 1);
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

/* Two candidates differ alike in all rows of a cluster: 400 rows say no more than 20. */
static void rows_of_a_cluster_are_one_unit(void **state)
{
    float       score[2 * SEEDS * ROWS];
    int32_t     cluster[ROWS];
    tl_scores   s = scores_of(score, 2);
    tl_decision alone, together;
    const double cost[] = { 2.0, 1.0 }; /* the second is the winner, found or not */

    (void)state;
    s.inference_cost = cost;
    for (int r = 0; r < ROWS; r++) cluster[r] = 19 - r / 20;
    for (int i = 0; i < 2 * SEEDS * ROWS; i++) {
        const int g = cluster[i % ROWS]; /* the second wins in 8 clusters, loses in 4 */
        score[i] = i < SEEDS * ROWS ? (float)(g >= 8 && g < 12) : (float)(g < 8);
    }
    TEST_OK(tl_decide(fresh(), &s, &alone));
    s.cluster = cluster;
    TEST_OK(tl_decide(test_ctx(), &s, &together));
    assert_true(fabs(alone.difference.mean - together.difference.mean) < 1e-5);
    assert_true(alone.p < 1e-6 && together.p > 0.05);
    assert_int_equal(together.outcome, TL_UNDECIDED);
    const double half[] = { alone.difference.high - alone.difference.mean,
                            together.difference.high - together.difference.mean };
    assert_true(half[1] > 4.0 * half[0] && half[1] < 6.0 * half[0]); /* sqrt(20) = 4.5 */
    for (int r = 0; r < ROWS; r++) cluster[r] = r; /* each row its own: as without */
    tl_decision_free(test_ctx(), &together);
    TEST_OK(tl_decide(test_ctx(), &s, &together));
    assert_true(fabs(alone.p - together.p) <= 1e-3 * alone.p);
    tl_decision_free(test_ctx(), &alone);
    tl_decision_free(test_ctx(), &together);
}

/* Of routes that answer alike, more comparisons cost next to nothing; Bonferroni would ask three
 * times as much of each. */
static void what_goes_together_is_corrected_together(void **state)
{
    enum { C = 4 };
    float       score[C * SEEDS * ROWS];
    tl_scores   s = scores_of(score, C);
    tl_decision d;
    double      p[2];

    (void)state;
    for (int twins = 0; twins < 2; twins++) {
        for (int i = 0; i < C * SEEDS * ROWS; i++) {
            const int      c = i / (SEEDS * ROWS), r = i % ROWS;
            const uint64_t own = twins ? 1 : (uint64_t)c; /* the three others share their luck */
            score[i] = c == 0 ? (float)(tl_rand_uniform(5, 1, (uint64_t)r) < 0.86)
                              : (float)(tl_rand_uniform(5, 10 + own, (uint64_t)r) < 0.80);
        }
        TEST_OK(tl_decide(fresh(), &s, &d));
        p[twins] = d.p;
        assert_int_equal(d.winner, 0);
        tl_decision_free(test_ctx(), &d);
        s.candidates = 2;
        TEST_OK(tl_decide(test_ctx(), &s, &d));
        if (twins) assert_true(p[1] < 1.6 * d.p && p[1] >= d.p);
        tl_decision_free(test_ctx(), &d);
        s.candidates = C;
    }
}

/* Of Lan and DeMets' own program (and ldbounds in R): five looks, 0.05 on two sides. */
static void looks_spend_alpha_as_lan_and_demets(void **state)
{
    static const double even[] = { 0.2, 0.4, 0.6, 0.8, 1.0 };
    static const double z[]    = { 4.8769, 3.3569, 2.6803, 2.2898, 2.0310 };
    double              level[TL_MOST_LOOKS];
    const double        seeds[] = { 3.0 / 12, 5.0 / 12, 8.0 / 12, 1.0 };

    (void)state;
    tl_look_levels(even, 5, 0, 0.05, level);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(-tl_normal_quantile(0.5 * level[i]) - z[i]) < 2e-3);
    tl_look_levels(seeds, 4, 1, 0.05, level);
    assert_true(level[0] == 0.0 && level[1] > 0.001 && level[1] < 0.004);
    assert_true(level[3] > 0.04 && level[3] < 0.05);
    tl_look_levels(seeds + 3, 1, 0, 0.05, level);
    assert_true(fabs(level[0] - 0.05) < 1e-6);
}

/* At a look of a lower level the same p counts for less, and its interval is wider. */
static void a_look_of_a_lower_level_asks_for_more(void **state)
{
    const double accuracy[] = { 0.845, 0.80 };
    float        score[MOST * SEEDS * ROWS];
    tl_scores    s = scores_of(score, 2);
    tl_decision  last, early;

    (void)state;
    fill(score, accuracy, 2);
    TEST_OK(tl_decide(fresh(), &s, &last));
    s.level = 0.05 * last.p; /* of which it is twenty times too much */
    TEST_OK(tl_decide(test_ctx(), &s, &early));
    assert_int_equal(last.outcome, TL_BETTER);
    assert_int_equal(early.outcome, TL_UNDECIDED);
    assert_true(early.difference.low < 0.0 && last.difference.low > 0.0);
    assert_true(early.p > 0.05);
    tl_decision_free(test_ctx(), &last);
    tl_decision_free(test_ctx(), &early);
}

static void mcnemar_is_the_binomial_of_the_rows_apart(void **state)
{
    (void)state;
    assert_true(fabs(tl_mcnemar(2, 10) - 0.03857421875) < 1e-9); /* statsmodels, exact */
    assert_true(fabs(tl_mcnemar(15, 15) - 1.0) < 1e-12);
    assert_true(tl_mcnemar(0, 0) == 1.0 && tl_mcnemar(5, 9) == tl_mcnemar(9, 5));
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
        cmocka_unit_test(it_is_futile_only_where_no_name_may_change),
        cmocka_unit_test(the_cheapest_of_the_tied_wins),
        cmocka_unit_test(undecided_takes_no_one_beyond_the_margin),
        cmocka_unit_test(undecided_takes_no_one_who_may_cost_much),
        cmocka_unit_test(differences_of_errors_are_said_as_errors),
        cmocka_unit_test(macro_f1_is_the_mean_that_is_tested),
        cmocka_unit_test(one_candidate_and_perfect_scores),
        cmocka_unit_test(rows_of_a_cluster_are_one_unit),
        cmocka_unit_test(what_goes_together_is_corrected_together),
        cmocka_unit_test(looks_spend_alpha_as_lan_and_demets),
        cmocka_unit_test(a_look_of_a_lower_level_asks_for_more),
        cmocka_unit_test(mcnemar_is_the_binomial_of_the_rows_apart),
        cmocka_unit_test(what_is_detectable_follows_the_formula),
        cmocka_unit_test(discordance_counts_rows_with_one_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
