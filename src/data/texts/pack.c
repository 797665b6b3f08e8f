/* pack.c -- see pack.h.  Source of packing without padding: Krell et al. 2021, arXiv:2107.02027.
 * Floor 2, data. */
#include "data/texts/pack.h"
#include "data/texts/windows.h"

#include <stdlib.h>
#include <string.h>

/* Before a vocabulary is there: a token for so many bytes, and two special ones. */
enum { BYTES_A_TOKEN = 4, LEAST_ROOM = 32 };

static tl_status estimate(tl_ctx *ctx, tl_cache *c, const tl_string *text, const tl_string *pair,
                          int64_t count)
{
    tl_text_rows *t = &c->text;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *t->start, &t->start));
    for (int64_t i = 0; i < count; i++) {
        const size_t  bytes = text[i].bytes + (pair ? pair[i].bytes : 0);
        const int64_t n     = (int64_t)(bytes / BYTES_A_TOKEN) + 2;
        t->start[i + 1]     = t->start[i] + TL_MIN(n, c->prep.text->most);
    }
done:
    return rc;
}

static tl_status weigh(tl_ctx *ctx, tl_cache *c, const tl_string *text, const tl_string *pair,
                       int64_t count)
{
    const tl_string none = { NULL, 0 };
    tl_text_rows  *t    = &c->text;
    tl_weighed     all  = { 0 };
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *t->start, &t->start));
    for (int64_t i = 0; i < count; i++) {
        TL_TRY(tl_lexicon_weigh(ctx, &c->prep.text->words, text[i], pair ? pair[i] : none, &all));
        t->start[i + 1] = all.count;
    }
    t->id    = all.id;
    t->value = all.value;
    all      = (tl_weighed){ 0 };
done:
    tl_weighed_free(ctx, &all);
    return rc;
}

static tl_status encode(tl_ctx *ctx, tl_cache *c, const tl_string *text, const tl_string *pair,
                        int64_t count)
{
    const tl_encode_options how = { .most = c->prep.text->most };
    tl_text_rows           *t   = &c->text;
    tl_token_batch          all = { 0 };
    tl_status               rc;

    TL_TRY(tl_encode_batch(ctx, c->prep.text->tokenizer, text, pair, count, how, &all));
    t->start       = all.start;
    t->id          = all.all.id;
    t->part        = all.all.part;
    all.start      = NULL;
    all.all.id     = NULL;
    all.all.part   = NULL;
    if (all.all.cut > 0) TL_TRY(tl_cache_add_windows(ctx, c, text, pair, count));
done:
    tl_token_batch_free(ctx, &all);
    return rc;
}

tl_status tl_cache_of_texts(tl_ctx *ctx, const tl_prep *prep, const tl_string *text,
                            const tl_string *pair, int64_t count, tl_cache **out)
{
    const tl_texter *t = prep->text;
    tl_cache        *c = NULL;
    tl_status        rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->prep = *prep;
    tl_prep_hold(prep);
    TL_TRY((t->learns ? estimate : t->weighs ? weigh : encode)(ctx, c, text, pair, count));
    c->text.rows = count;
    *out = c;
    c    = NULL;
done:
    tl_cache_free(ctx, c);
    return rc;
}

void tl_text_rows_free(tl_ctx *ctx, tl_text_rows *t)
{
    tl_free(ctx, t->start);
    if (t->id_map.data) tl_map_close(ctx, &t->id_map);
    else tl_free(ctx, t->id);
    if (t->mark_map.data) tl_map_close(ctx, &t->mark_map);
    else tl_free(ctx, t->mark);
    tl_free(ctx, t->part);
    tl_free(ctx, t->value);
    tl_free(ctx, t->of);
    tl_free(ctx, t->token);
    tl_free(ctx, t->word_at);
    tl_free(ctx, t->more.first);
    tl_free(ctx, t->more.start);
    tl_free(ctx, t->more.id);
    tl_free(ctx, t->more.part);
    *t = (tl_text_rows){ 0 };
}

bool tl_cache_fits(const tl_cache *c, const tl_prep *prep)
{
    const tl_texter *a = c->prep.text, *b = prep->text;

    if (c->prep.table || prep->table) return c->prep.table == prep->table;
    if (!a || !b || a == b) return a == b;
    return !a->learns && !b->learns && a->most == b->most && strcmp(a->sha256, b->sha256) == 0;
}

int64_t tl_cache_texts(const tl_cache *c)
{
    return TL_MAX(c->text.most_texts, (int64_t)1);
}

int64_t tl_cache_total(const tl_cache *c)
{
    return c->text.start[c->text.rows];
}

int64_t tl_cache_most(const tl_cache *c)
{
    int64_t most = 1;

    for (int64_t i = 0; i < c->text.rows; i++)
        most = TL_MAX(most, c->text.start[i + 1] - c->text.start[i]);
    return most;
}

bool tl_cache_asks_words(const tl_cache *c)
{
    return c->text.of != NULL;
}

void tl_cache_words(const tl_cache *c, int64_t row, int64_t *low, int64_t *high)
{
    const int64_t w = c->text.of[row];

    *low  = c->text.word_at[w];
    *high = c->text.word_at[w + 1];
}

int64_t tl_cache_window(const tl_cache *c, int64_t row)
{
    return c->text.of ? c->text.of[row] : row;
}

int32_t tl_cache_token(const tl_cache *c, int64_t row, bool *own)
{
    const int32_t at = c->text.token[row];

    *own = at >= 0;
    return at >= 0 ? at : ~at;
}

/* Is row k of them asked in the window of the one before it? */
static bool again(const tl_cache *c, tl_rows rows, int64_t k)
{
    return c->text.of && k > 0 && c->text.of[rows.row[k]] == c->text.of[rows.row[k - 1]];
}

int64_t tl_cache_windows(const tl_cache *c, tl_rows rows)
{
    int64_t n = 0;

    for (int64_t k = 0; k < rows.count && c->text.of; k++) n += !again(c, rows, k);
    return c->text.of ? n : rows.count;
}

int64_t tl_cache_tokens(const tl_cache *c, int64_t row)
{
    const int64_t i = tl_cache_window(c, row);

    return c->text.start[i + 1] - c->text.start[i];
}

int64_t tl_cache_ids(const tl_cache *c, int64_t row, const int32_t **id, const float **value)
{
    row    = tl_cache_window(c, row);
    *id    = c->text.id + c->text.start[row];
    *value = c->text.value ? c->text.value + c->text.start[row] : NULL;
    return c->text.start[row + 1] - c->text.start[row];
}

void tl_cache_cut(const tl_cache *c, int64_t *rows, int64_t *tokens)
{
    *rows   = c->text.cut_rows;
    *tokens = c->text.cut_tokens;
}

static int by_length(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x < y) - (x > y);
}

int64_t tl_cache_longest(tl_ctx *ctx, const tl_cache *c, tl_rows rows, int64_t count)
{
    int64_t *length = NULL, sum = 0, n = 0;

    if (tl_alloc_array(ctx, (size_t)rows.count, sizeof *length, &length) != TL_OK)
        return c->prep.text->most * count;
    for (int64_t i = 0; i < rows.count; i++)
        if (!again(c, rows, i)) length[n++] = tl_cache_tokens(c, rows.row[i]);
    qsort(length, (size_t)n, sizeof *length, by_length);
    for (int64_t i = 0; i < TL_MIN(count, n); i++) sum += length[i];
    tl_free(ctx, length);
    return sum;
}

double tl_cache_average(const tl_cache *c, tl_rows rows)
{
    const int64_t n   = tl_cache_windows(c, rows);
    double        sum = 0.0;

    for (int64_t i = 0; i < rows.count; i++)
        if (!again(c, rows, i)) sum += (double)tl_cache_tokens(c, rows.row[i]);
    return n ? sum / (double)n : 0.0;
}

int64_t tl_tokens_room(int64_t tokens)
{
    int64_t step = 4;

    while (16 * step <= tokens) step *= 2; /* eight steps from 8 step to 16 step */
    return TL_MAX((int64_t)LEAST_ROOM, (tokens + step - 1) / step * step);
}

tl_status tl_pack_reserve(tl_ctx *ctx, int64_t sequences, int64_t tokens, tl_pack *p)
{
    const size_t ids = (size_t)tokens * sizeof *p->id;
    tl_status    rc  = TL_OK;

    if (sequences > p->sequences) {
        TL_TRY(tl_realloc(ctx, (size_t)(sequences + 1) * sizeof *p->offset, &p->offset));
        p->sequences = sequences;
    }
    if (tokens > p->room) {
        TL_TRY(tl_realloc(ctx, ids, &p->id));
        TL_TRY(tl_realloc(ctx, ids, &p->position));
        TL_TRY(tl_realloc(ctx, ids, &p->segment));
        TL_TRY(tl_realloc(ctx, (size_t)tokens * sizeof *p->value, &p->value));
        if (p->token_bytes)
            TL_TRY(tl_realloc(ctx, (size_t)tokens * p->token_bytes, &p->stream));
        p->room = tokens;
    }
done:
    return rc;
}

void tl_pack_free(tl_ctx *ctx, tl_pack *p)
{
    tl_free(ctx, p->id);
    tl_free(ctx, p->position);
    tl_free(ctx, p->segment);
    tl_free(ctx, p->offset);
    tl_free(ctx, p->value);
    tl_free(ctx, p->stream);
    tl_free(ctx, p->target);
    tl_free(ctx, p->picked);
    tl_free(ctx, p->weight);
    tl_free(ctx, p->order);
    *p = (tl_pack){ 0 };
}

void tl_pack_tags(const tl_cache *c, const int64_t *row, int64_t count, const int32_t *label,
                  const float *counts, tl_pack *p)
{
    const tl_text_rows *t = &c->text;

    p->asked = 0;
    for (int64_t i = 0; i < p->asked_room; i++) p->target[i] = -1, p->weight[i] = 0.0f;
    for (int64_t r = 0; r < count; r++) {
        if (row[r] < 0) continue;
        const int64_t w = t->of[row[r]];
        for (int64_t k = t->word_at[w]; k < t->word_at[w + 1]; k++) {
            if (t->token[k] < 0 || counts[k] == 0.0f) continue;
            const int64_t at = p->offset[r] + t->token[k];
            p->target[at]    = label[k];
            p->weight[at]    = counts[k];
            p->asked++;
        }
    }
}

/* Behind the last token of `s` sequences. */
static void end_pack(int64_t s, int64_t at, tl_pack *p)
{
    while (s <= p->sequences) p->offset[s++] = (int32_t)at;
    p->tokens               = at;
    memset(p->id + at, 0, (size_t)(p->room - at) * sizeof *p->id);
    memset(p->position + at, 0, (size_t)(p->room - at) * sizeof *p->position);
    memset(p->segment + at, 0, (size_t)(p->room - at) * sizeof *p->segment);
    memset(p->value + at, 0, (size_t)(p->room - at) * sizeof *p->value);
}

int64_t tl_cache_parts(const tl_cache *c, int64_t row)
{
    const tl_text_more *m = &c->text.more;

    return m->first ? 1 + m->first[row + 1] - m->first[row] : 1;
}

int64_t tl_cache_part_tokens(const tl_cache *c, int64_t row, int64_t part)
{
    const tl_text_more *m = &c->text.more;

    if (part == 0) return tl_cache_tokens(c, row);
    return m->start[m->first[row] + part] - m->start[m->first[row] + part - 1];
}

void tl_pack_parts(const tl_cache *c, const int64_t *row, const int64_t *part, int64_t count,
                   tl_pack *p)
{
    const tl_text_rows *t  = &c->text;
    int64_t             at = 0;

    for (int64_t r = 0; r < count; r++) {
        const int64_t  n     = tl_cache_part_tokens(c, row[r], part[r]);
        const int64_t  from  = part[r] ? t->more.start[t->more.first[row[r]] + part[r] - 1]
                                       : t->start[row[r]];
        const int32_t *id    = part[r] ? t->more.id : t->id;
        const uint8_t *kinds = part[r] ? t->more.part : t->part;
        p->offset[r]         = (int32_t)at;
        for (int64_t k = 0; k < n; k++) {
            p->id[at + k]       = id[from + k];
            p->position[at + k] = (int32_t)k;
            p->segment[at + k]  = kinds ? kinds[from + k] : 0;
            /* the network takes means: a sum is one of so many times as much */
            p->value[at + k] = t->value && !part[r] ? t->value[from + k] * (float)n : 0.0f;
        }
        at += n;
    }
    end_pack(count, at, p);
}

void tl_pack_rows(const tl_cache *c, const int64_t *row, int64_t count, tl_pack *p)
{
    const tl_text_rows *t = &c->text;
    int64_t             at = 0, s = 0;

    for (int64_t r = 0; r < count; r++) {
        const int64_t i = row[r] < 0 ? -1 : tl_cache_window(c, row[r]);
        const int64_t n = i < 0 ? 0 : t->start[i + 1] - t->start[i];
        int64_t       first = 0;
        p->offset[s++]      = (int32_t)at;
        for (int64_t k = 0; k < n; k++) {
            if (k > 0 && t->mark && t->mark[t->start[i] + k] & TL_TEXT_BEGINS) {
                p->offset[s++] = (int32_t)(at + k);
                first          = k;
            }
            p->id[at + k]       = t->id[t->start[i] + k];
            p->position[at + k] = (int32_t)(k - first);
            p->segment[at + k]  = t->part ? t->part[t->start[i] + k] : 0;
            /* the network takes means: a sum is one of so many times as much */
            p->value[at + k] = t->value ? t->value[t->start[i] + k] * (float)n : 0.0f;
        }
        at += n;
    }
    end_pack(s, at, p);
}
