/* weights_load.c -- from a file's tensors into a network's parameters, under the family's
 * naming schemes, and the report of what went where.  Floor 2, model. */
#include "model/formats/formats.h"

#include <math.h>
#include <string.h>

enum { NAME_MOST = 512 };

/* Rows [row, ...) of a tensor of the file; tensor -1: nothing. */
typedef struct { int32_t tensor; int64_t row; } piece;

typedef struct {
    const tl_weights   *w;
    const char         *where;
    tl_params          *params;
    const tl_names_map *map;
    piece              *source; /* [params->count] what goes there */
} matching;

/* Counters of training that no network computes with. */
static bool is_counter(const char *name)
{
    return tl_ends_with(name, "num_batches_tracked");
}

/* The same numbers in the same order: shapes equal but for axes of 1 (a 1x1 convolution
 * is a dense layer), a dense layer over the window of a convolution of one channel, or a
 * product whose rows are seen as heads of two halves. */
static bool fits(const tl_shape *a, const tl_shape *b)
{
    int i = 0, j = 0;

    if (a->ndim < 0 || b->ndim < 0) return false;
    if (a->ndim == 2 && b->ndim == 4 && b->dim[1] == 1 && a->dim[0] == b->dim[0])
        return a->dim[1] == b->dim[2] * b->dim[3];
    if (a->ndim == 4 && b->ndim == 2 && a->dim[1] == 2 && a->dim[3] == b->dim[1])
        return a->dim[0] * 2 * a->dim[2] == b->dim[0];
    for (;;) {
        while (i < a->ndim && a->dim[i] == 1) i++;
        while (j < b->ndim && b->dim[j] == 1) j++;
        if (i == a->ndim || j == b->ndim) return i == a->ndim && j == b->ndim;
        if (a->dim[i++] != b->dim[j++]) return false;
    }
}

/* The shape that files hold of p. */
static tl_shape filed(const tl_param *p)
{
    return p->turned ? TL_SHAPE(p->shape.dim[1], p->shape.dim[0]) : p->shape;
}

/* True where p's rows lie in a tensor of this shape from `row` on. */
static bool holds(const tl_shape *tensor, const tl_param *p, int64_t row)
{
    const tl_shape want = filed(p);

    if (row == 0 && fits(tensor, &want)) return true;
    if (p->turned || tensor->ndim < 1 || tensor->ndim != want.ndim) return false;
    for (int i = 1; i < want.ndim; i++)
        if (tensor->dim[i] != want.dim[i]) return false;
    return want.dim[0] <= tensor->dim[0] - row;
}

/* The k-th parameter that a tensor of the file goes to, by name; NULL: none. */
static const tl_param *target(const matching *m, const tl_names_map *map, const char *name,
                              int k)
{
    char ours[NAME_MOST], part[NAME_MOST];

    if (is_counter(name) || !tl_names_apply(map, name, ours, sizeof ours) ||
        !tl_names_part(ours, k, part, sizeof part))
        return NULL;
    return tl_params_find(m->params, part);
}

/* Whether a tensor finds all its parameters, and they make it up. */
static bool finds_all(const matching *m, const tl_names_map *map, const tl_weight *w)
{
    const tl_param *p;
    int64_t         row = 0;
    int             k   = 0;

    for (; (p = target(m, map, w->name, k)); k++) {
        if (!holds(&w->shape, p, row)) return false;
        row += filed(p).ndim ? filed(p).dim[0] : 1;
    }
    return k == 1 || (k > 1 && row == w->shape.dim[0]);
}

/* The scheme under which most tensors find a parameter of their shape. */
static tl_status choose_scheme(tl_ctx *ctx, const tl_family *family, matching *m)
{
    size_t best = 0;

    for (size_t k = 0; k < family->n_maps; k++) {
        size_t score = 0;
        for (size_t i = 0; i < m->w->count; i++)
            score += finds_all(m, &family->maps[k], &m->w->weight[i]);
        if (score <= best) continue;
        best   = score;
        m->map = &family->maps[k];
    }
    if (!m->map)
        return tl_fail(
            ctx, TL_EDATA, m->where,
            "none of its %zu tensors belongs to the network %s (name another --arch)",
            m->w->count, family->name);
    return TL_OK;
}

static tl_status match(tl_ctx *ctx, matching *m)
{
    const tl_param *p;
    tl_place        who;
    tl_status       rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)m->params->count, sizeof *m->source, &m->source));
    for (int32_t i = 0; i < m->params->count; i++) m->source[i].tensor = -1;
    for (size_t i = 0; i < m->w->count; i++) {
        const char *name = m->w->weight[i].name;
        int64_t     row  = 0;
        for (int k = 0; (p = target(m, m->map, name, k)); k++) {
            piece *s = &m->source[p - m->params->param];
            if (s->tensor >= 0)
                TL_FAIL(TL_EDATA, m->where,
                        "two tensors, one of them \"%s\", are for %s (mend the "
                        "file)",
                        tl_place_name(&who, name, strlen(name)), p->name);
            *s = (piece){ (int32_t)i, row };
            row += filed(p).ndim ? filed(p).dim[0] : 1;
        }
    }
done:
    return rc;
}

/* A head that does not fit is left fresh as a whole; anything else that does not is an
 * error. */
static tl_status check_fit(tl_ctx *ctx, matching *m)
{
    bool fresh_head = false;
    char had[96], needs[96];

    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i];
        const piece     s = m->source[i];
        if (s.tensor >= 0 && holds(&m->w->weight[s.tensor].shape, p, s.row)) continue;
        if (p->head) {
            fresh_head = true;
            continue;
        }
        if (s.tensor < 0 && p->optional) continue;
        if (s.tensor < 0)
            return tl_fail(ctx, TL_EDATA, m->where,
                           "has no tensor for %s (the file and the network differ: name "
                           "another --arch)", p->name);
        const tl_shape want = filed(p);
        tl_say_shape(&m->w->weight[s.tensor].shape, had);
        tl_say_shape(&want, needs);
        return tl_fail(ctx, TL_EDATA, m->where,
                       "%s is %s, the network needs %s (name another "
                       "--arch)",
                       p->name, had, needs);
    }
    for (int32_t i = 0; fresh_head && i < m->params->count; i++)
        if (m->params->param[i].head) m->source[i].tensor = -1;
    return TL_OK;
}

/* Part of a tensor, or one that lies the other way round, goes through a copy of all of it. */
static tl_status read_part(tl_ctx *ctx, const tl_weight *w, const tl_param *p, int64_t row,
                           float *value)
{
    const int64_t count = tl_shape_count(&w->shape);
    const int64_t wide  = w->shape.ndim ? count / w->shape.dim[0] : 1;
    float        *all   = NULL;
    tl_status     rc;

    if (count == p->count && !p->turned) return tl_weight_read(ctx, w, value);
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *all, &all));
    TL_TRY(tl_weight_read(ctx, w, all));
    if (p->turned)
        for (int64_t i = 0; i < p->count; i++)
            value[i] = all[i % p->shape.dim[1] * p->shape.dim[0] + i / p->shape.dim[1]];
    else
        memcpy(value, all + row * wide, (size_t)p->count * sizeof *value);
done:
    tl_free(ctx, all);
    return rc;
}

static tl_status copy_values(tl_ctx *ctx, const matching *m, const tl_param *p, piece source)
{
    float    *value = tl_params_value(m->params, p);
    tl_status rc    = read_part(ctx, &m->w->weight[source.tensor], p, source.row, value);

    for (int64_t i = 0; rc == TL_OK && i < p->count; i++)
        if (!isfinite(value[i]))
            rc = tl_fail(ctx, TL_EDATA, m->where, "%s holds a value that is not a number "
                         "(fetch or train the file again)", p->name);
    return rc;
}

static tl_status list_name(tl_ctx *ctx, const char *name, char **list, size_t *count)
{
    const tl_status rc = tl_strdup(ctx, name, &list[*count]);

    if (rc == TL_OK) ++*count;
    return rc;
}

static tl_status fill_report(tl_ctx *ctx, const matching *m, tl_load_report *r)
{
    const size_t params = (size_t)m->params->count;
    bool        *used   = NULL; /* [w->count] */
    tl_status    rc;

    r->scheme = m->map->scheme;
    TL_TRY(tl_alloc_array(ctx, m->w->count, sizeof *used, &used));
    TL_TRY(tl_alloc_array(ctx, params, sizeof *r->loaded, &r->loaded));
    TL_TRY(tl_alloc_array(ctx, params, sizeof *r->fresh, &r->fresh));
    TL_TRY(tl_alloc_array(ctx, m->w->count, sizeof *r->unused, &r->unused));
    for (size_t i = 0; i < params; i++) {
        const bool have = m->source[i].tensor >= 0;
        if (have) used[m->source[i].tensor] = true;
        TL_TRY(list_name(ctx, m->params->param[i].name, have ? r->loaded : r->fresh,
                         have ? &r->n_loaded : &r->n_fresh));
    }
    for (size_t i = 0; i < m->w->count; i++) {
        const char *name = m->w->weight[i].name;
        if (is_counter(name) || used[i]) continue;
        TL_TRY(list_name(ctx, name, r->unused, &r->n_unused));
    }
done:
    tl_free(ctx, used);
    return rc;
}

void tl_load_report_free(tl_ctx *ctx, tl_load_report *r)
{
    for (size_t i = 0; i < r->n_loaded; i++) tl_free(ctx, r->loaded[i]);
    for (size_t i = 0; i < r->n_fresh; i++) tl_free(ctx, r->fresh[i]);
    for (size_t i = 0; i < r->n_unused; i++) tl_free(ctx, r->unused[i]);
    tl_free(ctx, r->loaded);
    tl_free(ctx, r->fresh);
    tl_free(ctx, r->unused);
    *r = (tl_load_report){ 0 };
}

tl_status tl_weights_load(tl_ctx *ctx, const tl_weights *w, const char *where,
                          const tl_arch *arch, tl_params *params, tl_load_report *report)
{
    matching       m = { .w = w, .where = where, .params = params };
    tl_load_report r = { 0 };
    tl_status      rc;

    *report = (tl_load_report){ 0 };
    TL_TRY(choose_scheme(ctx, arch->family, &m));
    TL_TRY(match(ctx, &m));
    TL_TRY(check_fit(ctx, &m));
    for (int32_t i = 0; i < params->count; i++)
        if (m.source[i].tensor >= 0)
            TL_TRY(copy_values(ctx, &m, &params->param[i], m.source[i]));
    TL_TRY(fill_report(ctx, &m, &r));
    *report = r;
    r       = (tl_load_report){ 0 };
done:
    tl_free(ctx, m.source);
    tl_load_report_free(ctx, &r);
    return rc;
}

tl_status tl_weights_outputs(tl_ctx *ctx, const tl_weights *w, const char *where,
                             const tl_arch *arch, int64_t *outputs)
{
    matching  m = { .w = w, .where = where };
    tl_status rc;

    *outputs = 0;
    TL_TRY(tl_arch_params(ctx, arch, &m.params));
    TL_TRY(choose_scheme(ctx, arch->family, &m));
    TL_TRY(match(ctx, &m));
    for (int32_t i = 0; i < m.params->count; i++) {
        const tl_param *p = &m.params->param[i];
        if (!p->head || m.source[i].tensor < 0) continue;
        const tl_shape *shape = &w->weight[m.source[i].tensor].shape;
        if (shape->ndim > 0) *outputs = shape->dim[0];
    }
done:
    tl_free(ctx, m.source);
    tl_params_free(ctx, m.params);
    return rc;
}
