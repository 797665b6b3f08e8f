/* core.c -- memory, files, random numbers, texts. */
#include "support/support.h"
#include "core/io.h"
#include "core/json.h"
#include "core/par.h"
#include "core/rand.h"
#include "core/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void memory_is_counted_and_limited(void **state)
{
    tl_ctx *ctx = test_fresh();
    char   *a, *b;

    (void)state;
    TEST_OK(tl_alloc(ctx, 1000, &a));
    assert_int_equal(ctx->world->now_bytes, 1000);
    assert_int_equal((uintptr_t)a % 64, 0);
    ctx->world->limit_bytes = 1500;
    assert_int_equal(tl_alloc(ctx, 501, &b), TL_ELIMIT);
    assert_null(b);
    tl_free(ctx, a);
    TEST_OK(tl_alloc(ctx, 1500, &b));
    tl_free(ctx, b);
    assert_int_equal(ctx->world->now_bytes, 0);
    assert_int_equal(ctx->world->peak_bytes, 1500);
    assert_int_equal(tl_alloc_array(ctx, SIZE_MAX / 2, 8, &b), TL_ENOMEM);
}

static void what_grows_by_one_seldom_moves(void **state)
{
    tl_ctx *ctx   = test_fresh();
    int    *value = NULL, *before = NULL, moves = 0;
    size_t  room  = 0;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        TEST_OK(tl_grow(ctx, &value, &room, i + 1, sizeof *value));
        moves += value != before;
        before   = value;
        value[i] = (int)i;
    }
    assert_true(moves <= 5); /* 64, 192, 448, 960, 1984 */
    for (int i = 0; i < 1000; i++) assert_int_equal(value[i], i);
    assert_int_equal(tl_grow(ctx, &value, &room, SIZE_MAX / 2, sizeof *value), TL_ENOMEM);
    assert_int_equal(value[999], 999); /* kept */
    tl_free(ctx, value);
}

static void a_file_appears_only_when_whole(void **state)
{
    tl_ctx    *ctx = test_fresh();
    char      *top = test_folder(), *path;
    tl_output *out;

    (void)state;
    TEST_OK(tl_path_join(ctx, top, "a.txt", &path));
    for (int64_t n = 1; n < 10; n++) {
        ctx->world->fault_write = n;
        const tl_status rc = tl_file_write(ctx, path, "hello", 5);
        if (ctx->world->fault_write > 0) {
            assert_int_equal(rc, TL_OK);
            break;
        }
        assert_int_not_equal(rc, TL_OK);
        assert_false(tl_exists(path));
        assert_non_null(strstr(ctx->message, path));
    }
    ctx->world->fault_write = 0;
    assert_int_equal(tl_file_bytes(path), 5);
    TEST_OK(tl_output_open(ctx, path, &out));
    TEST_OK(tl_write(ctx, out, "x", 1));
    tl_output_close(ctx, out);
    assert_int_equal(tl_file_bytes(path), 5);
    tl_free(ctx, path);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Known answers of Philox4x32-10 from the Random123 distribution's kat_vectors. */
static void philox_gives_its_known_answers(void **state)
{
    uint32_t b[4];

    (void)state;
    tl_rand_block(0, 0, 0, b);
    assert_int_equal(b[0], 0x6627e8d5);
    assert_int_equal(b[1], 0xe169c58d);
    assert_int_equal(b[2], 0xbc57ac4c);
    assert_int_equal(b[3], 0x9b00dbd8);
    tl_rand_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, b);
    assert_int_equal(b[0], 0x408f276d);
    assert_int_equal(b[1], 0x41c83b0e);
}

static void draws_below_n_cover_it(void **state)
{
    int64_t count[7] = { 0 }, order[5] = { 0, 1, 2, 3, 4 }, sum = 0;

    (void)state;
    for (uint64_t i = 0; i < 7000; i++) count[tl_rand_below(1, 2, i, 7)]++;
    for (int i = 0; i < 7; i++) assert_in_range(count[i], 850, 1150);
    tl_rand_shuffle(3, 4, order, 5);
    for (int i = 0; i < 5; i++) sum += 1 << order[i];
    assert_int_equal(sum, 31);
}

static void add_range(void *arg, int64_t low, int64_t high)
{
    int *seen = arg;

    for (int64_t i = low; i < high; i++) seen[i]++;
}

static void parallel_pieces_cover_once(void **state)
{
    int seen[1000] = { 0 };

    (void)state;
    for (int threads = 1; threads < 6; threads++) {
        memset(seen, 0, sizeof seen);
        tl_par_for(threads, 1000, 1, add_range, seen);
        for (int i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
    }
}

static void halve(void *arg, int64_t low, int64_t high)
{
    volatile float *x = arg;

    for (int64_t i = low; i < high; i++) x[i] = x[i] * 0.5f;
}

/* On every thread of a region, and on none of the caller's own sums. */
static void subnormals_count_as_zero_in_regions_only(void **state)
{
#if defined(__SSE2__) || defined(__aarch64__)
    volatile float own = FLT_MIN;

    (void)state;
    if (getenv("TAILOR_VALGRIND")) TEST_SKIP("valgrind does not flush subnormals");
    for (int threads = 1; threads < 4; threads++) {
        float x[64];
        for (int i = 0; i < 64; i++) x[i] = FLT_MIN;
        tl_par_for(threads, 64, 1, halve, x);
        for (int i = 0; i < 64; i++) assert_true(x[i] <= 0.0f);
        assert_true(own * 0.5f > 0.0f);
    }
#else
    (void)state;
    skip();
#endif
}

static const char *word_at(size_t i)
{
    static const char *const words[] = { "compare", "train", "evaluate" };

    return i < TL_COUNT(words) ? words[i] : NULL;
}

static void people_read_numbers_and_hints(void **state)
{
    char   b[32];
    double s;
    size_t n;

    (void)state;
    assert_string_equal(tl_say_count(-1234567, b), "-1,234,567");
    assert_string_equal(tl_say_number(31110.4, 4, b), "31,110");
    assert_string_equal(tl_say_number(-1478.2, 3, b), "-1,480");
    assert_string_equal(tl_say_number(3821.3, 4, b), "3,821");
    assert_string_equal(tl_say_number(99999.6, 4, b), "100,000");
    assert_string_equal(tl_say_number(0.01234, 3, b), "0.0123");
    assert_string_equal(tl_say_seconds(65.2, b), "1m 05s");
    assert_string_equal(tl_say_points(0.01, b), "1 point");
    assert_string_equal(tl_say_points(0.025, b), "2.5 points");
    assert_string_equal(tl_say_points(0.000327, b), "0.033 points");
    assert_string_equal(tl_plural(1, "row", "rows"), "row");
    assert_string_equal(tl_plural(0, "row", "rows"), "rows");
    assert_true(tl_parse_seconds("1h30m", &s) && fabs(s - 5400.0) < 1e-9);
    assert_false(tl_parse_seconds("abc", &s));
    assert_true(tl_parse_bytes("8G", &n) && n == (size_t)8 << 30);
    assert_false(tl_parse_bytes("8Q", &n));
    assert_string_equal(tl_did_you_mean("compaer", word_at), "compare");
    assert_null(tl_did_you_mean("zzz", word_at));
    assert_string_equal(tl_did_you_mean("trian", word_at), "train"); /* two swapped: one slip */
}

static void hashes_and_json(void **state)
{
    tl_ctx *ctx = test_fresh();
    char    hex[65];
    json_t *v;

    (void)state;
    tl_hash_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(tl_json_parse(ctx, "x.json", "{\n bad", 6, &v), TL_EDATA);
    assert_non_null(strstr(ctx->message, "x.json:2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_counted_and_limited),
        cmocka_unit_test(what_grows_by_one_seldom_moves),
        cmocka_unit_test(a_file_appears_only_when_whole),
        cmocka_unit_test(philox_gives_its_known_answers),
        cmocka_unit_test(draws_below_n_cover_it),
        cmocka_unit_test(parallel_pieces_cover_once),
        cmocka_unit_test(subnormals_count_as_zero_in_regions_only),
        cmocka_unit_test(people_read_numbers_and_hints),
        cmocka_unit_test(hashes_and_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
