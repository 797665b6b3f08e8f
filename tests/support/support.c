/* support.c -- contexts, folders and data for tests. */
#include "support/support.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tl_world world;
static tl_ctx   context;

tl_ctx *test_fresh(void)
{
    tl_world_init(&world);
    context = tl_ctx_make(&world);
    return &context;
}

tl_ctx *test_ctx(void)
{
    return context.world ? &context : test_fresh();
}

char *test_folder(void)
{
    const char *top  = getenv("TMPDIR");
    char       *path = malloc(256);

    snprintf(path, 256, "%s/tailor-test-XXXXXX", top ? top : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

void test_folder_end(char *folder)
{
    tl_remove_tree(test_ctx(), folder);
    free(folder);
}

const char *test_data(const char *name)
{
    static char path[512];
    const char *top = getenv("TAILOR_DATA");

    snprintf(path, sizeof path, "%s/%s", top ? top : "../shared/data", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

double test_error(const float *a, const float *b, int64_t n)
{
    double worst = 0.0, top = 0.0;

    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, isfinite(a[i]) ? fabs((double)a[i] - (double)b[i]) : INFINITY);
        top   = fmax(top, fabs((double)b[i]));
    }
    return top > 0.0 ? worst / top : worst;
}
