/* code.c -- rows of texts into numbers: fitted on training rows, then applied to any.
 * Floor 2, data. */
#include "core/normal.h"
#include "data/tables/schema.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t parts_of(const tl_column *c)
{
    return c->kind == TL_COLUMN_DATE ? TL_DATE_PARTS : 1;
}

void tl_schema_layout(tl_schema *s, tl_coding coding, tl_scaling scaling)
{
    s->coding  = coding;
    s->scaling = scaling;
    s->fitted  = false;
    s->width   = 0;
    for (int64_t i = 0; i < s->columns; i++) {
        tl_column *c = &s->column[i];
        c->at        = s->width;
        if (c->kind == TL_COLUMN_LEFT_OUT) c->width = 0;
        else if (coding == TL_CODING_TREES) c->width = parts_of(c);
        else if (c->kind == TL_COLUMN_CATEGORY) c->width = c->levels + 1;
        else c->width = parts_of(c) + c->gaps;
        s->width += c->width;
    }
}

bool tl_schema_group(const tl_schema *s, int64_t i, int64_t *at, int64_t *width)
{
    const tl_column *c = &s->column[i];

    *at    = c->at;
    *width = c->width;
    return c->kind == TL_COLUMN_CATEGORY;
}

/* 0: unknown or missing. */
static int64_t slot_of(const tl_column *c, const char *text)
{
    int64_t low = 0, high = c->levels;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int     order  = strcmp(c->level[middle], text);
        if (order == 0) return c->known[middle] ? middle + 1 : 0;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return 0;
}

/* The numbers of a field; false: missing, or not what the column holds. */
static bool parts(const tl_column *c, const char *text, double part[TL_DATE_PARTS])
{
    if (!text || tl_cell_missing(text)) return false;
    if (c->kind == TL_COLUMN_DATE) return tl_cell_date(text, c->day_first, part);
    return tl_cell_number(text, part);
}

/* Place among the knots as a share of the rows, the middle of where equal knots lie. */
static double share_below(const tl_column *c, double x)
{
    int64_t low = 0, high = c->knots;

    while (low < high) { /* first knot not below x */
        const int64_t middle = low + (high - low) / 2;
        if (c->knot[middle] < x) low = middle + 1;
        else high = middle;
    }
    int64_t last = low;
    while (last < c->knots && c->knot[last] == x) last++;
    if (last > low) return 0.5 * (double)(low + last - 1) / (double)(c->knots - 1);
    if (low == 0) return 0.0;
    if (low == c->knots) return 1.0;
    const double between = (x - c->knot[low - 1]) / (c->knot[low] - c->knot[low - 1]);
    return ((double)(low - 1) + between) / (double)(c->knots - 1);
}

static float scaled(const tl_column *c, int64_t k, double x)
{
    if (c->knot) {
        const double p = share_below(c, x);
        return (float)tl_normal_quantile(fmin(fmax(p, 1e-3), 1.0 - 1e-3));
    }
    return (float)fmin(fmax((x - c->mean[k]) * c->scale[k], -1e6), 1e6);
}

static void code_for_net(const tl_column *c, const char *text, float *x)
{
    double        part[TL_DATE_PARTS];
    const int64_t n = parts_of(c);

    memset(x, 0, (size_t)c->width * sizeof *x);
    if (c->kind == TL_COLUMN_CATEGORY) {
        x[text && !tl_cell_missing(text) ? slot_of(c, text) : 0] = 1.0f;
    } else if (parts(c, text, part)) {
        for (int64_t k = 0; k < n; k++) x[k] = scaled(c, k, part[k]);
    } else if (c->gaps) {
        x[n] = 1.0f;
    }
}

static void code_for_trees(const tl_column *c, const char *text, float *x)
{
    const double most = (double)FLT_MAX;
    double     part[TL_DATE_PARTS];
    const bool there = c->kind == TL_COLUMN_CATEGORY || parts(c, text, part);

    if (c->kind == TL_COLUMN_CATEGORY) {
        x[0] = text && !tl_cell_missing(text) ? (float)slot_of(c, text) : 0.0f;
        return;
    }
    for (int64_t k = 0; k < c->width; k++) {
        const double v = there ? part[k] : (double)NAN;
        x[k] = v > most ? FLT_MAX : v < -most ? -FLT_MAX : (float)v;
    }
}

void tl_schema_code(const tl_schema *s, const char *const *field, float *x)
{
    for (int64_t i = 0; i < s->columns; i++) {
        const tl_column *c = &s->column[i];
        if (c->kind == TL_COLUMN_LEFT_OUT) continue;
        if (s->coding == TL_CODING_TREES) code_for_trees(c, field[i], x + c->at);
        else code_for_net(c, field[i], x + c->at);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Quantiles at even shares, from the least value to the largest. */
static tl_status fit_knots(tl_ctx *ctx, tl_column *c, double *value, int64_t n)
{
    const int64_t knots = TL_MIN(n, (int64_t)TL_MOST_KNOTS);
    tl_status     rc    = TL_OK;

    tl_free(ctx, c->knot);
    c->knot  = NULL;
    c->knots = 0;
    if (n < 2) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)knots, sizeof *c->knot, &c->knot));
    qsort(value, (size_t)n, sizeof *value, by_value);
    for (int64_t k = 0; k < knots; k++)
        c->knot[k] = value[(int64_t)llround((double)k / (double)(knots - 1) * (double)(n - 1))];
    c->knots = knots;
done:
    return rc;
}

/* Mean and 1 / sd of a part, 0 for a constant one; sums in row order. */
static void fit_moments(tl_column *c, int64_t k, const double *value, int64_t n)
{
    double mean = 0.0, square = 0.0;

    for (int64_t i = 0; i < n; i++) mean += value[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (value[i] - mean) * (value[i] - mean) / (double)n;
    c->mean[k]  = mean;
    c->scale[k] = square > 1e-24 * (mean * mean + DBL_MIN) ? 1.0 / sqrt(square) : 0.0;
}

static tl_status fit_column(tl_ctx *ctx, tl_schema *s, const tl_schema_rows *rows, int64_t i,
                            double *value)
{
    tl_column *c  = &s->column[i];
    tl_status  rc = TL_OK;

    if (c->kind == TL_COLUMN_CATEGORY) {
        memset(c->known, 1, (size_t)c->levels); /* so that slots are found */
        uint8_t seen[TL_MOST_LEVELS + 1] = { 0 };
        for (int64_t r = 0; r < rows->rows; r++) {
            const char *text = rows->field(rows->user, r, i);
            if (text && !tl_cell_missing(text)) seen[slot_of(c, text)] = 1;
        }
        memcpy(c->known, seen + 1, (size_t)c->levels);
        return TL_OK;
    }
    for (int64_t k = 0; k < parts_of(c); k++) {
        int64_t n = 0;
        for (int64_t r = 0; r < rows->rows; r++) {
            double part[TL_DATE_PARTS];
            if (parts(c, rows->field(rows->user, r, i), part)) value[n++] = part[k];
        }
        fit_moments(c, k, value, n);
        if (s->scaling == TL_SCALING_QUANTILE && c->kind == TL_COLUMN_NUMBER &&
            c->scale[k] > 0.0)
            TL_TRY(fit_knots(ctx, c, value, n));
    }
done:
    return rc;
}

static void fit_target(tl_schema *s, const tl_schema_rows *rows)
{
    double    mean = 0.0, square = 0.0;
    const double n = (double)rows->rows;

    for (int64_t r = 0; r < rows->rows; r++) mean += rows->target(rows->user, r) / n;
    for (int64_t r = 0; r < rows->rows; r++) {
        const double e = rows->target(rows->user, r) - mean;
        square += e * e / n;
    }
    s->target_mean  = mean;
    s->target_scale = square > 0.0 ? sqrt(square) : 1.0;
}

tl_status tl_schema_fit(tl_ctx *ctx, tl_schema *s, const tl_schema_rows *rows)
{
    double   *value = NULL;
    tl_status rc    = TL_OK;

    if (s->task->numbers) fit_target(s, rows);
    if (s->fitted) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows->rows, sizeof *value, &value));
    for (int64_t i = 0; i < s->columns; i++)
        if (s->column[i].kind != TL_COLUMN_LEFT_OUT)
            TL_TRY(fit_column(ctx, s, rows, i, value));
    s->fitted = true;
done:
    tl_free(ctx, value);
    return rc;
}
