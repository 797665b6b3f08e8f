/* tiles_table.h -- all bodies of tiles.h and the table of them; included by each tiles_*.c, which
 * names the table.  Floor 1, backend/cpu. */
#include "backend/cpu/body_tile_attend.h"
#include "backend/cpu/body_tile_product.h"
#include "backend/cpu/tiles.h"

const tl_tiles TILES_TABLE = {
    .conv_dw_rows    = CONV_DW_ROWS,
    .conv_dx_rows    = CONV_DX_ROWS,
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
    WINDOW_BODIES
};
