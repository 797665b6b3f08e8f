/* added.c -- added and special tokens: found whole in the text, before anything cuts it.
 * Source: huggingface/tokenizers, tokenizer/added_vocabulary.rs.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

enum { CONTENT_MOST = 4096 };

tl_status tl_added_put(tl_ctx *ctx, const char *where, tl_tokenizer *t, tl_string content,
                       tl_added as)
{
    tl_status rc = TL_OK;
    size_t    bad;

    if (!content.bytes) return TL_OK;
    if (content.bytes > CONTENT_MOST ||
        tl_utf8_valid(content.text, content.bytes, &bad) < content.bytes)
        TL_FAIL(TL_EDATA, where,
                "an added token is over %d bytes or no UTF-8 (the file is damaged)",
                CONTENT_MOST);
    const int32_t own = tl_vocab_find(&t->vocab, content.text, content.bytes);
    if (own >= 0) as.id = own;
    if (tl_vocab_find(&t->added_text, content.text, content.bytes) >= 0) return TL_OK;
    TL_TRY(tl_realloc(ctx, (t->addeds + 1) * sizeof *t->added, &t->added));
    as.content = NULL;
    as.bytes   = content.bytes;
    TL_TRY(tl_vocab_add(ctx, where, &t->added_text, content.text, content.bytes, as.id));
    TL_TRY(tl_alloc(ctx, content.bytes + 1, &as.content));
    memcpy(as.content, content.text, content.bytes);
    t->added[t->addeds++] = as;
done:
    return rc;
}

/* What the normalizers make of a token's content, in e->text. */
static tl_status normalize_content(tl_ctx *ctx, tl_encoder *e, const tl_added *a)
{
    tl_status rc;

    TL_TRY(tl_lined_set(ctx, &e->text, (tl_string){ a->content, a->bytes }));
    e->piece.count = e->cut.count = 0;
    TL_TRY(tl_cut_add(ctx, e, 0, e->text.bytes, -1));
    const tl_pieces held = e->piece;
    e->piece             = e->cut;
    e->cut               = held;
    for (size_t i = 0; i < e->t->normalizer.count; i++)
        TL_TRY(tl_steps_rewrite(ctx, e, &e->t->normalizer.at[i]));
done:
    return rc;
}

static tl_status build(tl_ctx *ctx, tl_tokenizer *t, tl_encoder *e, bool normalized,
                       tl_trie *out)
{
    tl_trie_entry *entry = NULL;
    tl_text        texts = tl_text_make(ctx);
    size_t         count = 0, at = 0;
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, t->addeds + 1, sizeof *entry, &entry));
    for (size_t i = t->addeds; i-- > 0;) {
        const tl_added *a    = &t->added[i];
        tl_string        text = { a->content, a->bytes };
        if (a->normalized != normalized) continue;
        if (normalized) {
            TL_TRY(normalize_content(ctx, e, a));
            text = (tl_string){ e->text.text, e->text.bytes };
        }
        if (text.bytes) tl_text_add_bytes(&texts, text.text, text.bytes);
        entry[count++] = (tl_trie_entry){ NULL, (uint32_t)text.bytes, (int32_t)i };
    }
    TL_TRY(texts.status);
    for (size_t i = 0; i < count; at += entry[i++].bytes) entry[i].text = texts.text + at;
    TL_TRY(tl_trie_build(ctx, entry, count, out));
done:
    tl_free(ctx, entry);
    tl_text_free(&texts);
    return rc;
}

tl_status tl_added_ready(tl_ctx *ctx, tl_tokenizer *t)
{
    tl_encoder *e = NULL;
    tl_status   rc;

    t->size = TL_MAX(t->vocab.size, t->added_text.size);
    TL_TRY(tl_alloc_array(ctx, (size_t)t->size + 1, sizeof *t->added_of, &t->added_of));
    for (int32_t id = 0; id < t->size; id++) t->added_of[id] = -1;
    for (size_t i = 0; i < t->addeds; i++) t->added_of[t->added[i].id] = (int32_t)i;
    TL_TRY(tl_encoder_open(ctx, t, &e));
    TL_TRY(build(ctx, t, e, false, &t->raw));
    TL_TRY(build(ctx, t, e, true, &t->normalized));
done:
    tl_encoder_close(ctx, e);
    return rc;
}

static size_t char_before(const char *text, size_t at)
{
    do at--;
    while (at > 0 && tl_utf8_inside(text[at]));
    return at;
}

/* Is [start, end) of text[0, bytes) a word of its own? */
static bool stands_alone(const char *text, size_t bytes, size_t start, size_t end)
{
    uint32_t c;

    if (start > 0) {
        tl_utf8_next(text + char_before(text, start), &c);
        if (tl_is_word(c)) return false;
    }
    if (end < bytes) {
        tl_utf8_next(text + end, &c);
        if (tl_is_word(c)) return false;
    }
    return true;
}

static size_t blanks_before(const char *text, size_t least, size_t at)
{
    uint32_t c;

    while (at > least) {
        const size_t before = char_before(text, at);
        tl_utf8_next(text + before, &c);
        if (!tl_is_space(c)) break;
        at = before;
    }
    return TL_MAX(at, least);
}

static size_t blanks_after(const char *text, size_t at, size_t bytes)
{
    uint32_t c;

    while (at < bytes) {
        const size_t step = tl_utf8_next(text + at, &c);
        if (!tl_is_space(c)) break;
        at += step;
    }
    return at;
}

static tl_status split_piece(tl_ctx *ctx, tl_encoder *e, const tl_trie *trie,
                             const tl_piece *p)
{
    const char  *text    = e->text.text + p->start;
    const size_t bytes   = p->end - p->start;
    size_t       done_to = 0, length;
    int32_t      which   = 0;
    tl_status    rc      = TL_OK;

    for (size_t at = 0; at < bytes; at += length) {
        length                    = 1;
        const tl_trie_node *first = &trie->node[1 + (uint8_t)text[at]];
        if (!first->children && first->value < 0) continue;
        const size_t match = tl_trie_longest(trie, text + at, bytes - at, &which);
        if (!match) continue;
        const tl_added *a     = &e->t->added[which];
        size_t          start = at, end = at + match;
        length = match;
        if (a->single_word && !stands_alone(text, bytes, start, end)) continue;
        if (a->lstrip) start = blanks_before(text, done_to, start);
        if (a->rstrip) end = blanks_after(text, end, bytes);
        start =
            TL_MAX(start, done_to); /* the one before took blanks that begin this one */
        if (end <= start) continue;
        TL_TRY(tl_cut_add(ctx, e, p->start + done_to, p->start + start, -1));
        TL_TRY(tl_cut_add(ctx, e, p->start + start, p->start + end, a->id));
        done_to = end;
    }
    TL_TRY(tl_cut_add(ctx, e, p->start + done_to, p->end, -1));
done:
    return rc;
}

tl_status tl_added_split(tl_ctx *ctx, tl_encoder *e, const tl_trie *trie)
{
    tl_status rc = TL_OK;

    for (size_t i = 0; i < e->piece.count; i++) {
        const tl_piece p = e->piece.at[i];
        if (p.token >= 0)
            TL_TRY(tl_cut_add(ctx, e, p.start, p.end, p.token));
        else
            TL_TRY(split_piece(ctx, e, trie, &p));
    }
done:
    return rc;
}
