/* pooled.h -- candidates whose network is a base's vectors of texts (model/pooled.h): its last
 * hidden states pooled and its texts cut as the base's folder says.  Floor 3, train. */
#ifndef TL_TRAIN_POOLED_H
#define TL_TRAIN_POOLED_H
#include "train/run.h"

/* Does the base's folder say how its vectors are made, and are whole texts asked?  Then a head is
 * solved on these instead of what its own head would take (of BERT the pooler, which a training of
 * vectors leaves as it was).  Not where the folder asks for what Tailor has not. */
tl_status tl_pooled_asked(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, bool *out);
/* The candidate's network, of family "text-knn" or "text-pooled", and its texts.  *texter is the
 * caller's to drop (NULL: the base's own).  TL_EDATA: the folder asks for what Tailor has not. */
tl_status tl_pooled_text(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, const char *family,
                         tl_arch *arch, tl_prep *prep, tl_texter **texter);
/* The run's model with such a network from its base, its head anew. */
tl_status tl_pooled_model(tl_ctx *ctx, const tl_run_spec *spec, tl_model **out);
#endif
