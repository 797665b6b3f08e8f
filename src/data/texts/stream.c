/* stream.c -- see stream.h.  Floor 2, data. */
#include "data/texts/stream.h"
#include "data/cache.h"

#include <string.h>

/* Tokens of a text and of the windows behind its first. */
static int64_t all_tokens(const tl_cache *c, int64_t row)
{
    int64_t n = 0;

    for (int64_t i = 0; i < tl_cache_parts(c, row); i++) n += tl_cache_part_tokens(c, row, i);
    return n;
}

size_t tl_stream_bytes(const tl_cache *c, const tl_rows *list, int lists, tl_dtype kind,
                       int64_t width)
{
    int64_t tokens = 0;

    for (int k = 0; k < lists; k++)
        for (int64_t i = 0; i < list[k].count; i++) tokens += all_tokens(c, list[k].row[i]);
    return (size_t)(tokens * width) * tl_dtype_bytes(kind);
}

tl_status tl_stream_new(tl_ctx *ctx, const tl_cache *c, tl_rows rows, tl_dtype kind,
                        int64_t width, void *x, tl_stream *out)
{
    int64_t   tokens = 0;
    tl_status rc;

    *out = (tl_stream){ .kind        = kind,
                        .width       = width,
                        .token_bytes = (size_t)width * tl_dtype_bytes(kind) };
    TL_TRY(tl_alloc_array(ctx, (size_t)c->text.rows, sizeof *out->at, &out->at));
    for (int64_t i = 0; i < c->text.rows; i++) out->at[i] = -1;
    for (int64_t i = 0; i < rows.count; i++) {
        out->at[rows.row[i]] = tokens;
        tokens += all_tokens(c, rows.row[i]);
    }
    out->x = x;
done:
    return rc;
}

void tl_stream_free(tl_ctx *ctx, tl_stream *s)
{
    tl_free(ctx, s->at);
    *s = (tl_stream){ 0 };
}

static unsigned char *place(const tl_stream *s, const tl_cache *c, int64_t row, int64_t part)
{
    int64_t at = s->at[row];

    for (int64_t i = 0; i < part; i++) at += tl_cache_part_tokens(c, row, i);
    return s->x + (size_t)at * s->token_bytes;
}

void tl_stream_take(const tl_stream *s, const tl_cache *c, int64_t row, int64_t part,
                    const float *x)
{
    const int64_t  n  = tl_cache_part_tokens(c, row, part) * s->width;
    unsigned char *to = place(s, c, row, part);

    if (s->kind == TL_F32) {
        memcpy(to, x, (size_t)n * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const uint16_t half = tl_f32_to_bf16(x[i]); /* exact: it was one */
        memcpy(to + (size_t)i * sizeof half, &half, sizeof half);
    }
}

void tl_pack_stream(const tl_stream *s, const tl_cache *c, const int64_t *row, const int64_t *part,
                    int64_t count, tl_pack *p)
{
    const size_t cell = s->token_bytes;
    int64_t      at   = 0;

    for (int64_t r = 0; r < count; r++) {
        if (row[r] < 0) continue;
        const int64_t of = part ? part[r] : 0, n = tl_cache_part_tokens(c, row[r], of);
        memcpy(p->stream + (size_t)at * cell, place(s, c, row[r], of), (size_t)n * cell);
        at += n;
    }
    memset(p->stream + (size_t)at * cell, 0, (size_t)(p->room - at) * cell);
}
