/* task.h -- what is asked of a network, as one record: metric, loss, head, labels and words ask
 * it and nothing else.  Floor 1, tensor. */
#ifndef TL_TENSOR_TASK_H
#define TL_TENSOR_TASK_H
#include "core/core.h"

typedef struct {
    const char *name;         /* "image-classification": in files, said out loud              */
    const char *row, *rows;   /* what one is called: "picture", "pictures"                    */
    const char *problem_type; /* in a Hugging Face style config.json; of words none           */
    bool        table;        /* rows are records of columns                                  */
    bool        text;         /* ... or texts; otherwise pictures                             */
    bool        words;        /* of text: the next words, or hidden ones, are asked            */
    bool        numbers;      /* the target is a number; otherwise one of several classes     */
    const char *metric;       /* that decides by default                                      */
    const char *rare_metric;  /* ... where a class is rare                                    */
} tl_task;

extern const tl_task tl_task_image_classification, tl_task_table_classification,
    tl_task_table_regression, tl_task_text_classification, tl_task_language_modelling;
const tl_task *tl_task_at(size_t i);             /* NULL past the end */
const tl_task *tl_task_find(const char *name);   /* NULL: none        */
#endif
