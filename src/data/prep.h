/* prep.h -- from a decoded picture, or a row of a table, to a network's input: the
 * preprocessing that travels with the model, and the augmentation that training adds.
 * Floor 2, data. */
#ifndef TL_DATA_PREP_H
#define TL_DATA_PREP_H
#include "core/json.h"
#include "data/image.h"
#include "data/tables/schema.h"
#include "data/texts/texter.h"
#include "tensor/shape.h"
#include "tensor/task.h"

typedef struct {
    int64_t height, width, channels;  /* of the network's input                              */
    int64_t resize_short;             /* shorter side first to this; 0: straight to h x w    */
    bool    crop;                     /* centre crop to h x w after resize_short             */
    tl_interpolation interpolation;
    double  scale;                    /* of bytes: 1/255, or 1 for Caffe                     */
    double  mean[3], std[3];          /* (byte * scale - mean) / std, in the network's order */
    bool    bgr;                      /* channels swapped before mean                        */
    tl_schema *table;                 /* rows of a table: how they are coded, and nothing above
                                         counts; borrowed, but for a model's and a cache's   */
    tl_texter *text;                  /* the same of texts                                   */
    double     target_mean, target_scale; /* of numbers that texts are to tell: (y - mean) / scale
                                         is learnt; a table's are in its schema; scale 0: none  */
} tl_prep;
void tl_prep_hold(const tl_prep *prep);          /* one holder more of its table and texter  */
void tl_prep_drop(tl_ctx *ctx, tl_prep *prep);   /* one less; both are NULL then             */
const tl_task *tl_prep_task(const tl_prep *prep); /* a texter, a table's target; else pictures */
/* What a number is learnt by: (y - mean) / scale. */
void      tl_prep_scale(const tl_prep *prep, double *mean, double *scale);
tl_shape  tl_prep_row(const tl_prep *prep);       /* of one input: [h w c], [width], [tokens]  */

/* imagenet (256, crop 224, ImageNet's mean and std), half (the same with mean and std .5), caffe
 * (256, crop 227, BGR minus 104/117/123), cifar (32, ImageNet's mean and std), unit (224, bytes
 * / 255).  Sizes and channels may be set anew by the caller. */
bool      tl_prep_named(const char *name, tl_prep *out);
/* The keys of Hugging Face's preprocessor_config.json, and ours: channels, bgr. */
json_t   *tl_prep_to_json(const tl_prep *prep);
/* out->table, where there is one, is the caller's to drop.  Of text: TL_EDATA, as its tokenizer
 * lies in files of its own (tl_texter_open). */
tl_status tl_prep_from_json(tl_ctx *ctx, const char *where, const json_t *value, tl_prep *out);
/* target_mean and target_scale as tl_prep_to_json told them of text. */
tl_status tl_prep_take_target(tl_ctx *ctx, const char *where, const json_t *prep, tl_prep *out);
/* x: [height width channels] floats.  `image` has prep->channels. */
tl_status tl_prep_apply(tl_ctx *ctx, const tl_prep *prep, const tl_image *image, float *x);

typedef struct {
    bool   flip;            /* left-right, half of the time                                  */
    int    pad_crop;        /* the window moves at random by up to so many pixels of an input of
                               32 (more in proportion); zeros beyond the picture; 0: stays    */
    bool   resized_crop;    /* random area [least_area, 1] and aspect [3/4, 4/3] instead of the
                               moving window, for inputs of 64 pixels and more                */
    double least_area;
    double jitter;          /* brightness, contrast, saturation within 1 +- this; 0: none    */
    int    ops, strength;   /* of RandAugment: operations a picture, each at 0..30           */
    double erase;           /* probability of an erased rectangle (Zhong 2017); 0: none      */
} tl_augment;
/* none; shift (window by 2: for digits, whose mirror means something else); light (flip, window
 * by 2); crop (flip, window by 4 or area from .35); strong (area from .2, jitter and erasing
 * besides); randaugment (crop, and two of RandAugment's operations at 9 of 30). */
const char *tl_augment_name_at(size_t i); /* NULL past the end */
/* Does it cut boxes of random size, from more pixels than prep's resize leaves? */
bool    tl_augment_crops(const tl_augment *a, const tl_prep *prep);
bool    tl_augment_named(const char *name, tl_augment *out);
json_t *tl_augment_to_json(const tl_augment *a);
/* A function of (seed, epoch, index) and the picture alone.  `image` is as decoded, or as
 * prep's resize made it; x is [h w c] floats, normalised. */
tl_status tl_augment_apply(tl_ctx *ctx, const tl_prep *prep, const tl_augment *a, uint64_t seed,
                           int64_t epoch, int64_t index, const tl_image *image, float *x);
#endif
