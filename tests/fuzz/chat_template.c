/* chat_template.c -- fuzz target: chat templates, parsed and rendered; their corpus in
 * corpus/chat_template. */
#include "data/chat/template.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    json_t *v = json_pack("{s:[{s:s,s:s},{s:s,s:s},{s:s,s:[{s:s,s:s}]}], s:s, s:b, s:n}",
                          "messages", "role", "user", "content", " H\xc3\xa9 ", "role",
                          "assistant", "content", "<think>x</think>y", "role", "tool",
                          "content", "type", "text", "text", "z", "bos_token", "<s>",
                          "add_generation_prompt", 1, "tools");
    tl_template *t;
    tl_rendered  made;
    tl_world     world;
    tl_ctx       ctx;

    tl_world_init(&world);
    world.limit_bytes = (size_t)256 << 20;
    ctx               = tl_ctx_make(&world);
    if (v && tl_template_parse(&ctx, "fuzz", (const char *)data, bytes, &t) == TL_OK) {
        if (tl_template_render(&ctx, t, v, true, &made) == TL_OK) {
            for (size_t i = 0; i < made.generations; i++)
                if (made.generation[i].from > made.generation[i].to ||
                    made.generation[i].to > made.bytes)
                    abort();
            tl_rendered_free(&ctx, &made);
        }
        tl_template_free(&ctx, t);
    }
    json_decref(v);
    if (world.now_bytes) abort(); /* a leak */
    return 0;
}
