/* bad_models.c -- model directories and weight files that are cut, hostile, or not what they say:
 * safetensors, PyTorch's pickles and zips, config.json, tailor.json, preprocessing. */
#include "core/io.h"
#include "support/bad.h"
#include "support/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define ASK "evaluate m ../good/data"
#define ROW(id, code, said, line, ...)                                                   \
    {                                                                                    \
        .name = id, .status = code, .says = said, .command = line, __VA_ARGS__           \
    }
/* A bare weight file of these bytes. */
#define BARE(id, said, to, ...)                                                          \
    ROW(id, 3, said, "evaluate " to " ../good/data", .file = to, BAD_TEXT(__VA_ARGS__))
/* The good directory without tailor.json (n = 1: with it), and this file instead of its own. */
#define INSTEAD(id, said, to, ...)                                                       \
    ROW(id, 3, said, ASK, .file = "m/" to, BAD_TEXT(__VA_ARGS__), .make = the_rest)
#define OWN(id, said, ...)                                                               \
    ROW(id, 3, said, ASK, .file = "m/tailor.json", BAD_TEXT(__VA_ARGS__),                \
        .make = the_rest, .n = 1)

static void make_good(void)
{
    test_class_folders("data", 2, 12, 8);
    test_bad_tailor("train data --arch mlp:4 --epochs 1 --quiet --out m");
}

static void the_rest(const test_bad *b)
{
    static const char *const files[] = { "config.json", "preprocessor_config.json",
                                         "model.safetensors", "tailor.json" };
    char                     from[100], to[100], *data;
    size_t                   bytes;

    for (int i = 0; i < (b->n ? 4 : 3); i++) {
        snprintf(to, sizeof to, "m/%s", files[i]);
        if (tl_exists(to)) continue;
        snprintf(from, sizeof from, "./../good/m/best/%s", files[i]);
        data = test_bad_seed(from, &bytes);
        test_bad_write(to, data, bytes);
        free(data);
    }
}

/* ---- the good model's own files, changed ---- */
static void cut_own(const test_bad *b)
{
    char   from[100], to[100], *data;
    size_t bytes;

    snprintf(from, sizeof from, "./../good/m/best/%s", b->seed);
    snprintf(to, sizeof to, "m/%s", b->seed);
    data = test_bad_seed(from, &bytes);
    test_bad_write(to, data, bytes * (size_t)b->n / 1000);
    free(data);
    the_rest(&(test_bad){ .n = b->bytes ? 1 : 0 });
}

/* One word of a file exchanged: seed is "FILE:OLD:NEW". */
static void exchanged(const test_bad *b)
{
    char   spec[300], from[100], to[100], *data, *word, *at;
    size_t bytes;

    snprintf(spec, sizeof spec, "%s", b->seed);
    const char *file = strtok_r(spec, ":", &at), *old = strtok_r(NULL, "~", &at);
    word = strtok_r(NULL, "~", &at);
    snprintf(from, sizeof from, "./../good/m/best/%s", file);
    snprintf(to, sizeof to, "m/%s", file);
    data           = test_bad_seed(from, &bytes);
    char *const in = strstr(data, old);
    if (!in) fail_msg("%s holds no %s", file, old);
    test_bad_write(to, data, (size_t)(in - data));
    test_bad_write(to, word, strlen(word));
    test_bad_write(to, in + strlen(old), bytes - (size_t)(in + strlen(old) - data));
    free(data);
    the_rest(b);
}

/* ---- safetensors ---- */
static void with_header(const test_bad *b)
{
    uint8_t      head[8];
    const size_t n = strlen(b->seed);

    for (int i = 0; i < 8; i++) head[i] = (uint8_t)((uint64_t)n >> 8 * i);
    test_bad_write("m.safetensors", head, 8);
    test_bad_write("m.safetensors", b->seed, n);
    test_bad_write("m.safetensors", "0123456789abcdef", 16);
}

static void header_of_bytes(const test_bad *b)
{
    uint8_t head[16] = { 0, 0, 0, 0, 0, 0, 0, 0, '{', '}' };

    for (int i = 0; i < 8; i++) head[i] = (uint8_t)((uint64_t)b->n >> 8 * i);
    test_bad_write("m.safetensors", head, sizeof head);
}

static void deep_header(const test_bad *b)
{
    const size_t n   = (size_t)b->n;
    char        *all = malloc(n + 9);

    memset(all, 0, 8);
    for (int i = 0; i < 8; i++) all[i] = (char)(n >> 8 * i);
    memset(all + 8, '[', n);
    memcpy(all + 8, "{\"a\":", 5);
    test_bad_write("m.safetensors", all, n + 8);
    free(all);
}

static void deep_json(const test_bad *b)
{
    char *all = malloc((size_t)b->n);

    memset(all, b->seed[0], (size_t)b->n);
    if (b->seed[0] == '{')
        for (int64_t i = 0; i + 5 <= b->n; i += 5) memcpy(all + i, "{\"a\":", 5);
    TEST_OK(tl_make_folders(test_ctx(), "m"));
    test_bad_write(b->file, all, (size_t)b->n);
    free(all);
    the_rest(&(test_bad){ .n = strstr(b->file, "tailor") ? 1 : 0 });
}

/* ---- zip by hand ---- */
typedef struct {
    uint8_t *data;
    size_t   bytes;
} bytes_of;

static void put(bytes_of *z, const void *data, size_t bytes)
{
    z->data = realloc(z->data, z->bytes + bytes);
    assert_non_null(z->data);
    memcpy(z->data + z->bytes, data, bytes);
    z->bytes += bytes;
}

static void put16(bytes_of *z, unsigned v)
{
    put(z, (uint8_t[]){ (uint8_t)v, (uint8_t)(v >> 8) }, 2);
}
static void put32(bytes_of *z, uint32_t v)
{
    put16(z, v & 0xffff), put16(z, v >> 16);
}

typedef struct {
    const char *name, *data;
    size_t      bytes;
    uint32_t    said, packed; /* 0: the truth */
    unsigned    method, flags;
    uint32_t    at; /* 0: the truth */
} member;

static void put_head(bytes_of *z, const member *m)
{
    put16(z, m->flags), put16(z, m->method), put32(z, 0);
    put32(z, (uint32_t)crc32(0, (const Bytef *)m->data, (uInt)m->bytes));
    put32(z, m->packed ? m->packed : (uint32_t)m->bytes);
    put32(z, m->said ? m->said : (uint32_t)m->bytes);
    put16(z, (unsigned)strlen(m->name)), put16(z, 0);
}

static bytes_of zip_of(const member *m, int n)
{
    bytes_of z = { 0 }, directory = { 0 };

    for (int i = 0; i < n; i++) {
        const uint32_t at = m[i].at ? m[i].at : (uint32_t)z.bytes;
        put(&z, "PK\3\4\x14\0", 6), put_head(&z, &m[i]);
        put(&z, m[i].name, strlen(m[i].name)), put(&z, m[i].data, m[i].bytes);
        put(&directory, "PK\1\2\x14\0\x14\0", 8), put_head(&directory, &m[i]);
        put16(&directory, 0), put16(&directory, 0), put16(&directory, 0);
        put32(&directory, 0), put32(&directory, at);
        put(&directory, m[i].name, strlen(m[i].name));
    }
    const uint32_t start = (uint32_t)z.bytes;
    put(&z, directory.data, directory.bytes);
    put(&z, "PK\5\6\0\0\0\0", 8), put16(&z, (unsigned)n), put16(&z, (unsigned)n);
    put32(&z, (uint32_t)directory.bytes), put32(&z, start), put16(&z, 0);
    free(directory.data);
    return z;
}

/* Pickles that would do something, were they run. */
#define PICKLE(...) (__VA_ARGS__), sizeof(__VA_ARGS__) - 1
static const struct {
    const char *name, *data;
    size_t      bytes;
} pickles[] = {
    { "os_system", PICKLE("\x80\2cos\nsystem\nX\x10\0\0\0touch hostile-ran\x85R.") },
    { "posix_system", PICKLE("\x80\2cposix\nsystem\nX\4\0\0\0true\x85R.") },
    { "builtins_eval", PICKLE("\x80\2c__builtin__\neval\nX\3\0\0\0"
                              "1+1\x85R.") },
    { "builtins_exec_by_stack", PICKLE("\x80\4\x8c\x08"
                                       "builtins\x8c\4exec\x93\x8c\1x\x85R.") },
    { "subprocess_popen", PICKLE("\x80\2csubprocess\nPopen\n(X\4\0\0\0trueltR.") },
    { "runpy", PICKLE("\x80\2crunpy\n_run_code\n}}\x86R.") },
    { "getattr_of_os",
      PICKLE("\x80\2c__builtin__\ngetattr\ncos\nsystem\nX\1\0\0\0a\x86R.") },
    { "torch_load", PICKLE("\x80\2ctorch\nload\nX\1\0\0\0a\x85R.") },
    { "torch_hub", PICKLE("\x80\2ctorch.hub\nload\nX\1\0\0\0a\x85R.") },
    { "instance", PICKLE("(ios\nsystem\nS'true'\n.") },
    { "object_of_class", PICKLE("\x80\2cos\nsystem\n)\x81.") },
    { "build_of_state", PICKLE("\x80\2ccollections\nOrderedDict\n)R}(X\1\0\0\0a1ub.") },
    { "extension", PICKLE("\x80\2\x82\1.") },
    { "persistent_id_of_text", PICKLE("\x80\2X\1\0\0\0aQ.") },
    { "memo_that_is_not_there", PICKLE("\x80\2h\xff.") },
    { "list_in_itself", PICKLE("\x80\2]q\0h\0a.") },
    { "dict_in_itself", PICKLE("\x80\2}q\0X\1\0\0\0ah\0s.") },
    { "stack_below_the_floor", PICKLE("\x80\2"
                                      "0000.") },
    { "mark_without_end", PICKLE("\x80\2((((((((.") },
    { "text_of_4_gigabytes", PICKLE("\x80\2X\xff\xff\xff\xff"
                                    "a.") },
    { "text_of_2_to_the_63", PICKLE("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
                                    "a.") },
    { "long_of_2_gigabytes", PICKLE("\x80\2\x8b\xff\xff\xff\x7f.") },
    { "frame_beyond_the_end", PICKLE("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xff"
                                     "N.") },
    { "protocol_200", PICKLE("\x80\xc8"
                             "N.") },
    { "no_stop", PICKLE("\x80\2N") },
    { "none", PICKLE("\x80\2N.") },
    { "a_number", PICKLE("\x80\2K\1.") },
    { "an_empty_dict", PICKLE("\x80\2}.") },
    { "unknown_code", PICKLE("\x80\2\xfe.") },
};

static void pickle_in_zip(const test_bad *b)
{
    const member m = {
        "archive/data.pkl", pickles[b->n].data, pickles[b->n].bytes, 0, 0, 0, 0, 0
    };
    bytes_of z = zip_of(&m, 1);

    test_bad_write(b->file, z.data, z.bytes);
    free(z.data);
}

static void pickle_alone(const test_bad *b)
{
    test_bad_write(b->file, pickles[b->n].data, pickles[b->n].bytes);
}

#define PKL "\x80\2}."
static const struct {
    const char *name;
    member      m[3];
    int         n;
} zips[] = {
    { "path_upwards", { { "../../../data.pkl", PKL, 4, 0, 0, 0, 0, 0 } }, 1 },
    { "path_absolute", { { "/tmp/data.pkl", PKL, 4, 0, 0, 0, 0, 0 } }, 1 },
    { "path_that_paints", { { "\x1b[31m/data.pkl", PKL, 4, 0, 0, 0, 0, 0 } }, 1 },
    { "no_data_pkl", { { "archive/other.txt", "hello", 5, 0, 0, 0, 0, 0 } }, 1 },
    { "packed_member", { { "archive/data.pkl", PKL, 4, 0, 0, 8, 0, 0 } }, 1 },
    { "sealed_member", { { "archive/data.pkl", PKL, 4, 0, 0, 0, 1, 0 } }, 1 },
    { "member_of_4_gigabytes",
      { { "archive/data.pkl", PKL, 4, 0xfffffff0u, 0xfffffff0u, 0, 0, 0 } },
      1 },
    { "member_bomb", { { "archive/data.pkl", PKL, 4, 0x7fffffffu, 4, 8, 0, 0 } }, 1 },
    { "member_behind_the_end",
      { { "archive/data.pkl", PKL, 4, 0, 0, 0, 0, 0x7fffffff } },
      1 },
    { "member_in_the_directory", { { "archive/data.pkl", PKL, 4, 0, 0, 0, 0, 60 } }, 1 },
    { "two_of_one_name",
      { { "archive/data.pkl", PKL, 4, 0, 0, 0, 0, 0 },
        { "archive/data.pkl", "\x80\2N.", 4, 0, 0, 0, 0, 0 } },
      2 },
    { "torchscript",
      { { "archive/data.pkl", PKL, 4, 0, 0, 0, 0, 0 },
        { "archive/constants.pkl", PKL, 4, 0, 0, 0, 0, 0 } },
      2 },
    { "big_endian",
      { { "archive/data.pkl", PKL, 4, 0, 0, 0, 0, 0 },
        { "archive/byteorder", "big", 3, 0, 0, 0, 0, 0 } },
      2 },
};

static void odd_zip(const test_bad *b)
{
    bytes_of z = zip_of(zips[b->n].m, zips[b->n].n);

    test_bad_write(b->file, z.data, z.bytes);
    free(z.data);
}

static void linked_model(const test_bad *b)
{
    assert_int_equal(symlink(b->seed, "m"), 0);
}

static void shards_elsewhere(const test_bad *b)
{
    char      index[400];
    const int n =
        snprintf(index, sizeof index, "{\"weight_map\": {\"a\": \"%s\"}}", b->seed);

    test_bad_write("m/model.safetensors.index.json", index, (size_t)n);
    test_bad_write("m/config.json", "{\"model_type\": \"mlp\"}", 21);
}

static const test_bad rows[] = {
    /* no model */
    ROW("nothing_there", 3, "^tailor: m: ", ASK, .make = NULL),
    ROW("empty_folder", 3, NULL, "evaluate . ../good/data", .make = NULL),
    ROW("folder_of_pictures", 3, NULL, "evaluate ../good/data ../good/data",
        .make = NULL),
    ROW("link_to_itself", 3, NULL, ASK, .make = linked_model, .seed = "m"),
    ROW("link_to_endless_zeros", 3, NULL, ASK, .make = linked_model, .seed = "/dev/zero"),
    BARE("empty_safetensors", "empty", "m.safetensors", ""),
    BARE("empty_pt", "empty", "m.pt", ""),
    BARE("text_called_safetensors", NULL, "m.safetensors",
         "hello, this is no model at all\n"),
    BARE("text_called_pt", NULL, "m.pt", "hello, this is no model at all\n"),
    BARE("lfs_pointer", NULL, "m.safetensors",
         "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    BARE("html_called_pt", NULL, "m.pt", "<!DOCTYPE html><html>404</html>\n"),
    BARE("gzip_called_pt", NULL, "m.pt", "\x1f\x8b\x08\0\0\0\0\0\0\3"),
    BARE("zip_of_nothing", NULL, "m.pt", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    BARE("zip_head_alone", NULL, "m.pt", "PK\3\4"),
    BARE("hdf5", NULL, "m.h5", "\x89HDF\r\n\x1a\n"),
    BARE("gguf_of_nothing", NULL, "m.gguf", "GGUF\3\0\0\0"),
/* headers of safetensors */
#define HEADER(id, said, text)                                                           \
    ROW("header_" id, 3, said, "evaluate m.safetensors ../good/data",                    \
        .make = with_header, .seed = text)
#define A "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}"
    HEADER("empty_object", NULL, "{}"),
    HEADER("not_json", "not valid JSON", "{hello"),
    HEADER("list", NULL, "[1, 2]"),
    HEADER("key_twice", "not valid JSON",
           A ",\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"),
    HEADER("overlap", NULL,
           A ",\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"),
    HEADER("hole", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}"),
    HEADER("data_left", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"),
    HEADER("offsets_backwards", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}"),
    HEADER("offsets_negative", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}}"),
    HEADER("offsets_behind_the_end", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,36]}}"),
    HEADER("offsets_over_64_bits", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,"
           "99999999999999999999]}}"),
    HEADER("offsets_of_text", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[\"0\",\"16\"]}}"),
    HEADER("three_offsets", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,8,16]}}"),
    HEADER("shape_that_wraps", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_"
           "offsets\":[0,16]}}"),
    HEADER("shape_negative", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}"),
    HEADER("shape_of_fractions", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[4.5],\"data_offsets\":[0,16]}}"),
    HEADER("shape_other_than_bytes", NULL,
           "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}}"),
    HEADER("dtype_unknown", NULL,
           "{\"a\":{\"dtype\":\"F33\",\"shape\":[4],\"data_offsets\":[0,16]}}"),
    HEADER("dtype_missing", NULL, "{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}"),
    HEADER("entry_is_a_number", NULL, "{\"a\":16}"),
    HEADER("metadata_of_numbers", NULL, "{\"__metadata__\":{\"a\":1}}"),
    HEADER(
        "name_that_paints", NULL,
        "{\"\\u001b[31ma\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"),
    HEADER("network_unknown", NULL, A "}"),
    ROW("header_of_2_to_the_63", 3, NULL, "evaluate m.safetensors ../good/data",
        .make = header_of_bytes, .n = INT64_MAX),
    ROW("header_of_99_megabytes", 3, "cut short inside the header",
        "evaluate m.safetensors ../good/data", .make = header_of_bytes, .n = 99000000),
    ROW("header_of_0", 3, NULL, "evaluate m.safetensors ../good/data",
        .make = header_of_bytes),
    ROW("header_nested_100000_deep", 3, NULL, "evaluate m.safetensors ../good/data",
        .make = deep_header, .n = 100000),
    /* config.json */
    INSTEAD("config_empty", "config.json", "config.json", ""),
    INSTEAD("config_broken", "config.json:1: not valid JSON", "config.json",
            "{\"model_type\": "),
    INSTEAD("config_list", "no JSON object", "config.json", "[]"),
    INSTEAD("config_text", "config.json", "config.json", "\"mlp\""),
    INSTEAD("config_no_utf8", "config.json", "config.json", "{\"model_type\": \"\xff\"}"),
    INSTEAD("config_model_unknown", "is not supported", "config.json",
            "{\"model_type\": \"yolo\"}"),
    INSTEAD("config_model_that_paints", NULL, "config.json",
            "{\"model_type\": \"\\u001b[31m\\n\"}"),
    INSTEAD("config_model_number", NULL, "config.json", "{\"model_type\": 7}"),
    INSTEAD("config_resnet_huge", NULL, "config.json",
            "{\"model_type\": \"resnet\", \"hidden_sizes\": [999999999, 1, 1, 1]}"),
    INSTEAD("config_vit_of_no_heads", NULL, "config.json",
            "{\"model_type\": \"vit\", \"num_attention_heads\": 0}"),
    INSTEAD("config_vit_heads_do_not_divide", NULL, "config.json",
            "{\"model_type\": \"vit\", \"num_attention_heads\": 7}"),
    INSTEAD("config_vit_negative", NULL, "config.json",
            "{\"model_type\": \"vit\", \"hidden_size\": -64}"),
    INSTEAD("config_vit_of_text", NULL, "config.json",
            "{\"model_type\": \"vit\", \"hidden_size\": \"large\"}"),
    INSTEAD("config_vit_huge", NULL, "config.json",
            "{\"model_type\": \"vit\", \"hidden_size\": 1000000000000}"),
    INSTEAD("config_vit_fraction", NULL, "config.json",
            "{\"model_type\": \"vit\", \"patch_size\": 3.5}"),
    INSTEAD("config_bert", NULL, "config.json", "{\"model_type\": \"bert\"}"),
    INSTEAD(
        "config_labels_10_to_the_12", NULL, "config.json",
        "{\"model_type\": \"mlp\", \"hidden_sizes\": [4], \"input_shape\": [8, 8, 3], "
        "\"num_labels\": 1000000000000}"),
    INSTEAD(
        "config_labels_negative", NULL, "config.json",
        "{\"model_type\": \"mlp\", \"hidden_sizes\": [4], \"input_shape\": [8, 8, 3], "
        "\"num_labels\": -2}"),
    INSTEAD("config_input_huge", NULL, "config.json",
            "{\"model_type\": \"mlp\", \"hidden_sizes\": [4], \"num_labels\": 2, "
            "\"input_shape\": [2147483647, 2147483647, 3]}"),
    INSTEAD("config_input_of_0", NULL, "config.json",
            "{\"model_type\": \"mlp\", \"hidden_sizes\": [4], \"num_labels\": 2, "
            "\"input_shape\": [0, 8, 3]}"),
    INSTEAD("config_other_widths", NULL, "config.json",
            "{\"model_type\": \"mlp\", \"hidden_sizes\": [5], \"num_labels\": 2, "
            "\"input_shape\": [8, 8, 3]}"),
    INSTEAD("config_1000_layers", NULL, "config.json",
            "{\"model_type\": \"mlp\", \"hidden_sizes\": "
            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
            "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
            "1,1,1,1,1,1,"
            "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
            "1,1,1,1,1,1], "
            "\"num_labels\": 2, \"input_shape\": [8, 8, 3]}"),
    INSTEAD(
        "config_words_broken", NULL, "config.json",
        "{\"model_type\": \"words\", \"layers\": \"dense 4 rulu\", \"num_labels\": 2, "
        "\"input_shape\": [8, 8, 3]}"),
    ROW("config_nested_100000_deep", 3, NULL, ASK, .file = "m/config.json",
        .make = deep_json, .seed = "[", .n = 100000),
    ROW("config_objects_100000_deep", 3, NULL, ASK, .file = "m/config.json",
        .make = deep_json, .seed = "{", .n = 100000),
    ROW("config_of_20_megabytes", 4, NULL, ASK, .file = "m/config.json",
        .make = deep_json, .seed = " ", .n = 20 << 20),
    /* preprocessing */
    INSTEAD("prep_broken", "preprocessor_config.json", "preprocessor_config.json", "{"),
    INSTEAD("prep_list", "preprocessor_config.json", "preprocessor_config.json", "[1]"),
    INSTEAD("prep_std_of_0", NULL, "preprocessor_config.json",
            "{\"do_normalize\": true, \"image_mean\": [0,0,0], \"image_std\": [0,0,0]}"),
    INSTEAD("prep_size_huge", NULL, "preprocessor_config.json",
            "{\"size\": {\"height\": 1000000000, \"width\": 1000000000}}"),
    INSTEAD("prep_size_0", NULL, "preprocessor_config.json",
            "{\"size\": {\"height\": 0, \"width\": 0}}"),
    INSTEAD("prep_size_negative", NULL, "preprocessor_config.json",
            "{\"size\": {\"height\": -8, \"width\": 8}}"),
    /* tailor.json */
    OWN("own_empty", "tailor.json", ""),
    OWN("own_broken", "tailor.json:1: not valid JSON", "{\"task\": "),
    OWN("own_list", "no JSON object", "[]"),
    OWN("own_of_nothing", NULL, "{}"),
    OWN("own_task_unknown", "is not one this Tailor knows",
        "{\"task\": \"world-domination\"}"),
    OWN("own_task_that_paints", NULL, "{\"task\": \"\\u001b[31m\\n\"}"),
    OWN("own_sum_wrong", "changed",
        "{\"task\": \"image-classification\", \"sha256\": \"00\"}"),
    ROW("own_nested_deep", 3, NULL, ASK, .file = "m/tailor.json", .make = deep_json,
        .seed = "[", .n = 100000),
#define CHANGED(id, said, from, to)                                                      \
    ROW(id, 3, said, ASK, .make = exchanged, .seed = "tailor.json:" from "~" to, .n = 1)
    CHANGED("own_family_unknown", "family", "\"family\": \"mlp\"", "\"family\": \"mpl\""),
    CHANGED("own_outputs_0", NULL, "\"outputs\": 2", "\"outputs\": 0"),
    CHANGED("own_outputs_huge", NULL, "\"outputs\": 2",
            "\"outputs\": 4000000000000000000"),
    CHANGED("own_outputs_3", NULL, "\"outputs\": 2", "\"outputs\": 3"),
    CHANGED("own_arch_missing", NULL, "\"arch\"", "\"harc\""),
    CHANGED("own_sum_wrong_by_a_letter", "changed", "\n  \"sha256\": \"",
            "\n  \"sha256\": \"0"),
    /* shards */
    ROW("shard_upwards", 3, NULL, ASK, .make = shards_elsewhere,
        .seed = "../../good/m/best/model.safetensors"),
    ROW("shard_absolute", 3, NULL, ASK, .make = shards_elsewhere, .seed = "/etc/passwd"),
    ROW("shard_missing", 3, NULL, ASK, .make = shards_elsewhere,
        .seed = "no.safetensors"),
    ROW("shard_is_the_index", 3, NULL, ASK, .make = shards_elsewhere,
        .seed = "model.safetensors.index.json"),
    ROW("index_broken", 3, "model.safetensors.index.json:1", ASK,
        .file = "m/model.safetensors.index.json", BAD_TEXT("{")),
    ROW("index_of_nothing", 3, NULL, ASK, .file = "m/model.safetensors.index.json",
        BAD_TEXT("{}")),
    /* as a base */
    ROW("base_nothing_there", 3, "no-such-base",
        "train ../good/data --base no-such-base --dry-run", .make = NULL),
    ROW("base_a_picture", 3, NULL,
        "train ../good/data --base ../good/data/class0/p000.png --dry-run", .make = NULL),
    ROW("base_twice", 2, "--base",
        "train ../good/data --base ../good/m/best --base ../good/m/best --dry-run",
        .make = NULL),
    ROW("route_without_a_base", 2, "pretrained",
        "train ../good/data --arch mlp --route full --dry-run", .make = NULL),
    ROW("compare_with_a_broken_base", 3, NULL,
        "compare ../good/data --base m --dry-run --budget 20s", .file = "m/config.json",
        BAD_TEXT("{"), .make                                          = the_rest),
    ROW("pictures_for_a_folder_of_models", 3, NULL,
        "predict ../good/m/best ../good/m/best", .make = NULL),
};

static void add_changed(test_bad_list *list)
{
    static const char *const files[] = { "model.safetensors", "config.json",
                                         "tailor.json", "preprocessor_config.json" };
    static const char *const pt[]    = { "legacy.th", "zip.pt", "protocol5.pt" };
    static const int         cuts[]  = { 0, 10, 100, 300, 500, 700, 900, 990 };
    char                     name[100];

    for (size_t i = 0; i < TL_COUNT(files); i++)
        for (int at = 0; at < 1000; at += 160) {
            snprintf(name, sizeof name, "%s_cut_at_%d", files[i], at);
            test_bad_add(list, (test_bad)ROW(name, 3, NULL, ASK, .make = cut_own,
                                             .seed = files[i], .n = at, .bytes = 1));
        }
    for (size_t i = 0; i < TL_COUNT(pt); i++) {
        char seed[100];
        snprintf(seed, sizeof seed, "fuzz/corpus/pytorch/%s", pt[i]);
        test_bad_cuts(list,
                      (test_bad)ROW(pt[i], 3, NULL, "evaluate m.pt ../good/data",
                                    .file = "m.pt", .seed = seed),
                      cuts, TL_COUNT(cuts));
    }
    test_bad_cuts(list,
                  (test_bad)ROW("llama2c", 3, "cut short|no weight file|empty",
                                "evaluate m.bin ../good/data", .file = "m.bin",
                                .seed = "fuzz/corpus/llama2c_weights/shared.bin"),
                  cuts, TL_COUNT(cuts));
}

static void add_hostile(test_bad_list *list)
{
    char name[100];

    for (size_t i = 0; i < TL_COUNT(pickles); i++) {
        snprintf(name, sizeof name, "pickle_%s_in_zip", pickles[i].name);
        test_bad_add(list, (test_bad)ROW(name, 3, NULL, "evaluate m.pt ../good/data",
                                         .file = "m.pt", .make = pickle_in_zip,
                                         .n = (int64_t)i));
        snprintf(name, sizeof name, "pickle_%s_alone", pickles[i].name);
        test_bad_add(list, (test_bad)ROW(name, 3, NULL, "evaluate m.pth ../good/data",
                                         .file = "m.pth", .make = pickle_alone,
                                         .n = (int64_t)i));
    }
    for (size_t i = 0; i < TL_COUNT(zips); i++) {
        snprintf(name, sizeof name, "zip_%s", zips[i].name);
        test_bad_add(list,
                     (test_bad)ROW(name, 3, NULL, "evaluate m.pt ../good/data",
                                   .file = "m.pt", .make = odd_zip, .n = (int64_t)i));
    }
}

int main(void)
{
    test_bad_list list = { 0 };

    for (size_t i = 0; i < TL_COUNT(rows); i++) test_bad_add(&list, rows[i]);
    add_changed(&list);
    add_hostile(&list);
    return test_bad_run("bad_models", &list, make_good);
}
