/* files.h -- records of tokenizer files.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_FILES_H
#define TL_DATA_TOKENIZER_FILES_H
#include "data/tokenizer/inside.h"

typedef struct {
    const char *name, *doc;
    const char
        *file[4]; /* names in a folder                                            */
    const char
        *ending[2]; /* of a file given by itself that has none of the names         */
    tl_status (*load)(tl_ctx *ctx, const char *path, tl_tokenizer *t);
} tl_tokenizer_file;

const tl_tokenizer_file *tl_tokenizer_file_at(size_t i); /* NULL past the end */
/* A whole file, counted into the tokenizer's hash. */
tl_status tl_tokenizer_read(tl_ctx *ctx, tl_tokenizer *t, const char *path,
                            uint8_t **data, size_t *bytes);
/* The file `name` beside `path`: its JSON, or *out NULL where there is none. */
tl_status tl_tokenizer_beside(tl_ctx *ctx, tl_tokenizer *t, const char *path,
                              const char *name, json_t **out);
/* Loads from the JSON of a tokenizer.json. */
tl_status tl_tokenizer_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                                 tl_tokenizer *t);
/* Everything but the model from the text of such a JSON; the model is there. */
tl_status tl_tokenizer_around(tl_ctx *ctx, const char *where, const char *json,
                              tl_tokenizer *t);
/* Special tokens and roles as tokenizer_config.json and special_tokens_map.json beside `path`
 * name them. */
tl_status tl_roles_load(tl_ctx *ctx, const char *path, tl_tokenizer *t);
void      tl_role_set(tl_tokenizer *t, const char *role, int32_t id);
#endif
