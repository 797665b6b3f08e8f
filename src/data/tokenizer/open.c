/* open.c -- a tokenizer from a folder or a file, and what is asked of it.  Floor 2, data. */
#include "core/io.h"
#include "data/tokenizer/files.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

enum { FILE_MOST = 256 << 20, BLANKS_MOST = 255 };

#define TL_ROW(name) extern const tl_tokenizer_file tl_tokenizer_file_##name;
#include "data/tokenizer/files.def"
#undef TL_ROW
#define TL_ROW(name) &tl_tokenizer_file_##name,
static const tl_tokenizer_file *const files[] = {
#include "data/tokenizer/files.def"
};
#undef TL_ROW

const tl_tokenizer_file *tl_tokenizer_file_at(size_t i)
{
    return i < TL_COUNT(files) ? files[i] : NULL;
}

tl_status tl_tokenizer_read(tl_ctx *ctx, tl_tokenizer *t, const char *path,
                            uint8_t **data, size_t *bytes)
{
    const tl_status rc = tl_file_read(ctx, path, FILE_MOST, data, bytes);

    if (rc == TL_OK && t->hashing) tl_hash_add(t->hashing, *data, *bytes);
    return rc;
}

tl_status tl_tokenizer_beside(tl_ctx *ctx, tl_tokenizer *t, const char *path,
                              const char *name, json_t **out)
{
    const char *slash = strrchr(path, '/');
    tl_text     at    = tl_text_make(ctx);
    uint8_t    *data  = NULL;
    size_t      bytes;
    tl_status   rc;

    *out = NULL;
    if (slash) tl_text_add_bytes(&at, path, (size_t)(slash - path) + 1);
    tl_text_add(&at, name);
    TL_TRY(at.status);
    if (!tl_exists(at.text)) goto done;
    TL_TRY(tl_tokenizer_read(ctx, t, at.text, &data, &bytes));
    TL_TRY(tl_json_parse(ctx, at.text, (const char *)data, bytes, out));
done:
    tl_free(ctx, data);
    tl_text_free(&at);
    return rc;
}

tl_status tl_tokenizer_sized(tl_ctx *ctx, const char *folder, char **path)
{
    tl_names    names = { 0 };
    const char *only  = NULL;
    size_t      count = 0;
    tl_status   rc;

    *path = NULL;
    if (!tl_is_folder(folder)) return TL_OK;
    TL_TRY(tl_folder_list(ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++)
        if (strncmp(names.name[i], "tok", 3) == 0 && tl_ends_with(names.name[i], ".bin"))
            only = names.name[i], count++;
    if (count == 1) TL_TRY(tl_path_join(ctx, folder, only, path));
done:
    tl_names_free(ctx, &names);
    return rc;
}

/* The first file of the list that a folder holds, and where; *path NULL: none. */
static tl_status find_in(tl_ctx *ctx, const char *folder, const tl_tokenizer_file **file,
                         char **path)
{
    tl_status rc = TL_OK;

    *path = NULL;
    for (size_t i = 0; i < TL_COUNT(files); i++)
        for (size_t k = 0; k < TL_COUNT(files[i]->file) && files[i]->file[k]; k++) {
            TL_TRY(tl_path_join(ctx, folder, files[i]->file[k], path));
            *file = files[i];
            if (tl_exists(*path)) return TL_OK;
            tl_free(ctx, *path);
            *path = NULL;
        }
    TL_TRY(tl_tokenizer_sized(ctx, folder, path));
    *file = &tl_tokenizer_file_llama2c;
done:
    return rc;
}

bool tl_tokenizer_in(const char *folder)
{
    tl_world                 world;
    tl_ctx                   ctx;
    const tl_tokenizer_file *file;
    char                    *path = NULL;

    tl_world_init(&world);
    ctx              = tl_ctx_make(&world);
    const bool found = find_in(&ctx, folder, &file, &path) == TL_OK && path;
    tl_free(&ctx, path);
    return found;
}

static const tl_tokenizer_file *file_named(const char *path)
{
    const char *name = tl_path_name(path);

    for (size_t i = 0; i < TL_COUNT(files); i++)
        for (size_t k = 0; k < TL_COUNT(files[i]->file) && files[i]->file[k]; k++)
            if (strcmp(files[i]->file[k], name) == 0) return files[i];
    for (size_t i = 0; i < TL_COUNT(files); i++)
        for (size_t k = 0; k < TL_COUNT(files[i]->ending) && files[i]->ending[k]; k++)
            if (tl_ends_with(name, files[i]->ending[k])) return files[i];
    return NULL;
}

static tl_status locate(tl_ctx *ctx, const char *path, const tl_tokenizer_file **file,
                        char **at)
{
    tl_status rc = TL_OK;

    if (tl_is_folder(path)) {
        TL_TRY(find_in(ctx, path, file, at));
        if (!*at)
            TL_FAIL(TL_EDATA, path,
                    "no tokenizer in this folder (tokenizer.json, vocab.txt, "
                    "vocab.json with merges.txt, or tokenizer.model is one)");
        return TL_OK;
    }
    *file = file_named(path);
    if (!*file)
        TL_FAIL(TL_EDATA, path,
                "not the name of a tokenizer file (tokenizer.json, vocab.txt, "
                "vocab.json, tokenizer.model and NAME.gguf are)");
    TL_TRY(tl_strdup(ctx, path, at));
done:
    return rc;
}

static bool is_blank(uint32_t c)
{
    return c == 0x120 || tl_is_space(c); /* the byte alphabet's blank */
}

/* Blanks at the beginning and end of every token, for spans without them. */
static tl_status count_blanks(tl_ctx *ctx, tl_tokenizer *t)
{
    tl_status rc = TL_OK;
    size_t    bytes;
    uint32_t  c;

    if (!t->frame.trim) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)t->size + 1, 2, &t->blanks));
    for (int32_t id = 0; id < t->size; id++) {
        const char *s = tl_tokenizer_token(t, id, &bytes);
        uint8_t    *n = t->blanks + 2 * (size_t)id;
        for (size_t at = 0; s && at < bytes && n[0] < BLANKS_MOST; n[0]++) {
            at += tl_utf8_next(s + at, &c);
            if (!is_blank(c)) break;
        }
        for (size_t at = s ? bytes : 0; at > 0 && n[1] < BLANKS_MOST; n[1]++) {
            do at--;
            while (at > 0 && tl_utf8_inside(s[at]));
            tl_utf8_next(s + at, &c);
            if (!is_blank(c)) break;
        }
    }
done:
    return rc;
}

extern const tl_component tl_normalizer_byte_level;

/* A byte alphabet put on last is put on only where a word is new to the encoder. */
static void defer_bytes(tl_tokenizer *t)
{
    const tl_steps *p = &t->pre_tokenizer;

    t->byte_words = p->count && p->at[p->count - 1].kind == &tl_normalizer_byte_level;
}

static tl_status check_frame(tl_ctx *ctx, const char *where, const tl_tokenizer *t)
{
    for (int pair = 0; pair < 2; pair++) {
        const tl_template *p = pair ? &t->frame.pair : &t->frame.single;
        for (size_t i = 0; i < p->count; i++)
            if (!p->at[i].text && !tl_tokenizer_token(t, p->at[i].token, NULL))
                return tl_fail(ctx, TL_EDATA, where,
                               "the post-processor's token %d is not in the vocabulary "
                               "(mend the file)",
                               p->at[i].token);
    }
    return TL_OK;
}

tl_status tl_tokenizer_ready(tl_ctx *ctx, const char *where, tl_tokenizer *t)
{
    tl_status rc;

    TL_TRY(tl_added_ready(ctx, t));
    TL_TRY(check_frame(ctx, where, t));
    TL_TRY(count_blanks(ctx, t));
    defer_bytes(t);
done:
    return rc;
}

tl_status tl_tokenizer_open(tl_ctx *ctx, const char *path, tl_tokenizer **out)
{
    const tl_tokenizer_file *file = NULL;
    tl_tokenizer            *t    = NULL;
    char                    *at   = NULL;
    tl_status                rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *t, &t));
    for (size_t i = 0; i < TL_COUNT(t->role); i++) t->role[i] = -1;
    TL_TRY(locate(ctx, path, &file, &at));
    TL_TRY(tl_hash_new(ctx, &t->hashing));
    TL_TRY(file->load(ctx, at, t));
    TL_TRY(tl_tokenizer_ready(ctx, at, t));
    tl_hash_end(ctx, t->hashing, t->hash);
    t->hashing = NULL;
    *out       = t;
    t          = NULL;
done:
    tl_free(ctx, at);
    tl_tokenizer_close(ctx, t);
    return rc;
}

void tl_tokenizer_close(tl_ctx *ctx, tl_tokenizer *t)
{
    char hex[65];

    if (!t) return;
    if (t->hashing) tl_hash_end(ctx, t->hashing, hex);
    if (t->model && t->model->free) t->model->free(ctx, t->model_self);
    tl_free(ctx, t->model_self);
    tl_vocab_free(ctx, &t->vocab);
    tl_vocab_free(ctx, &t->added_text);
    for (size_t i = 0; i < t->addeds; i++) tl_free(ctx, t->added[i].content);
    tl_free(ctx, t->added);
    tl_free(ctx, t->added_of);
    tl_trie_free(ctx, &t->raw);
    tl_trie_free(ctx, &t->normalized);
    tl_steps_free(ctx, &t->normalizer);
    tl_steps_free(ctx, &t->pre_tokenizer);
    tl_steps_free(ctx, &t->decoder);
    tl_free(ctx, t->frame.single.at);
    tl_free(ctx, t->frame.pair.at);
    tl_free(ctx, t->blanks);
    tl_free(ctx, t);
}

int32_t tl_tokenizer_size(const tl_tokenizer *t)
{
    return t->size;
}

const char *tl_tokenizer_token(const tl_tokenizer *t, int32_t id, size_t *bytes)
{
    if (id < 0 || id >= t->size) return NULL;
    tl_string s = tl_vocab_text(&t->added_text, id);
    if (!s.text) s = tl_vocab_text(&t->vocab, id);
    if (bytes) *bytes = s.bytes;
    return s.text;
}

int32_t tl_tokenizer_id(const tl_tokenizer *t, const char *token, size_t bytes)
{
    const int32_t id = tl_vocab_find(&t->added_text, token, bytes);

    return id >= 0 ? id : tl_vocab_find(&t->vocab, token, bytes);
}

bool tl_tokenizer_is_special(const tl_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->size && t->added_of[id] >= 0 &&
           t->added[t->added_of[id]].special;
}

int32_t tl_tokenizer_special(const tl_tokenizer *t, const char *role)
{
    for (size_t i = 0; tl_role_name[i]; i++)
        if (strcmp(tl_role_name[i], role) == 0) return t->role[i];
    return -1;
}

const char *tl_tokenizer_kind(const tl_tokenizer *t)
{
    return t->model->name;
}

const char *tl_tokenizer_hash(const tl_tokenizer *t)
{
    return t->hash;
}
