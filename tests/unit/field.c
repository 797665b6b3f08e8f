/* field.c -- of the complaints that other tools' users file (docs/field.md): those that no other
 * test holds. */
#include "core/io.h"
#include "core/machine.h"
#include "core/par.h"
#include "support/drawn.h"
#include "train/store.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TRIALS = 200, SETTLED = 20, ROWS = 48 };

/* ---- R20: more cores do not slow small work down: it is not cut at all ---- */
typedef struct {
    pthread_t       thread;
    _Atomic int64_t elsewhere, done;
} watched;

static void watch(void *arg, int64_t low, int64_t high)
{
    watched *w = arg;

    w->elsewhere += !pthread_equal(pthread_self(), w->thread);
    w->done += high - low;
}

static void R20_small_work_stays_on_one_thread(void **state)
{
    watched few = { .thread = pthread_self() }, many = { .thread = pthread_self() };

    (void)state;
    tl_par_for(8, 64, 64, watch, &few);
    assert_int_equal(few.done, 64);
    assert_int_equal(few.elsewhere, 0);
    tl_par_for(8, 64 * 64, 64, watch, &many); /* else the check above could not fail */
    assert_int_equal(many.done, 64 * 64);
    if (tl_machine_threads() > 1) assert_true(many.elsewhere > 0);
}

/* ---- R24: a long search holds memory flat and the disk bounded ---- */
static int64_t found_bytes;

static int add_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)path, (void)at;
    if (kind == FTW_F) found_bytes += info->st_size;
    return 0;
}

static int64_t folder_bytes(const char *path)
{
    found_bytes = 0;
    assert_int_equal(nftw(path, add_file, 16, FTW_PHYS), 0);
    return found_bytes;
}

/* A sanitizer keeps what is freed, so that the process grows there whatever the program does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { OWN_HEAP = 0 };
#else
enum { OWN_HEAP = 1 };
#endif

/* One trial as a study runs it: its own checkpoints, its points and answers in the store. */
static void one_trial(test_drawn *p, tl_store *store, const char *top, int trial)
{
    tl_ctx       *ctx = test_ctx();
    float         answers[2 * ROWS] = { 0 };
    tl_run_result r;
    json_t       *result = NULL;
    char          folder[600], slice[40];
    bool          done;

    snprintf(folder, sizeof folder, "%s/run-%d", top, trial);
    snprintf(slice, sizeof slice, "trial %d", trial);
    TEST_OK(tl_store_run(ctx, store, "scratch", 1, slice, NULL, &p->spec.store_run, &done,
                         &result));
    assert_false(done);
    json_decref(result);
    p->spec.store              = store;
    p->spec.checkpoint         = folder;
    p->spec.checkpoint_every_s = 1e-6;
    p->spec.candidate.hyper.optim.lr = 1e-3 * (1 + trial % 7);
    TEST_OK(tl_run_train(ctx, &p->spec, &r));
    result = json_pack("{s:f}", "valid_metric", r.valid_metric);
    TEST_OK(tl_store_put_blob(ctx, store, p->spec.store_run, "test", answers, sizeof answers));
    TEST_OK(tl_store_end(ctx, store, p->spec.store_run, "done", result));
    TEST_OK(tl_remove_tree(ctx, folder));
    json_decref(result);
    tl_run_result_free(ctx, &r);
}

static void R24_two_hundred_trials_hold_memory_and_disk(void **state)
{
    tl_ctx    *ctx = test_fresh();
    char      *top = test_folder();
    test_drawn p;
    tl_store  *store;
    size_t     now = 0, resident = 0;
    int64_t    disk = 0;

    (void)state;
    ctx->world->threads = 1;
    test_drawn_open(&p, ROWS, 2, 6, 1, "dense 8 relu", "scratch");
    p.spec.candidate.hyper.epochs      = 2.0;
    p.spec.candidate.hyper.least_steps = 0;
    TEST_OK(tl_store_open(ctx, top, &store));
    for (int trial = 0; trial < TRIALS; trial++) {
        one_trial(&p, store, top, trial);
        if (trial == 0) now = ctx->world->now_bytes;
        assert_int_equal(ctx->world->now_bytes, now);
        if (trial != SETTLED) continue;
        resident = tl_machine_rss_bytes();
        disk     = folder_bytes(top);
    }
    /* a trial leaves its rows in runs.db and its events, a few KiB; SQLite's log, which is cut at
     * a thousand pages, comes and goes; the process keeps nothing */
    const int64_t grown = folder_bytes(top) - disk;
    print_message("# %d trials: %" PRId64 " bytes of disk each\n", TRIALS - SETTLED,
                  grown / (TRIALS - SETTLED));
    if (OWN_HEAP) assert_true(tl_machine_rss_bytes() < resident + ((size_t)8 << 20));
    assert_true(grown < ((int64_t)8 << 20));
    tl_store_close(ctx, store);
    test_drawn_close(&p);
    test_folder_end(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R20_small_work_stays_on_one_thread),
        cmocka_unit_test(R24_two_hundred_trials_hold_memory_and_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
