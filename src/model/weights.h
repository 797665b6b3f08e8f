/* weights.h -- files of named tensors: safetensors (single, sharded), PyTorch's zip and
 * older pickle forms, llama2.c's checkpoints, read without executing anything in them.  A
 * new format: its file in model/formats/, its line in formats/formats.def.  Floor 2,
 * model. Sources: the safetensors README; torch.serialization; Python's pickletools. */
#ifndef TL_MODEL_WEIGHTS_H
#define TL_MODEL_WEIGHTS_H
#include "core/json.h"
#include "model/family.h"

typedef struct {
    char    *name;
    char     dtype[8];   /* as stored: "F32", "BF16", "F16", "I64"... */
    tl_shape shape;      /* ndim -1: empty, or over TL_DIMS; never loaded */
    const uint8_t *data; /* in the mapping */
    size_t   bytes;      /* from data on; every element lies inside */
    int64_t  stride[TL_DIMS]; /* in elements; PyTorch tensors need not be contiguous */
} tl_weight;

typedef struct {
    tl_weight *weight;
    size_t     count;
    json_t    *metadata;     /* the file's or index's own; NULL: none; owned */
    json_t    *config;       /* what config.json would say, where the format does; or NULL */
    const char *format;      /* "safetensors", "pytorch zip", "pytorch legacy", "llama2.c" */
    void      *hold;         /* mappings */
} tl_weights;

/* A file, or a folder with model.safetensors, its sharded index, pytorch_model.bin, or
 * exactly one weight file.  TL_EDATA "file@offset: ..." on anything malformed. */
tl_status tl_weights_open(tl_ctx *ctx, const char *path, tl_weights *out);
void      tl_weights_close(tl_ctx *ctx, tl_weights *w);
/* True for model.safetensors and the other names that stand for a folder's model. */
bool      tl_weights_custom(const char *name);
/* SHA-256 of the file's bytes; of all shards' one after the other. */
tl_status tl_weights_hash(tl_ctx *ctx, const tl_weights *w, char hex[65]);
tl_status tl_weight_read(tl_ctx *ctx, const tl_weight *w, float *out); /* its count */
/* safetensors, tensors in the order of params; `metadata` (texts by name, may be NULL)
 * and {"format":"pt"} are its __metadata__. */
tl_status tl_weights_save(tl_ctx *ctx, const tl_params *params, const json_t *metadata,
                          const char *path);

/* What happened to each tensor (R19): for the report. */
typedef struct {
    char  **loaded, **fresh, **unused; /* fresh: in the model, not in the file */
    size_t  n_loaded, n_fresh, n_unused;
    const char *scheme;                /* the naming that matched */
} tl_load_report;
void tl_load_report_free(tl_ctx *ctx, tl_load_report *r);
/* Copy weights into sealed params under the family's maps.  A head whose shape differs
 * from the file's is left as it is, and reported fresh; a fresh tensor in the body is
 * TL_EDATA naming it, as is a value that is not finite.  Shapes may differ in axes of
 * 1. */
tl_status tl_weights_load(tl_ctx *ctx, const tl_weights *w, const char *where,
                          const tl_arch *arch, tl_params *params, tl_load_report *report);
/* How many outputs the head in the file has, for a network told by name alone; 0: none
 * found. */
tl_status tl_weights_outputs(tl_ctx *ctx, const tl_weights *w, const char *where,
                             const tl_arch *arch, int64_t *outputs);
#endif
