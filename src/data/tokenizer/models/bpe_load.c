/* bpe_load.c -- a BPE model from tokenizer.json, and from the lines of merges.txt.
 * Floor 2, data. */
#include "data/tokenizer/models/bpe.h"

#include <string.h>

static tl_status merge_two(tl_ctx *ctx, const char *where, tl_bpe *b, tl_string left,
                           tl_string right, uint32_t rank, tl_text *both)
{
    const int32_t l    = tl_vocab_find(b->vocab, left.text, left.bytes);
    const int32_t r    = tl_vocab_find(b->vocab, right.text, right.bytes);
    const size_t  skip = right.bytes >= b->prefix_bytes ? b->prefix_bytes : 0;
    tl_status     rc   = TL_OK;

    both->bytes = 0;
    tl_text_add_bytes(both, left.text, left.bytes);
    tl_text_add_bytes(both, right.text + skip, right.bytes - skip);
    TL_TRY(both->status);
    const int32_t made = tl_vocab_find(b->vocab, both->text, both->bytes);
    if (l < 0 || r < 0 || made < 0)
        TL_FAIL(TL_EDATA, where,
                "merge %u, \"%.*s %.*s\", is not in the vocabulary (mend the file)",
                rank + 1, (int)TL_MIN(left.bytes, (size_t)40), left.text,
                (int)TL_MIN(right.bytes, (size_t)40), right.text);
    TL_TRY(tl_bpe_merge(ctx, b, l, r, rank, made));
done:
    return rc;
}

tl_status tl_bpe_line(tl_ctx *ctx, const char *where, tl_bpe *b, tl_string line,
                      uint32_t rank, tl_text *both)
{
    const char *blank = memchr(line.text, ' ', line.bytes);

    if (!blank)
        return tl_fail(ctx, TL_EDATA, where, "merge %u is not two tokens (mend the file)",
                       rank + 1);
    const size_t   left  = (size_t)(blank - line.text);
    const tl_string right = { blank + 1, line.bytes - left - 1 };
    return merge_two(ctx, where, b, (tl_string){ line.text, left }, right, rank, both);
}

/* Each is "a b" or ["a", "b"]. */
static tl_status load_merges(tl_ctx *ctx, const char *where, const json_t *list,
                             tl_bpe *b)
{
    tl_text   both = tl_text_make(ctx);
    json_t   *m;
    size_t    i;
    tl_status rc = TL_OK;

    if (!json_is_array(list))
        TL_FAIL(TL_EDATA, where, "BPE without merges (mend the file)");
    json_array_foreach(list, i, m)
    {
        const json_t  *l = json_array_get(m, 0), *r = json_array_get(m, 1);
        const tl_string left  = { json_string_value(l), json_string_length(l) };
        const tl_string right = { json_string_value(r), json_string_length(r) };
        const tl_string line  = { json_string_value(m), json_string_length(m) };
        if (line.text) {
            TL_TRY(tl_bpe_line(ctx, where, b, line, (uint32_t)i, &both));
        } else if (left.text && right.text) {
            TL_TRY(merge_two(ctx, where, b, left, right, (uint32_t)i, &both));
        } else {
            TL_FAIL(TL_EDATA, where, "merge %zu is not two tokens (mend the file)",
                    i + 1);
        }
    }
done:
    tl_text_free(&both);
    return rc;
}

tl_status tl_bpe_load(tl_ctx *ctx, const char *where, const json_t *spec, tl_tokenizer *t)
{
    tl_bpe     *b       = t->model_self;
    const char *unknown = tl_json_text(spec, "unk_token", NULL);
    tl_status   rc;

    if (tl_json_number(spec, "dropout", 0.0) != 0.0)
        TL_FAIL(TL_EDATA, where,
                "BPE with dropout gives other tokens every time (set dropout to null)");
    b->vocab = &t->vocab;
    TL_TRY(tl_vocab_load(ctx, where, json_object_get(spec, "vocab"), &t->vocab));
    TL_TRY(tl_json_copy(ctx, spec, "continuing_subword_prefix", &b->prefix,
                        &b->prefix_bytes));
    TL_TRY(tl_json_copy(ctx, spec, "end_of_word_suffix", &b->suffix, &b->suffix_bytes));
    b->fuse_unknown = tl_json_bool(spec, "fuse_unk", false);
    b->whole_first  = tl_json_bool(spec, "ignore_merges", false);
    b->unknown      = unknown ? tl_vocab_find(&t->vocab, unknown, strlen(unknown)) : -1;
    tl_bpe_ready(b, tl_json_bool(spec, "byte_fallback", false));
    TL_TRY(load_merges(ctx, where, json_object_get(spec, "merges"), b));
done:
    return rc;
}
