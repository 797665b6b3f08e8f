/* plan.c -- the mildest way to fit a comparison into its budget.  Floor 4, study. */
#include "study/plan.h"

#include <math.h>

static const double LEAST_SHARE_OF_ALL = 0.5, LEAST_SHARE = 0.3;
static const double LAST_SHARE = 0.1; /* before nothing at all is trained */

static double item_cost(const tl_plan_item *item, double share)
{
    return item->setup_s + item->work_s * (item->trained ? share : 1.0);
}

/* One of the rivals stands for all: the costliest, and the first of equals. */
static bool stands_aside(const tl_plan_item *item, int count, int i)
{
    for (int j = 0; j < count; j++) {
        if (j == i || item[i].rival == 0 || item[j].rival != item[i].rival) continue;
        const double mine = item_cost(&item[i], 1.0), other = item_cost(&item[j], 1.0);
        if (other > mine || (other >= mine && j < i)) return true;
    }
    return false;
}

/* The one to leave out before the other. */
static bool sooner_out(const tl_plan_item *a, const tl_plan_item *b)
{
    if (a->extra != b->extra) return a->extra;
    return item_cost(a, 1.0) > item_cost(b, 1.0);
}

void tl_plan_skipped(const tl_plan_item *item, int count, const tl_budget_plan *plan,
                     bool *skipped)
{
    for (int i = 0; i < count; i++)
        skipped[i] = plan->one_base && item[i].trained && stands_aside(item, count, i);
    for (int left = plan->left_out; left > 0; left--) {
        int worst = -1;
        for (int i = 0; i < count; i++) {
            if (skipped[i] || !item[i].trained) continue;
            if (worst < 0 || sooner_out(&item[i], &item[worst])) worst = i;
        }
        if (worst < 0) return;
        for (int i = 0; i < count; i++)
            if (i == worst ||
                (plan->one_base && item[i].trained && item[worst].rival != 0 &&
                 item[i].rival == item[worst].rival))
                skipped[i] = true;
    }
}

/* What starts anew is counted as a finalist only where nothing else is trained. */
static void leave_anew(const tl_plan_item *item, int count, bool *skipped)
{
    bool based = false;

    for (int i = 0; i < count; i++)
        based = based || (!skipped[i] && item[i].trained && !item[i].anew);
    for (int i = 0; based && i < count; i++) skipped[i] = skipped[i] || item[i].anew;
}

double tl_plan_cost(const tl_plan_item *item, int count, const tl_budget_plan *plan,
                    int finalists)
{
    bool   skipped[TL_PLAN_ITEMS] = { false };
    double sum                 = 0.0;

    tl_plan_skipped(item, count, plan, skipped);
    for (int i = 0; i < count; i++)
        if (!skipped[i]) sum += item_cost(&item[i], plan->share);
    leave_anew(item, count, skipped);
    for (int f = 0; f < finalists; f++) {
        int costliest = -1;
        for (int i = 0; i < count; i++) {
            if (skipped[i]) continue;
            if (costliest < 0 || item_cost(&item[i], plan->share) >
                                     item_cost(&item[costliest], plan->share))
                costliest = i;
        }
        if (costliest < 0) break;
        sum += 3.0 * item_cost(&item[costliest], plan->share);
        skipped[costliest] = true;
    }
    return sum;
}

/* The largest share in [least, 1] that fits; 0 when none does. */
static double share_that_fits(const tl_plan_item *item, int count, tl_budget_plan plan,
                              double budget_s, int finalists, double least)
{
    plan.share        = 1.0;
    const double full = tl_plan_cost(item, count, &plan, finalists);
    if (full <= budget_s) return 1.0;
    plan.share          = least;
    const double short_ = tl_plan_cost(item, count, &plan, finalists);
    if (short_ > budget_s) return 0.0;
    const double share = least + (1.0 - least) * (budget_s - short_) / (full - short_);
    return fmax(least, floor(share * 20.0) / 20.0);
}

static bool trains(const tl_plan_item *item, int count, const tl_budget_plan *plan)
{
    bool skipped[TL_PLAN_ITEMS] = { false };

    tl_plan_skipped(item, count, plan, skipped);
    for (int i = 0; i < count; i++)
        if (item[i].trained && !skipped[i]) return true;
    return false;
}

tl_budget_plan tl_plan_fit(const tl_plan_item *item, int count, double budget_s,
                           int finalists)
{
    tl_budget_plan plan    = { .share = 1.0 };
    int            trained = 0;

    for (int i = 0; i < count; i++) trained += item[i].trained;
    plan.share =
        share_that_fits(item, count, plan, budget_s, finalists, LEAST_SHARE_OF_ALL);
    if (plan.share > 0.0) return plan;
    plan.one_base = true;
    for (int last = 0; last < 2; last++)
        for (plan.left_out = 0; trains(item, count, &plan); plan.left_out++) {
            plan.share = share_that_fits(item, count, plan, budget_s, finalists,
                                         last ? LAST_SHARE : LEAST_SHARE);
            if (plan.share > 0.0) return plan;
        }
    plan.share    = LEAST_SHARE;
    plan.left_out = trained;
    return plan;
}
