/* encode.c -- one text into tokens: added tokens out of the user's text, normalizers, added
 * tokens out of the normalized text, pre-tokenizers, the model, the frame.
 * Source: huggingface/tokenizers, tokenizer/mod.rs.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

tl_status tl_cut_add(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end, int32_t token)
{
    if (start >= end) return TL_OK;
    tl_pieces *p  = &e->cut;
    tl_status  rc = tl_grow(ctx, &p->at, &p->room, p->count + 1, sizeof *p->at);
    if (rc == TL_OK)
        p->at[p->count++] = (tl_piece){ (uint32_t)start, (uint32_t)end, token };
    return rc;
}

tl_status tl_segment_add(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end, bool match)
{
    tl_status rc =
        tl_grow(ctx, &e->segment, &e->segment_room, e->segments + 1, sizeof *e->segment);

    if (rc == TL_OK)
        e->segment[e->segments++] = (tl_segment){ (uint32_t)start, (uint32_t)end, match };
    return rc;
}

tl_status tl_change_add(tl_ctx *ctx, tl_encoder *e, uint32_t c, int32_t change)
{
    tl_status rc =
        tl_grow(ctx, &e->change, &e->change_room, e->changes + 1, sizeof *e->change);

    if (rc == TL_OK) e->change[e->changes++] = (tl_change){ c, change };
    return rc;
}

tl_status tl_answer_add(tl_ctx *ctx, tl_encoder *e, int32_t id, size_t from, size_t to)
{
    tl_status rc =
        tl_grow(ctx, &e->answer, &e->answer_room, e->answers + 1, sizeof *e->answer);

    if (rc == TL_OK)
        e->answer[e->answers++] = (tl_part_of){ id, (uint32_t)from, (uint32_t)to };
    return rc;
}

static bool all_in_place(tl_encoder *e, const tl_step *step)
{
    bool done = step->kind->in_place != NULL;

    for (size_t i = 0; done && i < e->piece.count; i++) {
        const tl_piece *p = &e->piece.at[i];
        if (p->token < 0)
            done = step->kind->in_place(step->self, e->text.text + p->start,
                                        p->end - p->start);
    }
    return done;
}

/* Every piece through a step's rewrite into the other text. */
tl_status tl_steps_rewrite(tl_ctx *ctx, tl_encoder *e, const tl_step *step)
{
    tl_status rc   = TL_OK;
    size_t    kept = 0;

    if (!step->kind->rewrite || all_in_place(e, step)) return TL_OK;
    TL_TRY(tl_lined_spell(ctx, &e->text));
    e->next.bytes = 0;
    e->next.same  = false;
    for (size_t i = 0; i < e->piece.count; i++) {
        tl_piece     p     = e->piece.at[i];
        const size_t start = e->next.bytes;
        if (p.token >= 0)
            TL_TRY(tl_lined_copy(ctx, &e->next, &e->text, p.start, p.end));
        else
            TL_TRY(step->kind->rewrite(ctx, e, step->self, p.start, p.end));
        p.start = (uint32_t)start;
        p.end   = (uint32_t)e->next.bytes;
        if (p.start < p.end) e->piece.at[kept++] = p;
    }
    e->piece.count      = kept;
    const tl_lined held = e->text;
    e->text             = e->next;
    e->next             = held;
done:
    return rc;
}

static void swap_pieces(tl_encoder *e)
{
    const tl_pieces held = e->piece;

    e->piece = e->cut;
    e->cut   = held;
}

tl_status tl_steps_split(tl_ctx *ctx, tl_encoder *e, const tl_step *step)
{
    tl_status rc = TL_OK;

    if (!step->kind->split) return TL_OK;
    e->cut.count = 0;
    for (size_t i = 0; i < e->piece.count; i++) {
        const tl_piece p = e->piece.at[i];
        if (p.token >= 0)
            TL_TRY(tl_cut_add(ctx, e, p.start, p.end, p.token));
        else
            TL_TRY(step->kind->split(ctx, e, step->self, p.start, p.end));
    }
    swap_pieces(e);
done:
    return rc;
}

static tl_status cut_added(tl_ctx *ctx, tl_encoder *e, const tl_trie *trie)
{
    tl_status rc;

    if (!trie->count) return TL_OK;
    e->cut.count = 0;
    TL_TRY(tl_added_split(ctx, e, trie));
    swap_pieces(e);
done:
    return rc;
}

tl_status tl_pieces_of(tl_ctx *ctx, tl_encoder *e, tl_string text)
{
    const tl_tokenizer *t     = e->t;
    const size_t        steps = t->pre_tokenizer.count - t->byte_words;
    tl_status           rc;

    TL_TRY(tl_lined_set(ctx, &e->text, text));
    e->cut.count = 0;
    TL_TRY(tl_cut_add(ctx, e, 0, e->text.bytes, -1));
    swap_pieces(e);
    TL_TRY(cut_added(ctx, e, &t->raw));
    for (size_t i = 0; i < t->normalizer.count; i++)
        TL_TRY(tl_steps_rewrite(ctx, e, &t->normalizer.at[i]));
    TL_TRY(cut_added(ctx, e, &t->normalized));
    for (size_t i = 0; i < steps; i++) {
        TL_TRY(tl_steps_rewrite(ctx, e, &t->pre_tokenizer.at[i]));
        TL_TRY(tl_steps_split(ctx, e, &t->pre_tokenizer.at[i]));
    }
done:
    return rc;
}

tl_status tl_tokens_add(tl_ctx *ctx, tl_tokens *to, int32_t id, tl_extent span,
                        bool special, uint8_t part)
{
    tl_status rc = TL_OK;

    if (to->count == to->room) {
        const size_t room = (size_t)TL_MAX((int64_t)64, 2 * to->room);
        TL_TRY(tl_realloc(ctx, room * sizeof *to->id, &to->id));
        TL_TRY(tl_realloc(ctx, room * sizeof *to->span, &to->span));
        TL_TRY(tl_realloc(ctx, room, &to->special));
        TL_TRY(tl_realloc(ctx, room, &to->part));
        to->room = (int64_t)room;
    }
    to->id[to->count]      = id;
    to->span[to->count]    = span;
    to->special[to->count] = special;
    to->part[to->count]    = part;
    to->count++;
done:
    return rc;
}

/* The model's places in the byte alphabet, back to places in the word. */
static void unmap(tl_encoder *e, size_t first, const char *word, size_t bytes)
{
    uint32_t mapped = 0, from = 0;
    size_t   at = 0;

    for (size_t i = first; i < e->answers; i++) {
        tl_part_of *a = &e->answer[i];
        if (a->from < mapped) { /* one of several tokens over the same bytes */
            *a = (tl_part_of){ a->id, from, (uint32_t)at };
            continue;
        }
        for (; at < bytes && mapped < a->from; at++)
            mapped += tl_byte_char((uint8_t)word[at]) < 0x80 ? 1 : 2;
        from = (uint32_t)at;
        for (; at < bytes && mapped < a->to; at++)
            mapped += tl_byte_char((uint8_t)word[at]) < 0x80 ? 1 : 2;
        a->from = from;
        a->to   = (uint32_t)at;
    }
}

static tl_status ask(tl_ctx *ctx, tl_encoder *e, const char *text, size_t bytes)
{
    const tl_tokenizer *t     = e->t;
    const size_t        first = e->answers;
    tl_status           rc;

    if (!t->byte_words) return t->model->word(ctx, e, t->model_self, text, bytes);
    TL_TRY(tl_grow(ctx, &e->mapped, &e->mapped_room, 2 * bytes, 1));
    const size_t mapped = tl_bytes_map(text, bytes, e->mapped);
    TL_TRY(t->model->word(ctx, e, t->model_self, e->mapped, mapped));
    unmap(e, first, text, bytes);
done:
    return rc;
}

tl_status tl_word(tl_ctx *ctx, tl_encoder *e, const char *text, size_t bytes)
{
    tl_status rc = ask(ctx, e, text, bytes);

    if (rc == TL_OK) tl_words_put(e->cache, text, bytes, e->answer, e->answers);
    return rc;
}

static tl_status encode_piece(tl_ctx *ctx, tl_encoder *e, const tl_piece *p,
                              tl_tokens *out)
{
    const char       *text  = e->text.text + p->start;
    const size_t      bytes = p->end - p->start;
    const tl_part_of *part;
    size_t            parts;
    tl_status         rc = TL_OK;

    if (p->token >= 0)
        return tl_tokens_add(ctx, out, p->token,
                             tl_lined_span(&e->text, p->start, p->end), false, 0);
    if (!tl_words_get(e->cache, text, bytes, &part, &parts)) {
        e->answers = 0;
        TL_TRY(tl_word(ctx, e, text, bytes));
        part  = e->answer;
        parts = e->answers;
    }
    for (size_t i = 0; i < parts; i++) {
        const tl_extent span =
            tl_lined_span(&e->text, p->start + part[i].from, p->start + part[i].to);
        TL_TRY(tl_tokens_add(ctx, out, part[i].id, span, false, 0));
    }
done:
    return rc;
}

static tl_status encode_one(tl_ctx *ctx, tl_encoder *e, tl_string text, tl_tokens *out)
{
    tl_status rc;

    out->count = 0;
    TL_TRY(tl_pieces_of(ctx, e, text));
    for (size_t i = 0; i < e->piece.count; i++)
        TL_TRY(encode_piece(ctx, e, &e->piece.at[i], out));
done:
    return rc;
}

tl_status tl_encode(tl_ctx *ctx, tl_encoder *e, tl_string text, tl_string pair,
                    tl_encode_options options, tl_tokens *out)
{
    tl_status rc;

    out->count = out->cut = 0;
    TL_TRY(encode_one(ctx, e, text, &e->part[0]));
    if (pair.text) TL_TRY(encode_one(ctx, e, pair, &e->part[1]));
    TL_TRY(tl_frame_tokens(ctx, e, text, pair, options, out));
done:
    return rc;
}

tl_status tl_encoder_open(tl_ctx *ctx, const tl_tokenizer *t, tl_encoder **out)
{
    tl_encoder *e = NULL;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *e, &e));
    e->t = t;
    TL_TRY(tl_matcher_new(ctx, &e->matcher));
    TL_TRY(tl_words_new(ctx, &e->cache));
    if (t->model->scratch_bytes)
        TL_TRY(tl_alloc(ctx, t->model->scratch_bytes, &e->scratch));
    *out = e;
    e    = NULL;
done:
    tl_encoder_close(ctx, e);
    return rc;
}

void tl_encoder_close(tl_ctx *ctx, tl_encoder *e)
{
    if (!e) return;
    tl_lined_free(ctx, &e->text);
    tl_lined_free(ctx, &e->next);
    tl_free(ctx, e->piece.at);
    tl_free(ctx, e->cut.at);
    tl_free(ctx, e->segment);
    tl_free(ctx, e->change);
    tl_free(ctx, e->answer);
    tl_free(ctx, e->mapped);
    tl_matcher_free(ctx, e->matcher);
    tl_words_free(ctx, e->cache);
    if (e->scratch && e->t->model->scratch_free)
        e->t->model->scratch_free(ctx, e->scratch);
    tl_free(ctx, e->scratch);
    for (int i = 0; i < 2; i++) tl_tokens_free(ctx, &e->part[i]);
    tl_free(ctx, e);
}

void tl_tokens_free(tl_ctx *ctx, tl_tokens *tokens)
{
    tl_free(ctx, tokens->id);
    tl_free(ctx, tokens->span);
    tl_free(ctx, tokens->special);
    tl_free(ctx, tokens->part);
    *tokens = (tl_tokens){ 0 };
}
