/* chat.c -- a conversation with a language model: its messages, rendered by the model's own chat
 * template, or one text that grows.  Floor 4.5, api. */
#include "api/handles.h"
#include "data/chat/form.h"

#include <string.h>

struct tailor_chat {
    const tl_model *model; /* borrowed */
    tl_writer      *writer;
    tl_chat_form   *form;  /* NULL: it has none */
    json_t         *messages;
    tl_text         said;  /* without a form: all that was said */
};

tailor_status tailor_chat_open(tailor *t, const tailor_model *model, const char *system,
                               tailor_chat **out)
{
    tl_ctx         *ctx = tl_api_begin(t);
    const tl_model *m   = model->model;
    tailor_chat    *c   = NULL;
    tl_status       rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->model = m;
    c->said  = tl_text_make(ctx);
    TL_TRY(tl_api_writer(t, m, &c->writer));
    TL_TRY(tl_chat_form_open(ctx, m->prep.text, &c->form));
    if (system && !c->form)
        TL_FAIL(TL_EUSAGE, m->path ? m->path : "model",
                "has no chat template, so that nobody is the system (leave --system out)");
    c->messages = system ? json_pack("[{s:s, s:s}]", "role", "system", "content", system)
                         : json_array();
    if (!c->messages) TL_FAIL(TL_EUSAGE, "--system", "is no UTF-8 (write it as UTF-8)");
    *out = c;
    c    = NULL;
done:
    tailor_chat_free(t, c);
    return tl_api_status(rc);
}

int tailor_chat_has_template(const tailor_chat *chat)
{
    return chat->form != NULL;
}

/* What the model is to continue; *plain: special tokens stand in it. */
static tl_status prompt_of(tl_ctx *ctx, const tailor_chat *c, const json_t *messages,
                           const char *text, tl_text *out, bool *plain)
{
    tl_rendered made = { 0 };
    tl_status   rc   = TL_OK;

    *plain = c->form != NULL;
    if (c->form) {
        TL_TRY(tl_chat_form_render(ctx, c->form, messages, true, true, &made));
        tl_text_add_bytes(out, made.text, made.bytes);
    } else {
        if (c->said.bytes) tl_text_add_bytes(out, c->said.text, c->said.bytes);
        tl_text_add(out, text);
    }
    TL_TRY(out->status);
done:
    tl_rendered_free(ctx, &made);
    return rc;
}

/* The conversation goes on from here. */
static tl_status remember(tl_ctx *ctx, tailor_chat *c, json_t *messages, const char *text,
                          const char *answer)
{
    tl_status rc = TL_OK;

    if (c->form) {
        json_t *one = json_pack("{s:s, s:s}", "role", "assistant", "content", answer);
        if (!one || json_array_append_new(messages, one) != 0)
            TL_FAIL(TL_ENOMEM, "chat", "no room for the answer (free memory)");
        json_decref(c->messages);
        c->messages = json_incref(messages);
    } else {
        tl_text_add(&c->said, text);
        tl_text_add(&c->said, answer);
        TL_TRY(c->said.status);
    }
done:
    return rc;
}

tailor_status tailor_chat_say(tailor *t, tailor_chat *chat, const char *text,
                              int (*each)(void *user, const char *piece), void *user, char **json)
{
    tl_ctx           *ctx      = tl_api_begin(t);
    const tl_listener to       = { each, user };
    tl_telling        how      = tl_api_telling(t);
    json_t           *messages = json_copy(chat->messages);
    json_t           *one      = json_pack("{s:s, s:s}", "role", "user", "content", text);
    tl_text           prompt   = tl_text_make(ctx);
    tl_told           told     = { 0 };
    tl_status         rc;

    if (json) *json = NULL;
    chat->said.ctx = ctx;
    if (!one || !messages || json_array_append_new(messages, one) != 0) {
        if (one && !messages) json_decref(one);
        TL_FAIL(TL_EUSAGE, "message", "is no UTF-8 (write it as UTF-8)");
    }
    TL_TRY(prompt_of(ctx, chat, messages, text, &prompt, &how.plain));
    TL_TRY(tl_tell(ctx, chat->writer, chat->model,
                   (tl_string){ prompt.bytes ? prompt.text : "", prompt.bytes }, &how, &to, &told));
    TL_TRY(remember(ctx, chat, messages, text, told.text));
    if (json)
        TL_TRY(tl_api_text(ctx, json_pack("{s:s, s:o, s:I, s:I, s:s}", "input", text, "output",
                                          tl_json_name(told.text), "tokens",
                                          (json_int_t)told.written, "prompt_tokens",
                                          (json_int_t)told.read, "finish", told.finish),
                           json));
done:
    json_decref(messages);
    tl_text_free(&prompt);
    tl_free(ctx, told.text);
    return tl_api_status(rc);
}

void tailor_chat_free(tailor *t, tailor_chat *chat)
{
    if (!chat) return;
    tl_writer_free(&t->ctx, chat->writer);
    tl_chat_form_close(&t->ctx, chat->form);
    json_decref(chat->messages);
    tl_text_free(&chat->said);
    tl_free(&t->ctx, chat);
}
