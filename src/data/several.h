/* several.h -- targets that name any number of labels: a cell "a|b|c", a cell with a JSON list, or
 * a column of yes and no for each label, asked for as "a,b,c".  Inside the data room only.
 * Floor 2, data. */
#ifndef TL_DATA_SEVERAL_H
#define TL_DATA_SEVERAL_H
#include "data/part.h"

/* The columns that `names` means: the one of that name, else those between its commas; `column`
 * has room for the sheet's columns.  0: one of them is not there. */
int64_t tl_target_columns(const tl_sheet *g, const char *names, int64_t *column);
/* Do the cells of this column name several labels: lists all of them, or bars in a tenth? */
bool    tl_column_names_several(const tl_sheet *g, int64_t column);
/* Why the row's labels cannot be read, a constant text, and in which column; NULL: they can. */
const char *tl_several_fault(const tl_sheet *g, int64_t row, const int64_t *column,
                             int64_t count, int64_t *where);
/* Fills in what the rows of the part's sheet are to be, from its target columns.  `order` names
 * ranks, "low,medium,high" (NULL: they are numbers; "": it does not matter).  TL_EUSAGE where
 * their order is not known, TL_EDATA where no row has a label. */
tl_status tl_part_take_targets(tl_ctx *ctx, const tl_task *task, const char *order,
                               tl_part *part);
#endif
