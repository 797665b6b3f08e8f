/* regex.h -- regular expressions of tokenizer files, through PCRE2 with bounded work.
 * Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_REGEX_H
#define TL_DATA_TOKENIZER_REGEX_H
#include "core/core.h"

typedef struct tl_regex   tl_regex;   /* compiled, shared by threads */
typedef struct tl_matcher tl_matcher; /* one per thread              */

/* TL_EDATA when the pattern is none or too large; `where` names the file and component. */
tl_status tl_regex_new(tl_ctx *ctx, const char *where, const char *pattern, size_t bytes,
                       tl_regex **out);
void      tl_regex_free(tl_ctx *ctx, tl_regex *r);
tl_status tl_matcher_new(tl_ctx *ctx, tl_matcher **out);
void      tl_matcher_free(tl_ctx *ctx, tl_matcher *m);
/* The first match in text[from, bytes), which is valid UTF-8, as [*start, *end); *found.
 * TL_EDATA when the pattern takes too long on this text. */
tl_status tl_regex_find(tl_ctx *ctx, const tl_regex *r, tl_matcher *m, const char *text,
                        size_t bytes, size_t from, size_t *start, size_t *end,
                        bool *found);
#endif
