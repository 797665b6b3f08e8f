/* blocks.c -- a corpus tokenised once, in groups of pieces so that memory does not grow with it,
 * and its tokens as blocks.  The tokens lie in two files (numbers and what they are of; marks), or
 * in memory.  Floor 2, data. */
#include "core/io.h"
#include "data/cache.h"
#include "data/corpus/corpus.h"
#include "data/tokenizer/lined.h"

#include <stdio.h>
#include <string.h>

enum { GROUP = 256, FRAME_MOST = 8 };

/* What the file of numbers ends with. */
typedef struct {
    char    magic[8];
    int64_t tokens[3]; /* of each part */
    char    key[64];   /* of corpus, tokenizer and way */
} tail;
static const char magic[8] = "tlids01";

/* Tokens on their way: to files, or to memory where there are none. */
typedef struct {
    tl_output *ids, *marks;
    int32_t   *id;
    uint8_t   *mark;
    size_t     id_room, mark_room;
    int64_t    tokens;
    int32_t    before[FRAME_MOST], after[FRAME_MOST]; /* around a document */
    int        befores, afters;
    bool       hidden, pieces; /* words go on by "##"                      */
    const tl_tokenizer *t;
} stream;

static tl_status put(tl_ctx *ctx, stream *s, const int32_t *id, const uint8_t *mark, int64_t n)
{
    const size_t ids = (size_t)n * sizeof *id, at = (size_t)s->tokens;
    tl_status    rc;

    if (n == 0) return TL_OK;
    if (s->ids) {
        TL_TRY(tl_write(ctx, s->ids, id, ids));
        TL_TRY(tl_write(ctx, s->marks, mark, (size_t)n));
    } else {
        TL_TRY(tl_grow(ctx, &s->id, &s->id_room, at + (size_t)n, sizeof *s->id));
        TL_TRY(tl_grow(ctx, &s->mark, &s->mark_room, at + (size_t)n, 1));
        memcpy(s->id + at, id, ids);
        memcpy(s->mark + at, mark, (size_t)n);
    }
    s->tokens += n;
done:
    return rc;
}

/* What the tokenizer puts around a text; a token that ends a text where it puts none. */
static tl_status find_frame(tl_ctx *ctx, stream *s)
{
    const tl_encode_options whole = { .most = TL_UNCUT };
    const tl_string         none  = { NULL, 0 }, one = { "a", 1 };
    tl_encoder             *e     = NULL;
    tl_tokens               made  = { 0 };
    int32_t                 end;
    tl_status               rc;

    TL_TRY(tl_encoder_open(ctx, s->t, &e));
    TL_TRY(tl_encode(ctx, e, one, none, whole, &made));
    for (int64_t i = 0, text = 0; i < made.count; i++) {
        if (!made.special[i]) text = 1;
        else if (text && s->afters < FRAME_MOST) s->after[s->afters++] = made.id[i];
        else if (!text && s->befores < FRAME_MOST) s->before[s->befores++] = made.id[i];
    }
    end = tl_tokenizer_special(s->t, s->hidden ? "sep" : "eos");
    if (!s->afters && end >= 0) s->after[s->afters++] = end;
done:
    tl_tokens_free(ctx, &made);
    tl_encoder_close(ctx, e);
    return rc;
}

static tl_status put_frame(tl_ctx *ctx, stream *s, const int32_t *id, int count, bool begins)
{
    const uint8_t asked = s->hidden ? TL_NOT_ASKED : 0;
    uint8_t       mark[FRAME_MOST];

    for (int i = 0; i < count; i++)
        mark[i] = (uint8_t)(asked | TL_WORD_BEGINS | (begins && i == 0 ? TL_TEXT_BEGINS : 0));
    return put(ctx, s, id, mark, count);
}

static bool is_letter(uint8_t c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does a token go on with the word of the one before it? */
static bool goes_on(const stream *s, tl_string text, const tl_tokens *all, int64_t i)
{
    const uint32_t at = all->span[i].from;
    size_t         bytes;

    if (s->pieces) {
        const char *token = tl_tokenizer_token(s->t, all->id[i], &bytes);
        return token && bytes > 2 && memcmp(token, "##", 2) == 0;
    }
    return at > 0 && at < text.bytes && is_letter((uint8_t)text.text[at]) &&
           is_letter((uint8_t)text.text[at - 1]);
}

/* `begins`, `ends`: of the document the piece is of. */
static tl_status put_piece(tl_ctx *ctx, stream *s, tl_string text, const tl_token_batch *b,
                           int64_t k, bool begins, bool ends, uint8_t *mark)
{
    const int64_t low = b->start[k], n = b->start[k + 1] - low;
    tl_status     rc;

    for (int64_t i = 0; i < n; i++)
        mark[i] = i > 0 && goes_on(s, text, &b->all, low + i) ? 0 : TL_WORD_BEGINS;
    if (begins && n > 0 && !s->befores) mark[0] |= TL_TEXT_BEGINS;
    if (begins) TL_TRY(put_frame(ctx, s, s->before, s->befores, true));
    TL_TRY(put(ctx, s, b->all.id + low, mark, n));
    if (ends) rc = put_frame(ctx, s, s->after, s->afters, false);
done:
    return rc;
}

static tl_status put_group(tl_ctx *ctx, stream *s, const tl_dataset *d, tl_rows part, int64_t from)
{
    const tl_encode_options plain = { .plain = true, .most = TL_UNCUT };
    const int64_t           count = TL_MIN((int64_t)GROUP, part.count - from);
    tl_token_batch          b     = { 0 };
    tl_string               text[GROUP] = { { NULL, 0 } };
    uint8_t                *mark  = NULL;
    int64_t                 most  = 0;
    tl_status               rc;

    for (int64_t i = 0; i < count; i++) text[i] = tl_corpus_text(d, part.row[from + i]);
    TL_TRY(tl_encode_batch(ctx, s->t, text, NULL, count, plain, &b));
    for (int64_t i = 0; i < count; i++) most = TL_MAX(most, b.start[i + 1] - b.start[i]);
    TL_TRY(tl_alloc(ctx, (size_t)most + 1, &mark));
    for (int64_t i = 0; i < count; i++) {
        const int64_t at   = from + i, row = part.row[at];
        const bool    last = at + 1 == part.count || tl_corpus_begins(d, part.row[at + 1]);
        TL_TRY(put_piece(ctx, s, text[i], &b, i, tl_corpus_begins(d, row), last, mark));
    }
done:
    tl_free(ctx, mark);
    tl_token_batch_free(ctx, &b);
    return rc;
}

static tl_status put_parts(tl_ctx *ctx, stream *s, const tl_dataset *d, int64_t tokens[3])
{
    tl_rows   part = { 0 };
    tl_status rc   = TL_OK;

    for (int k = 0; k < 3; k++) {
        const int64_t before = s->tokens;
        tl_free(ctx, part.row);
        TL_TRY(tl_corpus_rows(ctx, d, (tl_split)k, &part));
        for (int64_t at = 0; at < part.count; at += GROUP) {
            if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, d->path, "interrupted");
            TL_TRY(put_group(ctx, s, d, part, at));
        }
        tokens[k] = s->tokens - before;
    }
done:
    tl_free(ctx, part.row);
    return rc;
}

/* Both files as an earlier call left them; *found false: none, or of something else. */
static tl_status find_files(tl_ctx *ctx, const char *ids, const char *marks, tail *h,
                            tl_text_rows *t, bool *found)
{
    const char *key = h->key;
    tail        was;
    tl_status   rc;

    *found = false;
    if (!tl_exists(ids) || !tl_exists(marks)) return TL_OK;
    TL_TRY(tl_map_open(ctx, ids, &t->id_map));
    TL_TRY(tl_map_open(ctx, marks, &t->mark_map));
    if (t->id_map.bytes < sizeof was) goto done;
    memcpy(&was, t->id_map.data + t->id_map.bytes - sizeof was, sizeof was);
    const int64_t n = was.tokens[0] + was.tokens[1] + was.tokens[2];
    *found = memcmp(was.magic, magic, sizeof magic) == 0 &&
             memcmp(was.key, key, sizeof was.key) == 0 && n > 0 &&
             t->id_map.bytes == sizeof was + (size_t)n * sizeof *t->id &&
             t->mark_map.bytes == (size_t)n;
    if (*found) *h = was;
done:
    if (rc != TL_OK || !*found) {
        tl_map_close(ctx, &t->id_map);
        tl_map_close(ctx, &t->mark_map);
    }
    return rc;
}

static tl_status make_files(tl_ctx *ctx, stream *s, const tl_dataset *d, const char *ids,
                            const char *marks, tail *h)
{
    tl_status rc;

    TL_TRY(tl_output_open(ctx, marks, &s->marks));
    TL_TRY(tl_output_open(ctx, ids, &s->ids));
    TL_TRY(put_parts(ctx, s, d, h->tokens));
    TL_TRY(tl_write(ctx, s->ids, h, sizeof *h));
    TL_TRY(tl_output_commit(ctx, s->marks));
    TL_TRY(tl_output_commit(ctx, s->ids));
done:
    tl_output_close(ctx, s->ids);
    tl_output_close(ctx, s->marks);
    return rc;
}

static tl_status in_files(tl_ctx *ctx, stream *s, const tl_dataset *d, const char *folder, tail *h,
                          tl_text_rows *t)
{
    char     *ids = NULL, *marks = NULL;
    bool      found;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, "tokens.ids", &ids));
    TL_TRY(tl_path_join(ctx, folder, "tokens.marks", &marks));
    TL_TRY(find_files(ctx, ids, marks, h, t, &found));
    if (!found) {
        TL_TRY(make_files(ctx, s, d, ids, marks, h));
        TL_TRY(find_files(ctx, ids, marks, h, t, &found));
        if (!found) TL_FAIL(TL_EIO, ids, "is not what was written (is the disk whole?)");
    }
    t->id   = (int32_t *)(uintptr_t)t->id_map.data;
    t->mark = (uint8_t *)(uintptr_t)t->mark_map.data;
done:
    tl_free(ctx, ids);
    tl_free(ctx, marks);
    return rc;
}

static tl_status key_of(tl_ctx *ctx, const tl_dataset *d, const tl_texter *t, bool hidden,
                        char key[64])
{
    char      hex[65];
    tl_hash  *hash = NULL;
    tl_status rc;

    TL_TRY(tl_corpus_hash(ctx, d, hex));
    TL_TRY(tl_hash_new(ctx, &hash));
    tl_hash_add(hash, hex, 64);
    tl_hash_add(hash, t->sha256, 64);
    tl_hash_add(hash, hidden ? "hidden" : "next", 4);
    tl_hash_end(ctx, hash, hex);
    memcpy(key, hex, 64);
done:
    return rc;
}

/* Where blocks start, which are whose, and the most texts that one holds. */
static tl_status cut_blocks(tl_ctx *ctx, tl_text_rows *t, const int64_t tokens[3], int64_t block,
                            tl_rows part[3])
{
    int64_t   rows = 0, at = 0, end = 0;
    tl_status rc;

    for (int k = 0; k < 3; k++) rows += (tokens[k] + block - 1) / block;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows + 1, sizeof *t->start, &t->start));
    rows = 0;
    for (int k = 0; k < 3; k++) {
        const int64_t n = (tokens[k] + block - 1) / block;
        TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *part[k].row, &part[k].row));
        part[k].count = n;
        end += tokens[k];
        for (int64_t i = 0; i < n; i++, rows++) {
            part[k].row[i] = rows;
            t->start[rows] = at;
            at             = TL_MIN(at + block, end);
        }
    }
    t->start[rows] = at;
    t->tokens      = at;
    t->rows        = rows;
    t->runs_on     = true;
    for (int64_t r = 0; r < rows; r++) {
        int64_t texts = 1;
        for (int64_t i = t->start[r] + 1; i < t->start[r + 1]; i++)
            texts += t->mark[i] & TL_TEXT_BEGINS;
        t->most_texts = TL_MAX(t->most_texts, texts);
    }
done:
    return rc;
}

tl_status tl_corpus_blocks(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, int64_t block,
                           bool hidden, const char *folder, tl_cache **out, tl_rows part[3])
{
    const tl_tokenizer *tokenizer = prep->text->tokenizer;
    stream    s = { .hidden = hidden, .t = tokenizer,
                    .pieces = strcmp(tl_tokenizer_kind(tokenizer), "WordPiece") == 0 };
    tail      h = { { 0 }, { 0 }, { 0 } };
    tl_cache *c = NULL;
    tl_status rc;

    *out = NULL;
    for (int k = 0; k < 3; k++) part[k] = (tl_rows){ 0 };
    memcpy(h.magic, magic, sizeof magic);
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->prep = *prep;
    tl_prep_hold(prep);
    TL_TRY(find_frame(ctx, &s));
    if (folder) {
        TL_TRY(key_of(ctx, d, prep->text, hidden, h.key));
        TL_TRY(in_files(ctx, &s, d, folder, &h, &c->text));
    } else {
        TL_TRY(put_parts(ctx, &s, d, h.tokens));
        c->text.id   = s.id;
        c->text.mark = s.mark;
        s.id         = NULL;
        s.mark       = NULL;
    }
    TL_TRY(cut_blocks(ctx, &c->text, h.tokens, block, part));
    for (int k = 0; k < 2; k++)
        if (!part[k].count && tl_corpus_bytes(d, (tl_split)k))
            TL_FAIL(TL_EDATA, d->path, "its %s part holds no tokens (give more text)",
                    k ? "validation" : "training");
    if (!part[0].count)
        TL_FAIL(TL_EDATA, d->path, "leaves no text to learn from (give more that differs)");
    *out = c;
    c    = NULL;
done:
    for (int k = 0; k < 3 && rc != TL_OK; k++) {
        tl_free(ctx, part[k].row);
        part[k] = (tl_rows){ 0 };
    }
    tl_free(ctx, s.id);
    tl_free(ctx, s.mark);
    tl_cache_free(ctx, c);
    return rc;
}
