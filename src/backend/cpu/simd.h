/* simd.h -- the kernels' inner loops, compiled once per instruction set and reached through one
 * table.  A loop works on a contiguous piece of rows or elements, so that the caller cuts the
 * work into threads; every sum's order depends on shapes alone, never on the cut.
 * `bf`: the activations are bf16, else f32; sums and parameters are f32.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_SIMD_H
#define TL_BACKEND_CPU_SIMD_H
#include "core/machine.h"
#include "tensor/attend.h"

#include <string.h>

/* Products over f32 or bf16, result f32 or bf16: c[i j] = act(sum_k a(i, k) b(k, j) + bias[j]),
 * or c += it.  a(i, k) lies at a[i * ai + k * ak].
 * dot:   ak is 1 and b(k, j) lies at b[j * ldb + k], f32: both run along k.
 * outer: b(k, j) lies at b[k * ldb + j]: runs along j; bias and act without accumulate. */
typedef struct {
    int64_t       m, n, k;
    const void   *a, *b;
    void         *c;
    int64_t       ai, ak, ldb, ldc;
    bool          a_bf, b_bf, c_bf;
    bool          accumulate; /* outer, c f32: c += */
    const float  *bias;       /* NULL or [n] */
    tl_activation act;
} tl_gemm;

/* Geometry shared by pooling and depthwise convolution. */
typedef struct {
    int64_t h, w, c, oh, ow;
    int     kh, kw, sh, sw, dh, dw, top, left, bottom, right;
    bool    count_padding;
} tl_window;

/* Cross-entropy: label or soft, one of them. */
typedef struct {
    int64_t        c;
    const void    *logits;
    const int32_t *label;
    const float   *soft, *weight, *class_weight; /* class_weight may be NULL */
    float          smoothing;
} tl_loss;

/* Attention works on blocks of so many queries and keys. */
enum { TL_ATTEND_ROWS = 48, TL_ATTEND_KEYS = 64 };
typedef struct {
    const tl_attention_attr *a;
    tl_heads                 h;
    const void              *q, *k, *v; /* f32, or bf16 where bf                          */
    void                    *y;         /* forward: made, or NULL; backward: read         */
    float                   *lse;       /* [rows heads] the same                          */
    const void              *dy;        /* backward                                       */
    float                   *dq;        /* rows of dq_step; NULL: not wanted              */
    void                    *dq_out;    /* of bf16: where dq belongs, places as q         */
    void                    *dk, *dv;   /* places as k and v; NULL: not wanted            */
    int64_t                  dq_step;
    tl_drop                  drop;
    bool                     bf;
} tl_attend;

/* dq of one sequence, columns [at, at + width), before blocks of keys add to it. */
static inline void tl_clear_dq(const tl_attend *t, const tl_sequence *s, int64_t at,
                               int64_t width)
{
    for (int64_t r = s->q; r < s->q_end; r++)
        memset(t->dq + r * t->dq_step + at, 0, (size_t)width * sizeof *t->dq);
}

/* A vocabulary's cross-entropy, in the same blocks: of rows, of words. */
typedef struct {
    int64_t        rows, words, d;
    const void    *x; /* f32, or bf16 where bf */
    const float   *w, *b, *weight;
    const int32_t *target;
    float         *loss, *lse; /* made, or (lse, in the gradient) read */
    float          cap, dloss;
    const void    *slopes;     /* as the loss kept them; NULL: made anew */
    void          *slopes_out; /* NULL: not wanted, as those below       */
    int64_t        columns;    /* of a row of slopes                     */
    const int32_t *place;      /* [rows] which row of slopes is a row's  */
    void          *dx;
    float         *dw, *db;
    bool           bf;
} tl_token_job;
static inline bool tl_token_counts(const int32_t *target, const float *weight, int64_t words,
                                   int64_t row)
{
    return target[row] >= 0 && target[row] < words && weight[row] != 0.0f;
}

typedef struct tl_simd {
    const char *name;
    int         lanes;

    /* n elements */
    void (*act)(tl_activation act, int64_t n, const void *x, void *y, bool bf);
    void (*act_grad)(tl_activation act, bool from_output, int64_t n, const void *dy,
                     const void *s, void *dx, bool bf);
    void (*add)(tl_activation act, int64_t n, const void *a, const void *b, void *y,
                bool bf, bool b_bf);
    void (*mul)(int64_t n, const void *a, const void *b, void *y, bool bf, bool b_bf);
    void (*scale)(float factor, int64_t n, const void *x, void *y, bool bf);
    void (*cast)(int64_t n, const void *x, bool x_bf, void *y, bool y_bf);
    /* zeros that nobody reads soon, past the caches where they can be written so */
    void (*clear_far)(size_t bytes, void *to);
    /* y = x * scale where its number is at least `bound`, else 0: Philox numbers by (seed, stream,
     * index), four neighbours a block, `index` that of the first */
    void (*dropout)(uint64_t seed, uint64_t stream, uint64_t index, uint32_t bound, float scale,
                    int64_t n, const void *x, void *y, bool bf);
    /* n values of one row; dup or dgate may be NULL */
    void (*glu)(tl_activation act, int64_t n, const void *gate, const void *up, void *y,
                bool bf);
    void (*glu_grad)(tl_activation act, int64_t n, const void *dy, const void *gate,
                     const void *up, void *dgate, void *dup, bool bf);
    /* rows of `width` values; cosine, sine: [rows half] */
    void (*rope)(const tl_rope_attr *a, int64_t rows, int64_t width, int64_t half,
                 const void *x, const float *cosine, const float *sine, void *y, bool bf);

    /* rows x c.  stats: sum[c] of x - shift and sq[c] of its square. */
    void (*stats)(int64_t rows, int64_t c, const void *x, bool bf, const float *shift,
                  float *sum, float *sq);
    /* y = act((x - mean) * scale + shift [+ residual]) */
    void (*affine)(tl_activation act, int64_t rows, int64_t c, const void *x,
                   const void *residual, void *y, bool bf, const float *mean,
                   const float *scale, const float *shift);
    /* g = dy * slope(act, y); sum_g[c], and sum_gx[c] of g * (x - mean) where x is there */
    void (*norm_sums)(tl_activation act, int64_t rows, int64_t c, const void *dy,
                      const void *x, const void *y, bool bf, const float *mean,
                      float *sum_g, float *sum_gx);
    /* dx = a g + b (x - mean) + d (x may be NULL: no middle term); dresidual = g where wanted */
    void (*norm_apply)(tl_activation act, int64_t rows, int64_t c, const void *dy,
                       const void *x, const void *y, void *dx, void *dresidual, bool bf,
                       const float *mean, const float *a, const float *b, const float *d);
    void (*column_sums)(int64_t rows, int64_t c, const void *x, const void *z, bool bf,
                        float *sum);
    void (*layer_norm)(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                       const float *gamma, const float *beta, float eps, float *mean,
                       float *invstd);
    void (*rms_norm)(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                     const float *gamma, float plus, float eps, float *invrms);
    void (*rms_norm_grad)(int64_t rows, int64_t c, const void *dy, const void *x, bool bf,
                          const float *gamma, float plus, const float *invrms, void *dx,
                          float *dgamma);
    /* dx where wanted; dgamma, dbeta [c] are overwritten with this piece's sums where wanted */
    void (*layer_norm_grad)(int64_t rows, int64_t c, const void *dy, const void *x,
                            bool bf, const float *gamma, const float *mean,
                            const float *invstd, void *dx, float *dgamma, float *dbeta);
    void (*softmax)(int64_t rows, int64_t c, const void *x, void *y, bool bf, bool log);
    void (*softmax_grad)(int64_t rows, int64_t c, const void *dy, const void *y, void *dx,
                         bool bf, bool log);
    /* rows [low, high): loss[r]; dx of dloss * weight[r] * loss[r] */
    void (*loss)(const tl_loss *k, int64_t low, int64_t high, float *loss, bool bf);
    void (*loss_grad)(const tl_loss *k, int64_t low, int64_t high, float dloss, void *dx,
                      bool bf);

    /* pictures: pixel rows of what is made (y, or dx), numbered picture * height + row */
    void (*max_pool)(const tl_window *k, int64_t low, int64_t high, const void *x,
                     void *y, uint8_t *at, bool bf);
    void (*max_pool_grad)(const tl_window *k, int64_t low, int64_t high, const void *dy,
                          const uint8_t *at, void *dx, bool bf);
    void (*avg_pool)(const tl_window *k, int64_t low, int64_t high, const void *x,
                     void *y, bool bf);
    void (*avg_pool_grad)(const tl_window *k, int64_t low, int64_t high, const void *dy,
                          void *dx, bool bf);
    /* w: [kh kw c] f32; dw: the same, for channels [low, high) */
    void (*depthwise)(const tl_window *k, tl_activation act, int64_t low, int64_t high,
                      const void *x, const float *w, const float *bias, void *y, bool bf);
    void (*depthwise_dx)(const tl_window *k, int64_t low, int64_t high, const void *dy,
                         const float *w, void *dx, bool bf);
    void (*depthwise_dw)(const tl_window *k, int64_t pictures, int64_t low, int64_t high,
                         const void *dy, const void *x, float *dw, bool bf);

    /* dot: rows [low, high) of c.  outer: tiles [low, high) of outer_tiles(g). */
    void (*dot)(const tl_gemm *g, int64_t low, int64_t high);
    void (*outer)(const tl_gemm *g, int64_t low, int64_t high);
    int64_t (*outer_tiles)(const tl_gemm *g);
    /* rows [low, high) of to [k n] = w [n k] turned; low is a multiple of 16 */
    void (*turn)(int64_t n, int64_t k, const float *w, float *to, int64_t low,
                 int64_t high);
    /* x [k n] as oneDNN's BA16a64b2a: blocks of 64 columns, in each the rows two by two, a column's
     * pair side by side; rows to a multiple of 32, with zeros.  Blocks [low, high). */
    void (*pair)(int64_t k, int64_t n, const void *x, bool bf, void *to, int64_t low,
                 int64_t high);
    /* to [columns rows] = x [rows columns] turned, for columns [low, high); low is a multiple
     * of 16 */
    void (*turn_halves)(int64_t rows, int64_t columns, const uint16_t *x, uint16_t *to,
                        int64_t low, int64_t high);

    /* queries [first, first + TL_ATTEND_ROWS) of a sequence, one head; a head of keys with all
     * queries that read it.  room: of this thread alone; rows of no sequence are the caller's */
    void (*attend)(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t head,
                   float *room);
    void (*attend_grad)(const tl_attend *t, const tl_sequence *s, int64_t kv, float *room);

    /* rows from `first` on; words from there on; rows again */
    void (*token_loss)(const tl_token_job *t, int64_t first, float *room);
    void (*token_loss_dw)(const tl_token_job *t, int64_t first, float *room);
    void (*token_loss_dx)(const tl_token_job *t, int64_t first, float *room);
    /* n scores of one row.  sum: capped into the running maximum and the sum of exponentials
     * below it; these, times the cap's slope, into kept unless it is NULL.  pull: share *
     * (exp(s - lse) - 1[mine]) and the cap's slope, into y; `mine` outside [0, n): not among
     * them. */
    void (*token_sum)(int64_t n, const float *s, float cap, float *top, float *sum,
                      void *kept, bool bf);
    void (*token_pull)(int64_t n, const float *s, float cap, float lse, int64_t mine,
                       float share, void *y, bool bf);

    double (*fma_loop)(
        int64_t rounds); /* FLOPs done by a loop of nothing else (peak.c) */
} tl_simd;

extern const tl_simd tl_simd_portable;
#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
extern const tl_simd tl_simd_avx2, tl_simd_avx512, tl_simd_avx512bf16;
#endif
const tl_simd *tl_simd_at(tl_isa isa); /* NULL: not in this build */
const tl_simd *tl_simd_best(void);     /* for tl_machine_isa() */
#endif
