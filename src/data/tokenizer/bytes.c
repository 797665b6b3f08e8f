/* bytes.c -- GPT-2's byte alphabet: printable Latin-1 stands for itself, the others from U+0100.
 * Source: openai/gpt-2, encoder.py (bytes_to_unicode).  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

static bool itself(uint32_t c)
{
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) ||
           (c >= 0xae && c <= 0xff);
}

uint32_t tl_byte_char(uint8_t byte)
{
    if (itself(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    if (byte <= 0xa0) return 0x100u + 0x21 + (byte - 0x7fu);
    return 0x143; /* 0xad */
}

int tl_char_byte(uint32_t c)
{
    if (c < 0x100) return itself(c) ? (int)c : -1;
    if (c <= 0x120) return (int)(c - 0x100);
    if (c <= 0x142) return (int)(c - 0x121 + 0x7f);
    return c == 0x143 ? 0xad : -1;
}

size_t tl_bytes_map(const char *text, size_t bytes, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < bytes; i++)
        at += tl_utf8_put(tl_byte_char((uint8_t)text[i]), out + at);
    return at;
}
