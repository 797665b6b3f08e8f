/* unigram.c -- Viterbi over the tokens that begin at every character.
 * Source: Kudo 2018, arXiv:1804.10959; huggingface/tokenizers, models/unigram/model.rs
 * (encode_optimized).  Floor 2, data. */
#include "data/tokenizer/models/unigram.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <string.h>

typedef struct {
    double   score;
    int32_t  id;
    uint32_t from;
} node; /* the best way to here */
enum { NOT_REACHED = -2 };
typedef struct {
    node  *node;
    size_t room;
} scratch;

tl_status tl_unigram_ready(tl_ctx *ctx, tl_tokenizer *t, tl_unigram *u,
                           const uint8_t *skip)
{
    static const char digits[] = "0123456789ABCDEF";
    tl_trie_entry    *entry    = NULL;
    double            least    = INFINITY;
    size_t            n        = 0;
    tl_status         rc;

    TL_TRY(tl_alloc_array(ctx, t->vocab.count + 1, sizeof *entry, &entry));
    for (int32_t id = 0; id < t->vocab.size; id++) {
        const tl_string s = tl_vocab_text(&t->vocab, id);
        if (!s.text) continue;
        least = fmin(least, u->score[id]);
        if (tl_vocab_find(&t->vocab, s.text, s.bytes) == id && !(skip && skip[id]))
            entry[n++] = (tl_trie_entry){ s.text, (uint32_t)s.bytes, id };
    }
    u->unknown_score = least - 10.0;
    TL_TRY(tl_trie_build(ctx, entry, n, &u->trie));
    for (int i = 0; i < 256; i++) {
        const char name[] = { '<', '0', 'x', digits[i >> 4], digits[i & 15], '>' };
        u->byte_token[i]  = tl_vocab_find(&t->vocab, name, sizeof name);
    }
done:
    tl_free(ctx, entry);
    return rc;
}

static tl_status load(tl_ctx *ctx, const char *where, const json_t *spec, tl_tokenizer *t)
{
    tl_unigram   *u    = t->model_self;
    const json_t *list = json_object_get(spec, "vocab");
    json_t       *row;
    size_t        i;
    tl_status     rc = TL_OK;

    if (!json_is_array(list) || !json_array_size(list))
        TL_FAIL(TL_EDATA, where, "Unigram without vocab (mend the file)");
    TL_TRY(tl_alloc_array(ctx, json_array_size(list), sizeof *u->score, &u->score));
    json_array_foreach(list, i, row)
    {
        const json_t *text = json_array_get(row, 0), *score = json_array_get(row, 1);
        if (!json_is_string(text) || !json_is_number(score))
            TL_FAIL(TL_EDATA, where,
                    "entry %zu of vocab is not a token and its score (mend the file)", i);
        TL_TRY(tl_vocab_add(ctx, where, &t->vocab, json_string_value(text),
                            json_string_length(text), (int64_t)i));
        u->score[i] = json_number_value(score);
    }
    const int64_t unknown = tl_json_int(spec, "unk_id", -1);
    if (unknown >= (int64_t)json_array_size(list))
        TL_FAIL(TL_EDATA, where, "unk_id is beyond the vocabulary (mend the file)");
    u->unknown  = (int32_t)TL_MAX(unknown, (int64_t)-1);
    u->fallback = tl_json_bool(spec, "byte_fallback", false);
    TL_TRY(tl_unigram_ready(ctx, t, u, NULL));
done:
    return rc;
}

static void unload(tl_ctx *ctx, void *self)
{
    tl_unigram *u = self;

    tl_trie_free(ctx, &u->trie);
    tl_free(ctx, u->score);
}

static void offer(node *to, double score, int32_t id, size_t from)
{
    if (to->id == NOT_REACHED || score > to->score)
        *to = (node){ score, id, (uint32_t)from };
}

/* Fills in the best way to every place; TL_EDATA when there is none and no unknown token. */
static tl_status forward(tl_ctx *ctx, const tl_unigram *u, node *best, const char *text,
                         size_t bytes)
{
    for (size_t i = 0; i <= bytes; i++) best[i] = (node){ 0.0, NOT_REACHED, 0 };
    for (size_t at = 0, step; at < bytes; at += step) {
        bool     single = false;
        uint32_t where  = 0;
        step            = tl_utf8_bytes(text[at]);
        for (size_t i = at; i < bytes && u->trie.count; i++) {
            where = tl_trie_step(&u->trie, where, (uint8_t)text[i]);
            if (!where) break;
            const int32_t id = u->trie.node[where].value;
            if (id < 0) continue;
            offer(&best[i + 1], best[at].score + u->score[id], id, at);
            single |= i + 1 - at == step;
        }
        if (single) continue;
        if (u->unknown < 0)
            return tl_fail(ctx, TL_EDATA, "vocabulary",
                           "a character is not in it, nor is an unknown token (use a "
                           "whole vocabulary)");
        offer(&best[at + step], best[at].score + u->unknown_score, u->unknown, at);
    }
    return TL_OK;
}

/* An unknown stretch: its bytes, all over the same span, or the unknown token. */
static tl_status answer_unknown(tl_ctx *ctx, tl_encoder *e, const tl_unigram *u,
                                const char *text, size_t from, size_t to)
{
    bool      known = u->fallback;
    tl_status rc    = TL_OK;

    for (size_t i = from; known && i < to; i++)
        known = u->byte_token[(uint8_t)text[i]] >= 0;
    if (!known) return tl_answer_add(ctx, e, u->unknown, from, to);
    for (size_t i = to; i-- > from;) /* written backwards, see word() */
        TL_TRY(tl_answer_add(ctx, e, u->byte_token[(uint8_t)text[i]], from, to));
done:
    return rc;
}

static void reverse(tl_part_of *part, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const tl_part_of held = part[i];
        part[i]               = part[n - 1 - i];
        part[n - 1 - i]       = held;
    }
}

static tl_status word(tl_ctx *ctx, tl_encoder *e, const void *self, const char *text,
                      size_t bytes)
{
    const tl_unigram *u     = self;
    scratch          *s     = e->scratch;
    const size_t      first = e->answers;
    tl_status         rc;

    TL_TRY(tl_grow(ctx, &s->node, &s->room, bytes + 1, sizeof *s->node));
    TL_TRY(forward(ctx, u, s->node, text, bytes));
    for (size_t end = bytes; end > 0;) {
        const node *n    = &s->node[end];
        size_t      from = n->from;
        if (n->id == u->unknown) { /* unknown neighbours are one */
            while (from > 0 && s->node[from].id == u->unknown) from = s->node[from].from;
            TL_TRY(answer_unknown(ctx, e, u, text, from, end));
        } else {
            TL_TRY(tl_answer_add(ctx, e, n->id, from, end));
        }
        end = from;
    }
    reverse(e->answer + first, e->answers - first);
done:
    return rc;
}

static void scratch_free(tl_ctx *ctx, void *it)
{
    tl_free(ctx, ((scratch *)it)->node);
}

const tl_model_kind tl_model_unigram = { .name          = "Unigram",
                                         .doc           = "the likeliest pieces",
                                         .self_bytes    = sizeof(tl_unigram),
                                         .load          = load,
                                         .free          = unload,
                                         .word          = word,
                                         .scratch_bytes = sizeof(scratch),
                                         .scratch_free  = scratch_free };
