/* charsmap.h -- SentencePiece's precompiled character map.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_CHARSMAP_H
#define TL_DATA_TOKENIZER_CHARSMAP_H
#include "data/tokenizer/tokenizer.h"

typedef struct {
    uint32_t *unit; /* darts-clone's double array                                      */
    size_t    units;
    char     *text; /* the replacements, each ended by a zero byte                     */
    size_t    bytes;
    bool ascii_stays; /* no printable character of ASCII is mapped                   */
} tl_charsmap;

/* data: u32 bytes of the array, the array, the replacements.  TL_EDATA when cut short. */
tl_status tl_charsmap_load(tl_ctx *ctx, const char *where, const uint8_t *data,
                           size_t bytes, tl_charsmap *out);
void      tl_charsmap_free(tl_ctx *ctx, tl_charsmap *m);
/* What the shortest beginning of text[0, bytes) that the map knows becomes. */
bool tl_charsmap_find(const tl_charsmap *m, const char *text, size_t bytes, tl_string *to);
#endif
