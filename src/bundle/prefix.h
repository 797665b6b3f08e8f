/* prefix.h -- the keys and values of a prefix in the one tensor that PEFT keeps them in:
 * "prompt_embeddings" [tokens, layers x (keys, values)].  Source: PEFT 0.21,
 * PeftModel.get_prompt.  Floor 3, bundle. */
#ifndef TL_BUNDLE_PREFIX_H
#define TL_BUNDLE_PREFIX_H
#include "bundle/model.h"

extern const char tl_prefix_tensor[]; /* "prompt_embeddings" */
/* Has PEFT a form for it?  The network must take keys of before, which is for Transformers to
 * say. */
bool     tl_prefix_in_peft(const tl_arch *arch);
tl_shape tl_prefix_shape(const tl_params *params);
/* Between the network's own parameters and the tensor's values [tl_prefix_shape]. */
void     tl_prefix_gather(const tl_params *params, float *to);
void     tl_prefix_scatter(const tl_params *params, const float *from);
/* What PEFT's config says beside the kind and the base. */
void     tl_prefix_settings(const tl_model *m, json_t *config);
#endif
