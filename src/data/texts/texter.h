/* texter.h -- from texts to what a network of text takes: the tokenizer that travels with a model
 * and the files it was read from, or the weighted words of the classical model; which columns
 * hold the texts; how many tokens a row has at most.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_TEXTER_H
#define TL_DATA_TEXTS_TEXTER_H
#include "core/json.h"
#include "data/texts/columns.h"
#include "data/texts/lexicon.h"

typedef struct {
    char    *name;
    uint8_t *data;
    size_t   bytes;
} tl_text_file;

typedef struct {
    _Atomic int      holders;
    tl_text_columns  columns; /* as the data it was made for had them; may be empty        */
    bool             weighs;  /* words with weights (lexicon.h) instead of tokens            */
    bool             learns;  /* from the training rows, once they are known; until then
                                 nothing below is there but size and how                   */
    tl_training_kind how;
    bool             goes_on; /* texts are gone on with: nothing is put around them           */
    int64_t          size;    /* of the vocabulary; wanted, while it learns                */
    int64_t          most;    /* tokens of a row, special ones included; the rest is cut   */
    tl_tokenizer    *tokenizer;
    tl_lexicon         words;
    tl_text_file    *file;    /* as they were read or made, to be written with a model     */
    size_t           files;
    char             sha256[65]; /* of them                                                */
} tl_texter;

/* The tokenizer (or words) of a model's folder; TL_EDATA where there is none. */
tl_status tl_texter_open(tl_ctx *ctx, const char *folder, int64_t most, tl_texter **out);
/* One that learns a vocabulary of `size` tokens, or words where it weighs. */
tl_status tl_texter_new(tl_ctx *ctx, const tl_text_columns *columns, bool weighs,
                        tl_training_kind how, int64_t size, int64_t most, tl_texter **out);
/* The columns of the data that it is used on from here on. */
tl_status tl_texter_take_columns(tl_ctx *ctx, tl_texter *t, const tl_text_columns *columns);
/* What `like`, which learns, learns from these texts; pair may be NULL. */
tl_status tl_texter_learn(tl_ctx *ctx, const tl_texter *like, const tl_string *text,
                          const tl_string *pair, int64_t count, tl_texter **out);
/* The same one that cuts rows at `most` tokens. */
tl_status tl_texter_shorter(tl_ctx *ctx, const tl_texter *like, int64_t most, tl_texter **out);
tl_texter *tl_texter_hold(tl_texter *t);             /* NULL is fine                       */
void       tl_texter_drop(tl_ctx *ctx, tl_texter *t); /* the last one frees; NULL is fine   */
/* One file more to be written with the model: one that the tokenizer does not depend on. */
tl_status  tl_texter_add_file(tl_ctx *ctx, tl_texter *t, const char *name, const char *text);
/* The files into a folder that is there. */
tl_status tl_texter_save(tl_ctx *ctx, const tl_texter *t, const char *folder);
json_t   *tl_texter_to_json(const tl_texter *t);
/* Columns and `most` as tl_texter_to_json told them. */
tl_status tl_texter_take_json(tl_ctx *ctx, const char *where, const json_t *value,
                              tl_texter *t);
#endif
