/* race.c -- see race.h.  Floor 4, study. */
#include "study/race.h"

#include <math.h>

const double tl_race_rung[TL_RACE_RUNGS] = { 1.0 / 3.0, 2.0 / 3.0 };

static const double TRUST = 0.7, DOUBT = 0.5, FAR = 2.0, ONE_IN_A_HUNDRED = 2.326;
enum { ETA = 3, LEAST_POINTS = 2, PRIOR_COUNT = 2 };

/* merit = top - rise share^-power through the best so far, by least squares weighted by share. */
typedef struct {
    double top, rise, power, misfit;
} law;

typedef struct {
    double w, x, y, xx, xy;
} sums;

/* The best of the points up to `i`. */
static double best_until(const tl_race_point *p, int64_t i)
{
    double best = -INFINITY;

    for (int64_t k = 0; k <= i; k++) best = fmax(best, p[k].merit);
    return best;
}

static law fit_power(const tl_race_point *p, int64_t count, double power)
{
    sums   s      = { 0 };
    law    l      = { .power = power };
    double best   = -INFINITY;

    for (int64_t i = 0; i < count; i++) {
        best = fmax(best, p[i].merit);
        if (!(p[i].share > 0.0)) continue;
        const double w = p[i].share, x = pow(p[i].share, -power);
        s.w += w, s.x += w * x, s.y += w * best;
        s.xx += w * x * x, s.xy += w * x * best;
    }
    const double spread = s.w * s.xx - s.x * s.x;
    if (spread > 1e-12 * s.w * s.xx) l.rise = fmax(0.0, (s.x * s.y - s.w * s.xy) / spread);
    l.top = (s.y + l.rise * s.x) / s.w;
    best  = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        best = fmax(best, p[i].merit);
        if (!(p[i].share > 0.0)) continue;
        const double e = best - l.top + l.rise * pow(p[i].share, -power);
        l.misfit += p[i].share * e * e;
    }
    return l;
}

/* Two points fit every power: the middle one is taken. */
static law fit(const tl_race_point *p, int64_t count, int64_t useful)
{
    static const double powers[] = { 1.0, 0.25, 0.5, 0.75, 1.25, 1.5, 2.0 };
    const int           tried    = useful > LEAST_POINTS ? 7 : 1;
    law                 best     = fit_power(p, count, powers[0]);

    for (int i = 1; i < tried; i++) {
        const law l = fit_power(p, count, powers[i]);
        if (l.misfit < best.misfit - 1e-15) best = l;
    }
    return best;
}

/* How much wider than foretold the ends have been; two that fell as foretold stand before any. */
static double widening(const tl_race_record *r)
{
    if (!r) return 1.0;
    return sqrt(fmax(1.0, (PRIOR_COUNT + r->square) / (PRIOR_COUNT + r->count)));
}

tl_foretold tl_race_foretell(const tl_race_point *p, int64_t count, double noise, double top,
                             const tl_race_record *record)
{
    tl_foretold told   = { .seen = NAN, .final = NAN, .error = INFINITY };
    int64_t     useful = 0;

    if (count < 1) return told;
    for (int64_t i = 0; i < count; i++) useful += p[i].share > 0.0;
    told.seen = told.final = best_until(p, count - 1);
    if (useful < LEAST_POINTS) return told;
    const law    l    = fit(p, count, useful);
    const double gain = l.rise * (pow(p[count - 1].share, -l.power) - 1.0);
    told.final        = told.seen + TRUST * gain;
    if (!isnan(top)) told.final = fmin(top, told.final);
    /* the farther the end, the more luck at the looks moves it */
    told.error = widening(record) *
                 sqrt(noise * noise / p[count - 1].share + DOUBT * DOUBT * gain * gain);
    return told;
}

bool tl_race_missed(const tl_foretold *told, double ended)
{
    return isfinite(told->error) && fabs(ended - told->final) > FAR * told->error;
}

void tl_race_learn(tl_race_record *record, const tl_foretold *told, double ended)
{
    if (!isfinite(told->error) || !(told->error > 0.0) || isnan(ended)) return;
    const double z = (ended - told->final) / told->error;
    record->count++;
    record->missed += tl_race_missed(told, ended);
    record->square += z * z;
}

int tl_race_kept(int trials, int rung, int ends)
{
    const bool last  = rung + 1 == TL_RACE_RUNGS;
    const int  third = last ? 1 : (trials + ETA - 1) / ETA;
    const int  least = last || ends < 2 ? ends : ends + 1;

    return third > least ? third : trials < least ? trials : least;
}

double tl_race_work(int trials, int ends)
{
    double work = 0.0, before = 0.0;

    for (int rung = 0; rung < TL_RACE_RUNGS; rung++) {
        work += trials * (tl_race_rung[rung] - before);
        before = tl_race_rung[rung];
        trials = tl_race_kept(trials, rung, ends);
    }
    return work + trials * (1.0 - before);
}

bool tl_race_lost(const tl_foretold *told, double leader, double leader_error, double margin)
{
    if (!isfinite(told->error) || isnan(leader)) return false;
    const double apart = sqrt(told->error * told->error + leader_error * leader_error);

    return leader - told->final - ONE_IN_A_HUNDRED * apart > margin;
}
