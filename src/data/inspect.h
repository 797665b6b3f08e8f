/* inspect.h -- what a dataset looks like, and what is wrong with it, as JSON: for `tailor
 * inspect` and the report.  Floor 2, data. */
#ifndef TL_DATA_INSPECT_H
#define TL_DATA_INSPECT_H
#include "data/dataset.h"

/* *out (owned; json_decref):
 *   path, format, rows
 *   parts       {train, valid, test, not_said}: rows by part as the files say
 *   classes     [{name, rows, train, valid, test}] in label order; "train" counts not_said too
 *   balance     {largest, largest_rows, smallest, smallest_rows, ratio}
 *   task        "table-classification"
 *   columns     of a table [{name, kind: "number", "category", "date" or "left out", why, missing,
 *               distinct, range: {min, median, max} of numbers}], else null
 *   target      of a table {name, found, and of numbers min, mean, max, sd}, else null
 *   texts       of texts {text, text_b, label: their columns or null, found, characters:
 *               {min, median, max}, words: {...}}, else null
 *   sizes       of pictures, else null: {height: {min, median, max}, width: {...}, one_size,
 *               colour: "grey", "colour" or
 *               "grey stored as colour"}
 *   unreadable  {rows, first: [texts]}
 *   duplicates  {rows, groups, conflicting, first: [[names of equal rows]]}, or null where
 *               pictures are damaged; rows: copies beyond the first; conflicting: groups with
 *               more than one label
 *   leaks       {train_test, train_valid, valid_test, first: [[name, name]]}, or null; groups of
 *               equal rows on both sides
 *   near_duplicates, near_leaks  the same of rows that are nearly equal (near.h), or null
 *   labels      who is probably mislabelled, where it was asked (study/audit.h), else null
 *   shortcuts, drift, languages  as study/profile.h fills them, bases as study/audit.h does;
 *               null here
 *   findings    [{level: "problem" | "warning" | "note", text, todo}], worst first
 * A damaged picture is a finding, not a failure. */
tl_status tl_inspect(tl_ctx *ctx, const tl_dataset *d, json_t **out);
#endif
