/* compare_kept.c -- what the frozen blocks below a cut make of the rows of a run: made once for all
 * seeds, settings, rungs and routes that ask for the same of the same rows, kept in a file beside
 * the checkpoints, so that a resumed comparison does not make it again, and mapped while runs need
 * it, so that it takes no more memory than runs that keep it for themselves.  Floor 4, study. */
#include "study/compare_internal.h"

#include <stdio.h>
#include <string.h>

/* All files together, in units of the comparison's memory; what finds no room is kept by the runs
 * themselves. */
enum { MOST_ON_DISK = 4 };

static tl_status key_of(tl_ctx *ctx, const tl_entry *e, const tl_run_spec *spec, tl_frozen *f,
                        char key[TL_KEPT_KEY])
{
    const tl_status rc = tl_run_frozen(ctx, spec, f);

    *key = 0;
    if (rc == TL_OK && f->cut)
        snprintf(key, TL_KEPT_KEY, "base %d, view %d, %s", e->base, e->view, f->key);
    return rc;
}

tl_status tl_study_note_kept(tl_ctx *ctx, tl_entry *e, const tl_run_spec *spec)
{
    tl_frozen f;

    return key_of(ctx, e, spec, &f, e->kept);
}

static int find(const tl_study *s, const char *key)
{
    for (int i = 0; *key && i < s->kepts; i++)
        if (strcmp(s->kept[i].key, key) == 0) return i;
    return -1;
}

bool tl_study_has_kept(const tl_study *s, const tl_entry *e)
{
    return find(s, e->kept) >= 0;
}

/* The plan pays for it once, whoever comes first, whether it was made before or is made now. */
static tl_status add(tl_ctx *ctx, tl_study *s, const tl_entry *e, const char *key,
                     const tl_frozen *f)
{
    tl_study_kept k = { .frozen = *f };
    tl_status     rc;

    memcpy(k.key, key, sizeof k.key);
    if (!s->passes) TL_TRY(tl_store_get(ctx, s->store, "kept", &s->passes));
    if (!s->passes) s->passes = json_object();
    TL_TRY(tl_realloc(ctx, (size_t)(s->kepts + 1) * sizeof *s->kept, &s->kept));
    s->kept[s->kepts++] = k;
    s->used += e->s_per_flop * e->need.kept_flops;
done:
    return rc;
}

static bool has_room(const tl_study *s, size_t bytes)
{
    const size_t most = MOST_ON_DISK * tl_study_memory(s);

    for (int i = 0; i < s->kepts; i++) bytes += s->kept[i].frozen.bytes;
    return bytes <= most;
}

tl_status tl_study_find_kept(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                             const tl_run_spec *asked, int *which)
{
    const tl_entry *e    = &s->entry[run->candidate];
    tl_run_spec     spec = { 0 };
    tl_frozen       f    = { 0 };
    char            key[TL_KEPT_KEY];
    tl_status       rc   = TL_OK;

    *which = -1;
    if (run->rows || s->tape || !*e->kept) return TL_OK;
    spec = *asked;
    TL_TRY(tl_study_split(ctx, s, e, run->repeat, run->fold, 0, &spec.train, &spec.valid));
    TL_TRY(key_of(ctx, e, &spec, &f, key));
    *which = find(s, key);
    if (*which >= 0 || !f.cut || !has_room(s, f.bytes)) goto done;
    TL_TRY(add(ctx, s, e, key, &f));
    *which = s->kepts - 1;
done:
    tl_free(ctx, spec.train.row);
    tl_free(ctx, spec.valid.row);
    return rc;
}

static tl_status make(tl_ctx *ctx, tl_study *s, const tl_entry *e, const tl_run_spec *spec,
                      tl_study_kept *k, const char *path)
{
    void          *value = NULL;
    json_t        *cost;
    tl_study_watch watch;
    tl_status      rc;

    tl_study_watch_begin(ctx, &watch);
    rc = tl_alloc(ctx, k->frozen.bytes, &value);
    if (rc == TL_OK) rc = tl_run_frozen_make(ctx, spec, &k->frozen, value);
    cost = tl_study_watch_end(ctx, s, e, &watch, k->frozen.flops);
    TL_TRY(rc);
    if (!json_object_get(s->passes, k->key)) { /* first: killed in between, it is not lost */
        json_object_set_new(cost, "entry", json_string(e->label));
        json_object_set(s->passes, k->key, cost);
        TL_TRY(tl_store_set(ctx, s->store, "kept", s->passes));
    }
    TL_TRY(tl_study_keep_pass(ctx, s, path, value, k->frozen.bytes, &k->map));
done:
    json_decref(cost);
    tl_free(ctx, value);
    return rc;
}

tl_status tl_study_map_kept(tl_ctx *ctx, tl_study *s, const tl_entry *e, int which,
                            tl_run_spec *spec)
{
    char     *path = NULL, name[40], hex[65];
    tl_status rc   = TL_OK;

    if (which < 0) return TL_OK; /* this run keeps its own */
    tl_study_kept *k = &s->kept[which];
    if (!k->map.data) {
        tl_hash_bytes(k->key, strlen(k->key), hex);
        snprintf(name, sizeof name, "kept-%.16s", hex);
        TL_TRY(tl_path_join(ctx, s->checkpoints, name, &path));
        if (tl_file_bytes(path) != (int64_t)k->frozen.bytes)
            TL_TRY(make(ctx, s, e, spec, k, path));
        else TL_TRY(tl_map_open(ctx, path, &k->map));
    }
    spec->kept = k->map.data;
done:
    tl_free(ctx, path);
    return rc;
}

double tl_study_passes_seconds(const tl_study *s, const char *label)
{
    double      sum = 0.0;
    const char *key;
    json_t     *pass;

    json_object_foreach(s->passes, key, pass)
    {
        if (strcmp(tl_json_text(pass, "entry", ""), label) == 0)
            sum += tl_json_number(pass, "seconds", 0.0);
    }
    return sum;
}

void tl_study_close_kept(tl_ctx *ctx, tl_study *s)
{
    for (int i = 0; i < s->kepts; i++) tl_map_close(ctx, &s->kept[i].map);
    tl_free(ctx, s->kept);
    json_decref(s->passes);
    s->kept   = NULL;
    s->passes = NULL;
    s->kepts  = 0;
}
