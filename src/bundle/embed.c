/* embed.c -- see embed.h.  Source: Reimers and Gurevych 2019, arXiv:1908.10084; the files are
 * those of the package sentence-transformers.  Floor 3, bundle. */
#include "bundle/embed.h"
#include "core/io.h"
#include "model/pooled.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { JSON_MOST = 1 << 20, ROWS = 16, NAME_MOST = 120 };

/* The keys of a pooling's config.json. */
static const struct {
    const char *key;
    tl_pooling  pool;
    bool        known;
} poolings[] = {
    { "pooling_mode_mean_tokens", TL_POOL_MEAN, true },
    { "pooling_mode_cls_token", TL_POOL_FIRST, true },
    { "pooling_mode_lasttoken", TL_POOL_LAST, true },
    { "pooling_mode_max_tokens", TL_POOL_MEAN, false },
    { "pooling_mode_mean_sqrt_len_tokens", TL_POOL_MEAN, false },
    { "pooling_mode_weightedmean_tokens", TL_POOL_MEAN, false },
};

json_t *tl_pooling_config(tl_pooling pool, int64_t width)
{
    json_t *all = json_pack("{s:I}", "word_embedding_dimension", (json_int_t)width);

    for (size_t i = 0; i < TL_COUNT(poolings); i++)
        json_object_set_new(all, poolings[i].key,
                            json_boolean(poolings[i].known && poolings[i].pool == pool));
    return all;
}

/* A JSON file of the folder; *out is NULL where there is none. */
static tl_status read_beside(tl_ctx *ctx, const char *folder, const char *name, char **path,
                             json_t **out)
{
    tl_status rc;

    *out = NULL;
    tl_free(ctx, *path);
    *path = NULL;
    TL_TRY(tl_path_join(ctx, folder, name, path));
    if (tl_exists(*path)) TL_TRY(tl_json_read(ctx, *path, JSON_MOST, out));
done:
    return rc;
}

static tl_status take_pooling(tl_ctx *ctx, const char *where, const json_t *config,
                              tl_embed_how *out)
{
    int       asked = 0;
    tl_status rc    = TL_OK;

    for (size_t i = 0; i < TL_COUNT(poolings); i++) {
        if (!json_is_true(json_object_get(config, poolings[i].key))) continue;
        if (!poolings[i].known)
            TL_FAIL(TL_EDATA, where, "\"%s\" is not supported (say --pooling mean, cls or last)",
                    poolings[i].key);
        out->pool = poolings[i].pool;
        asked++;
    }
    if (asked != 1)
        TL_FAIL(TL_EDATA, where, "asks for %d poolings together (say --pooling mean, cls or last)",
                asked);
done:
    return rc;
}

/* "sentence_transformers.models.Pooling" by its last word. */
static bool is_module(const json_t *module, const char *name)
{
    const char *type = tl_json_text(module, "type", ""), *dot = strrchr(type, '.');

    return strcmp(dot ? dot + 1 : type, name) == 0;
}

static tl_status take_module(tl_ctx *ctx, const char *folder, const char *where,
                             const json_t *module, tl_embed_how *out)
{
    const char *place  = tl_json_text(module, "path", "");
    char       *path   = NULL, name[NAME_MOST + 16];
    json_t     *config = NULL;
    tl_status   rc     = TL_OK;

    if (is_module(module, "Transformer")) return TL_OK;
    if (is_module(module, "Normalize")) {
        out->normalise = true;
        return TL_OK;
    }
    if (!is_module(module, "Pooling"))
        TL_FAIL(TL_EDATA, where, "its module \"%.80s\" is not supported (--pooling mean leaves "
                "out all that follows the network)",
                tl_json_text(module, "type", "?"));
    if (strlen(place) > NAME_MOST || strchr(place, '/') || strcmp(place, "..") == 0)
        TL_FAIL(TL_EDATA, where, "a module lies outside its folder (copy it again)");
    snprintf(name, sizeof name, "%s/config.json", place);
    TL_TRY(read_beside(ctx, folder, name, &path, &config));
    if (!json_is_object(config))
        TL_FAIL(TL_EDATA, path, "is missing or no JSON object (copy the model again)");
    TL_TRY(take_pooling(ctx, path, config, out));
    out->told = true;
done:
    tl_free(ctx, path);
    json_decref(config);
    return rc;
}

/* sentence_bert_config.json: how much of a text is taken, and whether it is lowered before. */
static tl_status take_size(tl_ctx *ctx, const char *where, const json_t *size, tl_embed_how *out)
{
    const json_t *most = json_object_get(size, "max_seq_length");
    tl_status     rc   = TL_OK;

    if (!size) return TL_OK;
    if (!json_is_object(size)) TL_FAIL(TL_EDATA, where, "is no JSON object (copy the model again)");
    if (json_is_true(json_object_get(size, "do_lower_case")))
        TL_FAIL(TL_EDATA, where,
                "\"do_lower_case\" is not supported (make it false if the tokenizer lowers texts)");
    if (!most || json_is_null(most)) return TL_OK;
    out->most = json_integer_value(most);
    if (out->most < 1)
        TL_FAIL(TL_EDATA, where, "\"max_seq_length\" is no number of tokens (mend it)");
done:
    return rc;
}

tl_status tl_embedding_of(tl_ctx *ctx, const tl_model *model, const char *pooling,
                          tl_embed_how *out)
{
    char     *path    = NULL;
    json_t   *modules = NULL, *size = NULL, *module;
    size_t    i;
    tl_status rc = TL_OK;

    *out = (tl_embed_how){ .pool = TL_POOL_MEAN };
    if (!pooling) pooling = tl_json_text(model->arch.config, "pooling", NULL); /* model/pooled.h */
    if (pooling && !tl_pooling_find(pooling, &out->pool))
        TL_FAIL(TL_EUSAGE, "--pooling", "\"%.40s\" is none (say mean, cls or last)", pooling);
    if (!model->path || !tl_is_folder(model->path)) return TL_OK;
    TL_TRY(read_beside(ctx, model->path, "sentence_bert_config.json", &path, &size));
    TL_TRY(take_size(ctx, path, size, out));
    if (pooling) goto done;
    TL_TRY(read_beside(ctx, model->path, "modules.json", &path, &modules));
    if (modules && !json_is_array(modules))
        TL_FAIL(TL_EDATA, path, "is no JSON list (copy the model again)");
    json_array_foreach(modules, i, module)
        TL_TRY(take_module(ctx, model->path, path, module, out));
done:
    tl_free(ctx, path);
    json_decref(size);
    json_decref(modules);
    return rc;
}

tl_status tl_embedder_new(tl_ctx *ctx, const tl_model *model, const tl_embed_how *how,
                          const tl_backend *backend, tl_dtype dtype, tl_embedder *out)
{
    const tl_texter *t    = model->prep.text;
    tl_embedder      e    = { .how = *how, .prep = model->prep };
    tl_status        rc;

    *out        = (tl_embedder){ 0 };
    e.prep.text = NULL;
    if (!model->arch.family->text || t->weighs)
        TL_FAIL(TL_EUSAGE, model->path ? model->path : model->arch.name,
                "is no transformer of text: it has no vectors of texts (name one)");
    const int64_t most = how->most > 0 ? TL_MIN(how->most, t->most) : t->most;
    TL_TRY(tl_texter_shorter(ctx, t, most, &e.prep.text));
    TL_TRY(tl_slab_new(ctx, backend, &e.slab));
    TL_TRY(tl_predictor_pooled(ctx, model, how->pool, ROWS, backend, e.slab, dtype, &e.p));
    *out = e;
    e    = (tl_embedder){ 0 };
done:
    tl_embedder_free(ctx, &e);
    return rc;
}

void tl_embedder_free(tl_ctx *ctx, tl_embedder *e)
{
    tl_predictor_free(ctx, e->p);
    tl_slab_free(ctx, e->slab);
    tl_texter_drop(ctx, e->prep.text);
    *e = (tl_embedder){ 0 };
}

/* To length 1; what is almost 0 stays short, as in PyTorch's normalize. */
static void normalise(float *y, int64_t width)
{
    double sum = 0.0;

    for (int64_t k = 0; k < width; k++) sum += (double)y[k] * (double)y[k];
    const double length = fmax(sqrt(sum), 1e-12);
    for (int64_t k = 0; k < width; k++) y[k] = (float)((double)y[k] / length);
}

tl_status tl_embedder_rows(tl_ctx *ctx, tl_embedder *e, tl_cache *cache, tl_rows rows, float *y)
{
    const int64_t   width = tl_predictor_width(e->p);
    const tl_status rc    = tl_predictor_rows(ctx, e->p, cache, rows, y);

    for (int64_t i = 0; rc == TL_OK && e->how.normalise && i < rows.count; i++)
        normalise(y + i * width, width);
    return rc;
}
