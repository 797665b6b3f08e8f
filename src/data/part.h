/* part.h -- what a data format makes of one file or folder: rows, labels, and pictures held as
 * bytes or named as files.  dataset.c joins parts.  Inside the data room only.  Floor 2. */
#ifndef TL_DATA_PART_H
#define TL_DATA_PART_H
#include "data/dataset.h"
#include "core/io.h"
#include "data/picture.h"
#include "data/texts/texter.h"

/* Bad rows: the first ten as texts, all counted by kind. */
enum { TL_BAD_KINDS = 16, TL_BAD_LISTED = 10 };
typedef struct tl_bad {
    json_t     *first;               /* array of "NAME: KIND"; NULL while there is none     */
    const char *kind[TL_BAD_KINDS];  /* constant texts                                      */
    int64_t     count[TL_BAD_KINDS];
    int64_t     rows;
} tl_bad;
tl_status tl_bad_add(tl_ctx *ctx, tl_bad *bad, const char *name, const char *kind);
void      tl_bad_join(tl_bad *to, const tl_bad *from); /* counts and texts added           */
/* The whole as one line's words: "3 cut short, 1 empty file". */
void      tl_bad_say(const tl_bad *bad, char *out, size_t bytes);
/* TL_EDATA with the first ones and the counts, unless there is none. */
tl_status tl_bad_fail(tl_ctx *ctx, const tl_bad *bad, const char *where, int64_t rows);
void      tl_bad_free(tl_bad *bad);

typedef struct {
    const char *format;
    char       *path;        /* file or folder it came from; owned, as all below            */
    tl_split    split;
    bool        old;         /* of the older data that are joined                            */
    int64_t     rows, classes;
    char      **class_name;  /* [classes]                                                   */
    int64_t    *class_key;   /* [classes] their order; equal keys go by name                */
    int32_t    *class_slot;  /* [class_slots] hash of names -> class + 1                    */
    size_t      class_slots;
    int32_t    *label;       /* [rows] of class_name                                        */
    int32_t    *many;        /* of several labels a row: row r's are many_at[r] .. [r+1]-1;  */
    int64_t    *many_at;     /* [rows + 1]; NULL: each row has one, in label                 */
    uint8_t    *pixels;      /* [rows h w c], or NULL: files                                */
    char       *names;       /* paths of all files, one after another                       */
    size_t      names_bytes, names_room;
    size_t     *name_at;     /* [rows] into names                                           */
    size_t      root_bytes;  /* of each path that name the place, not the row               */
    int64_t     room;        /* rows there is memory for                                    */
    int64_t     height, width, channels; /* of the first row; channels: the most of any     */
    bool        one_size;
    double      pixels_total;
    tl_sheet     sheet;        /* of a table: its rows as texts                               */
    bool        texts;       /* of texts: the sheet's columns                               */
    int32_t     text[2];     /* ... of the text, and of the second of pairs or -1           */
    int32_t    *map;         /* [columns of the schema] its columns, -1: left out           */
    double     *target;      /* [rows] of regression                                        */
    int64_t    *targets;     /* [n_targets] the sheet's columns of what is asked            */
    int64_t     n_targets;
    uint8_t    *begins;      /* [rows] of words: 1 where a text begins; else NULL             */
} tl_part;

/* What is being opened, and what has been found so far. */
typedef struct {
    const char *root;        /* DATA, --valid or --test as given                            */
    size_t      limit_bytes; /* still free for pixels                                       */
    bool        skip_bad;
    tl_part    *part;
    size_t      parts, room;
    size_t      first;       /* of the parts of what is being opened now                    */
    tl_bad      bad;
    tl_table_ask ask;        /* of tables                                                   */
    tl_schema   *schema;     /* of the first table; one holder                              */
    tl_text_columns text;    /* of the first file of texts                                  */
} tl_opening;

/* A fresh part in `o`; borrowed until the next. */
tl_status tl_part_add(tl_ctx *ctx, tl_opening *o, const char *format, const char *path,
                      tl_split split, tl_part **out);
void      tl_part_free(tl_ctx *ctx, tl_part *part);
/* The number of class `name` in the part, added where it is new.  Classes past a million:
 * TL_EDATA. */
tl_status tl_part_class(tl_ctx *ctx, tl_part *part, const char *name, int64_t key, int32_t *out);
/* Classes that are all numbers go by their value. */
void      tl_part_order_numbers(tl_part *part);
/* Labels and classes from a column of the part's sheet; classes that are all numbers go by their
 * value.  TL_EDATA where every row has a class of its own. */
tl_status tl_part_take_classes(tl_ctx *ctx, tl_part *part, int64_t column);
/* Leaves out the rows of the part's sheet that have a fault, and lists them in o->bad.  `fault`
 * says what is wrong (NULL: nothing) and in which column, which is `column` when it is asked. */
tl_status tl_part_keep_good(tl_ctx *ctx, tl_opening *o, tl_part *part, int64_t column,
                            const char *(*fault)(const tl_opening *o, const tl_part *part,
                                                 int64_t row, int64_t *column));
tl_status tl_part_file(tl_ctx *ctx, tl_part *part, const char *path, int32_t label);
/* Looks at every file, drops the bad ones into o->bad, fills sizes. */
tl_status tl_part_check(tl_ctx *ctx, tl_opening *o, tl_part *part);

/* A format of data.  `open` adds parts, or leaves *mine false: not of this format.  `split` is
 * what the place says; TL_SPLIT_NONE: file names decide. */
typedef struct {
    const char *name, *doc, *source;
    tl_status (*open)(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o, bool *mine);
} tl_data_format;
const tl_data_format *tl_data_format_at(size_t i); /* NULL past the end */
#define TL_DATA_FORMAT(id) extern const tl_data_format tl_data_format_##id;
#include "data/formats/formats.def"
#undef TL_DATA_FORMAT

/* "train-images..." TRAIN, "t10k-", "test" TEST, "valid", "val", "dev" VALID, else NONE; the
 * word must end where letters end. */
tl_split tl_split_of_name(const char *name);
/* Class names, one a line, in a file beside the data; NULL where there is none. */
tl_status tl_class_list(tl_ctx *ctx, const char *folder, tl_names *out);
#endif
