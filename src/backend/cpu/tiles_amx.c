/* tiles_amx.c -- the bodies for AMX (the file's name gives the flags).  Floor 1, backend/cpu. */
#define WINDOW_BODIES
#define TILES_TABLE tl_tiles_amx
#include "backend/cpu/tiles_table.h"
