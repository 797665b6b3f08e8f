/* tokens.c -- a conversation as tokens, and which of them the assistant said: by the template's own
 * {% generation %} marks, else by rendering it up to each answer and comparing.  Floor 2, data. */
#include "core/text.h"
#include "data/chat/talks.h"

#include <string.h>

static size_t common(const char *a, size_t n, const char *b, size_t m)
{
    size_t i = 0;

    while (i < TL_MIN(n, m) && a[i] == b[i]) i++;
    return i;
}

/* The conversation's first `count` messages. */
static tl_status render(tl_ctx *ctx, const tl_chat_form *form, const json_t *talk, size_t count,
                        bool prompt, tl_rendered *out)
{
    json_t   *part = json_array();
    tl_status rc;

    *out = (tl_rendered){ 0 };
    for (size_t i = 0; i < count; i++) json_array_append(part, json_array_get(talk, i));
    if (json_array_size(part) != count) TL_FAIL(TL_ENOMEM, "chat", "no room (free memory)");
    TL_TRY(tl_chat_form_render(ctx, form, part, prompt, false, out));
done:
    json_decref(part);
    return rc;
}

/* What a message says, without blanks around it and without what it only thought. */
static tl_string said_by(const json_t *message)
{
    const json_t *v    = json_object_get(message, "content");
    tl_string     s    = { json_is_string(v) ? json_string_value(v) : "", json_string_length(v) };
    static const char thought[] = "</think>";
    const char *at;

    while ((at = memmem(s.text, s.bytes, thought, sizeof thought - 1))) {
        s.bytes -= (size_t)(at - s.text) + sizeof thought - 1;
        s.text = at + sizeof thought - 1;
    }
    while (s.bytes && strchr(" \t\r\n", s.text[0])) s.text++, s.bytes--;
    while (s.bytes && strchr(" \t\r\n", s.text[s.bytes - 1])) s.bytes--;
    return s;
}

static const char *find(const tl_rendered *in, size_t from, tl_string what)
{
    if (from > in->bytes) return NULL;
    return memmem(in->text + from, in->bytes - from, what.text, what.bytes);
}

/* Bytes that close an answer both here and where it is the last.  What closes the whole text may
 * begin as the next message does: then as far as the last mark or blank that both share. */
static size_t closing(const char *last, size_t n, const char *here, size_t m)
{
    size_t i = common(last, n, here, m);

    while (i > 0 && i < n && i < m && !strchr(" \t\r\n>]", here[i - 1])) i--;
    return i;
}

/* Answer i lies between what was rendered before it, as a prompt, and what closes it when it is
 * the last message.  A template may say an earlier answer in other words than the last: then it is
 * found by what it says. */
static tl_status answer_span(tl_ctx *ctx, const tl_chat_form *form, const json_t *talk, size_t i,
                             const tl_rendered *whole, tl_text_span *out)
{
    const tl_string says   = said_by(json_array_get(talk, i));
    tl_rendered     before = { 0 }, with = { 0 };
    tl_status       rc;

    TL_TRY(render(ctx, form, talk, i, true, &before));
    TL_TRY(render(ctx, form, talk, i + 1, false, &with));
    out->from = common(before.text, before.bytes, whole->text, whole->bytes);
    out->to   = common(with.text, with.bytes, whole->text, whole->bytes);
    if (says.bytes) {
        const char *here  = find(whole, out->from, says),
                   *there = find(&with, TL_MIN(out->from, with.bytes), says);
        if (out->from < before.bytes && out->from < whole->bytes) here = NULL;
        if (!here || !there)
            TL_FAIL(TL_EDATA, "chat template",
                    "does not say which words are the assistant's (put {%% generation %%} around "
                    "them)");
        here += says.bytes;
        there += says.bytes;
        out->to = (size_t)(here - whole->text) +
                  closing(there, with.bytes - (size_t)(there - with.text), here,
                          whole->bytes - (size_t)(here - whole->text));
    }
    out->to = TL_MAX(out->to, out->from);
done:
    tl_rendered_free(ctx, &before);
    tl_rendered_free(ctx, &with);
    return rc;
}

tl_status tl_talk_spans(tl_ctx *ctx, const tl_chat_form *form, const json_t *talk,
                        const tl_rendered *whole, tl_text_span **out, size_t *count)
{
    const size_t  n    = json_array_size(talk), room = TL_MAX(n, whole->generations);
    tl_text_span *span = NULL;
    tl_status     rc;

    *out   = NULL;
    *count = 0;
    TL_TRY(tl_alloc_array(ctx, room + 1, sizeof *span, &span));
    if (form->marks) {
        *count = whole->generations;
        memcpy(span, whole->generation, *count * sizeof *span);
    } else
        for (size_t i = 1; i < n; i++) {
            const char *role = tl_json_text(json_array_get(talk, i), "role", "");
            if (strcmp(role, "assistant") != 0) continue;
            TL_TRY(answer_span(ctx, form, talk, i, whole, &span[*count]));
            ++*count;
        }
    *out = span;
    span = NULL;
done:
    tl_free(ctx, span);
    if (rc != TL_OK) *count = 0;
    return rc;
}

tl_status tl_talk_encode(tl_ctx *ctx, const tl_chat_form *form, tl_encoder *encoder,
                         const json_t *talk, int64_t most, tl_talk_tokens *out)
{
    const tl_encode_options plain = { .plain = true, .most = TL_UNCUT };
    tl_rendered             whole = { 0 };
    tl_text_span           *span  = NULL;
    tl_tokens               made  = { 0 };
    tl_talk_tokens          t     = { 0 };
    size_t                  spans, k = 0;
    tl_status               rc;

    *out = t;
    TL_TRY(tl_chat_form_render(ctx, form, talk, false, false, &whole));
    TL_TRY(tl_talk_spans(ctx, form, talk, &whole, &span, &spans));
    TL_TRY(tl_encode(ctx, encoder, (tl_string){ whole.text, whole.bytes }, (tl_string){ 0 }, plain,
                     &made));
    t.count = TL_MIN(made.count, most);
    t.cut   = made.count - t.count;
    TL_TRY(tl_alloc_array(ctx, (size_t)t.count + 1, sizeof *t.id, &t.id));
    TL_TRY(tl_alloc_array(ctx, (size_t)t.count + 1, 1, &t.answer));
    for (int64_t i = 0; i < t.count; i++) {
        const tl_extent at = made.span[i];
        while (k < spans && span[k].to <= at.from) k++;
        t.id[i]     = made.id[i];
        t.answer[i] = i > 0 && k < spans && at.to > at.from && at.to > span[k].from;
        t.answers += t.answer[i];
    }
    *out = t;
    t    = (tl_talk_tokens){ 0 };
done:
    tl_rendered_free(ctx, &whole);
    tl_tokens_free(ctx, &made);
    tl_talk_tokens_free(ctx, &t);
    tl_free(ctx, span);
    return rc;
}

void tl_talk_tokens_free(tl_ctx *ctx, tl_talk_tokens *t)
{
    tl_free(ctx, t->id);
    tl_free(ctx, t->answer);
    *t = (tl_talk_tokens){ 0 };
}
