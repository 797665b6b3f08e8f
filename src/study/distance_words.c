/* distance_words.c -- how a tokenizer cuts texts: distance.h.  Floor 4, study. */
#include "study/distance.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { BROKEN = 4, BROKEN_CHARACTER = 2, MOST_BYTES = 4096 };

const char tl_plain_english[] =
    "The old house stands at the end of a long road, behind three tall trees. Every morning a man "
    "walks down to the river with his dog, looks at the water for a while and goes home again. In "
    "summer the children of the village play there until it is dark, and their mothers call them "
    "from the open windows. Nobody knows how old the house is, but people say that it was built "
    "before the first school, when most families still lived from the land. Last year it was sold "
    "to a young woman who works in the city. She has painted the door green, put a new roof on it "
    "and planted apple trees. When we asked her why she came here, she smiled and said that she "
    "wanted to hear nothing but the wind at night. I think she is right, and I would have done "
    "the same if I had found it first.";

/* Where the word ends that begins at `at` (past the end: no more), and whether it is one character
 * of a script without blanks: Thai, kana, Chinese characters. */
static bool next_word(tl_string text, size_t *at, size_t *end, bool *single)
{
    const uint8_t *s = (const uint8_t *)text.text;
    size_t         i = *at;

    while (i < text.bytes && !isalnum(s[i]) && s[i] < 0x80) i++;
    *at = i;
    if (i >= text.bytes) return false;
    for (*single = false; i < text.bytes && (isalnum(s[i]) || s[i] >= 0x80);) {
        const bool thai = s[i] == 0xe0 && i + 1 < text.bytes && s[i + 1] >= 0xb8 && s[i + 1] < 0xba;
        const bool east = (s[i] == 0xe3 && i + 1 < text.bytes && s[i + 1] >= 0x81) ||
                          (s[i] >= 0xe4 && s[i] <= 0xe9) || s[i] == 0xf0;
        size_t     n    = 1;
        while (s[i] >= 0xc0 && i + n < text.bytes && (s[i + n] & 0xc0) == 0x80) n++;
        if ((thai || east) && i > *at) break;
        i += n;
        if (thai || east) {
            *single = true;
            break;
        }
    }
    *end = i;
    return true;
}

/* Tokens come in the text's order; each counts for the word in which it ends. */
static void count_text(tl_string text, const tl_tokens *got, int32_t unk, tl_fragments *out,
                       int64_t *broken, int64_t *unknown)
{
    size_t  at = 0, end = 0;
    int64_t k = 0;
    bool    single;

    for (size_t i = 0; i < text.bytes; i++)
        out->characters += ((uint8_t)text.text[i] & 0xc0) != 0x80;
    for (int64_t i = 0; i < got->count; i++) {
        if (got->special[i]) continue;
        out->tokens++;
        *unknown += got->id[i] == unk;
    }
    for (; next_word(text, &at, &end, &single); at = end) {
        int pieces = 0;
        while (k < got->count && (got->special[k] || got->span[k].to <= at)) k++;
        while (k < got->count && (got->special[k] || got->span[k].to <= end))
            pieces += !got->special[k++];
        out->words++;
        out->tokens_per_word += pieces;
        *broken += pieces >= (single ? BROKEN_CHARACTER : BROKEN);
    }
}

tl_status tl_distance_fragments(tl_ctx *ctx, const tl_tokenizer *t, const tl_string *text,
                                int64_t count, tl_fragments *out)
{
    const tl_encode_options plain   = { .plain = true, .most = TL_UNCUT };
    const int32_t           unk     = tl_tokenizer_special(t, "unk");
    tl_encoder             *encoder = NULL;
    tl_tokens               got     = { 0 };
    int64_t                 broken = 0, unknown = 0;
    tl_status               rc;

    *out = (tl_fragments){ 0 };
    TL_TRY(tl_encoder_open(ctx, t, &encoder));
    for (int64_t i = 0; i < count; i++) {
        tl_string one = { text[i].text, TL_MIN(text[i].bytes, (size_t)MOST_BYTES) };
        if (!one.text) continue;
        while (one.bytes && one.bytes < text[i].bytes && /* no character is cut */
               ((uint8_t)one.text[one.bytes] & 0xc0) == 0x80)
            one.bytes--;
        TL_TRY(tl_encode(ctx, encoder, one, (tl_string){ NULL, 0 }, plain, &got));
        count_text(one, &got, unk < 0 ? -1 : unk, out, &broken, &unknown);
    }
    const double words = (double)TL_MAX(out->words, (int64_t)1);
    out->tokens_per_word /= words;
    out->broken  = (double)broken / words;
    out->unknown = unk < 0 ? 0.0 : (double)unknown / (double)TL_MAX(out->tokens, (int64_t)1);
done:
    tl_tokens_free(ctx, &got);
    tl_encoder_close(ctx, encoder);
    return rc;
}
