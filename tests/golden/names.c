/* names.c -- files as Transformers and timm write them (their tensors' names and shapes, in
 * tests/golden/names.json, made by tools/golden/names.py): each is recognised, and every
 * tensor of it has its place. */
#include "core/io.h"
#include "model/family.h"
#include "support/support.h"

#include <string.h>

enum { MOST = 512 };

typedef struct {
    const char *name[MOST];
    tl_shape    shape[MOST];
    size_t      count;
} listing;

static void read_listing(const json_t *file, listing *out)
{
    json_t     *tensors = json_object_get(file, "tensors"), *dims;
    const char *name;

    out->count = 0;
    json_object_foreach(tensors, name, dims)
    {
        tl_shape *s = &out->shape[out->count];
        assert_true(out->count < MOST && json_array_size(dims) <= TL_DIMS);
        s->ndim = (int)json_array_size(dims);
        for (int i = 0; i < s->ndim; i++)
            s->dim[i] = json_integer_value(json_array_get(dims, (size_t)i));
        out->name[out->count++] = name;
    }
}

static const tl_names_map *map_of(const tl_family *family, const char *scheme)
{
    for (size_t i = 0; i < family->n_maps; i++)
        if (strcmp(family->maps[i].scheme, scheme) == 0) return &family->maps[i];
    return NULL;
}

/* How many parameters one tensor of the file goes to: each takes rows of it. */
static int32_t places_of(const tl_arch *arch, const tl_params *params, const char *ours,
                         const tl_shape *shape)
{
    char    part[256];
    int64_t floats = 0;
    int     k      = 0;

    for (; tl_names_part(ours, k, part, sizeof part); k++) {
        const tl_param *p = tl_params_find(params, part);
        if (!p || p->shape.ndim != shape->ndim) fail_msg("%s: %s has no place", arch->name, part);
        for (int i = 1; i < shape->ndim; i++)
            assert_int_equal(p->shape.dim[i], shape->dim[i]);
        floats += p->count;
    }
    if (floats != tl_shape_count(shape)) fail_msg("%s: %s has another size", arch->name, ours);
    return k;
}

/* Every tensor has its parameters and every parameter its tensor. */
static void check_places(const tl_arch *arch, const char *scheme, const listing *l)
{
    tl_ctx             *ctx = test_ctx();
    const tl_names_map *map = map_of(arch->family, scheme);
    tl_params          *params;
    char                ours[256];
    int32_t             placed = 0;

    TEST_OK(tl_arch_params(ctx, arch, &params));
    for (size_t i = 0; i < l->count; i++) {
        if (tl_ends_with(l->name[i], "num_batches_tracked")) continue;
        assert_true(tl_names_apply(map, l->name[i], ours, sizeof ours));
        placed += places_of(arch, params, ours, &l->shape[i]);
    }
    assert_int_equal(placed, params->count);
    tl_params_free(ctx, params);
}

static void files_of_others_have_their_places(void **state)
{
    static listing l;
    tl_ctx        *ctx = test_fresh();
    json_t        *all, *file;
    size_t         i;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/names.json", 1 << 20, &all));
    json_array_foreach(json_object_get(all, "files"), i, file)
    {
        const char *scheme;
        tl_arch     arch;
        read_listing(file, &l);
        const tl_tensors tensors = { l.name, l.shape, l.count };
        TEST_OK(tl_arch_recognise(ctx, "file", &tensors, &scheme, &arch));
        assert_string_equal(arch.name, tl_json_text(file, "arch", ""));
        assert_string_equal(scheme, tl_json_text(file, "scheme", ""));
        assert_int_equal(arch.outputs, 7);
        check_places(&arch, scheme, &l);
        tl_arch_free(ctx, &arch);
    }
    json_decref(all);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_others_have_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
