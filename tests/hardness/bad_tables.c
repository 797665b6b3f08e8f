/* bad_tables.c -- CSV and TSV that are cut, hostile, or ask for what cannot be: `train --dry-run`,
 * `inspect`, `evaluate` and `predict` say what is wrong, and where. */
#include "support/bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN "train $ --arch mlp --dry-run"
#define INSPECT "inspect $"
#define PREDICT "predict ../good/m/best $"
#define EVALUATE "evaluate ../good/m/best $"
#define ROW(id, code, said, line, to, ...)                                               \
    {                                                                                    \
        .name = id, .status = code, .says = said, .command = line, .file = to,           \
        __VA_ARGS__                                                                      \
    }
#define BAD(id, said, text) ROW(id, 3, said, TRAIN, "in.csv", BAD_TEXT(text))

/* Enough rows for a table: a number, a category, a target of two classes (or a number). */
static void write_rows(const char *path, const char *head, int rows, bool numbers)
{
    char line[100];

    test_bad_write(path, head, strlen(head));
    for (int i = 0; i < rows; i++) {
        const int n = snprintf(line, sizeof line, "%d.5,c%d,%s%d\n", i * 37 % 101, i % 3,
                               numbers ? "1" : "k", numbers ? i : i % 2);
        test_bad_write(path, line, (size_t)n);
    }
}

static void make_good(void)
{
    write_rows("good.csv", "a,b,y\n", 60, false);
    write_rows("numbers.csv", "a,b,y\n", 60, true);
    test_bad_tailor("train good.csv --arch mlp --epochs 1 --quiet --out m");
    test_bad_tailor("train numbers.csv --arch mlp --epochs 1 --quiet --out n");
}

/* Good rows, then `text`. */
static void behind_good(const test_bad *b)
{
    write_rows(b->file, "a,b,y\n", 60, false);
    test_bad_write(b->file, b->seed, strlen(b->seed));
}

/* A header, then good rows below it. */
static void below_head(const test_bad *b)
{
    write_rows(b->file, b->seed, (int)b->n, false);
}

static void numbers_below_head(const test_bad *b)
{
    write_rows(b->file, b->seed, (int)b->n, true);
}

/* `seed` n times. */
static void repeated(const test_bad *b)
{
    const size_t bytes = strlen(b->seed);
    char        *all   = malloc(bytes * (size_t)b->n + 1);

    assert_non_null(all);
    for (int64_t i = 0; i < b->n; i++) memcpy(all + (size_t)i * bytes, b->seed, bytes);
    test_bad_write(b->file, all, bytes * (size_t)b->n);
    free(all);
}

/* n rows, each of a class of its own. */
static void every_row_a_class(const test_bad *b)
{
    char  *all = malloc((size_t)b->n * 24 + 24);
    size_t at  = 0;

    assert_non_null(all);
    at += (size_t)sprintf(all, "x,y\n");
    for (int64_t i = 0; i < b->n; i++)
        at += (size_t)sprintf(all + at, "%d.5,k%d\n", (int)(i * 7919 % 1000), (int)i);
    test_bad_write(b->file, all, at);
    free(all);
}

static void gzip_cut(const test_bad *b)
{
    char  *text;
    size_t bytes;

    write_rows("plain.csv", "a,b,y\n", 500, false);
    text = test_bad_seed("./plain.csv", &bytes);
    test_bad_gzip("whole", text, bytes, 1);
    free(text);
    text = test_bad_seed("./whole", &bytes);
    test_bad_write(b->file, text, bytes * (size_t)b->n / 1000);
    free(text);
}

static void gzip_broken(const test_bad *b)
{
    char  *text;
    size_t bytes;

    write_rows("plain.csv", "a,b,y\n", 500, false);
    text = test_bad_seed("./plain.csv", &bytes);
    test_bad_gzip("whole", text, bytes, 1);
    free(text);
    text                              = test_bad_seed("./whole", &bytes);
    text[bytes * (size_t)b->n / 1000] = (char)~text[bytes * (size_t)b->n / 1000];
    test_bad_write(b->file, text, bytes);
    free(text);
}

/* 256 MiB of one letter. */
static void gzip_bomb(const test_bad *b)
{
    static char block[1 << 20];

    memset(block, b->seed[0], sizeof block);
    test_bad_gzip(b->file, block, sizeof block, 256);
}

static void good_and(const test_bad *b)
{
    write_rows("in.csv", "a,b,y\n", 60, false);
    if (b->seed) test_bad_write("other.csv", b->seed, strlen(b->seed));
}

static const test_bad rows[] = {
    /* what is no table */
    BAD("empty_file", "is empty", ""),
    BAD("one_newline", "is empty", "\n"),
    BAD("many_newlines", "is empty", "\n\n\r\n\r\r\n"),
    BAD("only_a_mark", "is empty", "\xef\xbb\xbf"),
    BAD("only_a_header", "no rows", "a,b,y\n"),
    BAD("one_column", NULL, "y\nk1\nk2\nk1\nk2\n"),
    BAD("one_row", NULL, "a,y\n1.5,k\n"),
    BAD("two_rows", NULL, "a,y\n1.5,k\n2.5,l\n"),
    BAD("zero_byte_first", "in.csv:1: holds zero bytes", "\0a,y\n1,2\n"),
    BAD("zero_byte_later", "in.csv:3: holds zero bytes", "a,y\n1,2\n1,\0\n"),
    BAD("utf16", "zero bytes",
        "\xff\xfe"
        "a\0,\0y\0\n\0"
        "1\0,\0"
        "2\0\n\0"),
    BAD("latin1", "in.csv:2: .*UTF-8", "a,y\n1,caf\xe9\n2,t\xe9\n"),
    BAD("broken_utf8", "in.csv:1: .*UTF-8", "a\xc3,y\n1,k\n2,l\n"),
    BAD("overlong_utf8", "UTF-8", "a,y\n1,\xc0\xaf\n2,l\n"),
    BAD("surrogate_in_utf8", "UTF-8", "a,y\n1,\xed\xa0\x80\n2,l\n"),
    BAD("html", NULL, "<html><body><h1>404, not found</h1></body></html>\n"),
    BAD("json", NULL, "{\"a\": 1, \"y\": 2}\n"),
    BAD("spreadsheet", NULL, "PK\3\4\x14\x01\x08\x08"),
    BAD("program", NULL, "#!/bin/sh\nrm -rf /\n"),
    /* quotes */
    BAD("quote_without_end", "in.csv:2: a quote that never ends",
        "a,y\n\"1,k\n2,l\n3,k\n"),
    BAD("quote_at_the_end", "a quote that never ends", "a,y\n1,k\n2,\""),
    BAD("text_behind_a_quote", "in.csv:2: text after a closing quote",
        "a,y\n\"1\"x,k\n2,l\n"),
    BAD("quotes_of_nothing", NULL, "\"\"\"\"\"\n"),
    BAD("only_quotes", NULL, "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""),
    BAD("quoted_newlines_unclosed", "in.csv:1: a quote", "\"a\n\n\n\n,y\n1,k\n"),
    BAD("single_quote_mark", NULL, "\""),
    /* fields */
    BAD("too_few_fields", "1 of .* another number of fields",
        "a,b,y\n1,2,k\n1,k\n2,3,l\n3,3,k\n"),
    BAD("too_many_fields", "another number of fields",
        "a,b,y\n1,2,k\n1,2,3,k\n2,3,l\n3,4,l\n"),
    BAD("only_commas", NULL, ",,,,\n,,,,\n,,,,\n"),
    BAD("only_tabs", NULL, "\t\t\n\t\t\n\t\t\n"),
    BAD("only_blanks", NULL, "   \n   \n   \n"),
    BAD("two_columns_of_one_name", "two columns are called", "a,a,y\n1.5,2,k\n2.5,3,l\n"),
    BAD("ten_names_alike", "two columns are called",
        "a,a,a,a,a,a,a,a,a,a\n1,2,3,4,5,6,7,8,9,x\n"),
    ROW("70000_fields", 3, "65,536 fields", TRAIN, "in.csv", .make = repeated,
        .seed = "a,", .n = 70000),
    ROW("a_megabyte_in_one_field", 3, NULL, TRAIN, "in.csv", .make = repeated,
        .seed = "aaaaaaaa", .n = 1 << 17),
    ROW("a_million_lines_of_nothing", 3, "is empty", TRAIN, "in.csv", .make = repeated,
        .seed = "\r\n", .n = 1000000),
    ROW("a_million_commas", 3, NULL, TRAIN, "in.csv", .make = repeated, .seed = ",\n",
        .n = 500000),
    /* columns that say nothing */
    BAD("all_missing", NULL, "a,y\nNA,NA\nNaN,null\n?,-\n"),
    BAD("target_all_missing", NULL, "a,y\n1.5,\n2.5,\n3.5,NA\n4.5,NaN\n"),
    BAD("column_all_missing", "no column to learn from", "a,y\n,k\nNA,l\nnan,k\n?,l\n"),
    BAD("column_of_one_value", "no column to learn from",
        "a,y\n1,k\n1,l\n1,k\n1,l\n1,k\n1,l\n"),
    BAD("one_class", "one class|1 class",
        "a,y\n1.5,k\n2.5,k\n3,k\n9,k\n5,k\n8,k\n7.5,k\n1,k\n"),
    BAD("one_value_to_predict", NULL,
        "a,y\n1.5,7\n2.5,7\n3,7\n9,7\n5,7\n8,7\n7.5,7\n1,7\n"),
    ROW("one_number_to_predict", 3, NULL, TRAIN " --task regression", "in.csv",
        BAD_TEXT("a,y\n1.5,7\n2.5,7\n3,7\n9,7\n5,7\n8,7\n7.5,7\n1,7\n2,7\n3.5,7\n")),
    ROW("a_class_a_row", 3, "a class of its own", TRAIN, "in.csv",
        .make = every_row_a_class, .n = 100),
    ROW("a_million_classes", 3, "a class of its own", TRAIN, "in.csv",
        .make = every_row_a_class, .n = 1000000),
    ROW("more_than_2_to_the_20_classes", 3, "a million classes", TRAIN, "in.csv",
        .make = every_row_a_class, .n = (1 << 20) + 2),
    ROW("inspect_a_million_classes", 3, "a class of its own", INSPECT, "in.csv",
        .make = every_row_a_class, .n = 1000000),
    /* rows that cannot be used, without --skip-bad */
    ROW("target_missing_in_a_row", 3, "in.csv:62.*no value in the target", TRAIN,
        "in.csv", .make = behind_good, .seed = "1.5,c1,\n"),
    ROW("target_is_nan", 3, "no value in the target", TRAIN, "in.csv",
        .make = behind_good, .seed = "1.5,c1,NaN\n"),
    ROW("text_in_a_column_of_numbers", 3, "in.csv:62, field 1", TRAIN, "in.csv",
        .make = behind_good, .seed = "many,c1,k1\n"),
    ROW("infinity_in_a_column_of_numbers", 3, "in.csv:62, field 1", TRAIN, "in.csv",
        .make = behind_good, .seed = "inf,c1,k1\n"),
    ROW("number_too_large", 3, "in.csv:62, field 1", TRAIN, "in.csv", .make = behind_good,
        .seed = "1e999,c1,k1\n"),
    ROW("number_of_400_digits", 3, "field 1", TRAIN, "in.csv", .make = behind_good,
        .seed = "999999999999999999999999999999999999999999999999999999999999999999999999"
                "99999"
                "999999999999999999999999999999999999999999999999999999999999999999999999"
                "99999999999999"
                "999999999999999999999999999999999999999999999999999999999999999999999999"
                "99999999999999"
                "999999999999999999999999999999999999999999999999999999999999999999999999"
                "99999999999999"
                "999999999999999999999999999999999999999999999999999999999999999999999999"
                "99999999999999"
                ",c1,k1\n"),
    ROW("hex_in_a_column_of_numbers", 3, "field 1", TRAIN, "in.csv", .make = behind_good,
        .seed = "0x1p3,c1,k1\n"),
    ROW("two_points_in_a_number", 3, "field 1", TRAIN, "in.csv", .make = behind_good,
        .seed = "1.2.3,c1,k1\n"),
    ROW("formula_in_a_column_of_numbers", 3, "field 1", TRAIN, "in.csv",
        .make = behind_good, .seed = "=1+1,c1,k1\n"),
    ROW("escape_in_a_bad_cell", 3, "field 1", TRAIN, "in.csv", .make = behind_good,
        .seed = "\x1b[31mred,c1,k1\n"),
    ROW("ragged_last_row", 3, "another number of fields", TRAIN, "in.csv",
        .make = behind_good, .seed = "1.5,c1\n"),
    ROW("quote_open_at_the_end", 3, "in.csv:62: a quote", TRAIN, "in.csv",
        .make = behind_good, .seed = "\"1.5,c1,k1\n"),
    ROW("zero_text_to_predict", 3, "no number in the target", TRAIN, "in.csv",
        .make = numbers_below_head, .seed = "a,b,y\n1.5,c1,many\n", .n = 60),
    ROW("infinite_target", 3, "no number in the target", TRAIN, "in.csv",
        .make = numbers_below_head, .seed = "a,b,y\n1.5,c1,inf\n", .n = 60),
    ROW("skipping_all_rows", 3, NULL, TRAIN " --skip-bad", "in.csv",
        BAD_TEXT("a,b,y\n1,2\n3,4\n5,6\n")),
    /* header and names */
    ROW("name_with_a_newline", 3, "two columns are called", TRAIN, "in.csv",
        .make = below_head, .seed = "\"a\ntailor: b: c (d)\",\"a\ntailor: b: c (d)\",y\n",
        .n = 60),
    ROW("name_that_paints", 3, "two columns are called", TRAIN, "in.csv",
        .make = below_head, .seed = "\x1b[2J,\x1b[2J,y\n", .n = 60),
    ROW("name_of_percent_signs", 3, "two columns are called \"%s%n", TRAIN, "in.csv",
        .make = below_head, .seed = "%s%n%99999d,%s%n%99999d,y\n", .n = 60),
    /* options that do not fit */
    ROW("target_unknown", 2, "^tailor: --target: .*it has: a, b, y", TRAIN " --target z",
        "in.csv", .make = good_and),
    ROW("target_column_0", 2, "--target", TRAIN " --target 0", "in.csv",
        .make = good_and),
    ROW("target_column_4", 2, "--target", TRAIN " --target 4", "in.csv",
        .make = good_and),
    ROW("target_negative", 2, "--target", TRAIN " --target=-1", "in.csv",
        .make = good_and),
    ROW("regression_of_classes", 3, "^tailor: --task: ", TRAIN " --task regression",
        "in.csv", .make = good_and),
    ROW("task_unknown", 2, "--task", TRAIN " --task clustering", "in.csv",
        .make = good_and),
    ROW("metric_of_numbers_for_classes", 2, "metric", TRAIN " --metric rmse", "in.csv",
        .make = good_and),
    ROW("metric_of_classes_for_numbers", 2, "metric", TRAIN " --metric macro-f1",
        "in.csv", .make = numbers_below_head, .seed = "a,b,y\n", .n = 60),
    ROW("pictures_network_for_a_table", 2, NULL, "train $ --arch resnet20 --dry-run",
        "in.csv", .make = good_and),
    ROW("convolution_for_a_table", 2, NULL, "train $ --arch conv~8~3~relu --dry-run",
        "in.csv", .make = good_and),
    ROW("valid_part_missing", 3, "nothing.csv", TRAIN " --valid nothing.csv", "in.csv",
        .make = good_and),
    ROW("test_part_with_other_columns", 3, "other.csv", TRAIN " --test other.csv",
        "in.csv", .make = good_and, .seed = "p,q,y\n1.5,c1,k0\n2.5,c2,k1\n"),
    ROW("test_part_without_target", 3, "other.csv", TRAIN " --test other.csv", "in.csv",
        .make = good_and, .seed = "a,b\n1.5,c1\n2.5,c2\n"),
    ROW("test_part_empty", 3, "other.csv", TRAIN " --test other.csv", "in.csv",
        .make = good_and, .seed = "\n"),
    ROW("test_part_is_a_folder", 3, NULL, TRAIN " --test ../good", "in.csv",
        .make = good_and),
    ROW("test_part_of_unknown_classes", 3, NULL, TRAIN " --test other.csv", "in.csv",
        .make = good_and, .seed = "a,b,y\n1.5,c1,new\n2.5,c2,newer\n"),
    /* a model asked */
    ROW("evaluate_without_target", 3, "no target column", EVALUATE, "in.csv",
        BAD_TEXT("a,b\n1.5,c1\n2.5,c2\n")),
    ROW("evaluate_without_a_column", 3, "in.csv", EVALUATE, "in.csv",
        BAD_TEXT("b,y\nc1,k0\nc2,k1\n")),
    ROW("evaluate_unknown_classes", 3, NULL, EVALUATE, "in.csv",
        BAD_TEXT("a,b,y\n1.5,c1,x0\n2.5,c2,x1\n")),
    ROW("evaluate_empty", 3, "is empty", EVALUATE, "in.csv", BAD_TEXT("")),
    ROW("evaluate_text_for_numbers", 3, NULL, "evaluate ../good/n/best $", "in.csv",
        BAD_TEXT("a,b,y\n1.5,c1,many\n2.5,c2,few\n")),
    ROW("evaluate_part_unknown", 2, "--split", EVALUATE " --split half", "in.csv",
        .make = good_and),
    ROW("predict_empty", 3, "is empty", PREDICT, "in.csv", BAD_TEXT("")),
    ROW("predict_without_a_column", 3, "in.csv", PREDICT, "in.csv",
        BAD_TEXT("b\nc1\nc2\n")),
    ROW("predict_text_for_a_number", 3, "in.csv:2", PREDICT, "in.csv",
        BAD_TEXT("a,b\nmany,c1\n2.5,c2\n")),
    ROW("predict_ragged", 3, "another number of fields", PREDICT, "in.csv",
        BAD_TEXT("a,b\n1.5\n2.5,c2\n")),
    ROW("predict_latin1", 3, "in.csv:2: .*UTF-8", PREDICT, "in.csv",
        BAD_TEXT("a,b\n1.5,caf\xe9\n2.5,c2\n")),
    ROW("predict_no_such_table", 3, "nothing", PREDICT, "nothing.csv"),
    ROW("predict_a_picture_by_a_table", 3, NULL, PREDICT, "picture.png",
        BAD_TEXT("\x89PNG\r\n\x1a\n\0\0\0\0")),
    /* packed */
    ROW("gzip_bomb_of_text", 4, "--memory", TRAIN " --memory 400M", "in.csv.gz",
        .make = gzip_bomb, .seed = "a"),
    ROW("gzip_bomb_of_commas", 4, "--memory", TRAIN " --memory 400M", "in.csv.gz",
        .make = gzip_bomb, .seed = ","),
    ROW("gzip_bomb_of_lines", 4, NULL, TRAIN " --memory 300M", "in.csv.gz",
        .make = gzip_bomb, .seed = "\n"),
    ROW("plain_text_called_gz", 3, NULL, TRAIN, "in.csv.gz",
        BAD_TEXT("no gzip, no table\n")),
    ROW("gzip_of_two_bytes", 3, NULL, TRAIN, "in.csv.gz", BAD_TEXT("\x1f\x8b")),
    ROW("gzip_head_alone", 3, NULL, TRAIN, "in.csv.gz",
        BAD_TEXT("\x1f\x8b\x08\0\0\0\0\0\0\3")),
    /* a table cut within its last good rows is no table any more */
    ROW("folder_called_csv", 3, NULL, TRAIN, "in.csv/x.txt", BAD_TEXT("x")),
    ROW("csv_that_is_not_there", 3, "no such file or folder", TRAIN, "nothing.csv"),
};

static void add_packed(test_bad_list *list)
{
    char name[80];

    for (int at = 0; at < 1000; at += 125) {
        snprintf(name, sizeof name, "gzip_cut_%d", at);
        test_bad_add(list, (test_bad)ROW(name, 3, NULL, TRAIN, "in.csv.gz",
                                         .make = gzip_cut, .n = at));
    }
    for (int at = 200; at < 1000; at += 200) {
        snprintf(name, sizeof name, "gzip_byte_turned_at_%d", at);
        test_bad_add(list, (test_bad)ROW(name, 3, "gzip", TRAIN, "in.csv.gz",
                                         .make = gzip_broken, .n = at));
    }
}

int main(void)
{
    test_bad_list list = { 0 };

    for (size_t i = 0; i < TL_COUNT(rows); i++) test_bad_add(&list, rows[i]);
    add_packed(&list);
    return test_bad_run("bad_tables", &list, make_good);
}
