/* trainer.h -- what run.c, loop.c, solve.c, save.c and forecast.c share: one run in progress.
 * Floor 3, train. */
#ifndef TL_TRAIN_TRAINER_H
#define TL_TRAIN_TRAINER_H
#include "core/energy.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/learnt.h"
#include "train/stepper.h"
#include "train/store.h"

/* Where a run stands; with the weights and moments, all that a checkpoint holds. */
typedef struct {
    int     phase;
    int64_t step;              /* optimiser steps taken in this phase                       */
    int64_t epoch, position;   /* epochs ended; batches taken of the one under way          */
    int64_t evaluated;         /* the step of the last evaluation; -1: none                 */
    bool    has_best;
    double  best_metric, best_loss;
    int64_t best_epoch, best_step;
    double  loss_sum, flops, seconds; /* training loss of the epoch so far, by rows          */
    double  joules;            /* before this process; NaN: not known                      */
    double  rate;              /* of the rate asked for: lower in a second attempt         */
    double  share;             /* of the training gone by at this look                     */
    int64_t loss_rows, earlier_steps, earlier_epochs; /* of the phases before               */
} tl_place;

/* The latest of what is timed again and again in this process. */
enum { TL_TIMES = 64 };
typedef struct {
    float   at[TL_TIMES]; /* by turns */
    int64_t count;        /* ever     */
} tl_times;

typedef struct tl_trainer {
    tl_run_spec   spec;        /* as asked, with batch, shards and micro-batch settled      */
    tl_model     *model;
    tl_schema    *schema;      /* of a table: fitted on the training rows; held             */
    tl_cache     *cache;       /* ... and the rows by it                                    */
    tl_texter    *texter;      /* of text: learnt from the training rows; held; cache is by it */
    tl_learnt     learnt;      /* what of the model's weights may change                    */
    void         *best;        /* [learnt.bytes] of them, at place.best_*                   */
    float        *taught;      /* [train rows, classes] a teacher's answers; NULL: none     */
    float        *ema;         /* [params->floats]; NULL: not asked for                     */
    float        *origin;      /* [params->floats] what the run began with; NULL: not needed*/
    tl_place      at;
    tl_tally      tally;       /* training rows of the epoch so far                         */
    tl_curve_point *curve;
    int64_t       points, room;
    json_t       *tales;       /* what a model of next words wrote at each look; NULL: nothing */
    char          fingerprint[65];
    int64_t       generation;  /* of the next checkpoint                                    */
    double        started, said, saved, save_cost; /* seconds of tl_time_s                  */
    tl_energy     energy;      /* since this process began                                  */
    tl_times      pace;        /* of steps: seconds per FLOP                                */
    tl_times      look;        /* of evaluations on the way: seconds each                   */
    double        solving;     /* seconds that heads took to be solved, features aside      */
    bool          train_known; /* a solved head has scored its own rows: these two          */
    double        train_metric, train_loss;
    int64_t       trained;     /* parameters that learned, where merging hid them; else 0   */
    const char   *stopped;
    char          detail[256];
} tl_trainer;

/* run.c */
tl_status tl_run_settle(tl_ctx *ctx, const tl_run_spec *asked, tl_run_spec *out);
tl_status tl_trainer_model(tl_ctx *ctx, const tl_run_spec *spec, tl_model **out);
double    tl_trainer_seconds(const tl_trainer *t);
double    tl_trainer_joules(tl_trainer *t); /* NaN: not known */
/* Weights as they are now become the best if they score better; a curve point is written.
 * `epochs` have ended. */
tl_status tl_trainer_judge(tl_ctx *ctx, tl_trainer *t, int64_t epochs, double metric,
                           double loss, double lr);
/* The run's model is this one from here on (taken, also on failure): what fits itself. */
tl_status tl_trainer_take(tl_ctx *ctx, tl_trainer *t, tl_model *model);
/* Judges it: its scores on the training rows, and on validation. */
tl_status tl_trainer_score(tl_ctx *ctx, tl_trainer *t);
/* The same of another model than the phases left, with the scores it has: *model is taken. */
tl_status tl_trainer_replace(tl_ctx *ctx, tl_trainer *t, tl_model **model, double metric,
                             double loss);
/* tale.c: of a model of next words one more of t->tales: {"step", "prompt", "text"}. */
tl_status tl_trainer_tale(tl_ctx *ctx, tl_trainer *t);
void      tl_times_add(tl_times *times, double seconds);
void      tl_trainer_forget(tl_trainer *t); /* the epoch's sums start anew */
void      tl_trainer_say(tl_trainer *t, tl_progress *p, bool now);
/* phases.c: the route's phases on this network, and what each trains at which rate. */
/* What the route joins to the candidate's network, and from which block on (phases.c). */
tl_status tl_run_adapters(tl_ctx *ctx, tl_run_spec *spec);
int       tl_run_phases(const tl_run_spec *spec, const tl_params *params);
tl_phase  tl_run_phase(const tl_run_spec *spec, const tl_params *params, int i);
double    tl_run_epochs(const tl_run_spec *spec); /* of all phases with steps */
bool      tl_hyper_augments(const tl_hyper *h);   /* is a picture never seen twice alike? */
bool      tl_run_groups(const tl_run_spec *spec, const tl_params *params); /* batch statistics
                                                      are taken while the body is trained   */
/* adapters.c: texts so short that the places of a prefix are left; nothing where they are. */
tl_status tl_trainer_leave_places(tl_ctx *ctx, tl_trainer *t);
/* loop.c: a phase of optimiser steps, from t->at on. */
tl_status tl_loop_run(tl_ctx *ctx, tl_trainer *t, const tl_phase *phase,
                      const tl_checkpoint *from);
/* How long the phase is; by the loader's count of batches, or without one by division. */
typedef struct { double epochs; int64_t steps, warmup, evaluate_every; } tl_length;
tl_length tl_loop_length(const tl_run_spec *spec, const tl_phase *phase,
                         const tl_loader *loader);
/* How often its first `steps` steps are interrupted to evaluate; `later`: a phase came before. */
int64_t   tl_loop_looks(const tl_run_spec *spec, const tl_length *length, int64_t steps,
                        bool later);
/* solve.c: a phase that solves the head on features. */
tl_status tl_solve_run(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from);
/* save.c */
tl_status tl_trainer_fingerprint(tl_ctx *ctx, tl_trainer *t);
/* With the moments of `s` (NULL: a phase without steps) and `more` sections of the phase. */
tl_status tl_trainer_save(tl_ctx *ctx, tl_trainer *t, tl_stepper *s,
                          const tl_section *more, size_t count);
tl_status tl_trainer_restore(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *c);
tl_status tl_stepper_restore(tl_ctx *ctx, tl_stepper *s, const tl_checkpoint *c);
bool      tl_trainer_save_due(const tl_trainer *t);
/* TL_EUSAGE: the route has a part that only classes have, and no language model learns by it. */
tl_status tl_route_takes_words(tl_ctx *ctx, const tl_route *route);
#endif
