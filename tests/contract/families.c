/* families.c -- every family and every size of it: it declares the published number of
 * parameters, builds whole and in parts, comes back from its own JSON and from its tensors'
 * names; and the texts that name a network, right and wrong. */
#include "model/family.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

/* Parameters with 1,000 outputs (10 for the CIFAR networks), running statistics apart. */
static const struct {
    const char *arch;
    int64_t     outputs, size, parameters, width;
    int         blocks;
} known[] = {
    { "resnet20", 10, 32, 269722, 64, 11 },
    { "resnet32", 10, 32, 464154, 64, 17 },
    { "resnet44", 10, 32, 658586, 64, 23 },
    { "resnet56", 10, 32, 853018, 64, 29 },
    { "resnet110", 10, 32, 1727962, 64, 56 },
    { "resnet18", 1000, 224, 11689512, 512, 10 },
    { "resnet34", 1000, 224, 21797672, 512, 18 },
    { "resnet50", 1000, 224, 25557032, 2048, 18 },
    { "resnet18-cifar", 10, 32, 11173962, 512, 10 },
    { "resnet34-cifar", 10, 32, 21282122, 512, 18 },
    { "mobilenet_v2", 1000, 224, 3504872, 1280, 20 },
    { "mobilenetv2_100", 1000, 224, 3504872, 1280, 20 },
    { "squeezenet1_0", 1000, 224, 1248424, 512, 10 },
    { "squeezenet1_1", 1000, 224, 1235496, 512, 10 },
    { "vit-tiny", 1000, 224, 5717416, 192, 14 },
    { "vit-small", 1000, 224, 22050664, 384, 14 },
    { "vit-base", 1000, 224, 86567656, 768, 14 },
    { "vit_tiny_patch16_224", 1000, 224, 5717416, 192, 14 },
    { "vit_small_patch16_224", 1000, 224, 22050664, 384, 14 },
    { "vit_base_patch16_224", 1000, 224, 86567656, 768, 14 },
    { "vit_base_patch32_224", 1000, 224, 88224232, 768, 14 },
    { "deit-tiny", 1000, 224, 5717800, 192, 14 },
    { "deit-small", 1000, 224, 22051432, 384, 14 },
    { "deit-base", 1000, 224, 86569192, 768, 14 },
    { "deit_tiny_distilled_patch16_224", 1000, 224, 5717800, 192, 14 },
    { "deit_small_distilled_patch16_224", 1000, 224, 22051432, 384, 14 },
    { "deit_base_distilled_patch16_224", 1000, 224, 86569192, 768, 14 },
    { "bert-tiny", 10, 0, 4387210, 128, 4 },
    { "bert-mini", 10, 0, 11173130, 256, 6 },
    { "bert-small", 10, 0, 28768778, 512, 6 },
    { "bert-base", 10, 0, 109489930, 768, 14 },
    { "roberta-base", 10, 0, 124653322, 768, 14 },
    { "distilbert-base", 10, 0, 66961162, 768, 8 },
    { "modernbert-base", 10, 0, 149612554, 768, 24 },
    { "gpt2-tiny", 10, 0, 7358592, 128, 6 },
    { "gpt2-small", 10, 0, 124447488, 768, 14 },
    { "gpt2-medium", 10, 0, 354833408, 1024, 26 },
    { "llama-tiny", 10, 0, 4888960, 128, 6 },
    { "llama-15m", 10, 0, 15194592, 288, 8 },
    { "llama-42m", 10, 0, 41694720, 512, 10 },
    { "table-resnet", 10, 8,
      192 * 192 + 192 + 2 * (2 * 192 + 2 * 192 * 384 + 384 + 192) + 2 * 192 + 1920 + 10, 192, 4 },
    { "mlp", 10, 28, 28 * 28 * 3 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10, 128, 3 },
};

static tl_arch parsed(const char *text, tl_shape row, int64_t outputs)
{
    tl_arch arch;

    TEST_OK(tl_arch_parse(test_ctx(), text, row, outputs, &arch));
    return arch;
}

/* A picture; for a network of text its longest row does not matter. */
static tl_shape row_for(const char *text, int64_t h, int64_t w)
{
    const tl_family *f;

    for (size_t i = 0; (f = tl_family_at(i)); i++)
        for (size_t s = 0; f->text && f->sizes[s]; s++)
            if (strcmp(f->sizes[s], text) == 0) return TL_SHAPE(16);
    return TL_SHAPE(h, w, 3);
}

static tl_params *params_of(const tl_arch *arch)
{
    tl_params *p;

    TEST_OK(tl_arch_params(test_ctx(), arch, &p));
    return p;
}

static void published_sizes(void **state)
{
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        tl_arch    arch = parsed(known[i].arch,
                                 row_for(known[i].arch, known[i].size, known[i].size),
                                 known[i].outputs);
        tl_params *p    = params_of(&arch);
        if (tl_params_numel(p, false) != known[i].parameters)
            fail_msg("%s: %" PRId64 " parameters", known[i].arch,
                     tl_params_numel(p, false));
        assert_int_equal(tl_arch_features(ctx, &arch), known[i].width);
        assert_int_equal(tl_arch_blocks(p), known[i].blocks);
        tl_params_free(ctx, p);
        arch.source_head = true; /* the source's own head is as large */
        p = params_of(&arch);
        const bool two = strstr(known[i].arch, "distilled") != NULL; /* a head a token */
        assert_int_equal(tl_params_numel(p, false),
                         known[i].parameters + two * 1000 * (known[i].width + 1));
        tl_params_free(ctx, p);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static bool is_known(const char *size)
{
    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (strcmp(known[i].arch, size) == 0) return true;
    return false;
}

static void records_are_whole(void **state)
{
    const tl_family *f;

    (void)state;
    for (size_t i = 0; (f = tl_family_at(i)); i++) {
        assert_true(f->doc[0] && f->source[0] && f->default_prep[0]);
        assert_ptr_equal(tl_family_find(f->name), f);
        assert_true(f->n_maps > 0 && f->maps[0].rules == 0);
        for (size_t s = 0; f->sizes[s]; s++)
            if (!is_known(f->sizes[s]))
                fail_msg("%s has no published size here", f->sizes[s]);
    }
    assert_null(tl_family_find("nothing"));
}

typedef struct { tl_net net; tl_graph *g; tl_built built; } built;

static built build(const tl_arch *arch, tl_params *params, int64_t rows, tl_part part,
                   bool training, tl_dtype dtype)
{
    built b = { 0 };

    TEST_OK(tl_graph_new(test_ctx(), &b.g));
    b.net = (tl_net){ .ctx = test_ctx(), .g = b.g, .params = params, .training = training,
                      .dtype = dtype };
    TEST_OK(tl_arch_build(&b.net, arch, rows, part, &b.built));
    return b;
}

static void check_shape(const built *b, tl_tensor t, int64_t rows, int64_t width)
{
    const tl_shape want = TL_SHAPE(rows, width);

    assert_true(tl_shape_equal(tl_graph_shape(b->g, t), &want));
    assert_int_equal(tl_graph_info(b->g, t)->dtype, TL_F32);
}

static void check_parts(const tl_arch *arch, tl_params *params, tl_dtype dtype)
{
    tl_ctx       *ctx   = test_ctx();
    const int64_t width = tl_arch_features(ctx, arch);
    built         b     = build(arch, params, 3, TL_PART_WHOLE, false, dtype);

    check_shape(&b, b.built.logits, 3, arch->outputs);
    tl_graph_free(ctx, b.g);
    b = build(arch, params, 3, TL_PART_BODY, false, dtype);
    check_shape(&b, b.built.features, 3, width);
    assert_int_equal(b.built.logits, 0);
    tl_graph_free(ctx, b.g);
    b = build(arch, params, 5, TL_PART_HEAD, true, dtype);
    check_shape(&b, b.built.x, 5, width);
    check_shape(&b, b.built.logits, 5, arch->outputs);
    tl_graph_free(ctx, b.g);
}

/* Every trained parameter has a gradient of its shape; states and frozen ones have none. */
static void check_gradients(const tl_arch *arch, tl_params *params)
{
    tl_ctx   *ctx = test_ctx();
    built     b   = build(arch, params, 4, TL_PART_WHOLE, true, TL_F32);
    tl_tensor label, weight, loss;

    label  = tl_graph_input(b.g, "label", TL_I32, TL_SHAPE(4));
    weight = tl_graph_input(b.g, "weight", TL_F32, TL_SHAPE(4));
    loss   = tl_cross_entropy(b.g, b.built.logits, label, weight, 0, 0.0f);
    tl_graph_backward(b.g, loss);
    TEST_OK(tl_graph_status(b.g));
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        const tl_tensor t = tl_graph_find(b.g, p->name), g = tl_graph_gradient(b.g, t);
        assert_int_not_equal(t, 0);
        if (!!g != p->trainable) fail_msg("%s: gradient %d", p->name, (int)g);
        if (g) assert_true(tl_shape_equal(tl_graph_shape(b.g, g), &p->shape));
    }
    tl_graph_free(ctx, b.g);
}

static void every_size_builds_and_has_gradients(void **state)
{
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        tl_arch    arch = parsed(known[i].arch, row_for(known[i].arch, 64, 65), 7);
        tl_params *p    = params_of(&arch);
        check_parts(&arch, p, TL_F32);
        check_parts(&arch, p, TL_BF16);
        check_gradients(&arch, p);
        for (int32_t k = 0; k < p->count; k++) p->param[k].trainable &= p->param[k].head;
        check_gradients(&arch, p);
        tl_params_free(ctx, p);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void squeezenet_keeps_its_own_head(void **state)
{
    tl_ctx    *ctx  = test_fresh();
    tl_arch    arch = parsed("squeezenet1_1", TL_SHAPE(64, 64, 3), 5);
    tl_params *p;
    built      b = { 0 };

    (void)state;
    arch.source_head = true;
    p = params_of(&arch);
    assert_int_equal(tl_params_find(p, "classifier.1.weight")->shape.ndim, 4);
    assert_true(tl_params_find(p, "classifier.1.weight")->head);
    assert_false(tl_params_find(p, "features.12.expand3x3.weight")->head);
    check_gradients(&arch, p);
    TEST_OK(tl_graph_new(ctx, &b.g));
    b.net = (tl_net){ .ctx = ctx, .g = b.g, .params = p };
    assert_int_equal(tl_arch_build(&b.net, &arch, 2, TL_PART_HEAD, &b.built), TL_EUSAGE);
    tl_graph_free(ctx, b.g);
    tl_params_free(ctx, p);
    tl_arch_free(ctx, &arch);
}

static void check_same(const tl_arch *a, const tl_arch *b)
{
    assert_ptr_equal(a->family, b->family);
    assert_string_equal(a->name, b->name);
    assert_true(json_equal(a->config, b->config));
    assert_int_equal(a->outputs, b->outputs);
    assert_true(tl_shape_equal(&a->row, &b->row));
}

static void an_arch_survives_its_json_and_config(void **state)
{
    static const char *const texts[] = {
        "mlp:32x16:tanh", "conv 8 3 relu, pool 2, dense 5 tanh",
        "resnet32",       "resnet50",
        "resnet18-cifar", "mobilenet_v2",
        "squeezenet1_1",  "vit:3x128x8",
        "deit-tiny",      "bert-tiny",
        "gpt2:2x128",     "llama-tiny"
    };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(texts); i++) {
        const bool text = i > 8; /* the last three */
        tl_arch arch = parsed(texts[i], text ? TL_SHAPE(16) : TL_SHAPE(48, 40, 1), 3), copy, back;
        json_t *json;
        arch.dropout = 0.25;
        json = tl_arch_to_json(&arch);
        assert_non_null(json);
        TEST_OK(tl_arch_from_json(ctx, "tailor.json", json, &back));
        check_same(&arch, &back);
        assert_true(back.dropout == 0.25 && !back.source_head);
        json_decref(json);
        tl_arch_free(ctx, &back);
        json = tl_arch_to_config(&arch);
        assert_non_null(json);
        TEST_OK(tl_arch_from_config(ctx, "config.json", json, &back));
        check_same(&arch, &back);
        assert_false(back.source_head);
        json_decref(json);
        TEST_OK(tl_arch_copy(ctx, &arch, &copy));
        check_same(&arch, &copy);
        tl_arch_free(ctx, &copy);
        tl_arch_free(ctx, &back);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static tl_tensors tensors_of(const tl_params *p, const char **name, tl_shape *shape)
{
    for (int32_t i = 0; i < p->count; i++)
        name[i] = p->param[i].name, shape[i] = p->param[i].shape;
    return (tl_tensors){ name, shape, (size_t)p->count };
}

static void every_size_is_recognised_from_its_tensors(void **state)
{
    enum { MOST = 700 };
    static const char *name[MOST];
    static tl_shape    shape[MOST];
    tl_ctx            *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        const bool  flat = strcmp(known[i].arch, "mlp") == 0;
        tl_arch     arch =
                    parsed(known[i].arch, flat ? TL_SHAPE(30) : row_for(known[i].arch, 64, 64),
                           7),
                back;
        const char *scheme;
        if (!arch.family->recognise) { /* told by its config only */
            tl_arch_free(ctx, &arch);
            continue;
        }
        arch.source_head = strstr(arch.name, "distilled") != NULL; /* told by its two heads */
        tl_params  *p = params_of(&arch);
        tl_tensors  t = tensors_of(p, name, shape);
        assert_true(p->count <= MOST);
        TEST_OK(tl_arch_recognise(ctx, "model.pt", &t, &scheme, &back));
        assert_string_equal(back.name, arch.name);
        assert_string_equal(scheme, arch.family->maps[0].scheme);
        assert_int_equal(back.outputs, 7);
        t.count = 1;
        tl_arch_free(ctx, &back);
        assert_int_equal(tl_arch_recognise(ctx, "model.pt", &t, &scheme, &back),
                         TL_EDATA);
        tl_params_free(ctx, p);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void check_rename(const char *family, size_t map, const char *from, const char *to)
{
    char out[128];

    assert_true(
        tl_names_apply(&tl_family_find(family)->maps[map], from, out, sizeof out));
    assert_string_equal(out, to);
}

/* Names as Transformers 5.23, timm and the Caffe network write them. */
static void names_of_others_become_ours(void **state)
{
    char out[12];

    (void)state;
    check_rename("resnet", 1, "resnet.embedder.embedder.convolution.weight",
                 "conv1.weight");
    check_rename("resnet", 1,
                 "resnet.encoder.stages.2.layers.1.layer.0.normalization.running_var",
                 "layer3.1.bn1.running_var");
    check_rename("resnet", 1,
                 "resnet.encoder.stages.3.layers.0.shortcut.convolution.weight",
                 "layer4.0.downsample.0.weight");
    check_rename("resnet", 1, "classifier.1.bias", "fc.bias");
    check_rename("mobilenet-v2", 1, "conv_stem.weight", "features.0.0.weight");
    check_rename("mobilenet-v2", 1, "bn1.bias", "features.0.1.bias");
    check_rename("mobilenet-v2", 1, "blocks.0.0.bn2.weight", "features.1.conv.2.weight");
    check_rename("mobilenet-v2", 1, "blocks.3.3.bn2.weight",
                 "features.10.conv.1.1.weight");
    check_rename("mobilenet-v2", 1, "blocks.6.0.conv_pwl.weight",
                 "features.17.conv.2.weight");
    check_rename("mobilenet-v2", 1, "classifier.weight", "classifier.1.weight");
    check_rename("mobilenet-v2", 2, "mobilenet_v2.conv_stem.conv_3x3.convolution.weight",
                 "features.1.conv.0.0.weight");
    check_rename("mobilenet-v2", 2, "mobilenet_v2.layer.15.reduce_1x1.normalization.bias",
                 "features.17.conv.3.bias");
    check_rename("mobilenet-v2", 2, "mobilenet_v2.layer.1.expand_1x1.convolution.weight",
                 "features.3.conv.0.0.weight");
    check_rename("vit", 3, "blocks.10.attn.qkv.bias",
                 "vit.encoder.layer.10.attention.attention.{query,key,value}.bias");
    check_rename("vit", 4, "transformer.layers.0.1.norm.weight",
                 "vit.encoder.layer.0.layernorm_after.weight");
    check_rename("deit", 3, "head_dist.weight", "distillation_classifier.weight");
    check_rename("squeezenet", 1, "fire9/conv3x3_2.bias", "features.12.expand3x3.bias");
    check_rename("squeezenet", 1, "conv_final.weight", "classifier.1.weight");
    assert_false(tl_names_apply(&tl_family_find("squeezenet")->maps[1],
                                "conv_final.weight", out, sizeof out));
}

static void layers_in_words(void **state)
{
    static const struct { const char *text; int64_t features, parameters;
    } good[] = {
        { "conv 32 3 relu, pool 2, dense 64 relu, dropout 0.2", 64,
          32 * 9 + 32 + 14 * 14 * 32 * 64 + 64 + 65 * 10 },
        { "conv 8 5 stride 2 valid groups 1 tanh, gpool", 8, 8 * 25 + 8 + 9 * 10 },
        { "pool 3 stride 2 avg, dense 7", 7, 13 * 13 * 7 + 7 + 8 * 10 },
        { "gelu", 784, 785 * 10 },
        { "conv 16 3, norm batch, relu, residual(conv 16 3 relu, conv 16 3, norm batch) "
          "relu, gpool",
          16, 16 * 9 + 32 + (16 * 16 * 9 + 16) + 16 * 16 * 9 + 32 + 17 * 10 },
        { "conv 4 3, residual ( conv 8 3 stride 2 , norm group ) , norm layer , gpool", 8,
          4 * 9 + 4 + 4 * 8 * 9 + 16 + 4 * 8 + 16 + 9 * 10 },
        { "dense 12 relu, residual(dense 12 silu, residual(dense 12)), norm layer", 12,
          785 * 12 + 2 * 13 * 12 + 24 + 13 * 10 },
    };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(good); i++) {
        tl_arch    arch = parsed(good[i].text, TL_SHAPE(28, 28, 1), 10);
        tl_params *p    = params_of(&arch);
        assert_int_equal(tl_arch_features(ctx, &arch), good[i].features);
        if (tl_params_numel(p, false) != good[i].parameters)
            fail_msg("%s: %" PRId64 " parameters", good[i].text,
                     tl_params_numel(p, false));
        check_gradients(&arch, p);
        tl_params_free(ctx, p);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void wrong_texts_are_told_at_the_word(void **state)
{
    static const struct { const char *text, *say;
    } bad[] = {
        { "resnet21", "did you mean resnet20?" },
        { "squeezenet:3", "not a version" },
        { "vit:6x100", "multiples of 64" },
        { "vit:6x128x40", "do not fit the picture" },
        { "quux", "known: " },
        { "resnet:18", "resnet18" },
        { "mlp:12x", "mlp:128x64" },
        { "mlp:12:rellu", "not an activation" },
        { "conv 32 3 relu, pol 2",
          "word 6: \"pol\" stands where a layer belongs (did you mean pool?)" },
        { "conv 32 relu", "word 3: \"relu\" stands where a window's size should" },
        { "conv 0 3", "word 2" },
        { "conv 32 3 relu pool 2", "word 5: \"pool\" stands where a comma" },
        { "dense 10 softmax", "follows from the task" },
        { "dropout 1.5", "word 2" },
        { "residual(conv 3 3", "ends where a comma or )" },
        { "residual()", "empty" },
        { "conv 3 3)", "should end" },
        { "norm bach", "batch, group or layer" },
        { "pool 2 relu", "word 3" },
        { "dense 5,, dense 5", "word 4" },
        { "residual(residual(residual(residual(residual(residual(residual(residual("
          "residual(relu",
          "too deep" },
    };
    tl_ctx *ctx = test_fresh();
    tl_arch arch;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        const tl_status rc =
            tl_arch_parse(ctx, bad[i].text, TL_SHAPE(28, 28, 1), 10, &arch);
        if (rc != TL_EUSAGE || !strstr(ctx->message, bad[i].say))
            fail_msg("\"%s\" -> %s: %s", bad[i].text, tl_status_name(rc), ctx->message);
        assert_null(arch.family);
    }
    assert_int_equal(tl_arch_parse(ctx, "resnet18", TL_SHAPE(28), 10, &arch), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "mlp"));
    assert_int_equal(tl_arch_parse(ctx, "bert-tiny", TL_SHAPE(28, 28, 1), 10, &arch), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "takes text"));
    assert_int_equal(tl_arch_parse(ctx, "gpt2:2x100", TL_SHAPE(28), 10, &arch), TL_EUSAGE);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* What cannot be built says so when it is built. */
static void impossible_layers_are_told(void **state)
{
    static const char *const texts[] = { "gpool, conv 3 3", "dense 5, pool 2", "pool 40",
                                         "conv 9 3 groups 2", "residual(gpool)" };
    tl_ctx    *ctx = test_fresh();
    tl_params *p;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(texts); i++) {
        tl_arch arch = parsed(texts[i], TL_SHAPE(28, 28, 1), 10);
        assert_int_equal(tl_arch_params(ctx, &arch, &p), TL_EUSAGE);
        assert_null(p);
        assert_true(ctx->message[0]);
        assert_int_equal(tl_arch_features(ctx, &arch) < 0 || i == 3, true);
        tl_arch_free(ctx, &arch);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static json_t *json_of(const char *text)
{
    json_t *value;

    TEST_OK(tl_json_parse(test_ctx(), "t", text, strlen(text), &value));
    return value;
}

static void configs_of_others(void **state)
{
    static const struct { const char *text, *name; int64_t outputs, channels;
    } good[] = {
        { "{\"model_type\":\"mobilenet_v2\",\"tf_padding\":true,\"id2label\":{\"0\":"
          "\"a\",\"1\":\"b\",\"2\":\"c\"}}",
          "mobilenet_v2", 3, 3 },
        { "{\"model_type\":\"resnet\",\"depths\":[2,2,2,2],\"hidden_sizes\":[64,128,256,"
          "512],"
          "\"layer_type\":\"basic\",\"num_labels\":4,\"num_channels\":1}",
          "resnet18", 4, 1 },
        { "{\"architectures\":[\"ResNetForImageClassification\"]}", "resnet50", 2, 3 },
        { "{\"architecture\":\"mobilenetv2_100\",\"num_classes\":1000}", "mobilenet_v2",
          1000, 3 },
        { "{\"architectures\":[\"ResNetForImageClassification\"],\"model_type\":\"resnet\","
          "\"downsample_in_first_stage\":false,\"embedding_size\":64,\"hidden_act\":"
          "\"relu\",\"out_features\":[\"stage4\"],\"out_indices\":[4],\"stage_names\":"
          "[\"stem\"],\"torch_dtype\":\"float32\",\"transformers_version\":\"4.18.0\","
          "\"anything\":null}",
          "resnet50", 2, 3 },
        { "{\"architecture\":\"resnet18\",\"num_classes\":7,\"num_features\":512,"
          "\"global_pool\":\"avg\",\"pretrained_cfg\":{}}",
          "resnet18", 7, 3 },
    };
    static const struct { const char *text, *say;
    } bad[] = {
        { "{}", "model_type" },
        { "{\"model_type\":\"xlnet\"}", "xlnet" },
        { "{\"model_type\":\"vit\",\"hidden_act\":\"quick_gelu\"}", "hidden_act" },
        { "{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}",
          "position_embedding_type" },
        { "{\"model_type\":\"bert\",\"num_attention_heads\":7}", "7 heads" },
        { "{\"model_type\":\"bert\",\"architectures\":[\"BertLMHeadModel\"]}", "next" },
        { "{\"model_type\":\"gpt2\",\"scale_attn_by_inverse_layer_idx\":true}",
          "scale_attn_by_inverse_layer_idx" },
        { "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"dynamic\"}}", "dynamic" },
        { "{\"model_type\":\"qwen2\",\"use_sliding_window\":true}", "use_sliding_window" },
        { "{\"model_type\":\"gemma2\",\"layer_types\":[\"linear_attention\"]}",
          "linear_attention" },
        { "{\"architecture\":\"resnet50\",\"model_args\":{\"stem_width\":32}}",
          "model_args" },
        { "{\"model_type\":\"resnet\",\"hidden_act\":\"gelu\"}", "hidden_act" },
        { "{\"model_type\":\"resnet\",\"downsample_in_bottleneck\":true}",
          "downsample_in_bottleneck" },
        { "{\"model_type\":\"resnet\",\"depths\":[1,2]}", "depths" },
        { "{\"model_type\":\"resnet\",\"depths\":[1,2,3,-4]}", "depths" },
        { "{\"model_type\":\"mobilenet_v2\",\"output_stride\":16}", "output_stride" },
        { "{\"model_type\":\"mobilenet_v2\",\"depth_multiplier\":1e9}",
          "depth_multiplier" },
        { "{\"model_type\":\"mobilenet_v2\",\"image_size\":0}", "image_size" },
        { "{\"model_type\":\"mlp\",\"hidden_sizes\":[4]}", "row" },
        { "{\"model_type\":\"mlp\",\"hidden_sizes\":[4],\"input_shape\":[20],\"levels\":[5,18,4]}",
          "levels" },
        { "{\"model_type\":\"mlp\",\"hidden_sizes\":[4],\"input_shape\":[20],\"levels\":"
          "[5,6,4,9,3,2]}",
          "levels" },
        { "{\"model_type\":\"mlp\",\"input_shape\":[2000000000,2000000000]}", "row" },
        { "{\"model_type\":\"resnet\",\"num_labels\":-4}", "outputs" },
        { "{\"model_type\":\"resnet\",\"se_ratio\":0.25}", "\"se_ratio\" is not known" },
        { "{\"model_type\":\"mobilenet_v2\",\"depth_multiplyer\":0.5}",
          "\"depth_multiplyer\" is not known" },
        { "{\"model_type\":\"squeezenet\",\"depths\":[1]}", "\"depths\" is not known" },
        { "{\"architecture\":\"resnet50\",\"global_pool\":\"max\"}", "global_pool" },
        { "{\"architecture\":\"resnet50\",\"drop_path\":0.1}", "drop_path" },
    };
    tl_ctx *ctx = test_fresh();
    tl_arch arch;
    json_t *json;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(good); i++) {
        json = json_of(good[i].text);
        TEST_OK(tl_arch_from_config(ctx, "config.json", json, &arch));
        assert_string_equal(arch.name, good[i].name);
        assert_int_equal(arch.outputs, good[i].outputs);
        assert_int_equal(arch.row.dim[2], good[i].channels);
        assert_true(arch.source_head);
        assert_string_equal(tl_arch_prep(&arch), i == 0 ? "half" : "imagenet");
        tl_arch_free(ctx, &arch);
        json_decref(json);
    }
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        json = json_of(bad[i].text);
        const tl_status rc = tl_arch_from_config(ctx, "config.json", json, &arch);
        if (rc != TL_EDATA || !strstr(ctx->message, bad[i].say))
            fail_msg("%s -> %s: %s", bad[i].text, tl_status_name(rc), ctx->message);
        json_decref(json);
    }
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void a_summary_names_layers_shapes_and_counts(void **state)
{
    tl_ctx *ctx  = test_fresh();
    tl_arch arch =
        parsed("conv 32 3 relu, pool 2, dense 64 relu", TL_SHAPE(28, 28, 1), 10);
    char   *text;

    (void)state;
    TEST_OK(tl_arch_summary(ctx, &arch, &text));
    assert_non_null(strstr(text, "conv1 "));
    assert_non_null(strstr(text, "28 x 28 x 32"));
    assert_non_null(strstr(text, "401,472"));
    tl_free(ctx, text);
    tl_arch_free(ctx, &arch);
    arch = parsed("resnet50", TL_SHAPE(224, 224, 3), 1000);
    TEST_OK(tl_arch_summary(ctx, &arch, &text));
    assert_non_null(strstr(text, "layer4.2 "));
    assert_non_null(strstr(text, "25,557,032"));
    tl_free(ctx, text);
    tl_arch_free(ctx, &arch);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The n-th allocation fails, for n = 1, 2... until all succeed: nothing leaks, nothing crashes. */
static void allocation_failing_anywhere_is_told(void **state)
{
    tl_ctx *ctx = test_fresh();
    tl_arch arch;

    (void)state;
    for (int64_t n = 1;; n++) {
        tl_params *p  = NULL;
        ctx->world->fault_alloc = n;
        tl_status  rc = tl_arch_parse(ctx, "residual(conv 4 3, norm batch), dense 3 relu",
                                      TL_SHAPE(8, 8, 1), 2, &arch);
        if (rc == TL_OK) rc = tl_arch_params(ctx, &arch, &p);
        const bool through = ctx->world->fault_alloc > 0;
        ctx->world->fault_alloc = 0;
        tl_params_free(ctx, p);
        tl_arch_free(ctx, &arch);
        assert_int_equal(ctx->world->now_bytes, 0);
        if (through) {
            assert_int_equal(rc, TL_OK);
            break;
        }
        assert_int_equal(rc, TL_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_whole),
        cmocka_unit_test(published_sizes),
        cmocka_unit_test(every_size_builds_and_has_gradients),
        cmocka_unit_test(squeezenet_keeps_its_own_head),
        cmocka_unit_test(an_arch_survives_its_json_and_config),
        cmocka_unit_test(every_size_is_recognised_from_its_tensors),
        cmocka_unit_test(names_of_others_become_ours),
        cmocka_unit_test(layers_in_words),
        cmocka_unit_test(wrong_texts_are_told_at_the_word),
        cmocka_unit_test(impossible_layers_are_told),
        cmocka_unit_test(configs_of_others),
        cmocka_unit_test(a_summary_names_layers_shapes_and_counts),
        cmocka_unit_test(allocation_failing_anywhere_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
