/* prep.h -- from a decoded picture to a network's input: the preprocessing that travels with
 * the model, and the augmentation that training adds.  Floor 2, data. */
#ifndef TL_DATA_PREP_H
#define TL_DATA_PREP_H
#include "core/json.h"
#include "data/image.h"

typedef struct {
    int64_t height, width, channels;  /* of the network's input                              */
    int64_t resize_short;             /* shorter side first to this; 0: straight to h x w    */
    bool    crop;                     /* centre crop to h x w after resize_short             */
    tl_interpolation interpolation;
    double  scale;                    /* of bytes: 1/255, or 1 for Caffe                     */
    double  mean[3], std[3];          /* (byte * scale - mean) / std, in the file's order    */
    bool    bgr;                      /* channels swapped before mean                        */
} tl_prep;

bool      tl_prep_named(const char *name, tl_prep *out); /* imagenet, half (mean and std .5),
                                                             caffe, cifar, unit               */
json_t   *tl_prep_to_json(const tl_prep *prep);          /* keys of preprocessor_config.json  */
tl_status tl_prep_from_json(tl_ctx *ctx, const char *where, const json_t *value, tl_prep *out);
tl_status tl_prep_apply(tl_ctx *ctx, const tl_prep *prep, const tl_image *image, float *x);

typedef struct {
    bool   flip;            /* left-right, half of the time                                  */
    int    pad_crop;        /* zero border of this many pixels, then a random crop; 0: none  */
    bool   resized_crop;    /* random area [least_area, 1] and aspect [3/4, 4/3]             */
    double least_area;
    double jitter;          /* brightness, contrast, saturation within 1 +- this; 0: none    */
    double erase;           /* probability of an erased rectangle (Zhong 2017); 0: none      */
} tl_augment;
bool    tl_augment_named(const char *name, tl_augment *out); /* none, light, crop, strong     */
json_t *tl_augment_to_json(const tl_augment *a);
/* A function of (seed, epoch, index) alone.  `image` is at least the size prep asks before its
 * crop; x is [h w c] floats, normalised. */
tl_status tl_augment_apply(tl_ctx *ctx, const tl_prep *prep, const tl_augment *a, uint64_t seed,
                           int64_t epoch, int64_t index, const tl_image *image, float *x);
#endif
