/* baseline.c -- what a network has to beat: logistic regression on small pictures, between the
 * full model and the majority class as validation chooses the penalty; or k nearest
 * neighbours, or the regression on histograms of oriented gradients (from 32 pixels a side),
 * where they do better on validation.  Of tables: gradient-boosted trees; of texts: logistic
 * regression on weighted words, and with a base, as a candidate of its own, k nearest neighbours
 * among its vectors (nearest.c).
 * Sources: the multinomial logit model, Cox 1966; Cover and Hart 1967; Dalal and Triggs 2005;
 * Friedman 2001.  Floor 3, train. */
#include "train/histograms.h"
#include "train/neighbours.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_common(h, arch, train_rows);
}

static tl_status finish(tl_ctx *ctx, tl_trainer *t)
{
    tl_status rc;

    TL_TRY(tl_neighbours_finish(ctx, t));
    TL_TRY(tl_histograms_finish(ctx, t));
done:
    return rc;
}

const tl_route tl_route_baseline = {
    .name     = "baseline",
    .doc      = "gradient-boosted trees for tables; logistic regression on weighted words for "
                "text, and nearest neighbours by each base's vectors of it; for pictures "
                "logistic regression or nearest neighbours on pixels, or the regression on "
                "histograms of oriented gradients; or the majority class",
    .source   = "Cox 1966, multinomial logit; Cover and Hart 1967, nearest neighbours; Dalal "
                "and Triggs 2005, HOG; Friedman 2001, gradient boosting; Salton and Buckley "
                "1988, weighted words",
    .decision = "baseline",
    .action   = "take the classical baseline",
    .action_with = "let the nearest texts vote, by the vectors of @",
    .plain =
        "no network: each pixel of a small copy of the picture gets a weight per class, or "
        "each direction of edges in each part of it, or the training pictures most like it "
        "vote; of texts, each word gets a weight, or the training texts vote whose vectors by a "
        "base lie nearest; of tables, many small decision trees are added up",
    .start    = TL_START_NEW,
    .phase    = { { .which = TL_TRAIN_HEAD, .solve = true } },
    .phases   = 1,
    .defaults = defaults,
    .finish   = finish,
};
