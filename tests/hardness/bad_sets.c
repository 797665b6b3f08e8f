/* bad_sets.c -- sets of pictures that are cut, hostile or too little: IDX and CIFAR files, class
 * folders, folders of pictures with a table of labels. */
#include "support/bad.h"
#include "core/io.h"
#include "support/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRAIN "train set --arch mlp --dry-run"
#define INSPECT "inspect set"
#define ROW(id, code, said, line, ...)                                                   \
    {                                                                                    \
        .name = id, .status = code, .says = said, .command = line, __VA_ARGS__           \
    }
#define MADE(id, said, how, ...) ROW(id, 3, said, TRAIN, .make = how, __VA_ARGS__)
#define FILE_OF(id, said, to, ...)                                                       \
    ROW(id, 3, said, TRAIN, .file = to, BAD_TEXT(__VA_ARGS__))
#define IMAGES "set/train-images-idx3-ubyte"
#define LABELS "set/train-labels-idx1-ubyte"

static void make_good(void)
{
    test_class_folders("data", 2, 12, 8);
    test_idx("idx", "train-images-idx3-ubyte", 40, 8, 0);
    test_idx("idx", "train-labels-idx1-ubyte", 40, 0, 2);
    test_bad_tailor("train data --arch mlp --epochs 1 --quiet --out m");
}

/* ---- IDX ---- */
static void copy(const char *from, const char *to)
{
    size_t bytes;
    char  *data = test_bad_seed(from, &bytes);

    test_bad_write(to, data, bytes);
    free(data);
}

/* The good files with bytes [n, n + bytes of seed) of the pictures replaced by `seed`. */
static void patched(const test_bad *b, const char *file, const char *other,
                    const void *patch, size_t patch_bytes)
{
    char   path[200];
    size_t bytes;
    char  *data;

    snprintf(path, sizeof path, "./../good/idx/%s", file);
    data = test_bad_seed(path, &bytes);
    memcpy(data + b->n, patch, patch_bytes);
    snprintf(path, sizeof path, "set/%s", file);
    test_bad_write(path, data, bytes);
    free(data);
    snprintf(path, sizeof path, "./../good/idx/%s", other);
    char to[200];
    snprintf(to, sizeof to, "set/%s", other);
    copy(path, to);
}

/* `bytes` of `patch` at byte `at` of the pictures, or of the labels. */
typedef struct {
    const char *name, *says;
    int         at, bytes;
    const char *patch;
    bool        labels;
} idx_patch;

static const idx_patch patches[] = {
    { "magic_of_zeros", NULL, 0, 4, "\0\0\0\0", false },
    { "magic_not_zero", NULL, 0, 2, "\1\1", false },
    { "element_is_float", NULL, 2, 1, "\x0d", false },
    { "element_unknown", NULL, 2, 1, "\x77", false },
    { "of_0_dimensions", NULL, 3, 1, "\0", false },
    { "of_1_dimension", NULL, 3, 1, "\1", false },
    { "of_2_dimensions", NULL, 3, 1, "\2", false },
    { "of_4_dimensions", NULL, 3, 1, "\4", false },
    { "of_255_dimensions", NULL, 3, 1, "\xff", false },
    { "of_0_pictures", "dimension 0 is 0", 4, 4, "\0\0\0\0", false },
    { "of_0_rows", "dimension 1 is 0", 8, 4, "\0\0\0\0", false },
    { "of_0_columns", "dimension 2 is 0", 12, 4, "\0\0\0\0", false },
    { "of_2_to_the_32_pictures", NULL, 4, 4, "\xff\xff\xff\xff", false },
    { "of_2_to_the_31_pictures", NULL, 4, 4, "\x80\0\0\0", false },
    { "of_2_to_the_96_bytes", "cut short", 4, 12,
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", false },
    { "of_one_picture_more", "cut short", 7, 1, "\x29", false },
    { "of_one_picture_less", "labels for", 7, 1, "\x27", false },
    { "labels_one_more", "cut short", 7, 1, "\x29", true },
    { "labels_one_less", "labels for", 7, 1, "\x27", true },
    { "labels_of_0", "dimension 0 is 0", 4, 4, "\0\0\0\0", true },
    { "labels_of_2_to_the_32", NULL, 4, 4, "\xff\xff\xff\xff", true },
    { "labels_magic_broken", NULL, 0, 4, "PK\3\4", true },
    { "labels_of_3_dimensions", NULL, 3, 1, "\3", true },
};

static void patch_idx(const test_bad *b)
{
    const idx_patch *p  = &patches[b->bytes];
    test_bad         at = *b;

    at.n = p->at;
    patched(&at, p->labels ? "train-labels-idx1-ubyte" : "train-images-idx3-ubyte",
            p->labels ? "train-images-idx3-ubyte" : "train-labels-idx1-ubyte", p->patch,
            (size_t)p->bytes);
}

static void cut_idx(const test_bad *b)
{
    size_t bytes;
    char  *data = test_bad_seed("./../good/idx/train-images-idx3-ubyte", &bytes);

    test_bad_write(IMAGES, data, (size_t)b->n);
    free(data);
    copy("./../good/idx/train-labels-idx1-ubyte", LABELS);
}

static void cut_labels(const test_bad *b)
{
    size_t bytes;
    char  *data = test_bad_seed("./../good/idx/train-labels-idx1-ubyte", &bytes);

    test_bad_write(LABELS, data, (size_t)b->n);
    free(data);
    copy("./../good/idx/train-images-idx3-ubyte", IMAGES);
}

static void no_labels(const test_bad *b)
{
    (void)b;
    copy("./../good/idx/train-images-idx3-ubyte", IMAGES);
}

static void one_class_idx(const test_bad *b)
{
    (void)b;
    test_idx("set", "train-images-idx3-ubyte", 40, 8, 0);
    test_idx("set", "train-labels-idx1-ubyte", 40, 0, 1);
}

static void class_list_too_short(const test_bad *b)
{
    no_labels(b);
    copy("./../good/idx/train-labels-idx1-ubyte", LABELS);
    test_bad_write("set/classes.txt", "only\n", 5);
}

/* A head that asks for more than the packed zeros behind it are. */
static void packed_idx(const test_bad *b)
{
    static uint8_t block[1 << 20] = { 0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 0, 64, 0, 0, 0, 64 };

    TEST_OK(tl_make_folders(test_ctx(), "set"));
    test_bad_gzip(IMAGES ".gz", block, sizeof block, b->n);
    test_idx("set", "train-labels-idx1-ubyte", 40, 0, 2);
}

/* ---- CIFAR ---- */
static void cifar(const test_bad *b)
{
    static uint8_t record[3073];

    for (int i = 0; i < 40; i++) {
        record[0] = (uint8_t)(i == 39 ? b->n : i % 2);
        record[5] = (uint8_t)i;
        test_bad_write("set/data_batch_1.bin", record, sizeof record);
    }
}

static void cifar_packed_cut(const test_bad *b)
{
    static uint8_t block[3073];
    size_t         bytes;
    char          *data;

    TEST_OK(tl_make_folders(test_ctx(), "set"));
    for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)(i * 31 & 7);
    test_bad_gzip("whole", block, sizeof block, 40);
    data = test_bad_seed("./whole", &bytes);
    test_bad_write("set/data_batch_1.bin.gz", data, bytes * (size_t)b->n / 1000);
    /* the end says the length, so that the file passes for one of CIFAR's */
    test_bad_write("set/data_batch_1.bin.gz", data + bytes - 4, 4);
    free(data);
}

/* ---- class folders ---- */
static void good_folders(const test_bad *b)
{
    test_class_folders("set", 2, (int)(b->n ? b->n : 12), 8);
}

static void one_folder(const test_bad *b)
{
    (void)b;
    test_class_folders("set", 1, 12, 8);
}

static void all_the_same(const test_bad *b)
{
    char name[40];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "c%d/%d.png", i % 2, i);
        test_picture("set", name, 8, 1);
    }
    (void)b;
}

static void one_broken(const test_bad *b)
{
    good_folders(b);
    test_bad_write(b->seed, "no picture", 10);
}

static void one_linked(const test_bad *b)
{
    good_folders(b);
    assert_int_equal(symlink(b->seed, "set/class0/link.png"), 0);
}

static void one_pipe(const test_bad *b)
{
    good_folders(b);
    assert_int_equal(mkfifo("set/class0/pipe.png", 0600), 0);
}

/* Nothing but circles: set/a/b -> .., set/c -> . */
static void circles(const test_bad *b)
{
    (void)b;
    TEST_OK(tl_make_folders(test_ctx(), "set/a"));
    assert_int_equal(symlink("..", "set/a/b"), 0);
    assert_int_equal(symlink(".", "set/c"), 0);
    assert_int_equal(symlink("self", "set/self"), 0);
}

static void circles_and_one_class(const test_bad *b)
{
    circles(b);
    test_picture("set", "a/1.png", 8, 1);
}

static void deep(const test_bad *b)
{
    char   path[2000] = "set";
    size_t at         = 3;

    for (int64_t i = 0; i < b->n; i++)
        at += (size_t)snprintf(path + at, sizeof path - at, "/d");
    TEST_OK(tl_make_folders(test_ctx(), path));
    test_bad_write(strcat(path, "/x.png"), "no picture", 10);
}

static void many_folders(const test_bad *b)
{
    char path[64];

    for (int64_t i = 0; i < b->n; i++) {
        snprintf(path, sizeof path, "set/%05d", (int)i);
        TEST_OK(tl_make_folders(test_ctx(), path));
    }
}

static void other_test_classes(const test_bad *b)
{
    test_class_folders("set/train", 2, 12, 8);
    test_picture("set/test", b->seed, 8, 90);
}

static void empty_test(const test_bad *b)
{
    (void)b;
    test_class_folders("set/train", 2, 12, 8);
    TEST_OK(tl_make_folders(test_ctx(), "set/test"));
}

static void two_sets(const test_bad *b)
{
    (void)b;
    test_class_folders("set/train", 2, 12, 8);
    test_bad_write("set/test/a.txt", "x", 1);
}

/* ---- a table of labels beside ---- */
static void labelled(const test_bad *b)
{
    test_picture("set", "a.png", 8, 1);
    test_picture("set", "b.png", 8, 2);
    test_bad_write("set/labels.csv", b->seed, strlen(b->seed));
}

static void two_tables(const test_bad *b)
{
    labelled(b);
    test_bad_write("set/other.csv", b->seed, strlen(b->seed));
}

static void sealed(const test_bad *b)
{
    good_folders(b);
    assert_int_equal(chmod("set/class0", 0), 0);
}

static const test_bad rows[] = {
    MADE("idx_without_labels", "labels", no_labels, .n = 0),
    MADE("idx_of_one_class", NULL, one_class_idx, .n = 0),
    MADE("idx_class_list_too_short", "class list", class_list_too_short, .n = 0),
    MADE("idx_packed_bomb", NULL, packed_idx, .n = 64),
    MADE("idx_packed_too_little", NULL, packed_idx, .n = 1),
    MADE("cifar_label_10", "label 10 of record 39", cifar, .n = 10),
    MADE("cifar_label_255", "label 255", cifar, .n = 255),
    MADE("cifar_packed_and_cut", "cut short|gzip", cifar_packed_cut, .n = 500),
    MADE("cifar_packed_and_cut_early", "cut short|gzip", cifar_packed_cut, .n = 200),
    FILE_OF("cifar_one_byte_short", NULL, "set/data_batch_1.bin", "123"),
    MADE("one_class_folder", "one class|1 class", one_folder, .n = 0),
    MADE("one_picture_a_class", "too few", good_folders, .n = 1),
    MADE("two_pictures_a_class", "too few", good_folders, .n = 2),
    MADE("pictures_all_the_same", "too few", all_the_same, .n = 0),
    FILE_OF("one_picture_in_all", NULL, "set/a/x.png", "no picture"),
    MADE("one_broken_picture", "1 of 25 .*skip-bad", one_broken,
         .seed = "set/class0/x.png"),
    MADE("a_picture_in_no_class", "in no class folder", one_broken, .seed = "set/x.png"),
    MADE("a_broken_picture_that_paints", NULL, one_broken,
         .seed = "set/class0/\x1b[31m\x1b]0;t\a.png"),
    MADE("a_broken_picture_of_two_lines", NULL, one_broken,
         .seed = "set/class1/a\ntailor: x: y (z).png"),
    MADE("a_broken_picture_no_utf8", NULL, one_broken, .seed = "set/class1/\xff\xfe.png"),
    MADE("a_broken_class_of_two_lines", NULL, one_broken,
         .seed = "set/a\nb\ttailor: \r/x.png"),
    MADE("a_broken_gif", NULL, one_broken, .seed = "set/class1/x.gif"),
    MADE("a_broken_tiff", NULL, one_broken, .seed = "set/class1/x.tiff"),
    MADE("a_broken_heic", NULL, one_broken, .seed = "set/class1/x.heic"),
    MADE("a_link_to_nothing", "cannot be read", one_linked, .seed = "nowhere"),
    MADE("a_link_to_itself", "cannot be read", one_linked, .seed = "link.png"),
    MADE("a_link_to_endless_zeros", NULL, one_linked, .seed = "/dev/zero"),
    MADE("a_link_to_a_terminal", NULL, one_linked, .seed = "/dev/tty"),
    MADE("a_link_to_passwords", "not a JPEG", one_linked, .seed = "/etc/passwd"),
    MADE("a_link_to_a_folder", NULL, one_linked, .seed = "."),
    MADE("a_pipe_that_never_answers", "cannot be read", one_pipe, .n = 0),
    MADE("folders_in_circles", NULL, circles, .n = 0),
    MADE("circles_and_one_class", NULL, circles_and_one_class, .n = 0),
    MADE("folders_500_deep", NULL, deep, .n = 500),
    MADE("folders_10_deep", NULL, deep, .n = 10),
    MADE("300_empty_folders", NULL, many_folders, .n = 300),
    MADE("test_part_of_another_class", "class", other_test_classes,
         .seed = "other/x.png"),
    MADE("test_part_empty", NULL, empty_test, .n = 0),
    MADE("test_part_without_pictures", NULL, two_sets, .n = 0),
    ROW("valid_part_missing", 3, "nothing", TRAIN " --valid nothing",
        .make = good_folders),
    ROW("test_part_is_a_text", 3, NULL, TRAIN " --test set/class0/p000.png",
        .make = good_folders),
    ROW("nothing_there", 3, "no such file or folder", TRAIN, .make = NULL),
    ROW("inspect_nothing_there", 3, "no such file or folder", INSPECT, .make = NULL),
    ROW("empty_folder", 3, NULL, "train . --arch mlp --dry-run", .make = NULL),
    ROW("inspect_an_empty_folder", 3, NULL, "inspect .", .make = NULL),
    ROW("inspect_circles", 3, NULL, INSPECT, .make = circles),
    ROW("inspect_a_text", 3, NULL, "inspect set.txt", .file = "set.txt",
        BAD_TEXT("hello\n")),
    ROW("inspect_a_device", 3, NULL, "inspect /dev/zero", .make = NULL),
    ROW("inspect_a_long_name", 3, NULL,
        "inspect "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaa",
        .make = NULL),
    ROW("table_network_words_too_deep", 2, NULL, "train set --dry-run --arch=dense~0",
        .make = good_folders),
    ROW("filters_beyond_measure", 2, NULL, "train set --dry-run --arch=conv~99999999~3",
        .make = good_folders),
    ROW("kernel_beyond_the_picture", 2, NULL,
        "train set --dry-run --arch=conv~8~99~valid", .make = good_folders),
    ROW("pool_beyond_the_picture", 2, NULL, "train set --dry-run --arch=pool~64,dense~4",
        .make = good_folders),
    ROW("network_over_memory", 4, "--memory",
        "train set --dry-run --memory 64M --arch=dense~65536,dense~65536",
        .make = good_folders),
    ROW("network_of_unclosed_brackets", 2, NULL,
        "train set --dry-run --arch=residual(residual(residual(dense~4",
        .make = good_folders),
    ROW("a_size_of_0_pixels", 2, NULL, TRAIN " --image-size=-5", .make = good_folders),
    ROW("a_size_of_a_million_pixels", 2, NULL, TRAIN " --image-size 1000000",
        .make = good_folders),
    ROW("no_epochs", 2, "epochs", TRAIN " --epochs=-1", .make = good_folders),
    ROW("epochs_without_end", 2, "epochs", TRAIN " --epochs 1e300", .make = good_folders),
    ROW("a_batch_without_end", 2, "batch", TRAIN " --batch-size 99999999999999999",
        .make = good_folders),
    ROW("a_number_over_64_bits", 2, "seed", TRAIN " --seed 99999999999999999999",
        .make = good_folders),
    ROW("no_memory_at_all", 4, "--memory", TRAIN " --memory 1", .make = good_folders),
    ROW("evaluate_other_classes", 3, NULL, "evaluate ../good/m/best set",
        .make = labelled, .seed = "file,label\na.png,x\nb.png,z\n"),
    ROW("evaluate_an_empty_folder", 3, NULL, "evaluate ../good/m/best .", .make = NULL),
    ROW("predict_an_empty_folder", 3, "no picture", "predict ../good/m/best .",
        .make = NULL),
    ROW("predict_circles", 3, NULL, "predict ../good/m/best set", .make = circles),
    ROW("compare_one_class", 3, NULL, "compare set --dry-run --budget 20s",
        .make = one_folder),
    ROW("compare_an_empty_folder", 3, NULL, "compare . --dry-run --budget 20s",
        .make = NULL),
    ROW("compare_the_broken", 3, "skip-bad", "compare set --dry-run --budget 20s",
        .make = one_broken, .seed = "set/class0/x.png"),
    ROW("compare_too_few", 3, NULL, "compare set --dry-run --budget 20s",
        .make = good_folders, .n = 1),
    ROW("compare_without_a_budget", 2, "--budget", "compare set --dry-run --budget 0s",
        .make = good_folders),
    MADE("label_outside_of_the_folder", "outside of the folder", labelled,
         .seed = "file,label\na.png,x\nb.png,y\n../../good/data/class0/p000.png,x\n"),
    MADE("label_of_an_absolute_path", "outside of the folder", labelled,
         .seed = "file,label\na.png,x\nb.png,y\n/etc/passwd,x\n"),
    MADE("label_of_a_hidden_way_out", "outside of the folder", labelled,
         .seed = "file,label\na.png,x\nx/../../a.png,y\n"),
    MADE("label_without_a_file", "no file name", labelled,
         .seed = "file,label\na.png,x\n,y\n"),
    MADE("label_missing", "no label", labelled, .seed = "file,label\na.png,x\nb.png\n"),
    MADE("labelled_file_missing", "cannot be read", labelled,
         .seed = "file,label\na.png,x\nc.png,y\n"),
    MADE("labelled_file_missing_that_paints", "cannot be read", labelled,
         .seed = "file,label\na.png,x\n\x1b[31mc.png,y\n"),
    MADE("labelled_one_class", NULL, labelled, .seed = "file,label\na.png,x\nb.png,x\n"),
    MADE("two_tables_of_labels", "both name pictures", two_tables,
         .seed = "file,label\na.png,x\nb.png,y\n"),
};

static void add_idx(test_bad_list *list)
{
    static const int cuts[] = { 0, 1, 3, 4, 5, 8, 12, 15, 16, 17, 100, 1000, 2575 };
    char             name[100];

    for (size_t i = 0; i < TL_COUNT(patches); i++) {
        snprintf(name, sizeof name, "idx_%s", patches[i].name);
        test_bad_add(list, (test_bad)ROW(name, 3, patches[i].says, TRAIN,
                                         .make = patch_idx, .bytes = i));
    }
    for (size_t i = 0; i < TL_COUNT(cuts); i++) {
        snprintf(name, sizeof name, "idx_cut_at_%d", cuts[i]);
        test_bad_add(list,
                     (test_bad)ROW(name, 3, NULL, TRAIN, .make = cut_idx, .n = cuts[i]));
    }
    for (int at = 0; at < 48; at += 6) {
        snprintf(name, sizeof name, "idx_labels_cut_at_%d", at);
        test_bad_add(list,
                     (test_bad)ROW(name, 3, NULL, TRAIN, .make = cut_labels, .n = at));
    }
}

int main(void)
{
    test_bad_list list = { 0 };

    add_idx(&list);
    for (size_t i = 0; i < TL_COUNT(rows); i++) test_bad_add(&list, rows[i]);
    if (geteuid() != 0)
        test_bad_add(
            &list, (test_bad)ROW("class_folder_sealed", 1, NULL, TRAIN, .make = sealed));
    return test_bad_run("bad_sets", &list, make_good);
}
