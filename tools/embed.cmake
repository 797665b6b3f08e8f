# A file's bytes as tl_asset_ID[] and their number as tl_asset_ID_bytes: the assembler includes
# the file itself, which a C array of a megabyte would cost the compiler half a minute to read.
file(SIZE ${IN} bytes)
file(WRITE ${OUT} "    .section .rodata
    .balign 8
    .globl tl_asset_${ID}_bytes
tl_asset_${ID}_bytes:
    .quad ${bytes}
    .globl tl_asset_${ID}
tl_asset_${ID}:
    .incbin \"${IN}\"
    .byte 0
    .section .note.GNU-stack,\"\",%progbits
")
