/* fit.h -- what fit.c and fit_words.c share: one fit while it runs.  Floor 4.5, api. */
#ifndef TL_API_FIT_H
#define TL_API_FIT_H
#include "api/handles.h"

/* Everything one fit holds while it runs. */
typedef struct {
    tl_run_spec   spec;
    tl_rows       rest, train, valid, test;
    tl_run_result result;
    tl_lock       lock;
    char         *checkpoint;
    tl_schema    *columns;  /* of a table's baseline; held */
    tl_texter    *texter;   /* of text's; held */
    json_t       *before;   /* the result that the store already has */
    bool          done;
} tl_fitting;

/* The route asked for, or the usual one. */
tl_status tl_fit_route(tl_ctx *ctx, const tailor_model *model, const char *name,
                       const tl_route **out);
/* The options' settings into the candidate's. */
tl_status tl_fit_hyper(tl_ctx *ctx, tl_hyper *h, const tailor_fit_options *o);

/* fit_words.c, of a corpus: its blocks as rows, the candidate, and the cache. */
tl_status tl_fit_words(tailor *t, const tailor_model *model, const tailor_data *data,
                       const tailor_fit_options *o, tl_fitting *f);
/* Perplexity of blocks of the part with its interval, loss of a token, bits per byte of text. */
tl_status tl_fit_words_measure(tailor *t, const tl_fitting *f, tl_split part, json_t **out);
#endif
