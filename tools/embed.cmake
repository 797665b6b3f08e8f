# A file as a C array: const unsigned char tl_asset_ID[]; const size_t tl_asset_ID_bytes.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," body "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" body "${body}")
file(WRITE ${OUT} "#include <stddef.h>
extern const unsigned char tl_asset_${ID}[];
extern const size_t tl_asset_${ID}_bytes;
const unsigned char tl_asset_${ID}[] = {
${body} 0 };
const size_t tl_asset_${ID}_bytes = ${bytes};
")
