/* tokenizer.h -- text into token ids and back, as the model's own tokenizer files say.
 * A tokenizer is read-only once open and may be shared; every thread has its own encoder.
 * Reads tokenizer.json, vocab.txt, vocab.json + merges.txt, SentencePiece's tokenizer.model,
 * GGUF's vocabulary and llama2.c's tokenizer.bin.  Results are those of Hugging Face's package
 * `tokenizers` (llama.cpp's for GGUF); characters newer than its tables (Unicode 8 for BERT's)
 * go by the newer Unicode of libutf8proc and PCRE2.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_H
#define TL_DATA_TOKENIZER_H
#include "core/core.h"
#include "core/text.h"

typedef struct tl_tokenizer tl_tokenizer;
typedef struct tl_encoder   tl_encoder;

typedef struct {
    const char *text;
    size_t      bytes;
} tl_string; /* borrowed; text NULL: none */
typedef struct {
    uint32_t from, to;
} tl_extent; /* bytes [from, to) of a text */

typedef struct {
    int32_t *id;   /* [count]                                                          */
    tl_extent *span; /* what the token covers, whole characters; 0, 0 where `special`    */
    uint8_t
        *special;  /* 1: put in by the post-processor, covers no text                  */
    uint8_t *part; /* the token's type id: usually 0 first text, 1 second              */
    int64_t  count, room;
    int64_t  cut; /* tokens that truncation left out                                  */
} tl_tokens;

enum { TL_AS_FILE = 0, TL_UNCUT = -1 };
typedef struct {
    bool plain; /* without the special tokens of the post-processor                    */
    int64_t
        most; /* longest result, special tokens included; TL_AS_FILE, TL_UNCUT       */
} tl_encode_options;

/* A folder, or one of the files named above (for vocab.json its merges.txt lies beside).
 * TL_EDATA with the file and the component's name when it asks for what is not known. */
tl_status tl_tokenizer_open(tl_ctx *ctx, const char *path, tl_tokenizer **out);
void      tl_tokenizer_close(tl_ctx *ctx, tl_tokenizer *t);
bool tl_tokenizer_in(const char *folder); /* does a folder hold a tokenizer?         */
/* The one tokenizer of a folder that llama2.c named after its size, tok512.bin; *path (owned) NULL:
 * there is none, or several. */
tl_status tl_tokenizer_sized(tl_ctx *ctx, const char *folder, char **path);

tl_status tl_encoder_open(tl_ctx *ctx, const tl_tokenizer *t, tl_encoder **out);
void      tl_encoder_close(tl_ctx *ctx, tl_encoder *e);
/* Bytes that are no UTF-8 count as U+FFFD.  *out is filled anew and keeps its memory from
 * call to call; it starts all zero and ends with tl_tokens_free. */
tl_status tl_encode(tl_ctx *ctx, tl_encoder *e, tl_string text, tl_string pair,
                    tl_encode_options options, tl_tokens *out);
void      tl_tokens_free(tl_ctx *ctx, tl_tokens *tokens);

/* Many texts on all threads of ctx; the ids do not depend on how many.  `pair` may be NULL. */
typedef struct {
    int64_t
        count; /* texts                                                               */
    int64_t
        *start; /* [count + 1] where each text's tokens start in `all`                 */
    tl_tokens all;
} tl_token_batch;
tl_status tl_encode_batch(tl_ctx *ctx, const tl_tokenizer *t, const tl_string *text,
                          const tl_string *pair, int64_t count, tl_encode_options options,
                          tl_token_batch *out);
void      tl_token_batch_free(tl_ctx *ctx, tl_token_batch *batch);

/* Appends the text of `count` ids; unknown ids are left out. */
tl_status tl_decode(tl_ctx *ctx, const tl_tokenizer *t, const int32_t *id, int64_t count,
                    bool skip_special, tl_text *out);

typedef enum { TL_TRAIN_BPE, TL_TRAIN_WORD_PIECE, TL_TRAIN_CHARS } tl_training_kind;
typedef struct {
    tl_training_kind
            kind; /* byte-level BPE with GPT-2's words; WordPiece with BERT's; every
                     character seen, and `size` does not count                   */
    int32_t size; /* tokens wanted, special ones and alphabet included           */
    const char *const
           *special; /* they get the first ids and are never cut or joined        */
    size_t  specials;
    int64_t least; /* pairs seen less often are not joined; 0 counts as 1         */
} tl_training;
/* Learns a vocabulary from texts and writes it as a tokenizer.json to `path`.  Of pairs seen
 * equally often the one later in byte order is joined first, so the result is the same on
 * every machine and thread count.  TL_EDATA when `size` has no room for the alphabet. */
tl_status tl_tokenizer_train(tl_ctx *ctx, const tl_training *how, const tl_string *text,
                             int64_t count, const char *path);

int32_t tl_tokenizer_size(const tl_tokenizer *t); /* the largest id and one            */
/* The token as the vocabulary writes it (not zero-terminated); NULL for no such id. */
const char *tl_tokenizer_token(const tl_tokenizer *t, int32_t id, size_t *bytes);
int32_t     tl_tokenizer_id(const tl_tokenizer *t, const char *token,
                            size_t bytes); /* or -1 */
bool        tl_tokenizer_is_special(const tl_tokenizer *t, int32_t id);
/* The id of a role: bos eos unk sep pad cls mask; -1 when the files name none. */
int32_t     tl_tokenizer_special(const tl_tokenizer *t, const char *role);
const char *tl_tokenizer_kind(
    const tl_tokenizer *t); /* "BPE", "WordPiece", ...           */
const char *tl_tokenizer_hash(
    const tl_tokenizer *t); /* SHA-256 of the files read, as hex */
#endif
