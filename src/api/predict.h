/* predict.h -- what asking pictures, rows of tables and texts share.  Floor 4.5, api. */
#ifndef TL_API_PREDICT_H
#define TL_API_PREDICT_H
#include "api/handles.h"
#include "bundle/embed.h"

enum { TL_ASK_ROWS = 16 };

typedef struct {
    tl_predictor *p;
    tl_slab      *slab;
    float        *x, *y;        /* [TL_ASK_ROWS row], [TL_ASK_ROWS outputs]                 */
    int64_t       row;          /* floats of one input                                      */
    bool          bad;          /* an input could not be read                               */
    tl_writer    *writer;       /* of a language model: it, and how it writes; no predictor */
    tl_telling    how;
    tl_embedder   embedder;     /* of texts as vectors (its p is there); no predictor       */
} tl_asker;

/* Where lines go. */
typedef struct {
    int (*call)(void *user, const char *json);
    void *user;
    int (*vector)(void *user, const tailor_vector *row); /* instead of `call`, or NULL */
} tl_each_line;

/* {"input", "label", "score", "top5"} of classes; {"input", "value"} of a number; of several labels
 * {"input", "labels", "scores"}, of ranks {"input", "label", "score", "scores"}.  y is the
 * network's, and may be overwritten. */
json_t   *tl_answer_json(const tl_model *m, const char *input, float *y);
/* Takes the line (where vectors are wanted, one of an error); true: stop. */
bool      tl_give_line(json_t *line, const tl_each_line *each);
/* Every row of every table at `path`; rows that cannot be read get an error line. */
tl_status tl_predict_tables(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                            const char *const *path, size_t paths, const tl_each_line *each);
/* The same of a table in memory. */
tl_status tl_predict_table_text(tl_ctx *ctx, tl_asker *a, const tl_model *m,
                                const char *name, const char *text, size_t bytes,
                                const tl_each_line *each);
/* The same of texts: rows of sheets, lines of other files; and texts as they are given. */
tl_status tl_predict_texts(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                           const char *const *path, size_t paths, const tl_each_line *each);
tl_status tl_predict_given(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *const *text,
                           size_t count, const tl_each_line *each);
/* predict_tags.c, the same where words are told apart: {"input", "entities", "words"}. */
tl_status tl_predict_tags(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                          const char *const *path, size_t paths, const tl_each_line *each);
tl_status tl_predict_given_tags(tl_ctx *ctx, tl_asker *a, const tl_model *m,
                                const char *const *text, size_t count, const tl_each_line *each);
#endif
