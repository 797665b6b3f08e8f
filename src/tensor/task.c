/* task.c -- the list of tasks.  Floor 1, tensor. */
#include "tensor/task.h"

#include <string.h>

#define CLASSES .metric = "accuracy", .rare_metric = "macro-f1"
#define SEVERAL .metric = "micro-f1", .rare_metric = "macro-f1", .several = true
#define ORDINAL .metric = "mae", .rare_metric = "mae", .ordered = true
#define NUMBERS .metric = "rmse", .rare_metric = "rmse", .numbers = true
#define TABLE .row = "row", .rows = "rows", .table = true
#define TEXT .row = "text", .rows = "texts", .text = true

/* Ranks are K - 1 questions, yes or no, which is how transformers reads such a head. */
static const char one[] = "single_label_classification", many[] = "multi_label_classification",
                  number[] = "regression";

const tl_task tl_task_image_classification = {
    .name = "image-classification", .problem_type = one, .row = "picture", .rows = "pictures",
    CLASSES
};
const tl_task tl_task_table_classification = {
    .name = "table-classification", .problem_type = one, TABLE, CLASSES
};
const tl_task tl_task_table_several = {
    .name = "table-multi-label-classification", .problem_type = many, TABLE, SEVERAL
};
const tl_task tl_task_table_ordinal = {
    .name = "table-ordinal-classification", .problem_type = many, TABLE, ORDINAL
};
const tl_task tl_task_table_regression = {
    .name = "table-regression", .problem_type = number, TABLE, NUMBERS
};
const tl_task tl_task_text_classification = {
    .name = "text-classification", .problem_type = one, TEXT, CLASSES
};
const tl_task tl_task_text_several = {
    .name = "text-multi-label-classification", .problem_type = many, TEXT, SEVERAL
};
const tl_task tl_task_text_ordinal = {
    .name = "text-ordinal-classification", .problem_type = many, TEXT, ORDINAL
};
const tl_task tl_task_text_regression = {
    .name = "text-regression", .problem_type = number, TEXT, NUMBERS
};

const tl_task tl_task_token_classification = {
    .name        = "token-classification",
    .row         = "word",
    .rows        = "words",
    .text        = true,
    .tags        = true,
    .metric      = "entity-f1",
    .rare_metric = "entity-f1",
};

const tl_task tl_task_language_modelling = {
    .name         = "language-modelling",
    .row          = "text",
    .rows         = "texts",
    .text         = true,
    .words        = true,
    .metric       = "perplexity",
    .rare_metric  = "perplexity",
};

const tl_task *tl_task_at(size_t i)
{
    static const tl_task *const tasks[] = {
        &tl_task_image_classification, &tl_task_table_classification, &tl_task_table_several,
        &tl_task_table_ordinal,        &tl_task_table_regression,     &tl_task_text_classification,
        &tl_task_text_several,         &tl_task_text_ordinal,         &tl_task_text_regression,
        &tl_task_token_classification, &tl_task_language_modelling
    };

    return i < TL_COUNT(tasks) ? tasks[i] : NULL;
}

const tl_task *tl_task_find(const char *name)
{
    const tl_task *task;

    for (size_t i = 0; (task = tl_task_at(i)); i++)
        if (strcmp(task->name, name) == 0) return task;
    return NULL;
}

const tl_task *tl_task_asked(const tl_task *like, const char *word)
{
    static const struct {
        const char *word;
        bool        numbers, several, ordered;
    } words[] = {
        { "classification", false, false, false },
        { "multi-label", false, true, false },
        { "ordinal", false, false, true },
        { "regression", true, false, false },
    };
    const tl_task *task;

    for (size_t w = 0; w < TL_COUNT(words); w++)
        for (size_t i = 0; strcmp(words[w].word, word) == 0 && (task = tl_task_at(i)); i++)
            if (task->table == like->table && task->text == like->text &&
                task->tags == like->tags && !task->words &&
                task->numbers == words[w].numbers && task->several == words[w].several &&
                task->ordered == words[w].ordered)
                return task;
    return NULL;
}
