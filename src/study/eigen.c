/* eigen.c -- Householder's reduction to a tridiagonal matrix, then QL iterations with implicit
 * shifts.  Vectors are kept as rows while they are turned, so that inner loops run over
 * neighbours.  Floor 4, study. */
#include "study/eigen.h"

#include <math.h>

enum { MOST_ITERATIONS = 60 };

/* Reflects row i of the lower triangle onto its neighbour of the diagonal; e[i] is what is left
 * there, d[i] the reflection's size, 0 for none. */
static void reflect(int64_t n, double *a, double *d, double *e, int64_t i)
{
    double *u = a + i * n, scale = 0.0, h = 0.0, f = 0.0;

    for (int64_t k = 0; k < i; k++) scale += fabs(u[k]);
    d[i] = 0.0;
    e[i] = i > 0 ? u[i - 1] : 0.0;
    if (i < 2 || scale <= 0.0) return;
    for (int64_t k = 0; k < i; k++) {
        u[k] /= scale;
        h += u[k] * u[k];
    }
    const double g = u[i - 1] >= 0.0 ? -sqrt(h) : sqrt(h);
    e[i]           = scale * g;
    h -= u[i - 1] * g;
    u[i - 1] -= g;
    for (int64_t j = 0; j < i; j++) e[j] = 0.0;
    for (int64_t j = 0; j < i; j++) { /* e = A u / h, by rows of the lower triangle */
        const double *row = a + j * n;
        double        sum = 0.0;
        for (int64_t k = 0; k < j; k++) {
            sum += row[k] * u[k];
            e[k] += row[k] * u[j];
        }
        e[j] += sum + row[j] * u[j];
    }
    for (int64_t j = 0; j < i; j++) {
        e[j] /= h;
        f += e[j] * u[j];
    }
    for (int64_t j = 0; j < i; j++) e[j] -= f / (2.0 * h) * u[j];
    for (int64_t j = 0; j < i; j++) {
        double *row = a + j * n;
        for (int64_t k = 0; k <= j; k++) row[k] -= u[j] * e[k] + e[j] * u[k];
    }
    d[i] = h;
}

/* Afterwards d is the diagonal, e[1..] what stands beside it, and row k of `a` the k-th column
 * of what the reflections make together. */
static void reduce(int64_t n, double *a, double *d, double *e, double *room)
{
    for (int64_t i = n - 1; i > 0; i--) {
        reflect(n, a, d, e, i);
        room[i] = e[i];
    }
    room[0] = d[0] = 0.0;
    for (int64_t i = 0; i < n; i++) e[i] = room[i];
    for (int64_t i = 0; i < n; i++) {
        const double  diagonal = a[i * n + i], h = d[i];
        const double *u        = a + i * n;
        for (int64_t j = 0; h > 0.0 && j < i; j++) { /* the block so far, turned by u */
            double *q = a + j * n, sum = 0.0;
            for (int64_t k = 0; k < i; k++) sum += q[k] * u[k];
            for (int64_t k = 0; k < i; k++) q[k] -= sum / h * u[k];
        }
        d[i] = diagonal;
        for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.0;
        a[i * n + i] = 1.0;
    }
}

static void turn(int64_t n, double *p, double *q, double c, double s)
{
    for (int64_t k = 0; k < n; k++) {
        const double x = p[k], y = q[k];
        p[k]           = c * x - s * y;
        q[k]           = s * x + c * y;
    }
}

/* One implicit QL step on rows l .. m. */
static void step(int64_t n, double *a, double *d, double *e, int64_t l, int64_t m)
{
    double       g = (d[l + 1] - d[l]) / (2.0 * e[l]), r = hypot(g, 1.0), s = 1.0, c = 1.0;
    double       p = 0.0;
    int64_t      i = m - 1;

    g = d[m] - d[l] + e[l] / (g + copysign(r, g));
    for (; i >= l; i--) {
        const double f = s * e[i], b = c * e[i];
        r        = hypot(f, g);
        e[i + 1] = r;
        if (r <= 0.0) {
            d[i + 1] -= p;
            e[m] = 0.0;
            break;
        }
        s        = f / r;
        c        = g / r;
        g        = d[i + 1] - p;
        r        = (d[i] - g) * s + 2.0 * c * b;
        p        = s * r;
        d[i + 1] = g + p;
        g        = c * r - b;
        turn(n, a + i * n, a + (i + 1) * n, c, s);
    }
    if (r <= 0.0 && i >= l) return;
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

static void transpose(int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            const double x = a[i * n + j];
            a[i * n + j]   = a[j * n + i];
            a[j * n + i]   = x;
        }
}

tl_status tl_eigen(tl_ctx *ctx, int64_t n, double *a, double *value)
{
    double   *e = NULL, *room = NULL, size = 0.0; /* of the matrix: rounding is of this size */
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)n + 1, sizeof *e, &e));
    TL_TRY(tl_alloc_array(ctx, (size_t)n + 1, sizeof *room, &room));
    reduce(n, a, value, e, room);
    for (int64_t i = 1; i < n; i++) e[i - 1] = e[i];
    e[n - 1] = 0.0;
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(value[i]) + fabs(e[i]));
    for (int64_t l = 0; l < n; l++)
        for (int iteration = 0;; iteration++) {
            int64_t m = l;
            for (; m < n - 1; m++)
                if (fabs(e[m]) <= 1e-16 * (fabs(value[m]) + fabs(value[m + 1]) + size)) break;
            if (m == l) break;
            if (iteration == MOST_ITERATIONS)
                TL_FAIL(TL_ENAN, "eigen", "no eigenvalues after %d iterations", iteration);
            step(n, a, value, e, l, m);
        }
    transpose(n, a);
done:
    tl_free(ctx, e);
    tl_free(ctx, room);
    return rc;
}
