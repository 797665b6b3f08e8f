/* bpe.h -- byte-pair encoding: characters of a word joined by rank.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_BPE_H
#define TL_DATA_TOKENIZER_BPE_H
#include "data/tokenizer/inside.h"

typedef struct {
    uint64_t pair;
    uint32_t rank;
    int32_t  made;
} tl_merge; /* pair ~0: empty */
typedef struct {
    const tl_vocab
             *vocab;      /* the tokenizer's                                            */
    tl_merge *merge;      /* open addressing by pair of ids                             */
    size_t merges, slots; /* slots: a power of two                                      */
    char  *prefix, *suffix; /* of characters that continue, that end a word            */
    size_t prefix_bytes, suffix_bytes;
    int32_t unknown; /* -1: characters without a token are left out                */
    bool    fuse_unknown;
    bool    whole_first; /* a word that is a token stays whole (ignore_merges)         */
    int32_t
        byte_token[256]; /* of byte_fallback; -1: none                               */
    int32_t ascii[128];  /* tokens of single characters where there is no affix        */
} tl_bpe;

extern const tl_model_kind tl_model_bpe;
/* Two tokens become a third; of a pair given twice the last counts. */
tl_status tl_bpe_merge(tl_ctx *ctx, tl_bpe *b, int32_t left, int32_t right, uint32_t rank,
                       int32_t made);
/* Fills in what is looked up often; `fallback`: bytes as <0xHH>. */
void      tl_bpe_ready(tl_bpe *b, bool fallback);
tl_status tl_bpe_load(tl_ctx *ctx, const char *where, const json_t *spec,
                      tl_tokenizer *t);
/* One line "a b" of merges.txt; `both` is room for their sum. */
tl_status tl_bpe_line(tl_ctx *ctx, const char *where, tl_bpe *b, tl_string line,
                      uint32_t rank, tl_text *both);
#endif
