/* adapter.h -- what a route trained beside a frozen base, in the form PEFT has for it: merged into
 * the base's weights, kept beside them as adapter_config.json and adapter_model.safetensors, read
 * back over a base.  Source: Hugging Face PEFT, docs/source/developer_guides/checkpoint.
 * Floor 3, bundle. */
#ifndef TL_BUNDLE_ADAPTER_H
#define TL_BUNDLE_ADAPTER_H
#include "bundle/model.h"

struct tl_adapter {
    json_t    *config; /* of adapter_config.json; owned                                     */
    tl_params *params; /* under PEFT's names: the adapter's and the head's                  */
};

/* *out NULL: nothing that PEFT has a form for (bottlenecks, networks of our own). */
tl_status tl_adapter_of(tl_ctx *ctx, const tl_model *model, tl_adapter **out);
void      tl_adapter_free(tl_ctx *ctx, tl_adapter *adapter);
/* `adapter` NULL: the folder holds none from here on. */
tl_status tl_adapter_save(tl_ctx *ctx, const tl_adapter *adapter, const char *folder);
/* As it was saved; *out NULL: the folder holds none. */
tl_status tl_adapter_load(tl_ctx *ctx, const char *folder, tl_adapter **out);

/* The same network without adapters, what they learned in its weights; `model`'s adapter is kept
 * beside them.  TL_EUSAGE where they cannot be merged. */
tl_status tl_model_merged(tl_ctx *ctx, const tl_model *model, tl_model **out);

/* A folder of PEFT's: the model that its adapter_config.json names (a path as it is or beside the
 * folder), the adapter merged into it, or its prefix in front.  TL_EDATA with place and remedy for
 * a kind or a setting that is not supported, another base's tensors, values that are not finite. */
bool      tl_is_peft(const char *path);
/* What an adapter_config.json says; the targets are left to the tensors. */
tl_status tl_peft_config(tl_ctx *ctx, const char *where, json_t *config, tl_adapt *out);
tl_status tl_peft_open(tl_ctx *ctx, const char *folder, tl_model **out);
#endif
