/* talks.h -- conversations to learn answers from, whatever form their file has; and one as tokens,
 * with those that the assistant said told from the others.  Floor 2, data. */
#ifndef TL_DATA_CHAT_TALKS_H
#define TL_DATA_CHAT_TALKS_H
#include "data/chat/form.h"
struct tl_bad; /* data/part.h */

typedef struct {
    json_t **talk;  /* [count] each [{"role", "content", ...}, ...]; owned                  */
    int64_t *line;  /* [count] of the file; .json, Parquet: the number of the row, from 1    */
    int64_t  count;
    const char *form; /* of the first: "messages", "ShareGPT", "Alpaca", "prompt and completion" */
} tl_talks;

/* Is this a file of conversations?  By its ending (.jsonl, .ndjson, .json, .parquet) and the keys
 * of its first object. */
tl_status tl_talks_in(tl_ctx *ctx, const char *path, bool *is);
/* Rows that are no conversation, or hold no answer, are counted in *bad and left out. */
tl_status tl_talks_read(tl_ctx *ctx, const char *path, size_t limit, struct tl_bad *bad,
                        tl_talks *out);
void      tl_talks_free(tl_ctx *ctx, tl_talks *t); /* safe to repeat */

/* One conversation as a model reads it. */
typedef struct {
    int32_t *id;       /* [count] owned                                                     */
    uint8_t *answer;   /* [count] 1: the assistant said it; owned                           */
    int64_t  count, answers, cut; /* cut: tokens beyond `most`, which are left out           */
} tl_talk_tokens;
/* TL_EDATA where the template cannot say it, or not what of it the assistant said. */
tl_status tl_talk_encode(tl_ctx *ctx, const tl_chat_form *form, tl_encoder *encoder,
                         const json_t *talk, int64_t most, tl_talk_tokens *out);
void      tl_talk_tokens_free(tl_ctx *ctx, tl_talk_tokens *t); /* safe to repeat */
/* What of the rendered conversation the assistant said, in order; the caller frees *out. */
tl_status tl_talk_spans(tl_ctx *ctx, const tl_chat_form *form, const json_t *talk,
                        const tl_rendered *whole, tl_text_span **out, size_t *count);
#endif
