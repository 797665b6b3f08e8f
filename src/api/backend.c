/* backend.c -- the backend that the library computes on.  Floor 4.5, api. */
#include "api/handles.h"
#include "backend/cpu/cpu.h"

const tl_backend *tl_api_backend(void)
{
    return &tl_backend_cpu;
}
