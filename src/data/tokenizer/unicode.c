/* unicode.c -- UTF-8 and character classes.  Source: Unicode 15; BERT's tokenization.py for
 * the Chinese blocks.  Floor 2, data. */
#include "data/tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

size_t tl_utf8_put(uint32_t c, char out[4])
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

/* Bytes of the character at b, or 0 and how many bytes are one error. */
static size_t character(const uint8_t *b, size_t left, size_t *bad)
{
    const uint8_t first = b[0];
    size_t        bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint8_t       low = 0x80, high = 0xbf;

    *bad = 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    for (size_t i = 1; i < bytes; i++, low = 0x80, high = 0xbf) {
        if (i >= left || b[i] < low || b[i] > high) return *bad = i, 0;
    }
    return bytes;
}

size_t tl_utf8_valid(const char *s, size_t bytes, size_t *bad)
{
    const uint8_t *b  = (const uint8_t *)s;
    size_t         at = 0, step;

    *bad = 0;
    while (at < bytes) {
        uint64_t eight;
        if (at + 8 <= bytes &&
            (memcpy(&eight, b + at, 8), !(eight & 0x8080808080808080u))) {
            at += 8;
            continue;
        }
        if (b[at] < 0x80)
            step = 1;
        else if (!(step = character(b + at, bytes - at, bad)))
            return at;
        at += step;
    }
    *bad = 0;
    return at;
}

bool tl_is_ascii(const char *s, size_t bytes)
{
    uint64_t eight, all = 0;
    size_t   at = 0;

    for (; at + 8 <= bytes; at += 8) memcpy(&eight, s + at, 8), all |= eight;
    for (; at < bytes; at++) all |= (uint64_t)(uint8_t)s[at];
    return !(all & 0x8080808080808080u);
}

bool tl_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

/* Alphabetic beyond the letters: circled and squared letters (Other_Alphabetic). */
static bool is_circled(uint32_t c)
{
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
           (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}

bool tl_is_word(uint32_t c)
{
    if (c < 0x80) {
        const uint32_t l = c | 0x20;
        return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return is_circled(c) || c == 0x200c || c == 0x200d; /* Join_Control */
    }
}

bool tl_is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
               (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    const utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

bool tl_is_number(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    const utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool tl_is_mark(uint32_t c)
{
    const utf8proc_category_t k = category(c);

    return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}

bool tl_is_nonspacing(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_MN;
}

bool tl_is_other(uint32_t c)
{
    const utf8proc_category_t k = category(c);

    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_CO;
}

bool tl_is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

bool tl_is_in_word(uint32_t c)
{
    const utf8proc_category_t k = category(c);

    return c == '_' || (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || tl_is_number(c);
}

uint32_t tl_lower(uint32_t c)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}
