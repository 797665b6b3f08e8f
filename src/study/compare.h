/* compare.h -- the main job: a question in, a verdict out.  Floor 4, study. */
#ifndef TL_STUDY_COMPARE_H
#define TL_STUDY_COMPARE_H
#include "core/text.h"
#include "study/stats.h"
#include "train/run.h"
#include "train/store.h"

typedef struct {
    tl_dataset_source  data;
    const char *const *base; /* paths, NULL-terminated; may be empty */
    const char
        *base_arch; /* --arch for bare weight files, and for scratch without base */
    const char *const *routes; /* names, NULL-terminated; NULL: all that apply */
    const char        *metric; /* NULL: by task */
    double             margin; /* NaN: default */
    double      budget_s;      /* 0: none given (a default is chosen and said) */
    double      budget_most_s; /* it grows up to this, rather than leave routes out or cut them
                                  short; 0: it does not */
    size_t      memory_bytes;  /* --memory; 0: none */
    uint64_t    seed;
    int         seeds;     /* at most so many for finalists; 0: by budget */
    int         folds;     /* 0: by the rule (tests under 500 rows) */
    const char *precision; /* auto, f32, bf16 */
    const char *const *overrides; /* "optim.lr=0.01", NULL-terminated */
    int64_t     train_limit; /* use at most so many training rows; 0: all */
    const char *out;         /* folder */
    bool        dry_run;
    const char *const
          *argv; /* of the command, for `resume` and the report; NULL-terminated */
    double max_latency_ms, max_size_mb; /* 0: none */
    double cost_per_hour, retrain_s;    /* of this machine; between trainings; 0: not said */
    double predictions;                 /* a day; 0: not said                              */
    /* Of an update: the model in use (NULL: no update); `base` are networks to retrain it from;
     * data.old is what it was made from, if that is known; what may be lost of the score on the old
     * data (NaN: the margin). */
    const char *model;
    double      forget;
    void (*progress)(void *user, const tl_progress *p);
    void (*say)(void *user, const char *line); /* what people read while it runs */
    /* What the report would show, whenever there is more of it; the verdict's outcome is
     * "running" until it is known, and nothing of the test part is in it; may be NULL. */
    void (*live)(void *user, const json_t *verdict, const json_t *detail);
    void *user;
} tl_question;

/* The question is how a model in use is best brought up to new data (`model`), or which route is
 * best for the data.  Runs or resumes; writes every file of the contract under out; *verdict is
 * verdict.json's value (owned; json_decref). With dry_run: the plan and its forecast
 * instead. */
tl_status tl_compare(tl_ctx *ctx, const tl_question *q, json_t **verdict);
/* verdict.json and what the report needs beside it -> report.html, one self-contained
 * page. `detail` (every member may be missing: its part of the page is left out):
 *   sentence      the verdict in one sentence;  how_sure  a second one
 *   command       text of the command;  use  [{title, command}]: predict, evaluate...
 *   machine       {cpu, threads, isa, memory_bytes, precision}
 *   started, finished  unix seconds
 *   runs          [{candidate (index into verdict.candidates), seed, repeat, best_epoch,
 *                   stopped, points: [{epoch, step, train_loss, train_metric, valid_loss,
 *                   valid_metric}]}]
 *   numbers       [[true, said]] of up to 1,000 test rows, where the target is a number; then
 *                 there are no classes
 *   confusion     {classes: [..], counts: [[true x predicted]]} of best/ on its rows
 *   per_class     [{class, rows, precision, recall, f1, recall_ci95: [low, high]}]
 *   mistakes      [{row, true, predicted, probability, image: "data:image/png;.."}],
 *                 worst first;  profile  what tl_inspect says of the data (its own JSON)
 *   labels        the same of test rows whose label is probably wrong
 *   loads         [{base, scheme, loaded, fresh: [..], unused: [..], card: {license, datasets}}]
 *   routes        [{name, doc, plain, source}] of every route in the comparison */
tl_status tl_report_write(tl_ctx *ctx, const json_t *verdict, const json_t *detail,
                          const char *path);
/* The same page without numbers: it asks study.json beside it for {"number", "now", "page":
 * {"verdict", "detail"}} every second; with ?after=NUMBER page may be null: no news. */
tl_status tl_report_live(tl_ctx *ctx, tl_text *page);
#endif
