/* inside.h -- what the files of the Parquet reader share: the footer's schema and chunks, pages,
 * codecs, encodings, and values as texts.  Source: github.com/apache/parquet-format (README.md,
 * Encodings.md, LogicalTypes.md, parquet.thrift).  Inside data/parquet only.  Floor 2. */
#ifndef TL_DATA_PARQUET_INSIDE_H
#define TL_DATA_PARQUET_INSIDE_H
#include "core/io.h"
#include "core/text.h"
#include "data/parquet/thrift.h"

#include <jansson.h>

typedef struct {
    const uint8_t *at; /* borrowed */
    size_t         bytes;
} tl_pq_bytes;

/* As the format numbers them. */
typedef enum {
    TL_PQ_BOOLEAN, TL_PQ_INT32, TL_PQ_INT64, TL_PQ_INT96, TL_PQ_FLOAT, TL_PQ_DOUBLE,
    TL_PQ_BYTE_ARRAY, TL_PQ_FIXED, TL_PQ_PHYSICALS
} tl_pq_physical;
typedef enum { TL_PQ_REQUIRED, TL_PQ_OPTIONAL, TL_PQ_REPEATED } tl_pq_repetition;
typedef enum { TL_PQ_PLAIN_GROUP, TL_PQ_LIST, TL_PQ_MAP } tl_pq_grouping;

typedef struct tl_pq_meaning tl_pq_meaning;

/* A node of the schema, in the file's order: a group is followed by what is in it. */
typedef struct {
    char            *name; /* UTF-8; owned                                                     */
    int64_t          end;  /* index behind the last node in it                                  */
    int64_t          leaf; /* its place among the columns that are stored; a group: its first's */
    bool             group;
    tl_pq_repetition repetition;
    tl_pq_grouping   grouping;
    int              max_def, max_rep; /* levels at which it is there                           */
    tl_pq_physical   physical;         /* of a leaf, as all below                               */
    size_t           width;            /* bytes of a value; 0: they vary, or bits               */
    const tl_pq_meaning *meaning;
    int              scale;    /* digits behind a decimal's point                               */
    int64_t          per_second; /* of times                                                    */
    bool             utc;        /* ... in UTC, not of the clock at some place                  */
    const json_t    *names;      /* of whole numbers that stand for texts: those; borrowed      */
} tl_pq_node;

typedef struct {
    int      codec;
    int64_t  values;    /* nulls and empty lists among them */
    uint64_t at, bytes; /* within the file                  */
} tl_pq_chunk;

typedef struct {
    const char    *path; /* borrowed, as the next */
    const uint8_t *data;
    size_t         bytes;
    tl_pq_node  *node;  /* [nodes]; 0 is the root */
    int64_t     *stored; /* [leaves] their nodes */
    json_t      *features; /* what Hugging Face's datasets say of the columns, or NULL */
    int64_t      nodes, leaves, groups;
    tl_pq_chunk *chunk; /* [groups leaves] */
    int64_t     *rows;  /* [groups]        */
} tl_pq_file;

/* Reads the footer of a whole file; every size in it is held against the file's.  TL_EDATA
 * "file@offset: ...". */
tl_status tl_pq_open(tl_ctx *ctx, const char *path, const uint8_t *data, size_t bytes,
                     tl_pq_file *out);
void      tl_pq_close(tl_ctx *ctx, tl_pq_file *f); /* safe to repeat */
/* TL_EDATA at a place of the file. */
tl_status tl_pq_fail(tl_ctx *ctx, const tl_pq_file *f, uint64_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What the values of a leaf are, and how they are written as a text. */
typedef enum { TL_PQ_WRITTEN, TL_PQ_NOTHING, TL_PQ_WRONG } tl_pq_wrote;
struct tl_pq_meaning {
    const char *name;
    bool        quoted; /* within JSON                       */
    const char *wrong;  /* what a value is that is not written */
    tl_pq_wrote (*write)(const tl_pq_node *n, tl_pq_bytes value, tl_text *to);
};
/* The annotations of a schema's element; -1: not said. */
typedef struct {
    int     logical, converted, scale, unit, bits;
    bool    utc, is_signed;
} tl_pq_said;
/* Sets the node's meaning, else says what its values are called that are not read here. */
const char *tl_pq_take_meaning(tl_pq_node *n, const tl_pq_said *said);
/* What the file's own notes say: `text` is the value under `key`.  What cannot be read is passed
 * over. */
void tl_pq_take_note(tl_pq_file *f, tl_pq_bytes key, tl_pq_bytes text);
/* Whole numbers that stand for classes take their names from the notes. */
void tl_pq_name_classes(tl_pq_file *f);
/* The name is the node's meaning from now on. */
void tl_pq_take_class_names(tl_pq_node *n, const json_t *names);
/* "..." with JSON's escapes. */
void tl_pq_quote(tl_text *to, const char *text, size_t bytes);

/* Memory that is used again. */
typedef struct {
    void  *data;
    size_t bytes;
} tl_pq_room;
tl_status tl_pq_need(tl_ctx *ctx, tl_pq_room *room, size_t bytes); /* what was in it is lost */

/* `from` unpacked into exactly `bytes` of `to`.  *fault (NULL: none): what is wrong. */
typedef struct {
    int         id;
    const char *name;
    const char *(*unpack)(tl_pq_bytes from, uint8_t *to, size_t bytes); /* NULL: not read here */
} tl_pq_codec;
const tl_pq_codec *tl_pq_codec_of(int id); /* NULL: no such codec */

/* Runs of equal values, and packed ones, of `width` bits. */
typedef struct {
    const uint8_t *at, *end;
    int            width, have;
    bool           packed, bad;
    uint64_t       left, bits;
    uint32_t       value;
} tl_pq_runs;
tl_pq_runs tl_pq_runs_of(const uint8_t *at, const uint8_t *end, int width);
uint32_t   tl_pq_runs_next(tl_pq_runs *r);

/* The values of a page that are there. */
typedef struct {
    const tl_pq_node *node;
    tl_pq_bytes       from;
    int64_t           count;
    size_t            limit;  /* bytes that may be made                     */
    tl_pq_bytes      *value;  /* [count]                                    */
    tl_pq_room       *made;   /* where they are put that do not lie in from */
    const char       *fault;  /* NULL: none                                 */
} tl_pq_decoding;
typedef struct {
    int         id;
    const char *name;
    tl_status (*decode)(tl_ctx *ctx, tl_pq_decoding *d); /* NULL: not read here */
    bool        indices; /* into the chunk's dictionary; decode is not asked */
} tl_pq_encoding;
const tl_pq_encoding *tl_pq_encoding_of(int id); /* NULL: no such encoding */
/* Of both files of encodings. */
tl_status tl_pq_decode_delta(tl_ctx *ctx, tl_pq_decoding *d);
tl_status tl_pq_decode_delta_lengths(tl_ctx *ctx, tl_pq_decoding *d);
tl_status tl_pq_decode_delta_texts(tl_ctx *ctx, tl_pq_decoding *d);

/* A chunk's values as texts. */
typedef struct {
    uint8_t  *def, *rep; /* [count] levels                                                */
    uint32_t *cell;      /* [count] offset of the value's text; 0: it is not there        */
    int64_t   count, room;
} tl_pq_leaf;
void tl_pq_leaf_free(tl_ctx *ctx, tl_pq_leaf *leaf);

/* What reading pages needs; each room is used again by the next page. */
typedef struct {
    const tl_pq_file *file;
    size_t            limit;
    tl_pq_room        page, dictionary_page, made, values, dictionary; /* dictionary: of cells */
    int64_t           dictionary_count; /* -1: the chunk has none so far */
    tl_text           word;             /* a value's text before it is quoted */
} tl_pq_pages;
void tl_pq_pages_free(tl_ctx *ctx, tl_pq_pages *p);
/* Reads a chunk of `node`; texts go to `to`, each with its zero byte, as JSON where `json`.  `to`
 * holds at least a byte already. */
tl_status tl_pq_read_chunk(tl_ctx *ctx, tl_pq_pages *p, const tl_pq_node *node,
                           const tl_pq_chunk *chunk, bool json, tl_text *to, tl_pq_leaf *out);

/* Rows of nested values as JSON texts: leaf[] of the file's leaves from the node's first, whose
 * texts lie in `texts`; cell[r * stride] becomes the offset of row r's text in `to`, 0: null. */
tl_status tl_pq_nest(tl_ctx *ctx, const tl_pq_file *f, int64_t node, const tl_pq_leaf *leaf,
                     const char *texts, int64_t rows, size_t limit, tl_text *to, uint32_t *cell,
                     int64_t stride);
#endif
