/* attributes_of_texts.c -- plain facts of a text: its length, how it begins, its language, and how
 * many of its words no other training text has.  Floor 2, data. */
#include "data/attributes.h"
#include "data/texts/languages.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char length_todo[] =
    "look at short and long texts of each class: where the length comes with the source, cut texts "
    "alike or take each class from each source";
static const char first_todo[] =
    "look how the texts of each class begin: a header, a name or a greeting of the source is "
    "better taken out";
static const char language_todo[] =
    "have every language in every class, else the language is learnt instead of what is said";

typedef struct {
    uint64_t word;
    int64_t  text; /* the last one it was seen in   */
    int64_t  in;   /* training texts that have it   */
} known_word;

/* Words of all training texts that are looked at, in a table of open addresses. */
typedef struct {
    known_word *slot;
    size_t      slots, used;
} vocabulary;

static known_word *find(const vocabulary *v, uint64_t word)
{
    size_t at = (size_t)(word * 0x9e3779b97f4a7c15u) & (v->slots - 1);

    while (v->slot[at].word && v->slot[at].word != word) at = (at + 1) & (v->slots - 1);
    return &v->slot[at];
}

static tl_status make_room(tl_ctx *ctx, vocabulary *v)
{
    vocabulary more = { .slots = v->slots ? 2 * v->slots : 1024 };
    tl_status  rc;

    if (2 * (v->used + 1) <= v->slots) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, more.slots, sizeof *more.slot, &more.slot));
    for (size_t i = 0; i < v->slots; i++)
        if (v->slot[i].word) *find(&more, v->slot[i].word) = v->slot[i];
    more.used = v->used;
    tl_free(ctx, v->slot);
    *v = more;
done:
    return rc;
}

/* The next word from *at on: its hash without case, 0 behind the last. */
static uint64_t next_word(tl_string text, size_t *at)
{
    char   small[64];
    size_t n = 0;

    for (; *at < text.bytes; (*at)++) {
        const unsigned char c = (unsigned char)text.text[*at];
        if (!isalnum(c) && c < 0x80) {
            if (n) break;
        } else if (n < sizeof small) {
            small[n++] = (char)tolower(c);
        }
    }
    return n ? tl_facts_hash(small, n) : 0;
}

static bool in_training(const tl_dataset *d, int64_t row)
{
    return d->split[row] == TL_SPLIT_TRAIN || d->split[row] == TL_SPLIT_NONE;
}

static tl_status learn_words(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f, vocabulary *v)
{
    tl_string text[2];
    uint64_t  word;
    tl_status rc = TL_OK;

    TL_TRY(make_room(ctx, v));
    for (int64_t i = 0; i < f->rows.count; i++) {
        if (!in_training(d, f->rows.row[i])) continue;
        tl_dataset_text(d, f->rows.row[i], text);
        for (int k = 0; k < 2; k++)
            for (size_t at = 0; text[k].text && (word = next_word(text[k], &at)) != 0;) {
                TL_TRY(make_room(ctx, v));
                known_word *w = find(v, word);
                if (!w->word) v->used++;
                if (!w->word || w->text != i) w->in++;
                w->word = word;
                w->text = i;
            }
    }
done:
    return rc;
}

typedef struct {
    tl_fact  *characters, *words, *first, *language, *strange;
    uint64_t *begins; /* [rows] */
} facts_of_text;

static void look(const tl_dataset *d, tl_facts *f, const vocabulary *v, facts_of_text *t, int64_t i)
{
    const int64_t row  = f->rows.row[i];
    const int64_t own  = in_training(d, row); /* its own words are no other text's */
    int64_t       characters = 0, words = 0, strange = 0;
    tl_string     text[2];
    uint64_t      word;

    tl_dataset_text(d, row, text);
    for (int k = 0; k < 2; k++) {
        for (size_t b = 0; b < text[k].bytes; b++)
            characters += ((uint8_t)text[k].text[b] & 0xc0) != 0x80;
        for (size_t at = 0; text[k].text && (word = next_word(text[k], &at)) != 0;) {
            const known_word *w = find(v, word);
            if (words++ == 0) t->begins[i] = word;
            strange += !w->word || w->in <= own;
        }
    }
    int language = tl_language_of(text[0].text, text[0].bytes);
    if (language == 0 && text[1].text) language = tl_language_of(text[1].text, text[1].bytes);
    f->language[language]++;
    t->characters->value[i] = (double)characters;
    t->words->value[i]      = (double)words;
    t->language->value[i]   = language;
    if (words > 0) t->strange->value[i] = (double)strange / (double)words;
}

tl_status tl_facts_of_texts(tl_ctx *ctx, const tl_dataset *d, tl_facts *f)
{
    enum { CHARACTERS, WORDS, FIRST, LANGUAGE, STRANGE };
    vocabulary    v = { 0 };
    facts_of_text t = { 0 };
    tl_fact      *added;
    int64_t       languages = 0;
    tl_status     rc;

    while (tl_language_name((int)languages)) languages++;
    TL_TRY(tl_alloc_array(ctx, (size_t)languages, sizeof *f->language, &f->language));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->rows.count, sizeof *t.begins, &t.begins));
    TL_TRY(tl_facts_add(ctx, f, "the length in characters", TL_FACT_ASIDE, length_todo, &added));
    TL_TRY(tl_facts_add(ctx, f, "the number of words", TL_FACT_ASIDE, length_todo, &added));
    TL_TRY(tl_facts_add(ctx, f, "the first word", TL_FACT_ASIDE, first_todo, &added));
    TL_TRY(tl_facts_add(ctx, f, "the language", TL_FACT_ASIDE, language_todo, &added));
    TL_TRY(tl_facts_add(ctx, f, "the share of words that no other training text has",
                        TL_FACT_DRIFTS, NULL, &added));
    t.characters = &f->fact[CHARACTERS];
    t.words      = &f->fact[WORDS];
    t.first      = &f->fact[FIRST];
    t.language   = &f->fact[LANGUAGE];
    t.strange    = &f->fact[STRANGE];
    t.language->category = true;
    t.language->levels   = languages;
    TL_TRY(learn_words(ctx, d, f, &v));
    for (int64_t i = 0; i < f->rows.count; i++) look(d, f, &v, &t, i);
    TL_TRY(tl_facts_levels(ctx, t.begins, f->rows.count, t.first));
done:
    tl_free(ctx, t.begins);
    tl_free(ctx, v.slot);
    return rc;
}
