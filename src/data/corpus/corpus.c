/* corpus.c -- see corpus.h.  Floor 2, data. */
#include "data/corpus/corpus.h"
#include "core/machine.h"
#include "core/rand.h"
#include "data/delimited.h"
#include "data/part.h"
#include "data/tokenizer/lined.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 << 10, FEW_DOCUMENTS = 20, SHARE = 20, LEAST_LIMIT = 1 << 20 };

/* A piece of a file's or cell's text. */
typedef struct {
    const char *text;
    size_t      bytes;
    bool        begins;
} piece;

typedef struct {
    const char *text;
    size_t      bytes;
    tl_split    split;
    uint64_t    key; /* of documents drawn: equal texts have equal ones */
} document;

typedef struct {
    char    **text; /* [texts] whole files; owned */
    size_t    texts, text_room;
    tl_sheet *sheet; /* [sheets]; owned */
    size_t    sheets, sheet_room;
    document *document;
    size_t    documents, document_room;
    piece    *piece;
    size_t    pieces, piece_room, part_room;
    uint8_t  *part; /* [pieces] tl_split */
} corpus;

static void corpus_free(tl_ctx *ctx, corpus *c)
{
    for (size_t i = 0; i < c->texts; i++) tl_free(ctx, c->text[i]);
    for (size_t i = 0; i < c->sheets; i++) tl_sheet_free(ctx, &c->sheet[i]);
    tl_free(ctx, c->text);
    tl_free(ctx, c->sheet);
    tl_free(ctx, c->document);
    tl_free(ctx, c->piece);
    tl_free(ctx, c->part);
    tl_free(ctx, c);
}

static void close_corpus(tl_ctx *ctx, tl_dataset *d)
{
    if (d->hold) corpus_free(ctx, d->hold);
    tl_free(ctx, d->label);
    tl_free(ctx, d->split);
    tl_free(ctx, d->path);
    tl_free(ctx, d);
}

static tl_status add_document(tl_ctx *ctx, corpus *c, const char *text, size_t bytes,
                              tl_split split)
{
    tl_status rc = TL_OK;

    if (!text || text[strspn(text, " \t\r\n")] == 0) return TL_OK;
    TL_TRY(tl_grow(ctx, &c->document, &c->document_room, c->documents + 1,
                   sizeof *c->document));
    c->document[c->documents++] = (document){ text, bytes, split, 0 };
done:
    return rc;
}

static tl_status read_text(tl_ctx *ctx, const char *path, tl_split split, size_t limit,
                           corpus *c)
{
    size_t    bytes;
    char     *text;
    tl_status rc;

    TL_TRY(tl_grow(ctx, &c->text, &c->text_room, c->texts + 1, sizeof *c->text));
    TL_TRY(tl_whole_text(ctx, path, limit, &text, &bytes));
    c->text[c->texts++] = text;
    TL_TRY(add_document(ctx, c, text, bytes, split));
done:
    return rc;
}

static const char *const text_columns[] = { "text", "content", "document", "body", "story" };

static tl_status read_sheet(tl_ctx *ctx, const char *path, tl_split split,
                            const tl_corpus_source *s, size_t limit, corpus *c)
{
    tl_bad    bad    = { 0 };
    int64_t   column = -1;
    tl_sheet *g;
    tl_status rc;

    TL_TRY(tl_grow(ctx, &c->sheet, &c->sheet_room, c->sheets + 1, sizeof *c->sheet));
    g  = &c->sheet[c->sheets];
    *g = (tl_sheet){ 0 };
    TL_TRY(tl_sheet_read(ctx, path, limit, s->text, &bad, g));
    c->sheets++;
    TL_TRY(tl_bad_fail(ctx, &bad, path, g->rows + bad.rows));
    if (s->text) column = tl_sheet_column(g, s->text);
    for (size_t i = 0; !s->text && column < 0 && i < TL_COUNT(text_columns); i++)
        column = tl_sheet_column(g, text_columns[i]);
    if (!s->text && g->columns == 1) column = 0;
    if (column < 0)
        TL_FAIL(TL_EDATA, path, "has no column \"%.60s\" (name the one of the texts: --text)",
                s->text ? s->text : text_columns[0]);
    for (int64_t i = 0; i < g->rows; i++) {
        const char *cell = tl_sheet_cell(g, i, column);
        TL_TRY(add_document(ctx, c, cell, strlen(cell), split));
    }
done:
    tl_bad_free(&bad);
    return rc;
}

static bool is_text_name(const char *name)
{
    static const char *const ends[] = { ".txt", ".text", ".md", ".txt.gz" };

    for (size_t i = 0; i < TL_COUNT(ends); i++)
        if (tl_ends_with(name, ends[i])) return true;
    return false;
}

static tl_status read_file(tl_ctx *ctx, const char *path, tl_split split,
                           const tl_corpus_source *s, corpus *c)
{
    size_t limit = s->limit_bytes ? s->limit_bytes : tl_machine_memory_bytes() / 2;

    limit = TL_MAX(limit, (size_t)LEAST_LIMIT);
    if (tl_is_sheet_name(path)) return read_sheet(ctx, path, split, s, limit, c);
    return read_text(ctx, path, split, limit, c);
}

/* A file, or the texts of a folder by name; `split` NONE: the files' names decide. */
static tl_status read_place(tl_ctx *ctx, const char *path, tl_split split,
                            const tl_corpus_source *s, corpus *c)
{
    const size_t before = c->documents;
    tl_names     names  = { 0 };
    char        *file   = NULL;
    tl_status    rc     = TL_OK;

    if (!tl_exists(path))
        TL_FAIL(TL_EDATA, path, "no such file or folder (check the path)");
    if (!tl_is_folder(path)) return read_file(ctx, path, split, s, c);
    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.name[i];
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, name, &file));
        const tl_split said = split == TL_SPLIT_NONE ? tl_split_of_name(name) : split;
        if (tl_is_folder(file) && said != TL_SPLIT_NONE)
            TL_TRY(read_place(ctx, file, said, s, c));
        else if (!tl_is_folder(file) && (is_text_name(name) || tl_is_sheet_name(name)))
            TL_TRY(read_file(ctx, file, said, s, c));
    }
    if (c->documents == before)
        TL_FAIL(TL_EDATA, path, "holds no texts (give .txt, .md, .jsonl, .csv, .tsv or "
                ".parquet files)");
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static bool has_split(const corpus *c, tl_split split)
{
    for (size_t i = 0; i < c->documents; i++)
        if (c->document[i].split == split) return true;
    return false;
}

/* A file called train: valid and test of the same ending beside it belong to it. */
static tl_status read_beside(tl_ctx *ctx, const tl_corpus_source *s, corpus *c)
{
    const char *name   = tl_path_name(s->train), *dot = strchr(name, '.');
    tl_names    names  = { 0 };
    char       *folder = NULL, *file = NULL;
    tl_status   rc     = TL_OK;

    if (tl_split_of_name(name) != TL_SPLIT_TRAIN || tl_is_folder(s->train)) return TL_OK;
    TL_TRY(tl_strdup(ctx, s->train, &folder));
    folder[name - s->train] = 0;
    TL_TRY(tl_folder_list(ctx, *folder ? folder : ".", &names));
    for (size_t i = 0; i < names.count; i++) {
        const tl_split split = tl_split_of_name(names.name[i]);
        const bool asked = split == TL_SPLIT_VALID ? s->valid != NULL : s->test != NULL;
        if ((split != TL_SPLIT_VALID && split != TL_SPLIT_TEST) || asked ||
            has_split(c, split) || !tl_ends_with(names.name[i], dot ? dot : ""))
            continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, *folder ? folder : ".", names.name[i], &file));
        if (!tl_is_folder(file)) TL_TRY(read_file(ctx, file, split, s, c));
    }
done:
    tl_free(ctx, folder);
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status read_all(tl_ctx *ctx, const tl_corpus_source *s, corpus *c)
{
    tl_status rc;

    TL_TRY(read_place(ctx, s->train, TL_SPLIT_NONE, s, c));
    TL_TRY(read_beside(ctx, s, c));
    for (size_t i = 0; i < c->documents; i++) { /* what is asked for stands for what was there */
        document *t = &c->document[i];
        if ((s->valid && t->split == TL_SPLIT_VALID) || (s->test && t->split == TL_SPLIT_TEST))
            t->bytes = 0;
        if (t->split == TL_SPLIT_NONE) t->split = TL_SPLIT_TRAIN;
    }
    if (s->valid) TL_TRY(read_place(ctx, s->valid, TL_SPLIT_VALID, s, c));
    if (s->test) TL_TRY(read_place(ctx, s->test, TL_SPLIT_TEST, s, c));
    if (!has_split(c, TL_SPLIT_TRAIN))
        TL_FAIL(TL_EDATA, s->train, "holds no text to learn from (add some)");
done:
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const document *const *x = a, *const *y = b;

    if ((*x)->key != (*y)->key) return (*x)->key < (*y)->key ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

/* A twentieth of the bytes of these documents, in the order drawn, goes to `split`. */
static size_t draw_part(document **order, size_t count, size_t from, size_t all_bytes,
                        tl_split split)
{
    size_t i = from, bytes = 0;

    while (i < count && (bytes < all_bytes / SHARE || i == from ||
                         order[i]->key == order[i - 1]->key)) {
        order[i]->split = split;
        bytes += order[i++]->bytes;
    }
    return i;
}

static tl_status draw_documents(tl_ctx *ctx, corpus *c, uint64_t seed, const bool cut[2])
{
    document **order = NULL;
    size_t     n = 0, bytes = 0, at = 0;
    tl_status  rc;

    TL_TRY(tl_alloc_array(ctx, c->documents, sizeof *order, &order));
    for (size_t i = 0; i < c->documents; i++) {
        document *t = &c->document[i];
        if (t->split != TL_SPLIT_TRAIN) continue;
        t->key     = tl_rand_u64(seed, TL_STREAM(TL_STREAM_SPLIT, 0),
                                 tl_fnv(TL_FNV, t->text, t->bytes)); /* equal texts meet */
        order[n++] = t;
        bytes += t->bytes;
    }
    qsort(order, n, sizeof *order, by_key);
    if (cut[0]) at = draw_part(order, n, at, bytes, TL_SPLIT_TEST);
    if (cut[1]) at = draw_part(order, n, at, bytes, TL_SPLIT_VALID);
done:
    tl_free(ctx, order);
    return rc;
}

/* May a text be cut before this byte, so that its tokens on both sides stay as they are?  After a
 * single line end between what is no space. */
static bool safe(const char *text, size_t at, size_t bytes)
{
    return at >= 2 && at < bytes && text[at - 1] == '\n' && (uint8_t)text[at] > ' ' &&
           (uint8_t)text[at - 2] > ' ';
}

/* The first safe place from `at` on, else the first that is not within a character. */
static size_t cut_from(const char *text, size_t at, size_t most, size_t bytes)
{
    size_t i = at;

    while (i < bytes && i < most && !safe(text, i, bytes)) i++;
    if (i < bytes && i < most) return i;
    for (i = at; i < bytes && ((uint8_t)text[i] & 0xc0) == 0x80;) i++;
    return i;
}

static tl_status add_pieces(tl_ctx *ctx, corpus *c, const char *text, size_t bytes, bool begins,
                            tl_split split)
{
    tl_status rc = TL_OK;

    for (size_t at = 0, next; at < bytes; at = next) {
        next = TL_MIN(at + PIECE_BYTES, bytes);
        if (next < bytes) next = cut_from(text, next, next + PIECE_BYTES, bytes);
        TL_TRY(tl_grow(ctx, &c->piece, &c->piece_room, c->pieces + 1, sizeof *c->piece));
        TL_TRY(tl_grow(ctx, &c->part, &c->part_room, c->pieces + 1, sizeof *c->part));
        c->piece[c->pieces]  = (piece){ text + at, next - at, begins && at == 0 };
        c->part[c->pieces++] = (uint8_t)split;
    }
done:
    return rc;
}

/* The beginning of a document for training, its last twentieths for the other parts. */
static tl_status cut_document(tl_ctx *ctx, corpus *c, const document *t, const bool cut[2])
{
    const size_t share = t->bytes / SHARE;
    size_t       end[3] = { t->bytes - share * (cut[0] + cut[1]), t->bytes - share * cut[0],
                            t->bytes };
    size_t       at    = 0;
    tl_status    rc    = TL_OK;

    for (int i = 0; i < 2; i++)
        end[i] = cut_from(t->text, end[i], end[i] + PIECE_BYTES, t->bytes);
    for (int i = 0; i < 3; i++) {
        if (end[i] <= at) continue;
        TL_TRY(add_pieces(ctx, c, t->text + at, end[i] - at, true, (tl_split)i));
        at = end[i];
    }
done:
    return rc;
}

/* Documents become pieces, each with its part: train first, then valid, then test. */
static tl_status cut_all(tl_ctx *ctx, corpus *c, const tl_corpus_source *s)
{
    const bool named  = has_split(c, TL_SPLIT_VALID) && !has_split(c, TL_SPLIT_TEST);
    const bool cut[2] = { !has_split(c, TL_SPLIT_TEST) && !named && !s->whole,
                          !has_split(c, TL_SPLIT_VALID) && !s->whole };
    const bool few    = c->documents < FEW_DOCUMENTS;
    tl_status  rc     = TL_OK;

    if (!few && (cut[0] || cut[1])) TL_TRY(draw_documents(ctx, c, s->seed, cut));
    for (size_t i = 0; i < c->documents; i++) {
        const document *t = &c->document[i];
        if (few && t->split == TL_SPLIT_TRAIN) TL_TRY(cut_document(ctx, c, t, cut));
        else TL_TRY(add_pieces(ctx, c, t->text, t->bytes, true, t->split));
    }
done:
    return rc;
}

tl_status tl_corpus_open(tl_ctx *ctx, const tl_corpus_source *source, tl_dataset **out)
{
    tl_dataset *d = NULL;
    corpus     *c;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *d, &d));
    d->close = close_corpus;
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    d->hold   = c;
    d->task   = &tl_task_language_modelling;
    d->format = "corpus";
    TL_TRY(tl_strdup(ctx, source->train, &d->path));
    TL_TRY(read_all(ctx, source, c));
    TL_TRY(cut_all(ctx, c, source));
    d->rows    = (int64_t)c->pieces;
    d->classes = 1;
    TL_TRY(tl_alloc_array(ctx, c->pieces, sizeof *d->label, &d->label));
    TL_TRY(tl_alloc(ctx, c->pieces, &d->split));
    memcpy(d->split, c->part, c->pieces);
    if (!source->whole && !tl_corpus_bytes(d, TL_SPLIT_VALID))
        TL_FAIL(TL_EDATA, source->train, "is too short to cut a validation part off (add text, "
                "or give --valid)");
    *out = d;
    d    = NULL;
done:
    tl_dataset_close(ctx, d);
    return rc;
}

bool tl_corpus_is(const tl_dataset *d)
{
    return d->close == close_corpus;
}

tl_string tl_corpus_text(const tl_dataset *d, int64_t row)
{
    const piece *p = &((const corpus *)d->hold)->piece[row];

    return (tl_string){ p->text, p->bytes };
}

bool tl_corpus_begins(const tl_dataset *d, int64_t row)
{
    return ((const corpus *)d->hold)->piece[row].begins;
}

int64_t tl_corpus_documents(const tl_dataset *d)
{
    return (int64_t)((const corpus *)d->hold)->documents;
}

int64_t tl_corpus_bytes(const tl_dataset *d, tl_split split)
{
    int64_t bytes = 0;

    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] == split) bytes += (int64_t)tl_corpus_text(d, i).bytes;
    return bytes;
}

tl_status tl_corpus_rows(tl_ctx *ctx, const tl_dataset *d, tl_split split, tl_rows *out)
{
    tl_status rc;

    *out = (tl_rows){ 0 };
    rc   = tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row);
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] == split) out->row[out->count++] = i;
    return TL_OK;
}

tl_status tl_corpus_learn(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like,
                          tl_texter **out)
{
    tl_string *text  = NULL;
    int64_t    count = 0;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *text, &text));
    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] == TL_SPLIT_TRAIN) text[count++] = tl_corpus_text(d, i);
    TL_TRY(tl_texter_learn(ctx, like, text, NULL, count, out));
done:
    tl_free(ctx, text);
    return rc;
}

tl_status tl_corpus_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65])
{
    tl_hash  *hash = NULL;
    tl_status rc   = tl_hash_new(ctx, &hash);

    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < d->rows; i++) {
        const tl_string t       = tl_corpus_text(d, i);
        const uint8_t   said[2] = { d->split[i], tl_corpus_begins(d, i) };
        tl_hash_add(hash, said, sizeof said);
        tl_hash_add(hash, &t.bytes, sizeof t.bytes);
        tl_hash_add(hash, t.text, t.bytes);
    }
    tl_hash_end(ctx, hash, hex);
    return TL_OK;
}
