/* tagged.h -- texts whose words have a tag each: a row is a word, the words of one text follow each
 * other.  Inside the data room and above.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_TAGGED_H
#define TL_DATA_TEXTS_TAGGED_H
#include "core/text.h"
#include "data/loader.h"

/* Bytes of words in the text that they are joined to, one blank between two. */
typedef struct {
    tl_text    text;
    tl_extent *word; /* [words] in `text`; owned */
} tl_joined;
/* The words of these texts, [low, high), each text behind the other; at[high - low + 1]: where each
 * begins in joined->text, with a zero byte between two. */
tl_status tl_tags_join(tl_ctx *ctx, const tl_dataset *d, int64_t low, int64_t high, size_t *at,
                       tl_joined *out);
void      tl_joined_free(tl_ctx *ctx, tl_joined *joined);

/* Words of a text as it stands, where nobody has parted it: at blanks, and one character of
 * punctuation each at a chunk's ends.  word[]: owned by the caller; *count. */
tl_status tl_words_part(tl_ctx *ctx, tl_string text, tl_extent **word, int64_t *count);

/* A cache of texts whose words are asked one by one: word k of text i is word[first[i] + k].
 * Texts of more tokens than prep->text->most go by windows that overlap by half; each word is
 * asked in the window where it stands furthest from an end. */
tl_status tl_cache_of_words(tl_ctx *ctx, const tl_prep *prep, const tl_string *text,
                            const tl_extent *word, const int64_t *first, int64_t texts,
                            tl_cache **out);

/* What a tag says: "B-PER" begins an entity of type "PER".  prefix 0: none ("O" has none). */
typedef struct { char prefix; const char *type; } tl_tag;
tl_tag tl_tag_of(const char *name);
bool   tl_tags_are_spans(const tl_dataset *d); /* is one of its classes a B- or I-? */
#endif
