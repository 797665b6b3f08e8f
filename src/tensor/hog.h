/* hog.h -- histograms of oriented gradients of one picture.  Gradients by [-1 0 1] of the channel
 * where they are steepest, the edge row repeated; 9 orientations over half a turn; each pixel
 * votes with its magnitude into the two nearest orientations and the four nearest cells; blocks
 * of 2 x 2 cells, one cell apart, brought to length 1, clipped at 0.2 and again (L2-Hys).
 * Source: Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection", with
 * R-HOG's defaults.  Floor 1, tensor. */
#ifndef TL_TENSOR_HOG_H
#define TL_TENSOR_HOG_H
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { TL_HOG_BINS = 9, TL_HOG_BLOCK = 2, TL_HOG_MOST_CELLS = 32 /* a side */ };

typedef struct {
    int64_t height, width, channels, cell;
} tl_hog;

static inline int64_t tl_hog_width(const tl_hog *h)
{
    return (h->height / h->cell - 1) * (h->width / h->cell - 1) * TL_HOG_BLOCK *
           TL_HOG_BLOCK * TL_HOG_BINS;
}

/* The steepest channel's gradient at a pixel. */
static inline void tl_hog_gradient(const tl_hog *h, const float *x, int64_t i, int64_t j,
                                   double *gx, double *gy)
{
    const int64_t up = i > 0 ? i - 1 : 0, down = i + 1 < h->height ? i + 1 : i;
    const int64_t left = j > 0 ? j - 1 : 0, right = j + 1 < h->width ? j + 1 : j;
    double        most = -1.0;

    for (int64_t c = 0; c < h->channels; c++) {
        const double across = (double)x[(i * h->width + right) * h->channels + c] -
                              (double)x[(i * h->width + left) * h->channels + c];
        const double along = (double)x[(down * h->width + j) * h->channels + c] -
                             (double)x[(up * h->width + j) * h->channels + c];
        if (across * across + along * along <= most) continue;
        most = across * across + along * along;
        *gx  = across;
        *gy  = along;
    }
}

/* Into the cells around: cell[rows columns 9]. */
static inline void tl_hog_vote(const tl_hog *h, int64_t i, int64_t j, double gx,
                               double gy, float *cell)
{
    const double  pi = 3.14159265358979323846, size = (double)h->cell;
    const int64_t rows = h->height / h->cell, columns = h->width / h->cell;
    double        turn = atan2(gy, gx);
    if (turn < 0.0) turn += pi;
    if (turn >= pi) turn -= pi;
    const double bin = turn * TL_HOG_BINS / pi - 0.5, magnitude = sqrt(gx * gx + gy * gy);
    const double y = ((double)i + 0.5) / size - 0.5, x = ((double)j + 0.5) / size - 0.5;
    const int64_t b = (int64_t)floor(bin), r = (int64_t)floor(y), c = (int64_t)floor(x);

    for (int64_t k = 0; k < 8; k++) {
        const int64_t row = r + (k & 1), column = c + (k >> 1 & 1), at = b + (k >> 2);
        const double  near_y = 1.0 - fabs(y - (double)row),
                     near_x  = 1.0 - fabs(x - (double)column);
        const double share   = near_y * near_x * (1.0 - fabs(bin - (double)at));
        if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
        cell[(row * columns + column) * TL_HOG_BINS + (at + TL_HOG_BINS) % TL_HOG_BINS] +=
            (float)(magnitude * share);
    }
}

/* One block of 36: length 1, nothing above 0.2, length 1. */
static inline void tl_hog_normalise(float *v, int64_t n)
{
    const double least = 1e-2; /* gradients are of pixels in 0..1 */

    for (int pass = 0; pass < 2; pass++) {
        double sum = pass == 0 ? least * least : 1e-12;
        for (int64_t k = 0; k < n; k++) sum += (double)v[k] * (double)v[k];
        const double scale = 1.0 / sqrt(sum);
        for (int64_t k = 0; k < n; k++) {
            v[k] = (float)((double)v[k] * scale);
            if (pass == 0 && v[k] > 0.2f) v[k] = 0.2f;
        }
    }
}

/* x [height width channels] -> y [tl_hog_width]. */
static inline void tl_hog_row(const tl_hog *h, const float *x, float *y)
{
    const int64_t rows = h->height / h->cell, columns = h->width / h->cell;
    float         cell[TL_HOG_MOST_CELLS * TL_HOG_MOST_CELLS * TL_HOG_BINS];
    double        gx = 0.0, gy = 0.0;

    memset(cell, 0, (size_t)(rows * columns * TL_HOG_BINS) * sizeof *cell);
    for (int64_t i = 0; i < h->height; i++)
        for (int64_t j = 0; j < h->width; j++) {
            tl_hog_gradient(h, x, i, j, &gx, &gy);
            tl_hog_vote(h, i, j, gx, gy, cell);
        }
    for (int64_t r = 0; r + 1 < rows; r++)
        for (int64_t c = 0; c + 1 < columns; c++, y += 4 * TL_HOG_BINS) {
            const float *top = cell + (r * columns + c) * TL_HOG_BINS;
            memcpy(y, top, 2 * TL_HOG_BINS * sizeof *y);
            memcpy(y + 2 * TL_HOG_BINS, top + columns * TL_HOG_BINS,
                   2 * TL_HOG_BINS * sizeof *y);
            tl_hog_normalise(y, 4 * TL_HOG_BINS);
        }
}
#endif
