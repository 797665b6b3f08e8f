/* compare_features.c -- what a base's frozen body makes of all rows: made once for every head,
 * trial, seed and fold over it, kept in a file beside the checkpoints, so that a resumed
 * comparison does not make it again, and mapped for one base at a time, so that many bases take
 * no more memory than one.  Floor 4, study. */
#include "core/io.h"
#include "core/machine.h"
#include "model/pooled.h"
#include "study/compare_internal.h"

#include <stdio.h>

bool tl_entry_uses_features(const tl_entry *e)
{
    return e->c.base && e->c.route->phases > 0 && e->c.route->phase[0].solve;
}

int tl_entry_pass(const tl_entry *e)
{
    return 2 * e->base + tl_arch_is_pooled(&e->c.arch);
}

size_t tl_study_features_bytes(const tl_study *s, int64_t width)
{
    const double bytes = (double)s->data->rows * (double)width * sizeof(float);

    return bytes > (double)(tl_study_memory(s) / 4) ? 0 : (size_t)bytes;
}

const float *tl_study_mapped(const tl_study *s, const tl_entry *e)
{
    if (!s->features || e->base < 0) return NULL;
    return (const float *)(const void *)s->features[tl_entry_pass(e)].map.data;
}

void tl_study_watch_begin(tl_ctx *ctx, tl_study_watch *w)
{
    tl_world *world = ctx->world;

    w->began_s    = tl_time_s();
    w->peak_bytes = atomic_load(&world->peak_bytes);
    tl_energy_open(&w->energy, NULL);
    atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
}

json_t *tl_study_watch_end(tl_ctx *ctx, const tl_study *s, const tl_entry *e, tl_study_watch *w,
                           double flops)
{
    tl_world    *world = ctx->world;
    const size_t peak  = atomic_load(&world->peak_bytes);

    if (peak < w->peak_bytes) atomic_store(&world->peak_bytes, w->peak_bytes);
    return json_pack("{s:f, s:o, s:f, s:I}", "seconds", tl_time_s() - w->began_s, "joules",
                     tl_json_real(tl_energy_joules(&w->energy)), "flops", flops, "peak_bytes",
                     (json_int_t)tl_study_own_bytes(s, e, peak));
}

/* The pass over all rows is a cost of the first candidate that needs it, measured
 * once. */
static tl_status note_shared(tl_ctx *ctx, tl_study *s, const tl_entry *e, json_t *cost)
{
    tl_status rc = TL_OK;

    if (json_object_get(s->shared, e->label)) return TL_OK;
    json_object_set(s->shared, e->label, cost);
    TL_TRY(tl_store_set(ctx, s->store, "features", s->shared));
done:
    return rc;
}

tl_status tl_study_keep_pass(tl_ctx *ctx, tl_study *s, const char *path, const void *value,
                             size_t bytes, tl_map *out)
{
    bool            held;
    const tl_status rc = tl_file_keep(ctx, path, value, bytes, out, &held);

    if (rc == TL_OK && held)
        tl_study_warn(s, "The disk has no room for %.1f MiB of what a frozen network puts out: it "
                         "is held in memory, and made again where the comparison is gone on with.",
                      (double)bytes / 1048576.0);
    return rc;
}

static tl_status make(tl_ctx *ctx, tl_study *s, const tl_entry *e, size_t bytes,
                      const char *path)
{
    tl_rows        all   = { NULL, s->data->rows };
    float         *value = NULL;
    json_t        *cost  = NULL;
    tl_study_watch watch;
    tl_run_spec    spec;
    tl_status      rc;

    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *all.row, &all.row));
    TL_TRY(tl_alloc(ctx, bytes, &value));
    for (int64_t i = 0; i < all.count; i++) all.row[i] = i;
    spec.train = spec.valid = all;
    tl_study_watch_begin(ctx, &watch);
    rc   = tl_run_features(ctx, &spec, all, value);
    cost = tl_study_watch_end(ctx, s, e, &watch, e->body_flops * (double)s->data->rows);
    TL_TRY(rc);
    TL_TRY(note_shared(ctx, s, e, cost));
    TL_TRY(tl_study_keep_pass(ctx, s, path, value, bytes, &s->features[tl_entry_pass(e)].map));
done:
    json_decref(cost);
    tl_free(ctx, value);
    tl_free(ctx, all.row);
    return rc;
}

static void unmap_all(tl_ctx *ctx, tl_study *s)
{
    for (int i = 0; i < 2 * s->bases; i++) tl_map_close(ctx, &s->features[i].map);
}

/* Made before or now: the plan pays for them once. */
static void pay(tl_study *s, const tl_entry *e, size_t bytes)
{
    tl_study_frozen *pass = &s->features[tl_entry_pass(e)];

    if (pass->bytes == 0)
        s->used += e->setup_s + e->s_per_flop * e->body_flops * (double)s->data->rows;
    pass->bytes = bytes;
}

/* With the body's outputs at hand a head costs what is left. */
tl_status tl_study_features(tl_ctx *ctx, tl_study *s, const tl_entry *e)
{
    tl_status rc   = TL_OK;
    char     *path = NULL, name[40];
    bool      deep, solvable;

    if (!tl_entry_uses_features(e) || tl_study_mapped(s, e)) return TL_OK;
    if (s->tape) {
        pay(s, e, 1);
        return TL_OK;
    }
    const int64_t width = tl_arch_features(ctx, &e->c.arch);
    if (width < 1) return ctx->status;
    const size_t bytes = tl_study_features_bytes(s, width);
    if (bytes == 0) return TL_OK;
    TL_TRY(tl_arch_head(ctx, &e->c.arch, &deep, &solvable));
    if (deep) return TL_OK; /* each seed draws the layers before the last anew */
    unmap_all(ctx, s);
    if (!s->shared) TL_TRY(tl_store_get(ctx, s->store, "features", &s->shared));
    if (!s->shared) s->shared = json_object();
    snprintf(name, sizeof name, "%s-%d",
             tl_arch_is_pooled(&e->c.arch) ? "vectors" : "features", e->base);
    TL_TRY(tl_path_join(ctx, s->checkpoints, name, &path));
    if (tl_file_bytes(path) != (int64_t)bytes) TL_TRY(make(ctx, s, e, bytes, path));
    else TL_TRY(tl_map_open(ctx, path, &s->features[tl_entry_pass(e)].map));
    pay(s, e, bytes);
done:
    tl_free(ctx, path);
    return rc;
}

void tl_study_close_features(tl_ctx *ctx, tl_study *s)
{
    if (s->features) unmap_all(ctx, s);
    tl_free(ctx, s->features);
    s->features = NULL;
}
