/* schedule.c -- learning-rate schedules: factors of the rate as functions of the step.
 * Sources: torch.optim.lr_scheduler; Loshchilov and Hutter 2017 (cosine); Smith and Topin 2018
 * (one-cycle).  Floor 3, train. */
#include "train/optim.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static double constant(double at, double total, const double settings[2])
{
    (void)at, (void)total, (void)settings;
    return 1.0;
}

/* settings: steps between drops as a share of the total, factor of a drop. */
static double step(double at, double total, const double settings[2])
{
    const double every = settings ? settings[0] : 1.0 / 3.0;
    const double drop  = settings ? settings[1] : 0.1;

    return pow(drop, floor(at / (every * total) + 1e-9));
}

/* settings: the last factor. */
static double cosine(double at, double total, const double settings[2])
{
    const double last = settings ? settings[0] : 0.0;

    return last + (1.0 - last) * 0.5 * (1.0 + cos(PI * at / total));
}

static double between(double from, double to, double share)
{
    return to + (from - to) * 0.5 * (1.0 + cos(PI * share));
}

/* PyTorch's two phases: from 1/25 up to 1 in the first 30 %, then down to 1/25e4.
 * settings: share of the rise, divisor of the start. */
static double one_cycle(double at, double total, const double settings[2])
{
    const double rise  = settings ? settings[0] : 0.3;
    const double first = 1.0 / (settings ? settings[1] : 25.0);
    const double top   = rise * total - 1.0, end = total - 1.0;

    if (at <= top) return top > 0.0 ? between(first, 1.0, at / top) : 1.0;
    return end > top ? between(1.0, first / 1e4, (at - top) / (end - top)) : 1.0;
}

/* settings: the last factor. */
static double linear(double at, double total, const double settings[2])
{
    const double last = settings ? settings[0] : 0.0;

    return 1.0 + (last - 1.0) * at / total;
}

/* settings: share of the rise, how many times lower the lowest rate is. */
static double slanted(double at, double total, const double settings[2])
{
    const double rise  = settings ? settings[0] : 0.1;
    const double ratio = settings ? settings[1] : 32.0;
    const double cut   = fmax(1.0, floor(total * rise));
    const double p     = at < cut ? at / cut : 1.0 - (at - cut) / (cut * (1.0 / rise - 1.0));

    return (1.0 + fmax(p, 0.0) * (ratio - 1.0)) / ratio;
}

/* settings: share of the decay, the last factor. */
static double stable_decay(double at, double total, const double settings[2])
{
    const double decay = (settings ? settings[0] : 0.2) * total;
    const double last  = settings ? settings[1] : 0.0;
    const double p     = decay > 0.0 ? (at - (total - decay)) / decay : 0.0;

    return p <= 0.0 ? 1.0 : last + (1.0 - last) * (1.0 - sqrt(fmin(p, 1.0)));
}

static const tl_schedule schedules[] = {
    { "constant", "the same rate throughout", "torch.optim.lr_scheduler.ConstantLR",
      constant },
    { "step", "a tenth after each third", "torch.optim.lr_scheduler.StepLR", step },
    { "cosine", "half a cosine down to zero",
      "Loshchilov and Hutter 2017, arXiv:1608.03983", cosine },
    { "one-cycle", "up for 30 % of the steps, then down",
      "Smith and Topin 2018, arXiv:1708.07120", one_cycle },
    { "linear", "a straight line down to zero", "torch.optim.lr_scheduler.LinearLR",
      linear },
    { "slanted", "a short straight rise, a long straight fall",
      "Howard and Ruder 2018 (ULMFiT), arXiv:1801.06146", slanted },
    { "wsd", "the same rate, then a fall over the last fifth",
      "Haegele et al. 2024, arXiv:2405.18392 (1 - sqrt)", stable_decay },
};

const tl_schedule *tl_schedule_at(size_t i)
{
    return i < TL_COUNT(schedules) ? &schedules[i] : NULL;
}

const tl_schedule *tl_schedule_find(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(schedules); i++)
        if (strcmp(schedules[i].name, name) == 0) return &schedules[i];
    return NULL;
}

double tl_schedule_factor(const tl_schedule *s, int64_t step_now, int64_t total,
                          int64_t warmup, const double settings[2])
{
    if (step_now < warmup) return (double)(step_now + 1) / (double)(warmup + 1);
    return s->factor((double)(step_now - warmup), (double)TL_MAX(total - warmup, 1),
                     settings);
}
