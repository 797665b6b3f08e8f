/* act.c -- activations: their definitions, the op and its gradient.
 * Sources: Nair and Hinton 2010 (relu), Sandler et al. 2018 (relu6), Maas et al. 2013 (leaky),
 * Clevert et al. 2016 (elu), Hendrycks and Gimpel 2016 (gelu, silu), Howard et al. 2019 (hard
 * ones), Misra 2019 (mish); constants as PyTorch's defaults.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>
#include <string.h>

static const double INV_SQRT_2 = 0.70710678118654752, INV_SQRT_2PI = 0.39894228040143268;
static const double SQRT_2_OVER_PI = 0.79788456080286536, GELU_CUBIC = 0.044715;
static const double LEAK = 0.01;

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
static double softplus(double x) { return x > 30.0 ? x : log1p(exp(x)); }

static double none_value(double x) { return x; }
static double none_slope(double x) { (void)x; return 1.0; }

/* NaN stays NaN: a broken value must be seen, not clipped away. */
static double relu_value(double x) { return x <= 0.0 ? 0.0 : x; }
static double relu_slope(double x) { return x > 0.0 ? 1.0 : 0.0; }

static double relu6_value(double x) { return x <= 0.0 ? 0.0 : x >= 6.0 ? 6.0 : x; }
static double relu6_slope(double x) { return x > 0.0 && x < 6.0 ? 1.0 : 0.0; }

static double leaky_value(double x) { return x > 0.0 ? x : LEAK * x; }
static double leaky_slope(double x) { return x > 0.0 ? 1.0 : LEAK; }

static double elu_value(double x) { return x > 0.0 ? x : expm1(x); }
static double elu_slope(double x) { return x > 0.0 ? 1.0 : exp(x); }
static double elu_from_y(double y) { return y > 0.0 ? 1.0 : y + 1.0; }

static double gelu_value(double x) { return 0.5 * x * (1.0 + erf(x * INV_SQRT_2)); }
static double gelu_slope(double x)
{
    return 0.5 * (1.0 + erf(x * INV_SQRT_2)) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
}

static double gelu_tanh_value(double x)
{
    return 0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)));
}
static double gelu_tanh_slope(double x)
{
    const double t = tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x));
    const double inner = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);

    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
}

static double silu_value(double x) { return x * sigmoid(x); }
static double silu_slope(double x)
{
    const double s = sigmoid(x);

    return s * (1.0 + x * (1.0 - s));
}

static double tanh_slope(double x)
{
    const double t = tanh(x);

    return 1.0 - t * t;
}
static double tanh_from_y(double y) { return 1.0 - y * y; }

static double sigmoid_slope(double x) { return sigmoid(x) * (1.0 - sigmoid(x)); }
static double sigmoid_from_y(double y) { return y * (1.0 - y); }

static double softplus_from_y(double y) { return -expm1(-y); }

static double hardsigmoid_value(double x) { return relu6_value(x + 3.0) / 6.0; }
static double hardsigmoid_slope(double x) { return x > -3.0 && x < 3.0 ? 1.0 / 6.0 : 0.0; }
static double hardsigmoid_from_y(double y) { return y > 0.0 && y < 1.0 ? 1.0 / 6.0 : 0.0; }

static double hardswish_value(double x) { return x * relu6_value(x + 3.0) / 6.0; }
static double hardswish_slope(double x)
{
    return x <= -3.0 ? 0.0 : x >= 3.0 ? 1.0 : x / 3.0 + 0.5;
}

static double mish_value(double x) { return x * tanh(softplus(x)); }
static double mish_slope(double x)
{
    const double t = tanh(softplus(x));

    return t + x * (1.0 - t * t) * sigmoid(x);
}

static const struct {
    const char *name;
    double (*value)(double x), (*slope)(double x), (*from_y)(double y);
} acts[TL_ACTS] = {
    [TL_ACT_NONE]       = { "none", none_value, none_slope, none_slope },
    [TL_ACT_RELU]       = { "relu", relu_value, relu_slope, relu_slope },
    [TL_ACT_RELU6]      = { "relu6", relu6_value, relu6_slope, relu6_slope },
    [TL_ACT_LEAKY_RELU] = { "leaky_relu", leaky_value, leaky_slope, leaky_slope },
    [TL_ACT_ELU]        = { "elu", elu_value, elu_slope, elu_from_y },
    [TL_ACT_GELU]       = { "gelu", gelu_value, gelu_slope, NULL },
    [TL_ACT_GELU_TANH]  = { "gelu_tanh", gelu_tanh_value, gelu_tanh_slope, NULL },
    [TL_ACT_SILU]       = { "silu", silu_value, silu_slope, NULL },
    [TL_ACT_TANH]       = { "tanh", tanh, tanh_slope, tanh_from_y },
    [TL_ACT_SIGMOID]    = { "sigmoid", sigmoid, sigmoid_slope, sigmoid_from_y },
    [TL_ACT_SOFTPLUS]   = { "softplus", softplus, sigmoid, softplus_from_y },
    [TL_ACT_HARDSWISH]  = { "hardswish", hardswish_value, hardswish_slope, NULL },
    [TL_ACT_HARDSIGMOID] = { "hardsigmoid", hardsigmoid_value, hardsigmoid_slope,
                             hardsigmoid_from_y },
    [TL_ACT_MISH]       = { "mish", mish_value, mish_slope, NULL },
};

const char *tl_act_name(tl_activation act)
{
    return acts[act].name;
}

bool tl_act_parse(const char *name, tl_activation *out)
{
    for (int i = 0; i < TL_ACTS; i++)
        if (strcmp(acts[i].name, name) == 0) {
            *out = (tl_activation)i;
            return true;
        }
    return false;
}

double tl_act_value(tl_activation act, double x)
{
    return acts[act].value(x);
}

double tl_act_slope(tl_activation act, double x)
{
    return acts[act].slope(x);
}

bool tl_act_from_output(tl_activation act)
{
    return acts[act].from_y != NULL;
}

double tl_act_slope_from_output(tl_activation act, double y)
{
    return acts[act].from_y ? acts[act].from_y(y) : 1.0;
}

static void act_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_act_attr *a = n->attr;
    const bool         y = tl_act_from_output(a->act);

    dx[0] = TL_APPLY(g, act_grad, (&(tl_act_grad_attr){ a->act, y }), dy[0],
                     y ? n->out[0] : n->in[0]);
}

static void act_ref(const tl_call *c)
{
    const tl_act_attr *a = c->node->attr;
    const int64_t      n = tl_shape_count(&c->in[0].shape);

    for (int64_t i = 0; i < n; i++)
        tl_set(&c->out[0], i, acts[a->act].value(tl_get(&c->in[0], i)));
}

static tl_status act_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    return tl_need_like(g, n, 1, 0);
}

static void act_grad_ref(const tl_call *c)
{
    const tl_act_grad_attr *a = c->node->attr;
    const int64_t           n = tl_shape_count(&c->in[0].shape);
    double (*slope)(double)   = a->from_output ? acts[a->act].from_y : acts[a->act].slope;

    for (int64_t i = 0; i < n; i++)
        tl_set(&c->out[0], i, tl_get(&c->in[0], i) * slope(tl_get(&c->in[1], i)));
}

#define SAMPLE(a)                                                                        \
    { .label = #a, .in = { { 2, { 5, 7 } } }, .low = -4.0, .high = 7.0,                  \
      .attr = &(const tl_act_attr){ a }, .attr_bytes = sizeof(tl_act_attr) }
static const tl_sample samples[] = {
    SAMPLE(TL_ACT_RELU), SAMPLE(TL_ACT_RELU6), SAMPLE(TL_ACT_LEAKY_RELU), SAMPLE(TL_ACT_ELU),
    SAMPLE(TL_ACT_GELU), SAMPLE(TL_ACT_GELU_TANH), SAMPLE(TL_ACT_SILU), SAMPLE(TL_ACT_TANH),
    SAMPLE(TL_ACT_SIGMOID), SAMPLE(TL_ACT_SOFTPLUS), SAMPLE(TL_ACT_HARDSWISH),
    SAMPLE(TL_ACT_HARDSIGMOID), SAMPLE(TL_ACT_MISH), SAMPLE(TL_ACT_NONE),
};

const tl_op tl_op_act = {
    .name = "act", .doc = "an activation, element by element",
    .source = "Hendrycks and Gimpel 2016, arXiv:1606.08415, and the papers named in act.c",
    .least_in = 1, .most_in = 1, .n_out = 1, .inplace = 1,
    .shape = tl_shape_like_first, .grad = act_backward, .ref = act_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_act_grad = {
    .name = "act_grad", .doc = "a gradient times an activation's slope", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .inplace = 3,
    .shape = act_grad_shape, .ref = act_grad_ref,
};

tl_tensor tl_act(tl_graph *g, tl_tensor x, tl_activation act)
{
    if (act == TL_ACT_NONE) return x;
    return TL_APPLY(g, act, (&(tl_act_attr){ act }), x);
}
