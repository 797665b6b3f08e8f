/* cell.h -- one field of a table read as a number, a date, or nothing.  Floor 2, data. */
#ifndef TL_DATA_TABLES_CELL_H
#define TL_DATA_TABLES_CELL_H
#include "core/core.h"

/* Empty, NA, N/A, NaN, null, None, nil, ?, - or #N/A in any case. */
bool tl_cell_missing(const char *text);
/* A decimal number, blanks around it allowed; false where it is none or not finite. */
bool tl_cell_number(const char *text, double *out);

/* Days since 2000-01-01 UTC and what people look at in a date. */
enum { TL_DATE_DAYS, TL_DATE_MONTH, TL_DATE_DAY, TL_DATE_WEEKDAY, TL_DATE_HOUR, TL_DATE_PARTS };
extern const char *const tl_date_part_name[TL_DATE_PARTS];
/* 2024-02-29, 2024/02/29, 29.02.2024, 02/29/2024 (`day_first`: 29/02/2024), each with an
 * optional time: [T ]HH:MM[:SS[.fraction]][Z].  False where it is no date of the calendar. */
bool tl_cell_date(const char *text, bool day_first, double part[TL_DATE_PARTS]);
#endif
