/* pickle.h -- the one unpickler: it builds plain values and runs nothing.  It knows
 * dicts, lists, tuples, numbers, texts, None, and by name the few calls a PyTorch
 * state_dict is made of; any other global is refused by name.  Memory, steps and memo are
 * bounded by the file. Sources: Python's pickletools; torch/serialization.py;
 * torch/_utils.py.  Floor 2, model. Fuzz target: tests/fuzz/pickle.c. */
#ifndef TL_MODEL_PICKLE_H
#define TL_MODEL_PICKLE_H
#include "model/formats/formats.h"

typedef enum {
    TL_PK_NONE, TL_PK_BOOL, TL_PK_INT, TL_PK_REAL, TL_PK_TEXT, TL_PK_LONG, TL_PK_TUPLE,
    TL_PK_LIST, TL_PK_DICT, TL_PK_GLOBAL, TL_PK_STORAGE, TL_PK_TENSOR
} tl_pickle_kind;

/* The bytes a tensor lies in.  Legacy views start `view` elements into the storage
 * `key`. */
typedef struct {
    const tl_weight_dtype *type;
    const uint8_t *key;  /* in the mapping */
    size_t         key_bytes;
    int64_t        numel, view;
    const uint8_t *data; /* NULL until the container has found it */
    size_t         at;   /* offset of the pickle's step, for errors */
} tl_pickle_storage;

typedef struct {
    tl_pickle_storage *storage;
    int64_t            offset;                      /* in elements */
    int                ndim;                        /* -1: empty, or over TL_DIMS */
    int64_t            shape[TL_DIMS], stride[TL_DIMS];
} tl_pickle_tensor;

typedef struct tl_pickle_global tl_pickle_global;
typedef struct tl_pickle_value  tl_pickle_value;
struct tl_pickle_value {
    tl_pickle_kind kind;
    uint32_t       count, room;   /* of item; a dict has key, value, key, value... */
    union {
        int64_t           i;      /* BOOL, INT */
        double            real;
        struct { const uint8_t *at; size_t bytes; } text; /* TEXT; LONG: little-endian */
        tl_pickle_value **item;   /* TUPLE, LIST, DICT */
        const tl_pickle_global *global;
        tl_pickle_storage      *storage;
        tl_pickle_tensor       *tensor;
    };
};

/* Reads pickles out of data[at, end); offsets in errors count from data. */
typedef struct tl_pickle tl_pickle;
tl_status tl_pickle_new(tl_ctx *ctx, const char *where, const uint8_t *data,
                        tl_pickle **out);
void      tl_pickle_free(tl_ctx *ctx, tl_pickle *p); /* and all its values */
/* One pickle from *at; *at moves behind it.  TL_EDATA malformed or refused, TL_ELIMIT. */
tl_status tl_pickle_read(tl_ctx *ctx, tl_pickle *p, size_t *at, size_t end,
                         tl_pickle_value **out);
/* The storages named so far, in the order met; the container fills in their data. */
tl_pickle_storage **tl_pickle_storages(tl_pickle *p, size_t *count);

/* Value of a text key, or NULL. */
tl_pickle_value *tl_pickle_get(const tl_pickle_value *dict, const char *key);
/* All tensors of nested dicts as weights, names joined with dots; wrappers ("state_dict",
 * "model"...) unwrapped; every tensor checked against its storage's data. */
tl_status tl_pickle_weights(tl_ctx *ctx, const char *where, const tl_pickle_value *top,
                            tl_weights *out);

/* Between pickle.c (the machine) and pickle_calls.c (what it may call). */
tl_status tl_pickle_bad(tl_ctx *ctx, const tl_pickle *p, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
tl_status tl_pickle_make(tl_ctx *ctx, tl_pickle *p, size_t bytes, void *out); /* zeroed */
tl_status tl_pickle_note(tl_ctx *ctx, tl_pickle *p, tl_pickle_storage *storage);
size_t    tl_pickle_step(const tl_pickle *p); /* offset of the step at hand */
/* "module", "name" -> the record, or TL_EDATA refusing it by name. */
tl_status tl_pickle_find(tl_ctx *ctx, const tl_pickle *p, const tl_pickle_value *module,
                         const tl_pickle_value *name, const tl_pickle_global **out);
tl_status tl_pickle_call(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *callee,
                         const tl_pickle_value *args, tl_pickle_value *out);
tl_status tl_pickle_persistent(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *id,
                               tl_pickle_value *out);
#endif
