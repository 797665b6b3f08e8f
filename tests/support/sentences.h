/* sentences.h -- a small set of labelled sentences whose words say the class. */
#ifndef TESTS_SENTENCES_H
#define TESTS_SENTENCES_H
#include "support/course.h"

/* `rows` sentences of two classes, the last quarter validates; ended with test_course_close. */
void test_sentences_open(test_course *s, int64_t rows, const char *net, const char *route,
                         double epochs);
#endif
