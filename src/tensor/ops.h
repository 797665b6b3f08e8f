/* ops.h -- the functions that append ops to a graph.  Shapes in brackets; pictures are
 * [n h w c], weights have PyTorch's order (dense [out in], conv [out in/groups kh kw]), so
 * that files and parameters agree without transposing.  `0` is an absent optional tensor.
 * Values are f32 or bf16 (all of an op's activations alike); parameters, statistics, losses
 * and row weights are f32 always.  Floor 1, tensor. */
#ifndef TL_TENSOR_OPS_H
#define TL_TENSOR_OPS_H
#include "tensor/graph.h"

/* `none` must be 0.  Fused into dense, conv, batch_norm, add; or alone as tl_act.  Where one
 * without tl_act_from_output is asked of those, its builder appends a tl_act instead. */
typedef enum {
    TL_ACT_NONE, TL_ACT_RELU, TL_ACT_RELU6, TL_ACT_LEAKY_RELU, TL_ACT_ELU, TL_ACT_GELU,
    TL_ACT_GELU_TANH, TL_ACT_SILU, TL_ACT_TANH, TL_ACT_SIGMOID, TL_ACT_SOFTPLUS,
    TL_ACT_HARDSWISH, TL_ACT_HARDSIGMOID, TL_ACT_MISH, TL_ACTS
} tl_activation;
const char *tl_act_name(tl_activation act);
bool        tl_act_parse(const char *name, tl_activation *out);
double      tl_act_value(tl_activation act, double x);       /* the definition, in double */
double      tl_act_slope(tl_activation act, double x);       /* its derivative            */
/* True where the slope follows from y alone (relu, relu6, tanh, sigmoid...): such an
 * activation may be fused without saving x. */
bool        tl_act_from_output(tl_activation act);
double      tl_act_slope_from_output(tl_activation act, double y);

/* y [.. out] = act(x [.. in] w^T + b). */
tl_tensor tl_dense(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, tl_activation act);

typedef struct {
    int           stride[2], dilation[2], groups; /* 0 reads as 1                          */
    int           pad[4];                         /* top, left, bottom, right              */
    tl_activation act;
} tl_conv_attr;
/* Padding of TensorFlow's SAME: ceil(in / stride) outputs, the odd row below and right. */
void      tl_pad_same(int64_t size, int kernel, int stride, int dilation, int *before, int *after);
tl_tensor tl_conv(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, const tl_conv_attr *attr);

typedef struct {
    int  kernel[2], stride[2], pad[4];
    bool ceil;          /* PyTorch's and Caffe's ceil mode: a window must start inside      */
    bool count_padding; /* average over padding too                                         */
} tl_pool_attr;
tl_tensor tl_max_pool(tl_graph *g, tl_tensor x, const tl_pool_attr *attr);
tl_tensor tl_avg_pool(tl_graph *g, tl_tensor x, const tl_pool_attr *attr);
tl_tensor tl_global_avg_pool(tl_graph *g, tl_tensor x); /* [n h w c] -> [n c] */
tl_tensor tl_global_max_pool(tl_graph *g, tl_tensor x);

/* y = act(gamma * (x - mean) / sqrt(var + eps) + beta [+ residual]) over the last axis'
 * channels.  `batch`: statistics of this batch, and running ones moved by momentum (variance
 * unbiased, as PyTorch); otherwise the running ones are used and not a bit of them changes.
 * Where a convolution made x and nothing of it trains, the norm goes into its weights. */
typedef struct { float eps, momentum; bool batch; tl_activation act; } tl_batch_norm_attr;
tl_tensor tl_batch_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta,
                        tl_tensor mean, tl_tensor var, tl_tensor residual,
                        const tl_batch_norm_attr *attr);
tl_tensor tl_layer_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta, float eps);
tl_tensor tl_group_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta, int groups,
                        float eps);

/* y = x / sqrt(mean of x^2 + eps) * (gamma + plus) over the last axis. */
tl_tensor tl_rms_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, float eps, float plus);

/* Attention over packed rows: whole sequences one behind the other, `offsets` I32 [n + 1] beside
 * them.  A query at place p sees the keys from p - before to p + after of its sequence. */
typedef struct {
    int     heads, kv_heads;   /* kv_heads divides heads                                    */
    int64_t before, after;     /* -1: all; causal is after = 0                              */
    int64_t length;            /* without offsets: rows of each sequence; 0: one sequence   */
    float   scale, softcap;    /* softcap 0: none                                           */
    float    dropout;          /* of probabilities; the rest are scaled up by 1 / (1 - it)  */
    uint32_t stream;           /* dropout's own, as tl_dropout's                            */
} tl_attention_attr;
/* k = v = 0: q holds q, k and v side by side.  offsets, key_offsets may be 0 (attrs.h). */
tl_tensor tl_attention(tl_graph *g, tl_tensor q, tl_tensor k, tl_tensor v, tl_tensor offsets,
                       tl_tensor key_offsets, const tl_attention_attr *attr);

enum { TL_MOST_ROPE = 256 }; /* pairs of values that turn in one head */
typedef struct {
    int   half;                  /* pairs                                                   */
    float inverse[TL_MOST_ROPE]; /* radians per place of each pair                          */
    float factor;                /* of cos and sin; 1 but for some scalings                 */
} tl_rope_angles_attr;
typedef struct { int heads, dim; bool interleaved; } tl_rope_spec;
/* Cosines [t half] of each row's position; the sines are its output 1. */
tl_tensor tl_rope_angles(tl_graph *g, tl_tensor positions, const tl_rope_angles_attr *attr);
tl_tensor tl_rope(tl_graph *g, tl_tensor x, tl_tensor cosine, tl_tensor sine,
                  const tl_rope_spec *spec);

typedef enum { TL_POOL_FIRST, TL_POOL_LAST, TL_POOL_MEAN } tl_pooling;
tl_tensor tl_sequence_pool(tl_graph *g, tl_tensor x, tl_tensor offsets, tl_pooling kind);

/* act(gate) * up; up 0: both halves of gate's last axis. */
tl_tensor tl_glu(tl_graph *g, tl_tensor gate, tl_tensor up, tl_activation act);
tl_tensor tl_act(tl_graph *g, tl_tensor x, tl_activation act);
/* Zeroes with probability p and scales the rest by 1/(1-p); recomputed, not stored. */
tl_tensor tl_dropout(tl_graph *g, tl_tensor x, float p, uint64_t stream);
tl_tensor tl_softmax(tl_graph *g, tl_tensor x);     /* over the last axis */
tl_tensor tl_log_softmax(tl_graph *g, tl_tensor x);

/* Scalar sum_r weight[r] * loss_r.  target: I32 [rows] class numbers (-1: the row counts
 * nothing) or F32 [rows classes] soft targets.  weight: F32 [rows]; the caller divides by
 * what the effective batch really holds, so that accumulation changes nothing.
 * class_weight: F32 [classes] or 0.  Label smoothing as PyTorch's.  Output 1: loss_r [rows]. */
tl_tensor tl_cross_entropy(tl_graph *g, tl_tensor logits, tl_tensor target, tl_tensor weight,
                           tl_tensor class_weight, float smoothing);
/* The same of logits = x w^T + b (capped where cap > 0), which are never kept: x [rows d], w
 * [words d], b [words] or 0, target I32 [rows].  Output 1: loss_r. */
tl_tensor tl_token_loss(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, tl_tensor target,
                        tl_tensor weight, float cap);
/* Scalar sum_r weight[r] * mean over columns of the pointwise loss; x, target [rows cols]. */
tl_tensor tl_mse(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight);
/* logits, target [rows, outputs]: a target below 0 leaves its output out. */
tl_tensor tl_bce(tl_graph *g, tl_tensor logits, tl_tensor target, tl_tensor weight);
tl_tensor tl_mae(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight);
tl_tensor tl_huber(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight, float delta);

/* Same shapes, or b's shape is a tail of a's (broadcast over leading axes). */
tl_tensor tl_add(tl_graph *g, tl_tensor a, tl_tensor b, tl_activation act);
tl_tensor tl_mul(tl_graph *g, tl_tensor a, tl_tensor b);
/* One over the length of each row of w + scale * b a: w [out in], a [r in], b [out r] -> [out].  No
 * gradient. */
tl_tensor tl_lora_norm(tl_graph *g, tl_tensor w, tl_tensor a, tl_tensor b, float scale);
/* A frozen weight of this shape, unpacked from its tl_nf4_bytes (tensor/nf4.h); rows of such a
 * table [v d] by number. */
tl_tensor tl_nf4(tl_graph *g, tl_tensor packed, tl_shape shape);
tl_tensor tl_nf4_rows(tl_graph *g, tl_tensor packed, tl_shape shape, tl_tensor ids);
/* For gradients: w, or where tl_nf4 made it the same unpacked again, so that it need not be kept
 * from forward to backward. */
tl_tensor tl_nf4_again(tl_graph *g, tl_tensor w);
tl_tensor tl_scale(tl_graph *g, tl_tensor x, float factor);
tl_tensor tl_concat(tl_graph *g, const tl_tensor *x, int n, int axis); /* n <= TL_MOST_IN */
tl_tensor tl_reshape(tl_graph *g, tl_tensor x, tl_shape shape);
/* Axis i of the output is axis order[i] of x. */
tl_tensor tl_transpose(tl_graph *g, tl_tensor x, const int *order);
tl_tensor tl_slice(tl_graph *g, tl_tensor x, int axis, int64_t start, int64_t count, int64_t step);
tl_tensor tl_pad(tl_graph *g, tl_tensor x, const int64_t *before, const int64_t *after);
/* Rows by number, of a table or of activations: [v d], I32 [..] -> [.. d]. */
tl_tensor tl_embedding(tl_graph *g, tl_tensor table, tl_tensor ids);
/* The table [v d] with rows [at, at + t) of it replaced by x [t d], as far as they lie within; at
 * I32 [1].  The output may be bound to where the table lies.  No gradient. */
tl_tensor tl_put_rows(tl_graph *g, tl_tensor table, tl_tensor x, tl_tensor at);
/* x [t w], packed by offsets I32 [n + 1], with the rows of front [v w] before each of its n
 * sequences: [t + n v, w], packed by tl_count_on(offsets, 0, v). */
tl_tensor tl_front_rows(tl_graph *g, tl_tensor x, tl_tensor front, tl_tensor offsets);
/* x I32 [n]: x + start + step * place. */
tl_tensor tl_count_on(tl_graph *g, tl_tensor x, int64_t start, int64_t step);
/* scores [n entries], classes f32 [entries] -> [n classes]: log of each class's share among the
 * k best-scored entries, the `skip` best left out. */
enum { TL_MOST_VOTES = 64 };
typedef struct { int64_t k, skip, classes; bool near; } tl_vote_attr;
/* y f32 [n scores]: each row through trees (tensor/forest.h): node f32 [nodes 6], bits f32 [words],
 * root f32 [trees], base f32 [scores].  No gradient. */
tl_tensor tl_forest_scores(tl_graph *g, tl_tensor x, tl_tensor node, tl_tensor bits,
                           tl_tensor root, tl_tensor base);
/* [n h w c] f32 -> [n features] (tensor/hog.h): cells of `cell` pixels a side.  No gradient. */
typedef struct {
    int64_t cell;
} tl_hog_attr;
tl_tensor tl_hog_features(tl_graph *g, tl_tensor x, const tl_hog_attr *attr);
tl_tensor tl_vote(tl_graph *g, tl_tensor scores, tl_tensor classes, const tl_vote_attr *attr);
tl_tensor tl_reduce_sum(tl_graph *g, tl_tensor x, int axis);  /* the axis goes away */
tl_tensor tl_reduce_mean(tl_graph *g, tl_tensor x, int axis);
tl_tensor tl_reduce_max(tl_graph *g, tl_tensor x, int axis);
tl_tensor tl_cast(tl_graph *g, tl_tensor x, tl_dtype dtype); /* x itself where it is that already */
tl_tensor tl_fill(tl_graph *g, tl_shape shape, tl_dtype dtype, float value);
#endif
