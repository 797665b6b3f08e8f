/* sentence.c -- see sentence.h.  The files are those of the package sentence-transformers 5.
 * Floor 3, bundle. */
#include "bundle/sentence.h"
#include "bundle/embed.h"
#include "core/io.h"
#include "model/pooled.h"
#include "model/weights.h"

#include <stdio.h>
#include <string.h>

static const char pooling_folder[] = "1_Pooling", head_folder[] = "2_Dense";

bool tl_sentence_fits(const tl_model *m)
{
    return strcmp(m->arch.family->name, "text-pooled") == 0 && !m->arch.adapt.kind;
}

/* "BertForTokenClassification" -> "BertModel". */
static json_t *headless(const tl_arch *network)
{
    const char *class = network->family->class_of(network), *end = strstr(class, "For");
    char        name[80];

    snprintf(name, sizeof name, "%.*sModel", (int)(end ? end - class : 0), class);
    return json_pack("[s]", name);
}

json_t *tl_sentence_config(tl_ctx *ctx, const tl_model *m)
{
    tl_arch network;
    json_t *config;

    if (tl_pooled_network(ctx, m->arch.name, m->arch.config, &network) != TL_OK) return NULL;
    config = tl_arch_to_config(&network);
    json_object_del(config, "num_labels");
    json_object_set_new(config, "architectures", headless(&network));
    tl_arch_free(ctx, &network);
    return config;
}

static json_t *module(int number, const char *path, const char *kind)
{
    char name[8], type[80];

    snprintf(name, sizeof name, "%d", number);
    snprintf(type, sizeof type, "sentence_transformers.models.%s", kind);
    return json_pack("{s:i, s:s, s:s, s:s}", "idx", number, "name", name, "path", path, "type",
                     type);
}

/* The head's two tensors under the names that Dense has for them. */
static tl_status save_head(tl_ctx *ctx, const tl_model *m, const char *folder)
{
    static const char *const names[][2] = { { "classifier.weight", "linear.weight" },
                                            { "classifier.bias", "linear.bias" } };
    tl_params *to   = NULL;
    tl_param  *made;
    char      *path = NULL;
    tl_status  rc;

    TL_TRY(tl_params_new(ctx, &to));
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        const tl_param *p    = tl_params_find(m->params, names[i][0]);
        const tl_param  like = { .name  = (char *)(uintptr_t)names[i][1],
                                 .shape = p->shape,
                                 .role  = p->role };
        TL_TRY(tl_params_declare(ctx, to, &like, &made));
    }
    TL_TRY(tl_params_seal(ctx, to));
    for (size_t i = 0; i < TL_COUNT(names); i++)
        TL_TRY(tl_params_take(ctx, to, &to->param[i], m->params,
                              tl_params_find(m->params, names[i][0])));
    TL_TRY(tl_path_join(ctx, folder, "model.safetensors", &path));
    TL_TRY(tl_weights_save(ctx, to, NULL, path));
done:
    tl_free(ctx, path);
    tl_params_free(ctx, to);
    return rc;
}

tl_status tl_sentence_save(tl_ctx *ctx, const tl_model *m, const char *folder)
{
    const tl_param *w = tl_params_find(m->params, "classifier.weight");
    const int64_t   width = w->shape.dim[1];
    char           *pooling = NULL, *head = NULL;
    tl_status       rc;

    TL_TRY(tl_path_join(ctx, folder, pooling_folder, &pooling));
    TL_TRY(tl_path_join(ctx, folder, head_folder, &head));
    TL_TRY(tl_make_folders(ctx, pooling));
    TL_TRY(tl_make_folders(ctx, head));
    TL_TRY(tl_json_save(ctx, pooling, "config.json",
                        tl_pooling_config(tl_pooling_of(m->arch.config), width)));
    TL_TRY(tl_json_save(ctx, head, "config.json",
                     json_pack("{s:I, s:I, s:b, s:s}", "in_features", (json_int_t)width,
                               "out_features", (json_int_t)m->arch.outputs, "bias", 1,
                               "activation_function",
                               "torch.nn.modules.linear.Identity")));
    TL_TRY(save_head(ctx, m, head));
    TL_TRY(tl_json_save(ctx, folder, "sentence_bert_config.json",
                     json_pack("{s:I, s:b}", "max_seq_length", (json_int_t)m->prep.text->most,
                               "do_lower_case", 0)));
    TL_TRY(tl_json_save(ctx, folder, "modules.json",
                     json_pack("[o, o, o]", module(0, "", "Transformer"),
                               module(1, pooling_folder, "Pooling"),
                               module(2, head_folder, "Dense"))));
done:
    tl_free(ctx, pooling);
    tl_free(ctx, head);
    return rc;
}
