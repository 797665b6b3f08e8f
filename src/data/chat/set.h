/* set.h -- conversations as a dataset for a language model: which part each is of; and, as tokens,
 * rows of which only the assistant's are asked.  Floor 2, data. */
#ifndef TL_DATA_CHAT_SET_H
#define TL_DATA_CHAT_SET_H
#include "data/chat/talks.h"
#include "data/loader.h"
#include "data/texts/pack.h"

typedef struct {
    const char *train, *valid, *test; /* files; valid and test may be NULL                   */
    bool        skip_bad;
    uint64_t    seed;                 /* of the parts that are cut off                       */
    size_t      limit_bytes;          /* of text; 0: half of this machine's memory           */
} tl_talks_source;

/* A dataset of task language-modelling.  Files called valid and test beside one called train
 * belong to it.  Where no part is named test or valid: a tenth of the conversations each, equal
 * ones on one side (of fewer than 20 no test part).  TL_EDATA with the first bad rows, unless they
 * are to be skipped. */
tl_status   tl_talks_open(tl_ctx *ctx, const tl_talks_source *source, tl_dataset **out);
bool        tl_talks_is(const tl_dataset *d);
const char *tl_talks_form(const tl_dataset *d); /* "messages", "ShareGPT"... */
tl_status   tl_talks_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65]);

/* What became of the conversations. */
typedef struct {
    int64_t rows, tokens, answers; /* that are learnt from: tokens, and the assistant's of them */
    int64_t cut, cut_tokens;       /* longer than `most`: how many, and what was cut off        */
    int64_t left;                  /* without any token of the assistant: left out              */
} tl_talks_count;
/* The conversations as `form` says them, each a row of at most `most` tokens.  part[TL_SPLIT_TRAIN
 * .. TL_SPLIT_TEST]: those of each that ask something, the caller frees. */
tl_status tl_talks_rows(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                        const tl_chat_form *form, int64_t most, tl_cache **out, tl_rows part[3],
                        tl_talks_count *count);
#endif
