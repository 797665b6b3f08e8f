/* machine.c -- cores, memory, instruction sets and clocks.  Sources: sched(7), cgroups(7),
 * proc(5), GCC's __builtin_cpu_supports.  Floor 0. */
#include "core/machine.h"
#include "core/core.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* The first number in a small file, or `fallback`. */
static long long read_number(const char *path, long long fallback)
{
    FILE     *file = fopen(path, "r");
    long long value;

    if (!file) return fallback;
    if (fscanf(file, "%lld", &value) != 1) value = fallback;
    fclose(file);
    return value;
}

/* CPUs granted by a cgroup v2 quota, rounded up; `most` when there is none. */
static int cgroup_cpus(int most)
{
    FILE     *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    long long quota, period;
    int       cpus = most;

    if (!file) return most;
    if (fscanf(file, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0)
        cpus = (int)((quota + period - 1) / period);
    fclose(file);
    return TL_MAX(1, TL_MIN(cpus, most));
}

/* Hardware threads that share a core slow each other down in products: count cores. */
static int core_count(const cpu_set_t *allowed)
{
    int cores = 0;

    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        char path[96];
        if (!CPU_ISSET(cpu, allowed)) continue;
        snprintf(path, sizeof path,
                 "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", cpu);
        /* the list starts with the lowest sibling: only that one counts */
        if (read_number(path, (long long)cpu) == (long long)cpu) cores++;
    }
    return TL_MAX(1, cores);
}

int tl_machine_threads(void)
{
    cpu_set_t   allowed;
    int         threads = 1;
    const char *cap     = getenv("OMP_NUM_THREADS");

    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) threads = core_count(&allowed);
    threads = cgroup_cpus(threads);
    if (cap && atoi(cap) > 0) threads = TL_MIN(threads, atoi(cap));
    return threads;
}

size_t tl_machine_memory_bytes(void)
{
    const long long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const long long whole = pages * page;
    const long long group = read_number("/sys/fs/cgroup/memory.max", whole);

    return (size_t)TL_MIN(whole, group);
}

const char *tl_machine_cpu(void)
{
    static char name[128]; /* written once with the same bytes */
    char        line[256];
    FILE       *file = fopen("/proc/cpuinfo", "r");

    if (!name[0]) snprintf(name, sizeof name, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file) fclose(file);
    return name;
}

size_t tl_machine_rss_bytes(void)
{
    FILE *f     = fopen("/proc/self/statm", "r");
    long  total = 0, resident = 0;

    if (!f) return 0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

size_t tl_machine_rss_peak_bytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

#if defined(__x86_64__)
/* Tiles of bf16 are there, and the kernel lets this process use them, once it was asked.
 * Sources: Intel SDM, CPUID 7; Linux, Documentation/arch/x86/xstate.rst. */
static bool ask_for_tiles(void)
{
#if defined(__linux__)
    enum { ASK_PERMISSION = 0x1023, TILE_DATA = 18, BF16 = 1 << 22, TILES = 1 << 24 };
    unsigned a, b, c, d = 0;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BF16) && (d & TILES) &&
           syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

/* A hypervisor takes 50 us to answer CPUID, and kernels are chosen row by row: asked once.  Threads
 * that ask at the same time find the same. */
static bool has_tiles(void)
{
    enum { NOT_ASKED, NO, YES };
    static _Atomic int known = NOT_ASKED;

    if (atomic_load(&known) == NOT_ASKED) atomic_store(&known, ask_for_tiles() ? YES : NO);
    return atomic_load(&known) == YES;
}
#endif

static tl_isa detect_isa(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return !__builtin_cpu_supports("avx512bf16") ? TL_ISA_AVX512
               : has_tiles()                         ? TL_ISA_AMX
                                                     : TL_ISA_AVX512_BF16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return TL_ISA_AVX2;
#elif defined(__aarch64__)
    return TL_ISA_NEON;
#endif
    return TL_ISA_PORTABLE;
}

tl_isa tl_machine_isa(void)
{
    const tl_isa best = detect_isa();
    const char  *cap  = getenv("TAILOR_ISA");

    for (int isa = TL_ISA_PORTABLE; cap && isa < (int)best; isa++)
        if (strcmp(cap, tl_isa_name((tl_isa)isa)) == 0) return (tl_isa)isa;
    return best;
}

const char *tl_isa_name(tl_isa isa)
{
    static const char *const names[] = { "portable", "avx2", "avx512", "avx512-bf16",
                                          "amx", "neon" };
    return names[isa];
}

bool tl_machine_bf16(void)
{
    const tl_isa isa = tl_machine_isa();

    return isa == TL_ISA_AVX512_BF16 || isa == TL_ISA_AMX;
}

#if defined(__SSE2__)
enum { FLUSH_SUBNORMALS = 0x8040 };   /* results and operands: FTZ and DAZ of MXCSR */

static unsigned long float_mode(void)
{
    return _mm_getcsr();
}

void tl_float_mode(unsigned long mode)
{
    _mm_setcsr((unsigned)mode);
}
#elif defined(__aarch64__)
enum { FLUSH_SUBNORMALS = 1 << 24 };  /* FZ of FPCR */

static unsigned long float_mode(void)
{
    unsigned long mode;

    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}

void tl_float_mode(unsigned long mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
enum { FLUSH_SUBNORMALS = 0 };

static unsigned long float_mode(void)
{
    return 0;
}

void tl_float_mode(unsigned long mode)
{
    (void)mode;
}
#endif

unsigned long tl_float_flush(void)
{
    const unsigned long before = float_mode();

    tl_float_mode(before | FLUSH_SUBNORMALS);
    return before;
}

double tl_time_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t tl_time_unix(void)
{
    const char *fixed = getenv("SOURCE_DATE_EPOCH");

    return fixed ? strtoll(fixed, NULL, 10) : (int64_t)time(NULL);
}
