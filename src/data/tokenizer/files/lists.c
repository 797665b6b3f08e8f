/* lists.c -- the older files: BERT's vocab.txt, GPT-2's vocab.json with merges.txt.  What
 * stands around the model follows tokenizer_config.json beside them.
 * Source: huggingface/transformers, convert_slow_tokenizer.py.  Floor 2, data. */
#include "core/io.h"
#include "data/tokenizer/files.h"
#include "data/tokenizer/models/bpe.h"
#include "data/tokenizer/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tl_status add_line(tl_ctx *ctx, const char *path, json_t *vocab, const char *line,
                          size_t bytes, size_t number)
{
    char   at[480];
    size_t bad;

    snprintf(at, sizeof at, "%.400s:%zu", path, number);
    if (memchr(line, 0, bytes) || tl_utf8_valid(line, bytes, &bad) < bytes)
        return tl_fail(ctx, TL_EDATA, at,
                       "a token is no UTF-8 text (fetch the file again)");
    if (json_object_setn_new(vocab, line, bytes,
                             json_integer((json_int_t)(number - 1))) == 0)
        return TL_OK;
    return tl_fail(ctx, TL_ENOMEM, at, "no room for the vocabulary (free memory)");
}

/* One token a line, ids from 0. */
static tl_status read_lines(tl_ctx *ctx, const char *path, const uint8_t *data,
                            size_t bytes, json_t *vocab)
{
    const char *at = (const char *)data, *end = at + bytes;
    tl_status   rc = TL_OK;

    for (size_t number = 1; at < end; number++) {
        const char  *stop = memchr(at, '\n', (size_t)(end - at));
        size_t       n    = (size_t)((stop ? stop : end) - at);
        const size_t step = n + 1;
        if (n && at[n - 1] == '\r') n--;
        TL_TRY(add_line(ctx, path, vocab, at, n, number));
        at += step;
        if (!stop) break;
    }
done:
    return rc;
}

static const char *const bert_special[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                            "[MASK]" };

static tl_status word_list_value(tl_ctx *ctx, const char *path, json_t *vocab,
                                 const json_t *config, json_t **out)
{
    const bool lower = tl_json_bool(config, "do_lower_case", true);
    json_t *cls = json_object_get(vocab, "[CLS]"), *sep = json_object_get(vocab, "[SEP]");
    json_t *value = json_pack(
        "{s:{s:s,s:b,s:b,s:b,s:b},s:{s:s},s:{s:s,s:O,s:s},s:{s:s,s:s},s:[]}",
        "normalizer", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars",
        (int)tl_json_bool(config, "tokenize_chinese_chars", true), "strip_accents",
        (int)tl_json_bool(config, "strip_accents", lower), "lowercase", (int)lower,
        "pre_tokenizer", "type", "BertPreTokenizer", "model", "type", "WordPiece",
        "vocab", vocab, "unk_token", tl_json_text(config, "unk_token", "[UNK]"),
        "decoder", "type", "WordPiece", "prefix", "##", "added_tokens");

    *out = value;
    if (!value)
        return tl_fail(ctx, TL_ENOMEM, path, "no room for the vocabulary (free memory)");
    for (size_t i = 0; i < TL_COUNT(bert_special); i++) {
        json_t *id = json_object_get(vocab, bert_special[i]);
        if (id)
            json_array_append_new(json_object_get(value, "added_tokens"),
                                  json_pack("{s:O,s:s,s:b,s:b}", "id", id, "content",
                                            bert_special[i], "special", 1, "normalized",
                                            0));
    }
    if (cls && sep)
        json_object_set_new(value, "post_processor",
                            json_pack("{s:s,s:[sO],s:[sO]}", "type", "BertProcessing",
                                      "sep", "[SEP]", sep, "cls", "[CLS]", cls));
    return TL_OK;
}

static tl_status word_list_load(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    uint8_t  *data   = NULL;
    json_t   *config = NULL, *value = NULL, *vocab = json_object();
    size_t    bytes;
    tl_status rc;

    TL_TRY(tl_tokenizer_read(ctx, t, path, &data, &bytes));
    TL_TRY(tl_tokenizer_beside(ctx, t, path, "tokenizer_config.json", &config));
    TL_TRY(read_lines(ctx, path, data, bytes, vocab));
    TL_TRY(word_list_value(ctx, path, vocab, config, &value));
    TL_TRY(tl_tokenizer_from_json(ctx, path, value, t));
    TL_TRY(tl_roles_load(ctx, path, t));
done:
    json_decref(vocab);
    json_decref(config);
    json_decref(value);
    tl_free(ctx, data);
    return rc;
}

static tl_status read_merges(tl_ctx *ctx, const char *path, const uint8_t *data,
                             size_t bytes, tl_bpe *b)
{
    tl_text     both = tl_text_make(ctx);
    const char *at = (const char *)data, *end = at + bytes;
    uint32_t    rank = 0;
    tl_status   rc   = TL_OK;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t      n    = (size_t)((stop ? stop : end) - at);
        const char *line = at;
        at += n + 1;
        if (n && line[n - 1] == '\r') n--;
        if (!n || (n >= 8 && !memcmp(line, "#version", 8))) continue;
        TL_TRY(tl_bpe_line(ctx, path, b, (tl_string){ line, n }, rank++, &both));
    }
done:
    tl_text_free(&both);
    return rc;
}

/* The names under which vocab.json and merges.txt go; OpenAI's and Hugging Face's. */
static tl_status merges_path(tl_ctx *ctx, const char *vocab, char **out)
{
    static const char *const name[] = { "merges.txt", "vocab.bpe" };
    const char              *slash  = strrchr(vocab, '/');
    tl_text                  folder = tl_text_make(ctx);
    tl_status                rc;

    *out = NULL;
    tl_text_add_bytes(&folder, slash ? vocab : ".",
                      slash ? (size_t)(slash - vocab) + 1 : 1);
    TL_TRY(folder.status);
    for (size_t i = 0; i < TL_COUNT(name); i++) {
        TL_TRY(tl_path_join(ctx, folder.text, name[i], out));
        if (tl_exists(*out)) break;
        if (i + 1 == TL_COUNT(name))
            TL_FAIL(TL_EDATA, vocab, "no merges.txt beside it (fetch it, too)");
        tl_free(ctx, *out);
        *out = NULL;
    }
done:
    tl_text_free(&folder);
    return rc;
}

static const char qwen2[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* What stands around GPT-2's, RoBERTa's and Qwen2's model, by the class the config names. */
static json_t *pair_value(const json_t *config, const tl_vocab *v)
{
    const char *class = tl_json_text(config, "tokenizer_class", "GPT2Tokenizer");
    const int  prefix = tl_json_bool(config, "add_prefix_space", false);
    const bool roberta =
        !strncmp(class, "Roberta", 7) || !strncmp(class, "Longformer", 10);
    const int32_t cls = tl_vocab_find(v, "<s>", 3), sep = tl_vocab_find(v, "</s>", 4);
    json_t *bytes = json_pack("{s:s,s:b,s:b}", "type", "ByteLevel", "add_prefix_space",
                              prefix, "trim_offsets", roberta ? 1 : 0);
    json_t *value = json_pack("{s:O,s:O,s:O}", "pre_tokenizer", bytes, "decoder", bytes,
                              "post_processor", bytes);

    json_decref(bytes);
    if (roberta && cls >= 0 && sep >= 0)
        json_object_set_new(value, "post_processor",
                            json_pack("{s:s,s:[si],s:[si],s:b,s:b}", "type",
                                      "RobertaProcessing", "sep", "</s>", sep, "cls",
                                      "<s>", cls, "trim_offsets", 1, "add_prefix_space",
                                      prefix));
    if (!strncmp(class, "Qwen2", 5)) {
        json_object_set_new(value, "normalizer", json_pack("{s:s}", "type", "NFC"));
        json_object_set_new(value, "pre_tokenizer",
                            json_pack("{s:s,s:[{s:s,s:{s:s},s:s},{s:s,s:b,s:b}]}", "type",
                                      "Sequence", "pretokenizers", "type", "Split",
                                      "pattern", "Regex", qwen2, "behavior", "Isolated",
                                      "type", "ByteLevel", "add_prefix_space", 0,
                                      "use_regex", 0));
    }
    return value;
}

static tl_status pair_around(tl_ctx *ctx, const char *path, const json_t *config,
                             tl_tokenizer *t)
{
    json_t   *value = pair_value(config, &t->vocab);
    char     *text  = value ? json_dumps(value, 0) : NULL;
    tl_status rc    = text ? tl_tokenizer_around(ctx, path, text, t)
                           : tl_fail(ctx, TL_ENOMEM, path, "no room (free memory)");

    free(text);
    json_decref(value);
    return rc;
}

static tl_status pair_load(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    uint8_t  *data = NULL, *merges = NULL;
    char     *beside = NULL;
    json_t   *vocab = NULL, *config = NULL;
    tl_bpe   *b;
    size_t    bytes;
    tl_status rc;

    TL_TRY(tl_tokenizer_read(ctx, t, path, &data, &bytes));
    TL_TRY(tl_json_parse(ctx, path, (const char *)data, bytes, &vocab));
    TL_TRY(merges_path(ctx, path, &beside));
    TL_TRY(tl_tokenizer_read(ctx, t, beside, &merges, &bytes));
    TL_TRY(tl_tokenizer_beside(ctx, t, path, "tokenizer_config.json", &config));
    TL_TRY(tl_model_take(ctx, t, &tl_model_bpe, &b));
    b->vocab   = &t->vocab;
    b->unknown = -1;
    TL_TRY(tl_vocab_load(ctx, path, vocab, &t->vocab));
    tl_bpe_ready(b, false);
    TL_TRY(read_merges(ctx, beside, merges, bytes, b));
    TL_TRY(pair_around(ctx, path, config, t));
    TL_TRY(tl_roles_load(ctx, path, t));
done:
    json_decref(vocab);
    json_decref(config);
    tl_free(ctx, data);
    tl_free(ctx, merges);
    tl_free(ctx, beside);
    return rc;
}

const tl_tokenizer_file tl_tokenizer_file_word_list = {
    .name   = "vocab.txt",
    .doc    = "BERT's word pieces, one a line",
    .file   = { "vocab.txt" },
    .ending = { ".txt" },
    .load   = word_list_load
};
const tl_tokenizer_file tl_tokenizer_file_bpe_pair = {
    .name = "vocab.json",
    .doc  = "GPT-2's vocabulary with its merges.txt",
    .file = { "vocab.json", "encoder.json" },
    .load = pair_load
};
