/* dataset.h -- rows and their labels, whatever files they come from; where the splits lie.
 * A new format: its file in data/formats/, its line in formats.def.  Floor 2, data. */
#ifndef TL_DATA_DATASET_H
#define TL_DATA_DATASET_H
#include "core/json.h"
#include "data/image.h"
#include "data/texts/texter.h"
#include "tensor/task.h"

/* Shifted rows are a second test set, from elsewhere: no split takes them. */
typedef enum {
    TL_SPLIT_TRAIN, TL_SPLIT_VALID, TL_SPLIT_TEST, TL_SPLIT_NONE, TL_SPLIT_SHIFTED, TL_SPLITS
} tl_split;

/* Index lists; owned by the caller's one tl_free each. */
typedef struct { int64_t *row; int64_t count; } tl_rows;

/* Rows that are words of texts: which text each is of, and where texts begin. */
typedef struct {
    int64_t  texts;
    int64_t *first; /* [texts + 1] the row of each text's first word */
    int32_t *text;  /* [rows]                                        */
} tl_tags;

typedef struct tl_dataset tl_dataset;
struct tl_dataset {
    const tl_task *task;
    const char *format;     /* "image folders", "idx", "cifar", "table", "text"              */
    char       *path;
    int64_t     rows;
    int64_t     classes;
    char      **class_name; /* [classes], in label order: folders by sorted name, numbers as
                               numbers (their text is the name, so that an evaluator finds a
                               base's own class by name, else by number)                     */
    int32_t    *label;      /* [rows]                                                        */
    uint8_t    *split;      /* [rows] tl_split as the files say; TL_SPLIT_NONE: not said      */
    uint8_t    *old;        /* [rows] 1: of the older data that were joined; NULL: none were  */
    char      **row_name;   /* [rows] path of the file; NULL entries are held as bytes (IDX, CIFAR):
                               ask tl_dataset_row_name                                       */
    int64_t     bad_rows;   /* unreadable ones left out under --skip-bad                     */
    json_t     *bad;        /* array of texts: the first ten, and counts by kind             */
    /* Decode row i (thread-safe; one ctx a thread). */
    tl_status (*read)(tl_ctx *ctx, const tl_dataset *d, int64_t i, int channels, tl_image *out);
    void      (*close)(tl_ctx *ctx, tl_dataset *d);
    void       *hold;
    int64_t     height, width; /* of row 0; others may differ in folders                      */
    int64_t     channels;   /* 3 where any row has colour                                    */
    bool        one_size;                /* all rows have it                                  */
    tl_schema  *schema;     /* of a table: its columns, not fitted; else NULL                 */
    double     *target;     /* [rows] of regression, which has one class for all; else NULL   */
    uint8_t    *mark;       /* [rows classes] 1 where the class holds, of tasks with several labels;
                               label is the rarest of a row's then, for stratifying; else NULL */
    tl_text_columns *text;  /* of texts: where they stand; else NULL                          */
    tl_tags    *tags;       /* of words with a tag each: their texts; else NULL               */
    int32_t    *group;      /* [rows] as --group says, or words by their text (unnamed); -1:
                               none; NULL: it was not asked                                    */
    int64_t     groups;
    char      **group_name; /* [groups] the column's values, sorted                           */
    char       *group_column;
};

typedef struct {
    const char *train, *valid, *test; /* DATA and --valid, --test; valid and test may be NULL */
    const char *shifted;              /* --shifted, or NULL                                    */
    bool        skip_bad;
    size_t      limit_bytes;          /* for what must be in memory                            */
    tl_table_ask ask;                 /* of a table: --target, --task, --text, --label         */
    const tl_schema *schema;          /* of a table: a model's columns, instead of finding out */
    const tl_text_columns *text;      /* the same of texts                                     */
    const char *old;                  /* older data of the same task, to be joined; or NULL    */
    char *const *class_name;          /* [classes] these come first, in this order, whether a  */
    int64_t     classes;              /* row has them or not: a model's own                    */
} tl_dataset_source;
/* Recognises the format, finds a test set by name beside the data, joins the parts into one
 * dataset with `split` filled, train rows first; rows keep their order within a split and within
 * what was given.  Every picture's header and end are looked at;
 * with skip_bad each is decoded once, so that what is left trains.  TL_EDATA with the first ten
 * bad rows unless skip_bad.  limit_bytes 0: half of this machine's memory. */
tl_status tl_dataset_open(tl_ctx *ctx, const tl_dataset_source *source, tl_dataset **out);
/* Pictures in memory: pixels [rows h w c] bytes, label [rows] in 0 .. classes-1; both copied.
 * Classes are named by their numbers; no row says its part. */
typedef struct {
    const uint8_t *pixels;
    const int32_t *label;
    int64_t        rows, height, width, channels, classes;
} tl_arrays;
tl_status tl_dataset_of_arrays(tl_ctx *ctx, const tl_arrays *arrays, tl_dataset **out);
void      tl_dataset_close(tl_ctx *ctx, tl_dataset *d);
/* The fields of row i for a schema's columns (NULL: the table has none): field[columns] is filled
 * through `map`, tl_schema_map's for each part, [parts * columns], of tl_dataset_maps. */
tl_status tl_dataset_maps(tl_ctx *ctx, const tl_dataset *d, const tl_schema *s, int32_t **map);
void      tl_dataset_fields(const tl_dataset *d, const tl_schema *s, const int32_t *map,
                            int64_t i, const char **field);
/* A copy of `like`, fitted on these rows with the numbers scaled as asked; what `like` has
 * fitted already stays, but for the target. */
tl_status tl_dataset_fit(tl_ctx *ctx, const tl_dataset *d, const tl_schema *like,
                         tl_scaling scaling, tl_rows rows, tl_schema **out);
/* What row i says of an output of a task with marks (tensor/marks.h), or of all: [classes]. */
double    tl_dataset_mark(const tl_dataset *d, int64_t i, int64_t output);
void      tl_dataset_marks(const tl_dataset *d, int64_t i, float *mark);
/* Row i's text, and the second of a pair (text NULL: there is none); borrowed. */
void      tl_dataset_text(const tl_dataset *d, int64_t i, tl_string text[2]);
/* What `like`, which learns, learns from the texts of these rows. */
tl_status tl_dataset_learn(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like, tl_rows rows,
                           tl_texter **out);
tl_status tl_dataset_row_name(tl_ctx *ctx, const tl_dataset *d, int64_t i, char **out);
/* SHA-256 over names (without the place they lie in), labels and bytes of all rows. */
tl_status tl_dataset_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65]);
/* Of these rows: what data hashes to that holds them alone, in this order. */
tl_status tl_dataset_hash_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows rows, char hex[65]);

/* Groups of identical rows (same pixels; same file bytes where there are over 256 million pixels
 * to decode): group[i] is the lowest row equal to i.  Cached in the dataset's hold after the
 * first call.  Decodes every picture, so it names the damaged ones: TL_EDATA. */
tl_status tl_dataset_duplicates(tl_ctx *ctx, const tl_dataset *d, int64_t *group);

/* The same with rows of one group together, which splits keep on one side: unit[i] is the lowest
 * row of i's. */
tl_status tl_dataset_units(tl_ctx *ctx, const tl_dataset *d, int64_t *unit);

/* The test part: as the files say, else cut off once: stratified, duplicates on one side, a
 * function of the data and `seed` alone.  The rest is for train and valid. */
tl_status tl_split_test(tl_ctx *ctx, const tl_dataset *d, uint64_t seed, double share,
                        tl_rows *rest, tl_rows *test);
/* The same of some of the rows. */
tl_status tl_split_test_of(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows, uint64_t seed,
                           double share, tl_rows *rest, tl_rows *test);
/* K folds of all rows, stratified, duplicates in one fold: fold[i] in 0..folds-1. */
tl_status tl_split_folds(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows, int folds,
                         uint64_t seed, int8_t *fold);
/* Train and valid of repeat `repeat`: as the files say where they name a valid part, else
 * stratified, redrawn by (seed, repeat).  `limit` > 0: at most so many training rows, nested
 * (a smaller limit's rows are among a larger one's). */
tl_status tl_split_repeat(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rest, uint64_t seed,
                          int repeat, double share, int64_t limit, tl_rows *train, tl_rows *valid);
/* At most `limit` of the rows, stratified, by (seed, repeat), nested, in rising order. */
tl_status tl_split_first(tl_ctx *ctx, const tl_dataset *d, uint64_t seed, int repeat,
                         int64_t limit, tl_rows *rows);
#endif
