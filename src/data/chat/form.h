/* form.h -- a model's own form of a conversation: its chat template and the special tokens that it
 * names, from tokenizer_config.json and chat_template.jinja.  Floor 2, data. */
#ifndef TL_DATA_CHAT_FORM_H
#define TL_DATA_CHAT_FORM_H
#include "data/chat/template.h"
#include "data/texts/texter.h"

typedef struct {
    tl_template *tmpl;
    json_t      *tokens; /* {"bos_token": "<s>", ...}                                     */
    bool         marks;  /* the template says what the assistant made ({% generation %})  */
} tl_chat_form;

/* *out NULL: the model has no template.  TL_EDATA where it is none that can be read. */
tl_status tl_chat_form_open(tl_ctx *ctx, const tl_texter *t, tl_chat_form **out);
void      tl_chat_form_close(tl_ctx *ctx, tl_chat_form *f); /* NULL is fine */
/* messages: [{"role", "content", ...}, ...].  `prompt`: ends with what comes before an answer.
 * `clock`: as for tl_template_render. */
tl_status tl_chat_form_render(tl_ctx *ctx, const tl_chat_form *f, const json_t *messages,
                              bool prompt, bool clock, tl_rendered *out);
#endif
