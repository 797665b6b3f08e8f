/* schema.h -- the columns of a table: what each is, and how a row of texts becomes a network's
 * input.  Kinds and vocabularies come from the table; means, scales, quantiles, which levels are
 * known and the target's scale are fitted on training rows alone and travel with the model.
 * Source of the quantile coding: Gorishniy et al. 2021, arXiv:2106.11959.  Floor 2, data. */
#ifndef TL_DATA_TABLES_SCHEMA_H
#define TL_DATA_TABLES_SCHEMA_H
#include "core/json.h"
#include "data/tables/cell.h"
#include "data/tables/sheet.h"
#include "tensor/task.h"

typedef enum {
    TL_COLUMN_LEFT_OUT, TL_COLUMN_NUMBER, TL_COLUMN_CATEGORY, TL_COLUMN_DATE
} tl_column_kind;
/* As networks want it (standardised numbers and gap marks, one place a level), or as trees do
 * (numbers as they are, a level's number, NaN for what is missing). */
typedef enum { TL_CODING_NET, TL_CODING_TREES } tl_coding;
typedef enum { TL_SCALING_STANDARD, TL_SCALING_QUANTILE } tl_scaling;
enum { TL_MOST_LEVELS = 254, TL_MOST_KNOTS = 256 };

typedef struct {
    char          *name;
    tl_column_kind kind;
    char          *why;       /* left out: why                                               */
    bool           day_first; /* of dates with slashes                                       */
    bool           gaps;      /* some value is missing in the table: it gets a mark of its own */
    char         **level;     /* [levels] of a category, sorted; slot 0 of its code is for
                                 what is unknown or missing, level k has slot k + 1          */
    uint8_t       *known;     /* [levels] seen in training rows                              */
    int64_t        levels;
    double         mean[TL_DATE_PARTS], scale[TL_DATE_PARTS]; /* of a number: [0]            */
    double        *knot;      /* [knots] quantiles of a number, from the least to the largest */
    int64_t        knots;
    int64_t        at, width; /* place in the coded row                                      */
    int64_t        missing, distinct; /* as first read, for people                           */
    double         low, high, middle; /* ... of numbers                                      */
} tl_column;

typedef struct {
    _Atomic int holders;
    tl_column  *column;
    int64_t     columns;
    tl_coding   coding;
    tl_scaling  scaling;
    bool        fitted;
    int64_t     width;           /* of the coded row                                         */
    char       *target;          /* NULL: the table has none                                 */
    char       *target_why;      /* how it was found, for people                             */
    const tl_task *task;         /* what is asked: of a model's table never NULL              */
    double      target_mean, target_scale; /* of a number: (y - mean) / scale is learnt      */
} tl_schema;

/* What was asked of a table, else NULL. */
typedef struct { const char *target, *task, *text, *label, *group, *order; } tl_table_ask;

/* From a whole table: which column is the target, which kind each other one has.  One holder.
 * `bad` is not touched: what does not fit its column's kind is found by tl_schema_check. */
tl_status tl_schema_infer(tl_ctx *ctx, const tl_sheet *g, const tl_table_ask *ask,
                          tl_schema **out);
tl_status tl_schema_copy(tl_ctx *ctx, const tl_schema *from, tl_schema **out);
tl_schema *tl_schema_hold(tl_schema *s);               /* NULL is fine */
void      tl_schema_drop(tl_ctx *ctx, tl_schema *s);   /* the last one frees; NULL is fine */

/* map[column of the schema] = column of the table, by name; -1 for those left out.  TL_EDATA
 * where one is missing.  Headerless tables go by place; `target` may be absent then. */
tl_status tl_schema_map(tl_ctx *ctx, const tl_schema *s, const tl_sheet *g, int32_t *map);
/* Why this field does not fit: a constant text; NULL: it does. */
const char *tl_column_fault(const tl_column *c, const char *text);

/* Sets widths and places for a coding and scaling; forgets what was fitted. */
void      tl_schema_layout(tl_schema *s, tl_coding coding, tl_scaling scaling);
/* Fits what is not fitted: rows given as (sheet, map, row) by `at`. */
typedef struct {
    int64_t rows;
    /* The fields of the i-th training row. */
    const char *(*field)(const void *user, int64_t i, int64_t column);
    double      (*target)(const void *user, int64_t i); /* of regression                   */
    const void *user;
} tl_schema_rows;
tl_status tl_schema_fit(tl_ctx *ctx, tl_schema *s, const tl_schema_rows *rows);
/* One row of texts (field[columns], NULL: missing) -> x[width]. */
void      tl_schema_code(const tl_schema *s, const char *const *field, float *x);
/* Places of a coded row of a network that belong to one category: for embeddings. */
bool      tl_schema_group(const tl_schema *s, int64_t i, int64_t *at, int64_t *width);

const char *tl_scaling_name(size_t i); /* NULL past the end */
json_t   *tl_schema_to_json(const tl_schema *s);
tl_status tl_schema_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                              tl_schema **out);
/* What people are told of the columns: [{name, kind, why, missing, distinct, ...}]. */
json_t   *tl_schema_profile(const tl_schema *s);
const char *tl_column_kind_name(tl_column_kind kind);
#endif
