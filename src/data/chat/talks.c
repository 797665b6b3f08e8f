/* talks.c -- files of conversations: `messages` as OpenAI and TRL write them, ShareGPT's
 * `conversations`, `prompt` with `completion`, Alpaca's `instruction`, `input`, `output` (and
 * Dolly's `context`, `response`).  Floor 2, data. */
#include "core/io.h"
#include "data/chat/talks.h"
#include "data/delimited.h"
#include "data/parquet/parquet.h"
#include "data/part.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 20 }; /* that the first conversation must end within */

/* The first text under one of these keys; NULL: none. */
static const char *text_at(const json_t *row, const char *const *keys)
{
    for (; *keys; keys++)
        if (json_is_string(json_object_get(row, *keys)))
            return tl_json_text(row, *keys, NULL);
    return NULL;
}

static bool add(json_t *talk, const char *role, const char *content)
{
    json_t *one = json_pack("{s:s, s:s}", "role", role, "content", content);

    return one && json_array_append_new(talk, one) == 0;
}

/* What others call the roles. */
static const char *role_of(const char *name)
{
    static const char *const known[][2] = {
        { "system", "system" },       { "user", "user" },           { "assistant", "assistant" },
        { "tool", "tool" },           { "human", "user" },          { "gpt", "assistant" },
        { "chatgpt", "assistant" },   { "bot", "assistant" },       { "model", "assistant" },
        { "prompter", "user" },       { "developer", "developer" }, { "function", "tool" },
    };

    for (size_t i = 0; name && i < TL_COUNT(known); i++)
        if (strcmp(known[i][0], name) == 0) return known[i][1];
    return NULL;
}

/* [{"role", "content"}] or [{"from", "value"}]; what stands beside is kept. */
static const char *from_list(const json_t *list, json_t *talk)
{
    static const char *const whos[] = { "role", "from", NULL };
    static const char *const said[] = { "content", "value", NULL };

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m    = json_array_get(list, i);
        const char   *role = role_of(text_at(m, whos));
        json_t       *one, *content = json_object_get(m, "content");
        if (!role) return "a message without a known role";
        if (!content) content = json_object_get(m, "value");
        if (!text_at(m, said) && !json_is_array(content) && !json_object_get(m, "tool_calls"))
            return "a message without content";
        one = json_copy((json_t *)(uintptr_t)m);
        json_object_del(one, "from");
        json_object_del(one, "value");
        json_object_set_new(one, "role", json_string(role));
        if (content) json_object_set(one, "content", content);
        if (json_array_append_new(talk, one) != 0) return "no room";
    }
    return NULL;
}

static const char *from_messages(const json_t *row, json_t *talk)
{
    return from_list(json_object_get(row, "messages"), talk);
}

static const char *from_sharegpt(const json_t *row, json_t *talk)
{
    const char *system = tl_json_text(row, "system", NULL);

    if (system && *system && !add(talk, "system", system)) return "no room";
    return from_list(json_object_get(row, "conversations"), talk);
}

/* Both may be texts, or lists of messages. */
static const char *from_pair(const json_t *row, json_t *talk)
{
    static const struct { const char *key, *role; } parts[] = { { "prompt", "user" },
                                                                { "completion", "assistant" } };

    for (size_t i = 0; i < TL_COUNT(parts); i++) {
        const json_t *v = json_object_get(row, parts[i].key);
        const char   *wrong;
        if (json_is_string(v)) {
            if (!add(talk, parts[i].role, json_string_value(v))) return "no room";
            continue;
        }
        if (!json_is_array(v)) return "a prompt or completion that is no text";
        if ((wrong = from_list(v, talk))) return wrong;
    }
    return NULL;
}

/* The input stands below the instruction, as in Alpaca's own prompts. */
static const char *from_alpaca(const json_t *row, json_t *talk)
{
    static const char *const asks[]    = { "instruction", NULL };
    static const char *const inputs[]  = { "input", "context", NULL };
    static const char *const outputs[] = { "output", "response", NULL };
    const char *system = tl_json_text(row, "system", NULL), *ask = text_at(row, asks),
               *input = text_at(row, inputs), *answer = text_at(row, outputs);
    char       *both = NULL;
    bool        room = true;

    if (!ask || !answer) return "an instruction without an output";
    if (system && *system) room = add(talk, "system", system);
    if (input && *input) {
        if (asprintf(&both, "%s\n%s", ask, input) < 0) return "no room";
        ask = both;
    }
    room = room && add(talk, "user", ask) && add(talk, "assistant", answer);
    free(both);
    return room ? NULL : "no room";
}

static const struct {
    const char *key, *with, *name;
    const char *(*read)(const json_t *row, json_t *talk); /* NULL: well; else what is wrong */
} forms[] = {
    { "messages", NULL, "messages", from_messages },
    { "conversations", NULL, "ShareGPT", from_sharegpt },
    { "prompt", "completion", "prompt and completion", from_pair },
    { "instruction", "output", "Alpaca", from_alpaca },
    { "instruction", "response", "Alpaca", from_alpaca },
};

/* -1: it is none.  Two texts beside a class are for a classifier. */
static int form_of(const json_t *row)
{
    const bool classed = json_object_get(row, "label") || json_object_get(row, "class") ||
                         json_object_get(row, "target");

    for (size_t i = 0; i < TL_COUNT(forms); i++)
        if (json_object_get(row, forms[i].key) &&
            (!forms[i].with || (!classed && json_object_get(row, forms[i].with))))
            return (int)i;
    return -1;
}

static bool has_answer(const json_t *talk)
{
    for (size_t i = 1; i < json_array_size(talk); i++)
        if (strcmp(tl_json_text(json_array_get(talk, i), "role", ""), "assistant") == 0)
            return true;
    return false;
}

static tl_status take_row(tl_ctx *ctx, const char *path, int64_t line, const json_t *row,
                          tl_bad *bad, int64_t *room, tl_talks *out)
{
    const int   form  = form_of(row);
    json_t     *talk  = json_array();
    const char *wrong = form < 0 ? "no conversation (messages, conversations, prompt and "
                                   "completion, or instruction and output)"
                                 : forms[form].read(row, talk);
    char        place[440];
    tl_status   rc = TL_OK;

    if (!wrong && !has_answer(talk)) wrong = "no answer of the assistant";
    if (wrong) {
        snprintf(place, sizeof place, "%.400s:%" PRId64, path, line);
        rc = tl_bad_add(ctx, bad, place, wrong);
        goto done;
    }
    if (out->count == *room) {
        *room = *room ? 2 * *room : 64;
        TL_TRY(tl_realloc(ctx, (size_t)*room * sizeof *out->talk, &out->talk));
        TL_TRY(tl_realloc(ctx, (size_t)*room * sizeof *out->line, &out->line));
    }
    if (!out->form) out->form = forms[form].name;
    out->line[out->count]   = line;
    out->talk[out->count++] = json_incref(talk);
done:
    json_decref(talk);
    return rc;
}

/* A line each; empty ones are none. */
static tl_status read_lines(tl_ctx *ctx, const char *path, const char *text, size_t bytes,
                            tl_bad *bad, int64_t *room, tl_talks *out)
{
    int64_t   line = 1;
    char      place[440];
    tl_status rc = TL_OK;

    for (const char *at = text, *end = text + bytes; at < end; line++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const char *stop = next ? next : end;
        json_t     *row  = NULL;
        if (at + strspn(at, " \t\r") < stop) {
            snprintf(place, sizeof place, "%.400s:%" PRId64, path, line);
            rc = tl_json_parse(ctx, place, at, (size_t)(stop - at), &row);
            if (rc == TL_EDATA) rc = tl_bad_add(ctx, bad, place, "no JSON object");
            else if (rc == TL_OK) rc = take_row(ctx, path, line, row, bad, room, out);
            json_decref(row);
            TL_TRY(rc);
        }
        at = stop + 1;
    }
done:
    return rc;
}

static tl_status read_array(tl_ctx *ctx, const char *path, const char *text, size_t bytes,
                            tl_bad *bad, int64_t *room, tl_talks *out)
{
    json_t   *all = NULL;
    tl_status rc;

    TL_TRY(tl_json_parse(ctx, path, text, bytes, &all));
    if (!json_is_array(all))
        TL_FAIL(TL_EDATA, path, "is no list of conversations (write [{...}, ...], or .jsonl)");
    for (size_t i = 0; i < json_array_size(all); i++)
        TL_TRY(take_row(ctx, path, (int64_t)i + 1, json_array_get(all, i), bad, room, out));
done:
    json_decref(all);
    return rc;
}

static bool is_array_file(const char *path)
{
    return tl_ends_with(path, ".json") || tl_ends_with(path, ".json.gz");
}

static tl_status read_json(tl_ctx *ctx, const char *path, size_t limit, tl_bad *bad,
                           int64_t *room, tl_talks *out)
{
    char     *text = NULL;
    size_t    bytes;
    tl_status rc;

    TL_TRY(tl_whole_text(ctx, path, limit, &text, &bytes));
    TL_TRY((is_array_file(path) ? read_array : read_lines)(ctx, path, text, bytes, bad, room,
                                                           out));
done:
    tl_free(ctx, text);
    return rc;
}

typedef struct {
    tl_ctx     *ctx;
    const char *path;
    tl_bad     *bad;
    int64_t    *room;
    tl_talks   *out;
} taking;

static tl_status take_object(void *user, int64_t row, const json_t *object)
{
    const taking *t = user;

    return take_row(t->ctx, t->path, row + 1, object, t->bad, t->room, t->out);
}

tl_status tl_talks_read(tl_ctx *ctx, const char *path, size_t limit, tl_bad *bad, tl_talks *out)
{
    tl_talks  t    = { 0 };
    int64_t   room = 0;
    taking    all  = { ctx, path, bad, &room, &t };
    tl_status rc;

    *out = t;
    TL_TRY(tl_is_parquet_name(path) ? tl_parquet_objects(ctx, path, limit, take_object, &all)
                                    : read_json(ctx, path, limit, bad, &room, &t));
    *out = t;
    t    = (tl_talks){ 0 };
done:
    tl_talks_free(ctx, &t);
    return rc;
}

void tl_talks_free(tl_ctx *ctx, tl_talks *t)
{
    for (int64_t i = 0; i < t->count; i++) json_decref(t->talk[i]);
    tl_free(ctx, t->talk);
    tl_free(ctx, t->line);
    *t = (tl_talks){ 0 };
}

/* The file's first bytes, a zero byte behind them; the caller frees. */
static tl_status first_bytes(tl_ctx *ctx, const char *path, char **out, size_t *bytes)
{
    tl_input *in = NULL;
    size_t    got;
    tl_status rc;

    *bytes = 0;
    TL_TRY(tl_alloc(ctx, FIRST_BYTES + 1, out));
    TL_TRY(tl_input_open(ctx, path, &in));
    do {
        TL_TRY(tl_read_some(ctx, in, *out + *bytes, FIRST_BYTES - *bytes, &got));
        *bytes += got;
    } while (got > 0 && *bytes < FIRST_BYTES);
done:
    tl_input_close(ctx, in);
    return rc;
}

static tl_status names_talks(tl_ctx *ctx, const char *path, bool *is)
{
    json_t         *names = NULL;
    const tl_status rc    = tl_parquet_names(ctx, path, &names);

    *is = names && form_of(names) >= 0;
    json_decref(names);
    return rc;
}

tl_status tl_talks_in(tl_ctx *ctx, const char *path, bool *is)
{
    static const char *const ends[] = { ".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz",
                                        ".json.gz" };
    bool         named = false;
    char        *text  = NULL;
    json_t      *first;
    json_error_t error;
    size_t       bytes, at = 0;
    tl_status    rc = TL_OK;

    *is = false;
    for (size_t i = 0; i < TL_COUNT(ends); i++) named |= tl_ends_with(path, ends[i]);
    named |= tl_is_parquet_name(path);
    if (!named || tl_is_folder(path) || !tl_exists(path)) return TL_OK;
    if (tl_is_parquet_name(path)) return names_talks(ctx, path, is);
    TL_TRY(first_bytes(ctx, path, &text, &bytes));
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) at = 3; /* a byte order mark */
    at += strspn(text + at, " \t\r\n");
    at += is_array_file(path) && text[at] == '[';
    first = json_loadb(text + at, bytes - at, JSON_DISABLE_EOF_CHECK, &error);
    *is   = form_of(first) >= 0;
    json_decref(first);
done:
    tl_free(ctx, text);
    return rc;
}
