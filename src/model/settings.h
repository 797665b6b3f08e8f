/* settings.h -- a family's config.json as one table: key, field, range, default.  What the table
 * does not hold changes no numbers; what it holds and cannot be is an error by name.
 * Floor 2, model. */
#ifndef TL_MODEL_SETTINGS_H
#define TL_MODEL_SETTINGS_H
#include "model/config.h"

#include <stddef.h>

typedef enum {
    TL_SETTING_INT,    /* int64_t                                                            */
    TL_SETTING_NUMBER, /* double                                                             */
    TL_SETTING_BOOL,   /* bool                                                               */
    TL_SETTING_ACT,    /* tl_activation, by Transformers' names                              */
    TL_SETTING_ONLY    /* no field: the value must be one of `only`, JSON texts with | between */
} tl_setting_kind;

typedef struct {
    const char     *key;
    tl_setting_kind kind;
    size_t          at; /* of the field */
    double          fallback, least, most;
    const char     *only;
} tl_setting;

/* TL_INT_AT(plan, "hidden_size", width, 768, 1, 65536) */
#define TL_INT_AT(type, key, field, fallback, least, most) \
    { key, TL_SETTING_INT, offsetof(type, field), fallback, least, most, NULL }
#define TL_NUMBER_AT(type, key, field, fallback, least, most) \
    { key, TL_SETTING_NUMBER, offsetof(type, field), fallback, least, most, NULL }
#define TL_BOOL_AT(type, key, field, fallback) \
    { key, TL_SETTING_BOOL, offsetof(type, field), fallback, 0, 1, NULL }
#define TL_ACT_AT(type, key, field, fallback) \
    { key, TL_SETTING_ACT, offsetof(type, field), (double)(fallback), 0, 0, NULL }
#define TL_ONLY(key, texts) { key, TL_SETTING_ONLY, 0, 0, 0, 0, texts }

tl_status tl_settings_read(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_setting *table, size_t count, void *out);
/* The fields as a config; NULL: out of memory. */
json_t   *tl_settings_write(const tl_setting *table, size_t count, const void *from);
/* Transformers' name of an activation ("gelu_new", "swish"...), or ours. */
bool      tl_act_of_config(const char *name, tl_activation *out);
#endif
