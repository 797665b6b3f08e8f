/* pieces.c -- SentencePiece's two models: unigram as it is; BPE, whose pairs are ranked by the
 * score of what they make (equal scores: the leftmost first).
 * Source: google/sentencepiece, bpe_model.cc, unigram_model.cc.  Floor 2, data. */
#include "data/tokenizer/files/pieces.h"
#include "data/tokenizer/models/bpe.h"
#include "data/tokenizer/models/unigram.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MOST = 1024 };

tl_status tl_scored_add(tl_ctx *ctx, tl_pieces_file *f, tl_scored piece)
{
    tl_status rc = tl_grow(ctx, &f->at, &f->room, f->count + 1, sizeof *f->at);

    if (rc == TL_OK) f->at[f->count++] = piece;
    return rc;
}

static tl_status add_vocabulary(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                                tl_tokenizer *t)
{
    tl_status rc = TL_OK;
    size_t    bad;

    if (!f->count)
        TL_FAIL(TL_EDATA, where, "a vocabulary of no pieces (fetch the file again)");
    for (size_t i = 0; i < f->count; i++) {
        const tl_string s = f->at[i].text;
        if (s.bytes > PIECE_MOST || tl_utf8_valid(s.text, s.bytes, &bad) < s.bytes)
            TL_FAIL(TL_EDATA, where,
                    "piece %zu is over %d bytes or no UTF-8 (fetch the file again)", i,
                    PIECE_MOST);
        TL_TRY(tl_vocab_add(ctx, where, &t->vocab, s.text, s.bytes, (int64_t)i));
    }
done:
    return rc;
}

static bool is_text(const tl_pieces_file *f, size_t id)
{
    return f->at[id].type == TL_PIECE_NORMAL || f->at[id].type == TL_PIECE_USER;
}

typedef struct {
    float    score;
    uint32_t id;
} by_score;

static int compare(const void *a, const void *b)
{
    const by_score *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Every two pieces that make a third, at the rank of its score. */
static tl_status add_pairs(tl_ctx *ctx, const tl_pieces_file *f, tl_bpe *b, size_t id,
                           uint32_t rank)
{
    const tl_string s  = f->at[id].text;
    tl_status      rc = TL_OK;

    for (size_t cut = 1; cut < s.bytes; cut++) {
        if (tl_utf8_inside(s.text[cut])) continue;
        const int32_t left  = tl_vocab_find(b->vocab, s.text, cut);
        const int32_t right = tl_vocab_find(b->vocab, s.text + cut, s.bytes - cut);
        if (left < 0 || right < 0 || !is_text(f, (size_t)left) ||
            !is_text(f, (size_t)right))
            continue;
        TL_TRY(tl_bpe_merge(ctx, b, left, right, rank, (int32_t)id));
    }
done:
    return rc;
}

static tl_status load_bpe(tl_ctx *ctx, const tl_pieces_file *f, tl_tokenizer *t)
{
    by_score *order = NULL;
    tl_bpe   *b;
    uint32_t  rank = 0;
    tl_status rc;

    TL_TRY(tl_model_take(ctx, t, &tl_model_bpe, &b));
    b->vocab        = &t->vocab;
    b->unknown      = (int32_t)f->unk;
    b->fuse_unknown = true;
    tl_bpe_ready(b, f->fallback);
    TL_TRY(tl_alloc_array(ctx, f->count, sizeof *order, &order));
    for (size_t i = 0; i < f->count; i++)
        order[i] = (by_score){ f->at[i].score, (uint32_t)i };
    qsort(order, f->count, sizeof *order, compare);
    for (size_t i = 0; i < f->count; i++) {
        if (i && order[i].score != order[i - 1].score) rank++;
        if (is_text(f, order[i].id)) TL_TRY(add_pairs(ctx, f, b, order[i].id, rank));
    }
done:
    tl_free(ctx, order);
    return rc;
}

static tl_status load_unigram(tl_ctx *ctx, const tl_pieces_file *f, tl_tokenizer *t)
{
    tl_unigram *u;
    uint8_t    *skip = NULL;
    tl_status   rc;

    TL_TRY(tl_model_take(ctx, t, &tl_model_unigram, &u));
    u->unknown  = (int32_t)f->unk;
    u->fallback = f->fallback;
    TL_TRY(tl_alloc_array(ctx, f->count, sizeof *u->score, &u->score));
    TL_TRY(tl_alloc(ctx, f->count, &skip));
    for (size_t i = 0; i < f->count; i++) {
        u->score[i] = (double)f->at[i].score;
        skip[i]     = !is_text(f, i);
    }
    TL_TRY(tl_unigram_ready(ctx, t, u, skip));
done:
    tl_free(ctx, skip);
    return rc;
}

static json_t *replace_step(const char *pattern, bool regex, const char *content)
{
    return json_pack("{s:s,s:{s:s},s:s}", "type", "Replace", "pattern",
                     regex ? "Regex" : "String", pattern, "content", content);
}

static tl_status charsmap_step(tl_ctx *ctx, tl_string map, json_t *steps)
{
    char     *text = NULL;
    tl_status rc;

    if (!map.bytes || map.bytes > INT32_MAX / 2) return TL_OK;
    TL_TRY(tl_alloc(ctx, map.bytes / 3 * 4 + 5, &text));
    EVP_EncodeBlock((uint8_t *)text, (const uint8_t *)map.text, (int)map.bytes);
    json_array_append_new(steps, json_pack("{s:s,s:s}", "type", "Precompiled",
                                           "precompiled_charsmap", text));
done:
    tl_free(ctx, text);
    return rc;
}

/* No piece goes on behind a blank's sign: words may be read one by one. */
static bool words_apart(const tl_pieces_file *f)
{
    static const char sign[] = "\xe2\x96\x81";

    for (size_t i = 0; i < f->count; i++) {
        const tl_string s     = f->at[i].text;
        bool           other = false;
        for (size_t at = 0; at < s.bytes; at += tl_utf8_bytes(s.text[at])) {
            const bool blank = s.bytes - at >= 3 && !memcmp(s.text + at, sign, 3);
            if (blank && other && is_text(f, i)) return false;
            other = !blank;
        }
    }
    return true;
}

static tl_status load_steps(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                            tl_tokenizer *t)
{
    json_t *steps = json_array(), *all = NULL;
    json_t *words =
        json_pack("{s:s,s:{s:s},s:s}", "type", "Split", "pattern", "Regex",
                  "\xe2\x96\x81*[^\xe2\x96\x81]+|\xe2\x96\x81+", "behavior", "Isolated");
    tl_status rc;

    TL_TRY(charsmap_step(ctx, f->charsmap, steps));
    if (f->squeeze) {
        json_array_append_new(steps, json_pack("{s:s}", "type", "Strip"));
        json_array_append_new(steps, replace_step(" {2,}", true, " "));
    }
    if (f->prefix)
        json_array_append_new(
            steps, json_pack("{s:s,s:s}", "type", "Prepend", "prepend", "\xe2\x96\x81"));
    json_array_append_new(steps, replace_step(" ", false, "\xe2\x96\x81"));
    all = json_pack("{s:s,s:O}", "type", "Sequence", "normalizers", steps);
    TL_TRY(tl_steps_load(ctx, where, TL_NORMALIZER, all, &t->normalizer));
    if (words_apart(f))
        TL_TRY(tl_steps_load(ctx, where, TL_PRE_TOKENIZER, words, &t->pre_tokenizer));
    TL_TRY(tl_steps_parse(
        ctx, where, TL_DECODER,
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{"
        "\"String\":\"\xe2\x96\x81\"},"
        "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}",
        &t->decoder));
    if (f->prefix)
        TL_TRY(tl_steps_parse(
            ctx, where, TL_DECODER,
            "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}",
            &t->decoder));
done:
    json_decref(steps);
    json_decref(words);
    json_decref(all);
    return rc;
}

tl_status tl_pieces_added(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                          tl_tokenizer *t)
{
    tl_status rc = TL_OK;

    for (size_t i = 0; i < f->count; i++) {
        const uint8_t type = f->at[i].type;
        if (type != TL_PIECE_CONTROL && type != TL_PIECE_USER && type != TL_PIECE_UNKNOWN)
            continue;
        const tl_added as = { .id = (int32_t)i, .special = type != TL_PIECE_USER };
        TL_TRY(tl_added_put(ctx, where, t, f->at[i].text, as));
    }
    tl_role_set(t, "unk", f->unk < (int64_t)f->count ? (int32_t)f->unk : -1);
    tl_role_set(t, "bos", f->bos < (int64_t)f->count ? (int32_t)f->bos : -1);
    tl_role_set(t, "eos", f->eos < (int64_t)f->count ? (int32_t)f->eos : -1);
    tl_role_set(t, "pad", f->pad < (int64_t)f->count ? (int32_t)f->pad : -1);
done:
    return rc;
}

tl_status tl_pieces_frame(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                          tl_tokenizer *t)
{
    const int bos = f->add_bos && f->bos >= 0, eos = f->add_eos && f->eos >= 0;
    json_t   *single = json_array(), *pair = json_array(), *spec;
    tl_status rc = TL_OK;

    for (int text = 0; (bos || eos) && text < 2; text++)
        for (int k = 0; k < 3; k++) {
            json_t *part = k == 1 ? json_pack("{s:{s:s,s:i}}", "Sequence", "id",
                                              text ? "B" : "A", "type_id", text)
                           : (k ? eos : bos)
                               ? json_pack("{s:{s:s,s:i}}", "SpecialToken", "id",
                                           k ? "eos" : "bos", "type_id", text)
                               : NULL;
            if (part && !text) json_array_append(single, part);
            if (part) json_array_append_new(pair, part);
        }
    spec =
        json_pack("{s:s,s:o,s:o,s:{s:{s:[I]},s:{s:[I]}}}", "type", "TemplateProcessing",
                  "single", single, "pair", pair, "special_tokens", "bos", "ids",
                  (json_int_t)f->bos, "eos", "ids", (json_int_t)f->eos);
    if (bos || eos) rc = tl_frame_load(ctx, where, spec, t);
    json_decref(spec);
    return rc;
}

tl_status tl_pieces_load(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                         tl_tokenizer *t)
{
    tl_status rc;

    for (size_t i = 0; i < f->count; i++)
        if (!isfinite(f->at[i].score))
            TL_FAIL(TL_EDATA, where,
                    "the score of piece %zu is no number (fetch the file again)", i);
    if (f->unk >= (int64_t)f->count)
        TL_FAIL(TL_EDATA, where,
                "the unknown piece is beyond the vocabulary (fetch the file again)");
    TL_TRY(add_vocabulary(ctx, where, f, t));
    TL_TRY(f->unigram ? load_unigram(ctx, f, t) : load_bpe(ctx, f, t));
    TL_TRY(load_steps(ctx, where, f, t));
    TL_TRY(tl_pieces_added(ctx, where, f, t));
    TL_TRY(tl_pieces_frame(ctx, where, f, t));
done:
    return rc;
}
