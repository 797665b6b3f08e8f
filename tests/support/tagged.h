/* tagged.h -- a small set of sentences whose words have tags that the words say. */
#ifndef TESTS_TAGGED_H
#define TESTS_TAGGED_H
#include "support/course.h"

/* `texts` sentences, the last quarter validates (rows are words); texts of more than `most` tokens
 * go by windows (0: 512).  Ended with test_course_close. */
void test_tagged_open(test_course *s, int64_t texts, int64_t most, const char *net,
                      const char *route, double epochs);
#endif
