/* formula.c -- see formula.h. */
#include "support/formula.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>

/* FNV-1a of the name, then splitmix64 of hash + element. */
float test_formula(const char *name, int64_t i)
{
    uint64_t z = 0xcbf29ce484222325u;

    for (; *name; name++) z = (z ^ (uint8_t)*name) * 0x100000001b3u;
    z += (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) / 8388608.0 - 1.0);
}

double test_probe_error(const json_t *want, const char *name, const float *got, int64_t n,
                        double least)
{
    const json_t *pair   = json_object_get(want, name);
    const double  norm   = json_number_value(json_array_get(pair, 0));
    const double  dot    = json_number_value(json_array_get(pair, 1));
    double        square = 0.0, product = 0.0;
    char          seed[200];

    if (!pair) fail_msg("%s: no golden gradient", name);
    snprintf(seed, sizeof seed, "probe:%s", name);
    for (int64_t i = 0; i < n; i++) {
        square += (double)got[i] * (double)got[i];
        product += (double)got[i] * (double)test_formula(seed, i);
    }
    return fmax(fabs(sqrt(square) - norm), fabs(product - dot)) / fmax(norm, least);
}

double test_largest_norm(const json_t *probes)
{
    const char *name;
    json_t     *pair;
    double      top = 0.0;

    json_object_foreach((json_t *)(uintptr_t)probes, name, pair) top =
        fmax(top, json_number_value(json_array_get(pair, 0)));
    return top;
}
