/* charsmap.c -- the map's double array.  Source: s-yata/darts-clone, darts.h;
 * google/sentencepiece, normalizer.cc.  Floor 2, data. */
#include "data/tokenizer/normalizers/charsmap.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

tl_status tl_charsmap_load(tl_ctx *ctx, const char *where, const uint8_t *data,
                           size_t bytes, tl_charsmap *out)
{
    tl_status rc = TL_OK;
    size_t    bad, array;
    tl_string  to;

    if (bytes < 4 || (array = le32(data)) > bytes - 4 || array % 4)
        TL_FAIL(TL_EDATA, where, "the character map is cut short (fetch the file again)");
    out->units = array / 4;
    out->bytes = bytes - 4 - array;
    TL_TRY(tl_alloc_array(ctx, out->units, 4, &out->unit));
    TL_TRY(tl_alloc(ctx, out->bytes + 1, &out->text)); /* ends with a zero byte */
    for (size_t i = 0; i < out->units; i++) out->unit[i] = le32(data + 4 + 4 * i);
    memcpy(out->text, data + 4 + array, out->bytes);
    if (tl_utf8_valid(out->text, out->bytes, &bad) < out->bytes)
        TL_FAIL(TL_EDATA, where,
                "the character map holds no UTF-8 (fetch the file again)");
    out->ascii_stays = true;
    for (char c = ' '; c < 0x7f; c++)
        if (tl_charsmap_find(out, &c, 1, &to)) out->ascii_stays = false;
done:
    return rc;
}

void tl_charsmap_free(tl_ctx *ctx, tl_charsmap *m)
{
    tl_free(ctx, m->unit);
    tl_free(ctx, m->text);
    *m = (tl_charsmap){ 0 };
}

static uint32_t offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* Walks the array along the text, to the first match. */
bool tl_charsmap_find(const tl_charsmap *m, const char *text, size_t bytes, tl_string *to)
{
    size_t at = m->units ? offset(m->unit[0]) : 0;

    for (size_t i = 0; i < bytes && m->units; i++) {
        const uint8_t c = (uint8_t)text[i];
        at ^= c;
        if (!c || at >= m->units) break;
        const uint32_t unit = m->unit[at];
        if ((unit & ((1u << 31) | 0xff)) != c) break;
        at ^= offset(unit);
        if (!((unit >> 8) & 1) || at >= m->units) continue;
        const size_t value = m->unit[at] & ((1u << 31) - 1);
        if (value > m->bytes ||
            (value && value < m->bytes && tl_utf8_inside(m->text[value])))
            break;
        *to = (tl_string){ m->text + value, strlen(m->text + value) };
        return true;
    }
    return false;
}
