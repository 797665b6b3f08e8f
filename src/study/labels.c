/* labels.c -- see labels.h.  Floor 4, study. */
#include "study/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PLAINLY = 5.0; /* so much likelier a class is listed whatever was counted */

typedef struct {
    const float   *p;
    const int32_t *label;
    int64_t        rows;
    int32_t        classes;
    double        *sure;   /* [classes] mean probability of a class over its own rows */
    int64_t       *given;  /* [classes] rows */
    double        *joint;  /* [classes classes] given x true, counted */
    uint8_t       *suspect;
} audit;

static int32_t top_of(const float *p, int32_t classes)
{
    int32_t top = 0;

    for (int32_t c = 1; c < classes; c++)
        if (p[c] > p[top]) top = c;
    return top;
}

double tl_labels_agreement(const float *probability, const int32_t *label, int64_t rows,
                           int32_t classes)
{
    int64_t right = 0;

    for (int64_t r = 0; r < rows; r++)
        right += top_of(probability + r * classes, classes) == label[r];
    return rows > 0 ? (double)right / (double)rows : 0.0;
}

static void measure_sureness(audit *a)
{
    for (int64_t r = 0; r < a->rows; r++) {
        a->sure[a->label[r]] += (double)a->p[r * a->classes + a->label[r]];
        a->given[a->label[r]]++;
    }
    for (int32_t c = 0; c < a->classes; c++)
        a->sure[c] = a->given[c] ? a->sure[c] / (double)a->given[c] : INFINITY;
}

/* The class of which the model is as sure as usual; of several the likeliest of all; -1: none. */
static int32_t confident_class(const audit *a, const float *p)
{
    int32_t found = -1;
    int     many  = 0;

    for (int32_t c = 0; c < a->classes; c++)
        if ((double)p[c] >= a->sure[c] - 1e-6) {
            many++;
            if (found < 0) found = c;
        }
    return many > 1 ? top_of(p, a->classes) : found;
}

/* A row of whole numbers nearest to x that keeps their sum: the largest remainders go up. */
static void round_row(double *x, int32_t n, int64_t sum)
{
    int64_t left = sum;

    for (int32_t c = 0; c < n; c++) left -= (int64_t)floor(x[c]);
    for (; left > 0; left--) {
        int32_t best = 0;
        for (int32_t c = 1; c < n; c++)
            if (x[c] - floor(x[c]) > x[best] - floor(x[best])) best = c;
        x[best] = floor(x[best]) + 1.0;
    }
    for (int32_t c = 0; c < n; c++) x[c] = floor(x[c]);
}

/* Counted, then each row made to sum to the rows of its label. */
static void count_joint(audit *a)
{
    const int32_t n = a->classes;

    for (int64_t r = 0; r < a->rows; r++) {
        const int32_t c = confident_class(a, a->p + r * n);
        if (c >= 0) a->joint[a->label[r] * n + c] += 1.0;
    }
    for (int32_t g = 0; g < n; g++) {
        double *row = a->joint + (int64_t)g * n, sum = 0.0;
        row[g] = fmax(1.0, row[g]);
        for (int32_t c = 0; c < n; c++) sum += row[c];
        for (int32_t c = 0; c < n; c++) row[c] *= (double)a->given[g] / sum;
        round_row(row, n, a->given[g]);
    }
}

typedef struct {
    double  lead; /* of another class over the row's own */
    int64_t row;
} leading;

static int by_lead(const void *a, const void *b)
{
    const leading *x = a, *y = b;

    if (x->lead != y->lead) return x->lead > y->lead ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

/* Of the rows labelled `given`, so many as the joint says are `likely`: those where it leads by
 * most. */
static void mark_pair(audit *a, int32_t given, int32_t likely, leading *room)
{
    const int64_t many = (int64_t)a->joint[(int64_t)given * a->classes + likely];
    int64_t       n    = 0;

    if (many == 0 || a->given[given] < 2) return;
    for (int64_t r = 0; r < a->rows; r++) {
        const float *p = a->p + r * a->classes;
        if (a->label[r] == given)
            room[n++] = (leading){ (double)p[likely] - (double)p[given], r };
    }
    qsort(room, (size_t)n, sizeof *room, by_lead);
    for (int64_t k = 0; k < n && (k < many || room[k].lead == room[many - 1].lead); k++)
        a->suspect[room[k].row] = 1;
}

static void mark_pairs(audit *a, leading *room)
{
    for (int32_t g = 0; g < a->classes; g++)
        for (int32_t c = 0; c < a->classes; c++)
            if (g != c) mark_pair(a, g, c, room);
}

/* So many rows as the joint has off its diagonal: of those where another class is likelier the ones
 * whose own is the least likely; and all where another is PLAINLY likelier. */
static void mark_unlikely(audit *a, leading *room)
{
    const int32_t classes = a->classes;
    double        off     = 0.0;
    int64_t       n       = 0;

    for (int32_t g = 0; g < classes; g++)
        for (int32_t c = 0; c < classes; c++)
            if (g != c) off += a->joint[(int64_t)g * classes + c];
    for (int64_t r = 0; r < a->rows; r++) {
        const float *p   = a->p + r * classes;
        const double own = (double)p[a->label[r]], top = (double)p[top_of(p, classes)];
        if (top > own) room[n++] = (leading){ -own, r };
        if (top > PLAINLY * own) a->suspect[r] = 1;
    }
    qsort(room, (size_t)n, sizeof *room, by_lead);
    for (int64_t k = 0; k < n && (double)k < off; k++) a->suspect[room[k].row] = 1;
}

static int least_likely_first(const void *a, const void *b)
{
    const tl_suspect *x = a, *y = b;

    if (x->own != y->own) return x->own < y->own ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

/* A row whose own label is the likeliest is none, whatever was counted. */
static tl_status gather(tl_ctx *ctx, const audit *a, tl_label_audit *out)
{
    tl_status rc = tl_alloc_array(ctx, (size_t)a->rows, sizeof *out->suspect, &out->suspect);

    if (rc != TL_OK) return rc;
    for (int64_t r = 0; r < a->rows; r++) {
        const float  *p   = a->p + r * a->classes;
        const int32_t top = top_of(p, a->classes);
        if (!a->suspect[r] || top == a->label[r]) continue;
        out->suspect[out->count++] = (tl_suspect){ r, a->label[r], top, (double)p[a->label[r]],
                                                   (double)p[top] };
    }
    qsort(out->suspect, (size_t)out->count, sizeof *out->suspect, least_likely_first);
    return TL_OK;
}

static tl_status keep_joint(tl_ctx *ctx, const audit *a, tl_label_audit *out)
{
    const int32_t n   = a->classes;
    double        off = 0.0;
    tl_status     rc  = tl_alloc_array(ctx, (size_t)n * (size_t)n, sizeof *out->joint, &out->joint);

    if (rc != TL_OK) return rc;
    for (int32_t g = 0; g < n; g++)
        for (int32_t c = 0; c < n; c++) {
            out->joint[(int64_t)g * n + c] = (int64_t)a->joint[(int64_t)g * n + c];
            if (g != c) off += a->joint[(int64_t)g * n + c];
        }
    out->noise = a->rows ? off / (double)a->rows : 0.0;
    return TL_OK;
}

tl_status tl_labels_audit(tl_ctx *ctx, const float *probability, const int32_t *label,
                          int64_t rows, int32_t classes, bool clean, tl_label_audit *out)
{
    const size_t n    = (size_t)classes;
    audit        a    = { .p = probability, .label = label, .rows = rows, .classes = classes };
    leading     *room = NULL;
    tl_status    rc;

    *out = (tl_label_audit){ 0 };
    TL_TRY(tl_alloc_array(ctx, n, sizeof *a.sure, &a.sure));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *a.given, &a.given));
    TL_TRY(tl_alloc_array(ctx, n * n, sizeof *a.joint, &a.joint));
    TL_TRY(tl_alloc(ctx, (size_t)rows, &a.suspect));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *room, &room));
    measure_sureness(&a);
    count_joint(&a);
    if (clean) mark_unlikely(&a, room);
    else mark_pairs(&a, room);
    TL_TRY(gather(ctx, &a, out));
    TL_TRY(keep_joint(ctx, &a, out));
done:
    tl_free(ctx, a.sure);
    tl_free(ctx, a.given);
    tl_free(ctx, a.joint);
    tl_free(ctx, a.suspect);
    tl_free(ctx, room);
    if (rc != TL_OK) tl_label_audit_free(ctx, out);
    return rc;
}

void tl_label_audit_free(tl_ctx *ctx, tl_label_audit *a)
{
    tl_free(ctx, a->suspect);
    tl_free(ctx, a->joint);
    *a = (tl_label_audit){ 0 };
}
