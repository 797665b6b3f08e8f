/* randaug.h -- the operations of RandAugment, on upright 8-bit pictures.  Floor 2, data. */
#ifndef TL_DATA_RANDAUG_H
#define TL_DATA_RANDAUG_H
#include "data/image.h"

/* In torchvision's order: a draw is one of them. */
typedef enum {
    TL_RAND_IDENTITY, TL_RAND_SHEAR_X, TL_RAND_SHEAR_Y, TL_RAND_TRANSLATE_X,
    TL_RAND_TRANSLATE_Y, TL_RAND_ROTATE, TL_RAND_BRIGHTNESS, TL_RAND_COLOR, TL_RAND_CONTRAST,
    TL_RAND_SHARPNESS, TL_RAND_POSTERIZE, TL_RAND_SOLARIZE, TL_RAND_AUTO_CONTRAST,
    TL_RAND_EQUALIZE, TL_RAND_OPS
} tl_rand_op;

const char *tl_rand_op_name(tl_rand_op op); /* torchvision's */
/* Of strength `bin` 0..30, for a picture of this size; `negative` where the op has a sign. */
double tl_rand_magnitude(tl_rand_op op, int bin, bool negative, const tl_image *image);
/* out: as many bytes as `in` has; not the same memory. */
void   tl_rand_op_apply(tl_rand_op op, double magnitude, const tl_image *in, uint8_t *out);
#endif
