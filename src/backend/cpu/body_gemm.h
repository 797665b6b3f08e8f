/* body_gemm.h -- products of matrices that are small, or that oneDNN does not take.
 *
 * dot: both operands run along k, so nothing is packed; a tile of TALL x WIDE sums is kept in
 * registers and folded into one vector at the end.  outer: b runs along the result's columns;
 * a tile of DEEP rows x ACROSS vectors takes one value of a per row and step.  A result's sum runs
 * over k in one fixed order, whatever tile or thread it falls to.  Bodies of simd.h's table.
 * Source: Goto and van de Geijn 2008 for the tiling.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_GEMM_H
#define TL_BACKEND_CPU_BODY_GEMM_H
#include "backend/cpu/body_act.h"
#include "backend/cpu/simd.h"
#include "backend/cpu/vec_turn.h"

enum {
    WIDE   = 4,
    TALL   = VL == 8 ? 2 : 4,
    STRIP  = 64,
    DEEP   = VL == 16 ? 6 : 4,
    ACROSS = VL == 16 ? 4 : 2
};

/* Lane pairs of a, then of b, each added. */
VEC vf add_pairs(vf a, vf b)
{
#if VL == 16
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                   26, 28, 30) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                   27, 29, 31);
#elif VL == 8
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    return __builtin_shufflevector(a, b, 0, 2, 4, 6) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}
/* VL vectors become one: lane i is the sum of vector i. */
VEC vf fold(vf *v)
{
    UNROLL
    for (int n = VL / 2; n > 0; n /= 2) UNROLL
    for (int i = 0; i < n; i++) v[i] = add_pairs(v[2 * i], v[2 * i + 1]);
    return v[0];
}

/* out[TALL][STRIP] columns [at, at + WIDE): rows a[], columns b[]. */
VEC void dot_tile(int64_t k, const void *const *a, const float *const *b, bool a_bf,
                  float (*out)[STRIP], int64_t at)
{
    vf      sum[TALL * WIDE] = { { 0 } };
    float   flat[TALL * WIDE];
    int64_t p = 0;

    for (; p + VL <= k; p += VL) {
        vf bv[WIDE];
        UNROLL
        for (int j = 0; j < WIDE; j++) bv[j] = vf_load(b[j] + p);
        UNROLL
        for (int i = 0; i < TALL; i++) {
            const vf av = get(a[i], p, a_bf);
            UNROLL
            for (int j = 0; j < WIDE; j++)
                sum[i * WIDE + j] = vf_fma(av, bv[j], sum[i * WIDE + j]);
        }
    }
    if (p < k) {
        UNROLL
        for (int i = 0; i < TALL; i++) {
            const vf av = get_n(a[i], p, k - p, a_bf);
            UNROLL
            for (int j = 0; j < WIDE; j++)
                sum[i * WIDE + j] =
                    vf_fma(av, get_n(b[j], p, k - p, false), sum[i * WIDE + j]);
        }
    }
    UNROLL
    for (int i = 0; i < TALL * WIDE; i += VL) vf_store(flat + i, fold(sum + i));
    UNROLL
    for (int i = 0; i < TALL; i++)
        memcpy(&out[i][at], &flat[i * WIDE], WIDE * sizeof(float));
}

VEC void dot_give(const tl_gemm *g, int64_t row, int64_t col, int64_t wide,
                  const float *sum)
{
    for (int64_t j = 0; j < wide; j += VL) {
        const int64_t left = wide - j;
        vf            v    = take(sum, j, left, false);
        if (g->bias) v += take(g->bias, col + j, left, false);
        give(g->c, row * g->ldc + col + j, act_value(g->act, v), left, g->c_bf);
    }
}

/* Rows past the end repeat the last one and are not written. */
VEC void dot_strip(const tl_gemm *g, int64_t row, int64_t tall, bool a_bf)
{
    const void *a[TALL];
    float       out[TALL][STRIP];

    UNROLL
    for (int i = 0; i < TALL; i++) {
        const int64_t at = (row + TL_MIN(i, tall - 1)) * g->ai;
        a[i]             = a_bf ? (const void *)((const uint16_t *)g->a + at)
                                : (const void *)((const float *)g->a + at);
    }
    for (int64_t col = 0; col < g->n; col += STRIP) {
        const int64_t wide = TL_MIN(g->n - col, STRIP);
        for (int64_t j = 0; j < wide; j += WIDE) {
            const float *b[WIDE];
            UNROLL
            for (int i = 0; i < WIDE; i++)
                b[i] = (const float *)g->b + TL_MIN(col + j + i, g->n - 1) * g->ldb;
            dot_tile(g->k, a, b, a_bf, out, j);
        }
        for (int64_t i = 0; i < tall; i++) dot_give(g, row + i, col, wide, out[i]);
    }
}
static void body_dot(const tl_gemm *g, int64_t low, int64_t high)
{
    for (int64_t row = low; row < high; row += TALL) {
        if (g->a_bf)
            dot_strip(g, row, TL_MIN(high - row, TALL), true);
        else
            dot_strip(g, row, TL_MIN(high - row, TALL), false);
    }
}

/* `rest`: columns from `col` to the edge, at least one and at most across * VL. */
VEC void outer_tile(const tl_gemm *g, int64_t row, int64_t tall, int64_t col,
                    int64_t rest, int across, bool full, bool a_bf, bool b_bf)
{
    vf      sum[DEEP][ACROSS];
    int64_t at[DEEP];

    UNROLL
    for (int i = 0; i < DEEP; i++) {
        at[i] = (row + TL_MIN(i, tall - 1)) * g->ai;
        UNROLL
        for (int j = 0; j < across; j++) sum[i][j] = vf_all(0.0f);
    }
    for (int64_t p = 0; p < g->k; p++) {
        vf b[ACROSS];
        UNROLL
        for (int j = 0; j < across; j++) {
            const int64_t from = p * g->ldb + col + j * VL;
            b[j] = full ? get(g->b, from, b_bf) : take(g->b, from, rest - j * VL, b_bf);
        }
        UNROLL
        for (int i = 0; i < DEEP; i++) {
            const vf a = vf_all(get_one(g->a, at[i] + p * g->ak, a_bf));
            UNROLL
            for (int j = 0; j < across; j++) sum[i][j] = vf_fma(a, b[j], sum[i][j]);
        }
    }
    for (int i = 0; i < tall; i++) {
        UNROLL
        for (int j = 0; j < across; j++) {
            const int64_t to = (row + i) * g->ldc + col + j * VL, left = rest - j * VL;
            if (g->accumulate) sum[i][j] += take(g->c, to, left, false);
            if (g->bias) sum[i][j] += take(g->bias, col + j * VL, left, false);
            give(g->c, to, act_value(g->act, sum[i][j]), left, g->c_bf);
        }
    }
}
VEC void outer_any(const tl_gemm *g, int64_t row, int64_t tall, int64_t col, bool a_bf,
                   bool b_bf)
{
    const int64_t rest = g->n - col;

    if (rest >= ACROSS * VL)
        outer_tile(g, row, tall, col, rest, ACROSS, true, a_bf, b_bf);
    else if (rest > 3 * VL)
        outer_tile(g, row, tall, col, rest, ACROSS, false, a_bf, b_bf);
    else if (rest > 2 * VL)
        outer_tile(g, row, tall, col, rest, TL_MIN(3, ACROSS), false, a_bf, b_bf);
    else if (rest > VL)
        outer_tile(g, row, tall, col, rest, 2, false, a_bf, b_bf);
    else
        outer_tile(g, row, tall, col, rest, 1, false, a_bf, b_bf);
}
static int64_t body_outer_tiles(const tl_gemm *g)
{
    return ((g->m + DEEP - 1) / DEEP) * ((g->n + ACROSS * VL - 1) / (ACROSS * VL));
}
static void body_outer(const tl_gemm *g, int64_t low, int64_t high)
{
    const int64_t strips = (g->m + DEEP - 1) / DEEP;

    for (int64_t tile = low; tile < high; tile++) {
        const int64_t row = tile % strips * DEEP, col = tile / strips * ACROSS * VL;
        const int64_t tall = TL_MIN(g->m - row, DEEP);
        if (g->a_bf && g->b_bf)
            outer_any(g, row, tall, col, true, true);
        else if (g->a_bf)
            outer_any(g, row, tall, col, true, false);
        else if (g->b_bf)
            outer_any(g, row, tall, col, false, true);
        else
            outer_any(g, row, tall, col, false, false);
    }
}

/* to[p][j] = w[j][p] for a square of VL x VL at (j, p), cut at n and k; w has rows of `step`,
 * to of `wide`. */
VEC void turn_square(int64_t n, int64_t k, const void *w, int64_t step, bool bf,
                     float *to, int64_t wide, int64_t j, int64_t p)
{
    vf v[VL];

    UNROLL
    for (int i = 0; i < VL; i++)
        v[i] = j + i < n ? take(w, (j + i) * step + p, k - p, bf) : vf_all(0.0f);
    turn_lanes(v);
    UNROLL
    for (int i = 0; i < VL; i++)
        if (p + i < k) give(to, (p + i) * wide + j, v[i], n - j, false);
}
static void body_turn(int64_t n, int64_t k, const float *w, float *to, int64_t low,
                      int64_t high)
{
    for (int64_t p = low; p < high; p += VL)
        for (int64_t j = 0; j < n; j += VL)
            turn_square(n, k, w, k, false, to, n, j, p);
}

#if defined(__AVX512F__)
#define VEC_REGISTER "+v"
#elif defined(__x86_64__)
#define VEC_REGISTER "+x"
#elif defined(__aarch64__)
#define VEC_REGISTER "+w"
#else
#define VEC_REGISTER "+m"
#endif
/* Sixteen sums that never wait for each other: what the multipliers can do at most. */
static double body_fma_loop(int64_t rounds)
{
    vf       sum[16];
    const vf x = vf_all(0.999999f), y = vf_all(1e-6f);

    UNROLL
    for (int i = 0; i < 16; i++) sum[i] = vf_all((float)i);
    for (int64_t r = 0; r < rounds; r++) UNROLL
    for (int i = 0; i < 16; i++) {
        sum[i] = vf_fma(sum[i], x, y);
        __asm__ volatile("" : VEC_REGISTER(sum[i])); /* keeps every step */
    }
    for (int i = 1; i < 16; i++) sum[0] += sum[i];
    return vf_sum(sum[0]) < 0.0f ? 0.0 : 2.0 * 16.0 * VL * (double)rounds;
}
#endif
