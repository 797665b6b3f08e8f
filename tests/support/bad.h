/* bad.h -- bad inputs as a table: each row makes files in a folder of its own and is put to the
 * program, which must answer with one line `tailor: WHERE: WHAT (WHAT TO DO)` and the right exit
 * status: no crash, no hang, no sanitizer's report, nothing written, no memory without bound. */
#ifndef TESTS_BAD_H
#define TESTS_BAD_H
#include "support/support.h"

typedef struct test_bad {
    const char
        *name;   /* the test's                                                         */
    int  status; /* the exit status to be given                                        */
    const char
        *says; /* a regular expression that the line matches; NULL: any              */
    const char
        *command; /* words by blanks ("~": a blank; "$": `file`)                    */
    const char
        *file; /* what `text` goes to; folders on the way are made; NULL: none       */
    const char
          *text; /* `bytes` of it; NULL: none                                          */
    size_t bytes;
    void (*make)(
        const struct test_bad *b); /* what else there is to make; NULL: nothing  */
    const char
           *seed; /* for `make`                                                         */
    int64_t n;
} test_bad;

/* A row of text. */
#define BAD_TEXT(text) (text), sizeof(text) - 1

/* Grows a list, which test_bad_run ends. */
typedef struct {
    test_bad *row;
    size_t    count, room;
} test_bad_list;
void test_bad_add(test_bad_list *list, test_bad b); /* copies name, file and seed */
/* Each of `cuts` shares (per mille of the seed's bytes; negative: bytes from its end) of the file
 * `seed`, written as `b.file`: a row each, named after `b.name`. */
void test_bad_cuts(test_bad_list *list, test_bad b, const int *cuts, size_t count);
/* Runs every row as a named test; `good` (may be NULL) fills the folder "../good" once. */
int test_bad_run(const char *group, test_bad_list *list, void (*good)(void));

/* For `make` and `good`: in the current folder. */
void test_bad_write(const char *path, const void *data, size_t bytes);
void test_bad_gzip(const char *path, const void *data, size_t bytes, int64_t times);
/* A file of tests/ (owned by the caller, ended with free). */
char *test_bad_seed(const char *path, size_t *bytes);
void  test_bad_tailor(const char *command); /* must end well */
#endif
