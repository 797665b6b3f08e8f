/* words.c -- see words.h.  Sources: Radford et al. 2019 and Karpathy's nanoGPT (AdamW, a cosine, a
 * tenth of decay, no dropout where the text is read once or twice); Devlin et al. 2019 and Izsak et
 * al. 2021, arXiv:2104.07705 (small BERTs in little time).  Floor 3, train. */
#include "train/words.h"
#include "core/text.h"

#include <math.h>
#include <string.h>

enum {
    USUAL_SIZE  = 8192,
    LEAST_SIZE  = 512,
    USUAL_BLOCK = 256,
    MOST_BLOCK  = 512,     /* of a base */
    STEP_TOKENS = 8192,    /* that an optimiser step sees about */
    BYTES_A_TOKEN = 64     /* of text for each token of a vocabulary that is learnt */
};

tl_ask tl_words_ask_of(const tl_arch *arch)
{
    tl_arch next = *arch; /* borrowed parts */

    if (tl_arch_words(arch)) return arch->ask;
    next.ask = TL_ASK_NEXT;
    return arch->family->class_of && arch->family->class_of(&next) ? TL_ASK_NEXT
                                                                   : TL_ASK_MASKED;
}

static const struct {
    const char      *name;
    tl_training_kind kind;
} kinds[] = { { "chars", TL_TRAIN_CHARS },
              { "bpe", TL_TRAIN_BPE },
              { "wordpiece", TL_TRAIN_WORD_PIECE } };

/* WordPiece for BERTs, as they were trained; bytes for the others. */
static tl_status kind_of(tl_ctx *ctx, const tl_arch *arch, const char *name,
                         tl_training_kind *out)
{
    static const char *const pieces[] = { "bert", "distilbert", "modernbert" };

    *out = TL_TRAIN_BPE;
    for (size_t i = 0; i < TL_COUNT(pieces); i++)
        if (strcmp(arch->family->name, pieces[i]) == 0) *out = TL_TRAIN_WORD_PIECE;
    if (!name) return TL_OK;
    for (size_t i = 0; i < TL_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = kinds[i].kind;
            return TL_OK;
        }
    return tl_fail(ctx, TL_EUSAGE, "--tokenizer",
                   "\"%.40s\" is not known (chars, bpe or wordpiece)", name);
}

static void set_id(json_t *config, const char *key, const tl_texter *t, const char *role)
{
    const int32_t id = tl_tokenizer_special(t->tokenizer, role);

    if (id >= 0) json_object_set_new(config, key, json_integer(id));
    else json_object_set_new(config, key, json_null());
}

/* The architecture again, with this vocabulary and room for these places.  Text that is read once
 * or twice needs no dropout where the next word is asked. */
static tl_status fit_arch(tl_ctx *ctx, const tl_texter *t, int64_t block, tl_arch *arch)
{
    const bool gpt2 = strcmp(arch->family->name, "gpt2") == 0;
    const bool next = arch->ask == TL_ASK_NEXT;
    json_t    *config = tl_arch_to_config(arch);
    tl_arch    made   = { 0 };
    int64_t    places = block;
    tl_status  rc;

    if (!config) TL_FAIL(TL_ENOMEM, "--arch", "no room for its settings (free memory)");
    json_object_set_new(config, "vocab_size", json_integer(t->size));
    set_id(config, "pad_token_id", t, "pad");
    if (next) {
        set_id(config, "bos_token_id", t, "bos");
        set_id(config, "eos_token_id", t, "eos");
    }
    if (strcmp(arch->family->name, "roberta") == 0)
        places += tl_json_int(config, "pad_token_id", 0) + 1;
    json_object_set_new(config, gpt2 ? "n_positions" : "max_position_embeddings",
                        json_integer(places));
    for (size_t i = 0; gpt2 && i < 3; i++)
        json_object_set_new(config, ((const char *[]){ "resid_pdrop", "embd_pdrop",
                                                       "attn_pdrop" })[i], json_real(0.0));
    TL_TRY(tl_arch_from_config(ctx, "--arch", config, &made));
    made.ask         = arch->ask;
    made.outputs     = t->size;
    made.source_head = false;
    tl_arch_free(ctx, arch);
    *arch = made;
    made  = (tl_arch){ 0 };
done:
    json_decref(config);
    tl_arch_free(ctx, &made);
    return rc;
}

static tl_status learn(tl_ctx *ctx, const tl_dataset *d, const tl_words_ask *ask, tl_arch *arch,
                       int64_t block, tl_texter **out)
{
    const tl_text_columns none  = { 0 };
    const int64_t         bytes = tl_corpus_bytes(d, TL_SPLIT_TRAIN);
    int64_t               size  = ask->size;
    tl_texter            *like  = NULL;
    tl_training_kind      kind;
    tl_status             rc;

    *out = NULL;
    TL_TRY(kind_of(ctx, arch, ask->tokenizer, &kind));
    if (size == 0)
        size = TL_MAX((int64_t)LEAST_SIZE, TL_MIN((int64_t)USUAL_SIZE, bytes / BYTES_A_TOKEN));
    TL_TRY(tl_texter_new(ctx, &none, false, kind, size, block, &like));
    like->goes_on = arch->ask == TL_ASK_NEXT;
    TL_TRY(tl_corpus_learn(ctx, d, like, out));
done:
    tl_texter_drop(ctx, like);
    return rc;
}

tl_status tl_scratch_words(tl_ctx *ctx, const tl_dataset *d, const char *text,
                           const tl_words_ask *ask, tl_arch *arch, tl_prep *prep,
                           tl_texter **texter)
{
    const int64_t block = ask->block ? ask->block : USUAL_BLOCK;
    tl_status     rc;

    *texter = NULL;
    TL_TRY(tl_arch_parse(ctx, text, TL_SHAPE(block), 2, arch));
    if (!arch->family->text)
        TL_FAIL(TL_EUSAGE, "--arch", "%s takes no text (try gpt2-tiny, llama-15m or bert-mini)",
                arch->name);
    arch->ask = tl_words_ask_of(arch);
    if (!arch->family->class_of || !arch->family->class_of(arch))
        TL_FAIL(TL_EUSAGE, "--arch", "%s is no language model (try gpt2-tiny, llama-15m or "
                "bert-mini)", arch->name);
    TL_TRY(learn(ctx, d, ask, arch, block, texter));
    TL_TRY(fit_arch(ctx, *texter, block, arch));
    *prep = (tl_prep){ .text = *texter };
done:
    if (rc != TL_OK) tl_arch_free(ctx, arch);
    return rc;
}

static double width_of(const tl_arch *arch)
{
    return fmax(1.0, tl_json_number(arch->config, "hidden_size",
                                    tl_json_number(arch->config, "dim",
                                                   tl_json_number(arch->config, "n_embd", 768.0))));
}

void tl_hyper_words(tl_hyper *h, const tl_arch *arch, bool anew, int64_t block)
{
    const bool   hidden = arch->ask == TL_ASK_MASKED; /* BERT's 1e-4 at a width of 768 */
    const double width  = width_of(arch);
    const double lr     = 1e-3 * (hidden ? fmin(1.0, 96.0 / width)
                                         : fmin(2.0, sqrt(384.0 / width)));

    h->optimizer          = "adamw";
    h->schedule           = "cosine";
    h->optim.lr           = anew ? lr : 0.1 * lr;
    h->optim.beta1        = 0.9;
    h->optim.beta2        = 0.99;
    h->optim.eps          = 1e-8;
    h->optim.weight_decay = anew ? 0.1 : 0.01;
    h->warmup             = hidden ? 0.1 : 0.05;
    h->clip               = 1.0;
    h->shards             = 1;
    h->batch              = TL_MAX((int64_t)4, TL_MIN((int64_t)64, STEP_TOKENS / block));
    h->epochs             = 3.0;
    h->least_steps        = anew ? 1000 : 200;
    h->patience           = 0.0;
    h->mask               = 0.15;
    h->block              = TL_MIN(block, arch->row.dim[0]);
}

int64_t tl_words_block(const tl_arch *arch, int64_t asked)
{
    const int64_t places = arch->row.dim[0];

    return asked ? asked : TL_MIN(places, (int64_t)MOST_BLOCK);
}
