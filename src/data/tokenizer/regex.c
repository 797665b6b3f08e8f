/* regex.c -- PCRE2 with its JIT; a match has a limit of steps, so that no pattern of a file
 * can hang the program.  Source: pcre2api(3), pcre2jit(3).  Floor 2, data. */
#include "data/tokenizer/regex.h"
#include "core/text.h"
#include "data/tokenizer/lined.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

enum {
    PATTERN_MOST    = 16384,
    STEPS_LEAST     = 100000,
    STEPS_PER_BYTE  = 8,
    DEPTH_MOST      = 100000,
    HEAP_KIB        = 65536,
    JIT_STACK_LEAST = 32 << 10,
    JIT_STACK_MOST  = 1 << 20
};

struct tl_regex {
    pcre2_code *code;
};
/* The context and limits belong to one thread; the memory of PCRE2 is counted as ours. */
struct tl_matcher {
    tl_ctx                 own;
    pcre2_general_context *general;
    pcre2_match_context   *limits;
    pcre2_match_data      *data;
    pcre2_jit_stack       *stack;
    size_t                 bytes; /* of the text that the limit is set for */
};

static void *take(size_t bytes, void *ctx)
{
    void *block = NULL;

    return tl_alloc(ctx, bytes, &block) == TL_OK ? block : NULL;
}

static void give(void *block, void *ctx)
{
    tl_free(ctx, block);
}

/* Oniguruma's \s, \S, \w and \W, in whose words the files are written: PCRE2's blanks have one
 * more (U+180E), its word characters neither marks nor connectors. */
static const char *oniguruma(char letter, bool inside)
{
    switch (letter) {
    case 's': return inside ? "\\p{Z}\\t-\\r\\x{85}" : "[\\p{Z}\\t-\\r\\x{85}]";
    case 'S': return inside ? NULL : "[^\\p{Z}\\t-\\r\\x{85}]";
    case 'w':
        return inside ? "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"
                      : "[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}]";
    case 'W': return inside ? NULL : "[^\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}]";
    default: return NULL;
    }
}

static void translate(tl_text *to, const char *pattern, size_t bytes)
{
    int classes = 0; /* open brackets */

    for (size_t i = 0; i < bytes; i++) {
        const char *other = NULL;
        size_t      step  = 1;
        if (pattern[i] == '\\' && i + 1 < bytes) {
            other = oniguruma(pattern[i + 1], classes > 0);
            step  = 2;
        } else if (pattern[i] == '[') {
            classes++;
        } else if (pattern[i] == ']' && classes) {
            classes--;
        }
        if (other)
            tl_text_add(to, other);
        else
            tl_text_add_bytes(to, pattern + i, step);
        i += step - 1;
    }
}

tl_status tl_regex_new(tl_ctx *ctx, const char *where, const char *pattern, size_t bytes,
                       tl_regex **out)
{
    tl_text        own     = tl_text_make(ctx);
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    int            error;
    PCRE2_SIZE     at;
    PCRE2_UCHAR    said[128];
    tl_status      rc;
    tl_regex      *r = NULL;

    *out = NULL;
    if (bytes > PATTERN_MOST)
        TL_FAIL(TL_ELIMIT, where, "a pattern of %zu bytes (at most %d are read)", bytes,
                PATTERN_MOST);
    TL_TRY(tl_alloc(ctx, sizeof *r, &r));
    translate(&own, pattern, bytes);
    TL_TRY(own.status);
    r->code = pcre2_compile((PCRE2_SPTR)(own.bytes ? own.text : ""), own.bytes, options,
                            &error, &at, NULL);
    if (!r->code) {
        pcre2_get_error_message(error, said, sizeof said);
        TL_FAIL(TL_EDATA, where, "pattern at %zu: %s (mend the pattern)", (size_t)at,
                (char *)said);
    }
    pcre2_jit_compile(r->code,
                      PCRE2_JIT_COMPLETE); /* without it the interpreter serves */
    *out = r;
    r    = NULL;
done:
    tl_text_free(&own);
    tl_regex_free(ctx, r);
    return rc;
}

void tl_regex_free(tl_ctx *ctx, tl_regex *r)
{
    if (!r) return;
    pcre2_code_free(r->code);
    tl_free(ctx, r);
}

tl_status tl_matcher_new(tl_ctx *ctx, tl_matcher **out)
{
    tl_status   rc;
    tl_matcher *m = NULL;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *m, &m));
    m->own     = tl_ctx_make(ctx->world);
    m->general = pcre2_general_context_create(take, give, &m->own);
    if (m->general) {
        m->limits = pcre2_match_context_create(m->general);
        m->data   = pcre2_match_data_create(1, m->general);
        m->stack  = pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, m->general);
    }
    m->bytes = SIZE_MAX;
    if (!m->limits || !m->data)
        TL_FAIL(TL_ENOMEM, "regex", "no memory for matching (free some)");
    pcre2_set_depth_limit(m->limits, DEPTH_MOST);
    pcre2_set_heap_limit(m->limits, HEAP_KIB);
    if (m->stack) pcre2_jit_stack_assign(m->limits, NULL, m->stack);
    *out = m;
    m    = NULL;
done:
    tl_matcher_free(ctx, m);
    return rc;
}

void tl_matcher_free(tl_ctx *ctx, tl_matcher *m)
{
    if (!m) return;
    if (m->stack) pcre2_jit_stack_free(m->stack);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    pcre2_general_context_free(m->general);
    tl_free(ctx, m);
}

tl_status tl_regex_find(tl_ctx *ctx, const tl_regex *r, tl_matcher *m, const char *text,
                        size_t bytes, size_t from, size_t *start, size_t *end,
                        bool *found)
{
    const PCRE2_SPTR s = (PCRE2_SPTR)text;

    if (m->bytes != bytes) { /* a run of blanks may be tried blank by blank */
        const size_t steps =
            STEPS_LEAST + STEPS_PER_BYTE * TL_MIN(bytes, (size_t)TL_LINED_MOST);
        m->bytes = bytes;
        pcre2_set_match_limit(m->limits, (uint32_t)TL_MIN(steps, (size_t)UINT32_MAX));
    }
    int n = pcre2_match(r->code, s, bytes, from, PCRE2_NO_UTF_CHECK, m->data, m->limits);

    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(r->code, s, bytes, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                        m->data, m->limits);
    *found = n >= 0;
    if (n >= 0) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
        *start = TL_MAX((size_t)at[0], from); /* \K in a lookbehind may point back */
        *end   = TL_MAX((size_t)at[1], *start);
        return TL_OK;
    }
    if (n == PCRE2_ERROR_NOMATCH) return TL_OK;
    return tl_fail(ctx, TL_EDATA, "regex",
                   "a tokenizer's pattern takes too long on this text (shorten the text, "
                   "or mend the pattern)");
}
