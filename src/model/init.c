/* init.c -- how parameters start: a function of (seed, name, index), so that a parameter's
 * first values do not depend on what else the network holds, nor on the number of threads.
 * Sources: Glorot and Bengio 2010; He et al. 2015, arXiv:1502.01852; torch.nn.init for fans.
 * Floor 2, model. */
#include "core/par.h"
#include "core/rand.h"
#include "model/params.h"

#include <math.h>
#include <string.h>

/* Cut to the 56 bits that a stream's number has. */
static uint64_t name_number(const char *name)
{
    const uint64_t h = tl_fnv(TL_FNV, name, strlen(name));

    return (h ^ h >> 56) & 0xffffffffffffffu;
}

typedef struct { double in, out; } fans;

/* Weights are [out in ...window]: an output sees in * window values, an input reaches
 * out * window (torch.nn.init, which does not divide by groups). */
static fans fans_of(const tl_param *p)
{
    double window = 1.0;

    for (int i = 2; i < p->shape.ndim; i++) window *= (double)p->shape.dim[i];
    const double out = p->shape.ndim > 0 ? (double)p->shape.dim[0] : 1.0;
    const double in  = p->shape.ndim > 1 ? (double)p->shape.dim[1] : out;
    return (fans){ in * window, out * window };
}

enum { GRAIN = 8192 }; /* values worth a thread of their own */

typedef struct {
    float   *v;
    uint64_t seed, stream;
    double   scale; /* the bound, or the standard deviation */
} drawing;

static void uniform_piece(void *arg, int64_t low, int64_t high)
{
    const drawing *d = arg;

    for (int64_t i = low; i < high; i++)
        d->v[i] = (float)(d->scale *
                          (2.0 * tl_rand_uniform(d->seed, d->stream, (uint64_t)i) - 1.0));
}

static void normal_piece(void *arg, int64_t low, int64_t high)
{
    const drawing *d = arg;

    for (int64_t i = low; i < high; i++)
        d->v[i] = (float)(d->scale * tl_rand_normal(d->seed, d->stream, (uint64_t)i));
}

/* What start draws with. */
typedef struct {
    uint64_t seed;
    int      threads;
} source;

static void draw(const source *s, const tl_param *p, float *v, double scale,
                 void (*piece)(void *, int64_t, int64_t))
{
    drawing d = { v, s->seed, TL_STREAM(TL_STREAM_INIT, name_number(p->name)), scale };

    tl_par_for(s->threads, p->count, GRAIN, piece, &d);
}

static void draw_uniform(const source *s, const tl_param *p, float *v, double bound)
{
    draw(s, p, v, bound, uniform_piece);
}

static void draw_normal(const source *s, const tl_param *p, float *v, double sd)
{
    draw(s, p, v, sd, normal_piece);
}

static void fill(const tl_param *p, float *v, float value)
{
    for (int64_t i = 0; i < p->count; i++) v[i] = value;
}

static void start(const source *s, const tl_param *p, float *v)
{
    const fans   fan    = fans_of(p);
    const double fan_in = p->init_scale > 0.0f ? (double)p->init_scale : fan.in;

    switch (p->init) {
    case TL_INIT_ZERO: fill(p, v, 0.0f); break;
    case TL_INIT_ONE: fill(p, v, 1.0f); break;
    case TL_INIT_HE_NORMAL: draw_normal(s, p, v, sqrt(2.0 / fan.out)); break;
    case TL_INIT_HE_NORMAL_IN: draw_normal(s, p, v, sqrt(2.0 / fan.in)); break;
    case TL_INIT_HE_UNIFORM: draw_uniform(s, p, v, sqrt(6.0 / fan.in)); break;
    case TL_INIT_GLOROT_UNIFORM:
        draw_uniform(s, p, v, sqrt(6.0 / (fan.in + fan.out)));
        break;
    case TL_INIT_NORMAL: draw_normal(s, p, v, (double)p->init_scale); break;
    case TL_INIT_FAN_IN_UNIFORM: draw_uniform(s, p, v, 1.0 / sqrt(fan_in)); break;
    }
}

void tl_params_init(tl_params *params, uint64_t seed, bool head_only, int threads)
{
    const source s = { seed, threads };

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (!p->packed && (p->head || p->optional || !head_only))
            start(&s, p, tl_params_value(params, p));
    }
}

void tl_params_init_beside(tl_params *params, uint64_t seed, const tl_params *from, int threads)
{
    const source s = { seed, threads };

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i], *q = p->head ? NULL : tl_params_find(from, p->name);
        if (!p->packed && !(q && tl_shape_equal(&p->shape, &q->shape)))
            start(&s, p, tl_params_value(params, p));
    }
}
