/* optim_body.h -- the bodies of optim_kernels.h; the including file names KERNELS and is
 * compiled for its instruction set.  Inner loops have a constant length, so that they become
 * vector code at -O2.
 * Source: torch.optim's SGD, Adam and AdamW.  Floor 3, train. */
#include "train/optim_kernels.h"

#include <math.h>

enum { LANES = 16 };

/* Pointers as parameters: only there does every compiler believe `restrict`. */
static void sgd_plain(const tl_update c, float *restrict w, const float *restrict g,
                      int64_t         n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            w[i + k] -= c.lr * (c.share * g[i + k] + c.decay * w[i + k]);
    for (; i < n; i++) w[i] -= c.lr * (c.share * g[i] + c.decay * w[i]);
}

static inline float sgd_change(const tl_update *u, float g, float m)
{
    return u->lr * (u->of_gradient * g + u->of_momentum * m);
}

static void sgd_span(const tl_update c, float *restrict w, const float *restrict g,
                     float *restrict m, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int64_t j = 0; j < LANES; j++) {
            const int64_t k = i + j;
            const float slope = c.share * g[k] + c.decay * w[k];
            const float mean  = c.momentum * m[k] + slope;
            m[k] = mean;
            w[k] -= sgd_change(&c, slope, mean);
        }
    for (; i < n; i++) {
        const float slope = c.share * g[i] + c.decay * w[i];
        m[i] = c.momentum * m[i] + slope;
        w[i] -= sgd_change(&c, slope, m[i]);
    }
}

static void sgd(const tl_update *u, int64_t low, int64_t high)
{
    if (u->m) sgd_span(*u, u->w + low, u->g + low, u->m + low, high - low);
    else sgd_plain(*u, u->w + low, u->g + low, high - low);
}

static inline float adam_mean(const tl_update *u, float slope, float m)
{
    return m + (1.0f - u->beta1) * (slope - m);
}

static inline float adam_square(const tl_update *u, float slope, float v)
{
    return v * u->beta2 + (1.0f - u->beta2) * slope * slope;
}

static inline float adam_change(const tl_update *u, float m, float v)
{
    return u->lr * m / (sqrtf(v) / u->root + u->eps);
}

static void adam_span(const tl_update c, float *restrict w, const float *restrict g,
                      float *restrict m, float *restrict v, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int64_t j = 0; j < LANES; j++) {
            const int64_t k = i + j;
            const float x = w[k] * c.shrink, slope = c.share * g[k] + c.decay * x;
            const float   mean = adam_mean(&c, slope, m[k]),
                        square = adam_square(&c, slope, v[k]);
            m[k] = mean;
            v[k] = square;
            w[k] = x - adam_change(&c, mean, square);
        }
    for (; i < n; i++) {
        const float x = w[i] * c.shrink, slope = c.share * g[i] + c.decay * x;
        m[i] = adam_mean(&c, slope, m[i]);
        v[i] = adam_square(&c, slope, v[i]);
        w[i] = x - adam_change(&c, m[i], v[i]);
    }
}

static void adam(const tl_update *u, int64_t low, int64_t high)
{
    adam_span(*u, u->w + low, u->g + low, u->m + low, u->v + low, high - low);
}

static inline float lion_sign(float u)
{
    return u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f;
}

static void lion_span(const tl_update c, float *restrict w, const float *restrict g,
                      float *restrict m, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int64_t j = 0; j < LANES; j++) {
            const int64_t k = i + j;
            const float   slope = c.share * g[k];
            const float   u     = m[k] + (1.0f - c.beta1) * (slope - m[k]);
            w[k] = w[k] * c.shrink - c.lr * lion_sign(u);
            m[k] += (1.0f - c.beta2) * (slope - m[k]);
        }
    for (; i < n; i++) {
        const float slope = c.share * g[i], u = m[i] + (1.0f - c.beta1) * (slope - m[i]);
        w[i] = w[i] * c.shrink - c.lr * lion_sign(u);
        m[i] += (1.0f - c.beta2) * (slope - m[i]);
    }
}

static void lion(const tl_update *u, int64_t low, int64_t high)
{
    lion_span(*u, u->w + low, u->g + low, u->m + low, high - low);
}

static double squares(const float *x, int64_t n)
{
    float   lane[LANES] = { 0.0f };
    double  sum = 0.0;
    int64_t i   = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += x[i + k] * x[i + k];
    for (; i < n; i++) sum += (double)x[i] * (double)x[i];
    for (int k = 0; k < LANES; k++) sum += (double)lane[k];
    return sum;
}

static void multiply(float *x, float factor, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) x[i + k] *= factor;
    for (; i < n; i++) x[i] *= factor;
}

static void add(float *restrict to, const float *restrict from, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) to[i + k] += from[i + k];
    for (; i < n; i++) to[i] += from[i];
}

static void follow(float *restrict mean, const float *restrict w, float share, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) mean[i + k] += share * (w[i + k] - mean[i + k]);
    for (; i < n; i++) mean[i] += share * (w[i] - mean[i]);
}

static void pull_to(float *restrict g, const float *restrict w, const float *restrict w0,
                    float factor, int64_t n)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) g[i + k] += factor * (w[i + k] - w0[i + k]);
    for (; i < n; i++) g[i] += factor * (w[i] - w0[i]);
}

static void pull(float *g, const float *w, const float *w0, float factor, int64_t n)
{
    if (w0) pull_to(g, w, w0, factor, n);
    else
        for (int64_t i = 0; i < n; i++) g[i] += factor * w[i];
}

const tl_optim_kernels KERNELS = { sgd, adam, lion, squares, multiply, add, follow,
                                   pull };
