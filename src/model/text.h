/* text.h -- what families of text share: sizes, how a config ends,
 * and rotary angles.  Floor 2, model. */
#ifndef TL_MODEL_TEXT_H
#define TL_MODEL_TEXT_H
#include "model/settings.h"

/* Ends a family's configure: the row is [most] tokens, a language model's outputs are the
 * vocabulary, `config` (taken; NULL reads as out of memory) is what the arch keeps.  TL_EDATA where
 * the family is asked for what it has no class for. */
tl_status tl_text_settle(tl_ctx *ctx, const char *where, tl_arch *arch, int64_t most,
                         int64_t vocab, json_t *config);
/* "FAMILY:6x384": layers and width, in heads of 64; false when it is not that. */
bool      tl_text_size(const char *size, int64_t *layers, int64_t *width);

/* Whether layer i looks through a window: layer_types says so, else `fallback`.  Other kinds of
 * layer are TL_EDATA. */
tl_status tl_text_check_layers(tl_ctx *ctx, const char *where, const json_t *config);
bool      tl_text_slides(const json_t *config, int64_t i, bool fallback);
/* Copies what is read as it stands (rope_parameters, layer_types...) into the config `to`. */
void      tl_text_keep(json_t *to, const json_t *config);

/* Rotary angles from a config's rope_theta and rope_scaling, or rope_parameters: default, linear,
 * llama3, yarn.  `key`: a member of rope_parameters for one kind of layer; NULL: none.  Another
 * rope_type is TL_EDATA. */
tl_status tl_text_rope(tl_ctx *ctx, const char *where, const json_t *config, const char *key,
                       double theta, int64_t dim, tl_rope_angles_attr *out);
#endif
