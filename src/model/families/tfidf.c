/* tfidf.c -- logistic regression on weighted words as a network: a row of a table for each word,
 * the words' rows times their weights added up.  Fitted by the baseline, it travels as weights and
 * is asked as any other.  Source: Salton and Buckley 1988; Cox 1966.  Floor 2, model. */
#include "model/config.h"
#include "tensor/ops.h"

#include <stdio.h>

enum { MOST_WORDS = 1 << 24, MOST_TOKENS = 1 << 20 };

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    int64_t   words, most;
    tl_status rc;

    if (!config)
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" has no size of its own: its words are those of the training rows "
                "(try --route baseline)",
                size ? size : "tfidf");
    TL_TRY(tl_config_int(ctx, where, config, "words", 1, MOST_WORDS, 1, &words));
    TL_TRY(tl_config_int(ctx, where, config, "most", 1, MOST_TOKENS, MOST_TOKENS, &most));
    TL_TRY(tl_config_take(ctx, arch,
                          json_pack("{s:I, s:I}", "words", (json_int_t)words, "most",
                                    (json_int_t)most)));
    arch->row = TL_SHAPE(most);
    snprintf(arch->name, sizeof arch->name, "tfidf");
done:
    return rc;
}

/* The pool takes means: weights are given times their number (data/texts/pack.h). */
static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    const int64_t   words = tl_json_int(arch->config, "words", 1);
    const tl_tensor table = tl_net_param(net, "words.weight", TL_SHAPE(words, arch->outputs),
                                         TL_ROLE_EMBED, TL_INIT_ZERO, 0.0f);
    const int64_t   rows  = tl_net_dim(net, ids, 0);
    tl_tensor       x, value;

    tl_net_layer(net, "words");
    x     = tl_embedding(net->g, table, ids);
    value = tl_dense(net->g, tl_reshape(net->g, tl_net_values(net), TL_SHAPE(rows, 1)),
                     tl_fill(net->g, TL_SHAPE(arch->outputs, 1), TL_F32, 1.0f), 0, TL_ACT_NONE);
    return tl_sequence_pool(net->g, tl_mul(net->g, x, value), net->text.offsets, TL_POOL_MEAN);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    tl_net_layer(net, "scores");
    return tl_add(net->g, x,
                  tl_net_param(net, "words.bias", TL_SHAPE(arch->outputs), TL_ROLE_BIAS,
                               TL_INIT_ZERO, 0.0f),
                  TL_ACT_NONE);
}

static const char *const sizes[] = { NULL }; /* its words are those of training rows */
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_tfidf = {
    .name         = "tfidf",
    .doc          = "logistic regression on weighted words: what the baseline for text is",
    .source       = "Salton and Buckley 1988; Cox 1966",
    .sizes        = sizes,
    .text         = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "text",
};
