/* model.h -- a model directory as one thing: network, weights, preprocessing, labels,
 * task and where it came from; opened, saved, asked.  The directory is Hugging Face
 * style: config.json, model.safetensors, preprocessor_config.json or a tokenizer's files,
 * tailor.json.  Floor 3,
 * bundle: sees data, model, tensor, core. */
#ifndef TL_BUNDLE_MODEL_H
#define TL_BUNDLE_MODEL_H
#include "data/texts/stream.h"
#include "data/loader.h"
#include "model/weights.h"
#include "tensor/plan.h"

typedef struct tl_adapter tl_adapter; /* bundle/adapter.h */

typedef struct {
    char      *path;       /* where it was opened from; owned */
    const tl_task *task;   /* as its preprocessing says */
    tl_arch    arch;
    tl_params *params;
    tl_prep    prep;       /* its table and texter are held */
    char     **class_name; /* [arch.outputs]; NULL: not known (bare weights) */
    float     *threshold;  /* [arch.outputs] of several labels: said from this probability on;
                              NULL: a half */
    json_t    *provenance; /* tailor.json's free part (licence, metrics); or NULL */
    tl_adapter *adapter;   /* what was merged into params, apart; or NULL; owned */
    tl_load_report loaded;
    char       sha256[65]; /* of the weight files */
} tl_model;

/* What a network is asked where the task is this. */
tl_ask tl_ask_of_task(const tl_task *task);
/* What `arch` was made for, at its own input size. */
tl_status tl_model_default_prep(tl_ctx *ctx, const tl_arch *arch, tl_prep *out);

/* A directory, a bare weight file, or a folder holding exactly one; recognised by config,
 * tensor names or `arch` ("squeezenet1_0", may be NULL).  Keeps the head it came with. */
tl_status tl_model_open(tl_ctx *ctx, const char *path, const char *arch, tl_model **out);
tl_status tl_model_new(tl_ctx *ctx, const tl_arch *arch, const tl_prep *prep,
                       char *const *class_name, uint64_t seed, tl_model **out);
/* The same, but what the body has alike in `from`, and the caller takes from it, is not drawn. */
tl_status tl_model_beside(tl_ctx *ctx, const tl_arch *arch, const tl_prep *prep,
                          char *const *class_name, uint64_t seed, const tl_params *from,
                          tl_model **out);
/* The same body with a fresh linear head of `outputs`, initialised from seed; dropout <
 * 0: the family's default. */
tl_status tl_model_with_head(tl_ctx *ctx, const tl_model *base, int64_t outputs,
                             char *const *class_name, double dropout, uint64_t seed,
                             tl_model **out);
/* The same body asked for words, next or hidden ones, with what the base has of that head; what
 * it lacks begins anew.  TL_EUSAGE: the family has no such head. */
tl_status tl_model_with_words(tl_ctx *ctx, const tl_model *base, tl_ask ask, uint64_t seed,
                              tl_model **out);
/* What such a network with such a preprocessing is for. */
const tl_task *tl_model_task(const tl_arch *arch, const tl_prep *prep);
/* The same network for more classes: the first ones are the base's own, whose rows of the head keep
 * their bits; the others begin anew. */
tl_status tl_model_with_classes(tl_ctx *ctx, const tl_model *base, int64_t outputs,
                                char *const *class_name, double dropout, uint64_t seed,
                                tl_model **out);
/* Its products and tables into four bits (tensor/nf4.h), for good: only as the frozen base of
 * routes that take them so, which then share them.  The full weights are given back. */
tl_status tl_model_pack(tl_ctx *ctx, tl_model *m);
tl_status tl_model_copy(tl_ctx *ctx, const tl_model *from, tl_model **out);
void      tl_model_free(tl_ctx *ctx, tl_model *model);
/* Atomic, file by file, tailor.json last.  `extra` (borrowed, may be NULL) goes into
 * tailor.json. ResNet and MobileNetV2 carry torchvision's tensor names. */
tl_status tl_model_save(tl_ctx *ctx, const tl_model *model, const json_t *extra,
                        const char *folder);

/* Outputs of the network -> what people are told: probabilities of the classes (of several
 * labels each on its own), or numbers in the target's own unit. */
void tl_model_answer(const tl_model *model, float *y, int64_t rows);
float tl_model_threshold(const tl_model *model, int64_t label);

/* A model ready to be asked: an eval plan of `rows` rows.  The model outlives it.  `slab`
 * may be NULL: then it has its own. */
typedef struct tl_predictor tl_predictor;
tl_status tl_predictor_new(tl_ctx *ctx, const tl_model *model, tl_part part, int64_t rows,
                           const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                           tl_predictor **out);
void      tl_predictor_free(tl_ctx *ctx, tl_predictor *p);
/* Its body as in training, in f32: batch norms take each batch's own statistics, and those kept in
 * the model move towards them.  Only full batches of `rows` rows mean anything. */
tl_status tl_predictor_norms(tl_ctx *ctx, tl_model *model, int64_t rows, const tl_backend *backend,
                             tl_slab *slab, tl_predictor **out);
/* The same of a network cut below block `cut`: TL_PART_BELOW gives the stream that enters it,
 * TL_PART_ABOVE takes that stream for x. */
tl_status tl_predictor_cut(tl_ctx *ctx, const tl_model *model, tl_part part, int cut,
                           int64_t rows, const tl_backend *backend, tl_slab *slab,
                           tl_dtype dtype, tl_predictor **out);
/* Of texts, cut: TL_PART_BELOW keeps what it makes of rows in `to`, which has room for them, and
 * TL_PART_ABOVE is asked on what `stream` (borrowed) keeps of the rows, before the first. */
tl_status tl_predictor_stream(tl_ctx *ctx, tl_predictor *p, const tl_cache *cache, tl_rows rows,
                              const tl_stream *to);
void      tl_predictor_feed(tl_predictor *p, const tl_stream *stream);
/* Of a transformer of text, whatever it is asked: its last hidden states pooled over the tokens of
 * each row's beginning. */
tl_status tl_predictor_pooled(tl_ctx *ctx, const tl_model *model, tl_pooling pool, int64_t rows,
                              const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                              tl_predictor **out);
/* Call after the model's parameters changed. */
tl_status tl_predictor_weights_changed(tl_ctx *ctx, tl_predictor *p);
/* x: [rows, as arch.row]; y: [rows width] logits, or features for TL_PART_BODY; f32 both.
 * Any number of rows: as many runs of the plan as that takes. */
tl_status tl_predictor_run(tl_ctx *ctx, tl_predictor *p, const float *x, int64_t rows,
                           float *y);
int64_t   tl_predictor_width(const tl_predictor *p); /* of y */
int64_t   tl_predictor_row(const tl_predictor *p);   /* floats of a row of x */
/* Rows of the loader's cache in order -> y [rows.count width]. */
tl_status tl_predictor_rows(tl_ctx *ctx, tl_predictor *p, tl_cache *cache, tl_rows rows,
                            float *y);
#endif
