/* verdict_promises.c -- the verdict held to what it promises, on made-up studies whose
 * truth is known: equal routes are hardly ever called `better`; equal routes are a
 * `tie` when the margin is three standard errors; a route that is better by 1.5 times
 * the stated detectable difference is found, under its right name.
 *
 * A row has a difficulty that all routes share and one that each route has of its own;
 * a seed shifts a route's quality, and shakes its answers row by row. A route is right
 * where
 *     level + shared u_r + own v_cr + shake w_csr + luck g_cs > 0,   all standard normal.
 * TAILOR_SIMULATE=N repeats each study N times instead of the quick count. */
#include "support/support.h"
#include "core/rand.h"
#include "study/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int     candidates, seeds;
    int64_t rows;
    double  accuracy,
        better_by; /* of all; of the last one, in accuracy                     */
    double shared, own, shake, luck;
} world;

typedef struct {
    int better, right, tie, undecided;
} counts;

enum { U = 0, V, W, G };

static double drawn(uint64_t seed, int what, int64_t a, int64_t b)
{
    return tl_rand_normal(
        seed, TL_STREAM(TL_STREAM_TEST, (uint64_t)what << 40 | (uint64_t)a), (uint64_t)b);
}

static double spread(const world *w)
{
    return sqrt(w->shared * w->shared + w->own * w->own + w->shake * w->shake +
                w->luck * w->luck);
}

static void fill(const world *w, uint64_t seed, float *score)
{
    for (int c = 0; c < w->candidates; c++) {
        const double better = c == w->candidates - 1 ? w->better_by : 0.0;
        const double level  = spread(w) * tl_normal_quantile(w->accuracy + better);

        for (int s = 0; s < w->seeds; s++) {
            const int    at   = c * w->seeds + s;
            const double luck = w->luck * drawn(seed, G, c, s);
            for (int64_t r = 0; r < w->rows; r++) {
                const double x = level + luck + w->shared * drawn(seed, U, 0, r) +
                                 w->own * drawn(seed, V, c, r) +
                                 w->shake * drawn(seed, W, at, r);
                score[at * w->rows + r] = x > 0.0 ? 1.0f : 0.0f;
            }
        }
    }
}

/* Share of rows on which two routes disagree, by a large draw. */
static double discordance(const world *w)
{
    const double own    = sqrt(w->own * w->own + w->shake * w->shake + w->luck * w->luck);
    const double level  = spread(w) * tl_normal_quantile(w->accuracy);
    int          differ = 0;

    for (int i = 0; i < 100000; i++) {
        const double u = level + w->shared * drawn(7, U, 1, i);
        differ +=
            (u + own * drawn(7, V, 1, i) > 0.0) != (u + own * drawn(7, W, 1, i) > 0.0);
    }
    return differ / 100000.0;
}

static double seed_sd(const world *w)
{
    const double z = tl_normal_quantile(w->accuracy);

    return exp(-0.5 * z * z) / 2.50662827463 * w->luck / spread(w);
}

/* The true standard error of a difference of two such routes. */
static double standard_error(const world *w)
{
    world        big     = *w;
    const int    studies = 200;
    const size_t floats  = (size_t)(2 * w->seeds) * (size_t)w->rows;
    float       *score;
    double       squares = 0.0;

    big.candidates = 2;
    TEST_OK(tl_alloc_array(test_ctx(), floats, sizeof *score, &score));
    for (int i = 0; i < studies; i++) {
        double d = 0.0;
        fill(&big, 900000u + (uint64_t)i, score);
        for (size_t j = 0; j < floats; j++) d += j < floats / 2 ? score[j] : -score[j];
        squares += d * d;
    }
    tl_free(test_ctx(), score);
    return sqrt(squares / studies) / (w->seeds * (double)w->rows);
}

static counts repeat(const world *w, int repeats, double margin)
{
    tl_ctx     *ctx = test_ctx();
    float      *score;
    counts      n = { 0 };
    tl_decision d;

    ctx->world->threads = 1; /* so little work for each that a team would only wait */
    TEST_OK(tl_alloc_array(ctx, (size_t)(w->candidates * w->seeds) * (size_t)w->rows,
                           sizeof *score, &score));
    for (int i = 0; i < repeats; i++) {
        const tl_scores s = { .candidates = w->candidates,
                              .seeds      = w->seeds,
                              .rows       = w->rows,
                              .score      = score,
                              .margin     = margin,
                              .seed       = (uint64_t)i,
                              .bootstraps = 64 };
        fill(w, 1000u + (uint64_t)i, score);
        TEST_OK(tl_decide(ctx, &s, &d));
        n.better += d.outcome == TL_BETTER;
        n.right += d.outcome == TL_BETTER && d.winner == w->candidates - 1;
        n.tie += d.outcome == TL_TIE;
        n.undecided += d.outcome == TL_UNDECIDED;
        tl_decision_free(ctx, &d);
    }
    tl_free(ctx, score);
    return n;
}

static int repeats_wanted(int quick)
{
    const char *text = getenv("TAILOR_SIMULATE");

    return text ? atoi(text) : quick;
}

/* From two look-alikes to five with a will of their own; seeds that matter little and
 * much. */
static const world worlds[] = {
    { 2, 3, 400, 0.85, 0.0, 1.5, 0.0, 0.7, 0.05 },
    { 2, 3, 400, 0.85, 0.0, 1.5, 0.5, 0.7, 0.1 },
    { 3, 3, 400, 0.90, 0.0, 1.5, 0.0, 0.7, 0.05 },
    { 4, 3, 500, 0.80, 0.0, 1.5, 0.5, 0.7, 0.1 },
    { 5, 3, 1000, 0.95, 0.0, 1.5, 0.5, 0.5, 0.05 },
    { 3, 5, 1000, 0.70, 0.0, 1.0, 0.5, 0.5, 0.1 },
    { 4, 3, 400, 0.85, 0.0, 1.5, 0.3, 0.7, 0.2 },
};

static void equal_routes_are_hardly_ever_better(void **state)
{
    const int repeats = repeats_wanted(200);

    (void)state;
    for (size_t i = 0; i < TL_COUNT(worlds); i++) {
        const counts n = repeat(&worlds[i], repeats, 0.0);
        print_message("# %zu: C=%d k=%d n=%d luck %.2f: better %d of %d\n", i,
                      worlds[i].candidates, worlds[i].seeds, (int)worlds[i].rows,
                      worlds[i].luck, n.better, repeats);
        assert_true(n.better * 200 <= 16 * repeats);
    }
}

/* From three candidates on: of two, |z| < 3 - 1.645 even with the error known exactly
 * is 82 %. */
static void equal_routes_tie_within_three_standard_errors(void **state)
{
    const int repeats = repeats_wanted(100);

    (void)state;
    for (size_t i = 2; i < TL_COUNT(worlds); i++) {
        const double se = standard_error(&worlds[i]);
        const counts n  = repeat(&worlds[i], repeats, 3.0 * se);
        print_message("# %zu: C=%d se %.4f: tie %d better %d of %d\n", i,
                      worlds[i].candidates, se, n.tie, n.better, repeats);
        assert_true(n.tie * 100 >= 80 * repeats);
    }
}

static void a_better_route_is_found_under_its_name(void **state)
{
    const int repeats = repeats_wanted(100);

    (void)state;
    for (size_t i = 0; i < TL_COUNT(worlds); i++) {
        world        w     = worlds[i];
        const double found = tl_detectable(w.rows, w.seeds, discordance(&w), seed_sd(&w),
                                           w.candidates - 1);
        w.better_by        = 1.5 * found;
        while (w.accuracy + w.better_by > 0.99) w.accuracy -= 0.05;
        const counts n = repeat(&w, repeats, 0.01);
        print_message("# %zu: C=%d detectable %.4f at %.2f: right %d better %d of %d\n",
                      i, w.candidates, found, w.accuracy, n.right, n.better, repeats);
        assert_true(n.right * 100 >= 80 * repeats);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_routes_are_hardly_ever_better),
        cmocka_unit_test(equal_routes_tie_within_three_standard_errors),
        cmocka_unit_test(a_better_route_is_found_under_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
