/* task.c -- the list of tasks.  Floor 1, tensor. */
#include "tensor/task.h"

#include <string.h>

const tl_task tl_task_image_classification = {
    .name         = "image-classification",
    .row          = "picture",
    .rows         = "pictures",
    .problem_type = "single_label_classification",
    .metric       = "accuracy",
    .rare_metric  = "macro-f1",
};
const tl_task tl_task_table_classification = {
    .name         = "table-classification",
    .row          = "row",
    .rows         = "rows",
    .problem_type = "single_label_classification",
    .table        = true,
    .metric       = "accuracy",
    .rare_metric  = "macro-f1",
};
const tl_task tl_task_table_regression = {
    .name         = "table-regression",
    .row          = "row",
    .rows         = "rows",
    .problem_type = "regression",
    .table        = true,
    .numbers      = true,
    .metric       = "rmse",
    .rare_metric  = "rmse",
};

const tl_task tl_task_text_classification = {
    .name         = "text-classification",
    .row          = "text",
    .rows         = "texts",
    .problem_type = "single_label_classification",
    .text         = true,
    .metric       = "accuracy",
    .rare_metric  = "macro-f1",
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
    static const tl_task *const tasks[] = { &tl_task_image_classification,
                                            &tl_task_table_classification,
                                            &tl_task_table_regression,
                                            &tl_task_text_classification,
                                            &tl_task_language_modelling };

    return i < TL_COUNT(tasks) ? tasks[i] : NULL;
}

const tl_task *tl_task_find(const char *name)
{
    const tl_task *task;

    for (size_t i = 0; (task = tl_task_at(i)); i++)
        if (strcmp(task->name, name) == 0) return task;
    return NULL;
}
