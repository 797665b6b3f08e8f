/* routes.c -- the list of routes, and what their defaults share.  Floor 3, train. */
#include "model/levels.h"
#include "train/texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TL_ROUTE(symbol) extern const tl_route tl_route_##symbol;
#include "train/routes.def"
#undef TL_ROUTE

const tl_route *tl_route_at(size_t i)
{
    static const tl_route *const routes[] = {
#define TL_ROUTE(symbol) &tl_route_##symbol,
#include "train/routes.def"
#undef TL_ROUTE
    };

    return i < TL_COUNT(routes) ? routes[i] : NULL;
}

const tl_route *tl_route_find(const char *name)
{
    const tl_route *route;

    for (size_t i = 0; (route = tl_route_at(i)); i++)
        if (strcmp(route->name, name) == 0) return route;
    return NULL;
}

#define TL_ROUTE(symbol) extern const tl_route tl_route_##symbol;
#include "train/updates.def"
#undef TL_ROUTE

const tl_route *tl_update_at(size_t i)
{
    static const tl_route *const updates[] = {
#define TL_ROUTE(symbol) &tl_route_##symbol,
#include "train/updates.def"
#undef TL_ROUTE
    };

    return i < TL_COUNT(updates) ? updates[i] : NULL;
}

const tl_route *tl_update_find(const char *name)
{
    const tl_route *route;

    for (size_t i = 0; (route = tl_update_at(i)); i++)
        if (strcmp(route->name, name) == 0) return route;
    return NULL;
}

void tl_route_say(const tl_route *route, const char *base, char *text, size_t room)
{
    const char *action = base && route->action_with ? route->action_with : route->action;
    const char *at     = strchr(action, '@');

    if (at)
        snprintf(text, room, "%.*s%s%s", (int)(at - action), action, base ? base : "the base",
                 at + 1);
    else snprintf(text, room, "%s", action);
}

/* Patience is a share of the run: where few rows make more epochs of it, of those.  (A batch
 * norm's running statistics alone need some 50 steps, which is 5 epochs of 350 rows.) */
static void lengthen_patience(tl_hyper *h, int64_t train_rows)
{
    const double epochs = (double)(h->least_steps * h->batch) / (double)train_rows;

    if (epochs > h->epochs) h->patience = ceil(h->patience * epochs / h->epochs);
}

tl_status tl_route_defaults(tl_ctx *ctx, const tl_route *route, const tl_arch *arch,
                            int64_t train_rows, tl_hyper *out)
{
    tl_arch         told = *arch; /* borrows */
    tl_status       rc   = tl_arch_batch_norms(ctx, arch, &told.batch_norms);

    if (rc != TL_OK) return rc;
    if (route->of_texts && !arch->family->text)
        return tl_fail(ctx, TL_EUSAGE, route->name, "is for networks of text, and %s is none "
                       "(take another route)", arch->name);
    route->defaults(out, &told, train_rows);
    lengthen_patience(out, train_rows);
    if (out->adapt.kind == TL_ADAPT_NONE) return TL_OK;
    told.adapt = (tl_adapt){ .kind = TL_ADAPT_LORA, .r = 1, .alpha = 1.0, .targets = "all" };
    return tl_arch_batch_norms(ctx, &told, &told.batch_norms); /* is there a product to join? */
}

bool tl_arch_grey(const tl_arch *arch)
{
    return arch->row.ndim == 3 && arch->row.dim[2] == 1;
}

void tl_hyper_common(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    enum { GROUP = 32 }; /* rows that share batch statistics */

    *h       = (tl_hyper){ .optimizer   = "sgd",
                           .schedule    = "cosine",
                           .augment     = "none",
                           .scaling     = "standard",
                           .optim       = { .lr           = 0.01,
                                            .momentum     = 0.9,
                                            .beta1        = 0.9,
                                            .beta2        = 0.999,
                                            .eps          = 1e-8,
                                            .weight_decay = 5e-4,
                                            .nesterov     = true },
                           .head_rate   = 1.0,
                           .epochs      = 30.0,
                           .least_steps = 1000,
                           .shards      = 1,
                           .warmup      = 0.05,
                           .dropout     = -1.0,
                           .l2_head     = -1.0,
                           .depth_rate  = 1.0,
                           .shrink      = 0.6,
                           .perturb     = 0.01,
                           .replay      = 1.0,
                           .mask        = 0.5,
                           .temperature = 1.0,
                           .erase       = -1.0,
                           .retry       = true,
                           .adapt       = { .r = 8, .alpha = 16.0, .targets = "all" },
                           .trees       = { .most       = 300,
                                            .leaves     = 31,
                                            .least_rows = 20,
                                            .patience   = 20,
                                            .rate       = 0.1,
                                            .l2         = 0.0 } };
    h->batch = train_rows < 8000 ? GROUP : train_rows < 30000 ? 2 * GROUP : 4 * GROUP;
    if (arch->batch_norms) h->shards = h->batch / GROUP;
}

tl_status tl_baseline_table(tl_ctx *ctx, const tl_dataset *d, tl_arch *out, tl_prep *prep,
                            tl_schema **columns)
{
    tl_schema *s      = NULL;
    json_t    *config = NULL;
    tl_status  rc;

    *columns = NULL;
    TL_TRY(tl_schema_copy(ctx, d->schema, &s));
    tl_schema_layout(s, TL_CODING_TREES, TL_SCALING_STANDARD);
    *prep = (tl_prep){ .table = s };
    config = json_pack("{s:s, s:I, s:[I]}", "model_type", "hgbt", "num_labels",
                       (json_int_t)d->classes, "input_shape", (json_int_t)s->width);
    TL_TRY(tl_arch_from_config(ctx, "hgbt", config, out));
    out->source_head = false;
    *columns = s;
    s        = NULL;
done:
    json_decref(config);
    tl_schema_drop(ctx, s);
    return rc;
}

tl_status tl_table_network(tl_ctx *ctx, const tl_schema *columns, const char *text,
                           int64_t outputs, tl_arch *out)
{
    int64_t   at, width;
    tl_status rc;

    TL_TRY(tl_arch_parse(ctx, text, TL_SHAPE(columns->width), outputs, out));
    for (int64_t i = 0; i < columns->columns; i++)
        if (tl_schema_group(columns, i, &at, &width)) TL_TRY(tl_arch_embed(ctx, out, at, width));
done:
    return rc;
}

int64_t tl_baseline_pool(tl_shape row)
{
    const int64_t side = row.ndim == 3 ? TL_MAX(row.dim[0], row.dim[1]) : 1;

    return (side + 15) / 16;
}

tl_status tl_student(tl_ctx *ctx, const tl_arch *base, const tl_prep *base_prep,
                     int64_t outputs, tl_arch *arch, tl_prep *prep)
{
    enum { SIDE = 96 };
    static const char net[] = "conv 16 3, norm batch, relu, pool 2, conv 32 3, norm batch, "
                              "relu, pool 2, conv 64 3, norm batch, relu, pool 2, "
                              "conv 128 3, norm batch, relu, gpool";
    tl_shape row = base->row;

    *prep = *base_prep;
    if (base->family->text) return tl_student_text(ctx, base, base_prep, outputs, arch);
    if (row.ndim != 3) return tl_arch_parse(ctx, "mlp:64", row, outputs, arch);
    if (TL_MAX(row.dim[0], row.dim[1]) > SIDE) {
        prep->resize_short = prep->resize_short * SIDE / TL_MAX(prep->height, (int64_t)1);
        prep->height = prep->width = row.dim[0] = row.dim[1] = SIDE;
    }
    return tl_arch_parse(ctx, TL_MIN(row.dim[0], row.dim[1]) < 8 ? "mlp:64" : net, row,
                         outputs, arch);
}

tl_status tl_baseline_arch(tl_ctx *ctx, tl_shape row, int64_t outputs, tl_arch *out)
{
    char words[32];

    snprintf(words, sizeof words, "pool %d avg", (int)tl_baseline_pool(row));
    return tl_arch_parse(ctx, words, row, outputs, out);
}
