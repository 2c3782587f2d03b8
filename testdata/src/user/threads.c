/* A process with a thread for every shape of user-space stack; it stops in abort() once all are in place.
 *
 * Each thread's stack is three calls deep before the shape: outer() -> middle() -> the shape. Nothing is inlined.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHAPE __attribute__((noinline, noclone))

static atomic_int ready;
static volatile int sink;

/* Never returns: what is below stays on the stack. */
SHAPE static void park(void) {
    atomic_fetch_add(&ready, 1);
    for (;;)
        pause();
}

/* A system call by hand. */
SHAPE static void in_syscall(int depth) {
    atomic_fetch_add(&ready, 1);
    for (;;)
        syscall(SYS_rt_sigsuspend, &(uint64_t){0}, 8);
    sink = depth;
}

/* Runs, never calls. */
SHAPE static void spinning(int depth) {
    atomic_fetch_add(&ready, 1);
    for (;;)
        sink += depth;
}

/* A frame aligned to more than the ABI's 16 bytes: the caller's stack pointer is kept in memory. */
SHAPE static void aligned(int depth) {
    struct { char bytes[256]; } local __attribute__((aligned(256)));
    memset(&local, depth, sizeof local);
    __asm__ volatile("" : : "r"(&local) : "memory");
    park();
    sink = local.bytes[depth & 255];
}

/* A frame of no fixed size. */
SHAPE static void variable(int depth) {
    volatile char room[depth * 100 + 1];
    room[depth] = 1;
    __asm__ volatile("" : : "r"(room) : "memory");
    park();
    sink = room[depth];
}

/* A frame of more than a page. */
SHAPE static void large(int depth) {
    volatile char room[40000];
    room[depth] = 1;
    park();
    sink = room[depth];
}

static int compare(const void *a, const void *b) {
    (void)a;
    (void)b;
    park();
    return 0;
}

/* Called back by the C library. */
SHAPE static void sorting(int depth) {
    int numbers[16];
    for (int i = 0; i < 16; i++)
        numbers[i] = 16 - i + depth;
    qsort(numbers, 16, sizeof *numbers, compare);
    sink = numbers[3];
}

static void handler(int number) {
    sink = number;
    park();
}

/* A signal handler over a function that is at its first instruction: `raises` is entered by the signal's return. */
SHAPE static void signalled(int depth) {
    signal(SIGUSR1, handler);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    sink = depth;
}

static void handler_of_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    sink = number;
    park();
}

static void on_alternate_stack(int number) {
    struct sigaction action = {.sa_sigaction = handler_of_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t alternate = {.ss_size = 65536, .ss_sp = malloc(65536)};
    sigaltstack(&alternate, NULL);
    sigaction(number, &action, NULL);
}

/* A fault in the middle of a function, its handler on a stack of its own. */
SHAPE static void faulting(int depth) {
    on_alternate_stack(SIGSEGV);
    *(volatile int *)(uintptr_t)(depth * 8) = 1;
    sink = depth;
}

/* A call of a null pointer, its handler on a stack of its own. */
SHAPE static void calling_null(int depth) {
    on_alternate_stack(SIGSEGV);
    void (*volatile nothing)(int) = NULL;
    nothing(depth);
    sink = depth;
}

/* Two signals, one in the other's handler. */
static void second(int number) {
    sink = number;
    park();
}

static void first(int number) {
    signal(SIGUSR2, second);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
    sink = number;
}

SHAPE static void nested(int depth) {
    signal(SIGWINCH, first);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGWINCH);
    sink = depth;
}

/* Loads the library and calls its function `name`. */
SHAPE static void call_plugin(const char *name, int depth) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 20);
    path[length < 0 ? 0 : length] = 0;
    strcpy(strrchr(path, '/'), "/libplugin.so");
    void *library = dlopen(path, RTLD_LAZY);
    void (*run)(void (*)(void), int) = library ? (void (*)(void (*)(void), int))dlsym(library, name) : NULL;
    if (!run) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(1);
    }
    run(park, depth);
    sink = depth;
}

/* Code of a library that was loaded while the process ran, which calls back. */
SHAPE static void in_library(int depth) {
    call_plugin("plugin_run", depth);
    sink = depth;
}

/* The same while the dynamic linker binds a call: its trampoline's frame is found by rbx. */
SHAPE static void binding(int depth) {
    call_plugin("plugin_bind", depth);
    sink = depth;
}

/* Deep, without a frame pointer. */
SHAPE static int recursive(int depth) {
    if (depth == 0)
        park();
    sink = depth;
    return recursive(depth - 1) + sink;
}

SHAPE static void deep(int depth) {
    sink = recursive(depth * 100);
}

/* By a tail call. */
SHAPE static void tail(int depth) {
    sink = depth;
    park();
}

static void (*const shapes[])(int) = {
    in_syscall, spinning, aligned, variable, large, sorting, signalled, faulting, calling_null, nested,
    in_library, binding, deep, tail,
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

SHAPE static void middle(int number) {
    shapes[number](number + 1);
    sink = number;
}

SHAPE static void *outer(void *number) {
    middle((int)(intptr_t)number);
    return NULL;
}

SHAPE static void stop(void) {
    abort();
}

int main(void) {
    for (intptr_t i = 0; i < SHAPES; i++) {
        /* One after the other, so that handlers do not take each other's place. */
        pthread_t thread;
        pthread_create(&thread, NULL, outer, (void *)i);
        while (atomic_load(&ready) <= i)
            usleep(1000);
    }
    usleep(100000);
    stop();
}
