/* net.h -- layers: they ask the parameter store for weights and append ops.  Families are
 * written in these words and do not know how they are trained; a route acts in here only
 * (linear, conv, act, attention).  Floor 2, model. */
#ifndef TL_MODEL_NET_H
#define TL_MODEL_NET_H
#include "model/adapt.h"
#include "tensor/ops.h"

/* What comes beside packed token ids [t], all I32: each token's place in its sequence [t], where
 * sequences begin and end [sequences + 1], which of two texts a token is of [t]; and what each
 * weighs [t], F32. */
typedef struct {
    tl_tensor positions, offsets, segments, values;
    tl_tensor at, seen, last; /* of a decoder (tl_net.past): tokens kept before this run [1], where
                                 the keys that are seen begin and end [2], the row of this run
                                 whose logits are wanted [1]; all I32                          */
} tl_text_inputs;

/* The loss of a vocabulary's scores, which are never kept: inputs `target` I32 [asked], `weight`
 * F32 [asked] (what each counts; the loss is their weighted sum) and, where not every token is
 * asked, `picked` I32 [asked]: which.  Outputs: the loss, and each asked token's own [asked]. */
typedef struct { tl_tensor target, weight, picked, loss, losses; } tl_word_loss;

typedef struct {
    tl_ctx    *ctx;
    tl_graph  *g;
    tl_params *params;
    bool       training;    /* dropout and batch statistics on                              */
    bool       frozen_norm; /* norms keep their running statistics while training           */
    tl_dtype   dtype;       /* of activations: TL_F32 or TL_BF16                            */
    int        block;       /* of the parameters declared next                              */
    int        live_from;   /* while training, blocks below are as in evaluation            */
    bool       recompute;   /* blocks but the last are not held for backward (tl_graph_segment) */
    int        cut;         /* the network is cut below this block; 0: it is whole          */
    bool       above;       /* of a cut network the part above, fed by the input "cut"      */
    tl_tensor  at_cut;      /* the stream that enters the block above the cut               */
    bool       head;        /* they belong to the head                                      */
    tl_tensor  neck;        /* what the last linear layer of the head took                  */
    bool       optional;    /* a file may lack them                                         */
    int64_t    sequences;   /* room for so many in packed text; 0: as many as rows          */
    tl_text_inputs text;    /* set by tl_arch_build for families of text                    */
    tl_pooling pool;        /* of TL_PART_EMBED                                             */
    int64_t    asked;       /* of a loss: so many tokens are asked; 0: every one            */
    tl_word_loss words;     /* set by tl_arch_build where the loss is asked, not the scores    */
    int64_t    past;        /* of a decoder that keeps keys and values from run to run: tokens
                               there is room for; 0: it keeps none                          */
    int        pasts;       /* tables of them: inputs "past.0"..., kept outputs "kept.0"...,
                               to be bound to the same place                                */
    float      init_sd;     /* of TL_INIT_NORMAL; 0 reads as 0.01, as in nets for pictures  */
    bool       turned;      /* files hold the products declared next [in out]               */
    const tl_adapt *adapt;  /* what joins the products; set by tl_arch_build                */
    bool       packs_tables; /* tables lie in four bits, too; set by tl_arch_build           */
    bool       adapter;     /* the parameters declared next belong to it                    */
    int        adapted;     /* products it has joined                                       */
    uint64_t   dropouts;    /* numbers the dropout streams                                  */
    char       prefix[160]; /* "layer1.0." in front of names                                */
    uint8_t    mark[16];    /* its length before each push                                  */
    int        depth;
    tl_status  status;      /* of the parameter store, where the graph only says TL_EUSAGE  */
} tl_net;

/* Names nest: push "layer1.0", conv "conv1" declares layer1.0.conv1.weight; a pop for each
 * push. */
void tl_net_push(tl_net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tl_net_pop(tl_net *net);

/* A block begins, and x is all that it takes from the blocks below; returns x, or above a cut
 * the input that stands for it.  Families call it once a block, but for the first. */
tl_tensor tl_net_block(tl_net *net, tl_tensor x);

/* The nodes that follow belong to layer `name` under the current prefix. */
void tl_net_layer(tl_net *net, const char *name);

/* The parameter prefix + name: declared on the first build, checked on the others. */
tl_tensor tl_net_param(tl_net *net, const char *name, tl_shape shape, tl_role role, tl_init init,
                       float init_scale);

tl_tensor tl_net_linear(tl_net *net, const char *name, tl_tensor x, int64_t out, bool bias,
                        tl_activation act, tl_init init);
/* *y = act(x w^T + b) with the adapter of the layer whose names are being declared (adapt_net.c);
 * false: none joins it. */
bool      tl_net_adapted(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b, int64_t out,
                         tl_activation act, tl_tensor *y);
/* Learned rows in front of each sequence's keys and values; false: there are none. */
bool      tl_net_prefixed(tl_net *net, tl_tensor offsets, tl_tensor *k, tl_tensor *v,
                          tl_tensor *key_offsets);
typedef struct {
    int64_t out;
    int  kernel[2];        /* height, width; a width of 0 reads as the height               */
    int  stride, dilation, groups; /* 0 reads as 1                                          */
    int  pad;              /* all round                                                     */
    bool same;             /* TensorFlow's SAME instead of `pad`                            */
    bool bias;
    tl_activation act;
    tl_init       init;
} tl_conv_spec;
tl_tensor tl_net_conv(tl_net *net, const char *name, tl_tensor x, const tl_conv_spec *spec);
/* Declares weight, bias, running_mean, running_var under name; residual may be 0. */
tl_tensor tl_net_batch_norm(tl_net *net, const char *name, tl_tensor x, float eps, float momentum,
                            tl_activation act, tl_tensor residual);
tl_tensor tl_net_layer_norm(tl_net *net, const char *name, tl_tensor x, float eps);
/* Scaled, not shifted. */
tl_tensor tl_net_layer_norm_scaled(tl_net *net, const char *name, tl_tensor x, float eps);
tl_tensor tl_net_group_norm(tl_net *net, const char *name, tl_tensor x, int groups, float eps);
tl_tensor tl_net_rms_norm(tl_net *net, const char *name, tl_tensor x, float eps, float plus);
/* Rows of a table [rows width] that is declared under name, in the net's dtype. */
tl_tensor tl_net_embedding(tl_net *net, const char *name, tl_tensor ids, int64_t rows,
                           int64_t width);
/* The last layer of a language model, w [words width]: the words' scores, x times the transpose
 * of w, capped at cap tanh(y / cap) where cap is not 0; or, where net->words asks for it, the
 * loss of them. */
tl_tensor tl_net_words(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b, float cap);
/* The input that says which of two texts a token belongs to; made where a family asks for it. */
tl_tensor tl_net_segments(tl_net *net);
/* The same of what tokens weigh. */
tl_tensor tl_net_values(tl_net *net);
/* attr's dropout counts as tl_net_dropout's p does; its stream is given here. */
tl_tensor tl_net_attention(tl_net *net, tl_tensor q, tl_tensor k, tl_tensor v,
                           tl_tensor offsets, const tl_attention_attr *attr);
tl_tensor tl_net_dropout(tl_net *net, tl_tensor x, float p); /* nothing when not training */
tl_tensor tl_net_flatten(tl_net *net, tl_tensor x);           /* [n ...] -> [n d]         */
/* The dimension of x, counted from the end where negative; 1 after a failed call. */
int64_t   tl_net_dim(const tl_net *net, tl_tensor x, int axis);
#endif
