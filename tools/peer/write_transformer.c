/* write_transformer.c -- writes the network of a config.json as Tailor saves it, with weights drawn
 * at random, and the logits Tailor gives four packed texts, for tools/peer/transformers_loads.py.
 *   peer-write-transformer CONFIG FOLDER */
#include "backend/cpu/cpu.h"
#include "core/io.h"
#include "core/rand.h"
#include "model/weights.h"
#include "tensor/plan.h"

#include <stdio.h>

enum { SEED = 5, TEXTS = 4, TOKENS = 17 };
static int32_t offsets[TEXTS + 1] = { 0, 4, 5, 14, 17 }, ids[TOKENS], positions[TOKENS],
                               segments[TOKENS];

static void make_texts(int64_t vocab)
{
    for (int s = 0; s < TEXTS; s++)
        for (int32_t i = offsets[s]; i < offsets[s + 1]; i++) {
            positions[i] = i - offsets[s];
            ids[i]       = 3 + (int32_t)((7 * i + 1) % (vocab - 3));
        }
}

static void draw(tl_params *params)
{
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        for (int64_t k = 0; k < p->count; k++)
            tl_params_value(params, p)[k] =
                (float)(p->init == TL_INIT_ONE) +
                0.5f * (float)tl_rand_uniform(SEED, (uint64_t)i, (uint64_t)k) - 0.25f;
    }
}

static tl_status bind_all(tl_ctx *ctx, tl_plan *plan, const tl_graph *g,
                          const tl_built *b, const tl_params *params)
{
    tl_status rc;

    TL_TRY(tl_plan_bind(ctx, plan, b->x, ids));
    if (b->text.positions) TL_TRY(tl_plan_bind(ctx, plan, b->text.positions, positions));
    if (b->text.offsets) TL_TRY(tl_plan_bind(ctx, plan, b->text.offsets, offsets));
    if (b->text.segments) TL_TRY(tl_plan_bind(ctx, plan, b->text.segments, segments));
    for (int32_t i = 0; i < params->count; i++)
        TL_TRY(tl_plan_bind(ctx, plan, tl_graph_find(g, params->param[i].name),
                            tl_params_value(params, &params->param[i])));
done:
    return rc;
}

static tl_status write_logits(tl_ctx *ctx, const tl_arch *arch, tl_params *params,
                              const char *path)
{
    tl_graph *g    = NULL;
    tl_slab  *slab = NULL;
    tl_plan  *plan = NULL;
    tl_built  built;
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &g));
    tl_net net = { .ctx = ctx, .g = g, .params = params, .sequences = TEXTS };
    TL_TRY(tl_arch_build(&net, arch, TOKENS, TL_PART_WHOLE, &built));
    TL_TRY(tl_slab_new(ctx, &tl_backend_cpu, &slab));
    TL_TRY(tl_plan_new(ctx, g, &tl_backend_cpu, slab, &plan));
    TL_TRY(bind_all(ctx, plan, g, &built, params));
    TL_TRY(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
    TL_TRY(tl_file_write(ctx, path, tl_plan_data(plan, built.logits),
                         (size_t)tl_shape_count(tl_graph_shape(g, built.logits)) * 4));
done:
    tl_plan_free(ctx, plan);
    tl_slab_free(ctx, slab);
    tl_graph_free(ctx, g);
    return rc;
}

static tl_status write_all(tl_ctx *ctx, const char *config_path, const char *folder)
{
    static const char *const names[] = { "config.json", "model.safetensors",
                                         "logits.f32" };
    tl_arch                  arch    = { 0 };
    tl_params               *params  = NULL;
    json_t                  *config = NULL, *made = NULL;
    char                    *path[3] = { NULL };
    tl_status                rc;

    TL_TRY(tl_json_read(ctx, config_path, 1 << 20, &config));
    TL_TRY(tl_arch_from_config(ctx, config_path, config, &arch));
    TL_TRY(tl_arch_params(ctx, &arch, &params));
    draw(params);
    make_texts(tl_json_int(config, "vocab_size", 0));
    made = tl_arch_to_config(&arch);
    json_object_set_new(made, "architectures",
                        json_pack("[s]", arch.family->class_of(&arch)));
    TL_TRY(tl_make_folders(ctx, folder));
    for (int i = 0; i < 3; i++) TL_TRY(tl_path_join(ctx, folder, names[i], &path[i]));
    TL_TRY(tl_json_write_exact(ctx, path[0], made));
    TL_TRY(tl_weights_save(ctx, params, NULL, path[1]));
    TL_TRY(write_logits(ctx, &arch, params, path[2]));
done:
    for (int i = 0; i < 3; i++) tl_free(ctx, path[i]);
    tl_params_free(ctx, params);
    tl_arch_free(ctx, &arch);
    json_decref(config);
    json_decref(made);
    return rc;
}

int main(int count, char **word)
{
    tl_world world;
    tl_ctx   ctx;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (count != 3) {
        fprintf(stderr, "usage: peer-write-transformer CONFIG FOLDER\n");
        return 2;
    }
    if (write_all(&ctx, word[1], word[2]) == TL_OK) return 0;
    fprintf(stderr, "peer-write-transformer: %s\n", ctx.message);
    return tl_status_exit(ctx.status);
}
