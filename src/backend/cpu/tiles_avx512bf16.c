/* tiles_avx512bf16.c -- the bodies for vectors that multiply bf16 (the file's name gives the
 * flags).  Floor 1, backend/cpu. */
#include "backend/cpu/body_window.h"
#define WINDOW_BODIES .weave_row = weave_row, .tap_sums = tap_sums
#define TILES_TABLE tl_tiles_avx512bf16
#include "backend/cpu/tiles_table.h"
