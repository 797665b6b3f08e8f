/* comparison.h -- what tests of whole comparisons share: a small question, its listener, and what
 * its verdict must hold to. */
#ifndef TESTS_COMPARISON_H
#define TESTS_COMPARISON_H
#include "study/compare.h"

typedef struct {
    int64_t lines, stop_at; /* stop_at > 0: Ctrl-C at that line of progress */
} test_listener;

extern const char *const test_routes[]; /* the baseline and from scratch */
/* One thread: the pictures are so few that a team waits more than it works. */
tl_ctx     *test_one_thread(void);
/* A small network, test_routes, three seeds, a short schedule. */
tl_question test_question(const char *data, const char *out, test_listener *l);
char       *test_in(const char *folder, const char *name); /* the caller's, to tl_free */
bool        test_has(const char *folder, const char *name);

/* What two verdicts of the same question must share; the caller's, to free. */
char         *test_comparable(const json_t *verdict);
void          test_verdict_holds(const json_t *verdict); /* to its schema */
const json_t *test_candidate(const json_t *verdict, const char *route);
/* Interrupted and gone on with, after so many more lines each time, until it ends: how often. */
int           test_stops_until_done(tl_ctx *ctx, const tl_question *q, test_listener *l, int lines,
                                    json_t **out);
#endif
