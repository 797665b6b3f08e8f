/* tell.h -- a text continued by a language model, given out piece by piece: whole characters only,
 * nothing of a stop string or of what ends a text.  Floor 3, bundle. */
#ifndef TL_BUNDLE_TELL_H
#define TL_BUNDLE_TELL_H
#include "bundle/sample.h"
#include "bundle/writer.h"

typedef struct {
    tl_sampling        sampling;
    int64_t            most;  /* tokens to be written; 0: as many as there is room for      */
    const char *const *stop;  /* texts that end it, NULL-terminated; may be NULL            */
    bool               plain; /* the prompt brings its own special tokens (a chat template)  */
} tl_telling;

/* Non-zero from `call` ends the text.  `call` NULL: nobody listens. */
typedef struct {
    int (*call)(void *user, const char *piece);
    void *user;
} tl_listener;

typedef struct {
    char       *text;          /* what was written; owned, ended with tl_free               */
    int64_t     read, written; /* tokens of the prompt, and behind it                       */
    const char *finish;        /* "stop": the model or a stop string ended it; "length"      */
} tl_told;

/* What follows `prompt`.  TL_EDATA where the prompt is empty and the model has no token that begins
 * a text, TL_ELIMIT where it is too long. */
tl_status tl_tell(tl_ctx *ctx, tl_writer *w, const tl_model *model, tl_string prompt,
                  const tl_telling *how, const tl_listener *to, tl_told *out);
#endif
