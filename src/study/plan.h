/* plan.h -- how a budget becomes runs, in forecast seconds: pure arithmetic, so that
 * it can be held to its rules without training anything. Floor 4, study. */
#ifndef TL_STUDY_PLAN_H
#define TL_STUDY_PLAN_H
#include <stdbool.h>

typedef struct {
    double setup_s; /* of one run, whatever its length */
    double work_s;  /* of one run at full length; shrinks with `share` where trained */
    bool   trained; /* by gradient over epochs: its length can be planned */
    bool   anew;    /* starts without a base: beside a base, no likely finalist */
    bool   extra;   /* a mixture of others: the first to be left out */
    int    rival;   /* those of the same route share this number; 0: there are none */
} tl_plan_item;

typedef struct {
    double share;    /* of the epochs of trained candidates; 1 unless time is short */
    bool   one_base; /* trained routes run with the base whose probe validates best */
    int    left_out; /* so many trained routes are not run */
} tl_budget_plan;

/* So many candidates at most. */
enum { TL_PLAN_ITEMS = 256 };
/* Cost of the least study that can end in a verdict: every candidate once, and three
 * more seeds for the `finalists` costliest that are likely to be some. */
double tl_plan_cost(const tl_plan_item *item, int count, const tl_budget_plan *plan,
                    int finalists);
/* True for the items the plan leaves out (extras, then the costliest) or, with one_base,
 * all but the costliest of its rivals: which one runs is known after the probes. */
void tl_plan_skipped(const tl_plan_item *item, int count, const tl_budget_plan *plan,
                     bool *skipped);
/* The mildest plan that fits: all as it is; shorter, down to half; one base for a trained
 * route; then shorter, down to 0.3; then fewer routes; at the last 0.1 for some. */
tl_budget_plan tl_plan_fit(const tl_plan_item *item, int count, double budget_s,
                           int finalists);
#endif
