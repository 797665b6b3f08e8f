/* hyper.c -- the fields of a candidate by name: to JSON, and set from the command line.
 * Floor 3, train. */
#include "core/text.h"
#include "train/candidate.h"

#include <math.h>
#include <string.h>

typedef enum {
    NAME_OPTIMIZER, NAME_SCHEDULE, NAME_AUGMENT, NAME_SCALING, REAL, COUNT, FLAG, TARGETS
} kind;

typedef struct {
    const char *name;
    kind        what;
    size_t      at;
    double      low, high; /* of reals and counts */
} field;

#define AT(member) offsetof(tl_hyper, member)
static const field fields[] = {
    { "optimizer", NAME_OPTIMIZER, AT(optimizer), 0, 0 },
    { "schedule", NAME_SCHEDULE, AT(schedule), 0, 0 },
    { "augment", NAME_AUGMENT, AT(augment), 0, 0 },
    { "scaling", NAME_SCALING, AT(scaling), 0, 0 },
    { "optim.lr", REAL, AT(optim.lr), 0, 1e6 },
    { "optim.momentum", REAL, AT(optim.momentum), 0, 0.9999 },
    { "optim.nesterov", FLAG, AT(optim.nesterov), 0, 0 },
    { "optim.beta1", REAL, AT(optim.beta1), 0, 0.9999 },
    { "optim.beta2", REAL, AT(optim.beta2), 0, 0.999999 },
    { "optim.eps", REAL, AT(optim.eps), 1e-30, 1 },
    { "optim.weight_decay", REAL, AT(optim.weight_decay), 0, 100 },
    { "head_rate", REAL, AT(head_rate), 0, 1e6 },
    { "epochs", REAL, AT(epochs), 1e-6, 1e6 },
    { "least_steps", COUNT, AT(least_steps), 0, 1e9 },
    { "steps", COUNT, AT(steps), 0, 1e9 },
    { "batch", COUNT, AT(batch), 1, 1e6 },
    { "shards", COUNT, AT(shards), 1, 1e6 },
    { "warmup", REAL, AT(warmup), 0, 1 },
    { "clip", REAL, AT(clip), 0, 1e9 },
    { "smoothing", REAL, AT(smoothing), 0, 0.999 },
    { "dropout", REAL, AT(dropout), -1, 0.999 },
    { "patience", REAL, AT(patience), 0, 1e6 },
    { "l2_head", REAL, AT(l2_head), -1, 1e9 },
    { "frozen_norm", FLAG, AT(frozen_norm), 0, 0 },
    { "class_weights", FLAG, AT(class_weights), 0, 0 },
    { "trees.most", COUNT, AT(trees.most), 1, 100000 },
    { "trees.leaves", COUNT, AT(trees.leaves), 2, 4096 },
    { "trees.least_rows", COUNT, AT(trees.least_rows), 1, 1e9 },
    { "trees.patience", COUNT, AT(trees.patience), 0, 100000 },
    { "trees.rate", REAL, AT(trees.rate), 1e-6, 1 },
    { "trees.l2", REAL, AT(trees.l2), 0, 1e9 },
    { "image_size", COUNT, AT(image_size), 0, 4096 },
    { "top_blocks", COUNT, AT(top_blocks), 0, 1e6 },
    { "cached", FLAG, AT(cached), 0, 0 },
    { "stages", COUNT, AT(stages), 0, 1e6 },
    { "depth_rate", REAL, AT(depth_rate), 1, 1e6 },
    { "anchor", REAL, AT(anchor), 0, 1e6 },
    { "anchor_head", REAL, AT(anchor_head), 0, 1e6 },
    { "shrink", REAL, AT(shrink), 0, 1 },
    { "perturb", REAL, AT(perturb), 0, 1e3 },
    { "average", REAL, AT(average), 0, 1 },
    { "replay", REAL, AT(replay), 0, 1e6 },
    { "ema", REAL, AT(ema), 0, 0.999999 },
    { "mixup", REAL, AT(mixup), 0, 100 },
    { "cutmix", REAL, AT(cutmix), 0, 100 },
    { "erase", REAL, AT(erase), -1, 1 },
    { "pretrain_epochs", REAL, AT(pretrain_epochs), 0, 1e6 },
    { "mask", REAL, AT(mask), 0.01, 0.99 },
    { "block", COUNT, AT(block), 0, 1 << 20 },
    { "whole_words", FLAG, AT(whole_words), 0, 0 },
    { "teacher_epochs", REAL, AT(teacher_epochs), 0, 1e6 },
    { "temperature", REAL, AT(temperature), 0.01, 1e3 },
    { "distill", REAL, AT(distill), 0, 1 },
    { "balanced", FLAG, AT(balanced), 0, 0 },
    { "retry", FLAG, AT(retry), 0, 0 },
    { "lora.r", COUNT, AT(adapt.r), 1, 4096 },
    { "lora.alpha", REAL, AT(adapt.alpha), 1e-6, 1e6 },
    { "lora.dropout", REAL, AT(adapt.dropout), 0, 0.99 },
    { "lora.targets", TARGETS, AT(adapt.targets), 0, 0 },
};

const char *tl_hyper_field_at(size_t i)
{
    return i < TL_COUNT(fields) ? fields[i].name : NULL;
}

static const char *optimizer_at(size_t i)
{
    return tl_optimizer_at(i) ? tl_optimizer_at(i)->name : NULL;
}

static const char *schedule_at(size_t i)
{
    return tl_schedule_at(i) ? tl_schedule_at(i)->name : NULL;
}

static tl_status set_name(tl_ctx *ctx, const char *dotted, const char *value,
                          tl_name_at at, const char **out)
{
    tl_text     known = tl_text_make(ctx);
    const char *meant = tl_did_you_mean(value, at);
    tl_status   rc;

    for (size_t i = 0; at(i); i++) {
        if (strcmp(at(i), value) == 0) {
            *out = at(i);
            tl_text_free(&known);
            return TL_OK;
        }
        tl_text_printf(&known, "%s%s", i ? ", " : "", at(i));
    }
    if (meant)
        rc = tl_fail(ctx, TL_EUSAGE, dotted, "\"%.40s\" is not known (did you mean %s?)",
                     value, meant);
    else
        rc = tl_fail(ctx, TL_EUSAGE, dotted, "\"%.40s\" is not known (one of %s)", value,
                     known.text ? known.text : "");
    tl_text_free(&known);
    return rc;
}

static tl_status set_number(tl_ctx *ctx, const field *f, const char *value, void *at)
{
    double  real;
    int64_t whole;

    if (f->what == COUNT) {
        if (!tl_parse_int(value, &whole) || (double)whole < f->low ||
            (double)whole > f->high)
            return tl_fail(ctx, TL_EUSAGE, f->name,
                           "\"%.40s\" is no whole number from %g to %g (give one)", value,
                           f->low, f->high);
        memcpy(at, &whole, sizeof whole);
        return TL_OK;
    }
    if (!tl_parse_double(value, &real) || !(real >= f->low) || real > f->high)
        return tl_fail(ctx, TL_EUSAGE, f->name,
                       "\"%.40s\" is no number from %g to %g (give one)", value, f->low,
                       f->high);
    memcpy(at, &real, sizeof real);
    return TL_OK;
}

static tl_status set_flag(tl_ctx *ctx, const field *f, const char *value, void *at)
{
    const bool on = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

    if (!on && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return tl_fail(ctx, TL_EUSAGE, f->name,
                       "\"%.40s\" is neither true nor false (say one of them)", value);
    memcpy(at, &on, sizeof on);
    return TL_OK;
}

static tl_status set_targets(tl_ctx *ctx, const field *f, const char *value, void *at)
{
    if (!*value || strlen(value) >= TL_TARGETS_BYTES)
        return tl_fail(ctx, TL_EUSAGE, f->name,
                       "\"%.40s\" is not \"all\" or a list of ends of layer names (as in "
                       "query,value)", value);
    memset(at, 0, TL_TARGETS_BYTES);
    memcpy(at, value, strlen(value));
    return TL_OK;
}

/* Another optimiser wants another rate: the route's, as it would be for this one. */
static tl_status set_optimizer(tl_ctx *ctx, tl_hyper *h, const char *dotted,
                               const char *value)
{
    const tl_optimizer *before = h->optimizer ? tl_optimizer_find(h->optimizer) : NULL;
    const tl_status     rc     = set_name(ctx, dotted, value, optimizer_at, &h->optimizer);
    const tl_optimizer *o      = rc == TL_OK ? tl_optimizer_find(h->optimizer) : NULL;

    if (!o || o == before) return rc;
    if (before && !h->lr_given) h->optim.lr *= o->rate / before->rate;
    if (o->momentum > 0.0 && !h->momentum_given) h->optim.momentum = o->momentum;
    if (o->beta2 > 0.0 && !h->beta2_given) h->optim.beta2 = o->beta2;
    return rc;
}

static tl_status set_field(tl_ctx *ctx, tl_hyper *h, const field *f, const char *value)
{
    void *at = (char *)h + f->at;

    switch (f->what) {
    case NAME_OPTIMIZER: return set_optimizer(ctx, h, f->name, value);
    case NAME_SCHEDULE: return set_name(ctx, f->name, value, schedule_at, at);
    case NAME_AUGMENT: return set_name(ctx, f->name, value, tl_augment_name_at, at);
    case NAME_SCALING: return set_name(ctx, f->name, value, tl_scaling_name, at);
    case FLAG: return set_flag(ctx, f, value, at);
    case TARGETS: return set_targets(ctx, f, value, at);
    default: return set_number(ctx, f, value, at);
    }
}

tl_status tl_hyper_set(tl_ctx *ctx, tl_hyper *h, const char *dotted, const char *value)
{
    const char *meant;

    /* Epochs that were asked for are not raised on small data. */
    if (strcmp(dotted, "epochs") == 0) h->least_steps = 0;
    h->lr_given |= strcmp(dotted, "optim.lr") == 0;
    h->momentum_given |= strcmp(dotted, "optim.momentum") == 0;
    h->beta2_given |= strcmp(dotted, "optim.beta2") == 0;
    for (size_t i = 0; i < TL_COUNT(fields); i++)
        if (strcmp(fields[i].name, dotted) == 0)
            return set_field(ctx, h, &fields[i], value);
    meant = tl_did_you_mean(dotted, tl_hyper_field_at);
    if (meant)
        return tl_fail(ctx, TL_EUSAGE, dotted, "is not a setting (did you mean %s?)",
                       meant);
    return tl_fail(ctx, TL_EUSAGE, dotted, "is not a setting (see tailor help train)");
}

static json_t *value_of(const tl_hyper *h, const field *f)
{
    const char *at = (const char *)h + f->at;
    const char *name;
    double      real;
    int64_t     whole;
    bool        flag;

    switch (f->what) {
    case FLAG: memcpy(&flag, at, sizeof flag); return json_boolean(flag);
    case COUNT: memcpy(&whole, at, sizeof whole); return json_integer(whole);
    case REAL: memcpy(&real, at, sizeof real); return tl_json_real(real);
    case TARGETS: return json_string(at);
    default:
        memcpy(&name, at, sizeof name);
        return name ? json_string(name) : json_null();
    }
}

/* "optim.lr" goes into the object "optim". */
static void put(json_t *object, const char *dotted, json_t *value)
{
    const char *dot = strchr(dotted, '.');
    char        first[32];
    json_t     *inner;

    if (!dot) {
        json_object_set_new(object, dotted, value);
        return;
    }
    memcpy(first, dotted, (size_t)(dot - dotted));
    first[dot - dotted] = 0;
    inner               = json_object_get(object, first);
    if (!inner) {
        inner = json_object();
        json_object_set_new(object, first, inner);
    }
    json_object_set_new(inner, dot + 1, value);
}

json_t *tl_hyper_to_json(const tl_hyper *h)
{
    json_t *object = json_object();

    for (size_t i = 0; i < TL_COUNT(fields); i++)
        put(object, fields[i].name, value_of(h, &fields[i]));
    return object;
}

json_t *tl_candidate_to_json(const tl_candidate *c)
{
    json_t *object = json_object();

    json_object_set_new(object, "route", json_string(c->route->name));
    json_object_set_new(object, "base",
                        c->base && c->base->path ? json_string(c->base->path)
                                                 : json_null());
    json_object_set_new(object, "base_sha256",
                        c->base ? json_string(c->base->sha256) : json_null());
    json_object_set_new(object, "arch", tl_arch_to_json(&c->arch));
    json_object_set_new(object, "prep", tl_prep_to_json(&c->prep));
    json_object_set_new(object, "hyper", tl_hyper_to_json(&c->hyper));
    if (c->keep_head) json_object_set_new(object, "keep_head", json_true());
    return object;
}
