/* stream.h -- what the frozen lower blocks of a network make of texts, token by token: computed
 * once, and packed in the place of the tokens where only what lies above is run.  Not of words with
 * tags.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_STREAM_H
#define TL_DATA_TEXTS_STREAM_H
#include "data/texts/pack.h"
#include "tensor/shape.h"

typedef struct {
    tl_dtype kind;        /* of what is kept, as the network computes                          */
    int64_t  width;       /* values of a token                                                 */
    size_t   token_bytes;
    int64_t *at;          /* [rows] its first token; its windows follow; -1: not kept; owned   */
    unsigned char *x;     /* [tokens of these rows, token_bytes]; borrowed                     */
} tl_stream;

/* Over x, which has or gets all windows of these rows, one row after another. */
tl_status tl_stream_new(tl_ctx *ctx, const tl_cache *cache, tl_rows rows, tl_dtype kind,
                        int64_t width, void *x, tl_stream *out);
void      tl_stream_free(tl_ctx *ctx, tl_stream *s); /* safe to repeat */
size_t    tl_stream_bytes(const tl_cache *cache, const tl_rows *list, int lists, tl_dtype kind,
                          int64_t width); /* of x */
/* x [tokens of that window, width]: kept for window `part` of the row. */
void      tl_stream_take(const tl_stream *s, const tl_cache *cache, int64_t row, int64_t part,
                         const float *x);
/* The stream of the rows just packed, window part[r] of each (part NULL: the first), into
 * pack->stream, which pack->token_bytes asked room for; zeros behind. */
void      tl_pack_stream(const tl_stream *s, const tl_cache *cache, const int64_t *row,
                         const int64_t *part, int64_t count, tl_pack *pack);
#endif
