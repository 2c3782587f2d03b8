/* A process that ends by calling a null pointer, three calls deep. */
static volatile int sink;

__attribute__((noinline)) static void inner(void (*volatile *function)(void)) {
    (*function)();
    sink = 1;
}

__attribute__((noinline)) static void outer(void (*volatile *function)(void)) {
    inner(function);
    sink = 2;
}

int main(void) {
    void (*volatile nothing)(void) = 0;
    outer(&nothing);
    return sink;
}
