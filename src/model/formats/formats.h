/* formats.h -- what a weight format is to weights.c, and how one fills a tl_weights. A
 * reader gets the whole file as a borrowed mapping and trusts nothing in it.  Floor 2. */
#ifndef TL_MODEL_FORMATS_H
#define TL_MODEL_FORMATS_H
#include "core/io.h"
#include "model/weights.h"

typedef struct {
    const char *name, *doc, *source;
    bool (*mine)(const tl_map *map); /* by the first bytes */
    /* Every weight's data, strides and bytes are checked against the mapping on TL_OK. */
    tl_status (*read)(tl_ctx *ctx, const char *where, const tl_map *map, tl_weights *out);
} tl_weight_format;
const tl_weight_format *tl_weight_format_at(size_t i); /* NULL past the end */

/* One file's bytes, already mapped or in memory (fuzz targets, tests); `out` points into
 * it. On error *out is all zero. */
tl_status tl_weights_parse(tl_ctx *ctx, const char *where, const tl_map *map,
                           tl_weights *out);

/* An empty weight of that name at the end; the format fills the rest. */
tl_status tl_weights_add(tl_ctx *ctx, tl_weights *w, const char *name, size_t bytes,
                         tl_weight **out);
/* "file@offset" into a buffer, for TL_FAIL. */
typedef struct { char text[512]; } tl_place;
const char *tl_place_at(tl_place *place, const char *where, size_t offset);
/* The first characters of an untrusted name, unprintable ones as '?'. */
const char *tl_place_name(tl_place *place, const void *name, size_t bytes);

/* Element types that files hold. */
typedef struct {
    const char *name; /* as safetensors calls it */
    size_t      bytes;
    float (*read)(const uint8_t *at); /* NULL: known, but not a number for a network */
} tl_weight_dtype;
const tl_weight_dtype *tl_weight_dtype_find(const char *name); /* NULL: none */

/* Count of elements of a shape whose dimensions come from a file; false when it, or the
 * bytes, would pass what an int64_t holds.  A scalar has 1. */
bool tl_weight_count(const int64_t *dim, size_t ndim, size_t item_bytes, int64_t *count);
/* Plain row-major strides of w->shape. */
void tl_weight_plain(tl_weight *w);

extern const tl_weight_format tl_weight_format_safetensors;
extern const tl_weight_format tl_weight_format_pytorch_zip;
extern const tl_weight_format tl_weight_format_pytorch_legacy;
extern const tl_weight_format tl_weight_format_llama2c;
#endif
