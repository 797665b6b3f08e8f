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
    bool        tags;         /* of text: a row is a word, which has one class                 */
    bool        numbers;      /* the target is a number; otherwise classes                    */
    bool        several;      /* any number of the classes hold at once; otherwise one        */
    bool        ordered;      /* the classes are ranks, the lowest first                      */
    const char *metric;       /* that decides by default                                      */
    const char *rare_metric;  /* ... where a class is rare                                    */
} tl_task;

extern const tl_task tl_task_image_classification, tl_task_table_classification,
    tl_task_table_several, tl_task_table_ordinal, tl_task_table_regression,
    tl_task_text_classification, tl_task_text_several, tl_task_text_ordinal,
    tl_task_text_regression, tl_task_token_classification, tl_task_language_modelling;
const tl_task *tl_task_at(size_t i);             /* NULL past the end */
const tl_task *tl_task_find(const char *name);   /* NULL: none        */
/* Of the same rows as `like` (a table's or texts'), what is asked said by --task's word:
 * classification, multi-label, ordinal, regression.  NULL: no such word. */
const tl_task *tl_task_asked(const tl_task *like, const char *word);
/* Each output is a yes or no of its own (marks.h). */
static inline bool tl_task_has_marks(const tl_task *t) { return t->several || t->ordered; }
/* One class of several is asked, of rows that know nothing of each other. */
static inline bool tl_task_of_one_class(const tl_task *t)
{
    return !t->numbers && !t->words && !t->tags && !tl_task_has_marks(t);
}
#endif
