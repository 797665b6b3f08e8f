/* graph_inside.h -- what graph.c and autodiff.c share and nobody else sees.  Floor 1, tensor. */
#ifndef TL_TENSOR_GRAPH_INSIDE_H
#define TL_TENSOR_GRAPH_INSIDE_H
#include "tensor/op.h"

typedef struct tl_chunk tl_chunk;

struct tl_graph {
    tl_ctx          *ctx;
    tl_status        status;    /* of the first failure */
    tl_chunk        *chunks;    /* the arena, newest first */
    tl_tensor_info **info;      /* [1 .. tensors]; entries do not move */
    tl_node        **node;      /* [0 .. nodes)  ; entries do not move */
    tl_tensor       *gradient;  /* [0 .. gradients): of each tensor that was there when the
                                   backward pass was made; NULL before */
    bool            *live;      /* [1 .. tensors] scratch of tl_graph_flops */
    int32_t         *segment;   /* [segments]: the node each begins with */
    int32_t          tensors, nodes, info_room, node_room, live_room, gradients;
    int32_t          segments, segment_room;
    const char      *layer;
    bool             in_backward;
};
#endif
