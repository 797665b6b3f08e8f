/* tiles_amx.c -- the bodies for AMX (the file's name gives the flags).  Floor 1, backend/cpu. */
#include "backend/cpu/body_tile_attend.h"
#include "backend/cpu/body_tile_product.h"
#include "backend/cpu/tiles.h"

const tl_tiles tl_tiles_amx = {
    .attend_rows     = QROWS,
    .attend_room     = attend_room,
    .attend          = attend,
    .attend_grad     = attend_grad,
    .product_columns = product_columns,
    .product_bytes   = product_bytes,
    .laid_rows       = laid_rows,
    .laid_bytes      = laid_bytes,
    .lay             = lay_weights,
    .left_strips     = left_strips,
    .left_bytes      = left_bytes,
    .lay_left        = lay_left,
    .product         = tile_product_columns,
};
