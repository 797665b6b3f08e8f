/* lined.h -- text under way from the user's to the model's, in pieces; every byte knows which
 * bytes of the user's text it came from.  What Hugging Face calls a NormalizedString, but for a
 * whole text at once: steps write from one text into another, no piece has memory of its own.
 * Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_LINED_H
#define TL_DATA_TOKENIZER_LINED_H
#include "data/tokenizer/tokenizer.h"

/* A step may make much of little; no text under way is larger. */
enum { TL_LINED_MOST = 1 << 28 };

typedef struct {
    char *text;
    tl_extent
          *span; /* by byte; not filled while `same`                                   */
    size_t bytes, room, span_room;
    bool   same; /* byte i is byte i of the user's text                                */
} tl_lined;

typedef struct {
    uint32_t start,
        end;       /* bytes of the lined text                                       */
    int32_t token; /* an added token's id; -1: still text                           */
} tl_piece;
typedef struct {
    tl_piece *at;
    size_t    count, room;
} tl_pieces;

typedef struct {
    uint32_t start, end;
    bool     match;
} tl_segment;
/* One character of a rewritten piece: change 0 replaces the next character of the old text, 1
 * is put in behind it, -n replaces it and takes n more away. */
typedef struct {
    uint32_t c;
    int32_t  change;
} tl_change;

/* The user's text: what is no UTF-8 becomes U+FFFD. */
tl_status tl_lined_set(tl_ctx *ctx, tl_lined *l, tl_string text);
/* Fills the spans of a text that is still the same as the user's. */
tl_status tl_lined_spell(tl_ctx *ctx, tl_lined *l);
tl_status tl_lined_add(tl_ctx *ctx, tl_lined *l, const char *text, size_t bytes,
                       tl_extent span);
/* Copies bytes [start, end) of `from` with their spans. */
tl_status tl_lined_copy(tl_ctx *ctx, tl_lined *l, const tl_lined *from, size_t start,
                        size_t end);
/* Appends to `l` what `change` makes of bytes [start, end) of `from`.
 * Alignment as in the package's transform. */
tl_status tl_lined_change(tl_ctx *ctx, tl_lined *l, const tl_lined *from, size_t start,
                          size_t end, const tl_change *change, size_t count);
void      tl_lined_free(tl_ctx *ctx, tl_lined *l);
/* Which bytes of the user's text [start, end) came from, whole characters. */
tl_extent tl_lined_span(const tl_lined *l, size_t start, size_t end);
#endif
