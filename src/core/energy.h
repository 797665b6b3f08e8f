/* energy.h -- what the processors of this machine took, by the counters that Linux shows under
 * /sys/class/powercap (RAPL): of the whole machine, whoever used it.  Floor 0.
 * Source: Linux, Documentation/power/powercap/powercap.rst: energy_uj counts microjoules and begins
 * anew at max_energy_range_uj. */
#ifndef TL_CORE_ENERGY_H
#define TL_CORE_ENERGY_H
#include <stdbool.h>

enum { TL_MOST_METERS = 16 };

typedef struct {
    int    meters;             /* packages, and memory beside them; 0: none can be read        */
    char   path[TL_MOST_METERS][160];
    double last_uj[TL_MOST_METERS], range_uj[TL_MOST_METERS];
    double joules;             /* since it was opened                                          */
    bool   lost;               /* one could no longer be read                                  */
} tl_energy;

/* Counts from here on.  root NULL: /sys/class/powercap. */
void   tl_energy_open(tl_energy *e, const char *root);
/* Joules since it was opened; NaN where no counter can be read.  To be asked more often than the
 * counters begin anew, which busy ones do every few minutes. */
double tl_energy_joules(tl_energy *e);
#endif
