/* sentences.c -- see sentences.h. */
#include "support/sentences.h"

#include <stdio.h>
#include <string.h>

static const char *const things[] = { "film", "plot", "cast", "song", "story", "scene" };
static const char *const praise[] = { "warm", "bright", "lovely", "moving" };
static const char *const blame[]  = { "dull", "cold", "empty", "tired" };

/* A function of i alone; words of a kind follow each other so that they can be learnt. */
static size_t write_rows(int64_t rows, char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, "text,label\n");

    for (int64_t i = 0; i < rows; i++) {
        const bool               good = i * 7 % 4 < 2;
        const char *const *const say  = good ? praise : blame;
        at += (size_t)snprintf(text + at, room - at, "the %s is %s and the %s is %s,%s\n",
                               things[i % 6], say[i % 4], things[i * 5 % 6], say[(i / 4) % 4],
                               good ? "good" : "bad");
        assert_true(at + 100 < room);
    }
    return at;
}

static void take_rows(tl_rows *out, int64_t from, int64_t count)
{
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)count, sizeof *out->row, &out->row));
    for (int64_t i = 0; i < count; i++) out->row[i] = from + i;
    out->count = count;
}

void test_sentences_open(test_course *s, int64_t rows, const char *net, const char *route,
                         double epochs)
{
    static char  text[1 << 16];
    const size_t bytes = write_rows(rows, text, sizeof text);

    test_course_data(s, "rows.csv", text, bytes);
    assert_int_equal(s->dataset->rows, rows);
    take_rows(&s->train, 0, rows - rows / 4);
    take_rows(&s->valid, rows - rows / 4, rows / 4);
    test_course_ready(s, &(test_course_ask){ .net = net, .metric = "accuracy", .route = route,
                                             .epochs = epochs });
}
