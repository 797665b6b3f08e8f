/* unicode.h -- UTF-8 and character classes for tokenizers, over libutf8proc.
 * Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_UNICODE_H
#define TL_DATA_TOKENIZER_UNICODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at `s`, which is valid UTF-8; returns its bytes, 1..4. */
static inline size_t tl_utf8_next(const char *s, uint32_t *c)
{
    const uint8_t *b = (const uint8_t *)s;

    if (b[0] < 0x80) return *c = b[0], 1;
    if (b[0] < 0xe0) return *c = (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f), 2;
    if (b[0] < 0xf0)
        return *c = (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 |
                    (b[2] & 0x3f),
               3;
    *c = (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 |
         (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
    return 4;
}
static inline size_t tl_utf8_bytes(char first) /* of the character that starts so */
{
    const uint8_t b = (uint8_t)first;

    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}
static inline bool tl_utf8_inside(char b) /* a byte that continues a character */
{
    return ((uint8_t)b & 0xc0) == 0x80;
}
size_t tl_utf8_put(uint32_t c, char out[4]);
/* The bytes from `s` that are valid UTF-8; when fewer than `bytes`, *bad is how many bytes
 * follow that one U+FFFD stands for (the longest beginning of a character: Unicode 3.9). */
size_t tl_utf8_valid(const char *s, size_t bytes, size_t *bad);
bool   tl_is_ascii(const char *s, size_t bytes);

bool tl_is_space(uint32_t c); /* White_Space                                       */
bool tl_is_word(uint32_t c);  /* \w: Alphabetic, Mark, decimal, connector          */
bool tl_is_punctuation(
    uint32_t c);                   /* ASCII's, and categories P*                        */
bool tl_is_number(uint32_t c);     /* categories Nd, Nl, No                             */
bool tl_is_mark(uint32_t c);       /* categories Mn, Mc, Me                             */
bool tl_is_nonspacing(uint32_t c); /* Mn                                                */
bool tl_is_other(uint32_t c);      /* Cc, Cf, Co                                        */
bool tl_is_in_word(uint32_t c);    /* Python's \w: letters, numbers and _              */
uint32_t tl_lower(uint32_t c);     /* one character for one                             */
bool tl_is_chinese(uint32_t c);    /* the blocks that BERT takes apart                  */
#endif
