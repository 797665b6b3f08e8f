/* resize_portable.c -- the resize passes for any CPU.  Floor 2, data. */
#define PASSES tl_resize_portable
#include "data/resize_passes.h"
