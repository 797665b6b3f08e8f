/* pictures.h -- small picture datasets for tests, drawn by formula. */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H
#include "data/dataset.h"

/* FOLDER/NAME.png, its folders made; `look` decides every pixel. */
void test_picture(const char *folder, const char *name, int64_t side, int look);
/* `each` pictures in every one of `classes` folders class0, class1...: all different. */
void test_class_folders(const char *folder, int classes, int each, int64_t side);
void test_text_file(const char *folder, const char *name, const char *text);
/* An IDX file of `n` pictures (side 0: a labels file, labels i % classes). */
void test_idx(const char *folder, const char *name, int64_t n, int64_t side, int classes);
tl_dataset *test_open(const char *path);
#endif
