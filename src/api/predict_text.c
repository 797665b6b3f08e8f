/* predict_text.c -- texts asked, a JSON line each: rows of CSV, TSV, JSONL and Parquet files,
 * lines of any other file, or texts as they are.  Floor 4.5, api. */
#include "api/predict.h"
#include "core/io.h"
#include "data/delimited.h"
#include "data/texts/pack.h"
#include "data/texts/reader.h"

#include <stdio.h>
#include <string.h>

enum { PIECE = 256 };

/* What is asked together, and what its lines begin with. */
typedef struct {
    tl_string text[PIECE], pair[PIECE];
    char     *input[PIECE]; /* owned */
    int64_t   count;
    bool      pairs;
} piece;

static bool is_blank(tl_string s)
{
    for (size_t i = 0; i < s.bytes; i++)
        if (!strchr(" \t\r\n", s.text[i])) return false;
    return true;
}

static json_t *no_text(const char *input)
{
    return json_pack("{s:s, s:s}", "input", input, "error", "no text");
}

static bool give_vector(const tl_asker *a, const char *input, const float *y,
                        const tl_each_line *each)
{
    const tailor_vector row = { .input  = input,
                                .vector = y,
                                .width  = tl_predictor_width(a->embedder.p) };

    return each->vector(each->user, &row) != 0;
}

/* Answers in order; those without a text say so. */
static tl_status give(tl_ctx *ctx, tl_asker *a, const tl_model *m, const piece *q,
                      float *y, const tl_each_line *each, bool *stop)
{
    for (int64_t i = 0; i < q->count && !*stop; i++) {
        const bool none = is_blank(q->text[i]);
        if (!none && each->vector) {
            *stop = give_vector(a, q->input[i], y + i * tl_predictor_width(a->embedder.p), each);
            continue;
        }
        json_t    *line = none ? no_text(q->input[i])
                               : tl_answer_json(m, q->input[i], y + i * m->arch.outputs);
        a->bad |= none || !line;
        if (!line)
            line = json_pack("{s:s, s:s}", "input", "(not UTF-8)", "error",
                             "no UTF-8 (save it as UTF-8)");
        if (!line) return tl_fail(ctx, TL_ENOMEM, "predict", "no room for a line (free memory)");
        *stop = tl_give_line(line, each);
    }
    return TL_OK;
}

/* A language model's line: what follows the text. */
static tl_status tell_one(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *input,
                          tl_string text, json_t **line)
{
    tl_told   told = { 0 };
    tl_status rc;

    TL_TRY(tl_tell(ctx, a->writer, m, text, &a->how, NULL, &told));
    *line = json_pack("{s:o, s:o, s:I, s:s}", "input", tl_json_name(input), "output",
                      tl_json_name(told.text), "tokens", (json_int_t)told.written, "finish",
                      told.finish);
done:
    if (rc == TL_ELIMIT) { /* this text is too long; others need not be */
        *line = json_pack("{s:o, s:s}", "input", tl_json_name(input), "error", ctx->message);
        a->bad = true;
        rc     = TL_OK;
    }
    tl_free(ctx, told.text);
    return rc;
}

static tl_status tell_piece(tl_ctx *ctx, tl_asker *a, const tl_model *m, const piece *q,
                            const tl_each_line *each, bool *stop)
{
    tl_status rc = TL_OK;

    for (int64_t i = 0; i < q->count && !*stop; i++) {
        json_t *line = NULL;
        if (is_blank(q->text[i])) line = no_text(q->input[i]), a->bad = true;
        else TL_TRY(tell_one(ctx, a, m, q->input[i], q->text[i], &line));
        if (!line) TL_FAIL(TL_ENOMEM, "predict", "no room for a line (free memory)");
        *stop = tl_give_line(line, each);
    }
done:
    return rc;
}

static tl_status ask_piece(tl_ctx *ctx, tl_asker *a, const tl_model *m, piece *q,
                           const tl_each_line *each, bool *stop)
{
    const bool    apart = a->embedder.p != NULL;
    int64_t       row[PIECE];
    const tl_rows rows  = { row, q->count };
    tl_cache     *cache = NULL;
    float        *y     = NULL;
    tl_status     rc    = TL_OK;

    if (q->count == 0 || *stop) goto done;
    if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
    if (a->writer) {
        rc = tell_piece(ctx, a, m, q, each, stop);
        goto done;
    }
    for (int64_t i = 0; i < q->count; i++) row[i] = i;
    const int64_t wide = apart ? tl_predictor_width(a->embedder.p) : m->arch.outputs;
    TL_TRY(tl_alloc_array(ctx, PIECE, (size_t)wide * sizeof *y, &y));
    TL_TRY(tl_cache_of_texts(ctx, apart ? &a->embedder.prep : &m->prep, q->text,
                             q->pairs ? q->pair : NULL, q->count, &cache));
    if (apart) TL_TRY(tl_embedder_rows(ctx, &a->embedder, cache, rows, y));
    else TL_TRY(tl_predictor_rows(ctx, a->p, cache, rows, y));
    TL_TRY(give(ctx, a, m, q, y, each, stop));
done:
    for (int64_t i = 0; i < q->count; i++) tl_free(ctx, q->input[i]);
    q->count = 0;
    tl_cache_free(ctx, cache);
    tl_free(ctx, y);
    return rc;
}

static tl_status add(tl_ctx *ctx, piece *q, const char *input, tl_string text, tl_string pair)
{
    const tl_status rc = tl_strdup(ctx, input, &q->input[q->count]);

    if (rc != TL_OK) return rc;
    q->text[q->count]   = text;
    q->pair[q->count++] = pair;
    return TL_OK;
}

static tl_status ask_sheet(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *path,
                           size_t limit, piece *q, const tl_each_line *each, bool *stop)
{
    tl_text_reader r = { 0 };
    tl_string      text[2];
    char           place[440];
    json_t        *said;
    size_t         i;
    tl_status      rc;

    TL_TRY(tl_text_reader_open(ctx, path, limit, &m->prep.text->columns, &r));
    q->pairs = r.text[1] >= 0;
    for (int64_t row = 0; row < r.sheet.rows && !*stop; row++) {
        snprintf(place, sizeof place, "%.380s:%u", path, (unsigned)r.sheet.line[row]);
        tl_text_reader_row(&r, row, text);
        TL_TRY(add(ctx, q, place, text[0], text[1]));
        if (q->count == PIECE) TL_TRY(ask_piece(ctx, a, m, q, each, stop));
    }
    TL_TRY(ask_piece(ctx, a, m, q, each, stop));
    json_array_foreach(r.bad, i, said) {
        if (*stop) break;
        a->bad = true;
        *stop  = tl_give_line(json_pack("{s:s, s:O}", "input", path, "error", said), each);
    }
done:
    tl_text_reader_close(ctx, &r);
    return rc;
}

static tl_status ask_lines(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *path,
                           size_t limit, piece *q, const tl_each_line *each, bool *stop)
{
    const tl_string none = { NULL, 0 };
    char           *text = NULL, place[440];
    size_t          bytes;
    int64_t         line = 1;
    tl_status       rc;

    q->pairs = false;
    TL_TRY(tl_whole_text(ctx, path, limit, &text, &bytes));
    for (const char *at = text, *end = text + bytes; at < end && !*stop; line++) {
        const char     *next = memchr(at, '\n', (size_t)(end - at));
        const tl_string s    = { at, (size_t)((next ? next : end) - at) };
        at = next ? next + 1 : end;
        if (is_blank(s)) continue;
        snprintf(place, sizeof place, "%.380s:%" PRId64, path, line);
        TL_TRY(add(ctx, q, place, s, none));
        if (q->count == PIECE) TL_TRY(ask_piece(ctx, a, m, q, each, stop));
    }
    TL_TRY(ask_piece(ctx, a, m, q, each, stop));
done:
    tl_free(ctx, text);
    return rc;
}

static void drop(tl_ctx *ctx, piece *q)
{
    for (int64_t i = 0; i < q->count; i++) tl_free(ctx, q->input[i]);
}

tl_status tl_predict_texts(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                           const char *const *path, size_t paths, const tl_each_line *each)
{
    piece     q    = { 0 };
    bool      stop = false;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < paths && !stop; i++)
        TL_TRY((tl_is_sheet_name(path[i]) ? ask_sheet : ask_lines)(ctx, a, m, path[i], limit, &q,
                                                                   each, &stop));
done:
    drop(ctx, &q);
    return rc;
}

/* "one<tab>other" where the model was made for pairs. */
static void part_pair(const tl_model *m, const char *whole, tl_string text[2])
{
    const char *tab = m->prep.text->columns.name[1] ? strchr(whole, '\t') : NULL;

    text[0] = (tl_string){ whole, tab ? (size_t)(tab - whole) : strlen(whole) };
    text[1] = (tl_string){ tab ? tab + 1 : NULL, tab ? strlen(tab + 1) : 0 };
}

tl_status tl_predict_given(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *const *text,
                           size_t count, const tl_each_line *each)
{
    piece     q    = { .pairs = m->prep.text->columns.name[1] != NULL };
    bool      stop = false;
    tl_string two[2];
    tl_status rc = TL_OK;

    for (size_t i = 0; i < count && !stop; i++) {
        part_pair(m, text[i], two);
        TL_TRY(add(ctx, &q, text[i], two[0], two[1]));
        if (q.count == PIECE) TL_TRY(ask_piece(ctx, a, m, &q, each, &stop));
    }
    TL_TRY(ask_piece(ctx, a, m, &q, each, &stop));
done:
    drop(ctx, &q);
    return rc;
}
