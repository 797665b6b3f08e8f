/* activations.c -- in bf16, every value there is: curved activations and their slopes are what
 * their definition in double says, rounded once, whatever the instruction set. */
#include "support/support.h"
#include "backend/cpu/simd.h"
#include "core/core.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdlib.h>

enum { ALL = 1 << 16, INFINITE = 0x7f80 }; /* bit patterns of bf16 */

static const tl_activation curve[] = { TL_ACT_GELU, TL_ACT_GELU_TANH, TL_ACT_SILU };

/* Half a step of bf16, and what the cubics may miss. */
static void judge(float got, double wanted, float x)
{
    const double allowed = fabs(wanted) / 256.0 + 1e-5;

    if (!(fabs((double)got - wanted) <= allowed))
        fail_msg("of %g: %g instead of %g", (double)x, (double)got, wanted);
}

static void check(const tl_simd *loops)
{
    uint16_t *x = malloc(ALL * sizeof *x), *y = malloc(ALL * sizeof *y);
    uint16_t *one = malloc(ALL * sizeof *one);

    assert_true(x && y && one);
    for (int32_t i = 0; i < ALL; i++) {
        x[i]   = (uint16_t)i;
        one[i] = tl_f32_to_bf16(1.0f);
    }
    for (size_t k = 0; k < TL_COUNT(curve); k++)
        for (int slope = 0; slope < 2; slope++) {
            if (slope) loops->act_grad(curve[k], false, ALL, one, x, y, true);
            else loops->act(curve[k], ALL, x, y, true);
            for (int32_t i = 0; i < ALL; i++) {
                const float in = tl_bf16_to_f32(x[i]), got = tl_bf16_to_f32(y[i]);
                if (isnan(in)) assert_true(isnan(got));
                else if (fabsf(in) < 1e4f)
                    judge(got, (slope ? tl_act_slope : tl_act_value)(curve[k], (double)in), in);
            }
            if (!slope) assert_int_equal(y[INFINITE], INFINITE);
        }
    free(one);
    free(y);
    free(x);
}

static void bf16_shows_no_error_of_a_curve(void **state)
{
    static const tl_isa isa[] = { TL_ISA_PORTABLE, TL_ISA_AVX2, TL_ISA_AVX512,
                                  TL_ISA_AVX512_BF16 };

    (void)state;
    check(tl_simd_best());
    for (size_t i = 0; i < TL_COUNT(isa); i++)
        if (tl_simd_at(isa[i]) && (isa[i] == TL_ISA_PORTABLE || isa[i] <= tl_machine_isa()))
            check(tl_simd_at(isa[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bf16_shows_no_error_of_a_curve) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
