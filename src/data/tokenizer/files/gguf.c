/* gguf.c -- the vocabulary inside a GGUF file.
 * Source: ggml, docs/gguf.md; llama.cpp, llama-vocab.cpp.  Floor 2, data. */
#include "core/io.h"
#include "data/tokenizer/files/pieces.h"
#include "data/tokenizer/models/bpe.h"

#include <stdlib.h>
#include <string.h>

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, TYPES };
static const uint8_t width[TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

typedef struct {
    const uint8_t *at, *end;
    bool           bad;
} reader;
typedef struct {
    uint32_t       type;
    uint64_t       count;
    const uint8_t *at;
} list; /* at NULL: absent */
typedef struct {
    const uint8_t *end; /* of the keys */
    tl_string       kind, pre;
    list           tokens, scores, types, merges, charsmap;
    int64_t        id[4];                             /* bos eos unk pad */
    int            add_bos, add_eos, prefix, squeeze; /* -1: not said */
} keys;

static uint64_t number(reader *r, size_t bytes)
{
    uint64_t v = 0;

    if ((size_t)(r->end - r->at) < bytes) return r->bad = true, 0;
    for (size_t i = 0; i < bytes; i++) v |= (uint64_t)r->at[i] << 8 * i;
    r->at += bytes;
    return v;
}

static tl_string string(reader *r)
{
    const uint64_t bytes = number(r, 8);
    const tl_string s     = { (const char *)r->at, (size_t)bytes };

    if (r->bad || bytes > (uint64_t)(r->end - r->at))
        return r->bad = true, (tl_string){ "", 0 };
    r->at += bytes;
    return s;
}

static void skip_array(reader *r, uint32_t type, uint64_t count)
{
    if (type == STRING) {
        for (uint64_t i = 0; i < count && !r->bad; i++) string(r);
    } else if (type >= TYPES || !width[type] ||
               count > (uint64_t)(r->end - r->at) / width[type]) {
        r->bad = true;
    } else {
        r->at += count * width[type];
    }
}

static bool is(tl_string s, const char *word)
{
    return s.bytes == strlen(word) && !memcmp(s.text, word, s.bytes);
}

static void take_array(keys *k, tl_string key, list l)
{
    if (is(key, "tokenizer.ggml.tokens") && l.type == STRING) k->tokens = l;
    if (is(key, "tokenizer.ggml.merges") && l.type == STRING) k->merges = l;
    if (is(key, "tokenizer.ggml.scores") && l.type == F32) k->scores = l;
    if (is(key, "tokenizer.ggml.token_type") && l.type == I32) k->types = l;
    if (is(key, "tokenizer.ggml.precompiled_charsmap") && width[l.type] == 1)
        k->charsmap = l;
}

static void take_number(keys *k, tl_string key, uint64_t v)
{
    static const char *const id[] = { "tokenizer.ggml.bos_token_id",
                                      "tokenizer.ggml.eos_token_id",
                                      "tokenizer.ggml.unknown_token_id",
                                      "tokenizer.ggml.padding_token_id" };
    for (size_t i = 0; i < TL_COUNT(id); i++)
        if (is(key, id[i])) k->id[i] = v > INT32_MAX ? -1 : (int64_t)v;
    if (is(key, "tokenizer.ggml.add_bos_token")) k->add_bos = v != 0;
    if (is(key, "tokenizer.ggml.add_eos_token")) k->add_eos = v != 0;
    if (is(key, "tokenizer.ggml.add_space_prefix")) k->prefix = v != 0;
    if (is(key, "tokenizer.ggml.remove_extra_whitespaces")) k->squeeze = v != 0;
}

static void read_pair(reader *r, keys *k)
{
    const tl_string key  = string(r);
    const uint32_t type = (uint32_t)number(r, 4);

    if (r->bad) return;
    if (type == ARRAY) {
        list l  = { .type = (uint32_t)number(r, 4) };
        l.count = number(r, 8);
        l.at    = r->at;
        skip_array(r, l.type, l.count);
        if (!r->bad) take_array(k, key, l);
    } else if (type == STRING) {
        const tl_string v = string(r);
        if (is(key, "tokenizer.ggml.model")) k->kind = v;
        if (is(key, "tokenizer.ggml.pre")) k->pre = v;
    } else if (type < TYPES) {
        take_number(k, key, number(r, width[type]));
    } else {
        r->bad = true;
    }
}

static tl_status read_keys(tl_ctx *ctx, const char *path, const uint8_t *data,
                           size_t bytes, keys *k)
{
    reader    r  = { data, data + bytes, false };
    tl_status rc = TL_OK;

    *k = (keys){ .end     = r.end,
                 .kind    = { "", 0 },
                 .pre     = { "default", 7 },
                 .id      = { -1, -1, -1, -1 },
                 .add_bos = -1,
                 .add_eos = -1,
                 .prefix  = -1,
                 .squeeze = -1 };
    if (bytes < 24 || memcmp(data, "GGUF", 4) != 0)
        TL_FAIL(TL_EDATA, path, "not a GGUF file (fetch it again)");
    r.at += 4;
    const uint64_t version = number(&r, 4);
    if (version != 2 && version != 3)
        TL_FAIL(TL_EDATA, path, "GGUF version %" PRIu64 " (2 and 3 are read)", version);
    number(&r, 8);
    const uint64_t pairs = number(&r, 8);
    for (uint64_t i = 0; i < pairs && !r.bad; i++) read_pair(&r, k);
    if (r.bad) TL_FAIL(TL_EDATA, path, "GGUF keys are cut short (fetch the file again)");
    k->end = r.at;
    if (!k->tokens.at || !k->kind.bytes)
        TL_FAIL(TL_EDATA, path, "holds no vocabulary (use the model's tokenizer.json)");
done:
    return rc;
}

/* Tokens with their scores and types; the lists are as long as they say, checked before. */
static tl_status read_pieces(tl_ctx *ctx, const keys *k, tl_pieces_file *f)
{
    reader    r = { k->tokens.at, k->end, false };
    reader    s = { k->scores.at, k->end, false }, y = { k->types.at, k->end, false };
    tl_status rc = TL_OK;

    for (uint64_t i = 0; i < k->tokens.count; i++) {
        tl_scored p = { string(&r), 0.0f, TL_PIECE_NORMAL };
        if (i < k->scores.count) {
            const uint32_t bits = (uint32_t)number(&s, 4);
            memcpy(&p.score, &bits, sizeof p.score);
        }
        if (i < k->types.count) p.type = (uint8_t)number(&y, 4);
        f->fallback |= p.type == TL_PIECE_BYTE;
        TL_TRY(tl_scored_add(ctx, f, p));
    }
    f->bos = k->id[0];
    f->eos = k->id[1];
    f->unk = k->id[2];
    f->pad = k->id[3];
    if (k->charsmap.at)
        f->charsmap = (tl_string){ (const char *)k->charsmap.at, k->charsmap.count };
done:
    return rc;
}

#define SPLIT(pattern)                                                                   \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern                              \
    "\"},\"behavior\":\"Isolated\"},"
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SEQUENCE(steps) "{\"type\":\"Sequence\",\"pretokenizers\":[" steps BYTES "]}"
#define WORDS(numbers)                                                                   \
    SPLIT("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{"  \
          "N}" numbers "| "                                                              \
          "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|"                 \
          "\\\\s+(?!\\\\S)|\\\\s+")
static const char gpt2_words[] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}";
static const struct {
    const char *name, *json;
    bool        whole_first;
} pre[] = {
    { "default", gpt2_words, false },
    { "gpt-2", gpt2_words, false },
    { "llama-bpe", SEQUENCE(WORDS("{1,3}")), true },
    { "qwen2", SEQUENCE(WORDS("")), false },
    { "deepseek-coder",
      SEQUENCE(SPLIT("[\\\\r\\\\n]") SPLIT("\\\\s?\\\\p{L}+") SPLIT("\\\\s?\\\\p{P}+")
                   SPLIT("[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-"
                         "\\ud7ff]+") "{\"type\":\"Digits\","
                                      "\"individual_digits\":true},"),
      false },
    { "starcoder",
      SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":true},"
               "{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"),
      false },
};

static tl_status add_tokens(tl_ctx *ctx, const char *path, const tl_pieces_file *f,
                            tl_tokenizer *t)
{
    tl_status rc = TL_OK;

    for (size_t i = 0; i < f->count; i++)
        TL_TRY(tl_vocab_add(ctx, path, &t->vocab, f->at[i].text.text, f->at[i].text.bytes,
                            (int64_t)i));
done:
    return rc;
}

static tl_status load_bpe(tl_ctx *ctx, const char *path, const keys *k,
                          const tl_pieces_file *f, tl_tokenizer *t)
{
    reader    r    = { k->merges.at, k->end, false };
    tl_text   both = tl_text_make(ctx);
    size_t    way  = 0;
    tl_bpe   *b;
    tl_status rc;

    while (way < TL_COUNT(pre) && !is(k->pre, pre[way].name)) way++;
    if (way == TL_COUNT(pre))
        TL_FAIL(
            TL_EDATA, path,
            "the pre-tokenizer \"%.*s\" is not known (use the model's tokenizer.json)",
            (int)TL_MIN(k->pre.bytes, (size_t)60), k->pre.text);
    TL_TRY(tl_model_take(ctx, t, &tl_model_bpe, &b));
    b->vocab       = &t->vocab;
    b->unknown     = -1;
    b->whole_first = pre[way].whole_first;
    TL_TRY(add_tokens(ctx, path, f, t));
    tl_bpe_ready(b, false);
    for (uint64_t i = 0; i < k->merges.count; i++)
        TL_TRY(tl_bpe_line(ctx, path, b, string(&r), (uint32_t)i, &both));
    TL_TRY(tl_steps_parse(ctx, path, TL_PRE_TOKENIZER, pre[way].json, &t->pre_tokenizer));
    TL_TRY(
        tl_steps_parse(ctx, path, TL_DECODER, "{\"type\":\"ByteLevel\"}", &t->decoder));
done:
    tl_text_free(&both);
    return rc;
}

/* In GGUF a word's first piece has the blank's sign, the others lost their "##". */
static tl_status load_bert(tl_ctx *ctx, const char *path, const tl_pieces_file *f,
                           tl_tokenizer *t)
{
    json_t   *vocab = json_object(), *value;
    tl_text   text  = tl_text_make(ctx);
    int64_t   cls = -1, sep = -1;
    tl_status rc = TL_OK;

    value = json_pack("{s:{s:s},s:{s:s},s:{s:s},s:{s:s,s:O}}", "normalizer", "type",
                      "BertNormalizer", "pre_tokenizer", "type", "BertPreTokenizer",
                      "decoder", "type", "WordPiece", "model", "type", "WordPiece",
                      "vocab", vocab);
    for (size_t i = 0; i < f->count; i++) {
        const tl_string s = f->at[i].text;
        if (is(s, "[CLS]")) cls = (int64_t)i;
        if (is(s, "[SEP]")) sep = (int64_t)i;
        const bool plain = f->at[i].type == TL_PIECE_NORMAL;
        const bool first = s.bytes >= 3 && !memcmp(s.text, "\xe2\x96\x81", 3);
        text.bytes       = 0;
        if (plain && !first) tl_text_add(&text, "##");
        tl_text_add_bytes(&text, s.text + (plain && first ? 3 : 0),
                          s.bytes - (plain && first ? 3 : 0));
        TL_TRY(text.status);
        if (json_object_setn_new(vocab, text.text, text.bytes,
                                 json_integer((json_int_t)i)) != 0)
            TL_FAIL(TL_EDATA, path, "token %zu is no UTF-8 (fetch the file again)", i);
    }
    if (cls >= 0 && sep >= 0)
        json_object_set_new(value, "post_processor",
                            json_pack("{s:s,s:[sI],s:[sI]}", "type", "BertProcessing",
                                      "sep", "[SEP]", (json_int_t)sep, "cls", "[CLS]",
                                      (json_int_t)cls));
    TL_TRY(tl_tokenizer_from_json(ctx, path, value, t));
done:
    json_decref(vocab);
    json_decref(value);
    tl_text_free(&text);
    return rc;
}

static tl_status load_kind(tl_ctx *ctx, const char *path, const keys *k,
                           tl_pieces_file *f, tl_tokenizer *t)
{
    const bool spm = is(k->kind, "llama"), t5 = is(k->kind, "t5"),
               bert = is(k->kind, "bert");
    tl_status rc    = TL_OK;

    f->add_bos = k->add_bos < 0 ? spm : k->add_bos > 0;
    f->add_eos = k->add_eos < 0 ? t5 : k->add_eos > 0;
    if (spm || t5) {
        f->unigram = t5;
        f->prefix  = k->prefix != 0;
        f->squeeze = k->squeeze < 0 ? t5 : k->squeeze > 0;
        return tl_pieces_load(ctx, path, f, t);
    }
    if (!bert && !is(k->kind, "gpt2"))
        TL_FAIL(TL_EDATA, path,
                "the vocabulary \"%.*s\" is not known (llama, gpt2, bert and t5 are)",
                (int)TL_MIN(k->kind.bytes, (size_t)60), k->kind.text);
    if (bert)
        TL_TRY(load_bert(ctx, path, f, t));
    else
        TL_TRY(load_bpe(ctx, path, k, f, t));
    TL_TRY(tl_pieces_added(ctx, path, f, t));
    if (!bert) TL_TRY(tl_pieces_frame(ctx, path, f, t));
done:
    return rc;
}

static tl_status load(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    tl_map         map = { 0 };
    tl_pieces_file f   = { 0 };
    keys           k;
    tl_status      rc;

    TL_TRY(tl_map_open(ctx, path, &map));
    TL_TRY(read_keys(ctx, path, map.data, map.bytes, &k));
    if (t->hashing) tl_hash_add(t->hashing, map.data, (size_t)(k.end - map.data));
    TL_TRY(read_pieces(ctx, &k, &f));
    TL_TRY(load_kind(ctx, path, &k, &f, t));
done:
    tl_free(ctx, f.at);
    tl_map_close(ctx, &map);
    return rc;
}

const tl_tokenizer_file tl_tokenizer_file_gguf = {
    .name   = "NAME.gguf",
    .doc    = "the vocabulary inside a GGUF file",
    .ending = { ".gguf" },
    .load   = load
};
