/* knn.c -- k nearest neighbours on pixels averaged down: the training rows travel as weights.
 * Of a row x and a neighbour v, x.v - |v|^2 / 2 grows as their distance falls, so that
 * finding neighbours is one linear layer.  Made by the baseline; as a base its body is the
 * small picture.  Source: Cover and Hart 1967.  Floor 2, model. */
#include "model/config.h"

#include <stdio.h>
#include <string.h>

enum { MOST_ROWS = 1 << 24, MOST_POOL = 1 << 12 };

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    int64_t   k, rows, pool, skip;

    if (!config)
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" has no size of its own: it is made of training rows (try "
                "--route baseline)",
                size ? size : "knn");
    TL_TRY(tl_config_row(ctx, where, config, 0, arch));
    TL_TRY(tl_config_int(ctx, where, config, "neighbours", 1, TL_MOST_VOTES, 5, &k));
    TL_TRY(tl_config_int(ctx, where, config, "rows", 1, MOST_ROWS, 1, &rows));
    TL_TRY(tl_config_int(ctx, where, config, "pool", 1, MOST_POOL, 1, &pool));
    TL_TRY(tl_config_int(ctx, where, config, "leave_out", 0, 1, 0, &skip));
    if (k + skip > rows)
        TL_FAIL(TL_EDATA, where,
                "\"neighbours\" is %" PRId64 " of %" PRId64 " rows (mend one of them)", k,
                rows);
    TL_TRY(tl_config_take(ctx, arch,
                          json_pack("{s:I, s:I, s:I, s:I}", "neighbours", (json_int_t)k,
                                    "rows", (json_int_t)rows, "pool", (json_int_t)pool,
                                    "leave_out", (json_int_t)skip)));
    snprintf(arch->name, sizeof arch->name, "knn");
done:
    return rc;
}

static int64_t setting(const tl_arch *arch, const char *key)
{
    return tl_json_int(arch->config, key, 0);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int          k    = (int)setting(arch, "pool");
    const tl_pool_attr attr = { .kernel = { k, k }, .stride = { k, k } };

    if (k > 1) {
        tl_net_layer(net, "small");
        x = tl_avg_pool(net->g, x, &attr);
    }
    return tl_net_flatten(net, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    return tl_net_linear(net, "head", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_GLOROT_UNIFORM);
}

/* In f32 whatever the rest runs in: small differences of large scores decide. */
static tl_tensor whole(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int64_t      rows = setting(arch, "rows");
    const tl_vote_attr attr = { .k       = setting(arch, "neighbours"),
                                .skip    = setting(arch, "leave_out"),
                                .classes = arch->outputs };

    x = tl_cast(net->g, body(net, arch, x), TL_F32);
    const tl_tensor scores =
        tl_net_linear(net, "neighbours", x, rows, true, TL_ACT_NONE, TL_INIT_ZERO);
    const tl_tensor classes = tl_net_param(net, "neighbours.class", TL_SHAPE(rows),
                                           TL_ROLE_BIAS, TL_INIT_ZERO, 0.0f);
    tl_net_layer(net, "vote");
    return tl_vote(net->g, scores, classes, &attr);
}

static const char *const keys[] = { "neighbours", "rows", "pool", "leave_out", NULL };
static const char *const sizes[] = { NULL };
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_knn = {
    .name         = "knn",
    .doc          = "k nearest neighbours among training rows: what the baseline may be",
    .source       = "Cover and Hart 1967",
    .sizes        = sizes,
    .keys         = keys,
    .pictures     = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .whole        = whole,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "unit",
};
