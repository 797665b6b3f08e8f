/* languages.h -- in which letters, and in which of a few common languages, a text is written.
 * Letters by the blocks of Unicode 15 (Blocks.txt); languages in Latin letters by their commonest
 * words.  Unsure is "unknown".  Floor 2, data. */
#ifndef TL_DATA_TEXTS_LANGUAGES_H
#define TL_DATA_TEXTS_LANGUAGES_H
#include "core/core.h"

/* Number of what the text's letters and words look like, 0 ("unknown") where that is unsure:
 * few words, none of the languages known here, or two of them equally. */
int         tl_language_of(const char *text, size_t bytes);
const char *tl_language_name(int language); /* NULL past the end */
#endif
