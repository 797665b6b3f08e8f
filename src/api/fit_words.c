/* fit_words.c -- a language model on a corpus, its blocks as rows, or on conversations, a row each:
 * the candidate, scores.  Floor 4.5, api. */
#include "api/fit.h"
#include "api/words.h"
#include "core/io.h"
#include "core/text.h"
#include "data/chat/set.h"
#include "train/stepper.h"
#include "train/trainer.h"
#include "train/words.h"

#include <math.h>
#include <stdio.h>

static tl_status make_candidate(tl_ctx *ctx, const tailor_model *model,
                                const tailor_fit_options *o, tl_candidate *c)
{
    double    lr; /* the route's own */
    int64_t   block;
    tl_status rc;

    TL_TRY(tl_fit_route(ctx, model, o->route, &c->route));
    TL_TRY(tl_route_takes_words(ctx, c->route));
    if (!model->model->prep.text || !model->model->arch.family->text)
        TL_FAIL(TL_EDATA, model->model->arch.name, "takes no text (give a model of text)");
    c->base = c->route->needs_base ? model->model : NULL;
    c->prep = model->model->prep;
    TL_TRY(tl_arch_copy(ctx, &model->model->arch, &c->arch));
    c->arch.ask         = tl_words_ask_of(&c->arch);
    c->arch.source_head = false;
    block               = tl_words_block(&c->arch, 0);
    TL_TRY(tl_route_defaults(ctx, c->route, &c->arch, 1, &c->hyper));
    lr = c->hyper.optim.lr;
    tl_hyper_words(&c->hyper, &c->arch, !c->route->needs_base, block);
    if (c->hyper.adapt.kind) c->hyper.optim.lr = lr; /* well above those of whole networks */
    TL_TRY(tl_fit_hyper(ctx, &c->hyper, o));
    if (c->hyper.block < 2 || c->hyper.block > c->arch.row.dim[0])
        TL_FAIL(TL_EUSAGE, "--block", "%" PRId64 " is not from 2 to the network's %" PRId64
                " places", c->hyper.block, c->arch.row.dim[0]);
done:
    return rc;
}

static void say_corpus(tailor *t, const tl_dataset *d, const tl_candidate *c, const tl_cache *cache,
                       const tl_rows part[3])
{
    char    line[400];
    int64_t tokens[3] = { 0 };

    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < part[k].count; i++)
            tokens[k] += tl_cache_tokens(cache, part[k].row[i]);
    snprintf(line, sizeof line,
             "text: %" PRId64 " %s, %" PRId64 " tokens to learn from, %" PRId64 " validation, %"
             PRId64 " test%s; %s of %" PRId64 ", blocks of %" PRId64,
             tl_corpus_documents(d), tl_plural(tl_corpus_documents(d), "document", "documents"),
             tokens[0], tokens[1], tokens[2],
             tokens[2] ? "" : " (none is cut off where --valid is named)",
             tl_tokenizer_kind(c->prep.text->tokenizer), c->prep.text->size, c->hyper.block);
    tl_api_say(t, line);
}

static void say_talks(tailor *t, const tl_dataset *d, const tl_candidate *c,
                      const tl_talks_count *n, const tl_rows part[3])
{
    char line[400], cut[100] = "", left[100] = "";

    snprintf(line, sizeof line,
             "conversations (%s): %" PRId64 " to learn from, %" PRId64 " validation, %" PRId64
             " test; of %" PRId64 " tokens the assistant's %" PRId64 " are asked",
             tl_talks_form(d), part[TL_SPLIT_TRAIN].count, part[TL_SPLIT_VALID].count,
             part[TL_SPLIT_TEST].count, n->tokens, n->answers);
    tl_api_say(t, line);
    if (n->cut)
        snprintf(cut, sizeof cut, "%" PRId64 " longer than %" PRId64 " tokens are cut (%" PRId64
                 " tokens)", n->cut, c->hyper.block, n->cut_tokens);
    if (n->left)
        snprintf(left, sizeof left, "%s%" PRId64 " without an answer %s are left out",
                 n->cut ? "; " : "", n->left, n->cut ? "then" : "that has tokens");
    snprintf(line, sizeof line, "conversations: %s%s%s", cut, left,
             n->cut ? " (--block N keeps more)" : "");
    if (n->cut || n->left) tl_api_say(t, line);
}

/* A plain form for models that have none; it goes with the model from here on. */
static const char plain_form[] =
    "{% for message in messages %}{% if message.role == 'assistant' %}"
    "{{ '### Assistant:\n' + message.content + eos_token + '\n' }}{% else %}"
    "{{ '### ' + message.role | capitalize + ':\n' + message.content + '\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}";

static tl_status form_of(tailor *t, const tl_model *m, tl_chat_form **out)
{
    tl_ctx   *ctx = &t->ctx;
    tl_status rc;

    TL_TRY(tl_chat_form_open(ctx, m->prep.text, out));
    if (*out) return TL_OK;
    if (tl_tokenizer_special(m->prep.text->tokenizer, "eos") < 0)
        TL_FAIL(TL_EDATA, m->path ? m->path : m->arch.name,
                "has neither a chat template nor a token that ends a text (give a "
                "chat_template.jinja beside it)");
    tl_api_say(t, "note: the model has no chat template; a plain one goes with it from now on");
    TL_TRY(tl_texter_add_file(ctx, m->prep.text, "chat_template.jinja", plain_form));
    TL_TRY(tl_chat_form_open(ctx, m->prep.text, out));
done:
    return rc;
}

static tl_status fit_talks(tailor *t, const tailor_model *model, const tailor_data *data,
                           const tailor_fit_options *o, tl_fitting *f, tl_rows part[3])
{
    tl_ctx        *ctx  = &t->ctx;
    tl_candidate  *c    = &f->spec.candidate;
    tl_chat_form  *form = NULL;
    tl_talks_count n;
    tl_status      rc;

    (void)o;
    if (c->arch.ask != TL_ASK_NEXT)
        TL_FAIL(TL_EUSAGE, c->arch.name, "predicts no next word, so that it cannot answer (take "
                "a causal language model, as gpt2 or llama)");
    TL_TRY(form_of(t, model->model, &form));
    TL_TRY(tl_talks_rows(ctx, data->set, &c->prep, form, c->hyper.block, &f->spec.cache, part,
                         &n));
    say_talks(t, data->set, c, &n, part);
done:
    tl_chat_form_close(ctx, form);
    return rc;
}

static tl_status fit_corpus(tailor *t, const tailor_model *model, const tailor_data *data,
                            const tailor_fit_options *o, tl_fitting *f, tl_rows part[3])
{
    tl_ctx       *ctx    = &t->ctx;
    tl_candidate *c      = &f->spec.candidate;
    char         *folder = NULL;
    tl_status     rc;

    (void)model;
    if (o->out && !o->dry_run && !o->find_rate) {
        TL_TRY(tl_path_join(ctx, o->out, "checkpoints", &folder));
        TL_TRY(tl_make_folders(ctx, folder));
    }
    TL_TRY(tl_corpus_blocks(ctx, data->set, &c->prep, c->hyper.block,
                            c->arch.ask == TL_ASK_MASKED, folder, &f->spec.cache, part));
    say_corpus(t, data->set, c, f->spec.cache, part);
done:
    tl_free(ctx, folder);
    return rc;
}

tl_status tl_fit_words(tailor *t, const tailor_model *model, const tailor_data *data,
                       const tailor_fit_options *o, tl_fitting *f)
{
    tl_ctx       *ctx = &t->ctx;
    tl_candidate *c   = &f->spec.candidate;
    tl_rows       part[3];
    tl_status     rc;

    TL_TRY(make_candidate(ctx, model, o, c));
    TL_TRY((tl_talks_is(data->set) ? fit_talks : fit_corpus)(t, model, data, o, f, part));
    f->train = part[TL_SPLIT_TRAIN];
    f->valid = part[TL_SPLIT_VALID];
    f->test  = part[TL_SPLIT_TEST];
    if (o->train_rows > 0) f->train.count = TL_MIN(f->train.count, o->train_rows);
done:
    return rc;
}

tl_status tl_fit_words_measure(tailor *t, const tl_fitting *f, tl_split part, json_t **out)
{
    const tl_run_spec *spec = &f->spec;
    const tl_words_in  in   = { .model = f->result.model, .cache = spec->cache,
                                .how   = tl_run_asking(spec, 0), .dtype = spec->dtype,
                                .rows  = part == TL_SPLIT_TEST ? f->test : f->valid,
                                .bytes = tl_corpus_is(spec->dataset)
                                             ? tl_corpus_bytes(spec->dataset, part)
                                             : 0 };
    tl_words_score     s;
    tl_status          rc;

    *out = NULL;
    TL_TRY(tl_words_measure(&t->ctx, &in, &s));
    *out = json_pack("{s:o, s:[o,o], s:I, s:o, s:[o,o], s:o}", "mean", tl_json_real(exp(s.loss)),
                     "ci95", tl_json_real(exp(s.low)), tl_json_real(exp(s.high)), "rows",
                     (json_int_t)s.tokens, "loss", tl_json_real(s.loss), "loss_ci95",
                     tl_json_real(s.low), tl_json_real(s.high), "bits_per_byte",
                     tl_json_real(s.bits_per_byte));
done:
    return rc;
}
