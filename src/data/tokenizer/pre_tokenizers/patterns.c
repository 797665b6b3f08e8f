/* patterns.c -- pre-tokenizers by pattern: Split, ByteLevel, Metaspace.
 * Source: huggingface/tokenizers, pre_tokenizers/{split,byte_level,metaspace}.rs.
 * Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

typedef struct {
    tl_pattern   pattern;
    tl_behaviour behaviour;
    bool         invert;
} split;

static tl_status split_load(tl_ctx *ctx, const char *where, const json_t *spec,
                            void *self)
{
    split    *s = self;
    tl_status rc;

    s->invert = tl_json_bool(spec, "invert", false);
    TL_TRY(tl_behaviour_load(ctx, where, spec, "behavior", TL_ISOLATED, &s->behaviour));
    TL_TRY(tl_pattern_load(ctx, where, json_object_get(spec, "pattern"), &s->pattern));
done:
    return rc;
}
static void split_free(tl_ctx *ctx, void *self)
{
    tl_pattern_free(ctx, &((split *)self)->pattern);
}
static tl_status split_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                             size_t end)
{
    const split *s = self;
    tl_status    rc;

    TL_TRY(tl_pattern_segments(ctx, e, &s->pattern, e->text.text + start, end - start));
    TL_TRY(tl_segments_cut(ctx, e, start, s->behaviour, s->invert));
done:
    return rc;
}

/* GPT-2's pattern, encoder.py. */
static const char gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
    "\\s+(?!\\S)|\\s+";
typedef struct {
    bool prefix;
} blank;

static bool prefix_in_place(const void *self, char *text, size_t bytes)
{
    return !((const blank *)self)->prefix || bytes == 0 || text[0] == ' ';
}
static tl_status prefix_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self,
                                size_t start, size_t end)
{
    tl_status rc = TL_OK;

    if (!prefix_in_place(self, e->text.text + start, end - start))
        TL_TRY(tl_lined_add(ctx, &e->next, " ", 1, e->text.span[start]));
    TL_TRY(tl_lined_copy(ctx, &e->next, &e->text, start, end));
done:
    return rc;
}
static tl_status prefix_load(tl_ctx *ctx, const char *where, const json_t *spec,
                             void *self)
{
    (void)ctx;
    (void)where;
    ((blank *)self)->prefix = tl_json_bool(spec, "add_prefix_space", true);
    return TL_OK;
}

static tl_status gpt2_load(tl_ctx *ctx, const char *where, const json_t *spec, void *self)
{
    split *s = self;

    (void)spec;
    s->behaviour = TL_ISOLATED;
    return tl_regex_new(ctx, where, gpt2, strlen(gpt2), &s->pattern.regex);
}

/* What ByteLevel is made of; the last is the normalizer's, over pieces. */
static const tl_component byte_prefix  = { .name       = "blank in front",
                                           .self_bytes = sizeof(blank),
                                           .load       = prefix_load,
                                           .in_place   = prefix_in_place,
                                           .rewrite    = prefix_rewrite };
static const tl_component byte_pattern = { .name       = "GPT-2's pattern",
                                           .self_bytes = sizeof(split),
                                           .load       = gpt2_load,
                                           .free       = split_free,
                                           .split      = split_split };
extern const tl_component tl_normalizer_byte_level;

static tl_status byte_expand(tl_ctx *ctx, const char *where, const json_t *spec,
                             tl_steps *steps)
{
    tl_status rc = TL_OK;

    if (tl_json_bool(spec, "add_prefix_space", true))
        TL_TRY(tl_steps_add(ctx, where, &byte_prefix, spec, steps));
    if (tl_json_bool(spec, "use_regex", true))
        TL_TRY(tl_steps_add(ctx, where, &byte_pattern, spec, steps));
    TL_TRY(tl_steps_add(ctx, where, &tl_normalizer_byte_level, spec, steps));
done:
    return rc;
}

typedef enum { ALWAYS, FIRST, NEVER } prepend;
typedef struct {
    char    text[5];
    size_t  bytes;
    prepend prepend;
    bool    split;
} metaspace;

static tl_status metaspace_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                void *self)
{
    metaspace  *m      = self;
    const char *sign   = tl_json_text(spec, "replacement", "\xe2\x96\x81");
    const char *scheme = tl_json_text(spec, "prepend_scheme", "always");
    tl_status   rc     = TL_OK;

    m->bytes = strlen(sign);
    if (m->bytes < 1 || m->bytes != tl_utf8_bytes(*sign))
        TL_FAIL(TL_EDATA, where,
                "Metaspace's replacement is not one character (mend the file)");
    memcpy(m->text, sign, m->bytes);
    m->split   = tl_json_bool(spec, "split", true);
    m->prepend = strcmp(scheme, "first") == 0   ? FIRST
                 : strcmp(scheme, "never") == 0 ? NEVER
                                                : ALWAYS;
    if (!tl_json_bool(spec, "add_prefix_space", true))
        m->prepend = NEVER; /* older files */
done:
    return rc;
}

static tl_status metaspace_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self,
                                   size_t start, size_t end)
{
    const metaspace *m    = self;
    const tl_lined  *from = &e->text;
    tl_status        rc   = TL_OK;
    const bool       has =
        end > start &&
        (from->text[start] == ' ' ||
         (end - start >= m->bytes && !memcmp(from->text + start, m->text, m->bytes)));

    if (end > start && !has && m->prepend != NEVER &&
        (m->prepend == ALWAYS || from->span[start].from == 0))
        TL_TRY(tl_lined_add(ctx, &e->next, m->text, m->bytes, from->span[start]));
    for (size_t at = start, next; at < end; at = next) {
        const char *found = memchr(from->text + at, ' ', end - at);
        next              = found ? (size_t)(found - from->text) : end;
        TL_TRY(tl_lined_copy(ctx, &e->next, from, at, next));
        if (!found) break;
        TL_TRY(tl_lined_add(ctx, &e->next, m->text, m->bytes, from->span[next]));
        next++;
    }
done:
    return rc;
}

/* A new piece at every sign: MergedWithNext. */
static tl_status metaspace_split(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 size_t start, size_t end)
{
    const metaspace *m    = self;
    const char      *text = e->text.text;
    tl_status        rc   = TL_OK;
    size_t           from = start;

    for (size_t at = start; m->split && at + m->bytes <= end;) {
        if (at > from && !memcmp(text + at, m->text, m->bytes)) {
            TL_TRY(tl_cut_add(ctx, e, from, at, -1));
            from = at;
        }
        at += tl_utf8_bytes(text[at]);
    }
    TL_TRY(tl_cut_add(ctx, e, from, end, -1));
done:
    return rc;
}

const tl_component tl_pre_tokenizer_split      = { .name       = "Split",
                                                   .doc        = "by a text or a regex",
                                                   .self_bytes = sizeof(split),
                                                   .load       = split_load,
                                                   .free       = split_free,
                                                   .split      = split_split };
const tl_component tl_pre_tokenizer_byte_level = {
    .name   = "ByteLevel",
    .doc    = "GPT-2's words, bytes as characters",
    .expand = byte_expand
};
const tl_component tl_pre_tokenizer_metaspace = {
    .name       = "Metaspace",
    .doc        = "blanks made visible, words from sign to sign",
    .self_bytes = sizeof(metaspace),
    .load       = metaspace_load,
    .rewrite    = metaspace_rewrite,
    .split      = metaspace_split
};
