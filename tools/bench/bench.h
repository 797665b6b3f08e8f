/* bench.h -- the benchmark's cases and what is measured of them; names and fields are those of
 * the peer's script (bench_torch.py), so that lines can be laid side by side. */
#ifndef BENCH_H
#define BENCH_H
#include "backend/cpu/peak.h"
#include "core/json.h"
#include "train/candidate.h"

typedef struct {
    const char   *name;
    const char   *arch, *config; /* a size or words; or a config.json's text              */
    tl_shape      row;
    int64_t       batch, length; /* rows; of text the tokens of each, else 0              */
    int64_t       classes;
    bool          words;         /* a language model: its targets are the next words      */
    tl_which      trains;       /* TL_TRAIN_NOTHING reads as all                         */
    tl_adapt      adapt;
    const char   *optimizer;
    double        lr, momentum, weight_decay;
    const char   *unit;
    int64_t       items;         /* rows of the data set; where > 0 an epoch is timed too */
} bench_case;

const bench_case *bench_case_at(size_t i); /* NULL past the end */

typedef struct {
    tl_dtype dtype;
    double   seconds; /* time about this long */
    int64_t  turns;   /* in so many turns: each waits for a line of input, "turn" is said when it
                         is over (side-by-side); 0: at once */
    bool     profile; /* a table of ops goes to stderr */
} bench_options;

/* Trains the case's model on random rows; *line is an object with the peer's fields. */
tl_status bench_run(tl_ctx *ctx, const bench_case *c, const bench_options *o,
                    const tl_peak *peak, json_t **line);

/* ---- the rows of a case (rows.c) ---- */
typedef struct {
    const bench_case *c;
    int64_t  row, items; /* values of a row; rows held                                    */
    float   *value, *x;  /* of pictures and samples: all rows, and a batch of them        */
    int32_t *label, *y;
    int64_t *order;      /* of samples                                                    */
    int32_t *id, *position, *segment, *offset; /* of texts, packed; offsets of one batch  */
    int64_t  asked;      /* targets of a batch: its rows, or its tokens                   */
    float   *weight;     /* [asked] of a batch                                            */
} bench_rows;

tl_status bench_rows_new(tl_ctx *ctx, const bench_case *c, int64_t vocab, bench_rows *out);
void      bench_rows_free(tl_ctx *ctx, bench_rows *r);
/* The batch of a step: gathered into x and y, or where the peer has it made beforehand, its
 * place among the rows. */
void bench_rows_batch(bench_rows *r, uint64_t step, int threads, const void **x,
                      const int32_t **y);

/* ---- a model being trained (step.c) ---- */
typedef struct bench_step bench_step;
tl_status                 bench_step_new(tl_ctx *ctx, const bench_case *c, tl_dtype dtype,
                                         bench_step **out);
void                      bench_step_free(tl_ctx *ctx, bench_step *s);
tl_status bench_step_run(tl_ctx *ctx, bench_step *s, float *loss); /* the next batch */
double    bench_step_flops(const bench_step *s); /* counted as the peer counts */
int64_t   bench_step_params(const bench_step *s, bool trained);
size_t    bench_step_plan_bytes(const bench_step *s);
void      bench_step_profile(bench_step *s, bool on);
void      bench_step_print(tl_ctx *ctx, const bench_step *s, int64_t steps);
#endif
