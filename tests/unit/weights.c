/* weights.c -- safetensors and PyTorch files: round trips, every malformed header,
 * cuts. */
#include "support/support.h"
#include "core/io.h"
#include "model/formats/formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A safetensors file in memory: header text and so many bytes of data. */
static tl_status parse(const char *header, size_t data_bytes, tl_weights *w,
                       uint8_t **file)
{
    const size_t n = strlen(header);
    tl_map       map;

    *file = calloc(1, 8 + n + data_bytes);
    assert_non_null(*file);
    for (int i = 0; i < 8; i++) (*file)[i] = (uint8_t)(n >> 8 * i);
    memcpy(*file + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++) (*file)[8 + n + i] = (uint8_t)i;
    map = (tl_map){ *file, 8 + n + data_bytes };
    return tl_weights_parse(test_ctx(), "x.safetensors", &map, w);
}

static void a_plain_file_is_read(void **state)
{
    tl_ctx    *ctx = test_fresh();
    tl_weights w;
    uint8_t   *file;
    float      v[2];

    (void)state;
    TEST_OK(parse("{\"__metadata__\":{\"a\":\"b\"},"
                  "\"t\":{\"dtype\":\"U8\",\"shape\":[2,1],\"data_offsets\":[1,3]},"
                  "\"s\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}",
                  3, &w, &file));
    assert_int_equal(w.count, 2);
    assert_string_equal(w.weight[1].name, "t");
    assert_string_equal(tl_json_text(w.metadata, "a", ""), "b");
    TEST_OK(tl_weight_read(ctx, &w.weight[1], v));
    assert_true(v[0] == 1.0f && v[1] == 2.0f);
    assert_int_equal(w.weight[0].shape.ndim, 0);
    tl_weights_close(ctx, &w);
    free(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

#define T(dtype, shape, from, to) \
    "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static const struct { const char *what, *header; size_t bytes;
} malformed[] = {
    { "not valid JSON", "{\"t\":", 4 },
    { "not valid JSON",
      "{\"t\":" T("\"U8\"", "[1]", "0", "1") ",\"t\":" T("\"U8\"", "[1]", "1", "2") "}",
      2 },
    { "described by no object", "{\"t\":7}", 0 },
    { "dtype", "{\"t\":" T("\"F7\"", "[1]", "0", "4") "}", 4 },
    { "dtype", "{\"t\":" T("7", "[1]", "0", "4") "}", 4 },
    { "bad shape", "{\"t\":" T("\"F32\"", "7", "0", "4") "}", 4 },
    { "whole number", "{\"t\":" T("\"F32\"", "[-1]", "0", "4") "}", 4 },
    { "whole number", "{\"t\":" T("\"F32\"", "[1.5]", "0", "4") "}", 4 },
    { "giant", "{\"t\":" T("\"F32\"", "[4294967296,4294967296,4]", "0", "4") "}", 4 },
    { "giant", "{\"t\":" T("\"F64\"", "[2305843009213693952]", "0", "8") "}", 8 },
    { "disagree", "{\"t\":" T("\"F32\"", "[2]", "0", "4") "}", 4 },
    { "disagree", "{\"t\":" T("\"F32\"", "[1]", "0", "5") "}", 5 },
    { "leave the file", "{\"t\":" T("\"F32\"", "[1]", "0", "8") "}", 4 },
    { "leave the file", "{\"t\":" T("\"F32\"", "[1]", "4", "0") "}", 4 },
    { "leave the file", "{\"t\":" T("\"F32\"", "[1]", "-4", "0") "}", 4 },
    { "two whole numbers",
      "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4 },
    { "overlaps",
      "{\"a\":" T("\"U8\"", "[2]", "0", "2") ",\"b\":" T("\"U8\"", "[2]", "1", "3") "}",
      3 },
    { "hole",
      "{\"a\":" T("\"U8\"", "[1]", "0", "1") ",\"b\":" T("\"U8\"", "[1]", "2", "3") "}",
      3 },
    { "no tensor", "{\"a\":" T("\"U8\"", "[1]", "0", "1") "}", 2 },
    { "more than texts", "{\"__metadata__\":{\"a\":1}}", 0 },
    { "no object", "{\"__metadata__\":1}", 0 },
    { "no named tensors", "{}", 0 },
};

static void every_malformed_header_is_named(void **state)
{
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(malformed); i++) {
        tl_weights      w;
        uint8_t        *file;
        const tl_status rc = parse(malformed[i].header, malformed[i].bytes, &w, &file);
        if (rc != TL_EDATA || !strstr(ctx->message, malformed[i].what))
            fail_msg("%s: status %s, \"%s\"", malformed[i].header, tl_status_name(rc),
                     ctx->message);
        assert_non_null(strstr(ctx->message, "x.safetensors"));
        assert_null(w.weight);
        free(file);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void a_giant_header_length_is_refused(void **state)
{
    static const uint8_t file[] = { 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0x7f, '{',  '}' };
    static const uint8_t cut[]  = { 100, 0, 0, 0, 0, 0, 0, 0, '{', '}' };
    tl_weights           w;

    (void)state;
    assert_int_equal(
        tl_weights_parse(test_fresh(), "x", &(tl_map){ file, sizeof file }, &w),
        TL_EDATA);
    assert_int_equal(tl_weights_parse(test_ctx(), "x", &(tl_map){ cut, sizeof cut }, &w),
                     TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "cut short"));
}

static void half_precision_is_exact(void **state)
{
    static const struct { uint16_t bits; float value; } f16[] = {
        { 0x3c00, 1.0f }, { 0xc000, -2.0f }, { 0x7bff, 65504.0f }, { 0x0001, 0x1p-24f },
        { 0x03ff, 1023 * 0x1p-24f }, { 0x0400, 0x1p-14f }, { 0x8000, -0.0f },
        { 0x7c00, INFINITY }, { 0x3555, 0.333251953125f },
    };
    float v;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(f16); i++) {
        const uint8_t b[2] = { (uint8_t)f16[i].bits, (uint8_t)(f16[i].bits >> 8) };
        tl_weight     w    = { .name = "w", .dtype = "F16", .data = b, .bytes = 2 };
        TEST_OK(tl_weight_read(test_ctx(), &w, &v));
        assert_memory_equal(&v, &f16[i].value, sizeof v);
    }
}

/* A small store with odd shapes and a recognisable value each. */
static tl_params *sample_params(tl_ctx *ctx)
{
    static const struct { const char *name; tl_shape shape; } like[] = {
        { "conv.weight", { 4, { 3, 1, 2, 5 } } }, { "bn.running_var", { 1, { 3 } } },
        { "fc.weight", { 2, { 7, 3 } } }, { "scale", { 0, { 0 } } },
    };
    tl_params *params;
    tl_param  *p;

    TEST_OK(tl_params_new(ctx, &params));
    for (size_t i = 0; i < TL_COUNT(like); i++) {
        const tl_param q = { .name  = (char *)(uintptr_t)like[i].name,
                             .shape = like[i].shape };
        TEST_OK(tl_params_declare(ctx, params, &q, &p));
    }
    TEST_OK(tl_params_seal(ctx, params));
    for (int32_t i = 0; i < params->count; i++)
        for (int64_t k = 0; k < params->param[i].count; k++)
            tl_params_value(params, &params->param[i])[k] = (float)i + (float)k / 64.0f;
    return params;
}

static void what_is_saved_comes_back(void **state)
{
    tl_ctx    *ctx = test_fresh();
    char      *top = test_folder(), *path;
    tl_params *params = sample_params(ctx);
    tl_weights w;
    json_t    *about = json_pack("{s:s}", "made", "here");

    (void)state;
    TEST_OK(tl_path_join(ctx, top, "model.safetensors", &path));
    TEST_OK(tl_weights_save(ctx, params, about, path));
    TEST_OK(tl_weights_open(ctx, top, &w));
    assert_string_equal(w.format, "safetensors");
    assert_string_equal(tl_json_text(w.metadata, "format", ""), "pt");
    assert_string_equal(tl_json_text(w.metadata, "made", ""), "here");
    assert_int_equal(w.count, params->count);
    assert_int_equal((uintptr_t)w.weight[0].data % 8, 0);
    for (int32_t i = 0; i < params->count; i++) {
        float v[64];
        assert_string_equal(w.weight[i].name, params->param[i].name);
        assert_true(tl_shape_equal(&w.weight[i].shape, &params->param[i].shape));
        TEST_OK(tl_weight_read(ctx, &w.weight[i], v));
        assert_memory_equal(v, tl_params_value(params, &params->param[i]),
                            (size_t)params->param[i].count * sizeof *v);
    }
    tl_weights_close(ctx, &w);
    json_decref(about);
    tl_params_free(ctx, params);
    tl_free(ctx, path);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void save_copies(tl_ctx *ctx, const char *folder, const char *const *names)
{
    tl_params *params = sample_params(ctx);
    char      *path;

    for (; *names; names++) {
        TEST_OK(tl_path_join(ctx, folder, *names, &path));
        TEST_OK(tl_weights_save(ctx, params, NULL, path));
        tl_free(ctx, path);
    }
    tl_params_free(ctx, params);
}

static void a_folder_with_two_files_lists_them(void **state)
{
    tl_ctx    *ctx = test_fresh();
    char      *top = test_folder();
    tl_weights w;

    (void)state;
    assert_int_equal(tl_weights_open(ctx, top, &w), TL_EDATA);
    save_copies(ctx, top, (const char *const[]){ "a.safetensors", NULL });
    TEST_OK(tl_weights_open(ctx, top, &w));
    tl_weights_close(ctx, &w);
    save_copies(ctx, top, (const char *const[]){ "b.safetensors", NULL });
    assert_int_equal(tl_weights_open(ctx, top, &w), TL_EDATA);
    assert_non_null(strstr(ctx->message, "a.safetensors, b.safetensors"));
    test_folder_end(top);
}

static tl_status open_with_index(tl_ctx *ctx, const char *top, const char *index,
                                 tl_weights *w)
{
    char *path;

    TEST_OK(tl_path_join(ctx, top, "model.safetensors.index.json", &path));
    TEST_OK(tl_file_write(ctx, path, index, strlen(index)));
    tl_free(ctx, path);
    return tl_weights_open(ctx, top, w);
}

static void an_index_joins_shards_and_stays_in_its_folder(void **state)
{
    static const char *const refused[] = {
        "{\"weight_map\":{\"scale\":\"../a.safetensors\"}}",
        "{\"weight_map\":{\"scale\":\"/etc/passwd\"}}",
        "{\"weight_map\":{\"scale\":\"..\"}}",
        "{\"weight_map\":{\"scale\":7}}",
        "{\"weight_map\":{\"other\":\"a.safetensors\"}}",
        "{\"weight_map\":{\"scale\":\"a.safetensors\",\"fc.weight\":\"b.safetensors\"}}",
        "{\"weight_map\":{\"scale\":\"none.safetensors\"}}",
        "{\"weight_map\":{}}", "[]",
    };
    tl_ctx    *ctx = test_fresh();
    char      *top = test_folder();
    tl_weights w;

    (void)state;
    save_copies(ctx, top,
                (const char *const[]){ "a.safetensors", "b.safetensors", NULL });
    TEST_OK(
        open_with_index(ctx, top,
                        "{\"metadata\":{\"total_size\":1},\"weight_map\":"
                        "{\"scale\":\"a.safetensors\",\"fc.weight\":\"a.safetensors\"}}",
                        &w));
    assert_int_equal(w.count, 4);
    assert_int_equal(tl_json_int(w.metadata, "total_size", 0), 1);
    tl_weights_close(ctx, &w);
    for (size_t i = 0; i < TL_COUNT(refused); i++) {
        assert_int_equal(open_with_index(ctx, top, refused[i], &w), TL_EDATA);
        assert_null(w.weight);
    }
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The n-th write, read and allocation fails: an error, no file, nothing left behind. */
static void saving_fails_cleanly(void **state)
{
    tl_ctx    *ctx    = test_fresh();
    char      *top    = test_folder(), *path;
    tl_params *params = sample_params(ctx);
    size_t     before;

    (void)state;
    TEST_OK(tl_path_join(ctx, top, "m.safetensors", &path));
    before = ctx->world->now_bytes;
    for (int kind = 0; kind < 2; kind++) {
        _Atomic int64_t *fault =
            kind ? &ctx->world->fault_alloc : &ctx->world->fault_write;
        bool             done  = false;
        for (int64_t n = 1; !done && n < 100; n++) {
            *fault = n;
            const tl_status rc = tl_weights_save(ctx, params, NULL, path);
            done   = *fault > 0;
            *fault = 0;
            assert_int_equal(rc == TL_OK, done);
            assert_int_equal(ctx->world->now_bytes, before);
            assert_int_equal(tl_exists(path), done);
        }
        assert_true(done);
        remove(path);
    }
    tl_free(ctx, path);
    tl_params_free(ctx, params);
    test_folder_end(top);
}

static void opening_fails_cleanly(void **state)
{
    static const char *const files[] = { "safetensors/dtypes.safetensors",
                                         "pytorch/zip.pt", "pytorch/legacy.th" };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t f = 0; f < TL_COUNT(files); f++) {
        char path[512];
        bool done = false;
        snprintf(path, sizeof path, "%s/fuzz/corpus/%s", TEST_FOLDER, files[f]);
        for (int64_t n = 1; !done && n < 1000; n++) {
            tl_weights w;
            ctx->world->fault_alloc = n;
            const tl_status rc = tl_weights_open(ctx, path, &w);
            done = ctx->world->fault_alloc > 0;
            ctx->world->fault_alloc = 0;
            assert_int_equal(rc, done ? TL_OK : TL_ENOMEM);
            tl_weights_close(ctx, &w);
            assert_int_equal(ctx->world->now_bytes, 0);
        }
        assert_true(done);
    }
}

static const tl_weight *find(const tl_weights *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->weight[i].name, name) == 0) return &w->weight[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* tools/golden/weight_corpus.py says what is in them: a = 0..11 as 3x4, b = a
 * transposed. */
static void pytorch_files_hold_what_was_saved(void **state)
{
    static const char *const files[] = { "zip.pt", "legacy.th" };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t f = 0; f < TL_COUNT(files); f++) {
        char       path[512];
        tl_weights w;
        float      v[12];
        snprintf(path, sizeof path, "%s/fuzz/corpus/pytorch/%s", TEST_FOLDER, files[f]);
        TEST_OK(tl_weights_open(ctx, path, &w));
        assert_int_equal(w.count, 7);
        TEST_OK(tl_weight_read(ctx, find(&w, "a"), v));
        for (int i = 0; i < 12; i++) assert_true(v[i] == (float)i);
        TEST_OK(tl_weight_read(ctx, find(&w, "b"), v));
        assert_int_equal(find(&w, "b")->shape.dim[0], 4);
        for (int i = 0; i < 12; i++) assert_true(v[i] == (float)(i % 3 * 4 + i / 3));
        TEST_OK(tl_weight_read(ctx, find(&w, "c"), v));
        assert_true(v[2] == 2.0f);
        TEST_OK(tl_weight_read(ctx, find(&w, "d"), v));
        assert_true(v[1] == 1.0f);
        TEST_OK(tl_weight_read(ctx, find(&w, "e"), v));
        assert_true(v[1] == 1.0f);
        TEST_OK(tl_weight_read(ctx, find(&w, "s"), v));
        assert_true(v[0] == 2.5f);
        assert_int_equal(tl_weight_read(ctx, find(&w, "z"), v), TL_EDATA);
        tl_weights_close(ctx, &w);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Every cut of every small file is an error, not a crash, and says where. */
static void files_cut_anywhere_are_errors(void **state)
{
    static const char *const files[] = { "safetensors/dtypes.safetensors",
                                         "pytorch/zip.pt", "pytorch/legacy.th",
                                         "pytorch/protocol5.pt" };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t f = 0; f < TL_COUNT(files); f++) {
        char     path[512];
        uint8_t *data;
        size_t   bytes;
        snprintf(path, sizeof path, "%s/fuzz/corpus/%s", TEST_FOLDER, files[f]);
        TEST_OK(tl_file_read(ctx, path, 1 << 20, &data, &bytes));
        for (size_t cut = 0; cut < bytes; cut++) {
            tl_weights      w;
            const tl_status rc =
                tl_weights_parse(ctx, "cut.bin", &(tl_map){ data, cut }, &w);
            assert_int_equal(rc, TL_EDATA);
            assert_non_null(strstr(ctx->message, "cut.bin"));
        }
        tl_free(ctx, data);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void the_shared_checkpoints_open(void **state)
{
    static const struct {
        const char *path, *format;
        size_t      count;
        int64_t     values;
    } known[] = {
        { "weights/cifar10-resnet/resnet20-12fca82f.th", "pytorch legacy", 97, 271098 },
        { "weights/kws-honk/res8.pt", "pytorch legacy", 30, 110988 },
        { "weights/squeezenet-v1.0", "safetensors", 52, 1248424 },
        { "weights/mobilenet-v2-imagenet", "safetensors", 262, 3538984 },
    };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        const char *path = test_data(known[i].path);
        int64_t     sum  = 0;
        tl_weights  w;
        if (!path) TEST_SKIP("the shared data is absent");
        TEST_OK(tl_weights_open(ctx, path, &w));
        assert_string_equal(w.format, known[i].format);
        assert_int_equal(w.count, known[i].count);
        for (size_t k = 0; k < w.count; k++) sum += tl_shape_count(&w.weight[k].shape);
        assert_int_equal(sum, known[i].values);
        tl_weights_close(ctx, &w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_file_is_read),
        cmocka_unit_test(every_malformed_header_is_named),
        cmocka_unit_test(a_giant_header_length_is_refused),
        cmocka_unit_test(half_precision_is_exact),
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(a_folder_with_two_files_lists_them),
        cmocka_unit_test(an_index_joins_shards_and_stays_in_its_folder),
        cmocka_unit_test(saving_fails_cleanly),
        cmocka_unit_test(opening_fails_cleanly),
        cmocka_unit_test(pytorch_files_hold_what_was_saved),
        cmocka_unit_test(files_cut_anywhere_are_errors),
        cmocka_unit_test(the_shared_checkpoints_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
