/* adapters.c -- the n-th allocation, read or write of an adapter merged, saved and opened again
 * over its base fails: a clear error, no memory kept, and afterwards it works. */
#include "bundle/adapter.h"
#include "core/io.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

typedef enum { ALLOC, READ, WRITE } fault;

typedef struct {
    tl_model *base, *wide; /* and with an adapter beside */
    char     *folder, out[512], adapter[512];
} place;

static void arm(fault kind, int64_t n)
{
    tl_world *world = test_ctx()->world;

    atomic_store(&world->fault_alloc, kind == ALLOC ? n : 0);
    atomic_store(&world->fault_read, kind == READ ? n : 0);
    atomic_store(&world->fault_write, kind == WRITE ? n : 0);
}

static void open_place(place *w)
{
    const tl_prep prep = { .height = 8, .width = 8, .channels = 1,
                           .interpolation = TL_BILINEAR, .scale = 1.0 / 255.0,
                           .mean = { 0.5, 0.5, 0.5 }, .std = { 0.25, 0.25, 0.25 } };
    tl_ctx       *ctx = test_fresh();
    char          path[512];
    tl_arch       arch;

    w->folder = test_folder();
    snprintf(path, sizeof path, "%s/base", w->folder);
    snprintf(w->out, sizeof w->out, "%s/best", w->folder);
    snprintf(w->adapter, sizeof w->adapter, "%s/best/adapter", w->folder);
    TEST_OK(tl_arch_parse(ctx, "vit:1x64x8", TL_SHAPE(8, 8, 1), 2, &arch));
    TEST_OK(tl_model_new(ctx, &arch, &prep, NULL, 3, &w->base));
    TEST_OK(tl_model_save(ctx, w->base, NULL, path));
    tl_model_free(ctx, w->base);
    TEST_OK(tl_model_open(ctx, path, NULL, &w->base));
    arch.adapt = (tl_adapt){ .kind = TL_ADAPT_DORA, .r = 2, .alpha = 4.0, .targets = "query" };
    TEST_OK(tl_model_new(ctx, &arch, &prep, NULL, 3, &w->wide));
    tl_adapt_start(&arch.adapt, w->wide->params);
    TEST_OK(tl_strdup(ctx, path, &w->wide->path));
    tl_arch_free(ctx, &arch);
}

static void close_place(place *w)
{
    tl_model_free(test_ctx(), w->base);
    tl_model_free(test_ctx(), w->wide);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    test_folder_end(w->folder);
}

static tl_status there_and_back(place *w)
{
    tl_ctx   *ctx = test_ctx();
    tl_model *merged = NULL, *m = NULL, *from = NULL;
    tl_status rc;

    TL_TRY(tl_model_merged(ctx, w->wide, &merged));
    TL_TRY(tl_model_save(ctx, merged, NULL, w->out));
    TL_TRY(tl_model_open(ctx, w->out, NULL, &m));
    TL_TRY(tl_model_open(ctx, w->adapter, NULL, &from));
    assert_non_null(m->adapter);
    assert_int_equal(m->params->floats, from->params->floats);
done:
    tl_model_free(ctx, merged);
    tl_model_free(ctx, m);
    tl_model_free(ctx, from);
    return rc;
}

static void fails_anywhere(fault kind, int64_t least)
{
    tl_status rc = TL_EFAIL;
    int64_t   n  = 0;
    place     w;

    open_place(&w);
    const size_t before = test_ctx()->world->now_bytes;
    while (rc != TL_OK) {
        arm(kind, ++n);
        rc = there_and_back(&w);
        arm(kind, 0);
        assert_int_equal(test_ctx()->world->now_bytes, before);
        if (rc == TL_OK) continue;
        assert_true(rc == TL_ENOMEM || rc == TL_EIO || rc == TL_ENOSPC);
        assert_non_null(strchr(test_ctx()->message, ':'));
    }
    assert_true(n > least);
    close_place(&w);
}

static void an_allocation_fails(void **state)
{
    (void)state;
    fails_anywhere(ALLOC, 200);
}

static void a_read_fails(void **state)
{
    (void)state;
    fails_anywhere(READ, 5);
}

static void a_write_fails(void **state)
{
    (void)state;
    fails_anywhere(WRITE, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_fails),
        cmocka_unit_test(a_read_fails),
        cmocka_unit_test(a_write_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
