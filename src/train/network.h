/* network.h -- the network and input that a candidate begins with, by its route.
 * Floor 3, train. */
#ifndef TL_TRAIN_NETWORK_H
#define TL_TRAIN_NETWORK_H
#include "train/candidate.h"

bool      tl_route_is_baseline(const tl_route *route);
/* The base's own, with a head for this data. */
tl_status tl_base_network(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, tl_candidate *c);
/* Fills arch, prep and base of c, whose route is set; `base` (NULL: none) is the model whose
 * network, size or, for a baseline, vectors it takes.  *columns and *texter are the caller's to
 * drop (NULL: none).  *made false: a baseline of pictures or a network without a base, the
 * caller's to choose. */
tl_status tl_route_network(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, tl_candidate *c,
                           tl_schema **columns, tl_texter **texter, bool *made);
#endif
