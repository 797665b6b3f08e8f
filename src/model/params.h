/* params.h -- the parameter store: named f32 tensors in one block, in forward order, mirrored
 * by gradients and optimiser state.  Opened by a first build of the family (which declares
 * every name), then sealed: from there on an unknown name is an error.  Floor 2, model. */
#ifndef TL_MODEL_PARAMS_H
#define TL_MODEL_PARAMS_H
#include "tensor/graph.h"

typedef enum {
    TL_ROLE_WEIGHT, /* products and convolutions: decays                                    */
    TL_ROLE_BIAS,   /* no decay                                                             */
    TL_ROLE_NORM,   /* scale and shift of norms: no decay                                   */
    TL_ROLE_EMBED,  /* embedding tables                                                     */
    TL_ROLE_STATE   /* running statistics: never trained, saved with the model              */
} tl_role;

/* How a value starts: the paper's rule, drawn from (seed, TL_STREAM_INIT, name). */
typedef enum { TL_INIT_ZERO, TL_INIT_ONE, TL_INIT_HE_NORMAL /* fan out, as ResNets */,
               TL_INIT_HE_NORMAL_IN /* fan in, as CIFAR ResNets */,
               TL_INIT_HE_UNIFORM /* fan in */, TL_INIT_GLOROT_UNIFORM,
               TL_INIT_NORMAL /* sd = `scale` */, TL_INIT_FAN_IN_UNIFORM /* +-1/sqrt(fan in),
               PyTorch's default for layers and biases; fan in = `scale` where it is > 0 */
} tl_init;

typedef struct {
    char    *name;      /* "layer1.0.conv1.weight": the family's own (torchvision's) names  */
    tl_shape shape;
    tl_role  role;
    tl_init  init;
    float    init_scale;
    int      block;     /* depth: 0 is next to the input; what partial and gradual count by */
    bool     head;      /* belongs to the task's head                                       */
    bool     adapter;   /* joined a product (adapt.h); a base lacks it                      */
    bool     optional;  /* a file may lack it: it then starts fresh (BERT's pooler)         */
    bool     packed;    /* frozen in four bits (tensor/nf4.h) behind `packed` of the store, `at`
                           in bytes there; not among its floats                             */
    bool     turned;    /* files hold this product's weight [in out] (GPT-2)                */
    bool     trainable; /* as the current phase says                                        */
    float    lr_scale;  /* of its learning rate, 1 by default                               */
    int64_t  at, count; /* place in the block, in floats                                    */
} tl_param;

/* The packed weights of a store, or of several that are alike; held by each. */
typedef struct {
    atomic_int holders;
    size_t     bytes;
    uint8_t   *data;
} tl_packed;

typedef struct {
    tl_param *param;
    int32_t   count, room;
    int64_t   floats;   /* of the block; parameters start at multiples of 16 floats, the
                           gaps are zero                                                    */
    float    *value;    /* [floats] once sealed; owned                                      */
    bool      sealed;
    size_t    packed_bytes; /* that packed ones take                                        */
    tl_packed *packed;  /* NULL before the first is written                                 */
} tl_params;

tl_status tl_params_new(tl_ctx *ctx, tl_params **out);
void      tl_params_free(tl_ctx *ctx, tl_params *params);
tl_param *tl_params_find(const tl_params *params, const char *name); /* NULL: none */
/* Declare (not sealed) or check (sealed: TL_EUSAGE on an unknown name or another shape).
 * *out stays valid until the next declaration. */
tl_status tl_params_declare(tl_ctx *ctx, tl_params *params, const tl_param *like, tl_param **out);
bool      tl_params_have_state(const tl_params *params); /* running statistics */
tl_status tl_params_seal(tl_ctx *ctx, tl_params *params); /* allocates value, zero */
/* Values by rule, the same on any number of threads; head_only: the head's and what is optional. */
void      tl_params_init(tl_params *params, uint64_t seed, bool head_only, int threads);
/* The same of what the caller does not take from `from`: all but the body's that it has alike. */
void      tl_params_init_beside(tl_params *params, uint64_t seed, const tl_params *from,
                                int threads);
float    *tl_params_value(const tl_params *params, const tl_param *p); /* not of packed ones */
void     *tl_params_place(const tl_params *params, const tl_param *p); /* what a plan is bound to */
/* The values of any parameter, [p->count]. */
void      tl_params_read(const tl_params *params, const tl_param *p, float *to);
tl_status tl_params_write(tl_ctx *ctx, tl_params *params, const tl_param *p, const float *from);
/* The values of q into p; a store whose packed parameters are all those of `from` shares them. */
tl_status tl_params_take(tl_ctx *ctx, tl_params *to, const tl_param *p, const tl_params *from,
                         const tl_param *q);
int64_t   tl_params_numel(const tl_params *params, bool trainable_only); /* states not counted */
tl_status tl_params_copy(tl_ctx *ctx, const tl_params *from, tl_params **out);

/* Runs of trained floats with one rate and one decay rule, in order: what the optimiser, the
 * clip and the gradient block walk over.  The gradient block holds only trained parameters. */
typedef struct {
    int64_t at, grad_at, count;
    float   lr_scale;
    bool    decay;
    int64_t rows, cols;  /* of a weight or table alone in its span, as a matrix; else 1, count */
    bool    head;        /* ... that belongs to the head                                      */
    int64_t m_at, v_at;  /* in the optimiser's state: its to set                              */
} tl_span;
/* `apart`: every parameter has a span of its own. */
tl_status tl_params_spans(tl_ctx *ctx, const tl_params *params, bool apart, tl_span **spans,
                          int32_t *count, int64_t *grad_floats);
/* Place of a trained parameter in the gradient block; -1 when it is frozen. */
int64_t   tl_params_grad_at(const tl_params *params, const tl_param *p);
#endif
