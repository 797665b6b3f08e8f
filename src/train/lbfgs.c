/* lbfgs.c -- see lbfgs.h.  Floor 3, train. */
#include "train/lbfgs.h"

#include <math.h>
#include <string.h>

enum { PAIRS = 10 };

typedef struct {
    const tl_lbfgs_spec *spec;
    int64_t n;
    double *block;                       /* all vectors below, one allocation                */
    double *g, *next_x, *next_g, *direction;
    double *s[PAIRS], *y[PAIRS], rho[PAIRS];
    int     pairs, newest;               /* a ring                                           */
} search;

static double dot(const double *a, const double *b, int64_t n)
{
    double lane[4] = { 0 };
    int64_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) lane[k] += a[i + k] * b[i + k];
    for (; i < n; i++) lane[0] += a[i] * b[i];
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

static void move(double *to, const double *from, double factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] += factor * from[i];
}

static double largest(const double *a, int64_t n)
{
    double top = 0.0;

    for (int64_t i = 0; i < n; i++) top = fmax(top, fabs(a[i]));
    return top;
}

static tl_status search_new(tl_ctx *ctx, const tl_lbfgs_spec *spec, search *q)
{
    const size_t n = (size_t)spec->n, vectors = 4 + 2 * PAIRS;
    tl_status    rc;
    double      *at;

    *q = (search){ .spec = spec, .n = spec->n, .newest = -1 };
    rc = tl_alloc_array(ctx, n, vectors * sizeof(double), &q->block);
    if (rc != TL_OK) return rc;
    at           = q->block;
    q->g         = at, at += n;
    q->next_x    = at, at += n;
    q->next_g    = at, at += n;
    q->direction = at, at += n;
    for (int i = 0; i < PAIRS; i++) {
        q->s[i] = at, at += n;
        q->y[i] = at, at += n;
    }
    return TL_OK;
}

/* The two-loop recursion: direction = -H g. */
static void choose_direction(search *q)
{
    double alpha[PAIRS] = { 0 }, *d = q->direction;

    for (int64_t i = 0; i < q->n; i++) d[i] = -q->g[i];
    for (int k = 0; k < q->pairs; k++) {
        const int i = (q->newest - k + PAIRS) % PAIRS;
        alpha[i]    = q->rho[i] * dot(q->s[i], d, q->n);
        move(d, q->y[i], -alpha[i], q->n);
    }
    if (q->pairs) {
        const int    i     = q->newest;
        const double scale = 1.0 / (q->rho[i] * dot(q->y[i], q->y[i], q->n));
        for (int64_t k = 0; k < q->n; k++) d[k] *= scale;
    }
    for (int k = q->pairs - 1; k >= 0; k--) {
        const int i = (q->newest - k + PAIRS) % PAIRS;
        move(d, q->s[i], alpha[i] - q->rho[i] * dot(q->y[i], d, q->n), q->n);
    }
}

/* Keeps s = step, y = change of the gradient, where they curve the right way. */
static void learn_curvature(search *q, const double *x)
{
    const int i = (q->newest + 1) % PAIRS;
    double    sy, yy;

    for (int64_t k = 0; k < q->n; k++) {
        q->s[i][k] = q->next_x[k] - x[k];
        q->y[i][k] = q->next_g[k] - q->g[k];
    }
    sy = dot(q->s[i], q->y[i], q->n);
    yy = dot(q->y[i], q->y[i], q->n);
    if (sy <= 1e-12 * yy) return;
    q->rho[i] = 1.0 / sy;
    q->newest = i;
    q->pairs  = TL_MIN(q->pairs + 1, PAIRS);
}

/* Lower by enough; or level as far as f can tell, where its slope says the step is not too
 * long (Hager and Zhang 2005, the approximate Wolfe conditions): values summed from f32 stop
 * telling long before their gradients do. */
static bool low_enough(double f, double next_f, double step, double slope,
                       double next_slope)
{
    return next_f <= f + 1e-4 * step * slope ||
           (next_f <= f + 1e-7 * fabs(f) && next_slope <= -0.9998 * slope);
}

/* Doubles, then bisects, until the step lowers f enough and the slope is less steep.
 * *found false: no such step in f64. */
static tl_status line_search(tl_ctx *ctx, search *q, const double *x, double f,
                             double first, double *next_f, int64_t *calls, bool *found)
{
    const double slope = dot(q->g, q->direction, q->n);
    double       low = 0.0, high = INFINITY, step = first;
    tl_status    rc = TL_OK;

    *found = false;
    for (int i = 0; i < 40 && slope < 0.0; i++) {
        memcpy(q->next_x, x, (size_t)q->n * sizeof *x);
        move(q->next_x, q->direction, step, q->n);
        TL_TRY(q->spec->value(ctx, q->spec->user, q->next_x, next_f, q->next_g));
        ++*calls;
        const double next_slope = dot(q->next_g, q->direction, q->n);
        if (!low_enough(f, *next_f, step, slope, next_slope)) high = step;
        else if (next_slope < 0.9 * slope) low = step;
        else {
            *found = true;
            break;
        }
        step = isinf(high) ? 2.0 * low : 0.5 * (low + high);
    }
done:
    return rc;
}

static tl_status descend(tl_ctx *ctx, search *q, double *x, tl_lbfgs_result *out)
{
    const size_t bytes = (size_t)q->n * sizeof *x;
    double       next_f = 0.0;
    bool         found;
    tl_status    rc;

    TL_TRY(q->spec->value(ctx, q->spec->user, x, &out->value, q->g));
    out->calls    = 1;
    out->gradient = largest(q->g, q->n);
    if (!isfinite(out->value) || !isfinite(out->gradient))
        TL_FAIL(TL_ENAN, "head",
                "the loss is not finite at the start (check the features)");
    while (out->gradient > q->spec->tolerance &&
           out->iterations < q->spec->most_iterations) {
        choose_direction(q);
        TL_TRY(line_search(ctx, q, x, out->value,
                           q->pairs ? 1.0 : TL_MIN(1.0, 1.0 / out->gradient), &next_f,
                           &out->calls, &found));
        if (!found && q->pairs) { /* stale curvature: once more along the gradient */
            q->pairs = 0;
            continue;
        }
        if (!found) break;
        learn_curvature(q, x);
        memcpy(x, q->next_x, bytes);
        memcpy(q->g, q->next_g, bytes);
        out->value    = next_f;
        out->gradient = largest(q->g, q->n);
        out->iterations++;
        if (q->spec->after)
            TL_TRY(q->spec->after(ctx, q->spec->user, out->iterations, out->value));
    }
    out->converged = out->gradient <= q->spec->tolerance;
done:
    return rc;
}

tl_status tl_lbfgs(tl_ctx *ctx, const tl_lbfgs_spec *spec, double *x,
                   tl_lbfgs_result *out)
{
    search    q;
    tl_status rc;

    *out = (tl_lbfgs_result){ 0 };
    rc   = search_new(ctx, spec, &q);
    if (rc == TL_OK) rc = descend(ctx, &q, x, out);
    tl_free(ctx, q.block);
    return rc;
}
