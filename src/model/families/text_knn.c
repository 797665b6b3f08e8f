/* text_knn.c -- k nearest neighbours among a network's vectors of texts: its last hidden states
 * pooled, cosines to those of training rows, which travel as weights beside the network's own.
 * Made by the baseline; as a base its body is the pooled states.
 * Sources: Cover and Hart 1967; Dudani 1976 (votes by nearness); Reimers and Gurevych 2019,
 * arXiv:1908.10084.  Floor 2, model. */
#include "model/pooled.h"

#include <math.h>

enum { MOST_ROWS = 1 << 24 };

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    int64_t   k = 1, rows = 1, skip = 0;
    tl_status rc = TL_OK;

    if (config) {
        TL_TRY(tl_config_int(ctx, where, config, "neighbours", 1, TL_MOST_VOTES, 1, &k));
        TL_TRY(tl_config_int(ctx, where, config, "rows", 1, MOST_ROWS, 1, &rows));
        TL_TRY(tl_config_int(ctx, where, config, "leave_out", 0, 1, 0, &skip));
    }
    if (k + skip > rows)
        TL_FAIL(TL_EDATA, where,
                "\"neighbours\" is %" PRId64 " of %" PRId64 " rows (mend one of them)", k, rows);
    TL_TRY(tl_pooled_configure(ctx, where, size,
                               "of training rows (try --route baseline --base MODEL)", config,
                               json_pack("{s:I, s:I, s:I}", "neighbours", (json_int_t)k, "rows",
                                         (json_int_t)rows, "leave_out", (json_int_t)skip),
                               arch));
done:
    return rc;
}

/* Of length 1: x / sqrt(mean(x^2) width). */
static tl_tensor to_length_one(tl_net *net, tl_tensor x)
{
    const int64_t   width = tl_net_dim(net, x, -1);
    const tl_tensor scale =
        tl_fill(net->g, TL_SHAPE(width), TL_F32, (float)(1.0 / sqrt((double)width)));

    return tl_rms_norm(net->g, x, scale, 1e-20f, 0.0f);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int64_t      rows = tl_json_int(arch->config, "rows", 1);
    const tl_vote_attr attr = { .k       = tl_json_int(arch->config, "neighbours", 1),
                                .skip    = tl_json_int(arch->config, "leave_out", 0),
                                .classes = arch->outputs,
                                .near    = true };

    if (!arch->source_head) return tl_pooled_head(net, arch, x);
    if (tl_graph_status(net->g) != TL_OK) return 0;
    const tl_tensor scores = tl_net_linear(net, "neighbours", to_length_one(net, x), rows, false,
                                           TL_ACT_NONE, TL_INIT_ZERO);
    const tl_tensor classes = tl_net_param(net, "neighbours.class", TL_SHAPE(rows), TL_ROLE_BIAS,
                                           TL_INIT_ZERO, 0.0f);
    tl_net_layer(net, "vote");
    return tl_vote(net->g, scores, classes, &attr);
}

static const char *const keys[] = { "neighbours", "rows",       "leave_out", "pooling",
                                    "network",    "vocab_size", NULL };
static const char *const sizes[] = { NULL };
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_text_knn = {
    .name         = "text-knn",
    .doc          = "k nearest neighbours among a base's vectors of texts: what a baseline is",
    .source       = "Cover and Hart 1967; Dudani 1976",
    .sizes        = sizes,
    .keys         = keys,
    .text         = true,
    .configure    = configure,
    .body         = tl_pooled_body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "text",
};
