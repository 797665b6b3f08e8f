/* corpus.h -- plain text to learn a language from: files of text, or rows of a sheet, as documents,
 * cut into pieces; which part each piece is of; and, tokenised, as blocks of tokens.
 * Floor 2, data. */
#ifndef TL_DATA_CORPUS_H
#define TL_DATA_CORPUS_H
#include "data/loader.h"
#include "data/texts/pack.h"

typedef struct {
    const char *train, *valid, *test; /* a file or folder each; valid and test may be NULL     */
    const char *text;                 /* of sheets: the column of the text; NULL: by name      */
    uint64_t    seed;                 /* of the parts that are cut off                          */
    bool        whole;                /* nothing is cut off: what no file names is for training  */
    size_t      limit_bytes;          /* of text; 0: half of this machine's memory              */
} tl_corpus_source;

/* A dataset of task language-modelling whose rows are pieces: whole lines of one document, at most
 * 64 KiB where its lines allow, in their order.  A .txt file is one document, a row of a CSV, TSV,
 * JSONL or Parquet file is one.  Every piece says its part.  Where no part is named test or valid:
 * a twentieth of the documents each, equal ones on one side; of fewer than 20 documents the last
 * two twentieths of each.  Where only valid is named there is no test part.
 * TL_EDATA: no text, zero bytes, a folder without texts. */
tl_status tl_corpus_open(tl_ctx *ctx, const tl_corpus_source *source, tl_dataset **out);
bool      tl_corpus_is(const tl_dataset *d);
tl_string tl_corpus_text(const tl_dataset *d, int64_t row); /* borrowed                         */
bool      tl_corpus_begins(const tl_dataset *d, int64_t row); /* a document begins there        */
int64_t   tl_corpus_documents(const tl_dataset *d);
/* Bytes of text of a part. */
int64_t   tl_corpus_bytes(const tl_dataset *d, tl_split split);
/* Rows of a part; the caller frees out->row. */
tl_status tl_corpus_rows(tl_ctx *ctx, const tl_dataset *d, tl_split split, tl_rows *out);
/* What `like`, which learns, learns from the training part. */
tl_status tl_corpus_learn(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like,
                          tl_texter **out);
/* SHA-256 of all pieces and their parts. */
tl_status tl_corpus_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65]);

/* The corpus as blocks of at most `block` tokens: a cache whose rows are blocks, part after part.
 * Documents follow each other within a block as texts of their own, with the tokenizer's tokens
 * around them.  `hidden`: those are not asked, and words are told apart.  With `folder` (it is
 * there) the tokens lie in files there, from an earlier call with the same corpus and tokenizer
 * where there was one; without, in memory.  part[TL_SPLIT_TRAIN .. TL_SPLIT_TEST]: the rows of
 * each, the caller frees. */
tl_status tl_corpus_blocks(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, int64_t block,
                           bool hidden, const char *folder, tl_cache **out, tl_rows part[3]);
#endif
