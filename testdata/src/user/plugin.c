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
