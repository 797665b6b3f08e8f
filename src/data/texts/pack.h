/* pack.h -- rows of text as ids, made once, and a batch of them packed: one after another, with
 * their boundaries beside them.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_PACK_H
#define TL_DATA_TEXTS_PACK_H
#include "data/loader.h"
#include "data/texts/texter.h"

/* A cache of texts that belong to no dataset; what the texter has not learnt yet is estimated
 * (tl_cache_tokens alone may be asked).  pair may be NULL.  prep->text is held. */
tl_status tl_cache_of_texts(tl_ctx *ctx, const tl_prep *prep, const tl_string *text,
                            const tl_string *pair, int64_t count, tl_cache **out);
/* Is this cache of the rows as `prep` takes them?  (Of pictures: always.) */
bool      tl_cache_fits(const tl_cache *cache, const tl_prep *prep);
/* What a language model asks rows that are texts of their own: no special token; words that go on
 * by "##" are told apart.  Not of a cache that others read. */
tl_status tl_cache_mark_words(tl_ctx *ctx, tl_cache *cache);
int64_t   tl_cache_tokens(const tl_cache *cache, int64_t row);
/* Where the dataset's rows are words (texts/tagged.h), those that follow each other are asked in
 * windows of texts: which one a row's is (else the row itself), how many these rows take, and which
 * token of its window is the row's; *own false: a neighbour's, for want of one. */
bool      tl_cache_asks_words(const tl_cache *cache);
int64_t   tl_cache_window(const tl_cache *cache, int64_t row);
/* The rows that are asked where this one is. */
void      tl_cache_words(const tl_cache *cache, int64_t row, int64_t *low, int64_t *high);
int64_t   tl_cache_windows(const tl_cache *cache, tl_rows rows);
int32_t   tl_cache_token(const tl_cache *cache, int64_t row, bool *own);
int64_t   tl_cache_texts(const tl_cache *cache); /* that stand in one row at most: usually 1   */
/* The row's ids, and of weighed words their weights (else NULL); borrowed.  How many. */
int64_t   tl_cache_ids(const tl_cache *cache, int64_t row, const int32_t **id,
                       const float **value);
/* Rows that were longer than prep->text->most, and tokens that were cut off them. */
void      tl_cache_cut(const tl_cache *cache, int64_t *rows, int64_t *tokens);
int64_t   tl_cache_most(const tl_cache *cache); /* tokens of the longest of all rows            */
int64_t   tl_cache_total(const tl_cache *cache); /* ... of all of them                           */
/* Tokens of the `count` longest of these rows together; of an average `count`. */
int64_t   tl_cache_longest(tl_ctx *ctx, const tl_cache *cache, tl_rows rows, int64_t count);
double    tl_cache_average(const tl_cache *cache, tl_rows rows);
/* So many tokens that a plan has room for: eight sizes from one power of two to the next, so that
 * plans stay few and little of one is empty. */
int64_t   tl_tokens_room(int64_t tokens);

/* What is known of a token beside its number. */
typedef enum {
    TL_TEXT_BEGINS = 1, /* a text of its own: nothing before it is looked at                 */
    TL_WORD_BEGINS = 2,
    TL_NOT_ASKED   = 4  /* a language model is not asked for it                               */
} tl_token_mark;

/* What a language model is asked of packed rows: the next token everywhere but where a new text
 * begins, or some tokens that are hidden from it: BERT's share of each row, four fifths of them
 * behind the mask, a tenth behind any other token, a tenth left as they are.
 * Source: Devlin et al. 2019, arXiv:1810.04805. */
typedef struct {
    bool     hidden;     /* tokens are hidden                                                 */
    bool     whole;      /* ... all tokens of a word, or none                                 */
    double   share;      /* of a row that is hidden                                           */
    int32_t  mask, size; /* number of the mask; numbers that stand in for others: 0 .. size-1 */
    uint64_t seed, draw; /* what is hidden is a function of these two and the row             */
} tl_asking;

/* One packed batch.  Behind the last token ids, positions and segments are 0; offsets of sequences
 * that are not there repeat the last. */
typedef struct {
    int64_t  room, sequences; /* tokens, sequences it can hold                            */
    int64_t  tokens;          /* of the rows last packed                                  */
    int32_t *id, *position, *segment; /* [room]                                           */
    int32_t *offset;          /* [sequences + 1]                                          */
    float   *value;           /* [room] of weighed words; else 0                          */
    size_t   token_bytes;     /* of `stream`; 0: it is not wanted                         */
    unsigned char *stream;    /* [room token_bytes] what stands for the ids (texts/stream.h) */
    int64_t  asked_room, asked;  /* of tl_pack_ask: can be asked, are asked               */
    int32_t *target, *picked; /* [asked_room] the token that is right, and where it stands;
                                 of the next token all places are asked, as `picked` is   */
    float   *weight;          /* [asked_room] 0: not asked                                */
    int64_t *order;           /* [order_room] scratch: twice the longest row              */
    int64_t  order_room;
} tl_pack;
/* Room for at least so much; grows what there is. */
tl_status tl_pack_reserve(tl_ctx *ctx, int64_t sequences, int64_t tokens, tl_pack *pack);
void      tl_pack_free(tl_ctx *ctx, tl_pack *pack); /* safe to repeat */
/* `count` rows of the cache (at most pack->sequences, with room for their tokens); -1: none, as
 * behind a batch's last. */
void      tl_pack_rows(const tl_cache *cache, const int64_t *row, int64_t count, tl_pack *pack);
/* Of the windows just packed, one a row of `row`: label[] of each word that counts[] (of all the
 * dataset's rows) above 0, at its token, into target and weight, asked_room of them. */
void      tl_pack_tags(const tl_cache *cache, const int64_t *row, int64_t count,
                       const int32_t *label, const float *counts, tl_pack *pack);
/* Windows that a text is asked in where it is longer than the network takes (the first is all that
 * training sees), the tokens of one, and such windows packed: part[r] of row[r]. */
int64_t   tl_cache_parts(const tl_cache *cache, int64_t row);
int64_t   tl_cache_part_tokens(const tl_cache *cache, int64_t row, int64_t part);
void      tl_pack_parts(const tl_cache *cache, const int64_t *row, const int64_t *part,
                        int64_t count, tl_pack *pack);
/* Room to ask so many rows of so many tokens together, none longer than `longest`. */
int64_t   tl_asked_room(const tl_asking *how, int64_t rows, int64_t tokens);
tl_status tl_pack_reserve_asked(tl_ctx *ctx, int64_t asked, int64_t longest, tl_pack *pack);
/* How many tokens of a row are asked. */
int64_t   tl_pack_asked(const tl_cache *cache, int64_t row, const tl_asking *how, tl_pack *pack);
/* What is asked of the rows just packed; each token counts `weight`. */
void      tl_pack_ask(const tl_cache *cache, const int64_t *row, int64_t count,
                      const tl_asking *how, float weight, tl_pack *pack);
#endif
