/* json.h -- JSON files through jansson, with our errors and limits; and hashes.  Floor 0.
 * jansson refuses nesting beyond 2,048 levels; values are json_t, ended with json_decref. */
#ifndef TL_CORE_JSON_H
#define TL_CORE_JSON_H
#include "core/core.h"

#include <jansson.h>

/* TL_EDATA "file:line: ..." on malformed text, TL_ELIMIT over `limit` bytes. */
tl_status tl_json_read(tl_ctx *ctx, const char *path, size_t limit, json_t **out);
tl_status tl_json_parse(tl_ctx *ctx, const char *where, const char *text, size_t bytes,
                        json_t **out);
/* Indented, keys in the order they were set; written atomically. */
tl_status tl_json_write(tl_ctx *ctx, const char *path, const json_t *value);
/* The same with all 17 digits of a number, which come back as the same bits. */
tl_status tl_json_write_exact(tl_ctx *ctx, const char *path, const json_t *value);
/* The same into a folder; `value` is taken, NULL reads as out of memory. */
tl_status tl_json_save(tl_ctx *ctx, const char *folder, const char *name, json_t *value);

/* Typed reading with defaults: `fallback` when the key is absent or of another type. */
int64_t     tl_json_int(const json_t *object, const char *key, int64_t fallback);
double      tl_json_number(const json_t *object, const char *key, double fallback);
bool        tl_json_bool(const json_t *object, const char *key, bool fallback);
const char *tl_json_text(const json_t *object, const char *key, const char *fallback);
/* A name that need not be UTF-8, as JSON must: then as tl_one_line has it. */
json_t *tl_json_name(const char *name);
/* A number, or null where it is NaN or infinite (unknown is null, never invented). */
json_t     *tl_json_real(double value);

/* SHA-256 as 64 hex digits and a zero byte. */
typedef struct tl_hash tl_hash;
tl_status tl_hash_new(tl_ctx *ctx, tl_hash **out);
void      tl_hash_add(tl_hash *hash, const void *data, size_t bytes);
void      tl_hash_end(tl_ctx *ctx, tl_hash *hash, char hex[65]); /* frees it */
void      tl_hash_bytes(const void *data, size_t bytes, char hex[65]);
tl_status tl_hash_file(tl_ctx *ctx, const char *path, char hex[65]);
#endif
