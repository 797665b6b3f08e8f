/* stepper.h -- one optimiser step: gradients of the batch's parts summed in order, checked,
 * clipped, applied.  A batch of B rows is S shards; a shard may be run as several
 * micro-batches.  Row weights are divided by what the whole batch holds, so that neither cut
 * changes the sum.  Floor 3, train. */
#ifndef TL_TRAIN_STEPPER_H
#define TL_TRAIN_STEPPER_H
#include "data/texts/stream.h"
#include "train/metric.h"
#include "train/run.h"

/* How a decoder's output lies on a picture: cells of the body's last map, pixels of a cell. */
typedef struct { int64_t units, map[2], cell[2]; } tl_decoder; /* units: pixels of a row     */

/* A graph of packed text for so many tokens, and its plan: as the stepper's own while it is the
 * one that runs (packed.c). */
typedef struct {
    int64_t   tokens;
    tl_graph *g;
    tl_plan  *plan;
    tl_tensor taught, x, label, target, weight, loss, logits;
    tl_text_inputs text;
    tl_word_loss words;
    double    flops;
} tl_step_shape;

typedef struct {
    const tl_run_spec *spec;
    tl_model *model;
    tl_graph *g;                   /* of text that of the shape that runs                   */
    tl_plan  *plan;
    tl_tensor taught;              /* a teacher's answers; 0: none                          */
    tl_decoder decoder;            /* of a masked phase                                     */
    int64_t   units;               /* that the loss weighs, of a row: 1, or pixels          */
    tl_tensor x, label, target, weight, loss, logits; /* label or target: classes or shares */
    tl_phase  phase;               /* what it trains                                        */
    int64_t   tokens;              /* of text: room for so many; else 0                     */
    tl_text_inputs text;
    tl_word_loss words;            /* of a language model; loss is its                      */
    tl_asking asking;              /* ... what the step that runs asks                      */
    double    word_weight;         /* ... what each token counts: one over all of the batch */
    float    *counts;              /* of words with tags: [dataset rows] what each weighs in
                                      the loss, 0: it is not learnt; else NULL              */
    tl_step_shape *shape;          /* [shapes] of text                                      */
    int       shapes;
    tl_pack   pack;
    const tl_stream *stream;       /* of text above a cut: what stands for the ids; borrowed */
    int64_t   rows, parts;         /* of one plan; plans in a full batch                    */
    const tl_optimizer *optimizer;
    tl_span  *span;
    int32_t   spans;
    int64_t   grad_floats;
    float    *grad;                /* [grad_floats] of the step                             */
    float    *part;                /* of one part; `grad` itself where there is only one    */
    float    *m, *v;               /* moments; NULL where the optimiser has none            */
    int64_t   m_floats, v_floats;
    tl_optim_work *work;           /* of optimisers by matrix; else NULL                    */
    double   *square;              /* partial sums of the norm                              */
    float    *mixed, *shares;      /* of a mixed batch: [batch, row] and [batch classes]    */
    float    *row_weight;          /* [batch]                                               */
    float    *class_weight;        /* [classes]; NULL: all 1                                */
    float    *state, *state_kept;  /* running statistics: the block's, and before the step  */
    int64_t   state_floats;
    double    flops;               /* of one part                                           */
    float     share;               /* of the gradient that counts: 1, or what clipping leaves */
    const float *origin;           /* [params->floats] of hyper.anchor; borrowed            */
    int64_t   earlier;             /* steps before the first, for what is drawn             */
} tl_stepper;

/* counted: rows, or of a language model tokens. */
typedef struct { double loss, lr; int64_t rows, counted; } tl_step_result;

/* Which parameters move and at which share of the rate, written into model->params. */
void      tl_train_select(tl_params *params, const tl_phase *phase, const tl_hyper *h);
/* The training graph of `rows` rows (of text: with room for out->tokens tokens) into g; params
 * may be unsealed (forecasts). */
tl_status tl_train_graph(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                         tl_params *params, const tl_phase *phase, int64_t rows, tl_graph *g,
                         tl_stepper *out);
bool      tl_hyper_mixes(const tl_hyper *h);
/* What a language model is asked in training (draw 1 is the first step's) or, with draw 0, in
 * every evaluation: the same hidden tokens whatever the seed. */
tl_asking tl_words_asking(const tl_arch *arch, const tl_texter *t, double share, bool whole);
tl_asking tl_run_asking(const tl_run_spec *spec, uint64_t draw);
/* What a batch counts: rows, or where these are words the windows of texts that they are asked in
 * (phases.c). */
int64_t   tl_run_units(const tl_run_spec *spec, tl_rows rows);
/* packed.c, of text: tokens that rows take, at most so many rows: an average, or the longest. */
int64_t   tl_run_tokens(const tl_run_spec *spec, int64_t rows);
int64_t   tl_run_most_tokens(tl_ctx *ctx, const tl_run_spec *spec, int64_t rows);
/* The shape with room for so many tokens becomes the one that runs; made where there is none. */
tl_status tl_stepper_use(tl_ctx *ctx, tl_stepper *s, int64_t tokens);
/* Rows `at` and on of the batch, packed and bound, in the shape that takes them. */
tl_status tl_stepper_pack(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t at);
/* Of words with tags: what those of this step's batch weigh together; settles what each counts. */
int64_t   tl_stepper_weigh_tags(tl_stepper *s, const tl_batch *batch);
/* ... and those of the part that ran, counted. */
void      tl_stepper_count_tags(tl_stepper *s, const tl_batch *batch, int64_t at,
                                tl_tally *tally);
/* Of a language model: tokens that this step's batch is asked; settles what each counts. */
tl_status tl_stepper_ask(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                         int64_t *asked);
tl_status tl_stepper_bind(tl_ctx *ctx, tl_stepper *s); /* parameters and gradients            */

tl_status tl_stepper_new(tl_ctx *ctx, const tl_run_spec *spec, tl_model *model,
                         const tl_phase *phase, tl_stepper *out);
void      tl_stepper_free(tl_ctx *ctx, tl_stepper *s);
/* In a masked phase the batch has targets and weights of every pixel, and tally may be NULL.
 * step counts from 0.  TL_ENAN: nothing was applied, running statistics are as before, and the
 * message names layer, batch and rate. */
tl_status tl_stepper_step(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                          double lr, tl_tally *tally, tl_step_result *out);
#endif
