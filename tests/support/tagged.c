/* tagged.c -- see tagged.h. */
#include "support/tagged.h"

#include <stdio.h>
#include <string.h>

static const char *const first[]  = { "anna", "ben", "clara", "david" };
static const char *const last[]   = { "stone", "rivers", "woods" };
static const char *const places[] = { "rome", "paris", "oslo", "new york" };
static const char *const deeds[]  = { "visited", "left", "liked", "saw" };

static void put(char *text, size_t room, const char *word, const char *tag)
{
    const size_t at = strlen(text);

    assert_true(at + strlen(word) + strlen(tag) + 3 < room);
    snprintf(text + at, room - at, "%s\t%s\n", word, tag);
}

/* Names of one or two words, places of one or two, other words between: a function of i. */
static void write_text(char *text, size_t room, int64_t i)
{
    put(text, room, first[i % 4], "B-PER");
    if (i % 3) put(text, room, last[i % 3], "I-PER");
    put(text, room, deeds[i / 2 % 4], "O");
    if (i * 5 % 4 == 3) {
        put(text, room, "new", "B-LOC");
        put(text, room, "york", "I-LOC");
    } else {
        put(text, room, places[i * 5 % 4], "B-LOC");
    }
    if (i % 2) put(text, room, "yesterday", "O");
    put(text, room, ".", "O");
    strcat(text, "\n");
}

static void take_rows(const tl_dataset *d, int64_t low, int64_t high, tl_rows *out)
{
    const int64_t from = d->tags->first[low], to = d->tags->first[high];

    TEST_OK(tl_alloc_array(test_ctx(), (size_t)(to - from), sizeof *out->row, &out->row));
    for (int64_t r = from; r < to; r++) out->row[out->count++] = r;
}

void test_tagged_open(test_course *s, int64_t texts, int64_t most, const char *net,
                      const char *route, double epochs)
{
    static char text[1 << 17];

    *text = 0;
    for (int64_t i = 0; i < texts; i++) write_text(text, sizeof text, i);
    test_course_data(s, "words.conll", text, strlen(text));
    assert_int_equal(s->dataset->tags->texts, texts);
    take_rows(s->dataset, 0, texts - texts / 4, &s->train);
    take_rows(s->dataset, texts - texts / 4, texts, &s->valid);
    test_course_ready(s, &(test_course_ask){ .net = net, .most = most, .metric = "entity-f1",
                                             .route = route, .epochs = epochs });
}
