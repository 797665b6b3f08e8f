/* train.c -- a tokenizer learned from the user's texts: words counted as the tokenizer will cut
 * them, pairs joined (train_pairs.c), tokenizer.json written.  Floor 2, data. */
#include "data/tokenizer/files.h"
#include "data/tokenizer/train.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static const char bpe_around[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
    "\"trim_offsets\":true,\"use_regex\":true},"
    "\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
    "\"trim_offsets\":false,\"use_regex\":true},"
    "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
    "\"trim_offsets\":true,\"use_regex\":true}}";
static const char piece_around[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}}";
static const char char_around[] =
    "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\\\\s\\\\S]\"},"
    "\"behavior\":\"Isolated\",\"invert\":false},\"decoder\":{\"type\":\"Fuse\"}}";
static const char continues[] = "##"; /* tokens of WordPiece that go on within a word */

typedef struct {
    const tl_training *how;
    tl_tokenizer      *t; /* cuts texts into words, has no tokens yet                 */
    tl_vocab  seen;       /* words; ids are places in `count`                         */
    int64_t  *count;
    size_t    count_room;
    tl_lesson lesson;
} trainer;

static const char *around(const tl_training *how)
{
    static const char *const all[] = { [TL_TRAIN_BPE]        = bpe_around,
                                       [TL_TRAIN_WORD_PIECE] = piece_around,
                                       [TL_TRAIN_CHARS]      = char_around };

    return all[how->kind];
}

/* A tokenizer of the special tokens only, for its words. */
static tl_status open_empty(tl_ctx *ctx, trainer *r)
{
    static const char empty[] = "{\"type\":\"WordLevel\",\"vocab\":{}}";
    json_t           *model   = NULL;
    tl_status         rc;

    TL_TRY(tl_alloc(ctx, sizeof *r->t, &r->t));
    TL_TRY(tl_json_parse(ctx, "training", empty, strlen(empty), &model));
    TL_TRY(tl_model_load(ctx, "training", model, r->t));
    TL_TRY(tl_tokenizer_around(ctx, "training", around(r->how), r->t));
    for (size_t i = 0; i < r->how->specials; i++) {
        const tl_string s = { r->how->special[i], strlen(r->how->special[i]) };
        TL_TRY(tl_added_put(ctx, "training", r->t, s,
                            (tl_added){ .id = (int32_t)i, .special = true }));
        TL_TRY(
            tl_vocab_add(ctx, "training", &r->lesson.vocab, s.text, s.bytes, (int64_t)i));
    }
    TL_TRY(tl_tokenizer_ready(ctx, "training", r->t));
done:
    json_decref(model);
    return rc;
}

static tl_status count_piece(tl_ctx *ctx, trainer *r, const char *text, size_t bytes)
{
    int32_t   id = tl_vocab_find(&r->seen, text, bytes);
    tl_status rc = TL_OK;

    if (id < 0) {
        id = r->seen.size;
        TL_TRY(tl_vocab_add(ctx, "training", &r->seen, text, bytes, id));
        TL_TRY(tl_grow(ctx, &r->count, &r->count_room, (size_t)id + 1, sizeof *r->count));
        r->count[id] = 0;
    }
    r->count[id]++;
done:
    return rc;
}

static tl_status count_words(tl_ctx *ctx, trainer *r, const tl_string *text, int64_t count)
{
    tl_encoder *e = NULL;
    tl_status   rc;

    TL_TRY(tl_encoder_open(ctx, r->t, &e));
    for (int64_t i = 0; i < count; i++) {
        TL_TRY(tl_pieces_of(ctx, e, text[i]));
        for (size_t k = 0; k < e->piece.count; k++) {
            const tl_piece *p = &e->piece.at[k];
            if (p->token < 0)
                TL_TRY(count_piece(ctx, r, e->text.text + p->start, p->end - p->start));
        }
    }
done:
    tl_encoder_close(ctx, e);
    return rc;
}

/* A character of a word as a symbol; with `add` it becomes one where it is none. */
static tl_status symbol_of(tl_ctx *ctx, trainer *r, const char *text, size_t bytes,
                           bool first, bool add, int32_t *out)
{
    char         name[8];
    const size_t prefix = r->lesson.skip && !first ? r->lesson.skip : 0;
    tl_vocab    *v      = &r->lesson.vocab;
    tl_status    rc     = TL_OK;

    memcpy(name, continues, prefix);
    memcpy(name + prefix, text, bytes);
    *out = tl_vocab_find(v, name, prefix + bytes);
    if (*out >= 0 || !add) return TL_OK;
    *out = v->size;
    TL_TRY(tl_vocab_add(ctx, "training", v, name, prefix + bytes, *out));
done:
    return rc;
}

/* The 256 characters of the byte alphabet by code point. */
static tl_status byte_alphabet(tl_ctx *ctx, trainer *r)
{
    char      utf8[4];
    int32_t   id;
    tl_status rc = TL_OK;

    for (uint32_t c = 0; c <= 0x143; c++)
        if (tl_char_byte(c) >= 0)
            TL_TRY(symbol_of(ctx, r, utf8, tl_utf8_put(c, utf8), true, true, &id));
done:
    return rc;
}

/* Every character seen, in the order of its first sight, as beginning and as going on. */
static tl_status seen_alphabet(tl_ctx *ctx, trainer *r)
{
    int32_t   id;
    tl_status rc = TL_OK;

    for (int32_t w = 0; w < r->seen.size; w++) {
        const tl_string s = tl_vocab_text(&r->seen, w);
        for (size_t at = 0, n; at < s.bytes; at += n) {
            n = tl_utf8_bytes(s.text[at]);
            TL_TRY(symbol_of(ctx, r, s.text + at, n, at == 0, true, &id));
        }
    }
done:
    return rc;
}

static tl_status add_word(tl_ctx *ctx, trainer *r, tl_string s, int64_t seen)
{
    tl_lesson   *l     = &r->lesson;
    const size_t start = l->symbols;
    tl_status    rc    = TL_OK;
    char         utf8[4];
    int32_t      id;

    for (size_t at = 0, n; at < s.bytes; at += n) {
        if (r->how->kind == TL_TRAIN_BPE) {
            n = 1;
            TL_TRY(symbol_of(ctx, r, utf8,
                             tl_utf8_put(tl_byte_char((uint8_t)s.text[at]), utf8), true,
                             false, &id));
        } else {
            n = tl_utf8_bytes(s.text[at]);
            TL_TRY(symbol_of(ctx, r, s.text + at, n, at == 0, false, &id));
        }
        TL_TRY(
            tl_grow(ctx, &l->symbol, &l->symbol_room, l->symbols + 1, sizeof *l->symbol));
        l->symbol[l->symbols++] = id;
    }
    TL_TRY(tl_grow(ctx, &l->word, &l->word_room, l->words + 1, sizeof *l->word));
    l->word[l->words++] =
        (tl_counted){ (uint32_t)start, (uint32_t)(l->symbols - start), seen };
done:
    return rc;
}

static json_t *text_json(const tl_vocab *v, int32_t id)
{
    const tl_string s = tl_vocab_text(v, id);

    return json_stringn(s.text, s.bytes);
}

static json_t *model_json(const trainer *r)
{
    const tl_vocab *v     = &r->lesson.vocab;
    const bool      bpe   = r->how->kind == TL_TRAIN_BPE;
    json_t         *vocab = json_object(), *merges = json_array();

    for (int32_t id = 0; id < v->size; id++) {
        const tl_string s = tl_vocab_text(v, id);
        json_object_setn_new(vocab, s.text, s.bytes, json_integer(id));
    }
    for (size_t i = 0; bpe && i < r->lesson.joins; i++)
        json_array_append_new(merges,
                              json_pack("[oo]", text_json(v, r->lesson.joined[i].left),
                                        text_json(v, r->lesson.joined[i].right)));
    if (bpe)
        return json_pack("{s:s,s:o,s:o}", "type", "BPE", "vocab", vocab, "merges",
                         merges);
    json_decref(merges);
    if (r->how->kind == TL_TRAIN_CHARS)
        return json_pack("{s:s,s:s,s:o}", "type", "WordLevel", "unk_token", "<unk>", "vocab",
                         vocab);
    return json_pack("{s:s,s:s,s:s,s:i,s:o}", "type", "WordPiece", "unk_token", "[UNK]",
                     "continuing_subword_prefix", continues, "max_input_chars_per_word",
                     100, "vocab", vocab);
}

static tl_status write_json(tl_ctx *ctx, const trainer *r, const char *path)
{
    json_t   *value = NULL, *model = model_json(r), *added = json_array();
    tl_status rc;

    TL_TRY(
        tl_json_parse(ctx, "training", around(r->how), strlen(around(r->how)), &value));
    for (size_t i = 0; i < r->how->specials; i++)
        json_array_append_new(added, json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id",
                                               (int)i, "content", r->how->special[i],
                                               "single_word", 0, "lstrip", 0, "rstrip", 0,
                                               "normalized", 0, "special", 1));
    json_object_set_new(value, "version", json_string("1.0"));
    json_object_set(value, "added_tokens", added);
    json_object_set(value, "model", model);
    TL_TRY(tl_json_write(ctx, path, value));
done:
    json_decref(value);
    json_decref(model);
    json_decref(added);
    return rc;
}

tl_status tl_tokenizer_train(tl_ctx *ctx, const tl_training *how, const tl_string *text,
                             int64_t count, const char *path)
{
    const bool chars = how->kind == TL_TRAIN_CHARS;
    trainer    r = { .how = how, .lesson = { .skip = how->kind == TL_TRAIN_WORD_PIECE ? 2 : 0 } };
    tl_status  rc;

    TL_TRY(open_empty(ctx, &r));
    TL_TRY(count_words(ctx, &r, text, count));
    TL_TRY(how->kind == TL_TRAIN_BPE ? byte_alphabet(ctx, &r) : seen_alphabet(ctx, &r));
    if (!chars && r.lesson.vocab.size > how->size)
        TL_FAIL(TL_EUSAGE, "vocabulary size",
                "%d has no room for the %d special tokens and characters (name more)",
                how->size, r.lesson.vocab.size);
    for (int32_t i = 0; i < r.seen.size && !chars; i++)
        TL_TRY(add_word(ctx, &r, tl_vocab_text(&r.seen, i), r.count[i]));
    if (!chars) TL_TRY(tl_lesson_join(ctx, &r.lesson, how->size, how->least));
    TL_TRY(write_json(ctx, &r, path));
done:
    tl_tokenizer_close(ctx, r.t);
    tl_vocab_free(ctx, &r.seen);
    tl_free(ctx, r.count);
    tl_lesson_free(ctx, &r.lesson);
    return rc;
}
