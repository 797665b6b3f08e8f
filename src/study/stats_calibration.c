/* stats_calibration.c -- do probabilities mean what they say?  The expected error of
 * calibration over 15 bins, Brier's score, the log loss, and the one temperature that makes them
 * best on rows that chose nothing else. Sources: Guo et al. 2017, arXiv:1706.04599; Brier 1950;
 * Platt 1999. Floor 4, study. */
#include "study/stats.h"

#include <math.h>

enum { BINS = 15, STEPS = 60 };

/* Probabilities at a temperature: p^(1/T), made to sum to 1; those of `true` and of the likeliest,
 * and the sum of squares of what is off. */
typedef struct {
    double truth, top, squares;
    bool   right;
} heated;

static heated at_temperature(const float *p, int32_t label, int32_t classes, double t)
{
    heated out = { .top = -1.0 };
    double sum = 0.0, most = -INFINITY;

    for (int32_t c = 0; c < classes; c++) most = fmax(most, log(fmax((double)p[c], 1e-30)) / t);
    for (int32_t c = 0; c < classes; c++) sum += exp(log(fmax((double)p[c], 1e-30)) / t - most);
    for (int32_t c = 0; c < classes; c++) {
        const double x   = exp(log(fmax((double)p[c], 1e-30)) / t - most) / sum;
        const double off = x - (c == label ? 1.0 : 0.0);
        out.squares += off * off;
        if (c == label) out.truth = x;
        if (x > out.top) {
            out.top   = x;
            out.right = c == label;
        }
    }
    return out;
}

tl_calibration tl_calibrate(const float *probability, const int32_t *label, int64_t rows,
                            int32_t classes, double temperature)
{
    tl_calibration k = { .temperature = temperature };
    double         sure[BINS] = { 0.0 }, right[BINS] = { 0.0 };

    for (int64_t r = 0; r < rows; r++) {
        const heated h = at_temperature(probability + r * classes, label[r], classes,
                                        temperature);
        const int    bin = TL_MAX(0, TL_MIN(BINS - 1, (int)ceil(h.top * BINS) - 1));
        sure[bin] += h.top;
        right[bin] += h.right;
        k.brier += h.squares;
        k.log_loss -= log(fmax(h.truth, 1e-300));
    }
    for (int b = 0; b < BINS; b++) k.ece += fabs(right[b] - sure[b]);
    k.ece /= (double)rows;
    k.brier /= (double)rows;
    k.log_loss /= (double)rows;
    return k;
}

/* The log loss has one valley in log T: golden section. */
double tl_temperature(const float *probability, const int32_t *label, int64_t rows,
                      int32_t classes)
{
    const double golden = 0.6180339887498949;
    double       low = log(0.05), high = log(20.0);

    if (rows < 1) return NAN;
    for (int i = 0; i < STEPS && high - low > 1e-6; i++) {
        const double a = high - golden * (high - low), b = low + golden * (high - low);
        if (tl_calibrate(probability, label, rows, classes, exp(a)).log_loss <
            tl_calibrate(probability, label, rows, classes, exp(b)).log_loss)
            high = b;
        else
            low = a;
    }
    return exp(0.5 * (low + high));
}
