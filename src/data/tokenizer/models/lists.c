/* lists.c -- WordPiece and WordLevel.  Source: Wu et al. 2016, arXiv:1609.08144;
 * huggingface/tokenizers, models/wordpiece, models/wordlevel.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

typedef struct {
    tl_trie first,
        rest;        /* tokens that begin a word, that go on (without their prefix)    */
    int32_t unknown; /* -1: a word without token is an error                           */
    int64_t most;    /* characters of a word; longer ones are unknown                  */
} word_piece;

static tl_status build_tries(tl_ctx *ctx, const tl_vocab *v, const char *prefix,
                             word_piece *w)
{
    tl_trie_entry *entry = NULL;
    const size_t   skip  = strlen(prefix);
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, v->count + 1, sizeof *entry, &entry));
    for (int rest = 0; rest < 2; rest++) {
        size_t n = 0;
        for (int32_t id = 0; id < v->size; id++) {
            tl_string s = tl_vocab_text(v, id);
            if (!s.text || tl_vocab_find(v, s.text, s.bytes) != id) continue;
            if (rest && (s.bytes < skip || memcmp(s.text, prefix, skip))) continue;
            if (rest) s.text += skip, s.bytes -= skip;
            entry[n++] = (tl_trie_entry){ s.text, (uint32_t)s.bytes, id };
        }
        TL_TRY(tl_trie_build(ctx, entry, n, rest ? &w->rest : &w->first));
    }
done:
    tl_free(ctx, entry);
    return rc;
}

static tl_status word_piece_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                 tl_tokenizer *t)
{
    word_piece *w       = t->model_self;
    const char *unknown = tl_json_text(spec, "unk_token", "[UNK]");
    tl_status   rc;

    TL_TRY(tl_vocab_load(ctx, where, json_object_get(spec, "vocab"), &t->vocab));
    w->most    = tl_json_int(spec, "max_input_chars_per_word", 100);
    w->unknown = tl_vocab_find(&t->vocab, unknown, strlen(unknown));
    TL_TRY(build_tries(ctx, &t->vocab,
                       tl_json_text(spec, "continuing_subword_prefix", "##"), w));
done:
    return rc;
}

static void word_piece_free(tl_ctx *ctx, void *self)
{
    word_piece *w = self;

    tl_trie_free(ctx, &w->first);
    tl_trie_free(ctx, &w->rest);
}

static tl_status unknown_word(tl_ctx *ctx, tl_encoder *e, int32_t unknown, size_t bytes)
{
    if (unknown >= 0) return tl_answer_add(ctx, e, unknown, 0, bytes);
    return tl_fail(
        ctx, TL_EDATA, "vocabulary",
        "a word is not in it, nor is an unknown token (use a whole vocabulary)");
}

static tl_status word_piece_word(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 const char *text, size_t bytes)
{
    const word_piece *w     = self;
    const size_t      first = e->answers;
    int64_t           chars = 0;
    int32_t           id    = -1;
    tl_status         rc    = TL_OK;

    for (size_t i = 0; i < bytes; i++) chars += !tl_utf8_inside(text[i]);
    if (chars > w->most) return unknown_word(ctx, e, w->unknown, bytes);
    for (size_t at = 0, step; at < bytes; at += step) {
        step = tl_trie_longest(at ? &w->rest : &w->first, text + at, bytes - at, &id);
        if (!step) {
            e->answers = first;
            return unknown_word(ctx, e, w->unknown, bytes);
        }
        TL_TRY(tl_answer_add(ctx, e, id, at, at + step));
    }
done:
    return rc;
}

typedef struct {
    const tl_vocab *vocab;
    int32_t         unknown;
} word_level;

static tl_status word_level_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                 tl_tokenizer *t)
{
    word_level *w       = t->model_self;
    const char *unknown = tl_json_text(spec, "unk_token", "<unk>");
    tl_status   rc;

    TL_TRY(tl_vocab_load(ctx, where, json_object_get(spec, "vocab"), &t->vocab));
    *w = (word_level){ &t->vocab, tl_vocab_find(&t->vocab, unknown, strlen(unknown)) };
done:
    return rc;
}

static tl_status word_level_word(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 const char *text, size_t bytes)
{
    const word_level *w  = self;
    const int32_t     id = tl_vocab_find(w->vocab, text, bytes);

    return id >= 0 ? tl_answer_add(ctx, e, id, 0, bytes)
                   : unknown_word(ctx, e, w->unknown, bytes);
}

const tl_model_kind tl_model_word_piece = { .name       = "WordPiece",
                                            .doc        = "longest pieces first",
                                            .self_bytes = sizeof(word_piece),
                                            .load       = word_piece_load,
                                            .free       = word_piece_free,
                                            .word       = word_piece_word };
const tl_model_kind tl_model_word_level = { .name       = "WordLevel",
                                            .doc        = "whole words",
                                            .self_bytes = sizeof(word_level),
                                            .load       = word_level_load,
                                            .word       = word_level_word };
