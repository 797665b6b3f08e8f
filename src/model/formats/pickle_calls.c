/* pickle_calls.c -- the few things a pickle may name: storages, the functions that
 * rebuild tensors, OrderedDict and torch.Size; and from the values to named weights.
 * Sources: torch/_utils.py, torch/serialization.py.  Floor 2, model. */
#include "model/formats/pickle.h"

#include <stdio.h>
#include <string.h>

typedef enum {
    CALL_NONE,
    CALL_ORDERED_DICT,
    CALL_SIZE,
    CALL_TENSOR,
    CALL_PARAMETER
} call;

struct tl_pickle_global {
    const char *module, *name;
    call        call;
    const char *dtype; /* of a storage class; else NULL */
};

static const tl_pickle_global globals[] = {
    { "collections", "OrderedDict", CALL_ORDERED_DICT, NULL },
    { "torch", "Size", CALL_SIZE, NULL },
    { "torch._utils", "_rebuild_tensor", CALL_TENSOR, NULL },
    { "torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, NULL },
    { "torch._utils", "_rebuild_parameter", CALL_PARAMETER, NULL },
    { "torch", "FloatStorage", CALL_NONE, "F32" },
    { "torch", "HalfStorage", CALL_NONE, "F16" },
    { "torch", "BFloat16Storage", CALL_NONE, "BF16" },
    { "torch", "DoubleStorage", CALL_NONE, "F64" },
    { "torch", "LongStorage", CALL_NONE, "I64" },
    { "torch", "IntStorage", CALL_NONE, "I32" },
    { "torch", "ShortStorage", CALL_NONE, "I16" },
    { "torch", "CharStorage", CALL_NONE, "I8" },
    { "torch", "ByteStorage", CALL_NONE, "U8" },
    { "torch", "BoolStorage", CALL_NONE, "BOOL" },
    { "torch", "UntypedStorage", CALL_NONE, "U8" },
    { "torch.storage", "UntypedStorage", CALL_NONE, "U8" },
};

enum { NAME_MOST = 1024, DEPTH_MOST = 64, VISITS_MOST = 1 << 20, AXES_MOST = 64 };

static bool is_text(const tl_pickle_value *v, const char *text)
{
    return v->kind == TL_PK_TEXT && v->text.bytes == strlen(text) &&
           memcmp(v->text.at, text, v->text.bytes) == 0;
}

tl_status tl_pickle_find(tl_ctx *ctx, const tl_pickle *p, const tl_pickle_value *module,
                         const tl_pickle_value *name, const tl_pickle_global **out)
{
    tl_place a, b;

    *out = NULL;
    if (module->kind != TL_PK_TEXT || name->kind != TL_PK_TEXT)
        return tl_pickle_bad(ctx, p,
                             "names a global without a name (fetch the file again)");
    for (size_t i = 0; i < TL_COUNT(globals); i++) {
        if (!is_text(module, globals[i].module) || !is_text(name, globals[i].name))
            continue;
        *out = &globals[i];
        return TL_OK;
    }
    return tl_pickle_bad(
        ctx, p,
        "asks to call %s.%s (refused: Tailor never runs code in a weight "
        "file; save it as safetensors)",
        tl_place_name(&a, module->text.at, module->text.bytes),
        tl_place_name(&b, name->text.at, name->text.bytes));
}

static tl_status bad_call(tl_ctx *ctx, const tl_pickle *p, const char *name)
{
    return tl_pickle_bad(
        ctx, p, "calls %s with the wrong arguments (save it as safetensors)", name);
}

/* OrderedDict() is empty; Python 2 gives it a list of [key, value]. */
static tl_status call_ordered_dict(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *args,
                                   tl_pickle_value *out)
{
    const tl_pickle_value *list = args->count ? args->item[0] : NULL;
    tl_status              rc;

    *out = (tl_pickle_value){ .kind = TL_PK_DICT };
    if (args->count == 0) return TL_OK;
    if (args->count != 1 || list->kind != TL_PK_LIST)
        return bad_call(ctx, p, "OrderedDict");
    rc = tl_pickle_make(ctx, p, 2 * list->count * sizeof *out->item, &out->item);
    if (rc != TL_OK) return rc;
    for (uint32_t i = 0; i < list->count; i++) {
        const tl_pickle_value *pair = list->item[i];
        if ((pair->kind != TL_PK_LIST && pair->kind != TL_PK_TUPLE) || pair->count != 2)
            return bad_call(ctx, p, "OrderedDict");
        memcpy(out->item + 2 * i, pair->item, 2 * sizeof *out->item);
    }
    out->count = out->room = 2 * list->count;
    return TL_OK;
}

static tl_status read_axes(tl_ctx *ctx, const tl_pickle *p, const tl_pickle_value *v,
                           int64_t axis[AXES_MOST])
{
    if ((v->kind != TL_PK_TUPLE && v->kind != TL_PK_LIST) || v->count > AXES_MOST)
        return bad_call(ctx, p, "_rebuild_tensor");
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->item[i]->kind != TL_PK_INT || v->item[i]->i < 0)
            return bad_call(ctx, p, "_rebuild_tensor");
        axis[i] = v->item[i]->i;
    }
    return TL_OK;
}

/* _rebuild_tensor(storage, offset, size, stride, ...): the rest (requires_grad, hooks)
 * does not change values.  The last element must lie in the storage. */
static tl_status call_tensor(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *args,
                             tl_pickle_value *out)
{
    int64_t           size[AXES_MOST], stride[AXES_MOST], count, last;
    tl_pickle_tensor *t;
    tl_status         rc;

    if (args->count < 4 || args->item[0]->kind != TL_PK_STORAGE ||
        args->item[1]->kind != TL_PK_INT || args->item[1]->i < 0 ||
        args->item[2]->count != args->item[3]->count)
        return bad_call(ctx, p, "_rebuild_tensor");
    rc = tl_pickle_make(ctx, p, sizeof *t, &t);
    if (rc == TL_OK) rc = read_axes(ctx, p, args->item[2], size);
    if (rc == TL_OK) rc = read_axes(ctx, p, args->item[3], stride);
    if (rc != TL_OK) return rc;
    t->storage = args->item[0]->storage;
    t->offset  = args->item[1]->i;
    t->ndim    = (int)args->item[2]->count;
    if (!tl_weight_count(size, (size_t)t->ndim, t->storage->type->bytes, &count))
        return tl_pickle_bad(ctx, p, "a tensor of giant shape (fetch the file again)");
    last = t->offset;
    for (int d = 0; count > 0 && d < t->ndim; d++) {
        if (size[d] > 1 && stride[d] > (INT64_MAX - last) / (size[d] - 1))
            return tl_pickle_bad(ctx, p,
                                 "a tensor of giant strides (fetch the file again)");
        last += stride[d] * (size[d] - 1);
    }
    if (count > 0 && last >= t->storage->numel)
        return tl_pickle_bad(ctx, p,
                             "a tensor reaches element %" PRId64
                             " of a storage of %" PRId64 " (fetch the file again)",
                             last, t->storage->numel);
    if (count == 0 || t->ndim > TL_DIMS) t->ndim = -1;
    for (int d = 0; d < t->ndim; d++) t->shape[d] = size[d], t->stride[d] = stride[d];
    *out = (tl_pickle_value){ .kind = TL_PK_TENSOR, .tensor = t };
    return TL_OK;
}

tl_status tl_pickle_call(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *callee,
                         const tl_pickle_value *args, tl_pickle_value *out)
{
    if (callee->kind != TL_PK_GLOBAL || args->kind != TL_PK_TUPLE ||
        callee->global->call == CALL_NONE)
        return tl_pickle_bad(ctx, p, "calls what is no function (refused: save it as "
                             "safetensors)");
    switch (callee->global->call) {
    case CALL_ORDERED_DICT: return call_ordered_dict(ctx, p, args, out);
    case CALL_TENSOR: return call_tensor(ctx, p, args, out);
    case CALL_SIZE:
        if (args->count != 1 || (args->item[0]->kind != TL_PK_TUPLE &&
                                 args->item[0]->kind != TL_PK_LIST))
            return bad_call(ctx, p, "torch.Size");
        break;
    default:
        if (args->count < 1 || args->item[0]->kind != TL_PK_TENSOR)
            return bad_call(ctx, p, "_rebuild_parameter");
    }
    *out = *args->item[0];
    return TL_OK;
}

/* The sixth part of a legacy storage: None, or (view key, offset, size) of a view. */
static tl_status read_view(tl_ctx *ctx, const tl_pickle *p, const tl_pickle_value *v,
                           tl_pickle_storage *s)
{
    if (v->kind == TL_PK_NONE) return TL_OK;
    if (v->kind != TL_PK_TUPLE || v->count != 3 || v->item[1]->kind != TL_PK_INT ||
        v->item[2]->kind != TL_PK_INT || v->item[1]->i < 0 || v->item[2]->i < 0 ||
        v->item[1]->i > s->numel || v->item[2]->i > s->numel - v->item[1]->i)
        return bad_call(ctx, p, "a storage view");
    s->view = v->item[1]->i;
    return TL_OK;
}

/* ("storage", class, key, location, numel[, view]) */
tl_status tl_pickle_persistent(tl_ctx *ctx, tl_pickle *p, const tl_pickle_value *id,
                               tl_pickle_value *out)
{
    const tl_pickle_global *class;
    tl_pickle_storage      *s;
    tl_status               rc;

    if (id->kind != TL_PK_TUPLE || id->count < 5 || id->count > 6 ||
        !is_text(id->item[0], "storage") || id->item[1]->kind != TL_PK_GLOBAL ||
        id->item[2]->kind != TL_PK_TEXT || id->item[4]->kind != TL_PK_INT)
        return tl_pickle_bad(ctx, p,
                             "names a storage in no known way (save it as safetensors)");
    class = id->item[1]->global;
    if (!class->dtype || id->item[4]->i < 0) return bad_call(ctx, p, "a storage");
    rc = tl_pickle_make(ctx, p, sizeof *s, &s);
    if (rc != TL_OK) return rc;
    s->type      = tl_weight_dtype_find(class->dtype);
    s->key       = id->item[2]->text.at;
    s->key_bytes = id->item[2]->text.bytes;
    s->numel     = id->item[4]->i;
    s->at        = tl_pickle_step(p);
    if (s->numel > INT64_MAX / (int64_t)s->type->bytes)
        return bad_call(ctx, p, "a storage");
    if (id->count == 6) rc = read_view(ctx, p, id->item[5], s);
    if (rc == TL_OK) rc = tl_pickle_note(ctx, p, s);
    *out = (tl_pickle_value){ .kind = TL_PK_STORAGE, .storage = s };
    return rc;
}

tl_pickle_value *tl_pickle_get(const tl_pickle_value *dict, const char *key)
{
    if (dict->kind != TL_PK_DICT) return NULL;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2)
        if (is_text(dict->item[i], key)) return dict->item[i + 1];
    return NULL;
}

/* What a walk over nested dicts carries; visits bound dicts that share dicts. */
typedef struct {
    const char *where;
    char        name[NAME_MOST];
    size_t      used;
    int         depth;
    int64_t     visits;
    tl_weights *out;
} walk;

static tl_status add_tensor(tl_ctx *ctx, walk *at, const tl_pickle_tensor *t)
{
    const tl_pickle_storage *s      = t->storage;
    const int64_t            offset = t->offset + s->view;
    tl_weight               *w;
    const tl_status          rc = tl_weights_add(ctx, at->out, at->name, at->used, &w);

    if (rc != TL_OK) return rc;
    snprintf(w->dtype, sizeof w->dtype, "%s", s->type->name);
    w->shape.ndim = t->ndim;
    for (int d = 0; d < t->ndim; d++) {
        w->shape.dim[d] = t->shape[d];
        w->stride[d]    = t->stride[d];
    }
    if (t->ndim < 0) return TL_OK;
    if (offset >= s->numel || !s->data)
        return tl_fail(ctx, TL_EDATA, at->where,
                       "tensor \"%.200s\" leaves its storage (fetch "
                       "the file again)",
                       w->name);
    w->data  = s->data + (size_t)offset * s->type->bytes;
    w->bytes = (size_t)(s->numel - offset) * s->type->bytes;
    return TL_OK;
}

/* ".key" behind the name so far; zero bytes in a key would hide what follows. */
static tl_status add_key(tl_ctx *ctx, walk *at, const tl_pickle_value *key)
{
    char          number[32];
    const void   *from  = number;
    size_t        bytes = 0;

    if (key->kind == TL_PK_TEXT) from = key->text.at, bytes = key->text.bytes;
    if (key->kind == TL_PK_INT)
        bytes = (size_t)snprintf(number, sizeof number, "%" PRId64, key->i);
    if ((key->kind != TL_PK_TEXT && key->kind != TL_PK_INT) ||
        (bytes && memchr(from, 0, bytes)) || at->used + bytes + 2 > sizeof at->name)
        return tl_fail(ctx, TL_EDATA, at->where,
                       "names a tensor in no usable way (save it as safetensors)");
    if (at->used) at->name[at->used++] = '.';
    if (bytes) memcpy(at->name + at->used, from, bytes);
    at->used += bytes;
    return TL_OK;
}

static tl_status walk_dict(tl_ctx *ctx, walk *at, const tl_pickle_value *dict)
{
    const size_t used = at->used;
    tl_status    rc   = TL_OK;

    if (++at->depth > DEPTH_MOST)
        TL_FAIL(TL_EDATA, at->where,
                "dicts nested over %d deep (refused: save it as safetensors)",
                DEPTH_MOST);
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        const tl_pickle_value *v = dict->item[i + 1];
        if (++at->visits > VISITS_MOST)
            TL_FAIL(TL_ELIMIT, at->where,
                    "over %d entries (refused: save it as safetensors)", VISITS_MOST);
        if (v->kind != TL_PK_TENSOR && v->kind != TL_PK_DICT) continue;
        TL_TRY(add_key(ctx, at, dict->item[i]));
        TL_TRY(v->kind == TL_PK_DICT ? walk_dict(ctx, at, v)
                                     : add_tensor(ctx, at, v->tensor));
        at->used = used;
    }
    at->depth--;
done:
    return rc;
}

/* Into {"state_dict": ...} and the like: the rest is an optimiser's, or a score. */
static const tl_pickle_value *unwrap(const tl_pickle_value *top)
{
    static const char *const wrappers[] = { "state_dict", "model_state_dict",
                                            "model",      "module",
                                            "net",        "weights" };

    for (int depth = 0; depth < 4; depth++) {
        const tl_pickle_value *inner = NULL;
        for (size_t i = 0; !inner && i < TL_COUNT(wrappers); i++) {
            inner = tl_pickle_get(top, wrappers[i]);
            if (inner && inner->kind != TL_PK_DICT) inner = NULL;
        }
        if (!inner) break;
        top = inner;
    }
    return top;
}

tl_status tl_pickle_weights(tl_ctx *ctx, const char *where, const tl_pickle_value *top,
                            tl_weights *out)
{
    walk at = { .where = where, .out = out };

    if (top->kind != TL_PK_DICT)
        return tl_fail(
            ctx, TL_EDATA, where,
            "holds no dict of tensors (save model.state_dict() as safetensors)");
    return walk_dict(ctx, &at, unwrap(top));
}
