/* events.h -- TensorBoard event files: scalars by step.
 * Sources: tensorflow/core/lib/io/record_writer (TFRecord framing, masked CRC32C);
 * tensorflow/core/util/event.proto and framework/summary.proto.  Floor 3, train. */
#ifndef TL_TRAIN_EVENTS_H
#define TL_TRAIN_EVENTS_H
#include "core/core.h"

typedef struct { const char *tag; double value; } tl_scalar;

uint32_t  tl_crc32c(const void *data, size_t bytes);
/* Appends one event to the file at path, which is made with its version record if absent.
 * Scalars that are not finite are left out. */
tl_status tl_events_append(tl_ctx *ctx, const char *path, int64_t step, double wall_s,
                           const tl_scalar *scalar, size_t scalars);
/* Cuts the file after the last whole record of a step <= after_step. */
tl_status tl_events_cut(tl_ctx *ctx, const char *path, int64_t after_step);
#endif
