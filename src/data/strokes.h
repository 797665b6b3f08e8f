/* strokes.h -- small pictures made by the project itself: letters and digits drawn with a
 * random pen, slant, place and noise.  For the demo and for tests that need data without
 * files.  Every picture is a function of (seed, index).  Floor 2, data. */
#ifndef TL_DATA_STROKES_H
#define TL_DATA_STROKES_H
#include "core/core.h"

enum { TL_STROKES_SIZE = 28 };
typedef enum { TL_DIGITS, TL_LETTERS } tl_glyphs; /* 10 classes, 26 classes */

int tl_strokes_classes(tl_glyphs glyphs);
/* Grey, bright on dark, [28 28].  `label` in 0 .. classes-1. */
void tl_strokes_draw(tl_glyphs glyphs, int label, uint64_t seed, int64_t index,
                     uint8_t picture[TL_STROKES_SIZE * TL_STROKES_SIZE]);
/* IDX files as MNIST's: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-*, and
 * classes.txt, in `folder` (made if missing); labels go round robin, then shuffled. */
tl_status tl_strokes_write(tl_ctx *ctx, tl_glyphs glyphs, uint64_t seed, int64_t train,
                           int64_t test, const char *folder);
#endif
