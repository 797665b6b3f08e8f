/* compare_candidates.c -- which routes apply to the data and the bases, with which
 * network, preprocessing and settings. Floor 4, study. */
#include "bundle/embed.h"
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/update.h"
#include "train/nearest.h"
#include "train/network.h"
#include "train/texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Networks for data without a base and without --arch. */
static const char small_net[] = "conv 32 3 relu, pool 2, conv 64 3 relu, pool 2, "
                                "dense 128 relu, dropout 0.25";
static const char large_net[] =
    "conv 32 3, norm batch, relu, pool 2, conv 64 3, norm batch, relu, "
    "pool 2, conv 128 3, norm batch, relu, pool 2, conv 128 3, "
    "norm batch, relu, gpool, dropout 0.2";
enum { SMALL_SIDE = 48, LARGE_SIDE = 96, BASELINE_SIDE = 32 };

static const char *route_at(size_t i)
{
    return tl_route_at(i) ? tl_route_at(i)->name : NULL;
}

static tl_status check_routes(tl_ctx *ctx, const tl_study *s)
{
    for (size_t i = 0; s->q->routes && s->q->routes[i]; i++) {
        const char     *name  = s->q->routes[i];
        const tl_route *route = tl_route_find(name);
        const char     *meant = tl_did_you_mean(name, route_at);
        if (!route && meant)
            return tl_fail(ctx, TL_EUSAGE, "--routes",
                           "\"%.60s\" is not known (did you mean %s?)", name, meant);
        if (!route)
            return tl_fail(ctx, TL_EUSAGE, "--routes",
                           "\"%.60s\" is not known (see tailor help "
                           "compare)",
                           name);
        if (route->needs_base && s->bases == 0)
            return tl_fail(ctx, TL_EUSAGE, "--routes",
                           "%s needs a pretrained model (give --base)", name);
    }
    return TL_OK;
}

static bool is_asked(const tl_study *s, const tl_route *route)
{
    if (!s->q->routes || !s->q->routes[0]) return !route->by_request;
    for (size_t i = 0; s->q->routes[i]; i++)
        if (strcmp(s->q->routes[i], route->name) == 0) return true;
    return false;
}

static bool is_setting(const char *name)
{
    for (size_t i = 0; tl_hyper_field_at(i); i++)
        if (strcmp(tl_hyper_field_at(i), name) == 0) return true;
    return false;
}

/* "full.optim.lr=0.01" is for one route, "optim.lr=0.01" for all; "lora.r=4" is no route's "r". */
tl_status tl_study_override(tl_ctx *ctx, const tl_study *s, const tl_route *route, tl_hyper *h)
{
    for (size_t i = 0; s->q->overrides && s->q->overrides[i]; i++) {
        const char *text = s->q->overrides[i], *dot = strchr(text, '.'),
                   *is = strchr(text, '=');
        char name[64], first[64];

        if (!is || (size_t)(is - text) >= sizeof name)
            return tl_fail(ctx, TL_EUSAGE, text,
                           "is no setting (NAME=VALUE, as optim.lr=0.01)");
        snprintf(name, sizeof name, "%.*s", (int)(is - text), text);
        if (dot && dot < is && !is_setting(name)) {
            snprintf(first, sizeof first, "%.*s", (int)(dot - text), text);
            if (tl_route_find(first) || tl_update_find(first)) {
                if (strcmp(first, route->name) != 0) continue;
                text = dot + 1;
            }
        }
        snprintf(name, sizeof name, "%.*s", (int)(is - text), text);
        const tl_status rc = tl_hyper_set(ctx, h, name, is + 1);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}

/* image_size is wanted before the network is made: from the overrides alone. */
static tl_status wanted_size(tl_ctx *ctx, const tl_study *s, const tl_route *route,
                             int64_t *out)
{
    tl_hyper        h  = { 0 };
    const tl_status rc = tl_study_override(ctx, s, route, &h);

    *out = h.image_size;
    return rc;
}

static int64_t data_side(const tl_study *s, int64_t most)
{
    const int64_t side = TL_MIN(s->data->height, s->data->width);

    return TL_MIN(side, most);
}

/* Rows as the data has them where they all have one small size, else square. */
static tl_shape data_row(const tl_study *s, int64_t size, int64_t most)
{
    const int64_t c = s->data->channels == 1 ? 1 : 3, side = data_side(s, most);

    if (size > 0) return TL_SHAPE(size, size, c);
    if (s->data->one_size && TL_MAX(s->data->height, s->data->width) <= most)
        return TL_SHAPE(s->data->height, s->data->width, c);
    return TL_SHAPE(side, side, c);
}

static void prep_of_row(const tl_arch *arch, tl_shape row, tl_prep *prep)
{
    if (!tl_prep_named(tl_arch_prep(arch), prep)) tl_prep_named("unit", prep);
    prep->height       = row.dim[0];
    prep->width        = row.dim[1];
    prep->channels     = row.dim[2];
    prep->resize_short = 0;
    prep->crop         = false;
}

/* What a table's rows are learnt by from scratch: --arch, or each of these. */
static const char *const table_nets[] = { "mlp", "table-resnet" };

static bool tries_table_nets(const tl_study *s, const tl_route *route)
{
    return s->data->schema && !s->q->base_arch && s->bases == 0 && !route->needs_base &&
           !tl_route_is_baseline(route);
}

static tl_status make_table_net(tl_ctx *ctx, const tl_study *s, size_t net, tl_candidate *c)
{
    const char *text = s->q->base_arch ? s->q->base_arch : table_nets[net];

    c->prep = (tl_prep){ .table = s->data->schema };
    return tl_table_network(ctx, s->data->schema, text, s->data->classes, &c->arch);
}

static tl_status make_text_net(tl_ctx *ctx, const tl_study *s, tl_entry *e)
{
    return tl_scratch_text(ctx, s->data, s->q->base_arch, &e->c.arch, &e->c.prep, &e->texter);
}

/* The network of `scratch` without a base: --arch, or one for pictures of this size. */
static tl_status make_own_net(tl_ctx *ctx, const tl_study *s, int64_t size, size_t net,
                              tl_candidate *c)
{
    if (s->data->schema) return make_table_net(ctx, s, net, c);
    const bool     small = (size ? size : data_side(s, INT64_MAX)) <= SMALL_SIDE;
    const tl_shape row   = data_row(s, size, small ? SMALL_SIDE : LARGE_SIDE);
    const char *text = s->q->base_arch ? s->q->base_arch : small ? small_net : large_net;
    tl_status   rc   = tl_arch_parse(ctx, text, row, s->data->classes, &c->arch);

    if (rc == TL_OK) prep_of_row(&c->arch, c->arch.row, &c->prep);
    return rc;
}

static tl_status make_baseline_net(tl_ctx *ctx, const tl_study *s, tl_candidate *c)
{
    const tl_shape row = data_row(s, 0, BASELINE_SIDE);
    tl_status      rc  = tl_baseline_arch(ctx, row, s->data->classes, &c->arch);

    if (rc == TL_OK) prep_of_row(&c->arch, row, &c->prep);
    return rc;
}

/* Pictures of files are kept decoded, at most as large as they are fed; arrays lie in
 * memory. */
static size_t cache_fill(const tl_study *s, const tl_prep *prep, size_t budget)
{
    const tl_dataset *d = s->data;

    if (d->rows == 0 || !d->row_name || !d->row_name[0]) return 0;
    return TL_MIN(tl_cache_full_bytes(d, prep, d->rows, s->slice[0].rest.count), budget);
}

static void say_cut(tl_study *s, const tl_texter *t, const tl_cache *cache)
{
    int64_t rows, tokens;

    tl_cache_cut(cache, &rows, &tokens);
    if (rows > 0)
        tl_study_warn(s, "%" PRId64 " of %" PRId64 " texts are longer than %" PRId64
                      " tokens: training leaves out the rest of them (%" PRId64 " tokens); "
                      "where they are asked, they are by windows.",
                      rows, s->data->rows, t->most, tokens);
}

tl_status tl_study_view(tl_ctx *ctx, tl_study *s, const tl_prep *prep, int *out)
{
    tl_status rc   = TL_OK;
    json_t   *mine = tl_prep_to_json(prep);

    for (*out = 0; *out < s->views; (*out)++) {
        json_t    *other = tl_prep_to_json(&s->view[*out].prep);
        const bool same  = json_equal(mine, other);
        json_decref(other);
        if (same) goto done;
    }
    TL_TRY(tl_realloc(ctx, (size_t)(s->views + 1) * sizeof *s->view, &s->view));
    tl_prepared *view   = &s->view[s->views];
    *view               = (tl_prepared){ .prep = *prep };
    const size_t budget = tl_study_memory(s) / 4 / (size_t)(s->bases + 1);
    view->fill_bytes    = cache_fill(s, prep, budget);
    const double before = tl_time_s();
    TL_TRY(tl_cache_new(ctx, s->data, prep, budget, &view->cache));
    s->views_s += tl_time_s() - before; /* texts are tokenised here */
    *out = s->views++;
    if (prep->text) say_cut(s, prep->text, view->cache);
done:
    json_decref(mine);
    return rc;
}

static void name_entry(const tl_study *s, tl_entry *e)
{
    const tl_model *base = e->base >= 0 ? s->base[e->base] : NULL;

    if (e->c.base)
        snprintf(e->label, sizeof e->label, "%s from %.100s", e->c.route->name,
                 tl_path_name(base->path));
    else if ((base && s->bases > 1) || tries_table_nets(s, e->c.route))
        snprintf(e->label, sizeof e->label, "%s of %.64s", e->c.route->name,
                 e->c.arch.name);
    else
        snprintf(e->label, sizeof e->label, "%s", e->c.route->name);
}

/* GPT-2's and Llama's heads have no bias: what a solved head needs. */
static tl_status leave_unsolvable(tl_ctx *ctx, tl_entry *e)
{
    bool      deep, solvable = true;
    tl_status rc = TL_OK;

    if (!e->c.prep.text || !e->c.base || !e->c.route->phase[0].solve) return TL_OK;
    rc = tl_arch_head(ctx, &e->c.arch, &deep, &solvable);
    if (rc != TL_OK || solvable) return rc;
    e->active = false;
    e->status = "not-run";
    snprintf(e->why, sizeof e->why, "The head of %s has no bias, which a solved head needs.",
             e->c.arch.family->name);
    return TL_OK;
}

/* `base` -1: none; `net` is of table_nets then.  A route that starts anew borrows only the base's
 * architecture; the baseline has its vectors of texts. */
static tl_status add_entry(tl_ctx *ctx, tl_study *s, const tl_route *route, int base, size_t net)
{
    const tl_model *from = base >= 0 ? s->base[base] : NULL;
    tl_status       rc;
    int64_t         size = 0;
    bool            made;
    tl_entry       *e;

    TL_TRY(tl_realloc(ctx, (size_t)(s->entries + 1) * sizeof *s->entry, &s->entry));
    e  = &s->entry[s->entries];
    *e = (tl_entry){ .c = { .route = route }, .base = base, .active = true, .trials = 1 };
    s->entries++;
    TL_TRY(wanted_size(ctx, s, route, &size));
    TL_TRY(tl_route_network(ctx, s->data, from, &e->c, &e->columns, &e->texter, &made));
    if (!made && tl_route_is_baseline(route)) TL_TRY(make_baseline_net(ctx, s, &e->c));
    else if (!made && s->data->text) TL_TRY(make_text_net(ctx, s, e));
    else if (!made) TL_TRY(make_own_net(ctx, s, size, net, &e->c));
    TL_TRY(tl_route_defaults(ctx, route, &e->c.arch, s->train_rows, &e->trial[0]));
    TL_TRY(tl_study_override(ctx, s, route, &e->trial[0]));
    e->c.hyper = e->trial[0];
    TL_TRY(tl_study_view(ctx, s, &e->c.prep, &e->view));
    name_entry(s, e);
    TL_TRY(leave_unsolvable(ctx, e));
done:
    return rc;
}

static bool same_arch(const tl_arch *a, const tl_arch *b)
{
    json_t    *x = tl_arch_to_json(a), *y = tl_arch_to_json(b);
    const bool same = json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return same;
}

/* Another base of the same architecture needs no second `scratch`. */
static bool is_first_of_arch(const tl_study *s, int base)
{
    for (int b = 0; b < base; b++)
        if (same_arch(&s->base[b]->arch, &s->base[base]->arch)) return false;
    return true;
}

/* Of texts also by the vectors of each base, where Tailor has the pooling that its folder asks. */
static tl_status add_nearest(tl_ctx *ctx, tl_study *s, const tl_route *route)
{
    tl_embed_how how;
    tl_status    rc = TL_OK;

    for (int b = 0; b < s->bases; b++) {
        if (!tl_nearest_fits(s->data, s->base[b])) continue;
        rc = tl_embedding_of(ctx, s->base[b], NULL, &how);
        if (rc == TL_EDATA) {
            tl_study_warn(s, "No baseline by the vectors of %s: %.300s.",
                          tl_path_name(s->base[b]->path), ctx->message);
            rc = TL_OK;
            continue;
        }
        TL_TRY(rc);
        TL_TRY(add_entry(ctx, s, route, b, 0));
    }
done:
    return rc;
}

tl_status tl_study_list(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;

    if (s->update.model) return tl_update_list(ctx, s);
    TL_TRY(check_routes(ctx, s));
    for (size_t i = 0; tl_route_at(i); i++) {
        const tl_route *route = tl_route_at(i);
        const bool      plain = tl_route_is_baseline(route);

        if (!is_asked(s, route)) continue;
        if (plain || (!route->needs_base && s->bases == 0)) {
            const size_t nets = tries_table_nets(s, route) ? TL_COUNT(table_nets) : 1;
            for (size_t n = 0; n < nets; n++) TL_TRY(add_entry(ctx, s, route, -1, n));
            if (plain) TL_TRY(add_nearest(ctx, s, route));
            continue;
        }
        for (int b = 0; b < s->bases; b++)
            if (route->needs_base || is_first_of_arch(s, b))
                TL_TRY(add_entry(ctx, s, route, b, 0));
    }
    if (s->entries == 0) TL_FAIL(TL_EUSAGE, "--routes", "no route applies (give --base)");
    if (s->entries > TL_PLAN_ITEMS)
        TL_FAIL(TL_EUSAGE, "--routes", "%d candidates are more than the %d one comparison takes "
                "(name fewer routes or bases; tailor rank orders bases)", s->entries,
                TL_PLAN_ITEMS);
done:
    return rc;
}

/* A head that begins anew is what every route from a base has; of pictures files bring one. */
static size_t fresh_in_body(const tl_model *base)
{
    size_t count = 0;

    for (size_t i = 0; i < base->loaded.n_fresh; i++) {
        const tl_param *p = tl_params_find(base->params, base->loaded.fresh[i]);
        count += !base->prep.text || !p || !p->head;
    }
    return count;
}

static void say_base(tl_study *s, const tl_model *base)
{
    char count[32];

    if (fresh_in_body(base) > 0)
        tl_study_warn(s, "%s: %zu tensors are new, %zu of the file are not used.",
                      tl_path_name(base->path), fresh_in_body(base),
                      base->loaded.n_unused);
    if (base->prep.text)
        tl_study_say(s, "base: %s, %s, %s parameters, texts of up to %" PRId64 " tokens (%s, %"
                     PRId64 " of them)", tl_path_name(base->path), base->arch.name,
                     tl_say_count(tl_params_numel(base->params, false), count),
                     base->prep.text->most, tl_tokenizer_kind(base->prep.text->tokenizer),
                     base->prep.text->size);
    else if (base->prep.table)
        tl_study_say(s, "base: %s, %s, %s parameters, rows of %" PRId64 " columns",
                     tl_path_name(base->path), base->arch.name,
                     tl_say_count(tl_params_numel(base->params, false), count),
                     base->prep.table->columns);
    else tl_study_say(s, "base: %s, %s, %s parameters, pictures of %" PRId64 " x %" PRId64,
                 tl_path_name(base->path), base->arch.name,
                 tl_say_count(tl_params_numel(base->params, false), count),
                 base->prep.width, base->prep.height);
}

/* image_size for all routes: convolutions take pictures of another size as they are. */
static tl_status resize_base(tl_ctx *ctx, const tl_study *s, tl_model *base)
{
    int64_t   size;
    tl_status rc = wanted_size(ctx, s, tl_route_find("full"), &size);

    if (rc != TL_OK || size == 0 || base->arch.row.ndim != 3) return rc;
    TL_TRY(tl_arch_resize(ctx, &base->arch, size, true));
    base->prep.resize_short =
        base->prep.resize_short * size / TL_MAX(1, base->prep.height);
    base->prep.height = base->prep.width = size;
done:
    return rc;
}

tl_status tl_study_open_bases(tl_ctx *ctx, tl_study *s)
{
    tl_status rc    = TL_OK;
    const int own   = s->update.model != NULL;
    int       count = own;

    while (s->q->base && s->q->base[count - own]) count++;
    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *s->base, &s->base));
    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)count + 1, sizeof *s->features, &s->features));
    if (s->update.model) {
        s->base[s->bases++] = s->update.model;
        say_base(s, s->update.model);
    }
    for (; s->bases < count; s->bases++) {
        TL_TRY(tl_model_open(ctx, s->q->base[s->bases - own], s->q->base_arch,
                             &s->base[s->bases]));
        TL_TRY(resize_base(ctx, s, s->base[s->bases]));
        if (s->base[s->bases]->prep.text && s->data->text)
            TL_TRY(tl_texter_take_columns(ctx, s->base[s->bases]->prep.text, s->data->text));
        say_base(s, s->base[s->bases]);
    }
done:
    return rc;
}

void tl_study_close_candidates(tl_ctx *ctx, tl_study *s)
{
    for (int i = 0; i < s->entries; i++) {
        tl_arch_free(ctx, &s->entry[i].c.arch);
        tl_schema_drop(ctx, s->entry[i].columns);
        tl_texter_drop(ctx, s->entry[i].texter);
    }
    for (int i = 0; i < s->views; i++) tl_cache_free(ctx, s->view[i].cache);
    tl_study_close_features(ctx, s);
    tl_study_close_kept(ctx, s);
    for (int i = 0; i < s->bases; i++) tl_model_free(ctx, s->base[i]);
    for (int i = 0; i < s->runs; i++) tl_study_run_end(ctx, &s->run[i]);
    for (int i = 0; i < s->parts; i++) tl_study_run_end(ctx, &s->part[i]);
    tl_free(ctx, s->run);
    tl_free(ctx, s->told);
    tl_free(ctx, s->part);
    tl_free(ctx, s->entry);
    tl_free(ctx, s->view);
    tl_free(ctx, s->base);
}

tl_status tl_study_part_hyper(tl_ctx *ctx, const tl_study *s, const tl_entry *e,
                              int64_t rows, tl_hyper *out)
{
    const tl_hyper *own = &e->trial[0], *chosen = &e->trial[e->chosen];
    tl_status       rc;

    TL_TRY(tl_route_defaults(ctx, e->c.route, &e->c.arch, rows, out));
    TL_TRY(tl_study_override(ctx, s, e->c.route, out));
    if (tl_entry_trained(e)) tl_study_shorten(out, tl_json_number(s->plan, "share", 1.0));
    if (own->optim.lr > 0.0) out->optim.lr *= chosen->optim.lr / own->optim.lr;
    if (own->optim.weight_decay > 0.0)
        out->optim.weight_decay *= chosen->optim.weight_decay / own->optim.weight_decay;
    if (own->batch < out->batch || own->shards != out->shards) { /* as memory allows */
        out->batch  = own->batch;
        out->shards = own->shards;
    }
    out->cached = own->cached;
done:
    return rc;
}

bool tl_entry_searched(const tl_entry *e)
{
    for (int i = 0; i < e->c.route->phases; i++)
        if (e->c.route->phase[i].which > TL_TRAIN_HEAD && !e->c.route->phase[i].solve)
            return true;
    return false;
}

/* Around the route's own rate, a factor of three apart, then its decay: where defaults
 * for a new data set are wrong, it is by that much (Bengio 2012). */
void tl_entry_add_trials(tl_entry *e, int trials)
{
    static const struct {
        double lr, decay;
    } around[TL_STUDY_TRIALS] = {
        { 1.0, 1.0 }, { 3.0, 1.0 }, { 1.0 / 3.0, 1.0 }, { 1.0, 10.0 }, { 3.0, 10.0 },
    };

    for (; e->trials < TL_MIN(trials, TL_STUDY_TRIALS); e->trials++) {
        tl_hyper *h = &e->trial[e->trials];
        *h          = e->trial[0];
        h->optim.lr *= around[e->trials].lr;
        h->optim.weight_decay *= around[e->trials].decay;
    }
}
