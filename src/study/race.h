/* race.h -- who runs on: the final score of a training, foretold from its validation curve with
 * the foretelling's own error, and what follows from it.  Pure arithmetic over merits (more is
 * better), so that simulated curves can hold it to its rules.  Sources: Jamieson and Talwalkar
 * 2016, Li et al. 2018 (successive halving, arXiv:1603.06560); Domhan et al. 2015 (stopping by
 * extrapolated curves).  Floor 4, study. */
#ifndef TL_STUDY_RACE_H
#define TL_STUDY_RACE_H
#include <stdbool.h>
#include <stdint.h>

/* Of each route's own schedule: at the first a third of its trials goes on, at the second one, or
 * two where validation has few rows. */
enum { TL_RACE_RUNGS = 2 };
extern const double tl_race_rung[TL_RACE_RUNGS];

typedef struct {
    double share, merit; /* of the schedule gone by, 0 .. 1; on validation */
} tl_race_point;

typedef struct {
    double seen, final; /* the best so far; where it will end */
    double error;       /* one standard error of that; infinite where a curve says too little */
} tl_foretold;

/* What became of those foretold at a rung that ran to their end. */
typedef struct {
    int    count, missed; /* ... farther than two errors from what was foretold */
    double square;        /* sum of ((ended - foretold) / error)^2 */
} tl_race_record;

/* A run keeps its best, so its end is no worse than what was seen.  Most of the way to what a
 * power law through the rising best says; the error holds validation's own `noise` and half of
 * the law's gain, and grows by what the record shows.  `top`: no score is better (NaN: none). */
tl_foretold tl_race_foretell(const tl_race_point *point, int64_t count, double noise,
                             double top, const tl_race_record *record);
void        tl_race_learn(tl_race_record *record, const tl_foretold *told, double ended);
bool        tl_race_missed(const tl_foretold *told, double ended);
/* So many of `trials` go on from a rung; `ends` of them, where there are so many, to the end.  Of
 * two one more goes on from the first: two decays of one rate look alike there. */
int         tl_race_kept(int trials, int rung, int ends);
/* Of a route's whole schedule, what racing so many trials takes. */
double      tl_race_work(int trials, int ends);
/* Even the best that may be expected of it (one side, 1 %) lies more than `margin` behind. */
bool        tl_race_lost(const tl_foretold *told, double leader, double leader_error,
                         double margin);
#endif
