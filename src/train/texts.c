/* texts.c -- see texts.h.  Sources: Devlin et al. 2019, arXiv:1810.04805 (2e-5 to 5e-5, 3 epochs);
 * Turc et al. 2019, arXiv:1908.08962 (small BERTs, higher rates); Mosbach et al. 2021,
 * arXiv:2006.04884 (small data: more steps, warmup).  Floor 3, train. */
#include "train/texts.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    USUAL_MOST  = 512,
    USUAL_WORDS = 50000,
    USUAL_SIZE  = 8192,
    LEAST_PIECES = 4096, /* beside the alphabet */
    SMALL_DATA  = 5000,
    CHARACTERS  = 0x110000
};

/* Different characters of all texts: a vocabulary of pieces needs room for each, twice. */
static tl_status count_characters(tl_ctx *ctx, const tl_dataset *d, int64_t *out)
{
    uint8_t  *seen = NULL;
    tl_string text[2];
    tl_status rc;

    *out = 0;
    TL_TRY(tl_alloc(ctx, CHARACTERS, &seen));
    for (int64_t i = 0; i < d->rows; i++) {
        tl_dataset_text(d, i, text);
        for (int k = 0; k < 2; k++)
            for (size_t at = 0, n, bad; at < text[k].bytes; at += n) {
                const size_t left = TL_MIN(text[k].bytes - at, (size_t)4);
                uint32_t     c    = 0;
                n = 1;
                if (tl_utf8_valid(text[k].text + at, left, &bad) >=
                    tl_utf8_bytes(text[k].text[at]))
                    n = tl_utf8_next(text[k].text + at, &c);
                *out += c < CHARACTERS && !seen[c];
                if (c < CHARACTERS) seen[c] = 1;
            }
    }
done:
    tl_free(ctx, seen);
    return rc;
}

/* BERT's own kind of vocabulary for BERTs, bytes for the others. */
static tl_training_kind kind_for(const tl_arch *arch)
{
    static const char *const pieces[] = { "bert", "distilbert", "modernbert" };

    for (size_t i = 0; i < TL_COUNT(pieces); i++)
        if (strcmp(arch->family->name, pieces[i]) == 0) return TL_TRAIN_WORD_PIECE;
    return TL_TRAIN_BPE;
}

static const char *small_net(int64_t rows)
{
    return rows < SMALL_DATA ? "bert-tiny" : "bert-mini";
}

tl_status tl_scratch_text(tl_ctx *ctx, const tl_dataset *d, const char *text, tl_arch *arch,
                          tl_prep *prep, tl_texter **texter)
{
    int64_t   characters;
    tl_status rc;

    *texter = NULL;
    TL_TRY(tl_arch_parse(ctx, text ? text : small_net(d->rows), TL_SHAPE(USUAL_MOST),
                         d->classes, arch));
    if (!arch->family->text)
        TL_FAIL(TL_EUSAGE, "--arch", "%s takes no text (try bert-tiny, bert-mini or gpt2:4x256)",
                arch->name);
    TL_TRY(count_characters(ctx, d, &characters));
    const tl_training_kind how  = kind_for(arch);
    const int64_t          size = TL_MAX((int64_t)USUAL_SIZE, 2 * characters + LEAST_PIECES);
    const int64_t          most = TL_MIN(arch->row.dim[0], (int64_t)USUAL_MOST);
    arch->ask = tl_ask_of_task(d->task);
    json_object_set_new(arch->config, "vocab_size", json_integer(size));
    json_object_set_new(arch->config, "pad_token_id", json_integer(how == TL_TRAIN_BPE));
    TL_TRY(tl_texter_new(ctx, d->text, false, how, size, most, texter));
    *prep = (tl_prep){ .text = *texter };
done:
    if (rc != TL_OK) tl_arch_free(ctx, arch);
    return rc;
}

tl_status tl_baseline_text(tl_ctx *ctx, const tl_dataset *d, tl_arch *arch, tl_prep *prep,
                           tl_texter **texter)
{
    enum { NO_LIMIT = 1 << 20 };
    json_t   *config = json_pack("{s:s, s:i, s:i, s:I}", "model_type", "tfidf", "words", 1, "most",
                                 (int)NO_LIMIT, "num_labels", (json_int_t)d->classes);
    tl_status rc;

    *texter = NULL;
    TL_TRY(tl_arch_from_config(ctx, "tfidf", config, arch));
    arch->source_head = false;
    TL_TRY(tl_texter_new(ctx, d->text, true, TL_TRAIN_BPE, USUAL_WORDS, NO_LIMIT, texter));
    *prep = (tl_prep){ .text = *texter };
done:
    json_decref(config);
    return rc;
}

tl_status tl_student_text(tl_ctx *ctx, const tl_arch *teacher, const tl_prep *base,
                          int64_t outputs, tl_arch *arch)
{
    static const char *const ids[] = { "pad_token_id", "bos_token_id", "eos_token_id" };
    char                     net[80];
    tl_status                rc;

    snprintf(net, sizeof net, "%s:4x256", teacher->family->name);
    TL_TRY(tl_arch_parse(ctx, net, TL_SHAPE(USUAL_MOST), outputs, arch));
    json_object_set_new(arch->config, "vocab_size", json_integer(base->text->size));
    for (size_t i = 0; i < TL_COUNT(ids); i++) {
        json_t *id = json_object_get(teacher->config, ids[i]);
        if (id) json_object_set(arch->config, ids[i], id);
    }
done:
    return rc;
}

static double width_of(const tl_arch *arch)
{
    static const char *const keys[] = { "hidden_size", "dim", "n_embd" };

    for (size_t i = 0; i < TL_COUNT(keys); i++)
        if (json_is_integer(json_object_get(arch->config, keys[i])))
            return tl_json_number(arch->config, keys[i], 768.0);
    return 768.0;
}

void tl_hyper_text(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    h->optimizer          = "adamw";
    h->schedule           = "linear";
    h->optim.lr           = fmin(1e-4, fmax(1e-5, 2e-5 * 768.0 / width_of(arch)));
    h->optim.weight_decay = 0.01;
    h->warmup             = 0.1;
    h->clip               = 1.0;
    h->batch              = train_rows < 8000 ? 16 : 32;
    h->shards             = 1;
    h->epochs             = 3.0;
    h->least_steps        = 500;
    h->patience           = 3.0;
}
