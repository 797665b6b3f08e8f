/* energy.c -- joules from counters as Linux shows them: made-up files, moved on by hand. */
#include "support/pictures.h"
#include "support/support.h"
#include "core/energy.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void zone(const char *top, const char *name, const char *what, const char *energy)
{
    char path[600], file[200];

    snprintf(path, sizeof path, "%s/%s", top, name);
    TEST_OK(tl_make_folders(test_ctx(), path));
    snprintf(file, sizeof file, "%s/name", name);
    test_text_file(top, file, what);
    snprintf(file, sizeof file, "%s/max_energy_range_uj", name);
    test_text_file(top, file, "10000000\n"); /* 10 J */
    snprintf(file, sizeof file, "%s/energy_uj", name);
    test_text_file(top, file, energy);
}

static void packages_and_memory_are_summed_once(void **state)
{
    char     *top = test_folder();
    tl_energy e;

    (void)state;
    zone(top, "intel-rapl:0", "package-0\n", "1000000\n");
    zone(top, "intel-rapl:0:0", "core\n", "500000\n"); /* within the package */
    zone(top, "intel-rapl:0:1", "dram\n", "9000000\n");
    zone(top, "intel-rapl:1", "psys\n", "0\n"); /* the whole platform: both again */
    zone(top, "intel-rapl:2", "package-1\n", "2000000\n");
    tl_energy_open(&e, top);
    assert_int_equal(e.meters, 3);
    assert_true(tl_energy_joules(&e) == 0.0);
    test_text_file(top, "intel-rapl:0/energy_uj", "4000000\n");
    test_text_file(top, "intel-rapl:0:0/energy_uj", "900000\n");
    test_text_file(top, "intel-rapl:1/energy_uj", "8000000\n");
    assert_true(fabs(tl_energy_joules(&e) - 3.0) < 1e-9);
    test_text_file(top, "intel-rapl:0:1/energy_uj", "1500000\n"); /* began anew: 2.5 J more */
    test_text_file(top, "intel-rapl:2/energy_uj", "2250000\n");
    assert_true(fabs(tl_energy_joules(&e) - 5.75) < 1e-9);
    assert_true(fabs(tl_energy_joules(&e) - 5.75) < 1e-9); /* nothing twice */
    test_text_file(top, "intel-rapl:2/energy_uj", "nonsense\n");
    assert_true(isnan(tl_energy_joules(&e))); /* less than all is not said */
    test_folder_end(top);
}

static void without_counters_it_is_not_known(void **state)
{
    char     *top = test_folder();
    tl_energy e;

    (void)state;
    tl_energy_open(&e, top);
    assert_int_equal(e.meters, 0);
    assert_true(isnan(tl_energy_joules(&e)));
    zone(top, "intel-rapl:0", "package-0\n", "\n"); /* may not be read */
    tl_energy_open(&e, top);
    assert_true(isnan(tl_energy_joules(&e)));
    test_folder_end(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_and_memory_are_summed_once),
        cmocka_unit_test(without_counters_it_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
