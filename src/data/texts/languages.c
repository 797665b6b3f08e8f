/* languages.c -- see languages.h.  Floor 2, data. */
#include "data/texts/languages.h"

#include <ctype.h>
#include <string.h>

/* Most of a text's letters are of one script; a word here and there is not. */
static const double MOST_LETTERS = 0.6, LEAST_COMMON = 0.12;

enum { LEAST_HITS = 2, LONGEST = 16, LATIN_LANGUAGES = 10 };

enum { UNKNOWN, FIRST_LATIN = 1, OTHERS = FIRST_LATIN + LATIN_LANGUAGES };

typedef enum {
    LATIN, HAN, KANA, HANGUL, CYRILLIC, GREEK, ARABIC, HEBREW, DEVANAGARI, BENGALI, TAMIL, TELUGU,
    THAI, ARMENIAN, GEORGIAN, SCRIPTS
} script;

static const char *const names[] = {
    "unknown", "English", "German", "French", "Spanish", "Italian", "Portuguese", "Dutch", "Polish",
    "Swedish", "Turkish",
    /* by their letters alone, in the order of scripts from HAN */
    "Chinese", "Japanese", "Korean", "in Cyrillic letters", "Greek", "in Arabic letters", "Hebrew",
    "in Devanagari letters", "Bengali", "Tamil", "Telugu", "Thai", "Armenian", "Georgian",
};

/* The commonest words of each, between blanks. */
static const char *const common[LATIN_LANGUAGES] = {
    " the of and to in a is that for it was on with as be at by i this have not are from "
    "or my you his her they we an has had were been which will can what do but so if "
    "there how why where when your me about would their its all no up out who more than "
    "after over into go want need did get am could should like any please come new says "
    "off does because some just only one other ",
    " der die das und ist in den von zu mit sich des auf für nicht im ein eine dem es "
    "an auch als nach wie aus bei hat dass sie er ich wir aber einen einer wird sind "
    "noch war haben nur oder kann mein meine mir mich was wenn zum zur über vom man so ",
    " le la les de des et un une du est en que qui dans pour pas sur au avec ce il elle "
    "ne se par plus sont je nous vous mais ou son sa ses cette aux été être comme "
    "tout fait ont leur mon ma mes si bien était à où ",
    " el la los las de y que en un una es por con no se su para al lo como más pero sus "
    "le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde "
    "del mi está fue son ha yo qué ",
    " il la di e che è un una in per con non del della dei le si da al i gli lo come "
    "più ma anche se nel alla sono ha questo mi ci io ho delle dal era suo sua o ed "
    "perché cosa molto essere stato ",
    " o a os as de e que em um uma do da dos das no na para com não por se mais mas "
    "como ao foi seu sua ou quando muito nos já eu também pelo pela até isso ela "
    "entre era depois é são está você meu minha tem ",
    " de het een en van ik is dat op te in zijn niet met voor er die aan maar om hem dan "
    "of ook als naar hij wat ze bij nog uit door mijn heeft geen wel je zo deze dit "
    "worden kan was werd ",
    " w i na z że się nie do jest to o jak za po co ale dla od przez tak już był "
    "jego tym czy być są ma może tylko ich sobie tego ze przy jej mnie oraz który "
    "która które moje mi go ja ",
    " och i att det som en på är av för med till den har de inte om ett han men var "
    "jag sig från vi så kan när nu eller mig min hon där efter ska vara man också "
    "ut över ",
    " ve bir bu da de için ile çok ne gibi daha o olarak en var kadar olan ben sonra "
    "değil ama her mi ki ya mu şu diye oldu nasıl benim olduğu göre iki onun bana "
    "yok ",
};

typedef struct {
    uint32_t from, to;
    script   of;
} block;

static const block blocks[] = {
    { 0x41, 0x5a, LATIN }, { 0x61, 0x7a, LATIN }, { 0xc0, 0x24f, LATIN },
    { 0x370, 0x3ff, GREEK }, { 0x400, 0x52f, CYRILLIC }, { 0x530, 0x58f, ARMENIAN },
    { 0x590, 0x5ff, HEBREW }, { 0x600, 0x6ff, ARABIC }, { 0x750, 0x77f, ARABIC },
    { 0x900, 0x97f, DEVANAGARI }, { 0x980, 0x9ff, BENGALI }, { 0xb80, 0xbff, TAMIL },
    { 0xc00, 0xc7f, TELUGU }, { 0xe00, 0xe7f, THAI }, { 0x10a0, 0x10ff, GEORGIAN },
    { 0x1100, 0x11ff, HANGUL }, { 0x1e00, 0x1eff, LATIN }, { 0x1f00, 0x1fff, GREEK },
    { 0x3040, 0x30ff, KANA }, { 0x3130, 0x318f, HANGUL }, { 0x3400, 0x4dbf, HAN },
    { 0x4e00, 0x9fff, HAN }, { 0xac00, 0xd7af, HANGUL }, { 0xfb50, 0xfdff, ARABIC },
    { 0xfe70, 0xfeff, ARABIC }, { 0x20000, 0x2fa1f, HAN },
};

/* The next character; a byte that begins none is one of its own that is no letter. */
static uint32_t next_character(const char *text, size_t bytes, size_t *at)
{
    const uint8_t *s = (const uint8_t *)text;
    const uint8_t  c = s[(*at)++];
    const int      more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t       v = more == 3 ? c & 7 : more == 2 ? c & 15 : more == 1 ? c & 31 : c;

    if (c >= 0x80 && more == 0) return 0;
    for (int k = 0; k < more; k++) {
        if (*at >= bytes || (s[*at] & 0xc0) != 0x80) return 0;
        v = v << 6 | (s[(*at)++] & 0x3f);
    }
    return v;
}

static void count_letters(const char *text, size_t bytes, int64_t count[SCRIPTS])
{
    size_t at = 0;

    while (at < bytes) {
        const uint32_t c = next_character(text, bytes, &at);
        for (size_t b = 0; b < TL_COUNT(blocks) && c >= blocks[b].from; b++)
            count[blocks[b].of] += c <= blocks[b].to;
    }
}

/* How many of the words are among the commonest of each language; returns all words. */
static int64_t count_words(const char *text, size_t bytes, int64_t hits[LATIN_LANGUAGES])
{
    char    word[LONGEST + 3] = " ";
    size_t  n     = 0;
    int64_t words = 0;

    for (size_t i = 0; i <= bytes; i++) {
        const unsigned char c = i < bytes ? (unsigned char)text[i] : ' ';
        if (isalpha(c) || c >= 0x80) {
            if (n < LONGEST) word[1 + n] = (char)tolower(c);
            n++;
            continue;
        }
        if (n == 0) continue;
        words++;
        if (n <= LONGEST) {
            memcpy(word + 1 + n, " ", 2);
            for (int k = 0; k < LATIN_LANGUAGES; k++) hits[k] += strstr(common[k], word) != NULL;
        }
        n = 0;
    }
    return words;
}

static int latin_language(const char *text, size_t bytes)
{
    int64_t       hits[LATIN_LANGUAGES] = { 0 }, second = 0;
    const int64_t words = count_words(text, bytes, hits);
    int           best  = 0;

    for (int k = 1; k < LATIN_LANGUAGES; k++)
        if (hits[k] > hits[best]) best = k;
    for (int k = 0; k < LATIN_LANGUAGES; k++)
        if (k != best) second = TL_MAX(second, hits[k]);
    const bool sure = hits[best] >= LEAST_HITS && hits[best] >= TL_MIN(2 * second, second + 2) &&
                      (double)hits[best] >= LEAST_COMMON * (double)words;
    return sure ? FIRST_LATIN + best : UNKNOWN;
}

int tl_language_of(const char *text, size_t bytes)
{
    int64_t count[SCRIPTS] = { 0 }, all = 0;
    int     most = 0;

    count_letters(text, bytes, count);
    for (int k = 0; k < SCRIPTS; k++) all += count[k];
    /* Japanese mixes both; a fifth of kana tells it from Chinese */
    if (5 * count[KANA] >= count[HAN] + count[KANA]) count[KANA] += count[HAN];
    for (int k = 1; k < SCRIPTS; k++)
        if (count[k] > count[most]) most = k;
    if (all == 0 || (double)count[most] < MOST_LETTERS * (double)all) return UNKNOWN;
    return most == LATIN ? latin_language(text, bytes) : OTHERS + most - HAN;
}

const char *tl_language_name(int language)
{
    return language >= 0 && (size_t)language < TL_COUNT(names) ? names[language] : NULL;
}
