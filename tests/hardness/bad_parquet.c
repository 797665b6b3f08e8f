/* bad_parquet.c -- Parquet files that are cut, changed, refused by name, or hold more than there is
 * memory for. */
#include "support/bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN "train $ --arch mlp --dry-run"
#define GOLDEN "golden/parquet/"
#define ROW(id, code, said, line, from)                                                       \
    {                                                                                         \
        .name = id, .status = code, .says = said, .command = line, .file = "in.parquet",      \
        .make = copied, .seed = from                                                          \
    }
#define BAD(id, said, data)                                                                   \
    {                                                                                         \
        .name = id, .status = 3, .says = said, .command = TRAIN, .file = "in.parquet",        \
        BAD_TEXT(data)                                                                        \
    }

static void copied(const test_bad *b)
{
    size_t bytes;
    char  *data = test_bad_seed(b->seed, &bytes);

    test_bad_write(b->file, data, bytes);
    free(data);
}

/* Byte b.n (negative: from the end) turned. */
static void turned(const test_bad *b)
{
    size_t bytes;
    char  *data = test_bad_seed(b->seed, &bytes);

    data[b->n < 0 ? (int64_t)bytes + b->n : b->n] ^= 0x55;
    test_bad_write(b->file, data, bytes);
    free(data);
}

static const test_bad rows[] = {
    ROW("brotli", 3, "in.parquet@4: column \"x\" is packed by brotli.*snappy, gzip", TRAIN,
        GOLDEN "refused-brotli.parquet"),
    ROW("bytes_that_are_no_text", 3, "column \"image\": bytes that are no UTF-8 text", TRAIN,
        GOLDEN "refused-bytes.parquet"),
    ROW("no_rows", 3, "holds no rows", TRAIN, GOLDEN "no-rows.parquet"),
    ROW("a_bomb_of_rows", 4, "--memory", TRAIN " --memory 400M", GOLDEN "bomb-of-rows.parquet"),
    ROW("a_bomb_of_text", 4, "--memory", TRAIN " --memory 200M", GOLDEN "bomb-of-text.parquet"),
    ROW("a_bomb_of_lists", 4, "--memory", TRAIN " --memory 400M", GOLDEN "bomb-of-lists.parquet"),
    ROW("lists_as_columns_of_a_table", 3, NULL, TRAIN, GOLDEN "nested-v1.parquet"),
    ROW("target_unknown", 2, "it has: x, colour", TRAIN " --target z",
        GOLDEN "same/table.parquet"),
    ROW("text_unknown", 2, "no column \"z\"", "train $ --route baseline --text z",
        GOLDEN "same/texts.parquet"),
    ROW("conversations_without_a_base", 2, "a language model", TRAIN,
        GOLDEN "same/talks.parquet"),
    BAD("empty", "empty", ""),
    BAD("magic_alone", "in.parquet@0: does not begin and end", "PAR1"),
    BAD("magic_twice", "does not begin and end", "PAR1PAR1"),
    BAD("a_footer_of_nothing", "in.parquet@4: its footer is damaged", "PAR1\0\0\0\0PAR1"),
    BAD("a_footer_that_ends", "in.parquet@5: its footer is damaged", "PAR1\0\1\0\0\0PAR1"),
    BAD("a_footer_of_4_gib", "a footer of 4294967295 bytes", "PAR1\0\0\0\0\xff\xff\xff\xffPAR1"),
    BAD("encrypted", "encrypted", "PARE\0\0\0\0\0\0\0\0\0PARE"),
    BAD("csv_called_parquet", "does not begin and end", "a,y\n1,k\n2,l\n3,k\n4,l\n"),
    BAD("schema_of_a_million", "in.parquet@9: its schema is damaged",
        "PAR1\x29\xfc\xc0\x84\x3d\0\0\x07\0\0\0PAR1"),
};

static void add_changed(test_bad_list *list)
{
    static const int     cuts[] = { 1, 50, 200, 500, 900, 990, -1, -4, -8, -9 };
    static const int64_t at[]   = { 0, 4, 6, 20, -1, -4, -5, -8, -9 };
    char                 name[80];
    const test_bad       b = { .status = 3, .command = TRAIN, .file = "in.parquet",
                               .name = "table", .seed = GOLDEN "same/table.parquet" };

    test_bad_cuts(list, b, cuts, TL_COUNT(cuts));
    for (size_t i = 0; i < TL_COUNT(at); i++) {
        test_bad row = b;
        snprintf(name, sizeof name, "turned_at_%d", (int)at[i]);
        row.name = name;
        row.make = turned;
        row.n    = at[i];
        test_bad_add(list, row);
    }
}

int main(void)
{
    test_bad_list list = { 0 };

    for (size_t i = 0; i < TL_COUNT(rows); i++) test_bad_add(&list, rows[i]);
    add_changed(&list);
    return test_bad_run("bad_parquet", &list, NULL);
}
