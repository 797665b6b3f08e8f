/* candidate.h -- a route with its base and hyperparameters, and the routes themselves.
 * A new route: its record in train/routes/, its line in routes.def.  Floor 3, train. */
#ifndef TL_TRAIN_CANDIDATE_H
#define TL_TRAIN_CANDIDATE_H
#include "bundle/model.h"
#include "train/optim.h"

/* Of gradient-boosted trees; scikit-learn's HistGradientBoosting has the same. */
typedef struct {
    int64_t most;       /* rounds of trees                                                 */
    int64_t leaves;     /* of a tree                                                       */
    int64_t least_rows; /* of a leaf                                                       */
    int64_t patience;   /* rounds without a lower validation loss; 0: all are grown        */
    double  rate, l2;
} tl_tree_settings;

/* Everything that changes a run's numbers; dotted names of overrides are the field names. */
typedef struct {
    const char *optimizer, *schedule, *augment; /* names in their registries               */
    const char *scaling;     /* of a table's numbers: "standard" or "quantile"               */
    tl_optim_settings optim;
    double   head_rate;      /* of the rate, for the task's head                           */
    double   epochs;         /* of the training rows, raised to least_steps on small data  */
    int64_t  least_steps;
    int64_t  steps;          /* so many of a phase, whatever the epochs; 0: by the epochs   */
    int64_t  batch;          /* rows an optimiser step sees                                */
    int64_t  shards;         /* the batch is this many fixed parts, summed in order; nets
                                with batch statistics take them per part                   */
    double   warmup;         /* share of all steps                                         */
    double   clip;           /* gradient norm; 0: none                                     */
    double   smoothing;      /* of labels                                                  */
    double   dropout;        /* before the head; < 0: the family's default                 */
    double   patience;       /* epochs without a better validation metric; 0: never stop   */
    double   l2_head;        /* a solved head's penalty; < 0: chosen on validation         */
    bool     frozen_norm;    /* batch norms keep the base's statistics                     */
    bool     class_weights;  /* inverse frequency                                          */
    tl_tree_settings trees;
    int64_t  image_size;     /* 0: the base's or the data's                                */
    int64_t  top_blocks;     /* blocks that TL_TRAIN_TOP trains; 0: a third of them; those that
                                adapters join; 0: all                                    */
    bool     cached;         /* what frozen blocks put out is computed once, if nothing is
                                augmented                                                  */
    int64_t  stages;         /* a phase that unfolds does so in so many steps; 0: chosen    */
    double   depth_rate;     /* the rate falls by this factor from step to step downwards   */
    double   anchor;         /* penalty (anchor / 2) |w - w0|^2, w0 what the run began with */
    double   anchor_head;    /* (anchor_head / 2) |w|^2 of the new head beside it           */
    double   shrink, perturb;/* TL_START_SHRUNK: w = shrink w + N(0, perturb^2)             */
    double   average;        /* share of what was learnt in the weights that are kept, the rest
                                is what the run began with; 0: all of it                    */
    double   replay;         /* old rows for each new one, of a route that repeats some      */
    double   ema;            /* the weights' running mean is what is evaluated and kept; its
                                decay at most; 0: none                                      */
    double   mixup, cutmix;  /* Beta(a, a) of the shares; 0: none                          */
    double   erase;          /* probability; < 0: the augmentation's own                   */
    double   pretrain_epochs;/* without labels, before a phase that is `pretrained`         */
    double   mask;           /* share of a picture that is hidden meanwhile, or of a text  */
    int64_t  block;          /* tokens of a language model's rows; 0: chosen                */
    bool     whole_words;    /* a text's words are hidden whole                            */
    double   teacher_epochs; /* of the teacher of a phase that is `taught`                 */
    double   temperature;    /* that softens its answers, and the student's                */
    double   distill;        /* share of the loss that is agreement with it                */
    bool     balanced;       /* as many rows of each class as of any other                 */
    bool     retry;          /* once more at a tenth of the rate after a NaN               */
    tl_adapt adapt;          /* what joins the base's products; its settings are "lora.r" and
                                so on whatever the kind, which is the route's               */
    bool     lr_given, momentum_given, beta2_given; /* asked for: another optimiser keeps them */
} tl_hyper;

/* In this order: from TL_TRAIN_TOP on the weights that the base brought move. */
typedef enum {
    TL_TRAIN_NOTHING, TL_TRAIN_HEAD, TL_TRAIN_BIASES, TL_TRAIN_ADAPTERS, TL_TRAIN_TOP, TL_TRAIN_ALL
} tl_which;
typedef enum { TL_START_BASE, TL_START_NEW, TL_START_SHRUNK } tl_start;
/* Of an update's rows, old and new, which ones are learnt; elsewhere all are new. */
typedef enum {
    TL_LEARN_ALL, TL_LEARN_NEW, TL_LEARN_SAMPLE /* new ones and some old ones */
} tl_learn;

typedef struct {
    tl_which which;
    bool     solve;        /* the head alone, on features computed once, by L-BFGS          */
    bool     unfolds;      /* becomes hyper.stages phases: blocks join from the top down    */
    bool     pretrained;   /* its weights first learn to fill in masked patches            */
    bool     taught;       /* by the route's teacher, beside the labels                    */
    bool     masked;       /* it is that learning itself (pretrain.c)                      */
    double   lr_scale;
    double   budget_share; /* of the epochs; shares of phases that are not solved sum to 1  */
    int      from;         /* settled (phases.c): blocks below stay as they are, in evaluation
                              mode                                                         */
    int      stages;       /* settled: of the phase that unfolded into this one; else 0      */
    bool     cached;       /* settled: what those blocks put out is computed once           */
} tl_phase;

struct tl_trainer; /* train/trainer.h */

typedef struct tl_route {
    const char *name, *doc, *source;
    const char
        *decision; /* "fine-tune", "feature-extraction", "from-scratch", "hybrid" or
                              "baseline"                                                    */
    const char *action;    /* what it asks to be done, @ for the base: "fine-tune @"          */
    const char *action_with; /* the same where a base takes part that it can do without, or NULL */
    const char *plain;     /* what it is, in the words of a beginner, for the report        */
    bool        needs_base;
    bool        of_texts;   /* only for networks of text                                     */
    bool        vectors;    /* on texts' vectors where the base's folder says how they are made */
    bool        by_request; /* compared only where --routes names it                         */
    bool        own_net;    /* a small network of its own instead of the base's               */
    const struct tl_route *teacher; /* of phases that are taught                              */
    tl_start    start;
    tl_learn    learn;
    const char *update;    /* what it asks to be done to a model in use, @ for the rows it takes:
                              "fine-tune the model on @"; NULL: no answer to that question   */
    tl_phase    phase[3];
    int         phases;    /* 0: nothing is trained                                         */
    /* Rates a practitioner would respect for this route; ask by tl_route_defaults, which
     * fills arch->batch_norms. */
    void (*defaults)(tl_hyper *h, const tl_arch *arch, int64_t train_rows);
    /* After the phases, before the result; may put another model in place; may be NULL. */
    tl_status (*finish)(tl_ctx *ctx, struct tl_trainer *t);
} tl_route;
const tl_route *tl_route_at(size_t i);
const tl_route *tl_route_find(const char *name);
/* The same of what may be done with a model in use, from updates.def. */
const tl_route *tl_update_at(size_t i);
const tl_route *tl_update_find(const char *name);
/* What a route asks to be done, with the base's name in it: "fine-tune letters". */
void tl_route_say(const tl_route *route, const char *base, char *text, size_t room);
tl_status tl_route_defaults(tl_ctx *ctx, const tl_route *route, const tl_arch *arch,
                            int64_t train_rows, tl_hyper *out);

typedef struct {
    const tl_route *route;
    const tl_model *base;     /* borrowed; NULL for scratch and baseline                    */
    tl_arch         arch;     /* of the network trained                                     */
    tl_prep         prep;
    tl_hyper        hyper;
    bool            keep_head; /* the base's head goes on: its classes are the data's first ones */
} tl_candidate;

/* Route, base, architecture, preprocessing and every field above; NULL without memory. */
json_t   *tl_candidate_to_json(const tl_candidate *c);
json_t   *tl_hyper_to_json(const tl_hyper *h);
/* "optim.lr" = "0.01"; TL_EUSAGE says what is known, or what the value should be. */
tl_status tl_hyper_set(tl_ctx *ctx, tl_hyper *h, const char *dotted, const char *value);
const char *tl_hyper_field_at(size_t i); /* dotted names; NULL past the end */

/* What every route starts from before its own defaults. */
void tl_hyper_common(tl_hyper *h, const tl_arch *arch, int64_t train_rows);
/* Grey pictures are often digits or letters: no mirroring by default. */
bool tl_arch_grey(const tl_arch *arch);
/* The small network of routes with own_net, and its pictures: at most 96 a side. */
tl_status tl_student(tl_ctx *ctx, const tl_arch *base, const tl_prep *base_prep,
                     int64_t outputs, tl_arch *arch, tl_prep *prep);
/* The network `text` names for rows of these columns: categories of many levels as embeddings. */
tl_status tl_table_network(tl_ctx *ctx, const tl_schema *columns, const char *text,
                           int64_t outputs, tl_arch *out);
/* The baseline for rows of a table: gradient-boosted trees, and the columns as they take them
 * (*columns is the caller's to drop). */
tl_status tl_baseline_table(tl_ctx *ctx, const tl_dataset *d, tl_arch *out, tl_prep *prep,
                            tl_schema **columns);
/* The baseline's network for pictures of `row`: logistic regression on pixels averaged down to
 * at most 16 a side. */
int64_t   tl_baseline_pool(tl_shape row); /* pixels of a side made one */
tl_status tl_baseline_arch(tl_ctx *ctx, tl_shape row, int64_t outputs, tl_arch *out);
#endif
