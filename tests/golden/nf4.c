/* nf4.c -- four bits as bitsandbytes packs and unpacks them, and as the paper's tables say. */
#include "core/json.h"
#include "support/support.h"
#include "tensor/nf4.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *golden;

/* The formula of tools/golden/nf4.py. */
static float drawn(int64_t i)
{
    const uint32_t bits = (uint32_t)((uint64_t)i * 2654435761u) >> 8;
    const double   x    = (double)bits / 16777216.0 - 0.5;

    return (float)(x * (double)(1 + i / 64 % 7) * (i / 64 % 50 == 3 ? 0.0 : 1.0));
}

static float *all_drawn(int64_t count)
{
    float *x = malloc((size_t)count * sizeof *x);

    for (int64_t i = 0; i < count; i++) x[i] = drawn(i);
    return x;
}

static void as_bitsandbytes(void **state)
{
    const int64_t count = tl_json_int(golden, "count", 0), every = tl_json_int(golden, "every", 0);
    const json_t *code = json_object_get(golden, "code"), *value = json_object_get(golden, "value");
    float        *x = all_drawn(count), *back = malloc((size_t)count * sizeof *back);
    uint8_t      *packed = malloc(tl_nf4_bytes(count));
    double        sum = 0.0, square = 0.0;

    (void)state;
    tl_nf4_pack(x, count, packed);
    tl_nf4_unpack(packed, count, 0, count, back);
    for (size_t i = 0; i < json_array_size(code); i++)
        assert_int_equal(packed[(int64_t)i * every], json_integer_value(json_array_get(code, i)));
    for (size_t i = 0; i < json_array_size(value); i++) {
        const double want = json_number_value(json_array_get(value, i));
        const double have = (double)back[(int64_t)i * every];
        if (!(fabs(have - want) <= 1e-6 * fmax(0.05, fabs(want))))
            fail_msg("number %d is %.9g, not %.9g", (int)((int64_t)i * every), have, want);
    }
    for (int64_t i = 0; i < count; i++) {
        sum += (double)back[i];
        square += (double)back[i] * (double)back[i];
    }
    assert_true(fabs(sum - tl_json_number(golden, "sum", 0.0)) < 1e-3);
    assert_true(fabs(square / tl_json_number(golden, "square", 0.0) - 1.0) < 1e-6);
    free(x);
    free(back);
    free(packed);
}

/* The levels of appendix E of the paper, as printed there. */
static const double paper[] = { -1.0, -0.6961928009986877, -0.5250730514526367,
                                -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                                -0.09105003625154495, 0.0, 0.07958029955625534,
                                0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0 };

/* One block: its scale is its own mean, exact, and each number the nearest level. */
static void the_nearest_level_of_the_paper(void **state)
{
    float   x[64], back[64];
    uint8_t packed[128];

    (void)state;
    assert_true(tl_nf4_bytes(64) <= sizeof packed);
    for (int i = 0; i < 64; i++) x[i] = 0.25f * drawn(7 * i + 1);
    x[9] = -1.75f;
    tl_nf4_pack(x, 64, packed);
    tl_nf4_unpack(packed, 64, 0, 64, back);
    for (int i = 0; i < 64; i++) {
        double nearest = paper[0];
        for (size_t k = 1; k < TL_COUNT(paper); k++)
            if (fabs((double)x[i] / 1.75 - paper[k]) < fabs((double)x[i] / 1.75 - nearest))
                nearest = paper[k];
        assert_true(fabs((double)back[i] - 1.75 * nearest) < 1e-6);
    }
}

/* Any piece is what lies there in the whole; nothing beside it is written. */
static void pieces_are_as_the_whole(void **state)
{
    enum { COUNT = 333 };
    float   x[COUNT], whole[COUNT], piece[COUNT + 2];
    uint8_t packed[512];

    (void)state;
    assert_true(tl_nf4_bytes(COUNT) <= sizeof packed);
    for (int i = 0; i < COUNT; i++) x[i] = drawn(i);
    tl_nf4_pack(x, COUNT, packed);
    tl_nf4_unpack(packed, COUNT, 0, COUNT, whole);
    for (int from = 0; from < COUNT; from += 13)
        for (int end = from; end <= COUNT; end += 29) {
            for (int i = 0; i < COUNT + 2; i++) piece[i] = 7.0f;
            tl_nf4_unpack(packed, COUNT, from, end, piece + 1);
            assert_memory_equal(piece + 1, whole + from, (size_t)(end - from) * sizeof *piece);
            assert_true(piece[0] == 7.0f && piece[1 + end - from] == 7.0f);
        }
    for (int i = 0; i < COUNT; i++) assert_true(tl_nf4_get(packed, COUNT, i) == whole[i]);
}

/* 4 bits, 8 a block of 64, 32 a group of 256 blocks: 4.127 a number. */
static void bytes_are_few(void **state)
{
    const double million = (double)tl_nf4_bytes(1 << 20) / (double)(1 << 20);

    (void)state;
    assert_true(million * 8.0 < 4.128 && million * 8.0 > 4.126);
    assert_true(tl_nf4_bytes(1) <= 16);
}

static int begin(void **state)
{
    (void)state;
    return tl_json_read(test_fresh(), TEST_FOLDER "/golden/nf4.json", 1 << 20, &golden) != TL_OK;
}

static int end(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_bitsandbytes),
        cmocka_unit_test(the_nearest_level_of_the_paper),
        cmocka_unit_test(pieces_are_as_the_whole),
        cmocka_unit_test(bytes_are_few),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
