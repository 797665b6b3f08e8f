/* energy.c -- see energy.h.  Floor 0. */
#include "core/energy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ZONES = 16 };

static bool read_number(const char *folder, const char *name, double *out)
{
    char  path[256];
    bool  read;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file) return false;
    read = fscanf(file, "%lf", out) == 1 && isfinite(*out) && *out >= 0.0;
    fclose(file);
    return read;
}

static bool is_named(const char *folder, const char *begin)
{
    char  path[256], name[64] = "";
    FILE *file;

    snprintf(path, sizeof path, "%s/name", folder);
    file = fopen(path, "r");
    if (!file) return false;
    if (!fgets(name, sizeof name, file)) name[0] = 0;
    fclose(file);
    return strncmp(name, begin, strlen(begin)) == 0;
}

static void add(tl_energy *e, const char *folder)
{
    const int k = e->meters;

    if (k == TL_MOST_METERS || !read_number(folder, "energy_uj", &e->last_uj[k])) return;
    if (!read_number(folder, "max_energy_range_uj", &e->range_uj[k])) return;
    snprintf(e->path[k], sizeof e->path[k], "%s", folder);
    e->meters++;
}

/* Packages hold cores and what is beside them; memory has a counter of its own in some.  What names
 * the whole platform would count both again. */
void tl_energy_open(tl_energy *e, const char *root)
{
    char folder[160];

    *e = (tl_energy){ 0 };
    if (!root) root = "/sys/class/powercap";
    for (int zone = 0; zone < MOST_ZONES; zone++) {
        snprintf(folder, sizeof folder, "%.120s/intel-rapl:%d", root, zone);
        if (!is_named(folder, "package")) continue;
        add(e, folder);
        for (int part = 0; part < MOST_ZONES; part++) {
            snprintf(folder, sizeof folder, "%.120s/intel-rapl:%d:%d", root, zone, part);
            if (is_named(folder, "dram")) add(e, folder);
        }
    }
}

double tl_energy_joules(tl_energy *e)
{
    for (int k = 0; k < e->meters; k++) {
        double now, more;
        if (!read_number(e->path[k], "energy_uj", &now)) {
            e->lost = true;
            continue;
        }
        more = now - e->last_uj[k];
        if (more < 0.0) more += e->range_uj[k];
        e->joules += 1e-6 * more;
        e->last_uj[k] = now;
    }
    return e->meters == 0 || e->lost ? (double)NAN : e->joules;
}
