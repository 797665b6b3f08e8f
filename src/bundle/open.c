/* open.c -- a model from disk: Tailor's own directories, Hugging Face style ones, bare
 * weight files.  What the network is comes from tailor.json, config.json, the tensors'
 * names (or the weight file itself) or --arch, in that order.  Floor 3, bundle. */
#include "bundle/adapter.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MOST = 16 << 20, LABEL_MOST = 4096, SIDE_MOST = 4096 };

/* The texts found beside the weights; NULL where there is none. */
typedef struct {
    json_t *tailor, *config, *prep;
    char   *config_path, *prep_path, *tailor_path; /* for errors */
    char   *folder; /* that the model lies in */
} papers;

static void papers_end(tl_ctx *ctx, papers *p)
{
    json_decref(p->tailor);
    json_decref(p->config);
    json_decref(p->prep);
    tl_free(ctx, p->tailor_path);
    tl_free(ctx, p->config_path);
    tl_free(ctx, p->prep_path);
    tl_free(ctx, p->folder);
    *p = (papers){ 0 };
}

static tl_status read_paper(tl_ctx *ctx, const char *folder, const char *name,
                            char **path, json_t **out)
{
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, name, path));
    if (!tl_exists(*path)) return TL_OK;
    TL_TRY(tl_json_read(ctx, *path, JSON_MOST, out));
    if (!json_is_object(*out))
        TL_FAIL(TL_EDATA, *path, "is no JSON object (fetch it again)");
done:
    return rc;
}

/* A file under one of the names that stand for a folder's model brings the folder's
 * texts; any other file is bare. */
static tl_status read_papers(tl_ctx *ctx, const char *path, papers *out)
{
    const char *name = tl_path_name(path);
    char       *folder;
    tl_status   rc;

    TL_TRY(tl_strdup(ctx, path, &out->folder));
    if (!tl_is_folder(path)) {
        out->folder[name - path] = 0;
        if (!*out->folder) {
            tl_free(ctx, out->folder);
            out->folder = NULL;
            TL_TRY(tl_strdup(ctx, ".", &out->folder));
        }
    }
    if (!tl_is_folder(path) && !tl_weights_custom(name)) return TL_OK;
    folder = out->folder;
    TL_TRY(read_paper(ctx, folder, "tailor.json", &out->tailor_path, &out->tailor));
    TL_TRY(read_paper(ctx, folder, "config.json", &out->config_path, &out->config));
    TL_TRY(
        read_paper(ctx, folder, "preprocessor_config.json", &out->prep_path, &out->prep));
done:
    return rc;
}

/* By the tensors' names and shapes alone. */
static tl_status recognise(tl_ctx *ctx, const char *where, const tl_weights *w,
                           tl_arch *out)
{
    const char **name  = NULL;
    tl_shape    *shape = NULL;
    size_t       count = 0;
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, w->count, sizeof *name, &name));
    TL_TRY(tl_alloc_array(ctx, w->count, sizeof *shape, &shape));
    for (size_t i = 0; i < w->count; i++) {
        if (w->weight[i].shape.ndim < 0) continue;
        name[count]    = w->weight[i].name;
        shape[count++] = w->weight[i].shape;
    }
    TL_TRY(tl_arch_recognise(ctx, where, &(tl_tensors){ name, shape, count }, NULL, out));
done:
    tl_free(ctx, name);
    tl_free(ctx, shape);
    return rc;
}

/* What --arch says, with the row and outputs of what was found; where nothing was, the
 * network's usual row and the outputs of the file's head. */
static tl_status arch_by_name(tl_ctx *ctx, const char *where, const tl_weights *w,
                              const char *text, const tl_arch *found, tl_arch *out)
{
    int64_t   outputs = found->outputs;
    tl_arch   arch    = { 0 };
    tl_status rc;

    if (!found->family) {
        TL_TRY(tl_arch_parse(ctx, text, (tl_shape){ 0 }, 1, &arch));
        arch.source_head = true;
        TL_TRY(tl_weights_outputs(ctx, w, where, &arch, &outputs));
        tl_arch_free(ctx, &arch);
        if (outputs == 0)
            TL_FAIL(TL_EDATA, where,
                    "its head does not say how many outputs it has (give a "
                    "config.json beside it)");
    }
    TL_TRY(tl_arch_parse(ctx, text, found->row, outputs, &arch));
    arch.source_head = true;
    if (arch.family == found->family && strcmp(arch.name, found->name) == 0)
        rc = tl_arch_copy(ctx, found, out);
    else
        *out = arch, arch = (tl_arch){ 0 };
done:
    tl_arch_free(ctx, &arch);
    return rc;
}

static tl_status find_arch(tl_ctx *ctx, const char *where, const papers *p,
                           const tl_weights *w, const char *text, tl_arch *out)
{
    tl_arch   found = { 0 };
    tl_status rc;

    if (p->tailor)
        return tl_arch_from_json(ctx, p->tailor_path, json_object_get(p->tailor, "arch"),
                                 out);
    if (p->config && (json_object_get(p->config, "model_type") ||
                      json_object_get(p->config, "architecture")))
        rc = tl_arch_from_config(ctx, p->config_path, p->config, &found);
    else if (w->config)
        rc = tl_arch_from_config(ctx, where, w->config, &found);
    else
        rc = recognise(ctx, where, w, &found);
    if (!text) {
        *out = found;
        return rc;
    }
    if (rc != TL_OK && rc != TL_EDATA) return rc;
    rc = arch_by_name(ctx, where, w, text, &found, out);
    tl_arch_free(ctx, &found);
    return rc;
}

/* timm keeps preprocessing in config.json: "pretrained_cfg" with mean, std, input_size
 * [channels h w], crop_pct and interpolation. */
static tl_status prep_from_timm(tl_ctx *ctx, const char *where, const json_t *timm,
                                const tl_arch *arch, tl_prep *out)
{
    const json_t *size  = json_object_get(timm, "input_size");
    const json_t *mean  = json_object_get(timm, "mean"),
                 *std   = json_object_get(timm, "std");
    const double  share = tl_json_number(timm, "crop_pct", 0.875);
    const char   *how   = tl_json_text(timm, "interpolation", "bilinear");
    int64_t       side  = arch->row.dim[0];
    tl_status     rc    = tl_model_default_prep(ctx, arch, out);

    if (rc != TL_OK) return rc;
    if (json_array_size(size) == 3) side = json_integer_value(json_array_get(size, 1));
    if (side < 1 || side > SIDE_MOST || !(share > 0.1 && share <= 1.0))
        return tl_fail(ctx, TL_EDATA, where,
                       "pretrained_cfg asks for an impossible input size "
                       "(fetch it again)");
    for (size_t c = 0; c < 3; c++) {
        if (json_array_size(mean) == 3)
            out->mean[c] = json_number_value(json_array_get(mean, c));
        if (json_array_size(std) == 3)
            out->std[c] = json_number_value(json_array_get(std, c));
        if (!(out->std[c] > 0.0))
            return tl_fail(ctx, TL_EDATA, where,
                           "pretrained_cfg divides by a std of 0 (fetch it "
                           "again)");
    }
    out->height = out->width = side;
    out->resize_short        = (int64_t)((double)side / share);
    out->interpolation       = strcmp(how, "bicubic") == 0 ? TL_BICUBIC : TL_BILINEAR;
    return TL_OK;
}

/* The network takes the size its preprocessing makes. */
static tl_status find_prep(tl_ctx *ctx, const papers *p, tl_arch *arch, tl_prep *out)
{
    const json_t *own  = json_object_get(p->tailor, "prep");
    const json_t *timm = json_object_get(p->config, "pretrained_cfg");
    tl_status     rc;

    if (own) rc = tl_prep_from_json(ctx, p->tailor_path, own, out);
    else if (p->prep) rc = tl_prep_from_json(ctx, p->prep_path, p->prep, out);
    else if (json_is_object(timm))
        rc = prep_from_timm(ctx, p->config_path, timm, arch, out);
    else return tl_model_default_prep(ctx, arch, out);
    if (rc == TL_OK && arch->row.ndim == 3) {
        out->channels    = arch->row.dim[2];
        arch->row.dim[0] = out->height;
        arch->row.dim[1] = out->width;
    }
    return rc;
}

/* The tokenizer beside the weights; its ids must have their rows in the network's table. */
static tl_status find_texter(tl_ctx *ctx, const papers *p, tl_arch *arch, tl_prep *out)
{
    enum { USUAL_MOST = 512 };
    const json_t *own   = json_object_get(json_object_get(p->tailor, "prep"), "text");
    const bool    words = !json_object_get(arch->config, "vocab_size");
    const int64_t room  = tl_json_int(arch->config, words ? "words" : "vocab_size", 0);
    tl_texter    *t     = NULL;
    tl_status     rc;

    *out = (tl_prep){ 0 };
    TL_TRY(tl_texter_open(ctx, p->folder, TL_MIN(arch->row.dim[0], (int64_t)USUAL_MOST), &t));
    if (own) TL_TRY(tl_texter_take_json(ctx, p->tailor_path, own, t));
    if (own) TL_TRY(tl_prep_take_target(ctx, p->tailor_path, json_object_get(p->tailor, "prep"),
                                        out));
    if (t->size > room || t->weighs != words || t->most > arch->row.dim[0])
        TL_FAIL(TL_EDATA, p->folder,
                "its %s of %" PRId64 " are not those of its network, which has room for %" PRId64
                " (copy both again)",
                t->weighs ? "words" : "tokens", t->size, room);
    out->text = t;
    t         = NULL;
done:
    tl_texter_drop(ctx, t);
    return rc;
}

/* The i-th label of a list, or of {"0": ..., "1": ...}; NULL: none. */
static const char *label_at(const json_t *labels, int64_t i)
{
    char key[24];

    if (json_is_array(labels))
        return json_string_value(json_array_get(labels, (size_t)i));
    snprintf(key, sizeof key, "%" PRId64, i);
    return tl_json_text(labels, key, NULL);
}

/* Either every class has a name, or none. */
static tl_status find_labels(tl_ctx *ctx, const papers *p, int64_t outputs, char ***out)
{
    const json_t *labels = json_object_get(p->tailor, "labels");
    char        **name   = NULL;
    tl_status     rc     = TL_OK;

    *out = NULL;
    if (!labels) labels = json_object_get(p->config, "id2label");
    for (int64_t i = 0; i < outputs; i++) {
        const char *text = label_at(labels, i);
        if (!text || strlen(text) > LABEL_MOST) return TL_OK;
    }
    TL_TRY(tl_alloc_array(ctx, (size_t)outputs, sizeof *name, &name));
    for (int64_t i = 0; i < outputs; i++)
        TL_TRY(tl_strdup(ctx, label_at(labels, i), &name[i]));
    *out = name;
    name = NULL;
done:
    for (int64_t i = 0; name && i < outputs; i++) tl_free(ctx, name[i]);
    tl_free(ctx, name);
    return rc;
}

/* Of several labels: one in 0..1 for each, or none. */
static tl_status find_thresholds(tl_ctx *ctx, const papers *p, tl_model *m)
{
    const json_t *list = json_object_get(p->tailor, "thresholds");
    tl_status     rc;

    if (!m->task->several || !list) return TL_OK;
    if ((int64_t)json_array_size(list) != m->arch.outputs)
        TL_FAIL(TL_EDATA, p->tailor_path, "its thresholds are not one a label (copy it again)");
    TL_TRY(tl_alloc_array(ctx, (size_t)m->arch.outputs, sizeof(float), &m->threshold));
    for (int64_t i = 0; i < m->arch.outputs; i++) {
        const double value = json_number_value(json_array_get(list, (size_t)i));
        if (!(value >= 0.0 && value <= 1.0))
            TL_FAIL(TL_EDATA, p->tailor_path, "a threshold is no probability (copy it again)");
        m->threshold[i] = (float)value;
    }
done:
    return rc;
}

/* What tailor.json holds beyond Tailor's own keys. */
static tl_status find_provenance(tl_ctx *ctx, const papers *p, json_t **out)
{
    static const char *const own[] = { "tailor", "task",   "arch",
                                       "prep",   "labels", "sha256", "thresholds" };

    *out = NULL;
    if (!p->tailor) return TL_OK;
    *out = json_copy(p->tailor);
    if (!*out) return tl_fail(ctx, TL_ENOMEM, p->tailor_path, "no room (free memory)");
    for (size_t i = 0; i < TL_COUNT(own); i++) json_object_del(*out, own[i]);
    return TL_OK;
}

static tl_status check_task(tl_ctx *ctx, const papers *p)
{
    const char *task =
        tl_json_text(p->tailor, "task", tl_task_image_classification.name);

    if (tl_task_find(task)) return TL_OK;
    return tl_fail(ctx, TL_EDATA, p->tailor_path,
                   "task \"%.60s\" is not one this Tailor knows "
                   "(use a newer one)",
                   task);
}

static tl_status check_hash(tl_ctx *ctx, const papers *p, const tl_model *m)
{
    const char *said = tl_json_text(p->tailor, "sha256", NULL);

    if (!p->tailor || (said && strcmp(said, m->sha256) == 0)) return TL_OK;
    return tl_fail(ctx, TL_EDATA, m->path,
                   "its weights are not those tailor.json describes: "
                   "changed, or a save was cut off (save or copy the directory again)");
}

/* What was merged into the weights lies beside them where Tailor wrote both. */
static tl_status open_adapter(tl_ctx *ctx, const char *path, tl_model *m)
{
    char     *folder = NULL;
    tl_status rc     = TL_OK;

    if (!tl_is_folder(path)) return TL_OK;
    TL_TRY(tl_path_join(ctx, path, "adapter", &folder));
    rc = tl_adapter_load(ctx, folder, &m->adapter);
done:
    tl_free(ctx, folder);
    return rc;
}

tl_status tl_model_open(tl_ctx *ctx, const char *path, const char *arch, tl_model **out)
{
    tl_model  *m = NULL;
    papers     p = { 0 };
    tl_weights w = { 0 };
    tl_status  rc;

    *out = NULL;
    if (tl_is_peft(path)) return tl_peft_open(ctx, path, out);
    TL_TRY(tl_alloc(ctx, sizeof *m, &m));
    TL_TRY(tl_strdup(ctx, path, &m->path));
    TL_TRY(read_papers(ctx, path, &p));
    TL_TRY(check_task(ctx, &p));
    TL_TRY(tl_weights_open(ctx, path, &w));
    TL_TRY(tl_weights_hash(ctx, &w, m->sha256));
    TL_TRY(check_hash(ctx, &p, m));
    TL_TRY(find_arch(ctx, path, &p, &w, arch, &m->arch));
    TL_TRY((m->arch.family->text ? find_texter : find_prep)(ctx, &p, &m->arch, &m->prep));
    m->task = tl_model_task(&m->arch, &m->prep);
    if (m->prep.table &&
        (m->arch.row.ndim != 1 || m->arch.row.dim[0] != m->prep.table->width ||
         (m->task->numbers && m->arch.outputs != 1)))
        TL_FAIL(TL_EDATA, path, "its network takes other rows than its columns make (copy it "
                "again)");
    TL_TRY(find_labels(ctx, &p, m->arch.outputs, &m->class_name));
    TL_TRY(find_thresholds(ctx, &p, m));
    TL_TRY(find_provenance(ctx, &p, &m->provenance));
    TL_TRY(tl_arch_params(ctx, &m->arch, &m->params));
    tl_params_init(m->params, 0, true, ctx->world->threads);
    TL_TRY(tl_weights_load(ctx, &w, path, &m->arch, m->params, &m->loaded));
    if (p.tailor) TL_TRY(open_adapter(ctx, path, m));
    *out = m;
    m    = NULL;
done:
    tl_weights_close(ctx, &w);
    papers_end(ctx, &p);
    tl_model_free(ctx, m);
    return rc;
}
