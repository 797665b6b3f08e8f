/* body_token_loss.h -- a block of rows against a block of words: scores, the running logarithm of
 * their sum, and gradients from scores made again.  Bodies of simd.h's table, in the words of
 * body_attend.h: rows are its queries, words its keys.
 * Source: Wijmans et al. 2024, arXiv:2411.09009.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TOKEN_LOSS_H
#define TL_BACKEND_CPU_BODY_TOKEN_LOSS_H
#include "backend/cpu/body_attend.h"

static bool token_counts(const tl_token_job *t, int64_t row)
{
    return tl_token_counts(t->target, t->weight, t->words, row);
}

static bool any_token(const tl_token_job *t, int64_t first, int64_t rows)
{
    for (int64_t r = first; r < first + rows; r++)
        if (token_counts(t, r)) return true;
    return false;
}

/* p[rows][KEYS] = scores of words [j0, j0 + words), capped; lanes past the end never win. */
static void word_scores(const tl_token_job *t, const float *x, int64_t x_step,
                        int64_t rows, const float *turned, int64_t j0, int64_t words,
                        float *p)
{
    const tl_attention_attr plain = { .scale = 1.0f, .softcap = t->cap };
    const tl_gemm           g     = { .m    = rows,
                                      .n    = words,
                                      .k    = t->d,
                                      .a    = x,
                                      .b    = turned,
                                      .c    = p,
                                      .ai   = x_step,
                                      .ak   = 1,
                                      .ldb  = KEYS,
                                      .ldc  = KEYS,
                                      .bias = t->b ? t->b + j0 : NULL };

    body_outer(&g, 0, body_outer_tiles(&g));
    for (int64_t r = 0; r < rows; r++)
        finish_scores(&plain, p + r * KEYS, words, 0, words, -__builtin_inff());
}

/* Scores [rows][KEYS] become gradients of each row's own loss: (exp(s - lse) - 1[target]) * slope
 * of the cap; 0 in rows that do not count. */
static void word_slopes(const tl_token_job *t, int64_t first, int64_t rows, int64_t j0,
                        int64_t words, float *p)
{
    for (int64_t r = first; r < first + rows; r++, p += KEYS) {
        const int64_t mine = t->target[r] - j0;
        const bool    yes  = token_counts(t, r);
        for (int64_t j = 0; j < words; j += VL) {
            const vf s = vf_load(p + j);
            vf       g = vf_exp(s - t->lse[r]);
            if (mine >= j && mine < j + VL)
                g -= vf_if(vi_lanes() == (int32_t)(mine - j), vf_all(1.0f), vf_all(0.0f));
            if (t->cap != 0.0f) {
                const vf u = vf_max(vf_all(-1.0f), s / t->cap);
                g *= 1.0f - u * u;
            }
            vf_store(p + j, yes ? g : vf_all(0.0f));
        }
    }
}

/* The same, made anew or as the loss kept them. */
static void slopes_of(const tl_token_job *t, const float *x, int64_t step, int64_t first,
                      int64_t rows, const float *turned, int64_t j0, int64_t words, float *p)
{
    if (!t->slopes) {
        word_scores(t, x, step, rows, turned, j0, words, p);
        word_slopes(t, first, rows, j0, words, p);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < words; j += VL)
            vf_store(p + r * KEYS + j,
                     token_counts(t, first + r)
                         ? take(t->slopes, t->place[first + r] * t->columns + j0 + j, words - j,
                                t->bf)
                         : vf_all(0.0f));
}

/* ... times each row's weight and the gradient of the loss. */
static void word_pulls(const tl_token_job *t, int64_t first, int64_t rows, int64_t words,
                       float *p)
{
    for (int64_t r = first; r < first + rows; r++, p += KEYS)
        for (int64_t j = 0; token_counts(t, r) && j < words; j += VL)
            vf_store(p + j, vf_load(p + j) * (t->weight[r] * t->dloss));
}

/* Slopes of rows [first, first + rows) to where the gradient reads them. */
static void keep_slopes(const tl_token_job *t, const float *x, int64_t step, int64_t first,
                        int64_t rows, float *turned, float *p)
{
    for (int64_t j0 = 0; j0 < t->words && any_token(t, first, rows); j0 += KEYS) {
        const int64_t words = TL_MIN(KEYS, t->words - j0);
        turn_rows(t->w + j0 * t->d, words, t->d, t->d, false, turned);
        word_scores(t, x, step, rows, turned, j0, words, p);
        word_slopes(t, first, rows, j0, words, p);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; token_counts(t, first + r) && j < words; j += VL)
                give(t->slopes_out, t->place[first + r] * t->columns + j0 + j,
                     vf_load(p + r * KEYS + j), words - j, t->bf);
    }
}

static void body_token_loss(const tl_token_job *t, int64_t first, float *room)
{
    const int64_t rows   = TL_MIN(QROWS, t->rows - first);
    float        *turned = room, *p = turned + KEYS * t->d, *x_room = p + QROWS * KEYS;
    float         top[QROWS], sum[QROWS], at[QROWS];
    int64_t       step = t->d;
    const float  *x    = rows_f32(t->x, first * t->d, rows, t->d, t->bf, x_room, &step);

    for (int64_t r = 0; r < rows; r++)
        top[r] = -__builtin_inff(), sum[r] = 0.0f, at[r] = 0.0f;
    for (int64_t j = 0; j < t->words && any_token(t, first, rows); j += KEYS) {
        const int64_t words = TL_MIN(KEYS, t->words - j);
        turn_rows(t->w + j * t->d, words, t->d, t->d, false, turned);
        word_scores(t, x, step, rows, turned, j, words, p);
        for (int64_t r = 0; r < rows; r++) {
            const int64_t mine = t->target[first + r] - j;
            if (mine >= 0 && mine < words) at[r] = p[r * KEYS + mine];
            soften_row(p + r * KEYS, words, &top[r], &sum[r], NULL, 0);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        const bool  yes    = token_counts(t, first + r);
        const float lse    = yes ? top[r] + vf_log(vf_all(sum[r]))[0] : 0.0f;
        t->loss[first + r] = yes ? lse - at[r] : 0.0f;
        t->lse[first + r]  = lse;
    }
    if (t->slopes_out) keep_slopes(t, x, step, first, rows, turned, p);
}

/* Scores [j, j + VL) of n, capped; `past` in lanes behind the last. */
VEC vf capped_scores(const float *s, int64_t j, int64_t n, float cap, float past)
{
    vf x = take(s, j, n - j, false);

    if (cap != 0.0f) x = cap * vf_tanh(x / cap);
    return n - j >= VL ? x : vf_if(vi_lanes() < (int32_t)(n - j), x, vf_all(past));
}

static void body_token_sum(int64_t n, const float *s, float cap, float *top, float *sum,
                           void *kept, bool bf)
{
    const float hidden = -__builtin_inff();
    vf          most = vf_all(*top), total = vf_all(0.0f);

    for (int64_t j = 0; j < n; j += VL) most = vf_max(most, capped_scores(s, j, n, cap, hidden));
    const float above = vf_top(most);
    for (int64_t j = 0; j < n; j += VL) {
        const vf x = capped_scores(s, j, n, cap, hidden), u = cap != 0.0f ? x / cap : vf_all(0.0f);
        const vf e = vf_exp(x - above);
        total += e;
        if (kept) give(kept, j, e * (1.0f - u * u), n - j, bf);
    }
    *sum = *sum * vf_exp(vf_all(*top - above))[0] + vf_sum(total);
    *top = above;
}

static void body_token_pull(int64_t n, const float *s, float cap, float lse, int64_t mine,
                            float share, void *y, bool bf)
{
    for (int64_t j = 0; j < n; j += VL) {
        const vf x = capped_scores(s, j, n, cap, 0.0f);
        vf       g = vf_exp(x - lse);
        if (mine >= j && mine < j + VL)
            g -= vf_if(vi_lanes() == (int32_t)(mine - j), vf_all(1.0f), vf_all(0.0f));
        if (cap != 0.0f) {
            const vf u = x / cap;
            g *= 1.0f - u * u;
        }
        give(y, j, share == 0.0f ? vf_all(0.0f) : g * share, n - j, bf);
    }
}

/* Words [j0, ...): dw and db, rows block by block in order. */
static void body_token_loss_dw(const tl_token_job *t, int64_t j0, float *room)
{
    const int64_t words = TL_MIN(KEYS, t->words - j0), d = t->d;
    float        *turned = room, *p = turned + KEYS * d, *x_room = p + QROWS * KEYS;

    if (!t->slopes) turn_rows(t->w + j0 * d, words, d, d, false, turned);
    if (t->dw) memset(t->dw + j0 * d, 0, (size_t)(words * d) * sizeof(float));
    if (t->db) memset(t->db + j0, 0, (size_t)words * sizeof(float));
    for (int64_t first = 0; first < t->rows; first += QROWS) {
        const int64_t rows = TL_MIN(QROWS, t->rows - first);
        int64_t       step = d;
        if (!any_token(t, first, rows)) continue;
        const float *x = rows_f32(t->x, first * d, rows, d, t->bf, x_room, &step);
        slopes_of(t, x, step, first, rows, turned, j0, words, p);
        word_pulls(t, first, rows, words, p);
        if (t->dw) multiply(words, d, rows, p, 1, KEYS, x, step, t->dw + j0 * d, d, true);
        for (int64_t r = 0; r < rows && t->db; r++)
            for (int64_t j = 0; j < words; j++) t->db[j0 + j] += p[r * KEYS + j];
    }
}

/* Rows [first, ...): dx, words block by block in order. */
static void body_token_loss_dx(const tl_token_job *t, int64_t first, float *room)
{
    const int64_t rows = TL_MIN(QROWS, t->rows - first), d = t->d;
    float        *turned = room, *p = turned + KEYS * d, *x_room = p + QROWS * KEYS;
    float        *sum  = x_room + QROWS * d;
    int64_t       step = d;
    const float  *x    = rows_f32(t->x, first * d, rows, d, t->bf, x_room, &step);

    memset(sum, 0, (size_t)(rows * d) * sizeof *sum);
    for (int64_t j = 0; j < t->words && any_token(t, first, rows); j += KEYS) {
        const int64_t words = TL_MIN(KEYS, t->words - j);
        if (!t->slopes) turn_rows(t->w + j * d, words, d, d, false, turned);
        slopes_of(t, x, step, first, rows, turned, j, words, p);
        word_pulls(t, first, rows, words, p);
        multiply(rows, d, words, p, KEYS, 1, t->w + j * d, d, sum, d, true);
    }
    for (int64_t i = 0; i < rows * d; i += VL)
        give(t->dx, first * d + i, take(sum, i, rows * d - i, false), rows * d - i,
             t->bf);
}
#endif
