/* A library that is loaded while the process runs. */
static volatile int sink;

__attribute__((noinline)) static void inner(void (*callback)(void), int depth) {
    volatile char room[64];
    room[depth & 63] = 1;
    callback();
    sink = room[depth & 63];
}

void plugin_run(void (*callback)(void), int depth) {
    inner(callback, depth + 1);
    sink = depth;
}

/* A function whose address is chosen while it is first called, under the dynamic linker's own frames. */
static void (*while_binding)(void);

static void nothing(void) {
}

static void (*choose(void))(void) {
    if (while_binding)
        while_binding();
    return nothing;
}

void plugin_chosen(void) __attribute__((ifunc("choose")));

void plugin_bind(void (*callback)(void), int depth) {
    while_binding = callback;
    plugin_chosen();
    sink = depth;
}
