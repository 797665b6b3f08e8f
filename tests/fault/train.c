/* train.c -- the n-th allocation, read or write of a resumed 3-step run fails: a clear error,
 * no memory kept, the last good checkpoint whole, and the run gone on with gives the same
 * bits. */
#include "core/io.h"
#include "support/counted.h"
#include "support/drawn.h"
#include "support/pictures.h"
#include "train/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    test_drawn p;
    char      *folder, checkpoint[512];
} place;

/* `self` with what only some runs hold: pretraining, matrices, a mean of weights, shares. */
static void open_place(place *w, const char *route)
{
    w->folder = test_folder();
    snprintf(w->checkpoint, sizeof w->checkpoint, "%s/checkpoint", w->folder);
    test_fresh();
    test_drawn_open(&w->p, 16, 2, 4, 1, "conv 2 3, norm batch, relu, dense 3 relu", route);
    if (w->p.spec.candidate.route->by_request) {
        w->p.spec.candidate.hyper.pretrain_epochs = 1.0;
        w->p.spec.candidate.hyper.optimizer       = "muon";
        w->p.spec.candidate.hyper.ema             = 0.9;
        w->p.spec.candidate.hyper.mixup           = 0.3;
        w->p.spec.candidate.hyper.balanced        = true;
    }
    w->p.spec.backend                     = test_counted(&tl_backend_ref, "cross_entropy_grad");
    w->p.spec.candidate.hyper.batch       = 4;
    w->p.spec.candidate.hyper.least_steps = 0;
    w->p.spec.candidate.hyper.epochs      = 1.0;
}

static void close_place(place *w)
{
    test_drawn_close(&w->p);
    test_folder_end(w->folder);
}

/* One run from where the checkpoint stands, with the store; stops after `steps`. */
static tl_status go_on(place *w, int64_t steps, tl_run_result *r)
{
    tl_ctx   *ctx = test_ctx();
    tl_store *store = NULL;
    json_t   *none;
    bool      done;
    tl_status rc;

    memset(r, 0, sizeof *r);
    test_stop_at = steps ? test_runs + steps : 0;
    TL_TRY(tl_store_open(ctx, w->folder, &store));
    TL_TRY(tl_store_run(ctx, store, "k", 5, "all", NULL, &w->p.spec.store_run, &done,
                        &none));
    w->p.spec.store      = store;
    w->p.spec.checkpoint = w->checkpoint;
    rc = tl_run_train(ctx, &w->p.spec, r);
done:
    w->p.spec.store = NULL;
    tl_store_close(ctx, store);
    atomic_store(&ctx->world->cancel, 0);
    return rc;
}

typedef enum { ALLOC, READ, WRITE } fault;

static void arm(fault kind, int64_t n)
{
    tl_world *world = test_ctx()->world;

    atomic_store(&world->fault_alloc, kind == ALLOC ? n : 0);
    atomic_store(&world->fault_read, kind == READ ? n : 0);
    atomic_store(&world->fault_write, kind == WRITE ? n : 0);
}

static void fails_anywhere(fault kind, const char *route)
{
    tl_run_result r;
    place         w;
    float        *straight;
    int64_t       n = 1;

    open_place(&w, route);
    TEST_OK(tl_run_train(test_ctx(), &w.p.spec, &r));
    const size_t bytes = (size_t)r.model->params->floats * sizeof(float);
    straight           = malloc(bytes);
    memcpy(straight, r.model->params->value, bytes);
    tl_run_result_free(test_ctx(), &r);
    for (tl_status rc = TL_EFAIL; rc != TL_ECANCEL; n++) {
        TEST_OK(tl_remove_tree(test_ctx(), w.folder));
        assert_int_equal(go_on(&w, 1, &r), TL_ECANCEL);
        const size_t before = test_ctx()->world->now_bytes;
        arm(kind, n);
        rc = go_on(&w, 1, &r);
        arm(kind, 0);
        assert_null(r.model);
        assert_int_equal(test_ctx()->world->now_bytes, before);
        if (rc != TL_ECANCEL) {
            assert_true(rc == TL_ENOMEM || rc == TL_EIO || rc == TL_ENOSPC);
            assert_non_null(strchr(test_ctx()->message, ':'));
        }
        if (n % 16 != 1 && rc != TL_ECANCEL) continue; /* going on takes a while */
        TEST_OK(go_on(&w, 0, &r));
        assert_int_equal(memcmp(straight, r.model->params->value, bytes), 0);
        tl_run_result_free(test_ctx(), &r);
    }
    assert_true(n > (kind == ALLOC ? 60 : kind == READ ? 2 : 8));
    free(straight);
    close_place(&w);
}

static void an_allocation_fails(void **state)
{
    (void)state;
    fails_anywhere(ALLOC, "scratch");
    fails_anywhere(ALLOC, "self");
}

static void a_read_fails(void **state)
{
    (void)state;
    fails_anywhere(READ, "scratch");
    fails_anywhere(READ, "self");
}

static void a_write_fails(void **state)
{
    (void)state;
    fails_anywhere(WRITE, "scratch");
    fails_anywhere(WRITE, "self");
}

/* A picture whose file breaks while training: its error, from whatever thread. */
static void a_picture_is_broken(void **state)
{
    tl_run_result r;
    place         w;
    char          data[512], file[600];
    tl_dataset   *dataset;
    tl_cache     *cache;

    (void)state;
    open_place(&w, "scratch");
    snprintf(data, sizeof data, "%s/data", w.folder);
    snprintf(file, sizeof file, "%s/class1/p003.png", data);
    test_class_folders(data, 2, 8, 4);
    dataset = test_open(data);
    TEST_OK(tl_cache_new(test_ctx(), dataset, &w.p.prep, 1 << 20, &cache));
    TEST_OK(tl_file_write(test_ctx(), file, "no picture", 10));
    w.p.spec.dataset = dataset;
    w.p.spec.cache   = cache;
    assert_int_equal(tl_run_train(test_ctx(), &w.p.spec, &r), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "p003.png"));
    tl_cache_free(test_ctx(), cache);
    tl_dataset_close(test_ctx(), dataset);
    close_place(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_fails),
        cmocka_unit_test(a_read_fails),
        cmocka_unit_test(a_write_fails),
        cmocka_unit_test(a_picture_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
