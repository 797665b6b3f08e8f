/* run.h -- one training of one candidate with one seed on one slice of the data: trained,
 * stopped, checkpointed, resumed to the same bits.  Floor 3, train. */
#ifndef TL_TRAIN_RUN_H
#define TL_TRAIN_RUN_H
#include "train/candidate.h"

typedef struct tl_store tl_store; /* runs.db and events/, in train/store.h */

/* Reported at the first step (within 2 s), then about twice a second, and at epoch ends. */
typedef struct {
    const char *route;
    const char *phase;       /* "features", "head", "train"                                 */
    int64_t     epoch, epochs, step, steps; /* from 1; steps of this epoch                  */
    double      loss, metric, valid_loss, valid_metric; /* NaN where not known yet          */
    double      lr, seconds, eta_seconds;
    bool        epoch_end;
    const char *metric_name; /* "accuracy", "macro-f1"                                      */
} tl_progress;

/* What a run is asked.  Rows and seed decide everything drawn in it. */
typedef struct {
    tl_candidate candidate;
    tl_cache    *cache;                 /* of (dataset, prep); shared between candidates    */
    const tl_dataset *dataset;
    tl_rows      train, valid;          /* borrowed; no other row is ever read              */
    uint64_t     seed;
    const char  *metric;                /* "accuracy" or "macro-f1": what chooses the best  */
    const tl_backend *backend;
    tl_slab     *slab;
    tl_dtype     dtype;
    int64_t      micro_batch;           /* rows of one plan; 0: batch / shards              */
    bool         recompute;             /* blocks are made again in backward, not held: the
                                           same bits in less memory and more time           */
    int64_t      most_steps;            /* stops with "budget" there; 0: none               */
    double       pause_share;           /* stops with "paused" at the first look after this
                                           share of the training, saved to go on from; needs
                                           a checkpoint folder; 0: none                     */
    const char  *checkpoint;            /* folder; NULL: none                               */
    double       checkpoint_every_s;    /* at most 60; 0: 30                                */
    tl_store    *store;                 /* may be NULL                                      */
    int64_t      store_run;             /* its id there                                     */
    const float *features;              /* [dataset->rows, width] cached body outputs for
                                           heads, of tl_run_features; NULL: by the run      */
    const void  *kept;                  /* what frozen blocks put out for the run's rows, of
                                           tl_run_frozen_make; NULL: by the run             */
    bool         aside;                 /* part of another run: writes no tales of its own  */
    double       share;                 /* of the machine, that is its own: so much of the clock's
                                           seconds and joules it takes; 0: all              */
    void (*progress)(void *user, const tl_progress *p);
    void        *user;
} tl_run_spec;

typedef struct {
    int64_t epoch, step;                /* epochs ended, optimiser steps taken              */
    double  train_loss, train_metric;   /* of the epoch so far, while training              */
    double  valid_loss, valid_metric, lr, seconds;
    double  share;                      /* of the training that had gone by; not in runs.db */
} tl_curve_point;

typedef struct {
    tl_model  *model;         /* the best weights by validation; owned; NULL: paused        */
    double valid_metric, valid_loss, train_metric, train_loss; /* of those weights; train
                                 without augmentation, on as many rows as valid has (of a
                                 solved head: on all)                                       */
    int64_t    best_epoch, best_step, epochs_run, steps_run;
    const char     *stopped; /* "epochs", "patience", "interrupted", "nan", "solved",
                                 "budget", "paused"                                         */
    char       stop_detail[256];
    const char *fit;          /* "none", "mild", "severe" (overfit) or "underfit"           */
    tl_curve_point *curve;
    int64_t    points;
    json_t    *tales;         /* what a model of next words wrote at each look: [{"step",
                                 "prompt", "text"}]; owned; NULL: nothing                    */
    double     seconds, flops;
    double     joules;        /* of the whole machine while it ran (core/energy.h); NaN       */
    double     step_s_per_flop; /* median of the latest steps, which a burst of other work on
                                 the machine does not move; NAN: no steps                   */
    double     look_s;        /* the same of an evaluation on all validation rows; NAN: none */
    double     solve_s;       /* what solving heads took, features aside                    */
    size_t     accounted_bytes; /* of peak_bytes, what we allocated ourselves               */
    size_t     peak_bytes;    /* of the process while it ran: accounted and the rest        */
    int64_t    trainable, parameters;
} tl_run_result;

/* Trains, or goes on from spec->checkpoint.  Interrupted with a checkpoint folder: saved and
 * TL_ECANCEL; without one: TL_OK, stopped "interrupted", the best so far.
 * TL_ENAN: not even the first evaluation was finite. */
tl_status tl_run_train(tl_ctx *ctx, const tl_run_spec *spec, tl_run_result *out);
void      tl_run_result_free(tl_ctx *ctx, tl_run_result *r);

/* Body outputs of `rows` of the dataset into their places of features [dataset->rows, width]:
 * one pass that serves every head, seed and trial over this base. */
tl_status tl_run_features(tl_ctx *ctx, const tl_run_spec *spec, tl_rows rows,
                          float *features);

/* What the blocks below a cut put out for a run's rows, which they keep as they came with the base:
 * one pass that serves every seed, setting and route with the same key over the same base, cache,
 * backend and threads. */
typedef struct {
    int    cut;      /* 0: nothing is kept                              */
    size_t bytes;    /* of all rows                                     */
    double flops;    /* to make it                                      */
    char   key[160]; /* cut, batches, precision, after the last comma the rows */
} tl_frozen;
tl_status tl_run_frozen(tl_ctx *ctx, const tl_run_spec *spec, tl_frozen *out);
tl_status tl_run_frozen_make(tl_ctx *ctx, const tl_run_spec *spec, const tl_frozen *frozen,
                             void *to);

/* Memory and FLOPs of the run, from its plans, before anything is trained or allocated.
 * peak_bytes counts what is allocated now, too. */
typedef struct {
    size_t peak_bytes;
    size_t process_bytes; /* the part of it that no allocation of ours shows */
    double flops;         /* of the whole schedule ...                        */
    double look_flops;    /* ... of which evaluating on the way so many, ...  */
    double looks;         /* ... so often; ...                                */
    double solve_flops;   /* ... to solve heads, without their features; ...  */
    double spared_flops;  /* ... of which patience is likely to spare so many */
    double kept_flops;   /* ... and to make what frozen blocks put out, once: so many      */
    double rows;              /* row visits: a training step's count once, a forward's a third */
} tl_run_need;
tl_status tl_run_forecast(tl_ctx *ctx, const tl_run_spec *spec, tl_run_need *out);
/* Without a limit of memory the machine's own is the limit of what may be kept instead of computed:
 * beyond it spec->candidate.hyper.cached is put off. */
tl_status tl_run_keep_what_fits(tl_ctx *ctx, tl_run_spec *spec);
/* May frozen blocks' outputs be kept?  Adapters of every block leave none below them. */
bool      tl_hyper_keeps(const tl_hyper *h);
/* The largest micro-batch (a divisor of batch / shards) whose need fits limit_bytes.  Nets
 * with batch statistics get more shards instead, of at least 8 rows: that is part of the
 * candidate, and `said` gets a line about it (else it is empty).  TL_ELIMIT: not even the
 * smallest fits. */
tl_status tl_run_fit_memory(tl_ctx *ctx, tl_run_spec *spec, size_t limit_bytes,
                            char said[200]);
#endif
