/* texter.c -- see texter.h.  Floor 2, data. */
#include "data/texts/texter.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 256 << 20, MOST_TOKENS = 1 << 20 };

/* What a Hugging Face directory keeps of its tokenizer, and our own. */
static const char *const file_names[] = {
    "tokenizer.json",     "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",  "vocab.txt",             "vocab.json",
    "merges.txt",         "tokenizer.model",       "spiece.model",
    "chat_template.jinja", "tokenizer.bin",         "generation_config.json",
    "words.json",
};
static const char words_file[] = "words.json";

static tl_status add_file(tl_ctx *ctx, tl_texter *t, const char *name, uint8_t **data,
                          size_t bytes)
{
    tl_status rc;

    TL_TRY(tl_realloc(ctx, (t->files + 1) * sizeof *t->file, &t->file));
    t->file[t->files] = (tl_text_file){ 0 };
    TL_TRY(tl_strdup(ctx, name, &t->file[t->files].name));
    t->file[t->files].data    = *data;
    t->file[t->files++].bytes = bytes;
    *data                     = NULL;
done:
    return rc;
}

static tl_status read_files(tl_ctx *ctx, const char *folder, tl_texter *t)
{
    char     *path = NULL;
    uint8_t  *data = NULL;
    size_t    bytes;
    tl_hash  *hash = NULL;
    tl_status rc;

    for (size_t i = 0; i < TL_COUNT(file_names); i++) {
        tl_free(ctx, path);
        TL_TRY(tl_path_join(ctx, folder, file_names[i], &path));
        if (!tl_exists(path)) continue;
        TL_TRY(tl_file_read(ctx, path, FILE_MOST, &data, &bytes));
        TL_TRY(add_file(ctx, t, file_names[i], &data, bytes));
    }
    tl_free(ctx, path);
    TL_TRY(tl_tokenizer_sized(ctx, folder, &path));
    if (path && strcmp(tl_path_name(path), "tokenizer.bin") != 0) {
        TL_TRY(tl_file_read(ctx, path, FILE_MOST, &data, &bytes));
        TL_TRY(add_file(ctx, t, "tokenizer.bin", &data, bytes));
    }
    TL_TRY(tl_hash_new(ctx, &hash));
    for (size_t i = 0; i < t->files; i++) {
        tl_hash_add(hash, t->file[i].name, strlen(t->file[i].name) + 1);
        tl_hash_add(hash, t->file[i].data, t->file[i].bytes);
    }
    tl_hash_end(ctx, hash, t->sha256);
done:
    tl_free(ctx, path);
    tl_free(ctx, data);
    return rc;
}

static tl_status read_words(tl_ctx *ctx, const char *path, tl_texter *t)
{
    json_t   *value = NULL;
    tl_status rc;

    TL_TRY(tl_json_read(ctx, path, FILE_MOST, &value));
    TL_TRY(tl_lexicon_from_json(ctx, path, value, &t->words));
    t->weighs = true;
    t->size   = t->words.vocab.size;
done:
    json_decref(value);
    return rc;
}

tl_status tl_texter_open(tl_ctx *ctx, const char *folder, int64_t most, tl_texter **out)
{
    tl_texter *t    = NULL;
    char      *path = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *t, &t));
    atomic_store(&t->holders, 1);
    t->most = most;
    TL_TRY(tl_path_join(ctx, folder, words_file, &path));
    if (tl_exists(path)) {
        TL_TRY(read_words(ctx, path, t));
    } else {
        if (!tl_tokenizer_in(folder))
            TL_FAIL(TL_EDATA, folder, "has no tokenizer (put its tokenizer.json, vocab.txt or "
                    "tokenizer.model beside the weights)");
        TL_TRY(tl_tokenizer_open(ctx, folder, &t->tokenizer));
        t->size = tl_tokenizer_size(t->tokenizer);
    }
    TL_TRY(read_files(ctx, folder, t));
    *out = t;
    t    = NULL;
done:
    tl_free(ctx, path);
    tl_texter_drop(ctx, t);
    return rc;
}

tl_status tl_texter_new(tl_ctx *ctx, const tl_text_columns *columns, bool weighs,
                        tl_training_kind how, int64_t size, int64_t most, tl_texter **out)
{
    tl_texter *t = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *t, &t));
    atomic_store(&t->holders, 1);
    t->weighs = weighs;
    t->learns = true;
    t->how    = how;
    t->size   = size;
    t->most   = most;
    TL_TRY(tl_text_columns_copy(ctx, columns, &t->columns));
    *out = t;
    t    = NULL;
done:
    tl_texter_drop(ctx, t);
    return rc;
}

/* A new folder under TMPDIR. */
static tl_status own_folder(tl_ctx *ctx, char **out)
{
    const char *place = getenv("TMPDIR");
    tl_status   rc    = tl_path_join(ctx, place && *place ? place : "/tmp", "tailor-XXXXXX", out);

    if (rc == TL_OK && !mkdtemp(*out)) {
        rc = tl_fail(ctx, TL_EIO, *out, "no folder can be made there (set TMPDIR)");
        tl_free(ctx, *out);
        *out = NULL;
    }
    return rc;
}

tl_status tl_texter_take_columns(tl_ctx *ctx, tl_texter *t, const tl_text_columns *columns)
{
    tl_text_columns c;
    const tl_status rc = tl_text_columns_copy(ctx, columns, &c);

    if (rc != TL_OK) return rc;
    tl_text_columns_free(ctx, &t->columns);
    t->columns = c;
    return TL_OK;
}

static const char *const piece_specials[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
static const char *const bpe_specials[]   = { "<s>", "<pad>", "</s>", "<unk>", "<mask>" };

/* What Transformers needs to know beside tokenizer.json. */
static json_t *tokenizer_config(const tl_texter *like)
{
    const bool    bpe  = like->how != TL_TRAIN_WORD_PIECE;
    const int64_t most = like->most;

    if (like->goes_on)
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "tokenizer_class",
                         "PreTrainedTokenizerFast", "pad_token", bpe ? "<pad>" : "[PAD]",
                         "unk_token", bpe ? "<unk>" : "[UNK]", "bos_token",
                         bpe ? "</s>" : "[SEP]", "eos_token", bpe ? "</s>" : "[SEP]",
                         "model_max_length", (json_int_t)most);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "tokenizer_class",
                     "PreTrainedTokenizerFast", "pad_token", bpe ? "<pad>" : "[PAD]",
                     "unk_token", bpe ? "<unk>" : "[UNK]", "cls_token", bpe ? "<s>" : "[CLS]",
                     "sep_token", bpe ? "</s>" : "[SEP]", "mask_token",
                     bpe ? "<mask>" : "[MASK]", "model_max_length", (json_int_t)most);
}

/* first ... last, and first ... last ... last of pairs, as BERT frames its texts. */
static json_t *frame(tl_training_kind how)
{
    const bool  bpe   = how != TL_TRAIN_WORD_PIECE;
    const char *first = bpe ? "<s>" : "[CLS]", *last = bpe ? "</s>" : "[SEP]";
    const int   one = bpe ? 0 : 2, end = bpe ? 2 : 3, second = bpe ? 0 : 1;

    return json_pack("{s:s, s:[{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}}], "
                     "s:[{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}}], "
                     "s:{s:{s:s,s:[i],s:[s]},s:{s:s,s:[i],s:[s]}}}",
                     "type", "TemplateProcessing", "single", "SpecialToken", "id", first,
                     "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", last,
                     "type_id", 0, "pair", "SpecialToken", "id", first, "type_id", 0, "Sequence",
                     "id", "A", "type_id", 0, "SpecialToken", "id", last, "type_id", 0,
                     "Sequence", "id", "B", "type_id", second, "SpecialToken", "id", last,
                     "type_id", second, "special_tokens", first, "id", first, "ids", one,
                     "tokens", first, last, "id", last, "ids", end, "tokens", last);
}

static tl_status write_tokenizer(tl_ctx *ctx, const tl_texter *like, const tl_string *text,
                                 int64_t count, const char *folder)
{
    const bool        bpe = like->how != TL_TRAIN_WORD_PIECE;
    const tl_training how = { .kind     = like->how,
                              .size     = (int32_t)like->size,
                              .special  = bpe ? bpe_specials : piece_specials,
                              .specials = TL_COUNT(piece_specials),
                              .least    = 2 };
    char             *path = NULL, *beside = NULL;
    json_t           *value = NULL, *config = tokenizer_config(like);
    tl_status         rc;

    TL_TRY(tl_path_join(ctx, folder, "tokenizer.json", &path));
    TL_TRY(tl_path_join(ctx, folder, "tokenizer_config.json", &beside));
    TL_TRY(tl_tokenizer_train(ctx, &how, text, count, path));
    TL_TRY(tl_json_read(ctx, path, FILE_MOST, &value));
    if (!like->goes_on) json_object_set_new(value, "post_processor", frame(like->how));
    TL_TRY(tl_json_write(ctx, path, value));
    TL_TRY(tl_json_write(ctx, beside, config));
done:
    json_decref(value);
    json_decref(config);
    tl_free(ctx, path);
    tl_free(ctx, beside);
    return rc;
}

/* Pairs are texts, too. */
static tl_status learn_tokens(tl_ctx *ctx, const tl_texter *like, const tl_string *text,
                              const tl_string *pair, int64_t count, const char *folder)
{
    tl_string *both = NULL;
    tl_status rc;

    if (!pair) return write_tokenizer(ctx, like, text, count, folder);
    TL_TRY(tl_alloc_array(ctx, (size_t)count, 2 * sizeof *both, &both));
    for (int64_t i = 0; i < count; i++) both[2 * i] = text[i], both[2 * i + 1] = pair[i];
    TL_TRY(write_tokenizer(ctx, like, both, 2 * count, folder));
done:
    tl_free(ctx, both);
    return rc;
}

static tl_status learn_words(tl_ctx *ctx, const tl_string *text, const tl_string *pair,
                             int64_t count, int64_t most, const char *folder)
{
    tl_lexicon  w     = { 0 };
    char     *path  = NULL;
    json_t   *value = NULL;
    tl_status rc;

    TL_TRY(tl_lexicon_learn(ctx, text, pair, count, most, &w));
    TL_TRY(tl_path_join(ctx, folder, words_file, &path));
    value = tl_lexicon_to_json(&w);
    if (!value) TL_FAIL(TL_ENOMEM, path, "no room for the words (free memory)");
    TL_TRY(tl_json_write_exact(ctx, path, value));
done:
    json_decref(value);
    tl_free(ctx, path);
    tl_lexicon_free(ctx, &w);
    return rc;
}

/* What was written into `folder`, for texts of `like`'s columns. */
static tl_status open_like(tl_ctx *ctx, const char *folder, const tl_texter *like, int64_t most,
                           tl_texter **out)
{
    tl_texter *t = NULL;
    tl_status  rc;

    TL_TRY(tl_texter_open(ctx, folder, most, &t));
    TL_TRY(tl_text_columns_copy(ctx, &like->columns, &t->columns));
    *out = t;
    t    = NULL;
done:
    tl_texter_drop(ctx, t);
    return rc;
}

tl_status tl_texter_learn(tl_ctx *ctx, const tl_texter *like, const tl_string *text,
                          const tl_string *pair, int64_t count, tl_texter **out)
{
    char     *folder = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(own_folder(ctx, &folder));
    TL_TRY(like->weighs ? learn_words(ctx, text, pair, count, like->size, folder)
                        : learn_tokens(ctx, like, text, pair, count, folder));
    TL_TRY(open_like(ctx, folder, like, like->most, out));
done:
    if (folder) tl_remove_tree(ctx, folder);
    tl_free(ctx, folder);
    return rc;
}

tl_status tl_texter_shorter(tl_ctx *ctx, const tl_texter *like, int64_t most, tl_texter **out)
{
    char     *folder = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(own_folder(ctx, &folder));
    TL_TRY(tl_texter_save(ctx, like, folder));
    TL_TRY(open_like(ctx, folder, like, most, out));
done:
    if (folder) tl_remove_tree(ctx, folder);
    tl_free(ctx, folder);
    return rc;
}

tl_texter *tl_texter_hold(tl_texter *t)
{
    if (t) atomic_fetch_add(&t->holders, 1);
    return t;
}

void tl_texter_drop(tl_ctx *ctx, tl_texter *t)
{
    if (!t || atomic_fetch_sub(&t->holders, 1) > 1) return;
    for (size_t i = 0; i < t->files; i++) {
        tl_free(ctx, t->file[i].name);
        tl_free(ctx, t->file[i].data);
    }
    tl_free(ctx, t->file);
    tl_lexicon_free(ctx, &t->words);
    tl_tokenizer_close(ctx, t->tokenizer);
    tl_text_columns_free(ctx, &t->columns);
    tl_free(ctx, t);
}

tl_status tl_texter_add_file(tl_ctx *ctx, tl_texter *t, const char *name, const char *text)
{
    const size_t bytes = strlen(text);
    uint8_t     *data  = NULL;
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, bytes + 1, &data));
    memcpy(data, text, bytes);
    TL_TRY(add_file(ctx, t, name, &data, bytes));
done:
    tl_free(ctx, data);
    return rc;
}

tl_status tl_texter_save(tl_ctx *ctx, const tl_texter *t, const char *folder)
{
    char     *path = NULL;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < t->files; i++) {
        tl_free(ctx, path);
        TL_TRY(tl_path_join(ctx, folder, t->file[i].name, &path));
        TL_TRY(tl_file_write(ctx, path, t->file[i].data, t->file[i].bytes));
    }
done:
    tl_free(ctx, path);
    return rc;
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : NULL;

    return value ? value : json_null();
}

json_t *tl_texter_to_json(const tl_texter *t)
{
    static const char *const kinds[] = { [TL_TRAIN_BPE]        = "bpe",
                                         [TL_TRAIN_WORD_PIECE] = "wordpiece",
                                         [TL_TRAIN_CHARS]      = "chars" };
    const bool               learns  = t->learns;

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "task",
                     t->columns.task ? t->columns.task->name : tl_task_text_classification.name,
                     "kind",
                     t->weighs ? "words" : "tokens", "text", text_or_null(t->columns.name[0]),
                     "text_b", text_or_null(t->columns.name[1]), "label",
                     text_or_null(t->columns.label), "most", (json_int_t)t->most, "size",
                     (json_int_t)t->size, "learns",
                     text_or_null(!learns                   ? NULL
                                  : t->weighs               ? "words"
                                                            : kinds[t->how]),
                     "sha256", text_or_null(learns ? NULL : t->sha256));
}

static tl_status take_name(tl_ctx *ctx, const json_t *value, const char *key, char **out)
{
    const char *text = tl_json_text(value, key, NULL);

    tl_free(ctx, *out);
    *out = NULL;
    return text ? tl_strdup(ctx, text, out) : TL_OK;
}

tl_status tl_texter_take_json(tl_ctx *ctx, const char *where, const json_t *value,
                              tl_texter *t)
{
    const int64_t most = tl_json_int(value, "most", t->most);
    tl_status     rc;

    if (most < 1 || most > MOST_TOKENS)
        TL_FAIL(TL_EDATA, where, "rows of %" PRId64 " tokens are not possible (copy the model "
                "again)", most);
    t->most         = most;
    t->columns.task = tl_task_find(tl_json_text(value, "task", tl_task_text_classification.name));
    if (!t->columns.task || !t->columns.task->text)
        TL_FAIL(TL_EDATA, where, "its task is none of texts (copy the model again)");
    TL_TRY(take_name(ctx, value, "text", &t->columns.name[0]));
    TL_TRY(take_name(ctx, value, "text_b", &t->columns.name[1]));
    TL_TRY(take_name(ctx, value, "label", &t->columns.label));
done:
    return rc;
}
