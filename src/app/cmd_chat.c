/* cmd_chat.c -- tailor chat: talk to a causal language model, or ask it once; and the options of
 * writing that `predict` shares.  Floor 5, app. */
#include "app/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tl_status tl_app_writing(tl_app *app, bool chat)
{
    const tl_args *a    = &app->args;
    const char   **stop = NULL;
    tailor_writing w    = { .max_tokens = tl_args_int(a, TL_OPT_max_tokens, 0),
                            .temperature =
                                tl_args_real(a, TL_OPT_temperature, chat ? 0.7 : 0.0),
                            .top_k              = tl_args_int(a, TL_OPT_top_k, 0),
                            .top_p              = tl_args_real(a, TL_OPT_top_p, 0.0),
                            .min_p              = tl_args_real(a, TL_OPT_min_p, 0.0),
                            .repetition_penalty = tl_args_real(a, TL_OPT_repetition_penalty, 0.0),
                            .seed               = tl_app_seed(app),
                            .context            = tl_args_int(a, TL_OPT_context, 0) };
    tl_status      rc;

    TL_TRY(tl_app_list(app, TL_OPT_stop, &stop));
    w.stop = stop;
    TL_TRY(tl_app_lib(app, tailor_set_writing(app->lib, &w)));
done:
    tl_free(&app->ctx, stop);
    return rc;
}

/* Pieces as they come; non-zero where nobody reads any more. */
static int print_piece(void *user, const char *piece)
{
    *(bool *)user = true;
    return fputs(piece, stdout) < 0 || fflush(stdout) != 0;
}

/* One message and its answer; with --json as JSON, else as it is written. */
static tl_status say(tl_app *app, tailor_chat *chat, const char *text)
{
    const bool streams = !app->term.json;
    bool       begun   = false;
    char      *answer  = NULL;
    json_t    *result  = NULL;
    tailor_status status;
    tl_status     rc;

    status = tailor_chat_say(app->lib, chat, text, streams ? print_piece : NULL, &begun, &answer);
    TL_TRY(tl_app_json(app, status, answer, &result));
    if (streams) {
        putchar('\n');
        goto done;
    }
    TL_TRY(tl_app_print_json(app, result));
done:
    if (begun && rc != TL_OK) putchar('\n');
    json_decref(result);
    return rc;
}

/* All of stdin, without the line end at its end. */
static tl_status read_all(tl_ctx *ctx, tl_text *out)
{
    char   block[1 << 14];
    size_t got;

    while ((got = fread(block, 1, sizeof block, stdin)) > 0) tl_text_add_bytes(out, block, got);
    if (out->status != TL_OK) return out->status;
    while (out->bytes && (out->text[out->bytes - 1] == '\n' || out->text[out->bytes - 1] == '\r'))
        out->text[--out->bytes] = 0;
    if (out->bytes == 0 || strlen(out->text) != out->bytes)
        return tl_fail(ctx, TL_EDATA, "stdin", "holds no message (write a text, or give --prompt)");
    return TL_OK;
}

static tl_status say_stdin(tl_app *app, tailor_chat *chat)
{
    tl_text   text = tl_text_make(&app->ctx);
    tl_status rc;

    TL_TRY(read_all(&app->ctx, &text));
    TL_TRY(say(app, chat, text.text));
done:
    tl_text_free(&text);
    return rc;
}

/* Line by line, until the end of input or /exit; /clear begins anew. */
static tl_status talk(tl_app *app, const tailor_model *model, tailor_chat **chat)
{
    const char *system = tl_args_text(&app->args, TL_OPT_system);
    char       *line   = NULL;
    size_t      room   = 0;
    ssize_t     got;
    tl_status   rc = TL_OK;

    tl_term_say(&app->term, "/clear begins anew, /exit or Ctrl-D ends");
    for (;;) {
        fprintf(stderr, "%s>%s ", tl_term_err(&app->term, TL_BOLD),
                tl_term_err(&app->term, TL_PLAIN));
        got = getline(&line, &room, stdin);
        if (got < 0) break;
        while (got > 0 && (line[got - 1] == '\n' || line[got - 1] == '\r')) line[--got] = 0;
        if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0) break;
        if (strcmp(line, "/clear") == 0) {
            tailor_chat_free(app->lib, *chat);
            *chat = NULL;
            TL_TRY(tl_app_lib(app, tailor_chat_open(app->lib, model, system, chat)));
        } else if (*line) {
            rc = say(app, *chat, line);
            if (rc == TL_ELIMIT) { /* the conversation is as before */
                tl_term_say(&app->term, app->ctx.message);
                rc = TL_OK;
            }
            TL_TRY(rc);
        }
    }
    if (got < 0) fputc('\n', stderr);
done:
    free(line);
    return rc;
}

tl_status tl_cmd_chat(tl_app *app)
{
    const char   *path   = app->args.operand[0];
    const char   *prompt = tl_args_text(&app->args, TL_OPT_prompt);
    tailor_model *model  = NULL;
    tailor_chat  *chat   = NULL;
    tl_status     rc;

    TL_TRY(tl_app_writing(app, true));
    TL_TRY(tl_app_lib(app, tailor_model_open(app->lib, path,
                                             tl_args_text(&app->args, TL_OPT_arch), &model)));
    TL_TRY(tl_app_lib(app, tailor_chat_open(app->lib, model,
                                            tl_args_text(&app->args, TL_OPT_system), &chat)));
    if (!tailor_chat_has_template(chat))
        tl_term_say(&app->term, "the model has no chat template: it continues what is said");
    if (prompt) rc = say(app, chat, prompt);
    else rc = isatty(STDIN_FILENO) ? talk(app, model, &chat) : say_stdin(app, chat);
done:
    tailor_chat_free(app->lib, chat);
    tailor_model_free(app->lib, model);
    return rc;
}
