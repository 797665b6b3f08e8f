/* config.h -- settings of a config.json, checked: a value out of range, of another type or
 * not supported is TL_EDATA naming the key.  Floor 2, model. */
#ifndef TL_MODEL_CONFIG_H
#define TL_MODEL_CONFIG_H
#include "model/family.h"

/* *out = the key's value within [least, most], or `fallback` where it is absent or null. */
tl_status tl_config_int(tl_ctx *ctx, const char *where, const json_t *config,
                        const char *key, int64_t least, int64_t most, int64_t fallback,
                        int64_t *out);
tl_status tl_config_number(tl_ctx *ctx, const char *where, const json_t *config,
                           const char *key, double least, double most, double fallback,
                           double *out);
tl_status tl_config_bool(tl_ctx *ctx, const char *where, const json_t *config,
                         const char *key, bool fallback, bool *out);
/* Up to `room` integers within [least, most]; *count = 0 where the key is absent. */
tl_status tl_config_ints(tl_ctx *ctx, const char *where, const json_t *config,
                         const char *key, int64_t least, int64_t most, int room,
                         int64_t *out, int *count);
/* The key may be absent; where it is there it must be this text, bool or integer. */
tl_status tl_config_only_text(tl_ctx *ctx, const char *where, const json_t *config,
                              const char *key, const char *only);
tl_status tl_config_only_bool(tl_ctx *ctx, const char *where, const json_t *config,
                              const char *key, bool only);
tl_status tl_config_only_int(tl_ctx *ctx, const char *where, const json_t *config,
                             const char *key, int64_t only);
/* Every key is one of `keys` (NULL-terminated), is known to change no numbers, or is null; any
 * other is TL_EDATA by name: what is not understood is not ignored. */
tl_status tl_config_known(tl_ctx *ctx, const char *where, const json_t *config,
                          const char *const *keys);
/* Sets arch->row where it is not known yet: from input_shape, or from image_size (`size`
 * where absent; 0: then the row stays unknown) and num_channels. */
tl_status tl_config_row(tl_ctx *ctx, const char *where, const json_t *config,
                        int64_t size, tl_arch *arch);
/* arch->config = value, which is taken; NULL reads as out of memory. */
tl_status tl_config_take(tl_ctx *ctx, tl_arch *arch, json_t *value);
json_t   *tl_config_from_ints(const int64_t *value, int count);
#endif
