/* spans.h -- entities of words in a row, as seqeval (and CoNLL's own script) reads tags: a span
 * goes on while its type does; B- and S- begin one, E- and S- end one, an I- without a beginning
 * begins one.  Counted word by word: rightly found, said, there.
 * Source: seqeval 1.2.2, metrics/sequence_labeling.py (the default mode).  Floor 3, train. */
#ifndef TL_TRAIN_SPANS_H
#define TL_TRAIN_SPANS_H
#include "data/texts/tagged.h"

typedef struct {
    const tl_dataset *d;
    int64_t     text;          /* of the word last counted; -1: none                        */
    const char *said, *there;  /* its tags; NULL: none                                      */
    bool        both;          /* a span of both began together and has not ended           */
} tl_spans;

/* What a word adds: spans that begin with it, said and there; and of those that end before it, how
 * many were the same in both. */
typedef struct { int right, said, there; } tl_span_count;
/* The word of `row` comes next, and `said` is its tag; row -1: the end. */
tl_span_count tl_spans_next(tl_spans *s, const tl_dataset *d, int64_t row, const char *said);
/* Between two tags that follow each other, NULL outside the text: does a span end, begin? */
bool tl_span_ends(const char *before, const char *now);
bool tl_span_begins(const char *before, const char *now);
#endif
