/* predict_tags.c -- texts whose words are told apart, a JSON line each: every word with its tag,
 * and the entities they make, with their bytes in the text.  Texts come as they are, and are parted
 * here, or as lists of words.  Floor 4.5, api. */
#include "api/predict.h"
#include "core/io.h"
#include "data/delimited.h"
#include "data/texts/reader.h"
#include "data/texts/tagged.h"
#include "train/spans.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 256 };

/* What is asked together. */
typedef struct {
    char      *input[PIECE], *text[PIECE]; /* owned */
    tl_extent *word[PIECE];                /* owned */
    int64_t    words[PIECE], count;
} piece;

static void empty(tl_ctx *ctx, piece *q)
{
    for (int64_t i = 0; i < q->count; i++) {
        tl_free(ctx, q->input[i]);
        tl_free(ctx, q->text[i]);
        tl_free(ctx, q->word[i]);
    }
    *q = (piece){ 0 };
}

/* The likeliest tag and its probability. */
static int64_t best_of(const float *y, int64_t n, double *p)
{
    int64_t best = 0;
    double  sum  = 0.0;

    for (int64_t c = 1; c < n; c++)
        if (y[c] > y[best]) best = c;
    for (int64_t c = 0; c < n; c++) sum += exp((double)y[c] - (double)y[best]);
    *p = 1.0 / sum;
    return best;
}

static const char *tag_name(const tl_model *m, int64_t c, char room[24])
{
    if (m->class_name) return m->class_name[c];
    snprintf(room, 24, "%" PRId64, c);
    return room;
}

static json_t *stretch(const char *key, const char *what, const char *text, tl_extent at,
                       double score)
{
    return json_pack("{s:s%, s:s, s:I, s:I, s:o}", "text", text + at.from,
                     (size_t)(at.to - at.from), key, what, "start", (json_int_t)at.from, "end",
                     (json_int_t)at.to, "score", tl_json_real(score));
}

/* The span that is open becomes an entity. */
static void close_span(json_t *list, const char *text, const char *tag, tl_extent at, double sum,
                       int64_t words)
{
    json_array_append_new(list, stretch("type", tl_tag_of(tag).type, text, at,
                                        sum / (double)words));
}

static json_t *line_of(const tl_model *m, const piece *q, int64_t i, const float *y)
{
    json_t       *valid = json_string(q->text[i]); /* NULL where it is no UTF-8 */
    const int64_t n    = m->arch.outputs;
    json_t       *tags = json_array(), *entities = json_array();
    const char   *before = NULL;
    char          room[2][24];
    tl_extent     at    = { 0 };
    double        sum   = 0.0, p;
    int64_t       since = 0;

    for (int64_t k = 0; k < q->words[i]; k++, y += n) {
        const char *tag = tag_name(m, best_of(y, n, &p), room[k % 2]);
        if (since && tl_span_ends(before, tag)) {
            close_span(entities, q->text[i], before, at, sum, since);
            since = 0;
        }
        if (tl_span_begins(before, tag)) at = q->word[i][k], sum = 0.0, since = 0;
        const bool inside = tl_tag_of(tag).prefix != 'O';
        if (inside) at.to = q->word[i][k].to, sum += p, since++;
        json_array_append_new(tags, stretch("tag", tag, q->text[i], q->word[i][k], p));
        before = tag;
    }
    if (since) close_span(entities, q->text[i], before, at, sum, since);
    if (!valid) {
        json_decref(tags);
        json_decref(entities);
        return NULL;
    }
    json_decref(valid);
    return json_pack("{s:o, s:o, s:o}", "input", tl_json_name(q->input[i]), "entities", entities,
                     "words", tags);
}

static tl_status ask_piece(tl_ctx *ctx, tl_asker *a, const tl_model *m, piece *q,
                           const tl_each_line *each, bool *stop)
{
    tl_string  text[PIECE];
    int64_t    first[PIECE + 1] = { 0 }, *row = NULL, words;
    tl_extent *word  = NULL;
    tl_cache  *cache = NULL;
    float     *y     = NULL;
    tl_status  rc    = TL_OK;

    if (q->count == 0 || *stop) goto done;
    if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
    for (int64_t i = 0; i < q->count; i++) {
        text[i]      = (tl_string){ q->text[i], strlen(q->text[i]) };
        first[i + 1] = first[i] + q->words[i];
    }
    words = first[q->count];
    const size_t room = (size_t)TL_MAX(words, (int64_t)1);
    TL_TRY(tl_alloc_array(ctx, room, sizeof *word, &word));
    TL_TRY(tl_alloc_array(ctx, room, sizeof *row, &row));
    TL_TRY(tl_alloc_array(ctx, room, (size_t)m->arch.outputs * sizeof *y, &y));
    for (int64_t i = 0; i < q->count; i++)
        if (q->words[i])
            memcpy(word + first[i], q->word[i], (size_t)q->words[i] * sizeof *word);
    for (int64_t k = 0; k < words; k++) row[k] = k;
    TL_TRY(tl_cache_of_words(ctx, &m->prep, text, word, first, q->count, &cache));
    if (words) TL_TRY(tl_predictor_rows(ctx, a->p, cache, (tl_rows){ row, words }, y));
    for (int64_t i = 0; i < q->count && !*stop; i++) {
        json_t *line = q->words[i] ? line_of(m, q, i, y + first[i] * m->arch.outputs) : NULL;
        a->bad |= !line;
        if (!line)
            line = json_pack("{s:o, s:s}", "input", tl_json_name(q->input[i]), "error",
                             q->words[i] ? "no UTF-8 (save it as UTF-8)" : "no text");
        if (!line) TL_FAIL(TL_ENOMEM, "predict", "no room for a line (free memory)");
        *stop = tl_give_line(line, each);
    }
done:
    empty(ctx, q);
    tl_cache_free(ctx, cache);
    tl_free(ctx, word);
    tl_free(ctx, row);
    tl_free(ctx, y);
    return rc;
}

static tl_status add(tl_ctx *ctx, piece *q, const char *input, const char *text, size_t bytes)
{
    const int64_t i = q->count++;
    tl_status     rc;

    q->input[i] = q->text[i] = NULL;
    q->word[i]  = NULL;
    q->words[i] = 0;
    TL_TRY(tl_strdup(ctx, input, &q->input[i]));
    TL_TRY(tl_alloc(ctx, bytes + 1, &q->text[i]));
    memcpy(q->text[i], text, bytes);
    rc = tl_words_part(ctx, (tl_string){ q->text[i], bytes }, &q->word[i], &q->words[i]);
done:
    return rc;
}

/* A list of words, joined by blanks. */
static tl_status add_list(tl_ctx *ctx, piece *q, const char *input, const json_t *list)
{
    const int64_t i    = q->count++;
    tl_text       text = tl_text_make(ctx);
    size_t        k;
    json_t       *word;
    tl_status     rc;

    q->input[i] = q->text[i] = NULL;
    q->words[i] = 0;
    q->word[i]  = NULL;
    TL_TRY(tl_strdup(ctx, input, &q->input[i]));
    TL_TRY(tl_alloc_array(ctx, json_array_size(list) + 1, sizeof **q->word, &q->word[i]));
    json_array_foreach(list, k, word)
    {
        if (!json_is_string(word) || !*json_string_value(word)) continue;
        if (text.bytes) tl_text_add(&text, " ");
        const size_t from = text.bytes;
        tl_text_add(&text, json_string_value(word));
        q->word[i][q->words[i]++] = (tl_extent){ (uint32_t)from, (uint32_t)text.bytes };
    }
    if (!text.text) tl_text_add_bytes(&text, "", 0);
    TL_TRY(text.status);
    rc         = tl_strdup(ctx, text.text ? text.text : "", &q->text[i]);
done:
    tl_text_free(&text);
    return rc;
}

/* The column that the model learnt from, else one of texts, else the first. */
static int64_t column_of(const tl_sheet *g, const tl_model *m)
{
    const char *const names[] = { m->prep.text->columns.name[0], "tokens", "words", "text" };

    for (size_t i = 0; i < TL_COUNT(names); i++)
        if (names[i] && tl_sheet_column(g, names[i]) >= 0) return tl_sheet_column(g, names[i]);
    return 0;
}

static tl_status ask_sheet(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *path,
                           size_t limit, piece *q, const tl_each_line *each, bool *stop)
{
    const tl_text_columns any = { 0 };
    tl_text_reader        r   = { 0 };
    char                  place[440];
    json_t               *said;
    size_t                k;
    tl_status             rc;

    TL_TRY(tl_text_reader_open(ctx, path, limit, &any, &r));
    const int64_t column = column_of(&r.sheet, m);
    for (int64_t row = 0; row < r.sheet.rows && !*stop; row++) {
        const char *cell = tl_sheet_cell(&r.sheet, row, column);
        json_t     *list = *cell == '[' ? json_loads(cell, 0, NULL) : NULL;
        snprintf(place, sizeof place, "%.380s:%u", path, (unsigned)r.sheet.line[row]);
        rc = json_is_array(list) ? add_list(ctx, q, place, list)
                                 : add(ctx, q, place, cell, strlen(cell));
        json_decref(list);
        TL_TRY(rc);
        if (q->count == PIECE) TL_TRY(ask_piece(ctx, a, m, q, each, stop));
    }
    TL_TRY(ask_piece(ctx, a, m, q, each, stop));
    json_array_foreach(r.bad, k, said)
    {
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
    char     *text = NULL, place[440];
    size_t    bytes;
    int64_t   line = 1;
    tl_status rc;

    TL_TRY(tl_whole_text(ctx, path, limit, &text, &bytes));
    for (const char *at = text, *end = text + bytes; at < end && !*stop; line++) {
        const char  *next = memchr(at, '\n', (size_t)(end - at));
        const size_t n    = (size_t)((next ? next : end) - at);
        snprintf(place, sizeof place, "%.380s:%" PRId64, path, line);
        if (strspn(at, " \t\r") < n) TL_TRY(add(ctx, q, place, at, n));
        if (q->count == PIECE) TL_TRY(ask_piece(ctx, a, m, q, each, stop));
        at = next ? next + 1 : end;
    }
    rc = ask_piece(ctx, a, m, q, each, stop);
done:
    tl_free(ctx, text);
    return rc;
}

tl_status tl_predict_tags(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                          const char *const *path, size_t paths, const tl_each_line *each)
{
    piece     q    = { 0 };
    bool      stop = false;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < paths && !stop; i++)
        TL_TRY((tl_is_sheet_name(path[i]) ? ask_sheet : ask_lines)(ctx, a, m, path[i], limit, &q,
                                                                   each, &stop));
done:
    empty(ctx, &q);
    return rc;
}

tl_status tl_predict_given_tags(tl_ctx *ctx, tl_asker *a, const tl_model *m,
                                const char *const *text, size_t count, const tl_each_line *each)
{
    piece     q    = { 0 };
    bool      stop = false;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < count && !stop; i++) {
        TL_TRY(add(ctx, &q, text[i], text[i], strlen(text[i])));
        if (q.count == PIECE) TL_TRY(ask_piece(ctx, a, m, &q, each, &stop));
    }
    rc = ask_piece(ctx, a, m, &q, each, &stop);
done:
    empty(ctx, &q);
    return rc;
}
