/* pretrain.h -- what comes before a phase's first step: the body learns from the pictures or texts
 * without their labels, or a teacher is trained and asked.  Floor 3, train. */
#ifndef TL_TRAIN_PRETRAIN_H
#define TL_TRAIN_PRETRAIN_H
#include "train/trainer.h"

/* A body with a light decoder on its last map, in one store.  Appends body, decoder and loss:
 * x [rows h w c] masked, target [rows units, c], weight [rows units].  Declares the parameters
 * where they are not yet.  TL_EUSAGE: no pictures. */
tl_status tl_decoder_build(tl_net *net, const tl_arch *arch, int64_t rows, tl_stepper *out,
                           tl_decoder *decoder);
tl_status tl_decoder_params(tl_ctx *ctx, const tl_arch *arch, tl_params **out);
/* Half-masked copies of pictures [rows h w c] (a share `mask` of square patches is 0), what was
 * there in the decoder's order, and 1 for each masked pixel.  A function of (seed, epoch,
 * index of the row in the dataset). */
void      tl_mask_batch(const tl_decoder *d, const tl_batch *in, double mask, uint64_t seed,
                        int64_t epoch, float *x, float *target, float *weight);

/* The body of t->model learns to fill in masked patches of the training rows. */
tl_status tl_pretrain_run(tl_ctx *ctx, tl_trainer *t);
double    tl_pretrain_steps(const tl_run_spec *spec);
/* Values with the same name, but for the head's, from one store to the other. */
void      tl_take_body(const tl_params *from, tl_params *to);
/* The same of texts, a language model's run.  It points into itself: it stays where it is, and the
 * run that asks outlives it. */
typedef struct {
    tl_run_spec spec;
    tl_dataset  dataset; /* the run's own, of another task; borrows all of it               */
    tl_route    route;
} tl_words_lesson;
void      tl_pretrain_words_ask(const tl_run_spec *spec, tl_words_lesson *out);
tl_status tl_pretrain_words_run(tl_ctx *ctx, tl_trainer *t);
/* t->taught: what a teacher trained by the route's `teacher` gives each training row. */
tl_status tl_teach_run(tl_ctx *ctx, tl_trainer *t);
/* The teacher's run, as this run asks it; its arch is owned by the caller's spec. */
tl_status tl_teach_spec(tl_ctx *ctx, const tl_run_spec *spec, tl_run_spec *out);
#endif
