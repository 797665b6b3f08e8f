/* vocab.h -- the two-way table of token strings and ids.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_VOCAB_H
#define TL_DATA_TOKENIZER_VOCAB_H
#include "data/tokenizer/tokenizer.h"

typedef struct {
    char     *bytes; /* all strings, one after the other                             */
    size_t    used, room;
    uint32_t *at,
        *length;    /* [size_room] by id                                            */
    uint8_t *known; /* [size_room] 1: the id has a string                           */
    int32_t *slot;  /* open addressing: ids, -1 empty                               */
    size_t   slots; /* a power of two, at least twice `count`                       */
    size_t   count; /* strings                                                      */
    int32_t  size,
        size_room; /* the largest id and one                                   */
} tl_vocab;

/* TL_EDATA when the text is no UTF-8, or the id negative or far beyond the number of strings.
 * An id given a second string keeps the first (the second leads to the id, too); a string given
 * again moves. */
tl_status tl_vocab_add(tl_ctx *ctx, const char *where, tl_vocab *v, const char *text,
                       size_t bytes, int64_t id);
void      tl_vocab_free(tl_ctx *ctx, tl_vocab *v);
int32_t   tl_vocab_find(const tl_vocab *v, const char *text, size_t bytes); /* -1: none */
tl_string  tl_vocab_text(const tl_vocab *v, int32_t id); /* text NULL: no such id        */
uint64_t  tl_bytes_hash(const char *text, size_t bytes);
/* The value of "<0xHH>", or -1. */
int tl_byte_token(tl_string token);
#endif
